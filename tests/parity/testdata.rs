//! go-jsonnet's own test data, read from the module cache of Go.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use jaas_tests::jsonnet::{Answer, Engine, Octets, Task};
use jaas_tests::programs;
use serde_json::Value;

use crate::engines::{files, ours};

/// The cases that differ, and why.
const DIFFERENCES: [(&str, &str); 9] = [
    ("number_times_string", TEXT_TIMES_NUMBER),
    ("object_comp_bad_field", FIELD_OF_COMPREHENSION),
    ("object_comp_bad_field2", FIELD_OF_COMPREHENSION),
    ("pow6", "a power that is not whole is of another library, and its last digit may be another"),
    (
        "std.makeArray_recursive_evalutation_order_matters",
        "elements that need each other take fewer frames, so 500 are enough",
    ),
    ("string_times_number", TEXT_TIMES_NUMBER),
    ("tailstrict", FRAMES),
    ("tailstrict3", "a default that is not used is not evaluated by a tailstrict call either"),
    ("tailstrict5", FRAMES),
];

const TEXT_TIMES_NUMBER: &str = "the engine repeats a string that is multiplied";
const FIELD_OF_COMPREHENSION: &str = "the engine's syntax allows a plain field name in a comprehension";
const FRAMES: &str = "a tailstrict call takes a frame, so 500 are not enough";

/// The external variables that its own test sets for these cases.
const VARIABLES: [&str; 7] = [
    "extvar_code",
    "extvar_error",
    "extvar_hermetic",
    "extvar_mutually_recursive",
    "extvar_self_recursive",
    "extvar_static_error",
    "extvar_string",
];

fn variables() -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let text = [("stringVar", "2 + 2")];
    let code = [
        ("codeVar", "3 + 3"),
        ("errorVar", "error 'xxx'"),
        ("staticErrorVar", ")"),
        ("UndeclaredX", "x"),
        ("selfRecursiveVar", r#"[42, std.extVar("selfRecursiveVar")[0] + 1]"#),
        ("mutuallyRecursiveVar1", r#"[42, std.extVar("mutuallyRecursiveVar2")[0] + 1]"#),
        ("mutuallyRecursiveVar2", r#"[42, std.extVar("mutuallyRecursiveVar1")[0] + 1]"#),
    ];
    let owned = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
    (text.map(owned).into(), code.map(owned).into())
}

/// The native functions that its own test sets. The renderer has none, so they come with the program.
const NATIVE_FUNCTIONS: &str = "
    local functions = {
        jsonToString: function(x) std.manifestJsonMinified(x),
        nativeError: function() error 'native function error',
        nativePanic: function() error 'native function panic',
    };
    local library = std;
    local std = library { native(x):: library.get(functions, x) };
";

/// What a case is to yield.
enum Golden {
    /// These bytes.
    One(Vec<u8>),
    /// These bytes for each field of an object.
    Many(BTreeMap<String, Octets>),
    /// An error, whatever its words.
    Error,
}

struct Case {
    name: String,
    golden: Golden,
}

impl Case {
    fn read(folder: &Path, name: &str) -> Self {
        let path = folder.join(format!("{name}.golden"));
        let golden = if path.is_dir() {
            Golden::Many(files(&path))
        } else {
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            if is_error(&bytes) { Golden::Error } else { Golden::One(bytes) }
        };
        Self { name: name.to_owned(), golden }
    }

    /// Its own test derives the options of the output from the name, and so does this.
    fn as_printed(&self, json: Vec<u8>) -> Vec<u8> {
        let mut printed = if self.name.ends_with("_string_output") {
            match serde_json::from_slice(&json) {
                Ok(Value::String(text)) => (text + "\n").into_bytes(),
                other => panic!("{}: {other:?} is no string", self.name),
            }
        } else {
            json
        };
        if self.name.contains("_no_newline") {
            assert_eq!(printed.pop(), Some(b'\n'));
        }
        printed
    }
}

/// A golden file of an error starts with its message; the text of a value never looks like that.
fn is_error(golden: &[u8]) -> bool {
    let text = String::from_utf8_lossy(golden);
    ["RUNTIME ERROR: ", "INTERNAL ERROR: ", "<extvar:"].iter().any(|start| text.starts_with(start))
        || text.lines().next().is_some_and(|line| line.starts_with("testdata/"))
}

struct Runner {
    engine: Engine,
    files: BTreeMap<String, Octets>,
}

impl Runner {
    fn evaluate(&mut self, case: &Case, wrapper: Option<&str>) -> Answer {
        let mut task = Task { files: self.files.clone(), ..Task::default() };
        // Its own test names a program by its path without the ending.
        task.entry = match wrapper {
            None => {
                let mut program = task.files[&format!("testdata/{}.jsonnet", case.name)].clone();
                if case.name.starts_with("native") {
                    program.0.splice(0..0, NATIVE_FUNCTIONS.bytes());
                }
                task.files.insert(format!("testdata/{}", case.name), program);
                format!("testdata/{}", case.name)
            }
            Some(wrapper) => {
                task.files.insert("testdata/wrapper".to_owned(), Octets(wrapper.into()));
                "testdata/wrapper".to_owned()
            }
        };
        if VARIABLES.contains(&case.name.as_str()) {
            (task.text, task.code) = variables();
        }
        self.engine.evaluate(&task).unwrap()
    }

    fn is_right(&mut self, case: &Case) -> bool {
        match &case.golden {
            Golden::Error => matches!(self.evaluate(case, None), Answer::Refused(_)),
            Golden::One(expected) => match self.evaluate(case, None) {
                Answer::Output(json) => case.as_printed(json) == *expected,
                _ => false,
            },
            Golden::Many(expected) => {
                let fields = format!("std.objectFields(import '{}.jsonnet')", case.name);
                let Answer::Output(fields) = self.evaluate(case, Some(&fields)) else { return false };
                let fields: Vec<String> = serde_json::from_slice(&fields).unwrap();
                fields.len() == expected.len()
                    && fields.iter().all(|field| {
                        let value = format!("(import '{}.jsonnet')['{field}']", case.name);
                        match (self.evaluate(case, Some(&value)), expected.get(field)) {
                            (Answer::Output(json), Some(expected)) => case.as_printed(json) == expected.0,
                            _ => false,
                        }
                    })
            }
        }
    }
}

#[test]
fn the_reference_s_own_cases_yield_its_bytes_but_for_those_that_are_listed() {
    let folder = programs::go_jsonnet_source().unwrap().join("testdata");
    let names: BTreeSet<String> = fs::read_dir(&folder)
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".jsonnet")?.to_owned()))
        .collect();
    // No case imports a result.
    let files = files(&folder).into_iter().filter(|(path, _)| !path.contains(".golden"));
    let files = files.map(|(path, bytes)| (format!("testdata/{path}"), bytes)).collect();
    let mut runner = Runner { engine: ours(), files };
    let (mut wrong, mut total, mut right) = (Vec::new(), [0; 3], [0; 3]);
    for name in names {
        let case = Case::read(&folder, &name);
        let kind = match case.golden {
            Golden::One(_) => 0,
            Golden::Many(_) => 1,
            Golden::Error => 2,
        };
        total[kind] += 1;
        if runner.is_right(&case) {
            right[kind] += 1;
        } else {
            wrong.push(case.name);
        }
    }
    eprintln!(
        "{} of {} single files, {} of {} of several files, {} of {} errors",
        right[0], total[0], right[1], total[1], right[2], total[2]
    );
    assert_eq!(total, [488, 4, 226]);
    assert_eq!(wrong, DIFFERENCES.map(|(name, _)| name));
}
