//! Lists the imports that are written in a piece of code. Pure.

use std::ops::Range;

use jrsonnet_ir::unescape::unescape;

use crate::location::Reading;
use crate::rewrite;
use crate::token::{Kind, Token, tokens};

/// One import expression.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Import {
    /// The path that the literal stands for.
    pub(super) path: String,
    pub(super) reading: Reading,
    /// The bytes from the keyword up to the end of the literal.
    pub(super) range: Range<usize>,
}

/// The imports in `code`, in order. Those whose path is a text block are left out.
pub(super) fn imports(code: &[u8]) -> impl Iterator<Item = Import> {
    let mut significant = tokens(code).filter(|token| !matches!(token.kind, Kind::Comment | Kind::Line));
    std::iter::from_fn(move || {
        loop {
            let keyword = significant.next()?;
            let Some(reading) = reading(code, &keyword) else {
                continue;
            };
            let literal = significant.find(|token| token.kind != Kind::Symbol(b'('))?;
            if let Some(path) = decode(code, &literal) {
                let range = keyword.range.start..literal.range.end;
                return Some(Import { path, reading, range });
            }
        }
    })
}

fn reading(code: &[u8], token: &Token) -> Option<Reading> {
    match &code[token.range.clone()] {
        b"import" => Some(Reading::Code),
        b"importstr" | b"importbin" => Some(Reading::Text),
        _ => None,
    }
}

fn decode(code: &[u8], token: &Token) -> Option<String> {
    let text = str::from_utf8(&code[token.range.clone()]).ok()?;
    match token.kind {
        Kind::Quoted => {
            let path = rewrite::without_escapes(&text.as_bytes()[1..text.len() - 1]);
            unescape(str::from_utf8(&path).ok()?)
        }
        Kind::Verbatim => {
            let quote = &text[1..2];
            Some(text[2..text.len() - 1].replace(&quote.repeat(2), quote))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_found_however_its_path_is_written() {
        let code = r#"import 'a' + importstr /* ' */ "b\u002fc\/d" + (importbin(@'d''e')) + 'import "f"' + imports"#;
        let found: Vec<_> =
            imports(code.as_bytes()).map(|import| (import.path, import.reading, &code[import.range])).collect();
        assert_eq!(
            found,
            [
                ("a".to_owned(), Reading::Code, "import 'a'"),
                ("b/c/d".to_owned(), Reading::Text, r#"importstr /* ' */ "b\u002fc\/d""#),
                ("d'e".to_owned(), Reading::Text, "importbin(@'d''e'"),
            ]
        );
    }
}
