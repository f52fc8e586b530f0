//! Times as people read them. Pure.

use std::time::Duration;

use jiff::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Time from `then` to `now`; nothing where the clocks of two machines have it the other way round.
pub(crate) fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

/// A length of time in at most two units, as kubectl writes ages.
pub(crate) fn words(time: Duration) -> String {
    let seconds = time.as_secs();
    let two = |whole: u64, unit: &str, rest: u64, small: &str| match rest {
        0 => format!("{whole}{unit}"),
        rest => format!("{whole}{unit}{rest}{small}"),
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => two(seconds / MINUTE, "m", seconds % MINUTE, "s"),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..172_800 => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "m"),
        172_800..691_200 => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
        _ => format!("{}d", seconds / DAY),
    }
}

/// The age of a moment, or nothing where it is not known.
pub(crate) fn age(then: Option<Timestamp>, now: Timestamp) -> String {
    then.map(|then| words(since(then, now))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_at_most_two_units() {
        let cases = [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (200, "3m20s"),
            (3_600, "60m"),
            (10_860, "3h1m"),
            (273_600, "3d4h"),
            (864_000, "10d"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(words(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn a_moment_in_the_future_has_no_age() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(since(now + Duration::from_secs(5), now), Duration::ZERO);
        assert_eq!((age(None, now), age(Some(now), now)), (String::new(), "0s".to_owned()));
    }
}
