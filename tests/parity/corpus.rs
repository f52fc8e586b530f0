//! Programs of ours with the results that go-jsonnet had for them: a file, or a folder with a `main.jsonnet`.
//!
//! `JAAS_WRITE=1` writes the results anew.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use jaas_tests::jsonnet::{Answer, Task};

use crate::engines::{files, ours, shown, theirs};

/// Each program, and the file with its result.
fn programs() -> BTreeMap<PathBuf, Task> {
    let mut programs = BTreeMap::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in [root.join("parity/corpus"), root.join("../shared/render/tests/golden")] {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let task = if path.is_dir() {
                Task { entry: "main.jsonnet".to_owned(), files: files(&path), ..Task::default() }
            } else if path.extension().is_some_and(|extension| extension == "jsonnet") {
                Task::program(&fs::read_to_string(&path).unwrap())
            } else {
                continue;
            };
            programs.insert(path.with_extension("json"), task);
        }
    }
    assert!(programs.len() > 20, "{}", programs.len());
    programs
}

fn same(path: &Path, found: &[u8], expected: &[u8]) {
    let (found_text, expected_text) = (shown(found), shown(expected));
    for (line, (found, expected)) in found_text.lines().zip(expected_text.lines()).enumerate() {
        assert_eq!(found, expected, "{} line {}", path.display(), line + 1);
    }
    assert_eq!(found, expected, "{}", path.display());
}

#[test]
fn the_results_that_are_kept_are_those_of_go_jsonnet() {
    let mut engine = theirs();
    for (path, task) in programs() {
        let result = match engine.evaluate(&task).unwrap() {
            Answer::Output(result) => result,
            other => panic!("{}: {other:?}", path.display()),
        };
        if env::var_os("JAAS_WRITE").is_some() {
            fs::write(&path, &result).unwrap();
        }
        same(&path, &fs::read(&path).unwrap(), &result);
    }
}

#[test]
fn every_program_yields_the_result_that_is_kept() {
    let mut engine = ours();
    for (path, task) in programs() {
        match engine.evaluate(&task).unwrap() {
            Answer::Output(result) => same(&path, &result, &fs::read(&path).unwrap()),
            other => panic!("{}: {other:?}", path.display()),
        }
    }
}
