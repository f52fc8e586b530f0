//! Functions that write a value in some format.

use jrsonnet_evaluator::function::builtin;
use jrsonnet_evaluator::{IStr, ObjValue, ObjValueBuilder, Result, Val, ensure_sufficient_stack};

use super::{plain, refuse, toml, yaml};
use crate::manifest::{DEEPEST, too_deep};

pub(super) fn register(library: &mut ObjValueBuilder) {
    library
        .method("manifestJson", json {})
        .method("manifestJsonEx", json_ex {})
        .method("manifestJsonMinified", json_minified {})
        .method("manifestYamlDoc", yaml_doc {})
        .method("manifestYamlStream", yaml_stream {})
        .method("manifestToml", toml_two {})
        .method("manifestTomlEx", toml_ex {})
        .method("manifestIni", ini {})
        .method("manifestPython", python {})
        .method("manifestPythonVars", python_vars {})
        .method("manifestXmlJsonml", xml {});
}

#[builtin]
fn json(value: Val) -> Result<String> {
    Layout { indent: "    ", newline: "\n", separator: ": " }.text(&value)
}

#[builtin]
fn json_minified(value: Val) -> Result<String> {
    Layout { indent: "", newline: "", separator: ":" }.text(&value)
}

#[builtin]
fn json_ex(value: Val, indent: IStr, newline: Option<IStr>, key_val_sep: Option<IStr>) -> Result<String> {
    Layout {
        indent: &indent,
        newline: newline.as_deref().unwrap_or("\n"),
        separator: key_val_sep.as_deref().unwrap_or(": "),
    }
    .text(&value)
}

/// How the functions of this family break lines.
struct Layout<'a> {
    indent: &'a str,
    newline: &'a str,
    separator: &'a str,
}

impl Layout<'_> {
    fn text(&self, value: &Val) -> Result<String> {
        let mut written = String::new();
        self.write(value, &mut written, 0)?;
        Ok(written)
    }

    fn write(&self, value: &Val, written: &mut String, depth: usize) -> Result<()> {
        if depth == DEEPEST {
            return Err(too_deep());
        }
        match value {
            Val::Null => written.push_str("null"),
            Val::Bool(value) => written.push_str(if *value { "true" } else { "false" }),
            Val::Num(number) => written.push_str(&number.get().to_string()),
            Val::Str(text) => go_string(&text.to_string(), written),
            Val::Func(_) => return Err(refuse("a function cannot be written as JSON")),
            Val::Arr(elements) => {
                written.push('[');
                written.push_str(self.newline);
                for (index, element) in elements.iter().enumerate() {
                    self.separate(index, written, depth);
                    let element = element?;
                    ensure_sufficient_stack(|| self.write(&element, written, depth + 1))?;
                }
                self.close(']', written, depth);
            }
            Val::Obj(object) => {
                object.run_assertions()?;
                written.push('{');
                written.push_str(self.newline);
                for (index, (name, value)) in object.iter().enumerate() {
                    self.separate(index, written, depth);
                    go_string(&name, written);
                    written.push_str(self.separator);
                    let value = value?;
                    ensure_sufficient_stack(|| self.write(&value, written, depth + 1))?;
                }
                self.close('}', written, depth);
            }
        }
        Ok(())
    }

    fn separate(&self, index: usize, written: &mut String, depth: usize) {
        if index > 0 {
            written.push(',');
            written.push_str(self.newline);
        }
        self.indent(written, depth + 1);
    }

    fn close(&self, bracket: char, written: &mut String, depth: usize) {
        written.push_str(self.newline);
        self.indent(written, depth);
        written.push(bracket);
    }

    fn indent(&self, written: &mut String, depth: usize) {
        for _ in 0..depth {
            written.push_str(self.indent);
        }
    }
}

/// As Go's `encoding/json` quotes it, which these functions use and no others: fewer characters are escaped, and two others.
fn go_string(text: &str, written: &mut String) {
    written.push('"');
    for c in text.chars() {
        match c {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            '\u{8}' => written.push_str("\\b"),
            '\u{c}' => written.push_str("\\f"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => written.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => written.push(c),
        }
    }
    written.push('"');
}

#[builtin]
fn yaml_doc(
    value: Val,
    #[default(false)] indent_array_in_object: bool,
    #[default(true)] quote_keys: bool,
) -> Result<String> {
    yaml::document(&value, yaml::Options { indent_array_in_object, quote_keys })
}

#[builtin]
fn yaml_stream(
    value: jrsonnet_evaluator::val::ArrValue,
    #[default(false)] indent_array_in_object: bool,
    #[default(true)] c_document_end: bool,
    #[default(true)] quote_keys: bool,
) -> Result<String> {
    let options = yaml::Options { indent_array_in_object, quote_keys };
    let documents = value.iter().map(|document| yaml::document(&document?, options)).collect::<Result<Vec<_>>>()?;
    let end = if c_document_end { "\n...\n" } else { "\n" };
    Ok(format!("---\n{}{end}", documents.join("\n---\n")))
}

#[builtin]
fn toml_two(value: ObjValue) -> Result<String> {
    toml::document(&value, "  ")
}

#[builtin]
fn toml_ex(value: ObjValue, indent: IStr) -> Result<String> {
    toml::document(&value, &indent)
}

#[builtin]
fn ini(ini: ObjValue) -> Result<String> {
    let mut lines = Vec::new();
    if let Some(main) = visible(&ini, "main")? {
        ini_body(&object(&main)?, &mut lines)?;
    }
    let sections = ini.get("sections".into())?.ok_or_else(|| refuse("an INI document needs sections"))?;
    for (name, section) in object(&sections)?.iter() {
        lines.push(format!("[{name}]"));
        ini_body(&object(&section?)?, &mut lines)?;
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

fn ini_body(body: &ObjValue, lines: &mut Vec<String>) -> Result<()> {
    for (name, value) in body.iter() {
        match value? {
            Val::Arr(values) => {
                for value in values.iter() {
                    lines.push(format!("{name} = {}", plain::text(&value?)?));
                }
            }
            value => lines.push(format!("{name} = {}", plain::text(&value)?)),
        }
    }
    Ok(())
}

fn visible(object: &ObjValue, name: &str) -> Result<Option<Val>> {
    if object.has_field(name.into()) { object.get(name.into()) } else { Ok(None) }
}

fn object(value: &Val) -> Result<ObjValue> {
    value.as_obj().ok_or_else(|| refuse(format!("expected an object, got {}", value.value_type().name())))
}

#[builtin]
fn python(v: Val) -> Result<String> {
    python_text(&v, 0)
}

#[builtin]
fn python_vars(conf: ObjValue) -> Result<String> {
    let mut text = String::new();
    for (name, value) in conf.iter() {
        text.push_str(&format!("{name} = {}\n", python_text(&value?, 0)?));
    }
    Ok(text)
}

fn python_text(value: &Val, depth: usize) -> Result<String> {
    if depth == DEEPEST {
        return Err(too_deep());
    }
    let inner = |value: Result<Val>| {
        let value = value?;
        ensure_sufficient_stack(|| python_text(&value, depth + 1))
    };
    Ok(match value {
        Val::Null => "None".to_owned(),
        Val::Bool(true) => "True".to_owned(),
        Val::Bool(false) => "False".to_owned(),
        Val::Func(_) => return Err(refuse("a function cannot be written for Python")),
        Val::Str(text) => plain::quoted(&text.to_string()),
        Val::Num(_) => plain::text(value)?,
        Val::Arr(elements) => format!("[{}]", elements.iter().map(inner).collect::<Result<Vec<_>>>()?.join(", ")),
        Val::Obj(object) => {
            let fields = object.iter().map(|(name, value)| Ok(format!("{}: {}", plain::quoted(&name), inner(value)?)));
            format!("{{{}}}", fields.collect::<Result<Vec<_>>>()?.join(", "))
        }
    })
}

#[builtin]
fn xml(value: jrsonnet_evaluator::val::ArrValue) -> Result<String> {
    let mut written = String::new();
    element(&Val::Arr(value), &mut written, 0)?;
    Ok(written)
}

fn element(value: &Val, written: &mut String, depth: usize) -> Result<()> {
    if depth == DEEPEST {
        return Err(too_deep());
    }
    let parts = match value {
        Val::Str(text) => {
            written.push_str(&text.to_string());
            return Ok(());
        }
        Val::Arr(parts) => parts,
        other => return Err(refuse(format!("an element is a string or an array, got {}", other.value_type().name()))),
    };
    let tag = parts.get(0)?.ok_or_else(|| refuse("an element needs a name"))?;
    let tag = tag.as_str().ok_or_else(|| refuse("the name of an element is a string"))?;
    written.push('<');
    written.push_str(&tag);
    let mut children = 1;
    if let Some(Val::Obj(attributes)) = parts.get(1)? {
        children = 2;
        for (name, value) in attributes.iter() {
            written.push_str(&format!(" {name}=\"{}\"", plain::text(&value?)?));
        }
    }
    written.push('>');
    for child in parts.iter().skip(children) {
        let child = child?;
        ensure_sufficient_stack(|| element(&child, written, depth + 1))?;
    }
    written.push_str("</");
    written.push_str(&tag);
    written.push('>');
    Ok(())
}
