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
