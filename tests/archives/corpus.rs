//! Archives that are right, odd, and hostile.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

const BLOCK: usize = 512;

const NAMES: [&str; 14] = [
    "a",
    "b",
    "main.jsonnet",
    "lib/a.libsonnet",
    "./a",
    "lib//x",
    "a/../b",
    "../x",
    "/abs",
    ".hidden/x",
    "dir/",
    "sp ace",
    "ümlaut",
    "x\\y",
];

/// A tar that is not compressed.
pub(crate) fn archive(random: &mut StdRng) -> Vec<u8> {
    let mut tar = Vec::new();
    for _ in 0..random.random_range(1..6) {
        member(random, &mut tar);
        if random.random_ratio(1, 60) {
            tar.extend([0; BLOCK]);
        }
    }
    match random.random_range(0..30) {
        // No end, one block of an end, and something after the end.
        0 => {}
        1 => tar.extend([0; BLOCK]),
        2 => {
            tar.extend([0; 2 * BLOCK]);
            member(random, &mut tar);
        }
        3 => {
            tar.extend([0; 2 * BLOCK]);
            tar.extend((0..random.random_range(1..700)).map(|_| random.random::<u8>()));
        }
        _ => tar.extend([0; 2 * BLOCK]),
    }
    match random.random_range(0..24) {
        0 => tar.truncate(random.random_range(0..=tar.len())),
        1 => {
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(0..tar.len());
                tar[at] ^= 1 << random.random_range(0..8);
            }
        }
        _ => {}
    }
    tar
}

fn member(random: &mut StdRng, tar: &mut Vec<u8>) {
    // Headers for the next entry, now and then several, or for nobody.
    while random.random_ratio(1, 5) {
        extension(random, tar);
    }
    let name = *NAMES.choose(random).unwrap();
    let size = *[0, 1, 7, 511, 512, 513, 1500].choose(random).unwrap();
    let content: Vec<u8> = (0..size).map(|_| random.random()).collect();
    let kind = match random.random_range(0..24) {
        0 => b'\0',
        1 => b'5',
        2 => b'2',
        3 => b'1',
        4 => b'7',
        5 => b'S',
        6 => random.random(),
        _ => b'0',
    };
    // Most kinds but files have no content.
    let content = if matches!(kind, b'5' | b'2' | b'1') && random.random_ratio(3, 4) { Vec::new() } else { content };
    entry(random, tar, name.as_bytes(), kind, &content);
}

fn extension(random: &mut StdRng, tar: &mut Vec<u8>) {
    let long = format!("{}/{}", "l".repeat(random.random_range(1..160)), NAMES.choose(random).unwrap());
    if random.random_ratio(1, 3) {
        let kind = if random.random_ratio(4, 5) { b'L' } else { b'K' };
        let mut content = long.into_bytes();
        content.push(0);
        return entry(random, tar, b"././@LongLink", kind, &content);
    }
    let size = random.random_range(0..1600).to_string();
    let records: [(&str, &str); 9] = [
        ("path", &long),
        ("path", "a"),
        ("path", ""),
        ("size", &size),
        ("mtime", "1.5"),
        ("comment", "x"),
        ("linkpath", "y"),
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.name", "z"),
    ];
    let mut content = Vec::new();
    for _ in 0..random.random_range(1..3) {
        let (key, value) = records.choose(random).unwrap();
        content.extend(record(key, value));
    }
    if random.random_ratio(1, 12) {
        let at = random.random_range(0..content.len());
        content[at] = random.random();
    }
    let kind = if random.random_ratio(5, 6) { b'x' } else { b'g' };
    entry(random, tar, b"pax", kind, &content);
}

/// A record of a pax header, whose length counts its own digits.
fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len() + 1;
    while length != rest.len() + length.to_string().len() {
        length += 1;
    }
    format!("{length}{rest}").into_bytes()
}

fn entry(random: &mut StdRng, tar: &mut Vec<u8>, name: &[u8], kind: u8, content: &[u8]) {
    let mut header = [0; BLOCK];
    let name = &name[..name.len().min(100)];
    header[..name.len()].copy_from_slice(name);
    header[100..107].copy_from_slice(b"0000644");
    header[108..115].copy_from_slice(b"0000000");
    header[116..123].copy_from_slice(b"0000000");
    let size = format!("{:011o}\0", content.len());
    header[124..136].copy_from_slice(size.as_bytes());
    header[136..147].copy_from_slice(b"00000000000");
    header[156] = kind;
    match random.random_range(0..4) {
        0 => header[257..265].copy_from_slice(b"ustar  \0"),
        1 => {}
        _ => {
            header[257..265].copy_from_slice(b"ustar\x0000");
            if random.random_ratio(1, 5) {
                header[345..350].copy_from_slice(b"pre/x");
            }
        }
    }
    match random.random_range(0..40) {
        // Base 256, right and negative; blanks; no end; something else than a number; a size that is not the content's.
        0 => {
            header[124..136].fill(0);
            header[124] = 0x80;
            header[132..136].copy_from_slice(&u32::try_from(content.len()).unwrap().to_be_bytes());
        }
        1 => header[124..136].fill(0xff),
        2 => header[124..136].copy_from_slice(format!("{:>11o} ", content.len()).as_bytes()),
        3 => header[124..136].copy_from_slice(format!("{:012o}", content.len()).as_bytes()),
        4 => header[124..136].copy_from_slice(b"0000000009x\0"),
        5 => header[124..136].copy_from_slice(format!("{:011o}\0", random.random_range(0..4000)).as_bytes()),
        6 => header[124..136].fill(0),
        _ => {}
    }
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    if random.random_ratio(1, 80) {
        let at = random.random_range(0..BLOCK);
        header[at] = random.random();
    }
    tar.extend(header);
    tar.extend(content);
    tar.resize(tar.len().next_multiple_of(BLOCK), 0);
}
