//! Functions of strings.

use ::base64::Engine as _;
use ::base64::alphabet::STANDARD;
use ::base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use jrsonnet_evaluator::function::builtin;
use jrsonnet_evaluator::val::ArrValue;
use jrsonnet_evaluator::{IStr, ObjValueBuilder, Result, Thunk, Val};
use jrsonnet_stdlib::builtin_parse_yaml;

use super::{plain, refuse};

pub(super) fn register(library: &mut ObjValueBuilder) {
    library
        .method("toString", to_string {})
        .method("escapeStringJson", escape_json {})
        .method("escapeStringPython", escape_python {})
        .method("escapeStringBash", escape_bash {})
        .method("escapeStringDollars", escape_dollars {})
        .method("escapeStringXML", escape_xml {})
        .method("char", char_of {})
        .method("trim", trim {})
        .method("equalsIgnoreCase", equals_ignore_case {})
        .method("split", split {})
        .method("splitLimit", split_limit {})
        .method("splitLimitR", split_limit_r {})
        .method("parseInt", parse_int {})
        .method("parseJson", parse_json {})
        .method("parseYaml", parse_yaml {})
        .method("base64", base64 {})
        .method("base64Decode", base64_decode {})
        .method("base64DecodeBytes", base64_decode_bytes {})
        .method("decodeUTF8", decode_utf8 {})
        .method("trace", trace {});
}

#[builtin]
fn to_string(a: Val) -> Result<String> {
    plain::text(&a)
}

#[builtin]
fn escape_json(str_: Val) -> Result<String> {
    Ok(plain::quoted(&plain::text(&str_)?))
}

#[builtin]
fn escape_python(str: Val) -> Result<String> {
    Ok(plain::quoted(&plain::text(&str)?))
}

#[builtin]
fn escape_bash(str_: Val) -> Result<String> {
    Ok(format!("'{}'", plain::text(&str_)?.replace('\'', "'\"'\"'")))
}

#[builtin]
fn escape_dollars(str_: Val) -> Result<String> {
    Ok(plain::text(&str_)?.replace('$', "$$"))
}

#[builtin]
fn escape_xml(str_: Val) -> Result<String> {
    Ok(escaped_xml(&plain::text(&str_)?))
}

pub(super) fn escaped_xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Half of a surrogate pair is no character and becomes the one that says so.
#[builtin]
fn char_of(n: f64) -> Result<char> {
    if n < 0.0 {
        return Err(refuse(format!("codepoints must be >= 0, got {n}")));
    }
    if n > f64::from(u32::from(char::MAX)) {
        return Err(refuse(format!("invalid unicode codepoint, got {n}")));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above; a fraction is cut off")]
    let code = n as u32;
    Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
}

#[builtin]
fn trim(str: IStr) -> String {
    str.trim().to_owned()
}

#[builtin]
fn equals_ignore_case(str1: IStr, str2: IStr) -> bool {
    str1.chars().map(folded).eq(str2.chars().map(folded))
}

/// One form for all letters that differ in case only.
fn folded(c: char) -> char {
    let upper = single(c, c.to_uppercase());
    single(upper, upper.to_lowercase())
}

fn single(otherwise: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(c), None) => c,
        _ => otherwise,
    }
}

#[builtin]
fn split(str: IStr, c: IStr) -> Result<ArrValue> {
    pieces(&str, &c, -1, false)
}

#[builtin]
fn split_limit(str: IStr, c: IStr, maxsplits: i32) -> Result<ArrValue> {
    pieces(&str, &c, maxsplits, false)
}

#[builtin]
fn split_limit_r(str: IStr, c: IStr, maxsplits: i32) -> Result<ArrValue> {
    pieces(&str, &c, maxsplits, true)
}

fn pieces(text: &str, separator: &str, limit: i32, from_right: bool) -> Result<ArrValue> {
    if separator.is_empty() {
        return Err(refuse("the string to split at must not be empty"));
    }
    let most = match limit {
        -1 => usize::MAX,
        limit => usize::try_from(limit)
            .map_err(|_| refuse(format!("the number of splits must be -1 or not negative, got {limit}")))?
            .saturating_add(1),
    };
    let pieces: Vec<Val> = if from_right {
        let mut pieces: Vec<_> = text.rsplitn(most, separator).map(Val::string).collect();
        pieces.reverse();
        pieces
    } else {
        text.splitn(most, separator).map(Val::string).collect()
    };
    Ok(ArrValue::new(pieces))
}

#[builtin]
fn parse_int(str: IStr) -> Result<f64> {
    let parsed: i64 = str.parse().map_err(|_| refuse(format!("{str} is not a base 10 integer")))?;
    #[allow(clippy::cast_precision_loss, reason = "numbers have no more digits than that")]
    Ok(parsed as f64)
}

/// To the nearest number, which the parser does only with a feature that the engine leaves off.
#[builtin]
fn parse_json(str: IStr) -> Result<Val> {
    serde_json::from_str(&str).map_err(|error| refuse(format!("failed to parse JSON: {error}")))
}

/// A text with a line `---` is a list of documents, even if it holds one only.
#[builtin]
fn parse_yaml(str: IStr) -> Result<Val> {
    let (mut documents, mut current, mut listed) = (Vec::new(), String::new(), false);
    for line in str.lines() {
        if line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t'])) {
            listed = true;
            if !current.is_empty() {
                documents.push(builtin_parse_yaml(std::mem::take(&mut current).into())?);
            }
        }
        current.push_str(line);
        current.push('\n');
    }
    if !current.is_empty() {
        documents.push(builtin_parse_yaml(current.into())?);
    }
    if listed {
        return Ok(Val::Arr(ArrValue::new(documents)));
    }
    Ok(documents.into_iter().next().unwrap_or(Val::Null))
}

/// As Go reads it: bits that a last character has too many are not looked at, ends of lines neither.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

#[builtin]
fn base64(input: Val) -> Result<String> {
    let bytes = match input {
        Val::Str(text) => {
            let text = text.to_string();
            match text.chars().find(|c| u32::from(*c) > 255) {
                Some(c) => return Err(refuse(format!("base64 takes code points up to 255, got {}", u32::from(c)))),
                None => text.into_bytes(),
            }
        }
        Val::Arr(numbers) => bytes(&numbers)?,
        other => {
            return Err(refuse(format!(
                "base64 takes a string or an array of bytes, got {}",
                other.value_type().name()
            )));
        }
    };
    Ok(BASE64.encode(bytes))
}

fn bytes(numbers: &ArrValue) -> Result<Vec<u8>> {
    numbers
        .iter()
        .map(|number| match number? {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked here")]
            Val::Num(number) if number.get().fract() == 0.0 && (0.0..=255.0).contains(&number.get()) => {
                Ok(number.get() as u8)
            }
            _ => Err(refuse("bytes must be whole numbers from 0 to 255")),
        })
        .collect()
}

fn decoded(text: &str) -> Result<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return Err(refuse(format!("{} bytes are no text in base 64, which has a multiple of 4", text.len())));
    }
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    BASE64.decode(text).map_err(|error| refuse(format!("invalid base 64: {error}")))
}

#[builtin]
fn base64_decode(str: IStr) -> Result<String> {
    Ok(lossy(&decoded(&str)?))
}

#[builtin]
fn base64_decode_bytes(str: IStr) -> Result<ArrValue> {
    let bytes = decoded(&str)?;
    Ok(ArrValue::new(bytes.into_iter().map(Val::num).collect::<Vec<Val>>()))
}

#[builtin]
fn decode_utf8(arr: ArrValue) -> Result<String> {
    Ok(lossy(&bytes(&arr)?))
}

/// As text, with one replacement character for each byte that is no part of any.
fn lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// The text goes nowhere, but it has to be one.
#[builtin]
fn trace(str: IStr, rest: Thunk<Val>) -> Result<Val> {
    drop(str);
    rest.evaluate()
}
