#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use crate::evaluate::evaluate;
use crate::evaluate::tests::{request, text};
use crate::request::{Failure, Request};

/// A request for the first of its own files; a library file is named `alias:path`.
fn tree(files: &[(&str, &str)]) -> Request {
    let mut tree = request("");
    tree.files = BTreeMap::new();
    tree.entry = files[0].0.to_owned();
    for (name, content) in files {
        let (files, path) = match name.split_once(':') {
            Some((alias, path)) => (tree.libraries.entry(alias.to_owned()).or_default(), path),
            None => (&mut tree.files, *name),
        };
        files.insert(path.to_owned(), content.as_bytes().to_vec());
    }
    tree
}

fn check(files: &[(&str, &str)], expected: &str) {
    assert_eq!(text(&tree(files)).unwrap(), format!("{expected}\n"), "{files:?}");
}

fn refused(files: &[(&str, &str)], expected: &str) {
    assert_eq!(evaluate(&tree(files)), Err(Failure::Evaluation(expected.to_owned())), "{files:?}");
}

#[test]
fn a_sibling_wins_over_a_library_and_over_the_root() {
    check(
        &[
            ("app/main.jsonnet", "import 'lib/x.libsonnet'"),
            ("app/lib/x.libsonnet", "'sibling'"),
            ("lib/x.libsonnet", "'root'"),
            ("lib:x.libsonnet", "'library'"),
        ],
        "\"sibling\"",
    );
}

#[test]
fn a_library_wins_over_the_root_when_the_entry_is_elsewhere() {
    check(
        &[
            ("app/main.jsonnet", "import 'lib/x.libsonnet'"),
            ("lib/x.libsonnet", "'root'"),
            ("lib:x.libsonnet", "'library'"),
        ],
        "\"library\"",
    );
}

#[test]
fn an_alias_alone_is_the_main_file_of_its_library() {
    check(&[("main.jsonnet", "import 'lib'"), ("lib:main.libsonnet", "'main'")], "\"main\"");
    refused(
        &[("main.jsonnet", "import 'lib'"), ("lib:other.libsonnet", "1")],
        "library \"lib\" has no main.libsonnet\n    team/app/main.jsonnet:1:1: import",
    );
}

#[test]
fn the_imports_of_a_library_stay_inside_of_it() {
    check(
        &[
            ("main.jsonnet", "import 'lib/deep/x.libsonnet'"),
            ("y.libsonnet", "'own'"),
            ("lib:deep/x.libsonnet", "[import '../y.libsonnet', import './z.libsonnet']"),
            ("lib:y.libsonnet", "'y'"),
            ("lib:deep/z.libsonnet", "'z'"),
        ],
        "[\n   \"y\",\n   \"z\"\n]",
    );
    refused(
        &[
            ("main.jsonnet", "import 'lib/x.libsonnet'"),
            ("y.libsonnet", "'own'"),
            ("lib:x.libsonnet", "{} + \n  import '../y.libsonnet'"),
        ],
        "import \"../y.libsonnet\" matches no sibling file or library alias\n    lib/x.libsonnet:2:3: import\n    team/app/main.jsonnet:1:1: import",
    );
}

#[test]
fn an_own_file_and_a_library_file_of_one_name_are_two_sources() {
    check(
        &[
            ("main.jsonnet", "[import 'lib/x.libsonnet', import 'app/y.jsonnet']"),
            ("lib/x.libsonnet", "'own'"),
            ("app/y.jsonnet", "import 'lib/x.libsonnet'"),
            ("lib:x.libsonnet", "'library'"),
        ],
        "[\n   \"own\",\n   \"library\"\n]",
    );
}

#[test]
fn a_file_is_one_source_however_it_is_spelled() {
    let mut cyclic = tree(&[
        (
            "main.jsonnet",
            "[import 'a/x.libsonnet', import './a//x.libsonnet', import 'a/../a/x.libsonnet', import 'b.libsonnet', import 'lib/c.libsonnet']",
        ),
        ("b.libsonnet", "import 'a/x.libsonnet'"),
        ("lib:c.libsonnet", "import 'a/x.libsonnet'"),
        ("a/x.libsonnet", "std.thisFile"),
    ]);
    assert_eq!(text(&cyclic).unwrap().matches("\"a/x.libsonnet\"").count(), 5);
    // One source that imports itself by another spelling is noticed as such.
    cyclic.files.insert("a/x.libsonnet".to_owned(), b"import '../a/x.libsonnet'".to_vec());
    let Err(Failure::Evaluation(text)) = evaluate(&cyclic) else { panic!() };
    assert!(text.starts_with("infinite recursion detected, or "), "{text}");
}

#[test]
fn a_path_that_no_file_is_beside_is_searched_in_all_trees() {
    let vendored = [
        ("app/main.jsonnet", "import 'github.com/x/y.libsonnet'"),
        ("b:github.com/x/y.libsonnet", "'b'"),
        ("c:github.com/x/y.libsonnet", "'c'"),
    ];
    check(&vendored, "\"b\"");
    check(&[&vendored[..], &[("github.com/x/y.libsonnet", "'own'")]].concat(), "\"own\"");
    check(
        &[
            ("main.jsonnet", "import 'g/main.libsonnet'"),
            ("g:main.libsonnet", "import 'github.com/g/gen/raw.libsonnet'"),
            ("g:github.com/g/gen/raw.libsonnet", "'raw'"),
        ],
        "\"raw\"",
    );
}

#[test]
fn a_known_alias_is_not_searched_for_elsewhere() {
    refused(
        &[
            ("app/main.jsonnet", "import 'lib/./x.libsonnet'"),
            ("lib/x.libsonnet", "1"),
            ("lib:main.libsonnet", "1"),
            ("vendor:lib/x.libsonnet", "1"),
        ],
        "file \"x.libsonnet\" not found in library \"lib\"\n    team/app/main.jsonnet:1:1: import",
    );
}

#[test]
fn a_library_sees_only_what_the_request_holds() {
    refused(
        &[("main.jsonnet", "import 'a'"), ("a:main.libsonnet", "import 'b'")],
        "import \"b\" matches no sibling file or library alias\n    a/main.libsonnet:1:1: import\n    team/app/main.jsonnet:1:1: import",
    );
    check(&[("main.jsonnet", "import 'a'"), ("a:main.libsonnet", "import 'b'"), ("b:main.libsonnet", "1")], "1");
}

#[test]
fn an_empty_path_is_refused() {
    refused(
        &[("main.jsonnet", "{ a: import '' }")],
        "import path is empty\n    team/app/main.jsonnet:1:6: import\n    while writing $.a",
    );
}

#[test]
fn a_file_of_the_machine_is_out_of_reach() {
    for path in ["/etc/passwd", "../../../../../../etc/passwd", "/proc/self/environ"] {
        let Err(Failure::Evaluation(text)) = evaluate(&tree(&[("main.jsonnet", &format!("importstr '{path}'"))]))
        else {
            panic!("{path}")
        };
        assert!(text.starts_with(&format!("import \"{path}\" matches no")), "{text}");
    }
}

#[test]
fn text_and_bytes_are_imported_like_code() {
    let mut tree = tree(&[
        ("main.jsonnet", "[importstr 'lib/a.txt', importbin 'b', importstr 'b.txt']"),
        ("lib:a.txt", "é\n"),
        ("b.txt", ""),
    ]);
    tree.files.insert("b".to_owned(), vec![0, 255]);
    assert_eq!(text(&tree).unwrap(), "[\n   \"é\\n\",\n   [\n      0,\n      255\n   ],\n   \"\"\n]\n");
}

const MISREAD: &str = "[1 /* **/, 2 /* */]";

#[test]
fn imported_code_loses_no_text_behind_a_comment() {
    check(&[("main.jsonnet", "import 'x'"), ("x", MISREAD)], "[\n   1,\n   2\n]");
    check(&[("main.jsonnet", "import 'lib'"), ("lib:main.libsonnet", MISREAD)], "[\n   1,\n   2\n]");
}

#[test]
fn imported_text_keeps_its_stars() {
    let text = format!("\"{MISREAD}\"");
    check(&[("main.jsonnet", "importstr 'x'"), ("x", MISREAD)], &text);
    check(&[("main.jsonnet", "std.decodeUTF8(importbin 'x')"), ("x", MISREAD)], &text);
}

#[test]
fn a_file_can_be_code_and_text_in_one_evaluation() {
    let both = format!("[\n   \"{MISREAD}\",\n   [\n      1,\n      2\n   ],\n   \"{MISREAD}\",\n   2\n]");
    check(
        &[
            ("main.jsonnet", "[importstr 'x', import './x', importstr 'lib/y', (import 'lib/z')[1]]"),
            ("x", MISREAD),
            ("lib:y", MISREAD),
            ("lib:z", "import 'y'"),
        ],
        &both,
    );
    check(&[("main.jsonnet", "[(import 'a')[0], importstr 'x'][0]"), ("a", "[(import 'x')[1]]"), ("x", MISREAD)], "2");
}

#[test]
fn one_literal_for_code_and_text_is_refused_only_where_they_differ() {
    check(&[("main.jsonnet", "[import 'x', importstr 'x']"), ("x", "1")], "[\n   1,\n   \"1\"\n]");
    refused(
        &[("main.jsonnet", "[import 'x', importstr 'x']"), ("x", MISREAD)],
        "cannot tell whether \"x\" is wanted as code or as text: as code it is rewritten (a block comment that ends with an even \
         number of stars, the escape \\/, or a sign within a product), so import it once per file, by a plain string\n    team/app/main.jsonnet:1:2: import\n    while writing $[0]",
    );
}

#[test]
fn code_that_is_no_file_can_import_text() {
    let mut tree = tree(&[("main.jsonnet", "std.extVar('x')"), ("x", MISREAD)]);
    tree.external_variables.insert("x".to_owned(), crate::Variable::Code("importstr 'x'".to_owned()));
    assert_eq!(text(&tree).unwrap(), format!("\"{MISREAD}\"\n"));
}

#[test]
fn a_source_knows_its_name() {
    check(
        &[
            ("main.jsonnet", "[std.thisFile, import 'a', import 'lib']"),
            ("a", "std.thisFile"),
            ("lib:main.libsonnet", "std.thisFile"),
        ],
        "[\n   \"team/app/main.jsonnet\",\n   \"a\",\n   \"lib/main.libsonnet\"\n]",
    );
}
