//! How the values of flags are read. Pure.

use std::time::Duration;

use crate::quota::Share;

use kube::core::Selector;

/// Reads a Go duration such as `10s`, `1h30m` or a bare `0`; a negative one is refused.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let parsed: kube::core::Duration =
        text.parse().map_err(|_| "must be a duration like 10s, 5m or 1h30m".to_owned())?;
    if parsed.is_negative() {
        return Err("must not be negative".to_owned());
    }
    Ok(parsed.into())
}

/// Reads on or off in every spelling that Go reads.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// Reads a whole number, also as Helm prints a large one from a values file: `1.6777216e+07`.
pub(super) fn whole_number(text: &str) -> Result<u64, String> {
    if let Ok(number) = text.trim().parse() {
        return Ok(number);
    }
    match text.trim().parse::<f64>() {
        // Up to 2^53 every whole number has a float of its own.
        Ok(number) if (0.0..=9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0 =>
        {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked by the guard")]
            Ok(number as u64)
        }
        Ok(number) if number < 0.0 => Err("must not be negative".to_owned()),
        _ => Err("must be a whole number".to_owned()),
    }
}

/// Reads a rate such as `60/min` as the time between two of it; `None` means that there is no limit.
pub(super) fn rate(text: &str) -> Result<Option<Duration>, String> {
    let wrong = || "must be a number, a slash, and sec, min or hour, such as 60/min".to_owned();
    let (number, period) = text.split_once('/').ok_or_else(wrong)?;
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    let seconds = match period.trim().to_ascii_lowercase().as_str() {
        "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hour" | "hours" => 3600.0,
        _ => return Err(wrong()),
    };
    if number == 0.0 {
        return Ok(None);
    }
    match Duration::try_from_secs_f64(seconds / number) {
        Ok(period) if number > 0.0 && !period.is_zero() => Ok(Some(period)),
        _ => Err(wrong()),
    }
}

/// Reads a segment of a path.
pub(super) fn segment(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !text.is_empty() && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    Err("must be a word of A-Z a-z 0-9 . _ -".to_owned())
}

/// Reads a label selector.
pub(super) fn selector(text: &str) -> Result<Selector, String> {
    jaas_api::selector::parse(text).map_err(|error| error.to_string())
}

/// Reads a share of the store: `25%`, or bytes. `0` means none.
pub(super) fn share(text: &str) -> Result<Option<Share>, String> {
    let wrong = || "must be 0, a percentage from 1% to 100%, or bytes such as 256Mi".to_owned();
    let text = text.trim();
    if let Some(percent) = text.strip_suffix('%') {
        return match percent.parse() {
            Ok(percent @ 1..=100) => Ok(Some(Share::Percent(percent))),
            _ => Err(wrong()),
        };
    }
    let bytes = bytes(text).map_err(|_| wrong())?;
    Ok((bytes > 0).then_some(Share::Bytes(bytes)))
}

/// Reads a number of bytes: plain, or a Kubernetes quantity such as `256Mi`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 10] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("Pi", 1 << 50),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
        ("P", 1_000_000_000_000_000),
    ];
    let text = text.trim();
    let (digits, factor) =
        UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor))).unwrap_or((text, 1));
    let too_large = || "is too large; write it like 256Mi".to_owned();
    match digits.split_once('.') {
        // A fraction of a byte counts as a whole one, as in Kubernetes.
        Some((whole, part)) if factor > 1 && part.len() <= 9 && part.bytes().all(|byte| byte.is_ascii_digit()) => {
            let scale = 10_u128.pow(u32::try_from(part.len()).unwrap_or_default());
            let part: u128 = if part.is_empty() { 0 } else { part.parse().map_err(|_| too_large())? };
            let thousandths = u128::from(whole_number(whole)?) * scale + part;
            u64::try_from((thousandths * u128::from(factor)).div_ceil(scale)).map_err(|_| too_large())
        }
        _ => whole_number(digits)?.checked_mul(factor).ok_or_else(too_large),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_go_durations() {
        let seconds = |text| duration(text).map(|value| value.as_millis());
        assert_eq!(seconds("10s"), Ok(10_000));
        assert_eq!(seconds("1h30m"), Ok(5_400_000));
        assert_eq!(seconds("0"), Ok(0));
        assert_eq!(seconds("-1s"), Err("must not be negative".to_owned()));
        assert!(seconds("10").is_err_and(|error| error == "must be a duration like 10s, 5m or 1h30m"));
    }

    #[test]
    fn on_and_off_are_spelled_as_in_go() {
        for (text, expected) in [("1", Ok(true)), ("True", Ok(true)), ("f", Ok(false)), ("FALSE", Ok(false))] {
            assert_eq!(boolean(text), expected);
        }
        for wrong in ["", "yes", "tRUE", "2"] {
            assert!(boolean(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn large_numbers_from_helm_are_read() {
        assert_eq!(whole_number("1.6777216e+07"), Ok(16_777_216));
        assert_eq!(whole_number("0"), Ok(0));
        assert_eq!(whole_number("-1"), Err("must not be negative".to_owned()));
        assert_eq!(whole_number("1.5"), Err("must be a whole number".to_owned()));
        assert_eq!(whole_number("x"), Err("must be a whole number".to_owned()));
    }

    #[test]
    fn a_share_is_a_percentage_or_bytes() {
        assert_eq!(share("25%"), Ok(Some(Share::Percent(25))));
        assert_eq!(share(" 100% "), Ok(Some(Share::Percent(100))));
        assert_eq!(share("1Mi"), Ok(Some(Share::Bytes(1 << 20))));
        assert_eq!(share("0"), Ok(None));
        for wrong in ["", "0%", "101%", "2.5%", "-1%", "%", "a quarter", "-1"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rates_are_a_number_and_a_period() {
        assert_eq!(rate("60/min"), Ok(Some(Duration::from_secs(1))));
        assert_eq!(rate(" 0.5 / Hour "), Ok(Some(Duration::from_secs(7200))));
        assert_eq!(rate("4/s"), Ok(Some(Duration::from_millis(250))));
        assert_eq!(rate("0/min"), Ok(None));
        for wrong in ["", "60", "60/", "/min", "-1/min", "x/min", "NaN/min", "inf/s", "1e300/s", "60/day"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn quantities_have_units() {
        assert_eq!(bytes("256Mi"), Ok(256 << 20));
        assert_eq!(bytes("1G"), Ok(1_000_000_000));
        assert_eq!(bytes("512"), Ok(512));
        assert_eq!(bytes("2Ti"), Ok(2 << 40));
        assert_eq!(bytes("1.5Gi"), Ok(3 << 29));
        assert_eq!(bytes("0.1k"), Ok(100));
        for wrong in ["12X", "1.5", "1.x5Gi", "-1Gi", "20000000Ti", "Gi", "1.5.5Gi"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
