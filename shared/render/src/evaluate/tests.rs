#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

/// The request for a program in `main.jsonnet` that imports nothing.
pub(crate) fn request(code: &str) -> Request {
    Request {
        label: "team/app/main.jsonnet".to_owned(),
        entry: "main.jsonnet".to_owned(),
        files: BTreeMap::from([("main.jsonnet".to_owned(), code.into())]),
        libraries: BTreeMap::new(),
        external_variables: BTreeMap::new(),
        top_level_arguments: BTreeMap::new(),
        output: Output::Json,
        max_stack: 0,
    }
}

/// The text of the value of a request.
pub(crate) fn text(request: &Request) -> Result<String, Failure> {
    evaluate(request).map(|rendered| String::from_utf8(rendered.bytes).unwrap())
}

/// The JSON text of a program that imports nothing.
pub(crate) fn json(code: &str) -> Result<String, Failure> {
    text(&request(code))
}

fn diagnostic(request: &Request) -> String {
    match evaluate(request) {
        Err(Failure::Evaluation(diagnostic)) => diagnostic,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_value_of_the_entry_file_is_written() {
    assert_eq!(
        evaluate(&request("{ ok: true }")),
        Ok(Rendered { bytes: b"{\n   \"ok\": true\n}\n".to_vec(), objects: None })
    );
}

#[test]
fn a_missing_entry_file_is_named() {
    let mut request = request("1");
    request.entry = "app.jsonnet".to_owned();
    assert_eq!(diagnostic(&request), "entry file \"app.jsonnet\" does not exist");
}

#[test]
fn external_variables_are_text_or_code() {
    let mut request = request("[std.extVar('text'), std.extVar('code')]");
    request.external_variables = BTreeMap::from([
        ("text".to_owned(), Variable::Text("1 + 1".to_owned())),
        ("code".to_owned(), Variable::Code("1 /* **/ + 1 /* */".to_owned())),
        ("unused".to_owned(), Variable::Code("not jsonnet".to_owned())),
    ]);
    assert_eq!(text(&request).unwrap(), "[\n   \"1 + 1\",\n   2\n]\n");
}

#[test]
fn top_level_arguments_fill_the_parameters_of_a_function() {
    let mut request = request("function(a, b, c='c') [a, b, c]");
    request.top_level_arguments = BTreeMap::from([
        ("a".to_owned(), Variable::Text("1 + 1".to_owned())),
        ("b".to_owned(), Variable::Code("1 /* **/ + 1 /* */".to_owned())),
    ]);
    assert_eq!(text(&request).unwrap(), "[\n   \"1 + 1\",\n   2,\n   \"c\"\n]\n");
}

#[test]
fn a_function_that_returns_its_argument_keeps_its_parameter() {
    let mut request = request("function(config) config");
    request.top_level_arguments = BTreeMap::from([("config".to_owned(), Variable::Code("{}".to_owned()))]);
    assert_eq!(text(&request).unwrap(), "{ }\n");
}

#[test]
fn top_level_arguments_for_a_value_that_is_no_function_are_not_used() {
    let mut request = request("1");
    request.top_level_arguments = BTreeMap::from([("a".to_owned(), Variable::Code("(".to_owned()))]);
    assert_eq!(text(&request).unwrap(), "1\n");
}

#[test]
fn wrong_top_level_arguments_are_refused_by_name() {
    let mut request = request("function(a) [a]");
    assert_eq!(
        diagnostic(&request),
        "function argument is not passed: a\nFunction has the following signature: (a)\n    in team/app/main.jsonnet"
    );
    request.top_level_arguments =
        ["z", "y", "x", "w", "a"].map(|name| (name.to_owned(), Variable::Text(String::new()))).into();
    assert_eq!(diagnostic(&request), "parameter w is not defined\n    in team/app/main.jsonnet");
}

#[test]
fn code_that_is_no_file_imports_as_the_entry_file_does() {
    let mut request = request("");
    request.entry = "app/main.jsonnet".to_owned();
    request.files = BTreeMap::from([
        ("app/main.jsonnet".to_owned(), b"std.extVar('code')".to_vec()),
        ("app/x.json".to_owned(), b"1".to_vec()),
    ]);
    request.external_variables = BTreeMap::from([("code".to_owned(), Variable::Code("import 'x.json'".to_owned()))]);
    assert_eq!(text(&request).unwrap(), "1\n");
}

#[test]
fn a_diagnostic_holds_the_message_and_the_places() {
    let mut request = request("local x = import 'lib/x.libsonnet';\n{ \"é\": x.fail('now') }");
    request.libraries = BTreeMap::from([(
        "lib".to_owned(),
        BTreeMap::from([("x.libsonnet".to_owned(), b"{ fail(x): error 'gone ' + x }".to_vec())]),
    )]);
    assert_eq!(
        diagnostic(&request),
        "runtime error: gone now\n\
        \x20   lib/x.libsonnet:1:12: error statement\n\
        \x20   team/app/main.jsonnet:2:14: function <fail> call\n\
        \x20   while writing $[\"é\"]"
    );
}

#[test]
fn an_element_that_a_comprehension_fails_on_is_not_blamed_on_a_recursion_alone() {
    assert_eq!(
        diagnostic(&request("{\n  a: [x for x in [1, error 'no']],\n}")),
        "infinite recursion detected, or an element of an array that a comprehension goes over fails\n\
        \x20   while writing $.a\n\
        \x20   in team/app/main.jsonnet"
    );
}

#[test]
fn a_syntax_error_names_its_place() {
    assert_eq!(diagnostic(&request("{\n  a: }")), "syntax error: unexpected '}'\n    team/app/main.jsonnet:2:6: here");
}

#[test]
fn an_unknown_name_names_its_place() {
    assert_eq!(
        diagnostic(&request("{\n  a: b,\n  c: d }")),
        "static analysis failed\n    team/app/main.jsonnet:2:6: undefined local: b\n    team/app/main.jsonnet:3:6: undefined local: d"
    );
}

#[test]
fn code_that_is_not_text_names_its_file() {
    let mut request = request("import 'a.libsonnet'");
    request.files.insert("a.libsonnet".to_owned(), b"'\xff'".to_vec());
    assert_eq!(
        diagnostic(&request),
        "imported file is not valid utf-8: a.libsonnet\n    team/app/main.jsonnet:1:1: import"
    );
}

#[test]
fn a_long_chain_of_frames_shows_both_ends() {
    let chain: String = (1..100).map(|n| format!("f{n}():: self.f{}(),\n", n - 1)).collect();
    let text = diagnostic(&request(&format!("{{ f0():: error 'deep',\n{chain} a: self.f99() }}")));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 22, "{text}");
    assert_eq!(lines[0], "runtime error: deep");
    assert_eq!(lines[11], "    … 82 more …");
    assert_eq!(lines[21], "    while writing $.a");
}

#[test]
fn a_long_message_is_cut() {
    let text = diagnostic(&request("error std.repeat('é', 100000)"));
    assert!(text.len() < 17 * 1024 && text.contains('…'), "{}", text.len());
}

#[test]
fn the_stack_is_as_deep_as_asked_for() {
    let mut request = request("local f(x) = if x == 0 then 0 else 1 + f(x - 1); f(450)");
    assert_eq!(text(&request).unwrap(), "450\n");
    request.max_stack = 100;
    assert!(diagnostic(&request).starts_with("stack overflow"));
    request.max_stack = 1000;
    assert_eq!(text(&request).unwrap(), "450\n");
}

#[test]
fn a_value_without_end_is_refused() {
    // The engine frees nested values by recursion, which the stack of a test thread is too small for.
    let roomy = std::thread::Builder::new().stack_size(64 << 20);
    let diagnostic =
        roomy.spawn(|| diagnostic(&request("local f(n) = { a: f(n + 1) }; f(0)"))).unwrap().join().unwrap();
    assert!(diagnostic.starts_with("runtime error: the value is nested deeper than 2000 levels\n"), "{diagnostic}");
    assert!(diagnostic.len() < 17 * 1024);
}

#[test]
fn evaluations_in_one_thread_do_not_see_each_other() {
    let mut first = request("std.extVar('x')");
    first.external_variables = BTreeMap::from([("x".to_owned(), Variable::Text("1".to_owned()))]);
    assert_eq!(text(&first).unwrap(), "\"1\"\n");
    assert_eq!(diagnostic(&request("std.extVar('x')")).lines().next().unwrap(), "external variable is not defined: x");
}

#[test]
fn the_engine_name_holds_the_version_that_is_pinned() {
    let workspace = include_str!("../../../../Cargo.toml");
    let version = ENGINE.split([' ', ',']).nth(1).unwrap();
    assert!(workspace.contains(&format!("jrsonnet-evaluator = {{ version = \"={version}\"")));
}
