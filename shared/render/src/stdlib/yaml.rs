//! `std.manifestYamlDoc`.

use jrsonnet_evaluator::{Result, Val, ensure_sufficient_stack};

use super::plain;
use crate::manifest::{DEEPEST, too_deep};

const INDENT: &str = "  ";

#[derive(Clone, Copy)]
pub(super) struct Options {
    pub(super) indent_array_in_object: bool,
    pub(super) quote_keys: bool,
}

pub(super) fn document(value: &Val, options: Options) -> Result<String> {
    let mut writer = Writer { written: String::new(), options };
    writer.value(value, "", 0)?;
    Ok(writer.written)
}

struct Writer {
    written: String,
    options: Options,
}

impl Writer {
    fn value(&mut self, value: &Val, indent: &str, depth: usize) -> Result<()> {
        if depth == DEEPEST {
            return Err(too_deep());
        }
        ensure_sufficient_stack(|| self.any(value, indent, depth))
    }

    fn any(&mut self, value: &Val, indent: &str, depth: usize) -> Result<()> {
        match value {
            Val::Null => self.written.push_str("null"),
            Val::Bool(value) => self.written.push_str(if *value { "true" } else { "false" }),
            Val::Num(number) => self.written.push_str(&number.get().to_string()),
            Val::Str(text) => self.string(&text.to_string(), indent),
            // go-jsonnet forgets to refuse it.
            Val::Func(_) => {}
            Val::Arr(elements) if elements.is_empty() => self.written.push_str("[]"),
            Val::Obj(object) if object.is_empty() => self.written.push_str("{}"),
            Val::Arr(elements) => {
                let deeper = format!("{indent}{INDENT}");
                for (index, element) in elements.iter().enumerate() {
                    self.separate(index, indent);
                    self.written.push('-');
                    let element = element?;
                    if matches!(&element, Val::Arr(inner) if !inner.is_empty()) {
                        self.new_line(&deeper);
                    } else {
                        self.written.push(' ');
                    }
                    let nested = matches!(element, Val::Arr(_) | Val::Obj(_));
                    self.value(&element, if nested { &deeper } else { indent }, depth + 1)?;
                }
            }
            Val::Obj(object) => {
                object.run_assertions()?;
                let deeper = format!("{indent}{INDENT}");
                for (index, (name, value)) in object.iter().enumerate() {
                    let value = value?;
                    self.separate(index, indent);
                    if self.options.quote_keys || !is_bare(&name) {
                        self.written.push_str(&plain::quoted(&name));
                    } else {
                        self.written.push_str(&name);
                    }
                    self.written.push(':');
                    let inside = match &value {
                        Val::Arr(inner) if !inner.is_empty() => {
                            Some(if self.options.indent_array_in_object { deeper.as_str() } else { indent })
                        }
                        Val::Obj(inner) if !inner.is_empty() => Some(deeper.as_str()),
                        _ => None,
                    };
                    match inside {
                        Some(inside) => self.new_line(inside),
                        None => self.written.push(' '),
                    }
                    self.value(&value, inside.unwrap_or(indent), depth + 1)?;
                }
            }
        }
        Ok(())
    }

    /// Only a text that ends with a line end is a block of lines.
    fn string(&mut self, text: &str, indent: &str) {
        let Some(lines) = text.strip_suffix('\n') else {
            self.written.push_str(&plain::quoted(text));
            return;
        };
        self.written.push('|');
        for line in lines.split('\n') {
            self.new_line(indent);
            self.written.push_str(INDENT);
            self.written.push_str(line);
        }
    }

    fn separate(&mut self, index: usize, indent: &str) {
        if index > 0 {
            self.new_line(indent);
        }
    }

    fn new_line(&mut self, indent: &str) {
        self.written.push('\n');
        self.written.push_str(indent);
    }
}

/// Whether a key means itself without quotes.
fn is_bare(key: &str) -> bool {
    const RESERVED: [&str; 15] =
        ["true", "false", "yes", "no", "on", "off", "y", "n", ".nan", "-.inf", "+.inf", ".inf", "null", "-", "---"];
    !key.is_empty()
        && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.'))
        && !RESERVED.iter().any(|reserved| key.eq_ignore_ascii_case(reserved))
        && !is_date(key)
        && !is_binary(key)
        && !has_hexadecimal(key)
        && !is_number(key)
}

/// Digits with two dashes among them.
fn is_date(key: &str) -> bool {
    key.matches('-').count() == 2 && key.chars().all(|c| c.is_ascii_digit() || c == '-')
}

fn is_binary(key: &str) -> bool {
    let digits = key.strip_prefix('-').unwrap_or(key).strip_prefix("0b");
    digits.is_some_and(|digits| !digits.is_empty() && digits.chars().all(|c| matches!(c, '0' | '1' | '_')))
}

/// Anywhere: the pattern of go-jsonnet has no anchors.
fn has_hexadecimal(key: &str) -> bool {
    key.match_indices("0x").any(|(at, _)| key[at + 2..].starts_with(|c: char| c.is_ascii_hexdigit() || c == '_'))
}

/// What Go's `strconv.ParseFloat` takes, of the characters that are possible here.
fn is_number(key: &str) -> bool {
    let unsigned = key.strip_prefix('-').unwrap_or(key);
    if ["inf", "infinity", "nan"].iter().any(|word| unsigned.eq_ignore_ascii_case(word)) {
        // A sign before `nan` is not taken.
        return !(key.starts_with('-') && unsigned.eq_ignore_ascii_case("nan"));
    }
    if unsigned.starts_with(['i', 'I', 'n', 'N', '-', '+']) {
        return false;
    }
    let separated = unsigned
        .as_bytes()
        .windows(3)
        .filter(|around| around[1] == b'_' && around[0].is_ascii_digit() && around[2].is_ascii_digit());
    // A number that is too large is an error there.
    separated.count() == unsigned.matches('_').count()
        && unsigned.replace('_', "").parse::<f64>().is_ok_and(f64::is_finite)
}
