//! How the values of flags are read. Pure.

use std::time::Duration;

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

/// Reads a number of bytes: plain, or a Kubernetes quantity such as `256Mi`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 6] =
        [("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000)];
    let text = text.trim();
    let (digits, factor) =
        UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor))).unwrap_or((text, 1));
    whole_number(digits)?
        .checked_mul(factor)
        .ok_or_else(|| "is too large".to_owned())
        .map_err(|why| format!("{why}; write it like 256Mi"))
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
    fn large_numbers_from_helm_are_read() {
        assert_eq!(whole_number("1.6777216e+07"), Ok(16_777_216));
        assert_eq!(whole_number("0"), Ok(0));
        assert_eq!(whole_number("-1"), Err("must not be negative".to_owned()));
        assert_eq!(whole_number("1.5"), Err("must be a whole number".to_owned()));
        assert_eq!(whole_number("x"), Err("must be a whole number".to_owned()));
    }

    #[test]
    fn quantities_have_units() {
        assert_eq!(bytes("256Mi"), Ok(256 << 20));
        assert_eq!(bytes("1G"), Ok(1_000_000_000));
        assert_eq!(bytes("512"), Ok(512));
        assert!(bytes("12X").is_err());
    }
}
