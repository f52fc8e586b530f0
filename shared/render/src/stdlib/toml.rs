//! `std.manifestTomlEx`.

use jrsonnet_evaluator::val::ArrValue;
use jrsonnet_evaluator::{IStr, ObjValue, Result, Val, ensure_sufficient_stack};

use super::{plain, refuse};
use crate::manifest::{DEEPEST, too_deep};

pub(super) fn document(value: &ObjValue, indent: &str) -> Result<String> {
    Writer { indent }.table(value, &[], "", 0)
}

struct Writer<'a> {
    indent: &'a str,
}

impl Writer<'_> {
    /// The fields of a table, and after them the tables inside.
    fn table(&self, object: &ObjValue, path: &[IStr], indent: &str, depth: usize) -> Result<String> {
        if depth == DEEPEST {
            return Err(too_deep());
        }
        object.run_assertions()?;
        let (mut fields, mut tables) = (Vec::new(), String::new());
        for (name, value) in object.iter() {
            let value = value?;
            if !is_table(&value)? {
                let text = format!("{} = {}", key(&name), self.value(&value, false, depth + 1)?);
                fields.push(text.replace('\n', &format!("\n{indent}")));
                continue;
            }
            let path = [path, &[name]].concat();
            tables.push_str("\n\n");
            tables.push_str(&ensure_sufficient_stack(|| match &value {
                Val::Arr(elements) => self.tables(elements, &path, indent, depth + 1),
                Val::Obj(inner) => self.headed(inner, ("[", "]"), &path, indent, depth + 1),
                _ => Ok(String::new()),
            })?);
        }
        let mut text = String::new();
        if !fields.is_empty() {
            text.push_str(indent);
            text.push_str(&fields.join(&format!("\n{indent}")));
        }
        text.push_str(&tables);
        Ok(text)
    }

    fn tables(&self, elements: &ArrValue, path: &[IStr], indent: &str, depth: usize) -> Result<String> {
        let tables = elements.iter().map(|element| match element? {
            Val::Obj(inner) => self.headed(&inner, ("[[", "]]"), path, indent, depth),
            other => Err(refuse(format!("expected an object, got {}", other.value_type().name()))),
        });
        Ok(tables.collect::<Result<Vec<_>>>()?.join("\n\n"))
    }

    fn headed(
        &self,
        object: &ObjValue,
        (open, close): (&str, &str),
        path: &[IStr],
        indent: &str,
        depth: usize,
    ) -> Result<String> {
        let names: Vec<_> = path.iter().map(|name| key(name)).collect();
        let end = if object.is_empty() { "" } else { "\n" };
        let inside = self.table(object, path, &format!("{indent}{}", self.indent), depth + 1)?;
        Ok(format!("{indent}{open}{}{close}{end}{inside}", names.join(".")))
    }

    fn value(&self, value: &Val, inline: bool, depth: usize) -> Result<String> {
        if depth == DEEPEST {
            return Err(too_deep());
        }
        Ok(match value {
            Val::Null => return Err(refuse("null cannot be written as TOML")),
            Val::Func(_) => return Err(refuse("a function cannot be written as TOML")),
            Val::Bool(_) | Val::Num(_) => plain::text(value)?,
            Val::Str(text) => plain::quoted(&text.to_string()),
            Val::Arr(elements) if elements.is_empty() => "[]".to_owned(),
            Val::Arr(elements) => {
                let (separator, indent) = if inline { (" ", "") } else { ("\n", self.indent) };
                let elements = elements.iter().map(|element| {
                    let element = element?;
                    Ok(format!("{indent}{}", ensure_sufficient_stack(|| self.value(&element, true, depth + 1))?))
                });
                let elements = elements.collect::<Result<Vec<_>>>()?.join(&format!(",{separator}"));
                format!("[{separator}{elements}{separator}]")
            }
            Val::Obj(object) => {
                object.run_assertions()?;
                let fields = object.iter().map(|(name, value)| {
                    let value = value?;
                    let text = ensure_sufficient_stack(|| self.value(&value, true, depth + 1))?;
                    Ok(format!("{} = {text}", key(&name)))
                });
                format!("{{ {} }}", fields.collect::<Result<Vec<_>>>()?.join(", "))
            }
        })
    }
}

fn is_table(value: &Val) -> Result<bool> {
    match value {
        Val::Obj(_) => Ok(true),
        Val::Arr(elements) if !elements.is_empty() => {
            for element in elements.iter() {
                if !matches!(element?, Val::Obj(_)) {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn key(name: &str) -> String {
    if name.is_empty() {
        "''".to_owned()
    } else if name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
        name.to_owned()
    } else {
        plain::quoted(name)
    }
}
