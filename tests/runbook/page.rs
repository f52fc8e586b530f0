//! The page has a row for each test, and what it tells to type is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use jaas_tests::environment;
use jaas_tests::runner::root;
use regex::Regex;

/// One row of the page's tables.
struct Row {
    command: String,
    codes: Vec<String>,
    test: String,
}

fn rows() -> Vec<Row> {
    let page = fs::read_to_string(root().join("docs/plugin/runbook.md")).unwrap();
    let lines = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| what you see") && !line.starts_with("| ---"));
    let rows = lines.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 5, "{line}");
        let words = |cell: &str| cell.trim_matches('`').to_owned();
        let codes = cells[3].split(',').map(|code| code.trim().to_owned()).filter(|code| !code.is_empty());
        Row { command: words(cells[2]), codes: codes.collect(), test: words(cells[4]) }
    });
    rows.collect()
}

/// The tests beside this file, and the commands of rows that each runs.
fn tests() -> BTreeMap<String, BTreeSet<String>> {
    let command = Regex::new(r#"\.row(?:_of|_confirmed|_finds)?\(\s*"(kubectl jaas [^"]+)""#).unwrap();
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root().join("tests/runbook")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name() == Path::new(file!()).file_name() {
            continue;
        }
        let text = fs::read_to_string(path).unwrap();
        found.extend(text.split("#[tokio::test]").skip(1).filter_map(|rest| {
            let name = rest.split("fn ").nth(1)?.split('(').next()?;
            let body = rest.split("\n}\n").next()?;
            Some((name.to_owned(), command.captures_iter(body).map(|found| found[1].to_owned()).collect()))
        }));
    }
    found
}

#[test]
fn every_row_names_a_test_that_runs_its_command_and_every_test_has_a_row() {
    let mut named: BTreeMap<_, BTreeSet<_>> = tests().into_keys().map(|test| (test, BTreeSet::new())).collect();
    for row in rows() {
        named.entry(row.test).or_default().insert(row.command);
    }
    assert_eq!(named, tests());
}

#[test]
fn every_command_is_taken_and_every_code_is_explained() {
    let plugin = environment::value(environment::PLUGIN).unwrap();
    let run = |args: &[&str]| Command::new(&plugin).args(args).output().unwrap();
    let rows = rows();
    assert!(rows.len() > 30, "{}", rows.len());
    for row in rows {
        let words: Vec<_> = row.command.split_whitespace().collect();
        let args = words.strip_prefix(&["kubectl", "jaas"]).unwrap_or_else(|| panic!("{}", row.command));
        // With `--help` nothing is done, but whatever stands before it is read first.
        let taken = run(&[args, &["--help"]].concat());
        assert!(taken.status.success(), "{}: {}", row.command, String::from_utf8_lossy(&taken.stderr));
        let wrong = run(&[args, &["--frobnicate", "--help"]].concat());
        assert_eq!(wrong.status.code(), Some(2), "an unknown flag before `--help` must be told: {}", row.command);
        for code in row.codes {
            assert!(run(&["explain", &code]).status.success(), "{code}");
        }
    }
}
