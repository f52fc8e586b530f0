//! Splits code into the tokens that decide where comments are, by the rules of the engine's lexer. Pure.
//!
//! Scanning ends at the first token the engine refuses, since it refuses the whole file then.

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `/* … */`
    Comment,
    /// `// …` or `# …`, without the end of the line
    Line,
    /// `"…"` or `'…'` with escapes
    Quoted,
    /// `@"…"` or `@'…'`, where the doubled quote stands for one
    Verbatim,
    /// `|||` up to the closing `|||`
    Block,
    /// A keyword, an identifier or a part of a number
    Word,
    /// Any other byte but white space
    Symbol(u8),
}

/// One token and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) range: Range<usize>,
}

/// The tokens of `code`, in order.
pub(crate) fn tokens(code: &[u8]) -> Tokens<'_> {
    Tokens { code, at: 0 }
}

pub(crate) struct Tokens<'a> {
    code: &'a [u8],
    at: usize,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.at += run(&self.code[self.at..], |byte| byte.is_ascii_whitespace());
        let rest = &self.code[self.at..];
        let (kind, length) = match scan(rest) {
            Some(found) => found,
            None => {
                self.at = self.code.len();
                return None;
            }
        };
        let start = self.at;
        self.at += length;
        Some(Token { kind, range: start..self.at })
    }
}

/// The first token of `rest` and its length; `None` at the end and for what the engine refuses.
fn scan(rest: &[u8]) -> Option<(Kind, usize)> {
    let first = *rest.first()?;
    let found = match rest {
        [b'/', b'*', body @ ..] => (Kind::Comment, find(body, b"*/")? + 4),
        [b'/', b'/', ..] | [b'#', ..] => (Kind::Line, run(rest, |byte| !matches!(byte, b'\r' | b'\n'))),
        [b'"' | b'\'', body @ ..] => (Kind::Quoted, quoted(body, first)? + 1),
        [b'@', quote @ (b'"' | b'\''), body @ ..] => (Kind::Verbatim, verbatim(body, *quote)? + 2),
        [b'|', b'|', b'|', body @ ..] => (Kind::Block, block(body)? + 3),
        _ if is_word(first) => (Kind::Word, run(rest, is_word)),
        _ => (Kind::Symbol(first), 1),
    };
    Some(found)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn run(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !belongs(*byte)).unwrap_or(bytes.len())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The length up to and with the closing quote.
fn quoted(body: &[u8], quote: u8) -> Option<usize> {
    let mut at = 0;
    loop {
        match *body.get(at)? {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// The length up to and with the closing quote.
fn verbatim(body: &[u8], quote: u8) -> Option<usize> {
    let mut at = 0;
    loop {
        at += body.get(at..)?.iter().position(|byte| *byte == quote)? + 1;
        if body.get(at) != Some(&quote) {
            return Some(at);
        }
        at += 1;
    }
}

/// The length up to and with the closing bars: those on the first line that does not start with the indentation of the
/// first line that is not empty.
fn block(body: &[u8]) -> Option<usize> {
    let mut at = usize::from(body.first() == Some(&b'-'));
    at += run(&body[at..], |byte| matches!(byte, b' ' | b'\t' | b'\r'));
    if body.get(at) != Some(&b'\n') {
        return None;
    }
    at += run(&body[at..], |byte| byte == b'\n');
    let indent = &body[at..at + run(&body[at..], is_blank)];
    if indent.is_empty() {
        return None;
    }
    while body[at..].starts_with(indent) {
        at += find(&body[at..], b"\n")?;
        at += run(&body[at..], |byte| byte == b'\n');
    }
    at += run(&body[at..], is_blank);
    body[at..].starts_with(b"|||").then_some(at + 3)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: &[(Kind, &str)]) {
        let found: Vec<_> = tokens(code.as_bytes()).map(|token| (token.kind, &code[token.range])).collect();
        assert_eq!(found, expected, "{code}");
    }

    #[test]
    fn a_comment_ends_at_the_first_star_and_slash_behind_its_opening() {
        check("/*/ a */b", &[(Kind::Comment, "/*/ a */"), (Kind::Word, "b")]);
        check("/**/*/", &[(Kind::Comment, "/**/"), (Kind::Symbol(b'*'), "*"), (Kind::Symbol(b'/'), "/")]);
    }

    #[test]
    fn a_string_hides_what_looks_like_a_comment() {
        check(r#"'/* \' ' "//" "#, &[(Kind::Quoted, r"'/* \' '"), (Kind::Quoted, r#""//""#)]);
    }

    #[test]
    fn a_backslash_ends_a_verbatim_string_like_any_letter() {
        check(r#"@'\' @"a""b" x"#, &[(Kind::Verbatim, r"@'\'"), (Kind::Verbatim, r#"@"a""b""#), (Kind::Word, "x")]);
    }

    #[test]
    fn a_text_block_ends_at_bars_with_less_indentation() {
        let block = "|||\n\n  a ||| /* b\n\n   |||\n ||| ";
        check(block, &[(Kind::Block, block.trim_end())]);
        check("|||-\n\ta\n|||+1", &[(Kind::Block, "|||-\n\ta\n|||"), (Kind::Symbol(b'+'), "+"), (Kind::Word, "1")]);
    }

    #[test]
    fn a_line_comment_hides_quotes_up_to_the_end_of_the_line() {
        check("# it's\n// \"\r\nx", &[(Kind::Line, "# it's"), (Kind::Line, "// \""), (Kind::Word, "x")]);
    }

    #[test]
    fn scanning_ends_where_the_engine_refuses_the_file() {
        check("a 'b", &[(Kind::Word, "a")]);
        check("a /* b", &[(Kind::Word, "a")]);
        check("a ||| b", &[(Kind::Word, "a")]);
        check("a |||\n b\n c", &[(Kind::Word, "a")]);
        check(r"a @'b''", &[(Kind::Word, "a")]);
        check(r"a '\", &[(Kind::Word, "a")]);
    }
}
