//! Compares whole results with those that go-jsonnet 0.22.0 printed for the same programs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jaas_render::{Output, Request, evaluate};

#[test]
fn every_program_yields_the_bytes_of_go_jsonnet() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut compared = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "jsonnet") {
            continue;
        }
        let rendered = evaluate(&Request {
            label: path.display().to_string(),
            entry: "main.jsonnet".to_owned(),
            files: BTreeMap::from([("main.jsonnet".to_owned(), fs::read(&path).unwrap())]),
            libraries: BTreeMap::new(),
            external_variables: BTreeMap::new(),
            top_level_arguments: BTreeMap::new(),
            output: Output::Json,
            max_stack: 0,
        });
        let found = String::from_utf8(rendered.unwrap().bytes).unwrap();
        let expected = fs::read_to_string(path.with_extension("json")).unwrap();
        for (line, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
            assert_eq!(found, expected, "{} line {}", path.display(), line + 1);
        }
        assert_eq!(found, expected, "{}", path.display());
        compared += 1;
    }
    assert_eq!(compared, 11);
}
