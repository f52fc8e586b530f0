#![allow(clippy::unwrap_used)]

use crate::evaluate::tests::json;

fn check(code: &str, expected: &str) {
    assert_eq!(json(code).unwrap(), format!("{expected}\n"), "{code}");
}

#[test]
fn a_number_becomes_the_text_that_it_has_in_the_output() {
    check("std.toString(0.1)", "\"0.10000000000000001\"");
    check("std.toString([0.1, 'a', {}, []])", r#""[0.10000000000000001, \"a\", { }, [ ]]""#);
}

#[test]
fn equality_of_numbers_is_exact() {
    check("std.equals(0.1 + 0.2, 0.3)", "false");
    check("std.member([0.3], 0.1 + 0.2)", "false");
}

#[test]
fn a_number_of_a_json_text_is_the_nearest_one() {
    check("std.parseJson('[97041.93475186835]')[0] - 97041.93475186835", "0");
}

#[test]
fn what_is_repeated_or_cut_out_ends_where_it_ends() {
    check("std.length(std.repeat([1, 2], 2))", "4");
    check("std.repeat('ab', 2) + std.repeat(' ', 3 - std.length('abcdef'))", "\"abab\"");
    check("std.length(std.makeArray(-1, function(i) i)) + std.makeArray(2, function(i) i + 1)[1]", "2");
    check("std.length(std.repeat([], 2)) + std.length(std.repeat([1], -1))", "0");
    check("std.slice([1, 2, 3, 4], 1, 4, 2)[1]", "4");
    for beyond in ["std.repeat([1, 2], 2)[4]", "std.repeat([], 2)[0]", "std.slice([1, 2, 3, 4], 0, 2, 1)[3]"] {
        assert!(json(beyond).is_err(), "{beyond}");
    }
}

#[test]
fn a_member_is_looked_for_as_in_a_set_from_its_beginning() {
    check("[std.setMember(x, [1, 2, 4]) for x in [0, 1, 3, 4]]", "[\n   false,\n   true,\n   false,\n   true\n]");
    check("[std.setMember(3, [3, 1]), std.setMember('b', ['c', 'b', 'a'])]", "[\n   true,\n   false\n]");
    check("std.setMember('b', 'abc')", "true");
    check("std.setMember({ k: 2 }, [{ k: 1 }, { k: 2 }], keyF=function(x) x.k)", "true");
}

#[test]
fn a_key_is_had_without_its_value() {
    check("std.objectKeysValues({ b: error 'no', a:: 1 })[0].key", "\"b\"");
    check(
        "[pair.key + pair.value for pair in std.objectKeysValuesAll({ b: 2, a:: 1 })]",
        "[\n   \"a1\",\n   \"b2\"\n]",
    );
}

#[test]
fn a_function_of_elements_decides_which_are_evaluated() {
    check("std.map(function(x) 1, [error 'no'])[0] + std.mapWithIndex(function(i, x) i, [1, error 'no'])[1]", "2");
    check("std.join('', std.map(function(x) x + x, 'ab'))", "\"aabb\"");
    check("std.reverse([error 'no', 2])[0]", "2");
    assert!(json("std.reverse([1])[1]").is_err());
}
