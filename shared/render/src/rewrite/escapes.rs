//! Rewrites the escape `\/`, which JSON has (RFC 8259, section 7) and the engine refuses. Pure.
//!
//! The backslash goes, and a space follows the string for each, so that only the string itself becomes shorter.

use std::borrow::Cow;

use crate::token::{Kind, tokens};

/// `code` without such escapes.
pub(super) fn rewrite(code: &[u8]) -> Cow<'_, [u8]> {
    let mut rewritten = Cow::Borrowed(code);
    // Hardly any file holds one, and this search is far cheaper than a scan.
    if !code.windows(2).any(|window| window == br"\/") {
        return rewritten;
    }
    for token in tokens(code).filter(|token| token.kind == Kind::Quoted) {
        let string = &code[token.range.clone()];
        let mut shorter = without(string);
        if shorter.len() < string.len() {
            shorter.resize(string.len(), b' ');
            rewritten.to_mut()[token.range].copy_from_slice(&shorter);
        }
    }
    rewritten
}

/// A quoted string, or what is in it, without such escapes; shorter by one byte for each.
pub(crate) fn without(string: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(string.len());
    let mut bytes = string.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                Some(b'/') => kept.push(b'/'),
                escaped => kept.extend([byte].into_iter().chain(escaped)),
            },
            byte => kept.push(byte),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: &str) {
        assert_eq!(String::from_utf8_lossy(&rewrite(code.as_bytes())), expected, "{code}");
        assert_eq!(code.len(), expected.len());
    }

    #[test]
    fn an_escaped_slash_is_a_slash() {
        check(r#"{"u": "http:\/\/x", "v": 1}"#, r#"{"u": "http://x"  , "v": 1}"#);
        check(r#"{"a\/b": '\\\/'}"#, r#"{"a/b" : '\\/' }"#);
    }

    #[test]
    fn everything_else_stays() {
        for code in [r#""\\/""#, r#"@"\/""#, "|||\n  \\/\n|||", "// \\/\n1", "/* \\/ */ 1", r#""\/"#] {
            check(code, code);
        }
    }

    #[test]
    fn the_engine_takes_what_is_rewritten() {
        let value = crate::evaluate::tests::json(r#"{"u": "http:\/\/x"}.u + '\\\/'"#);
        assert_eq!(value.ok().as_deref(), Some("\"http://x\\\\/\"\n"));
    }
}
