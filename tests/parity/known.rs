//! What differs from go-jsonnet and stays so, because the engine decides it where nothing of
//! ours is asked: in operators, in syntax, and in its YAML parser. `docs/jsonnet.md` tells of each.

use jaas_tests::jsonnet::{Answer, Octets, Task};

use crate::engines::{ours, shown, theirs};

struct Difference {
    program: &'static str,
    /// `None` where the program is refused.
    ours: Option<&'static str>,
    theirs: Option<&'static str>,
}

const fn difference(program: &'static str, ours: Option<&'static str>, theirs: Option<&'static str>) -> Difference {
    Difference { program, ours, theirs }
}

/// The operators turn a number into text by its shortest form; go-jsonnet uses 17 digits for fractions and all digits for whole
/// numbers, and escapes the characters from U+007F to U+009F.
const VALUES_IN_TEXT: [Difference; 4] = [
    difference("'a' + ['\\u0085']", Some("\"a[\\\"\\u0085\\\"]\""), Some("\"a[\\\"\\\\u0085\\\"]\"")),
    difference("'' + 0.1", Some("\"0.1\""), Some("\"0.10000000000000001\"")),
    difference("'%s' % 0.1", Some("\"0.1\""), Some("\"0.10000000000000001\"")),
    difference("'a' + [1e23]", Some("\"a[100000000000000000000000]\""), Some("\"a[99999999999999991611392]\"")),
];

/// Numbers that differ by less than 2.3e-16 are equal for the operators.
const NEAR_NUMBERS: [Difference; 2] = [
    difference("0.1 + 0.2 == 0.3", Some("true"), Some("false")),
    difference("[0.1 + 0.2] != [0.3]", Some("false"), Some("true")),
];

/// `%` with whole numbers beyond 64 bits, with widths of strings, which are bytes, and with exponents and long fractions.
const FORMATTED: [Difference; 8] = [
    difference("'%g' % 1000000", Some("\"1e+06\""), Some("\"1000000\"")),
    difference("'%e' % 1000", Some("\"1.000000e+03\""), Some("\"10.000000e+02\"")),
    difference("'%x' % -2.25", Some("\"-2\""), Some("\"-3\"")),
    difference("'%#x' % 0", Some("\"0\""), Some("\"0x0\"")),
    difference("'%.17f' % 0.1", Some("\"0.10000000000000002\""), Some("\"0.10000000000000000\"")),
    difference("'%.19f' % 0.99", Some("\"0.9223372036854775807\""), Some("\"0.9900000000000000000\"")),
    difference("'%d' % 1e20", Some("\"9223372036854775807\""), Some("\"100000000000000000000\"")),
    difference("'%3s|' % 'é'", Some("\" é|\""), Some("\"  é|\"")),
];

/// An array that was cut out by `[a:b]` shows what it was cut from where it is indexed beyond its end.
const CUT: [Difference; 2] =
    [difference("[1, 2, 3, 4][1:2][1]", Some("3"), None), difference("[1, 2, 3, 4][:2][3]", Some("4"), None)];

/// What go-jsonnet refuses, mostly extensions of the language.
const TAKEN: [Difference; 8] = [
    // The only element is not compared with anything.
    difference("std.sort([true], keyF=std.length)", Some("[\n   true\n]"), None),
    difference("'ab' * 2", Some("\"abab\""), None),
    difference("2 * 'ab'", Some("\"abab\""), None),
    difference("{ x: k for k in [1] }", Some("{\n   \"x\": 1\n}"), None),
    difference("local f(x, y=error 'no') = x; f(1) tailstrict", Some("1"), None),
    difference(r#"std.length("\x41")"#, Some("1"), None),
    difference("std.startsWith([1], [1])", Some("true"), None),
    difference("std.endsWith([1], [1])", Some("true"), None),
];

/// What is refused though go-jsonnet takes it: an element that fails and is not used; a function that returns its parameter, called by
/// name; calls that go-jsonnet does in one frame; numbers that do not fit.
const REFUSED: [Difference; 9] = [
    // An array, and half of a text behind it.
    difference("std.setDiff('abd', 'bc')", None, Some("\"[\\\"a\\\"]d\"")),
    difference("[1 for unused in [error 'no']]", None, Some("[\n   1\n]")),
    difference("local f(v) = v; f(v=1)", None, Some("1")),
    difference(
        "local sum(x, v) = if x <= 0 then v else sum(x - 1, x + v) tailstrict; sum(1000, 0)",
        None,
        Some("500500"),
    ),
    difference("1 << 63", None, Some("-9223372036854775808")),
    difference("~1e20", None, Some("9223372036854775808")),
    difference("[1, 2][0.5]", None, Some("1")),
    difference("local f(x, x) = x; f(1, 2)", None, Some("2")),
    difference(r#"std.parseJson('"\\ud800"')"#, None, Some("\"\u{fffd}\"")),
];

/// A field that was removed is gone; in go-jsonnet a sum still finds it, also by `super` from a sum on the right.
const REMOVED: [Difference; 2] = [
    difference("(std.objectRemoveKey({ a: 1, b: self.a }, 'a') + {}).b", None, Some("1")),
    difference("(std.objectRemoveKey({ a: 1 }, 'a') + ({} + { b: super.a })).b", None, Some("1")),
];

/// Exactly between two shortest forms, the other one.
const BETWEEN: [Difference; 1] = [difference(
    "std.manifestJsonEx(1911446065175508.25, '')",
    Some("\"1911446065175508.3\""),
    Some("\"1911446065175508.2\""),
)];

/// Corners of YAML 1.1.
const YAML: [Difference; 4] = [
    difference("std.parseYaml('017')", Some("17"), Some("15")),
    difference("std.parseYaml('a: 1\na: 2').a", None, Some("2")),
    difference("std.objectFields(std.parseYaml('y: 1'))", Some("[\n   \"y\"\n]"), Some("[\n   \"true\"\n]")),
    difference("std.parseYaml('a\n...\nb')", Some("[\n   \"a\",\n   \"b\"\n]"), Some("\"a\"")),
];

#[test]
fn each_known_difference_is_still_there_and_is_what_is_told_of_it() {
    let (mut ours, mut theirs) = (ours(), theirs());
    let known = VALUES_IN_TEXT
        .iter()
        .chain(&NEAR_NUMBERS)
        .chain(&FORMATTED)
        .chain(&CUT)
        .chain(&TAKEN)
        .chain(&REFUSED)
        .chain(&REMOVED)
        .chain(&BETWEEN)
        .chain(&YAML);
    for Difference { program, ours: mine, theirs: other } in known {
        for (engine, expected, whose) in [(&mut ours, mine, "ours"), (&mut theirs, other, "go-jsonnet's")] {
            let found = match engine.evaluate(&Task::program(program)).unwrap() {
                Answer::Output(output) => Some(shown(&output).trim_end().to_owned()),
                Answer::Refused(_) => None,
                other => panic!("{program}: {other:?}"),
            };
            assert_eq!(found.as_deref(), *expected, "{whose} of {program}");
        }
    }
}

#[test]
fn a_file_that_is_no_text_is_refused_where_go_jsonnet_makes_it_one() {
    let mut task = Task::program("importstr 'x'");
    task.files.insert("x".to_owned(), Octets(vec![b'a', 0xff]));
    assert!(matches!(ours().evaluate(&task).unwrap(), Answer::Refused(_)));
    assert_eq!(theirs().evaluate(&task).unwrap(), Answer::Output("\"a\u{fffd}\"\n".into()));
}

#[test]
fn a_deeper_value_is_written_than_go_jsonnet_writes() {
    let task = Task::program("std.foldl(function(inside, n) [inside], std.range(1, 600), 0)");
    assert!(matches!(ours().evaluate(&task).unwrap(), Answer::Output(_)));
    assert!(matches!(theirs().evaluate(&task).unwrap(), Answer::Refused(_)));
}
