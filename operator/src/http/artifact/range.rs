//! Which bytes a request asks for (RFC 9110, 14.1.2 and 14.2). Pure.
//!
//! Not `headers::Range`: it drops what it cannot read, also a suffix that is longer than the artifact and a number that does not
//! fit, reads `+1` as a number, and sees only the first of several fields.

use std::ops::RangeInclusive;

use http::HeaderMap;
use http::header::RANGE;

/// Bytes that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of them.
    Whole,
    /// These positions, all of which exist.
    Part(RangeInclusive<u64>),
    /// Only such as do not exist.
    Nothing,
}

/// What the `Range` field asks of an artifact of `size` bytes. Only a single range is taken up. Anything else, be it several
/// ranges, another unit or a mistake, is as if it were not there, which the RFC allows.
pub(super) fn wanted(headers: &HeaderMap, size: u64) -> Wanted {
    let mut fields = headers.get_all(RANGE).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return Wanted::Whole };
    match field.to_str().ok().and_then(Range::parse) {
        Some(range) => range.of(size),
        None => Wanted::Whole,
    }
}

/// One range as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Range {
    /// From one position to another, both included.
    Positions { first: u64, last: u64 },
    /// So many bytes at the end.
    Suffix(u64),
}

impl Range {
    fn parse(field: &str) -> Option<Self> {
        let (unit, set) = field.split_once('=')?;
        // A list may have empty members.
        let mut members = set.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|it| !it.is_empty());
        let (Some(range), None) = (members.next(), members.next()) else { return None };
        let (first, last) = range.split_once('-').filter(|_| unit.eq_ignore_ascii_case("bytes"))?;
        if first.is_empty() {
            return number(last).map(Self::Suffix);
        }
        let first = number(first)?;
        let last = if last.is_empty() { u64::MAX } else { number(last)? };
        (first <= last).then_some(Self::Positions { first, last })
    }

    fn of(self, size: u64) -> Wanted {
        let Some(end) = size.checked_sub(1) else {
            return match self {
                // There are no positions to name, yet the last bytes of nothing are all that there is.
                Self::Suffix(1..) => Wanted::Whole,
                Self::Suffix(0) | Self::Positions { .. } => Wanted::Nothing,
            };
        };
        match self {
            Self::Positions { first, last } if first <= end => Wanted::Part(first..=last.min(end)),
            Self::Suffix(length @ 1..) => Wanted::Part(size.saturating_sub(length)..=end),
            Self::Suffix(0) | Self::Positions { .. } => Wanted::Nothing,
        }
    }
}

/// Digits of any length: what does not fit is beyond every artifact, whatever its value.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn asked(fields: &[&str], size: u64) -> Wanted {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(RANGE, HeaderValue::from_bytes(field.as_bytes()).unwrap_or(HeaderValue::from_static("")));
        }
        wanted(&headers, size)
    }

    #[test]
    fn a_single_range_is_taken_up() {
        const HUGE: &str = "99999999999999999999999999";
        for (field, size, expected) in [
            ("bytes=0-0", 1, Wanted::Part(0..=0)),
            ("bytes=0-0", 10, Wanted::Part(0..=0)),
            ("bytes=9-9", 10, Wanted::Part(9..=9)),
            ("bytes=2-4", 10, Wanted::Part(2..=4)),
            ("bytes=2-99", 10, Wanted::Part(2..=9)),
            ("bytes=002-004", 10, Wanted::Part(2..=4)),
            (&format!("bytes=2-{HUGE}"), 10, Wanted::Part(2..=9)),
            ("bytes=0-", 10, Wanted::Part(0..=9)),
            ("bytes=9-", 10, Wanted::Part(9..=9)),
            ("bytes=-1", 10, Wanted::Part(9..=9)),
            ("bytes=-10", 10, Wanted::Part(0..=9)),
            ("bytes=-11", 10, Wanted::Part(0..=9)),
            (&format!("bytes=-{HUGE}"), 10, Wanted::Part(0..=9)),
            ("bytes=0-", u64::MAX, Wanted::Part(0..=u64::MAX - 1)),
            ("BYTES=0-0", 10, Wanted::Part(0..=0)),
            ("bytes=,0-0 ,", 10, Wanted::Part(0..=0)),
            ("bytes=10-", 10, Wanted::Nothing),
            ("bytes=10-12", 10, Wanted::Nothing),
            (&format!("bytes={HUGE}-"), 10, Wanted::Nothing),
            ("bytes=-0", 10, Wanted::Nothing),
            ("bytes=0-", 0, Wanted::Nothing),
            ("bytes=0-0", 0, Wanted::Nothing),
            ("bytes=-0", 0, Wanted::Nothing),
            ("bytes=-1", 0, Wanted::Whole),
            ("bytes=1-", 1, Wanted::Nothing),
            ("bytes=-5", 1, Wanted::Part(0..=0)),
        ] {
            assert_eq!(asked(&[field], size), expected, "{field} of {size}");
        }
    }

    #[test]
    fn anything_else_is_as_if_nothing_were_asked() {
        let thousand = format!("bytes={}", vec!["0-0"; 1000].join(","));
        for fields in [
            &["bytes=0-0,1-1"][..],
            &["bytes=0-9,-1"],
            &["bytes=0-0,x"],
            &[&*thousand],
            &["bytes=0-0", "bytes=1-1"],
            &["bytes=0-0", "bytes=0-0"],
            &[],
            &[""],
            &["bytes"],
            &["bytes="],
            &["bytes=,"],
            &["bytes=-"],
            &["bytes=5"],
            &["bytes=5-2"],
            &["bytes=--1"],
            &["bytes=+1-2"],
            &["bytes=1-+2"],
            &["bytes=-+2"],
            &["bytes=1 - 2"],
            &["bytes=1-2-3"],
            &["bytes=0x1-2"],
            &["bytes=1.0-2"],
            &["bytes=\u{0661}-\u{0662}"],
            &["bytes:0-0"],
            &["bytes =0-0"],
            &["0-0"],
            &["lines=0-0"],
            &["=0-0"],
        ] {
            assert_eq!(asked(fields, 10), Wanted::Whole, "{fields:?}");
        }
    }

    proptest! {
        /// The RFC, position by position.
        #[test]
        fn a_range_is_the_positions_that_it_names(
            size in 0_u64..12, first in proptest::option::of(0_u64..14), last in proptest::option::of(0_u64..14),
        ) {
            let text = |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
            let field = format!("bytes={}-{}", text(first), text(last));
            let named: Vec<u64> = (0..size)
                .filter(|position| match (first, last) {
                    (Some(first), last) => *position >= first && last.is_none_or(|last| *position <= last),
                    (None, length) => *position + length.unwrap_or_default() >= size,
                })
                .collect();
            let valid = first.or(last).is_some() && first.zip(last).is_none_or(|(first, last)| first <= last);
            let expected = match (named.first(), named.last()) {
                _ if !valid => Wanted::Whole,
                (Some(from), Some(to)) => Wanted::Part(*from..=*to),
                _ if first.is_none() && last > Some(0) => Wanted::Whole,
                _ => Wanted::Nothing,
            };
            prop_assert_eq!(asked(&[&field], size), expected, "{} of {}", field, size);
        }

        #[test]
        fn no_field_makes_it_name_what_is_not_there(field in "(bytes=)?[-0-9, +=a]{0,30}", size in any::<u64>()) {
            if let Wanted::Part(part) = asked(&[&field], size) {
                prop_assert!(part.start() <= part.end() && *part.end() < size);
            }
        }
    }
}
