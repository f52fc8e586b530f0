#![allow(clippy::unwrap_used)]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

use super::*;

/// A header for `size` bytes, with a right checksum after `change`.
fn header(name: &str, size: u64, change: impl FnOnce(&mut Header)) -> Header {
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size);
    header.set_mode(0o644);
    header.set_entry_type(EntryType::Regular);
    change(&mut header);
    header.set_cksum();
    header
}

fn of_kind(kind: EntryType) -> impl FnOnce(&mut Header) {
    move |header| header.set_entry_type(kind)
}

/// One entry as it stands in a tar.
fn entry(header: &Header, body: &[u8]) -> Vec<u8> {
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str, body: &str) -> Vec<u8> {
    entry(&header(name, body.len() as u64, |_| {}), body.as_bytes())
}

fn pax(kind: EntryType, records: &[(&str, &str)]) -> Vec<u8> {
    let record = |(key, value): &(&str, &str)| {
        let rest = format!(" {key}={value}\n");
        let mut length = rest.len() + 1;
        while length != rest.len() + length.to_string().len() {
            length += 1;
        }
        format!("{length}{rest}")
    };
    let body: String = records.iter().map(record).collect();
    entry(&header("pax", body.len() as u64, of_kind(kind)), body.as_bytes())
}

fn gzip(tar: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(tar).unwrap();
    gzip.finish().unwrap()
}

fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut tar = entries.concat();
    tar.resize(tar.len() + 1024, 0);
    gzip(&tar)
}

fn read_all(bytes: &[u8]) -> Result<Files, ArchiveError> {
    read(bytes, &Folder::default(), &Limits::default())
}

fn names(bytes: &[u8]) -> String {
    read_all(bytes).unwrap().into_keys().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn refused(entries: &[Vec<u8>], because: &str) {
    let error = read_all(&archive(entries)).unwrap_err().to_string();
    assert!(error.contains(because), "{error}");
}

#[test]
fn regular_files_with_safe_names_are_taken_and_the_rest_is_passed_over() {
    let kinds = [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Directory,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::new(b'V'),
    ];
    let mut entries: Vec<_> =
        kinds.iter().map(|kind| entry(&header(&format!("kind-{}", kind.as_byte()), 0, of_kind(*kind)), b"")).collect();
    entries.extend(["/etc/x", "../x", ".git/x", "a/../x", "a\\b"].map(|name| file(name, "hostile")));
    entries.push(file("./main.jsonnet", "1"));
    entries.push(file("lib/a.libsonnet", "2"));
    assert_eq!(names(&archive(&entries)), "lib/a.libsonnet main.jsonnet");
}

#[test]
fn a_folder_is_taken_without_its_own_name() {
    let bytes = archive(&[file("env/prod/a", "1"), file("env/production/b", "2"), file("c", "3")]);
    let files = read(&*bytes, &"./env//prod/".parse().unwrap(), &Limits::default()).unwrap();
    assert_eq!(files, Files::from([("a".to_owned(), b"1".to_vec())]));
}

#[test]
fn long_names_of_both_kinds_are_read() {
    let long = format!("{}/x", "d".repeat(150));
    let mut gnu = Builder::new(Vec::new());
    let mut small = Header::new_gnu();
    small.set_size(1);
    gnu.append_data(&mut small, &long, &b"1"[..]).unwrap();
    assert_eq!(names(&gzip(&gnu.into_inner().unwrap())), long);
    assert_eq!(names(&archive(&[pax(EntryType::XHeader, &[("path", &long)]), file("short", "1")])), long);
    let comment = pax(EntryType::XGlobalHeader, &[("comment", "0123abcd")]);
    assert_eq!(names(&archive(&[comment, file("a", "1")])), "a");
}

#[test]
fn what_parsers_read_differently_is_refused() {
    let local = |records: &[(&str, &str)]| pax(EntryType::XHeader, records);
    let long = |name: &str| {
        entry(&header("././@LongLink", name.len() as u64, of_kind(EntryType::GNULongName)), name.as_bytes())
    };
    refused(&[local(&[("size", "5")]), file("a", "1")], "two sizes");
    refused(&[local(&[("size", "x")]), file("a", "1")], "is no number");
    refused(&[file("a/", "1")], "named like a folder");
    refused(&[local(&[("path", "a"), ("path", "")]), file("c", "1")], "two paths");
    refused(&[local(&[("mtime", "1.x")]), file("a", "1")], "one of whose numbers is none");
    refused(&[local(&[("path", "b")]), pax(EntryType::XGlobalHeader, &[]), file("a", "1")], "mixed up");
    refused(&[local(&[("mtime", "1")]), local(&[("path", "b")]), file("c", "1")], "two pax headers");
    refused(&[entry(&header("a", 3, of_kind(EntryType::Symlink)), b"abc")], "no file but has content");
    refused(&[file("a", "1"), vec![0; 512], file("b", "1")], "after its end");
    refused(&[local(&[("path", "a")]), long("b\0"), file("c", "1")], "two names");
    refused(&[long("a\0"), long("b\0"), file("c", "1")], "two long names");
    refused(&[pax(EntryType::XGlobalHeader, &[("path", "a")]), file("b", "1")], "for all entries");
    refused(&[local(&[("GNU.sparse.major", "1")]), file("a", "1")], "sparse");
    refused(&[entry(&header("a", 0, of_kind(EntryType::GNUSparse)), b"")], "sparse");
    refused(&[file("a", "1"), file("./a", "2")], "there twice");
    assert_eq!(names(&archive(&[local(&[("size", "1")]), file("a", "1")])), "a", "the same size twice is no other");
    assert_eq!(names(&archive(&[local(&[("path", "")]), file("a", "1")])), "a", "no value is none");
}

#[test]
fn every_limit_holds_at_its_very_number() {
    let limits = Limits { stream: 4096, total: 22, name: 5, file: 10, entries: 4, extension: 64 };
    let judged = |entries: &[Vec<u8>]| read(&*archive(entries), &Folder::default(), &limits);
    let bytes = |name: &str, n: usize| file(name, &"x".repeat(n));
    assert!(judged(&[bytes("a", 10), bytes("b", 10)]).is_ok());
    for (entries, what) in [
        (vec![bytes("a", 11)], "a file that is larger"),
        (vec![bytes("a", 10), bytes("b", 10), bytes("c", 1)], "more in its files"),
        // Names are kept, too.
        (vec![bytes("abcde", 10), bytes("b", 7)], "more in its files"),
        (vec![file("abcdef", "")], "a name that is longer"),
        (vec![file("a", ""), file("b", ""), file("c", ""), file("d", ""), file("e", "")], "entries"),
        (vec![pax(EntryType::XHeader, &[("comment", &"x".repeat(70))]), file("a", "")], "a header that is larger"),
        (vec![bytes(".hidden", 4000)], "inflates"),
    ] {
        let error = judged(&entries).unwrap_err().to_string();
        assert!(error.contains(what), "{what}: {error}");
    }
}

#[test]
fn a_bomb_is_given_up_at_the_limit_and_never_held() {
    // Zeros beyond the end of the tar, in many members: nothing of it is an entry, and all of it would be inflated.
    let member = gzip(&vec![0; 1 << 20]);
    let bomb = member.repeat(64);
    let limits = Limits { stream: 8 << 20, ..Limits::default() };
    let error = read(&*bomb, &Folder::default(), &limits).unwrap_err();
    assert!(matches!(error, ArchiveError::TooLarge { limit, .. } if limit == 8 << 20), "{error}");
    // A name of a gigabyte is refused by its header.
    let claimed = header("././@LongLink", 1 << 30, of_kind(EntryType::GNULongName));
    let error = read_all(&gzip(claimed.as_bytes())).unwrap_err();
    assert!(error.to_string().contains("a header that is larger"), "{error}");
}

#[test]
fn damage_is_noticed() {
    let whole = archive(&[file("a", &"x".repeat(3000))]);
    for length in 0..whole.len() {
        assert!(read_all(&whole[..length]).is_err(), "the first {length} of {} bytes", whole.len());
    }
    let mut odd = file("a", "1");
    odd[148] ^= 1;
    assert!(read_all(&gzip(&odd)).is_err(), "a header whose checksum is wrong");
    let odd = header("a", 0, |header| header.as_mut_bytes()[108] = b'p');
    assert!(read_all(&gzip(odd.as_bytes())).is_err(), "an owner that is no number");
    let overflow = header("a", 0, |header| header.as_mut_bytes()[124..136].copy_from_slice(&[0xff; 12]));
    assert!(read_all(&gzip(overflow.as_bytes())).is_err(), "a negative size");
    let short = header("a", 600, |_| {});
    assert!(read_all(&gzip(&entry(&short, b"x"))).is_err(), "a file that ends in the middle");
    assert!(read_all(b"no gzip").is_err());
}
