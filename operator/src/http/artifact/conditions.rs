//! How a request for an artifact that is there is to be answered: its conditions in the order of RFC 9110, 13.2.2. Pure.
//!
//! Not the types of `headers`: they assert that a tag holds no space, so that `If-Range: "a b"` is a panic in a debug build.
//!
//! No answer carries `Last-Modified`, so a condition by date has nothing to compare with: `If-Modified-Since` and
//! `If-Unmodified-Since` are ignored, and a date in `If-Range` never matches, as the RFC asks.

use std::ops::RangeInclusive;

use http::header::{IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::range::{Wanted, wanted};

/// The answer to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Everything.
    Whole,
    /// These positions, all of which exist.
    Part(RangeInclusive<u64>),
    /// The client has it.
    NotModified,
    /// The client wants it only if it were something else.
    PreconditionFailed,
    /// The client wants only what lies beyond the end.
    Unsatisfiable,
}

/// Judges a `GET` or `HEAD` of an artifact of `size` bytes whose strong entity tag is `tag`, in its quotes.
pub(super) fn verdict(method: &Method, headers: &HeaderMap, tag: &str, size: u64) -> Verdict {
    if headers.contains_key(IF_MATCH) && !names(headers, &IF_MATCH, |named| named == tag.as_bytes()) {
        return Verdict::PreconditionFailed;
    }
    if names(headers, &IF_NONE_MATCH, |named| named.strip_prefix(b"W/").unwrap_or(named) == tag.as_bytes()) {
        return Verdict::NotModified;
    }
    if method != Method::GET || !headers.contains_key(RANGE) || !is_same(headers, tag) {
        return Verdict::Whole;
    }
    match wanted(headers, size) {
        Wanted::Whole => Verdict::Whole,
        Wanted::Part(part) => Verdict::Part(part),
        Wanted::Nothing => Verdict::Unsatisfiable,
    }
}

/// Whether a list of entity tags has a member that is `same`, or is `*` and nothing else.
///
/// Members are told apart at commas, though a tag may hold some: no piece of such a tag has both its quotes.
fn names(headers: &HeaderMap, list: &HeaderName, same: impl Fn(&[u8]) -> bool) -> bool {
    let fields = || headers.get_all(list).iter().map(HeaderValue::as_bytes);
    let mut members = fields().flat_map(|field| field.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    fields().eq([b"*"]) || members.any(same)
}

/// Whether the part that the client has is of these very bytes, or it has none.
fn is_same(headers: &HeaderMap, tag: &str) -> bool {
    let mut fields = headers.get_all(IF_RANGE).iter();
    match (fields.next(), fields.next()) {
        (None, _) => true,
        (Some(field), None) => field.as_bytes() == tag.as_bytes(),
        (Some(_), Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TAG: &str = "\"sha256:ab\"";

    fn judged(method: &Method, fields: &[(&'static str, &str)]) -> Verdict {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        verdict(method, &headers, TAG, 10)
    }

    #[test]
    fn conditions_are_taken_in_their_order() {
        const OTHER: &str = "\"sha256:cd\"";
        const WEAK: &str = "W/\"sha256:ab\"";
        const DATE: &str = "Sat, 29 Oct 1994 19:43:31 GMT";
        const LATER: &str = "Sat, 29 Oct 2094 19:43:31 GMT";
        let (part, beyond) = (("range", "bytes=2-4"), ("range", "bytes=10-"));
        let list = format!("\"x\", {WEAK} ,{TAG}");
        let with_commas = format!("\"a,b\",\"{},\",{TAG}", TAG.trim_matches('"'));
        let in_commas = format!("\"x,{},y\"", TAG.trim_matches('"'));
        let cases: &[(&[(&'static str, &str)], Verdict)] = &[
            (&[], Verdict::Whole),
            (&[part], Verdict::Part(2..=4)),
            (&[beyond], Verdict::Unsatisfiable),
            // If-Match is strong.
            (&[("if-match", TAG)], Verdict::Whole),
            (&[("if-match", "*")], Verdict::Whole),
            (&[("if-match", &list)], Verdict::Whole),
            (&[("if-match", &with_commas)], Verdict::Whole),
            (&[("if-match", OTHER), ("if-match", TAG)], Verdict::Whole),
            (&[("if-match", OTHER)], Verdict::PreconditionFailed),
            (&[("if-match", WEAK)], Verdict::PreconditionFailed),
            (&[("if-match", "")], Verdict::PreconditionFailed),
            (&[("if-match", "nonsense")], Verdict::PreconditionFailed),
            (&[("if-match", "sha256:ab")], Verdict::PreconditionFailed),
            (&[("if-match", "\"a b\"")], Verdict::PreconditionFailed),
            (&[("if-match", &in_commas)], Verdict::PreconditionFailed),
            (&[("if-match", "\"x\", *")], Verdict::PreconditionFailed),
            // If-None-Match is weak.
            (&[("if-none-match", TAG)], Verdict::NotModified),
            (&[("if-none-match", WEAK)], Verdict::NotModified),
            (&[("if-none-match", "*")], Verdict::NotModified),
            (&[("if-none-match", &list)], Verdict::NotModified),
            (&[("if-none-match", "\"caf\u{e9}\""), ("if-none-match", TAG)], Verdict::NotModified),
            (&[("if-none-match", OTHER)], Verdict::Whole),
            (&[("if-none-match", "")], Verdict::Whole),
            (&[("if-none-match", "\"")], Verdict::Whole),
            (&[("if-none-match", "W/")], Verdict::Whole),
            (&[("if-none-match", "W/\"")], Verdict::Whole),
            (&[("if-none-match", "w/\"sha256:ab\"")], Verdict::Whole),
            (&[("if-none-match", "\"a b\"")], Verdict::Whole),
            (&[("if-none-match", "\"x\", *")], Verdict::Whole),
            (&[("if-none-match", &in_commas)], Verdict::Whole),
            // The first that decides, decides.
            (&[("if-none-match", TAG), ("if-match", OTHER)], Verdict::PreconditionFailed),
            (&[("if-none-match", TAG), ("if-match", TAG)], Verdict::NotModified),
            (&[("if-none-match", TAG), part], Verdict::NotModified),
            (&[("if-none-match", TAG), beyond], Verdict::NotModified),
            (&[("if-match", OTHER), beyond], Verdict::PreconditionFailed),
            (&[("if-match", TAG), ("if-none-match", OTHER), part], Verdict::Part(2..=4)),
            // If-Range is strong, and says something of a range only.
            (&[("if-range", TAG), part], Verdict::Part(2..=4)),
            (&[("if-range", TAG), beyond], Verdict::Unsatisfiable),
            (&[("if-range", OTHER), part], Verdict::Whole),
            (&[("if-range", OTHER), beyond], Verdict::Whole),
            (&[("if-range", WEAK), part], Verdict::Whole),
            (&[("if-range", DATE), part], Verdict::Whole),
            (&[("if-range", LATER), part], Verdict::Whole),
            (&[("if-range", "\"a b\""), part], Verdict::Whole),
            (&[("if-range", "*"), part], Verdict::Whole),
            (&[("if-range", &list), part], Verdict::Whole),
            (&[("if-range", TAG), ("if-range", TAG), part], Verdict::Whole),
            (&[("if-range", TAG)], Verdict::Whole),
            // Dates have nothing to compare with.
            (&[("if-modified-since", LATER)], Verdict::Whole),
            (&[("if-unmodified-since", DATE)], Verdict::Whole),
        ];
        for (fields, expected) in cases {
            assert_eq!(judged(&Method::GET, fields), *expected, "{fields:?}");
            // A HEAD has the same conditions, and no ranges.
            let head = match expected {
                Verdict::Part(_) | Verdict::Unsatisfiable => &Verdict::Whole,
                other => other,
            };
            assert_eq!(judged(&Method::HEAD, fields), *head, "HEAD {fields:?}");
        }
    }
}
