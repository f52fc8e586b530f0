//! Comments never decide a result, and a file that is read as text keeps every byte.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jaas_tests::jsonnet::{Answer, Octets, Task};

use crate::engines::{ours, shown, theirs};

/// Every comment from `/**/` to eight stars on either side, with and without words, ends where it is written.
fn every_parity() -> String {
    let mut code = String::from("[\n");
    for opening in 0..8 {
        for closing in 0..8 {
            for word in ["", "x", " x ", "/", "\n*\n", "é"] {
                // With stars before it a slash would end the comment.
                if word == "/" && opening > 0 {
                    continue;
                }
                let (opening, closing) = ("*".repeat(opening), "*".repeat(closing));
                let _ = writeln!(code, "  {} /*{opening}{word}{closing}*/ , /* a */", code.len());
            }
        }
    }
    code + "]"
}

fn both(task: &Task) -> String {
    match (ours().evaluate(task).unwrap(), theirs().evaluate(task).unwrap()) {
        (Answer::Output(mine), Answer::Output(other)) => {
            assert_eq!(shown(&mine), shown(&other));
            shown(&mine)
        }
        answers => panic!("{answers:?}"),
    }
}

fn tree(files: &[(&str, &[u8])]) -> Task {
    let files = files.iter().map(|(path, bytes)| ((*path).to_owned(), Octets(bytes.to_vec())));
    Task { entry: "main.jsonnet".to_owned(), files: BTreeMap::from_iter(files), ..Task::default() }
}

#[test]
fn a_comment_ends_where_it_is_written_whatever_its_stars() {
    let result = both(&Task::program(&every_parity()));
    assert_eq!(result.lines().count(), 8 * 8 * 5 + 8 + 2);
}

#[test]
fn what_looks_like_a_comment_in_strings_blocks_and_line_comments_stays() {
    let code = "# /* **/ '\n// /* */ \"\n{\n  a: '/* **/', b: \"/***/ # x\", c: @'\\/* **/', d: |||\n    /* **/\n    # x\n  |||,\n  e: 1 # /*\n  , f: 2 // **/\n  , 'g /***/': 3 /***/ , h /* **/ : 4 /****/\n}";
    assert_eq!(both(&Task::program(code)).lines().count(), 10);
}

#[test]
fn a_file_keeps_every_byte_as_text_beside_being_code() {
    let code = every_parity();
    let both_ways =
        b"{ code: std.length(import './x'), text: importstr 'x', bytes: std.md5(std.decodeUTF8(importbin 'x')) }";
    let text = both(&tree(&[("main.jsonnet", both_ways), ("x", code.as_bytes())]));
    assert!(text.contains("\\n  2 /**/ , /* a */"), "{text}");
    // The other way around in time.
    let text_first =
        b"local t = importstr 'x'; local b = importbin 'x'; [std.length(t), b[3], std.length(import './x')]";
    both(&tree(&[("main.jsonnet", text_first), ("x", code.as_bytes())]));
    let in_two_files = b"[std.length(import 'x'), importstr 'y']";
    both(&tree(&[
        ("main.jsonnet", in_two_files),
        ("x", b"local t = importstr 'y'; [t, import './y']"),
        ("y", code.as_bytes()),
    ]));
}

#[test]
fn a_file_that_one_literal_asks_for_in_both_ways_is_refused_only_where_that_would_differ() {
    let code = b"[import 'x', importstr 'x']";
    both(&tree(&[("main.jsonnet", code), ("x", b"[1 /*** a ***/, 2]")]));
    let Answer::Refused(message) =
        ours().evaluate(&tree(&[("main.jsonnet", code), ("x", b"[1 /* a **/, 2]")])).unwrap()
    else {
        panic!("taken")
    };
    assert!(message.starts_with("cannot tell whether \"x\" is wanted as code or as text"), "{message}");
}
