//! Text between quotation marks as Go writes it (`%q`), which is how names stand in messages. Pure.

use std::fmt::{self, Write as _};

/// Quotes on display.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(formatter, "\\{character}")?,
                '\u{7}' => formatter.write_str("\\a")?,
                '\u{8}' => formatter.write_str("\\b")?,
                '\u{b}' => formatter.write_str("\\v")?,
                '\u{c}' => formatter.write_str("\\f")?,
                '\n' => formatter.write_str("\\n")?,
                '\r' => formatter.write_str("\\r")?,
                '\t' => formatter.write_str("\\t")?,
                _ => match u32::from(character) {
                    code @ (0..0x20 | 0x7f) => write!(formatter, "\\x{code:02x}")?,
                    // What stands for itself is printable.
                    _ if character.escape_debug().count() == 1 || character == '\'' => {
                        formatter.write_char(character)?
                    }
                    code @ 0..0x1_0000 => write!(formatter, "\\u{code:04x}")?,
                    code => write!(formatter, "\\U{code:08x}")?,
                },
            }
        }
        formatter.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        for (text, expected) in [
            ("a/b.jsonnet", r#""a/b.jsonnet""#),
            ("say \"it's\" \\", r#""say \"it's\" \\""#),
            ("\n\t\0\u{7f}", r#""\n\t\x00\x7f""#),
            ("ä€", "\"ä€\""),
            ("\u{200b}\u{e0001}", r#""\u200b\U000e0001""#),
        ] {
            assert_eq!(Quoted(text).to_string(), expected);
        }
    }
}
