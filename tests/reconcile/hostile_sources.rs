//! Archives and addresses that mean harm: each has its verdict, none is reached, and the operator's memory stays what it was.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use jaas_sources::digest::Algorithm;
use jaas_tests::operator::OperatorOptions;
use jaas_tests::upstream::{Archives, Reply, Source, Trap};
use jaas_tests::wait;
use tar::{EntryType, Header};

use crate::field::{Field, message, status, tail};
use crate::meadow::{Meadow, digest, tarball};

/// Longer than inflating half a gigabyte takes in a debug build on a busy machine.
const LONG: std::time::Duration = std::time::Duration::from_secs(180);
/// How much more memory the operator may have after it has met everything once more than thrice.
const GROWTH: u64 = 48 << 20;
/// The most that it may have had at any time: what an archive may hold twice, as bytes and as files, and what a debug build needs.
const PEAK: u64 = 384 << 20;

const MIB: usize = 1 << 20;

/// What becomes of an archive or an address.
enum Verdict {
    /// It is rendered to this.
    Taken(&'static str),
    /// It is refused for this reason, in words that hold these.
    Refused(&'static str, &'static str),
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// A header with its checksum.
fn header(name: &str, size: u64, kind: EntryType) -> Header {
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..name.len().min(100)].copy_from_slice(&name.as_bytes()[..name.len().min(100)]);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(kind);
    header.set_cksum();
    header
}

/// An entry: header and padded content.
fn entry(name: &str, kind: EntryType, content: &[u8]) -> Vec<u8> {
    let mut bytes = header(name, content.len() as u64, kind).as_bytes().to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str, content: &str) -> Vec<u8> {
    entry(name, EntryType::Regular, content.as_bytes())
}

/// A tar of these entries, with its end.
fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

/// The same, packed.
fn packed(entries: &[Vec<u8>]) -> Vec<u8> {
    gzip(&tar(entries))
}

/// A header that speaks of the next entry.
fn pax(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len() + 1;
    while length != rest.len() + length.to_string().len() {
        length += 1;
    }
    entry("pax", EntryType::XHeader, format!("{length}{rest}").as_bytes())
}

/// A header, and as much of nothing behind it as it says, in members of a mebibyte: so it costs little to send.
fn zeros(name: &str, mebibytes: usize) -> Vec<u8> {
    let head = gzip(header(name, (mebibytes * MIB) as u64, EntryType::Regular).as_bytes());
    [head, gzip(&vec![0; MIB]).repeat(mebibytes)].concat()
}

fn archives() -> Vec<(&'static str, Vec<u8>, Verdict)> {
    use Verdict::{Refused, Taken};
    let refused = |words: &'static str| Refused("SourceFetchFailed", words);
    let good = || file("main.jsonnet", "1");
    let with_size = |size: &[u8; 12]| {
        let mut header = header("main.jsonnet", 0, EntryType::Regular);
        header.as_mut_bytes()[124..136].copy_from_slice(size);
        header.set_cksum();
        gzip(header.as_bytes())
    };
    // 2^63 - 1 and -1, in base 256.
    let (mut largest, negative) = ([0; 12], [0xff; 12]);
    largest[0] = 0x80;
    largest[4..].copy_from_slice(&i64::MAX.to_be_bytes());
    let link = |kind: EntryType, name: &str, to: &str| {
        let mut header = header(name, 0, kind);
        header.set_link_name(to).unwrap();
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let kinds = [
        link(EntryType::Symlink, "passwd", "/etc/passwd"),
        link(EntryType::Link, "hard", "/etc/passwd"),
        entry("char", EntryType::Char, b""),
        entry("block", EntryType::Block, b""),
        entry("fifo", EntryType::Fifo, b""),
        entry("dir/", EntryType::Directory, b""),
    ];
    let names = ["../up", "/abs", "a/../../up", ".git/config", "a\\b", "a:b", "sp ace"];
    let mut damaged = good();
    damaged[148] ^= 1;
    let whole = packed(&[good()]);
    let many = gzip(&file(".x", "").repeat(2_000)).repeat(101);
    vec![
        (
            "a file of nothing that inflates to 600 MiB, under a name that is passed over",
            zeros(".bomb", 600),
            refused("inflates to more than the limit of 536870912 bytes"),
        ),
        ("a file of 17 MiB", zeros("large", 17), refused("a file that is larger")),
        (
            "five files of 16 MiB",
            [zeros("a", 16), zeros("b", 16), zeros("c", 16), zeros("d", 16), zeros("e", 16)].concat(),
            refused("more in its files"),
        ),
        ("more than 200,000 entries", many, refused("entries")),
        (
            "a name of a gibibyte",
            gzip(header("././@LongLink", 1 << 30, EntryType::GNULongName).as_bytes()),
            refused("a header that is larger"),
        ),
        (
            "a comment of a gibibyte",
            gzip(header("pax", 1 << 30, EntryType::XHeader).as_bytes()),
            refused("a header that is larger"),
        ),
        ("a size of 2^63 - 1 bytes", with_size(&largest), refused("the archive")),
        ("a negative size", with_size(&negative), refused("the archive is damaged")),
        (
            "links, devices, a pipe and a folder",
            packed(&[kinds.concat(), file("main.jsonnet", "'none of them'")]),
            Taken("\"none of them\"\n"),
        ),
        (
            "an import of a link",
            packed(&[kinds[0].clone(), file("main.jsonnet", "importstr 'passwd'")]),
            Refused("EvaluationFailed", "passwd"),
        ),
        (
            "an import of a hard link",
            packed(&[kinds[1].clone(), file("main.jsonnet", "importstr 'hard'")]),
            Refused("EvaluationFailed", "hard"),
        ),
        (
            "names that climb, begin at the root, are hidden or odd",
            packed(&[names.map(|name| file(name, "x")).concat(), file("main.jsonnet", "'no name'")]),
            Taken("\"no name\"\n"),
        ),
        (
            "an import of a file that climbed",
            packed(&[file("../up", "1"), file("main.jsonnet", "import '../up'")]),
            Refused("EvaluationFailed", "up"),
        ),
        ("a name twice, in two spellings", packed(&[good(), file("./main.jsonnet", "2")]), refused("is there twice")),
        ("two sizes for one entry", packed(&[pax("size", "5"), good()]), refused("two sizes")),
        (
            "two names for one entry",
            packed(&[pax("path", "a"), entry("././@LongLink", EntryType::GNULongName, b"b\0"), good()]),
            refused("two names"),
        ),
        ("a sparse file", packed(&[pax("GNU.sparse.major", "1"), good()]), refused("sparse")),
        ("a sparse file of the old kind", packed(&[entry("x", EntryType::GNUSparse, b""), good()]), refused("sparse")),
        (
            "content in a link",
            packed(&[entry("x", EntryType::Symlink, b"abc"), good()]),
            refused("no file but has content"),
        ),
        ("something behind half an end", packed(&[good(), vec![0; 512], file("b", "1")]), refused("after its end")),
        ("a file behind the end", gzip(&[tar(&[good()]), file("main.jsonnet", "2")].concat()), Taken("1\n")),
        ("gzip within gzip", gzip(&whole), refused("the archive is damaged")),
        (
            "another file behind the gzip",
            [whole.clone(), b"PK\x03\x04".to_vec()].concat(),
            refused("the archive is damaged"),
        ),
        ("a tar that is not packed", tar(&[good()]), refused("the archive is damaged")),
        ("a zip", b"PK\x03\x04\x14\0\0\0".repeat(20), refused("the archive is damaged")),
        ("half an archive", whole[..whole.len() / 2].to_vec(), refused("the archive is damaged")),
        ("a wrong checksum", gzip(&tar(&[damaged])), refused("the archive is damaged")),
        ("nothing", Vec::new(), refused("the archive is damaged")),
        (
            "several members of gzip, and padding",
            [gzip(&file("lib", "'members'")), gzip(&file("main.jsonnet", "import 'lib'")), gzip(&[0; 8192])].concat(),
            Taken("\"members\"\n"),
        ),
        (
            "a folder of 1,000 folders",
            packed(&[pax("path", &format!("{}x", "d/".repeat(1_000))), file("x", "1"), file("main.jsonnet", "'deep'")]),
            Taken("\"deep\"\n"),
        ),
    ]
}

/// Memory of a process in bytes: now, and the most that it had.
fn memory(pid: i32) -> (u64, u64) {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// Has the source announce it, and waits for the verdict.
async fn judged(meadow: &Meadow, source: &Source, what: &str, url: &str, digest: &str, verdict: &Verdict) {
    source.announces(url, digest, what).await.unwrap();
    let told = wait::object(&meadow.field.snippets, "web", what, LONG, |snippet| match verdict {
        Verdict::Taken(text) => {
            let revision = jaas_storage::Revision::of_document(text.as_bytes()).to_string();
            status(snippet).revision == Some(revision) && status(snippet).source_revision.as_deref() == Some(what)
        }
        Verdict::Refused(reason, words) => {
            status(snippet).ready().is_some_and(|ready| ready.reason == *reason) && message(snippet).contains(words)
        }
    });
    told.await.unwrap_or_else(|error| panic!("{what}: {error:#}\n{}", tail(&meadow.field.operator.log())));
}

#[tokio::test]
async fn no_archive_hurts_and_each_has_its_verdict() {
    let meadow = Meadow::with("archives", "", &["--source-cache=1Mi", "--rerender-rate=0/min"]).await;
    let source = meadow.source("Bucket", "hostile").await;
    meadow.snippet("web", "Bucket", "hostile").await;
    let table = archives();
    let pid = meadow.field.operator.process().pid();
    let mut after = Vec::new();
    for round in 0..4 {
        // The first takes longest by far, and once is enough for it.
        for (n, (what, bytes, verdict)) in table.iter().enumerate().skip(round.min(1)) {
            // A path of its own, so that nothing of the first round is remembered.
            let path = format!("/{round}/{n}");
            meadow.archives.set(&path, Reply::Bytes(bytes.clone()));
            let url = meadow.archives.url(&path);
            judged(&meadow, &source, what, &url, &digest(Algorithm::Sha256, bytes), verdict).await;
            // The next verdict may be in the same words.
            let between = tarball(&[("main.jsonnet", &format!("'{round} {n}'"))]);
            let path = format!("{path}/between");
            meadow.archives.set(&path, Reply::Bytes(between.clone()));
            let url = meadow.archives.url(&path);
            source.announces(&url, &digest(Algorithm::Sha256, &between), "between").await.unwrap();
            meadow.follows("web", &format!("\"{round} {n}\"\n")).await;
        }
        after.push(memory(pid));
    }
    eprintln!("memory after each round, and the most: {after:?}");
    let (_, peak) = *after.last().unwrap();
    // An allocator keeps some of what it had, so the first rounds grow; after that nothing may.
    let before = after[..3].iter().map(|(now, _)| *now).max().unwrap();
    assert!(after[3].0 <= before + GROWTH, "{after:?}");
    assert!(peak <= PEAK, "{peak} bytes at one time");
    assert!(meadow.field.operator.process().exit().is_none());
}

#[tokio::test]
async fn no_address_is_reached_that_may_not_be() {
    let trap = Trap::start().await.unwrap();
    let port = trap.port();
    // Names are listed, and what they lead to is not; and the environment names a proxy for plain HTTP, which the API server does not speak.
    let proxy = format!("http://127.0.0.1:{port}");
    let names = ["http_proxy", "HTTP_PROXY"];
    let env: BTreeMap<_, _> = names.map(|name| (name.to_owned(), proxy.clone())).into();
    let options = OperatorOptions { env, ..OperatorOptions::default() };
    let meadow = Meadow::started("addresses", ",localhost,*.localhost,git.example:8080", options).await;
    let source = meadow.source("GitRepository", "hostile").await;
    meadow.snippet("web", "GitRepository", "hostile").await;
    let nothing = digest(Algorithm::Sha256, b"");
    for (path, to) in [
        ("/to-trap", format!("http://127.0.0.1:{port}/x")),
        ("/to-spelling", format!("http://2130706433:{port}/x")),
        ("/to-name", format!("http://localhost:{port}/x")),
        ("/to-metadata", "http://169.254.169.254/latest/meta-data".to_owned()),
        ("/to-file", "file:///etc/passwd".to_owned()),
        ("/to-user", format!("http://{}@127.0.0.1:{port}/x", &meadow.archives.url("")["http://".len()..])),
        ("/to-elsewhere", "http://other.example/x".to_owned()),
        ("/round", "/and-round".to_owned()),
        ("/and-round", "/round".to_owned()),
    ] {
        meadow.archives.set(path, Reply::Status(302, format!("location: {to}\r\n")));
    }
    let scheme = "is no http or https address with a host";
    let loopback = "leads to 127.0.0.1, which is loopback";
    let unlisted = "is not among the hosts that may be asked; add it to --allowed-source-hosts";
    let here = |path: &str| meadow.archives.url(path);
    let there = |host: &str| format!("http://{host}:{port}/x");
    let table: Vec<(String, &str)> = vec![
        ("file:///etc/passwd".to_owned(), scheme),
        (format!("ftp://127.0.0.1:{port}/x"), scheme),
        (format!("gopher://127.0.0.1:{port}/x"), scheme),
        ("unix:///var/run/docker.sock".to_owned(), scheme),
        ("data:application/gzip;base64,AAAA".to_owned(), scheme),
        (format!("//127.0.0.1:{port}/x"), scheme),
        ("http://".to_owned(), scheme),
        (there("127.0.0.1"), loopback),
        (there("user:password@127.0.0.1"), loopback),
        (there(&format!("{}@127.0.0.1", &here("")["http://".len()..])), loopback),
        (there("127.1"), loopback),
        (there("2130706433"), loopback),
        (there("0x7f000001"), loopback),
        (there("0x7f.0.0.1"), loopback),
        (there("017700000001"), loopback),
        (there("0177.0.0.01"), loopback),
        (there("127.0.0.1."), loopback),
        (there("１２７.0.0.1"), loopback),
        (there("127.255.255.254"), "which is loopback"),
        (there("0"), "which is this host"),
        (there("0.0.0.0"), "which is this host"),
        (there("[::]"), "which is this host"),
        (there("[::1]"), "which is loopback"),
        (there("[::ffff:127.0.0.1]"), "which is loopback"),
        (there("[::ffff:7f00:1]"), "which is loopback"),
        (there("[::7f00:1]"), "which is loopback"),
        (there("[64:ff9b::7f00:1]"), "which is loopback"),
        (there("[64:ff9b:1::1]"), "which is translated by the network"),
        (there("[2002:7f00:1::]"), "which is loopback"),
        (there("[fe80::1]"), "which is link-local"),
        (there("[fec0::1]"), "which is site-local"),
        (there("[ff02::1]"), "which is multicast"),
        (there("[fd00:ec2::254]"), "a cloud's metadata service"),
        (there("169.254.169.254"), "which is link-local, where clouds keep credentials"),
        (there("0xa9fea9fe"), "which is link-local, where clouds keep credentials"),
        (there("100.100.100.200"), "a cloud's metadata service"),
        (there("168.63.129.16"), "a cloud's metadata service"),
        (there("224.0.0.1"), "which is multicast"),
        (there("255.255.255.255"), "which is reserved, or broadcast"),
        (there("localhost"), "which is loopback"),
        (there("LOCALHOST"), "which is loopback"),
        (there("10.0.0.1"), unlisted),
        (there("git.example"), unlisted),
        (there("localhost.example"), unlisted),
        (here("/to-trap"), loopback),
        (here("/to-spelling"), loopback),
        (here("/to-name"), "which is loopback"),
        (here("/to-user"), loopback),
        (here("/to-metadata"), "which is link-local, where clouds keep credentials"),
        (here("/to-file"), scheme),
        (here("/to-elsewhere"), unlisted),
        (here("/round"), "redirects more than 10 times"),
    ];
    // Each is met by a snippet that has just been well, so that no verdict is that of another one.
    for (n, (url, words)) in table.iter().enumerate() {
        judged(&meadow, &source, url, url, &nothing, &Verdict::Refused("SourceFetchFailed", words)).await;
        let path = format!("/well/{n}");
        let text = format!("\"well {n}\"\n");
        meadow.publish(&source, &path, &[("main.jsonnet", text.trim())], "well").await;
        meadow.follows("web", &text).await;
        assert_eq!(meadow.archives.asked(&path), 1, "directly, and not by a proxy");
    }
    assert_eq!(trap.came(), 0);
    // It would have caught somebody.
    let _caught = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let came = async || if trap.came() == 1 { Ok(()) } else { Err(trap.came()) };
    wait::eventually("the trap to count", LONG, came).await.unwrap();
}

#[tokio::test]
async fn a_download_of_exactly_the_limit_is_taken_and_one_byte_more_is_not() {
    let meadow = Meadow::with("limit", "", &["--source-cache=1Mi"]).await;
    let source = meadow.source("OCIRepository", "large").await;
    meadow.snippet("web", "OCIRepository", "large").await;
    // Members of gzip without content may be as long as one likes, so the download is large and what is in it small.
    let bytes = |length: usize| {
        let mut bytes = tarball(&[("main.jsonnet", "'exactly'")]);
        let smallest = empty_member(0).len();
        while length - bytes.len() > 60_000 {
            bytes.extend(empty_member(50_000));
        }
        bytes.extend(empty_member(length - bytes.len() - smallest));
        assert_eq!(bytes.len(), length);
        bytes
    };
    let limit = 64 * MIB;
    for (what, length, verdict) in [
        ("more", limit + 1, Verdict::Refused("SourceFetchFailed", "the artifact is larger than 67108864 bytes")),
        ("exactly", limit, Verdict::Taken("\"exactly\"\n")),
    ] {
        let bytes = bytes(length);
        let path = format!("/{what}");
        let digest = digest(Algorithm::Blake3, &bytes);
        meadow.archives.set(&path, Reply::Bytes(bytes));
        judged(&meadow, &source, what, &meadow.archives.url(&path), &digest, &verdict).await;
    }
}

/// A member of gzip without content and with an extra field of this many bytes (RFC 1952).
fn empty_member(extra: usize) -> Vec<u8> {
    let length = u16::try_from(extra).unwrap().to_le_bytes();
    let mut member = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, length[0], length[1]];
    member.resize(member.len() + extra, b'x');
    // An empty last block, no checksum, no length.
    member.extend([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    member
}

#[tokio::test]
async fn a_source_at_an_ipv6_address_is_fetched() {
    let archives = Archives::start_at("::1").await.unwrap();
    let field = Field::with("ipv6", &[&archives.flag()]).await;
    let meadow = Meadow { field, archives };
    let source = meadow.source("GitRepository", "six").await;
    meadow.publish(&source, "/six", &[("main.jsonnet", "6")], "1").await;
    meadow.snippet("web", "GitRepository", "six").await;
    meadow.field.synced("web").await;
    assert_eq!(meadow.archives.asked("/six"), 1);
}
