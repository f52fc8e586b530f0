//! Bytes as people read them. Pure.

/// At most four characters and a unit of 1024.
pub(crate) fn words(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Sizes of stores are far below the 2^53 that f64 holds exactly.
    let mut value = bytes as f64 / 1024.0;
    for unit in UNITS {
        // Rounding must not give 1024.0 of one unit.
        if value < 1023.95 || unit == "Ei" {
            return if value < 99.95 { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") };
        }
        value /= 1024.0;
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0Ki"),
            (1536, "1.5Ki"),
            (1 << 20, "1.0Mi"),
            ((1 << 20) - 1, "1.0Mi"),
            (10 << 30, "10.0Gi"),
            (500 << 20, "500Mi"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(words(bytes), expected);
        }
    }
}
