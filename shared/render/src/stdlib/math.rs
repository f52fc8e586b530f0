//! Elementary functions, of a library rather than of the C library at hand: the same program has the same bytes on every machine. Pure.

pub(super) use libm::{acos, asin, atan, atan2, cos, exp, frexp, log, sin, tan};

/// As go-jsonnet defines it.
pub(super) fn log2(x: f64) -> f64 {
    log(x) / log(2.0)
}

/// As go-jsonnet defines it.
pub(super) fn log10(x: f64) -> f64 {
    log(x) / log(10.0)
}

/// The longest side of a right triangle, with a ratio so that no square overflows.
pub(super) fn hypot(x: f64, y: f64) -> f64 {
    let (short, long) = (x.abs().min(y.abs()), x.abs().max(y.abs()));
    let ratio = short / long;
    if long == 0.0 { 0.0 } else { long * (ratio * ratio + 1.0).sqrt() }
}

/// A power. A whole one is a product of squares, each rounded, which is what go-jsonnet answers; a nearer result would be another.
pub(super) fn pow(x: f64, y: f64) -> f64 {
    // From 2^31 on, whatever is not 1 or -1 has overflowed or vanished.
    if x == 0.0 || !x.is_finite() || y.fract() != 0.0 || y.abs() >= f64::from(i32::MAX) {
        return libm::pow(x, y);
    }
    // The exponent of two goes beside, so that no square on the way overflows.
    let (mut square, exponent) = frexp(x);
    let (mut square_exponent, mut product, mut product_exponent) = (i64::from(exponent), 1.0, 0_i64);
    #[allow(clippy::cast_possible_truncation, reason = "whole, and below 2^31")]
    let mut left = y.abs() as i32;
    while left > 0 {
        if left % 2 == 1 {
            product *= square;
            product_exponent += square_exponent;
        }
        let (fraction, more) = frexp(square * square);
        square = fraction;
        square_exponent = 2 * square_exponent + i64::from(more);
        left /= 2;
    }
    if y < 0.0 {
        (product, product_exponent) = (1.0 / product, -product_exponent);
    }
    // Any power beyond these is infinite or nothing.
    libm::ldexp(product, i32::try_from(product_exponent.clamp(-5_000, 5_000)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_and_logarithms_of_whole_numbers_are_whole() {
        assert_eq!([log2(8.0), log10(1000.0)].map(f64::round), [3.0, 3.0]);
        assert_eq!([pow(2.0, 10.0), pow(10.0, 15.0), pow(-3.0, 3.0), pow(5.0, -1.0)], [1024.0, 1e15, -27.0, 0.2]);
    }

    #[test]
    fn powers_at_the_ends_of_numbers() {
        assert_eq!([pow(2.0, 1023.0), pow(2.0, -1074.0)], [2_f64.powi(1023), f64::from_bits(1)]);
        assert_eq!([pow(10.0, 400.0), pow(-10.0, 401.0), pow(10.0, -400.0)], [f64::INFINITY, f64::NEG_INFINITY, 0.0]);
        assert_eq!([pow(0.0, 0.0), pow(0.0, -1.0), pow(1.0, 1e300), pow(-1.0, 2e9)], [1.0, f64::INFINITY, 1.0, 1.0]);
        assert!(pow(-8.0, 1.0 / 3.0).is_nan());
    }

    #[test]
    fn a_long_side_of_two_does_not_overflow() {
        assert_eq!([hypot(3.0, -4.0), hypot(0.0, 0.0), hypot(3e300, 4e300)], [5.0, 0.0, 5e300]);
    }
}
