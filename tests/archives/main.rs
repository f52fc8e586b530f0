//! The reader of archives against another parser, Go's `archive/tar`, over a generated corpus.
//!
//! Whatever ours takes, the other must read without an error and see the same files. What ours refuses is safe, but it must not refuse
//! what ordinary tools make. `JAAS_SEED` picks the corpus and `JAAS_ARCHIVES` its size.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod corpus;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use jaas_sources::archive::{self, normal_name};
use jaas_sources::{Folder, Limits};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Listing {
    entries: Vec<Entry>,
    error: String,
}

#[derive(Deserialize)]
struct Entry {
    /// In base 64, as Go writes bytes.
    name: String,
    #[serde(rename = "type")]
    kind: String,
    content: String,
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().map_or(otherwise, |text| text.parse().expect(variable))
}

/// Builds the other parser; Go is needed for the control plane anyway.
fn other_parser(folder: &Path) -> PathBuf {
    let program = folder.join("reader");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/archives/reader.go");
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&program).arg(source).env("GOTOOLCHAIN", "local").env("GOFLAGS", "-buildvcs=false");
    let output = build.output().expect("running `go build`: install Go from https://go.dev/dl or put `go` on PATH");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

fn ask(program: &Path, archives: &[Vec<u8>]) -> Vec<Listing> {
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let answers = std::thread::scope(|scope| {
        scope.spawn(move || {
            for archive in archives {
                stdin.write_all(&u32::try_from(archive.len()).unwrap().to_be_bytes()).unwrap();
                stdin.write_all(archive).unwrap();
            }
        });
        child.wait_with_output().unwrap()
    });
    let text = String::from_utf8(answers.stdout).unwrap();
    let listings: Vec<_> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(listings.len(), archives.len());
    listings
}

/// What the other parser saw, by the rules that ours has for names and kinds. A name that is there twice is `None`.
fn files(listing: &Listing) -> Option<BTreeMap<String, String>> {
    use base64::Engine;
    let mut files = BTreeMap::new();
    for entry in listing.entries.iter().filter(|entry| entry.kind == "0") {
        let name = base64::engine::general_purpose::STANDARD.decode(&entry.name).unwrap();
        let Some(name) = normal_name(&name) else { continue };
        if files.insert(name, entry.content.clone()).is_some() {
            return None;
        }
    }
    Some(files)
}

fn ours(tar: &[u8]) -> Result<BTreeMap<String, String>, archive::ArchiveError> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(tar).unwrap();
    let files = archive::read(&*gzip.finish().unwrap(), &Folder::default(), &Limits::default())?;
    Ok(files.into_iter().map(|(name, content)| (name, hex::encode(Sha256::digest(content)))).collect())
}

#[test]
fn what_is_taken_is_what_another_parser_sees() {
    let folder = tempfile::tempdir().unwrap();
    let program = other_parser(folder.path());
    let (seed, size) = (number("JAAS_SEED", 6), number("JAAS_ARCHIVES", 6_000));
    let mut random = StdRng::seed_from_u64(seed);
    let archives: Vec<_> = (0..size).map(|_| corpus::archive(&mut random)).collect();
    let (mut same, mut refused, mut unreadable) = (0, 0, 0);
    for (n, (archive, listing)) in archives.iter().zip(ask(&program, &archives)).enumerate() {
        match (ours(archive), listing.error.as_str()) {
            (Ok(taken), "") => {
                assert_eq!(Some(&taken), files(&listing).as_ref(), "archive {n} of seed {seed}");
                same += 1;
            }
            (Ok(taken), error) => panic!("archive {n} of seed {seed}: taken are {taken:?}, and Go says {error}"),
            (Err(_), "") => refused += 1,
            (Err(_), _) => unreadable += 1,
        }
    }
    eprintln!("seed {seed}: {same} the same, {refused} refused by ours alone, {unreadable} by both");
    assert!(same * 4 > size, "too few archives that can be read for this to say something");
    assert!(unreadable * 10 > size, "too few hostile ones");
}

#[test]
fn what_ordinary_tools_make_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (work, out) = (folder.path().join("work"), folder.path().join("x.tar"));
    let long = format!("{}/{}", "d".repeat(90), "f".repeat(120));
    for name in ["main.jsonnet", "vendor/lib/a.libsonnet", long.as_str()] {
        let path = work.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, name).unwrap();
    }
    std::os::unix::fs::symlink("main.jsonnet", work.join("link")).unwrap();
    for format in ["gnu", "pax", "ustar"] {
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(&work).arg(format!("--format={format}")).arg("-cf").arg(&out).arg(".");
        let output = tar.output().expect("running `tar`");
        // The oldest format has no place for the longest name, which it leaves out with a complaint.
        assert!(output.status.success() || format == "ustar", "{}", String::from_utf8_lossy(&output.stderr));
        let taken = ours(&std::fs::read(&out).unwrap()).unwrap();
        let expected = if output.status.success() { 3 } else { 2 };
        assert_eq!(taken.len(), expected, "{format}: {taken:?}");
    }
}
