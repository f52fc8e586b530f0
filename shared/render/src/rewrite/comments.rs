//! Rewrites the block comments that the engine's lexer reads wrongly. Pure.
//!
//! The lexer takes two stars in a row for one unit, so a comment that ends with an even number of stars before its
//! slash does not end there for it: everything up to the end of the next comment is dropped without an error. One star
//! less, replaced by a space, and the comment ends where it is written; nothing moves, so positions in diagnostics hold.

use std::borrow::Cow;

use crate::token::{Kind, tokens};

/// `code` as the engine must see it: as long as `code`, and different from it inside of block comments only.
pub(super) fn rewrite(code: &[u8]) -> Cow<'_, [u8]> {
    let mut rewritten = Cow::Borrowed(code);
    for star in surplus_stars(code) {
        rewritten.to_mut()[star] = b' ';
    }
    rewritten
}

/// The position of one star of each comment that has to lose one.
fn surplus_stars(code: &[u8]) -> impl Iterator<Item = usize> {
    // Most files hold no such comment, and this search is far cheaper than a scan.
    let candidate = code.windows(3).any(|window| window == b"**/");
    let scanned = if candidate { code } else { &[] };
    tokens(scanned).filter(|token| token.kind == Kind::Comment).filter_map(|token| {
        let body = &code[token.range.start + 2..token.range.end - 1];
        let stars = body.iter().rev().take_while(|byte| **byte == b'*').count();
        (stars % 2 == 0).then(|| token.range.end - 1 - stars)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn check(code: &str, expected: &str) {
        assert_eq!(rewrite(code.as_bytes()), expected.as_bytes(), "{code}");
        assert_eq!(surplus_stars(code.as_bytes()).next().is_some(), code != expected, "{code}");
    }

    #[test]
    fn a_comment_loses_one_star_when_their_number_is_even() {
        check("/**/", "/**/");
        check("/***/", "/* */");
        check("/****/", "/****/");
        check("/*****/", "/* ***/");
        check("/* a */", "/* a */");
        check("/* a **/", "/* a  */");
        check("/* a ***/", "/* a ***/");
        check("/* a ****/", "/* a  ***/");
        check("/** a **/", "/** a  */");
        check("/*** a ** b **/", "/*** a ** b  */");
        check("/*/ **/", "/*/  */");
    }

    #[test]
    fn stars_outside_of_block_comments_stay() {
        for code in [
            "'/* **/'",
            "\"/* **/\"",
            "'\\'/* **/'",
            "@'\\'+@'/* **/'",
            "@\"a\"\"/* **/\"",
            "|||\n  /* **/\n|||",
            "# /* **/\n1",
            "// /* **/\n1",
            "'unterminated /* **/",
        ] {
            check(code, code);
        }
    }

    #[test]
    fn a_comment_behind_each_kind_of_string_is_found() {
        for string in ["'a'", "\"\\\"\"", "@'\\'", "@\"\"\"\"", "|||\n a\n|||", "# '\n", "// \"\r\n"] {
            check(&format!("{string}/***/"), &format!("{string}/* */"));
        }
    }

    /// Pieces that together make every state of the scanner likely.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "/*",
            "*/",
            "*",
            "**",
            "/",
            "'",
            "\"",
            "@'",
            "@\"",
            "\\",
            "|||",
            "|||\n",
            "\n",
            "\n  ",
            "#",
            "//",
            " ",
            "a",
            "é",
            "\r\n",
            "import 'x'",
        ]);
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn only_stars_in_comments_change_and_nothing_moves(code in pieces()) {
            let code = code.as_bytes();
            let rewritten = rewrite(code);
            prop_assert_eq!(rewritten.len(), code.len());
            let inside: Vec<_> = tokens(code).filter(|token| token.kind == Kind::Comment).collect();
            for (at, (before, after)) in code.iter().zip(rewritten.iter()).enumerate() {
                if before != after {
                    prop_assert_eq!((*before, *after), (b'*', b' '));
                    prop_assert!(inside.iter().any(|token| token.range.contains(&at)));
                }
            }
        }

        #[test]
        fn a_rewritten_file_has_the_same_tokens_and_needs_no_rewrite(code in pieces()) {
            let rewritten = rewrite(code.as_bytes()).into_owned();
            prop_assert!(tokens(&rewritten).eq(tokens(code.as_bytes())));
            prop_assert!(surplus_stars(&rewritten).next().is_none());
        }

        /// The engine's lexer agrees with the scanner on where each rewritten comment ends.
        #[test]
        fn the_engine_keeps_what_stands_between_comments(stars in prop::collection::vec(1usize..7, 1..6)) {
            let comments: String = stars.iter().enumerate().map(|(at, stars)| format!("/*{} **/{at},/{}/", "x", "*".repeat(*stars + 1))).collect();
            let code = format!("[{comments}]");
            let value = crate::evaluate::tests::json(&code).unwrap();
            let expected: Vec<_> = (0..stars.len()).map(|at| format!("   {at}")).collect();
            prop_assert_eq!(value, format!("[\n{}\n]\n", expected.join(",\n")));
        }
    }
}
