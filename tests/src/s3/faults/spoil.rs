//! What becomes of a good answer on its way. Pure.

use std::fmt::Write;

use bytes::Bytes;
use http::StatusCode;

use super::fault::{Call, Fault};
use super::objects::Answer;

/// How the body of an answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// At once.
    Whole,
    /// In small pieces.
    Slow,
    /// So many bytes, then the connection is closed.
    Cut(usize),
    /// So many bytes, then nothing.
    Stalled(usize),
}

/// The answer as the fault makes it, or `None` where there is nothing that it could spoil. `whole` is the object, which a part of it
/// may be replaced by; `place` says which byte changes.
pub(super) fn spoiled(
    answer: &Answer,
    fault: &Fault,
    call: Call,
    whole: Option<&Bytes>,
    place: u64,
) -> Option<(Answer, Delivery)> {
    let length = answer.body.len();
    let good = (200..300).contains(&answer.status);
    let part = |wanted: usize| wanted.min(length.saturating_sub(1));
    let spoiled = match fault {
        Fault::StallBody(wanted) if length > 0 => return Some((answer.clone(), Delivery::Stalled(part(*wanted)))),
        Fault::CutBody(wanted) if length > 0 => return Some((answer.clone(), Delivery::Cut(part(*wanted)))),
        Fault::Drip if length > 1 => return Some((answer.clone(), Delivery::Slow)),
        Fault::CorruptBody if length > 0 => Answer { body: corrupted(&answer.body, place), ..answer.clone() },
        Fault::ShortBody(wanted) if length > 0 => Answer { body: answer.body.slice(..part(*wanted)), ..answer.clone() },
        Fault::WholeBody if answer.status == 206 => {
            let mut whole = Answer { status: 200, body: whole?.clone(), ..answer.clone() };
            whole.headers.retain(|(name, _)| name != "content-range");
            whole
        }
        Fault::WrongEtag if answer.headers.iter().any(|(name, _)| name == "etag") => {
            changed(answer, "etag", |_| Some("\"ffffffffffffffffffffffffffffffff\"".to_owned()))
        }
        Fault::NoEtag if answer.headers.iter().any(|(name, _)| name == "etag") => changed(answer, "etag", |_| None),
        Fault::WrongMetadata if good && matches!(call, Call::Get | Call::Head) => {
            let told = |name: &str| answer.headers.iter().any(|(known, _)| known.starts_with(name));
            let other = |_: &str| Some(format!("sha256:{}", "0".repeat(64)));
            if !told("x-amz-meta-") {
                return None;
            }
            changed(answer, "x-amz-meta-", other)
        }
        Fault::WrongDate => {
            let mut dated = answer.clone();
            dated.headers.push(("date".to_owned(), "Fri, 01 Jan 2038 00:00:00 GMT".to_owned()));
            dated
        }
        _ => return None,
    };
    Some((spoiled, Delivery::Whole))
}

/// Headers whose names start so, with other values or without.
fn changed(answer: &Answer, start: &str, other: impl Fn(&str) -> Option<String>) -> Answer {
    let headers = answer.headers.iter().filter_map(|(name, value)| {
        let value = if name.starts_with(start) { other(value)? } else { value.clone() };
        Some((name.clone(), value))
    });
    Answer { headers: headers.collect(), ..answer.clone() }
}

/// The same bytes but for one bit.
pub(super) fn corrupted(bytes: &Bytes, place: u64) -> Bytes {
    let mut changed = bytes.to_vec();
    let index = usize::try_from(place).unwrap_or_default().checked_rem(changed.len());
    if let Some(byte) = index.and_then(|index| changed.get_mut(index)) {
        *byte ^= 1;
    }
    changed.into()
}

/// The bytes that stand for an answer on a connection.
pub(super) fn on_the_wire(answer: &Answer) -> Vec<u8> {
    let reason = StatusCode::from_u16(answer.status).ok().and_then(|status| status.canonical_reason());
    let mut head = format!("HTTP/1.1 {} {}\r\n", answer.status, reason.unwrap_or("Unknown"));
    for (name, value) in &answer.headers {
        // Writing to a text cannot fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if answer.status != 204 {
        let _ = write!(head, "content-length: {}\r\n", answer.told.unwrap_or(answer.body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), &answer.body].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn answer() -> Answer {
        Answer::new(200, &[("etag", "\"a\""), ("x-amz-meta-b", "c")], "body")
    }

    #[test]
    fn a_fault_changes_what_it_says_and_no_more() {
        let spoil = |fault: Fault| spoiled(&answer(), &fault, Call::Get, None, 6);
        let (corrupt, delivery) = spoil(Fault::CorruptBody).unwrap();
        assert_eq!((&*corrupt.body, delivery), (&b"boey"[..], Delivery::Whole));
        assert_eq!(spoil(Fault::CutBody(9)).unwrap(), (answer(), Delivery::Cut(3)));
        assert_eq!(&*spoil(Fault::ShortBody(2)).unwrap().0.body, b"bo");
        assert_eq!(spoil(Fault::NoEtag).unwrap().0.headers.len(), 1);
        assert_eq!(spoil(Fault::WholeBody), None);
        let empty = Answer { body: Bytes::new(), ..answer() };
        for fault in [Fault::CorruptBody, Fault::CutBody(1), Fault::StallBody(1), Fault::ShortBody(1), Fault::Drip] {
            assert_eq!(spoiled(&empty, &fault, Call::Put, None, 0), None, "{fault:?}");
        }
    }

    #[test]
    fn an_answer_to_a_head_tells_a_length_and_has_no_body() {
        let head = Answer { told: Some(7), body: Bytes::new(), ..answer() };
        let text = String::from_utf8(on_the_wire(&head)).unwrap();
        assert_eq!(text, "HTTP/1.1 200 OK\r\netag: \"a\"\r\nx-amz-meta-b: c\r\ncontent-length: 7\r\n\r\n");
    }
}
