//! Puts parentheses around signed operands of products. Pure.
//!
//! A sign binds tighter than `*`, `/` and `%` (Jsonnet's specification, "Associativity and Operator Precedence"). For the engine it binds as
//! they do, and from the right: `12 / -2 / 3` is `12 / -(2 / 3)` to it, and `~6 * 2` is `~(6 * 2)`. Lines stay; columns behind such an operand
//! on its line count its parentheses.

use std::borrow::Cow;

use crate::token::{Kind, Token, tokens};

/// Words that begin an expression which goes on for as long as it can.
const OPEN: [&[u8]; 8] = [b"assert", b"error", b"function", b"if", b"import", b"importbin", b"importstr", b"local"];

/// `code` with these parentheses.
pub(super) fn rewrite(code: &[u8]) -> Cow<'_, [u8]> {
    // Most files hold no such sign. Two searches that are far cheaper than all tokens say so.
    if !may_hold_one(code) || !holds_one(code) {
        return Cow::Borrowed(code);
    }
    let scan = Scan::new(code);
    let (mut opened, mut closed) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < scan.tokens.len() {
        if scan.is_sign(at) {
            let run = (at..).find(|at| !scan.is_sign(*at)).unwrap_or(at);
            if let Some((first, end)) = scan.misread(at, run) {
                opened.push(scan.tokens[first].range.start);
                closed.push(scan.tokens[end - 1].range.end);
            }
            at = run;
        } else {
            at += 1;
        }
    }
    if opened.is_empty() { Cow::Borrowed(code) } else { Cow::Owned(inserted(code, &opened, closed)) }
}

/// `code` with an opening parenthesis before each place of the first list, and a closing one before each of the second.
fn inserted(code: &[u8], opened: &[usize], mut closed: Vec<usize>) -> Vec<u8> {
    closed.sort_unstable();
    let (mut opened, mut closed) = (opened.iter().peekable(), closed.iter().peekable());
    let mut written = Vec::with_capacity(code.len() + 2 * opened.len());
    for (place, byte) in code.iter().enumerate() {
        while closed.next_if(|next| **next == place).is_some() {
            written.push(b')');
        }
        while opened.next_if(|next| **next == place).is_some() {
            written.push(b'(');
        }
        written.push(*byte);
    }
    written
}

/// Whether a sign may stand behind an operator of products, or there may be a complement. Strings and comments count as code here.
fn may_hold_one(code: &[u8]) -> bool {
    // What stands between the operator and the sign may be a comment up to the end of the line.
    let (mut is_behind, mut is_behind_line) = (false, false);
    for byte in code {
        match byte {
            b'~' => return true,
            b'-' | b'+' | b'!' if is_behind => return true,
            b'\r' | b'\n' => is_behind |= std::mem::take(&mut is_behind_line),
            b'*' | b'%' => is_behind = true,
            b'/' | b'#' if is_behind => is_behind_line = true,
            b'/' => is_behind = true,
            byte if byte.is_ascii_whitespace() => {}
            _ => is_behind = false,
        }
    }
    false
}

/// Whether a sign stands behind an operator of products, or there is a complement.
fn holds_one(code: &[u8]) -> bool {
    let mut is_behind = false;
    for token in tokens(code) {
        is_behind = match token.kind {
            Kind::Symbol(b'~') => return true,
            Kind::Symbol(b'-' | b'+' | b'!') if is_behind => return true,
            Kind::Comment | Kind::Line => is_behind,
            kind => is_product(kind),
        };
    }
    false
}

fn is_product(kind: Kind) -> bool {
    matches!(kind, Kind::Symbol(b'*' | b'/' | b'%'))
}

struct Scan<'a> {
    code: &'a [u8],
    /// All but comments.
    tokens: Vec<Token>,
    /// For each bracket that opens, the place behind the one that closes it; 0 for all others.
    ends: Vec<usize>,
}

impl<'a> Scan<'a> {
    fn new(code: &'a [u8]) -> Self {
        let tokens: Vec<_> = tokens(code).filter(|token| !matches!(token.kind, Kind::Comment | Kind::Line)).collect();
        let mut ends = vec![0; tokens.len()];
        let mut open = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            match token.kind {
                Kind::Symbol(b'(' | b'[' | b'{') => open.push(at),
                Kind::Symbol(b')' | b']' | b'}') => {
                    if let Some(start) = open.pop() {
                        ends[start] = at + 1;
                    }
                }
                _ => {}
            }
        }
        Self { code, tokens, ends }
    }

    fn symbol(&self, at: usize) -> Option<u8> {
        match self.tokens.get(at)?.kind {
            Kind::Symbol(byte) => Some(byte),
            _ => None,
        }
    }

    fn word(&self, at: usize) -> Option<&[u8]> {
        let token = self.tokens.get(at)?;
        (token.kind == Kind::Word).then(|| &self.code[token.range.clone()])
    }

    fn is_sign(&self, at: usize) -> bool {
        matches!(self.symbol(at), Some(b'-' | b'+' | b'~' | b'!'))
    }

    fn is_product(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| is_product(token.kind))
    }

    /// Whether nothing stands between a token and the next one.
    fn is_joined(&self, at: usize) -> bool {
        let ends = |at: usize| self.tokens.get(at).map(|token| token.range.clone());
        ends(at).zip(ends(at + 1)).is_some_and(|(one, next)| one.end == next.start)
    }

    /// Of signs in a row, and what they are of, the part that the engine takes for a longer one: its first token, and the end.
    fn misread(&self, first: usize, operand: usize) -> Option<(usize, usize)> {
        let is_behind = first > 0 && self.is_product(first - 1);
        // Elsewhere the first may be no sign but an operator, and only a complement of a product differs from a product of it.
        let from = if is_behind { first } else { (first..operand).find(|at| self.symbol(*at) == Some(b'~'))? };
        let end = self.operand(operand)?;
        self.is_product(end).then_some((from, end))
    }

    /// The end of an operand, with everything that is applied to it.
    fn operand(&self, at: usize) -> Option<usize> {
        let mut end = match self.tokens.get(at)?.kind {
            Kind::Word if self.word(at)?[0].is_ascii_digit() => self.number(at),
            Kind::Word if OPEN.contains(&self.word(at)?) => return None,
            Kind::Symbol(b'(' | b'[' | b'{') => self.closed(at)?,
            Kind::Word | Kind::Quoted | Kind::Verbatim | Kind::Block | Kind::Symbol(b'$') => at + 1,
            Kind::Comment | Kind::Line | Kind::Symbol(_) => return None,
        };
        loop {
            end = match self.symbol(end) {
                Some(b'.') if self.word(end + 1).is_some() => end + 2,
                Some(b'(' | b'[' | b'{') => self.closed(end)?,
                _ if self.word(end) == Some(b"tailstrict") => end + 1,
                _ => return Some(end),
            };
        }
    }

    /// The end of a number, whose parts are tokens: `1.5e-3`.
    fn number(&self, at: usize) -> usize {
        let is_digits = |at: usize| self.word(at).is_some_and(|word| word[0].is_ascii_digit());
        let mut last = at;
        if self.is_joined(last)
            && self.symbol(last + 1) == Some(b'.')
            && self.is_joined(last + 1)
            && is_digits(last + 2)
        {
            last += 2;
        }
        let is_open = self.word(last).is_some_and(|word| matches!(word.last(), Some(b'e' | b'E')));
        let is_signed = matches!(self.symbol(last + 1), Some(b'-' | b'+'));
        if is_open && is_signed && self.is_joined(last) && self.is_joined(last + 1) && is_digits(last + 2) {
            last += 2;
        }
        last + 1
    }

    /// The end of what is in brackets.
    fn closed(&self, at: usize) -> Option<usize> {
        self.ends.get(at).copied().filter(|end| *end > 0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::evaluate::tests::json;

    fn check(code: &str, expected: &str) {
        assert_eq!(String::from_utf8_lossy(&rewrite(code.as_bytes())), expected, "{code}");
    }

    #[test]
    fn a_signed_operand_of_a_product_is_put_into_parentheses() {
        check("12 / -2 / 3", "12 / (-2) / 3");
        check("12/-2/3", "12/(-2)/3");
        check("a / -b.c[1](x) * c", "a / (-b.c[1](x)) * c");
        check("a % - -1.5e-3 % c", "a % (- -1.5e-3) % c");
        check("a / -b / -c / d", "a / (-b) / (-c) / d");
        check("x: ~6 * 2", "x: (~6) * 2");
        check("~6 * 2", "(~6) * 2");
        check("a / -(b * c) * { x: 1 / -2 / 3 }.x", "a / (-(b * c)) * { x: 1 / (-2) / 3 }.x");
        check("a / -(b / -c / d) / e", "a / (-(b / (-c) / d)) / e");
        check("a / -f(x) tailstrict * 2", "a / (-f(x) tailstrict) * 2");
        check("a / -f { x: 1 } * 2", "a / (-f { x: 1 }) * 2");
        check("a % !b % c", "a % (!b) % c");
    }

    #[test]
    fn signs_in_a_row_are_taken_together() {
        check("1 * - ~2 * 3", "1 * (- ~2) * 3");
        check("~ ~6 * 2", "(~ ~6) * 2");
        check("a - ~b * c", "a - (~b) * c");
        check("{ m: -~x * 2 }", "{ m: -(~x) * 2 }");
        check("a != ~b * c", "a != (~b) * c");
    }

    #[test]
    fn comments_and_ends_of_lines_stay_where_they_are() {
        check("a /\n  -b\n  * c", "a /\n  (-b)\n  * c");
        check("12 / // half\n  -2 / 3", "12 / // half\n  (-2) / 3");
        check("12 / # a\r\n // b\r -2 / 3", "12 / # a\r\n // b\r (-2) / 3");
        check("# mask \n~6 * 2", "# mask \n(~6) * 2");
        check("12 / /* a */ -2 /* b */ / 3", "12 / /* a */ (-2) /* b */ / 3");
        check("['/#', 12 / -2 / 3]", "['/#', 12 / (-2) / 3]");
    }

    #[test]
    fn everything_else_stays() {
        for code in [
            "a - b * c",
            "-a * b",
            "a / -b + c",
            "a / -b",
            "a / 1e-3 * c",
            "a / -if b then c else d * e",
            "'/ -2 / 3'",
            "// a / -b / c\n1",
            "a / -",
            "a / -(b",
            "a / -b) / c]",
            "~",
        ] {
            check(code, code);
        }
    }

    #[test]
    fn products_are_what_they_are_in_go_jsonnet() {
        for (code, value) in [
            ("12 / -2 / 3", "-2"),
            ("12/-2/3", "-2"),
            ("12 / // half\n -2 / 3", "-2"),
            ("local a = 10, b = 4, c = 2; a / -b * c", "-5"),
            ("10 % -3 * 2", "2"),
            ("7 % -2 % 2", "1"),
            ("{ a: 10, b: self.a / -2 * 5 }.b", "-25"),
            ("~6 * 2", "-14"),
            ("local x = 6; -~x * 2", "14"),
            ("1 * - ~2 * 3", "9"),
            ("'%s|%%s' % !true % 'b'", "\"false|b\""),
        ] {
            assert_eq!(json(code).unwrap(), format!("{value}\n"), "{code}");
        }
    }

    #[test]
    fn a_diagnostic_names_the_line() {
        let error = json("{\n  a: 12 / -2 / 3,\n  b: error 'x',\n}").unwrap_err().to_string();
        assert!(error.contains(":3:6"), "{error}");
    }
}
