//! Writes a value as the JSON text that go-jsonnet 0.22 prints for it, byte for byte.

use std::fmt::{self, Write};

use jrsonnet_evaluator::val::StrValue;
use jrsonnet_evaluator::{Error, NumValue, ObjValue, Val, ensure_sufficient_stack, error::ErrorKind, val::ArrValue};

use crate::budget;

/// One level of nesting.
const INDENT: &str = "   ";

/// The deepest nesting that is written. A value without an end, e.g. an object that holds a fresh copy of itself,
/// would otherwise grow until the memory is gone.
pub(crate) const DEEPEST: usize = 2_000;

/// A step from a value to a value inside of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Field(String),
    Element(usize),
}

/// A path from the top of a value, e.g. `$.a.b[3]["c d"]`.
pub(crate) struct Path<'a>(pub(crate) &'a [Step]);

impl fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("$")?;
        for step in self.0 {
            match step {
                Step::Field(name) if is_identifier(name) => write!(formatter, ".{name}")?,
                Step::Field(name) => write!(formatter, "[{name:?}]")?,
                Step::Element(index) => write!(formatter, "[{index}]")?,
            }
        }
        Ok(())
    }
}

fn is_identifier(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Why a value cannot be written, and where: the steps lead from the innermost value outwards.
pub(crate) struct Unwritable {
    pub(crate) error: Error,
    pub(crate) inside_out: Vec<Step>,
}

impl From<Error> for Unwritable {
    fn from(error: Error) -> Self {
        Self { error, inside_out: Vec::new() }
    }
}

impl Unwritable {
    pub(crate) fn within(mut self, step: impl FnOnce() -> Step) -> Self {
        self.inside_out.push(step());
        self
    }
}

/// The text of `value`, with a final newline.
pub(crate) fn json(value: &Val) -> Result<String, Unwritable> {
    let mut writer = Writer { text: String::new(), depth: 0 };
    writer.value(value)?;
    writer.text.push('\n');
    writer.check_budget()?;
    budget::finished(writer.text.len());
    Ok(writer.text)
}

struct Writer {
    text: String,
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Val) -> Result<(), Unwritable> {
        match value {
            Val::Null => self.text.push_str("null"),
            Val::Bool(true) => self.text.push_str("true"),
            Val::Bool(false) => self.text.push_str("false"),
            Val::Num(number) => self.number(*number),
            Val::Str(text) => self.string(text),
            Val::Arr(elements) => self.nested(|writer| writer.array(elements))?,
            Val::Obj(object) => self.nested(|writer| writer.object(object))?,
            Val::Func(_) => return Err(runtime("a function cannot be written as JSON").into()),
        }
        self.check_budget()
    }

    /// Ends the writing of a text that nobody will take, before it takes all memory.
    fn check_budget(&self) -> Result<(), Unwritable> {
        if budget::allows(self.text.len()) { Ok(()) } else { Err(runtime("the rendered text is too large").into()) }
    }

    fn nested(&mut self, write: impl FnOnce(&mut Self) -> Result<(), Unwritable>) -> Result<(), Unwritable> {
        if self.depth == DEEPEST {
            return Err(too_deep().into());
        }
        self.depth += 1;
        let written = ensure_sufficient_stack(|| write(self));
        self.depth -= 1;
        written
    }

    fn array(&mut self, elements: &ArrValue) -> Result<(), Unwritable> {
        self.text.push('[');
        for (index, element) in elements.iter().enumerate() {
            self.separate(index);
            element
                .map_err(Unwritable::from)
                .and_then(|element| self.value(&element))
                .map_err(|error| error.within(|| Step::Element(index)))?;
        }
        self.close(elements.is_empty(), ']');
        Ok(())
    }

    fn object(&mut self, object: &ObjValue) -> Result<(), Unwritable> {
        object.run_assertions()?;
        self.text.push('{');
        let mut empty = true;
        for (index, (name, value)) in object.iter().enumerate() {
            empty = false;
            self.separate(index);
            self.quoted(|writer| writer.escaped(&name));
            self.text.push_str(": ");
            value
                .map_err(Unwritable::from)
                .and_then(|value| self.value(&value))
                .map_err(|error| error.within(|| Step::Field(name.to_string())))?;
        }
        self.close(empty, '}');
        Ok(())
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.text.push(',');
        }
        self.new_line(self.depth);
    }

    fn close(&mut self, empty: bool, bracket: char) {
        if empty {
            self.text.push(' ');
        } else {
            self.new_line(self.depth - 1);
        }
        self.text.push(bracket);
    }

    fn new_line(&mut self, depth: usize) {
        self.text.push('\n');
        for _ in 0..depth {
            self.text.push_str(INDENT);
        }
    }

    fn string(&mut self, text: &StrValue) {
        self.quoted(|writer| text.chunks(&mut |chunk| writer.escaped(chunk)));
    }

    fn quoted(&mut self, write: impl FnOnce(&mut Self)) {
        self.text.push('"');
        write(self);
        self.text.push('"');
    }

    fn escaped(&mut self, text: &str) {
        if !budget::allows(self.text.len() + text.len()) {
            return;
        }
        escape(text, &mut self.text);
    }

    fn number(&mut self, number: NumValue) {
        self.text.push_str(&number_text(number.get()));
    }
}

/// Appends a string as it stands between the quotes of a JSON string.
pub(crate) fn escape(text: &str, written: &mut String) {
    let mut copied = 0;
    for (at, c) in text.char_indices() {
        let escape = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            c if c.is_control() => "",
            _ => continue,
        };
        written.push_str(&text[copied..at]);
        copied = at + c.len_utf8();
        written.push_str(escape);
        if escape.is_empty() {
            // Writing to a string cannot fail.
            let _ = write!(written, "\\u{:04x}", u32::from(c));
        }
    }
    written.push_str(&text[copied..]);
}

/// Whole numbers with all their digits, others like `%.17g` in C.
pub(crate) fn number_text(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number:.0}") } else { fraction(number) }
}

/// `%.17g` of a number that is not whole; such a number is below 2^53, so only small ones need an exponent.
fn fraction(number: f64) -> String {
    let scientific = format!("{number:.16e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific.as_str(), "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if exponent < -4 {
        let digits = mantissa.trim_end_matches('0').trim_end_matches('.');
        return format!("{digits}e-{:02}", exponent.unsigned_abs());
    }
    let decimals = usize::try_from(16 - exponent).unwrap_or_default();
    format!("{number:.decimals$}").trim_end_matches('0').to_owned()
}

pub(crate) fn too_deep() -> Error {
    runtime(&format!("the value is nested deeper than {DEEPEST} levels"))
}

fn runtime(message: &str) -> Error {
    ErrorKind::RuntimeError(message.into()).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::evaluate::tests::{json, request, text};
    use crate::request::Variable;

    #[test]
    fn a_path_quotes_what_is_no_identifier() {
        let steps =
            [Step::Field("a".to_owned()), Step::Element(3), Step::Field("b c".to_owned()), Step::Field("1".to_owned())];
        assert_eq!(Path(&steps).to_string(), "$.a[3][\"b c\"][\"1\"]");
        assert_eq!(Path(&[]).to_string(), "$");
    }

    #[test]
    fn the_first_thing_that_cannot_be_written_is_named() {
        let refused = json("{ a: [1, { b: function(x) [x] }] }").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "runtime error: a function cannot be written as JSON\n    while writing $.a[1].b\n    in team/app/main.jsonnet"
        );
    }

    proptest! {
        #[test]
        fn a_number_is_written_so_that_it_reads_the_same(bits: u64) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            let mut writer = Writer { text: String::new(), depth: 0 };
            writer.number(NumValue::new(number).unwrap());
            prop_assert_eq!(writer.text.parse::<f64>().unwrap().to_bits(), bits, "{}", writer.text);
        }

        #[test]
        fn what_is_written_evaluates_to_itself(content: String, number in -1e20f64..1e20) {
            let mut request = request("{ [std.extVar('x')]: [std.extVar('x'), std.extVar('n'), {}] }");
            request.external_variables = [
                ("x".to_owned(), Variable::Text(content)),
                ("n".to_owned(), Variable::Code(number.to_string())),
            ]
            .into();
            let written = text(&request).unwrap();
            prop_assert_eq!(json(&written).unwrap(), written);
        }
    }
}
