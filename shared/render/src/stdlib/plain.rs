//! A value as text inside of a program: a string is itself, everything else JSON on one line.

use jrsonnet_evaluator::{Result, Val, ensure_sufficient_stack};

use super::refuse;
use crate::manifest::{DEEPEST, escape, number_text, too_deep};

/// What `std.toString` answers.
pub(super) fn text(value: &Val) -> Result<String> {
    if let Val::Str(text) = value {
        return Ok(text.to_string());
    }
    let mut written = String::new();
    write(value, &mut written, DEEPEST)?;
    Ok(written)
}

/// A string with its quotes and escapes.
pub(super) fn quoted(text: &str) -> String {
    let mut written = String::from('"');
    escape(text, &mut written);
    written.push('"');
    written
}

fn write(value: &Val, written: &mut String, depth: usize) -> Result<()> {
    let Some(inside) = depth.checked_sub(1) else { return Err(too_deep()) };
    match value {
        Val::Null => written.push_str("null"),
        Val::Bool(true) => written.push_str("true"),
        Val::Bool(false) => written.push_str("false"),
        Val::Num(number) => written.push_str(&number_text(number.get())),
        Val::Str(text) => written.push_str(&quoted(&text.to_string())),
        Val::Func(_) => return Err(refuse("a function cannot be written as JSON")),
        Val::Arr(elements) => {
            written.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    written.push_str(", ");
                }
                let element = element?;
                ensure_sufficient_stack(|| write(&element, written, inside))?;
            }
            written.push_str(if elements.is_empty() { " ]" } else { "]" });
        }
        Val::Obj(object) => {
            object.run_assertions()?;
            written.push('{');
            let mut empty = true;
            for (name, value) in object.iter() {
                if !empty {
                    written.push_str(", ");
                }
                empty = false;
                written.push_str(&quoted(&name));
                written.push_str(": ");
                let value = value?;
                ensure_sufficient_stack(|| write(&value, written, inside))?;
            }
            written.push_str(if empty { " }" } else { "}" });
        }
    }
    Ok(())
}
