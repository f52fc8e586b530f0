//! A record of a log as one line for people. Pure.

use serde_json::Value;

/// Fields that stand at the beginning of a line.
const FIRST: [&str; 4] = ["time", "level", "msg", "message"];

/// When, how bad, what, and then what else the record says; a line that is no record stays as it is.
pub(super) fn line(record: &Value) -> String {
    let Some(fields) = record.as_object() else {
        return plain(record.as_str().unwrap_or_default());
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let message = plain(text("msg").or(text("message")).unwrap_or_default());
    let mut line =
        format!("{} {:<5} {message}", seconds(text("time").unwrap_or_default()), text("level").unwrap_or("-"));
    let others = fields.iter().filter(|(name, value)| !FIRST.contains(&name.as_str()) && !value.is_null());
    for (index, (name, value)) in others.enumerate() {
        line.push_str(if index == 0 { "  " } else { " " });
        line.push_str(&format!("{}={}", plain(name), shown(value)));
    }
    line
}

/// A time without its fractions of a second.
fn seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, rest)) => {
            let zone = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
            plain(&format!("{whole}{zone}"))
        }
        None => plain(time),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() || text.contains([' ', '"', '=']) => format!("\"{}\"", plain(text)),
        Value::String(text) => plain(text),
        other => plain(&other.to_string()),
    }
}

/// One line, in which nothing can move the cursor.
fn plain(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines.join(" | ").chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_is_a_line_that_begins_with_when_how_bad_and_what() {
        let record = json!({"time": "2026-11-22T14:33:00.123456Z", "level": "WARN", "msg": "Publishing failed",
            "snippet": "team-a/web", "attempt": 3, "holder": null, "error": "no room\n  at all"});
        assert_eq!(
            line(&record),
            "2026-11-22T14:33:00Z WARN  Publishing failed  attempt=3 error=\"no room |   at all\" snippet=team-a/web"
        );
        assert_eq!(line(&json!({"time": "1", "msg": "x"})), "1 -     x");
        assert_eq!(line(&json!("panicked at \u{1b}[2J")), "panicked at \u{fffd}[2J");
    }
}
