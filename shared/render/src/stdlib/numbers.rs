//! Functions of numbers.

use jrsonnet_evaluator::function::builtin;
use jrsonnet_evaluator::{ObjValueBuilder, Result, Val};

use super::math;

pub(super) fn register(library: &mut ObjValueBuilder) {
    library
        .method("abs", abs {})
        .method("max", max {})
        .method("min", min {})
        .method("clamp", clamp {})
        .method("mantissa", mantissa {})
        .method("exponent", exponent {})
        .method("isEven", is_even {})
        .method("isOdd", is_odd {})
        .method("isInteger", is_integer {})
        .method("isDecimal", is_decimal {})
        .method("log", log {})
        .method("log2", log2 {})
        .method("log10", log10 {})
        .method("exp", exp {})
        .method("pow", pow {})
        .method("sin", sin {})
        .method("cos", cos {})
        .method("tan", tan {})
        .method("asin", asin {})
        .method("acos", acos {})
        .method("atan", atan {})
        .method("atan2", atan2 {})
        .method("hypot", hypot {})
        .method("deg2rad", deg2rad {})
        .method("rad2deg", rad2deg {});
}

/// Of zero it is negative zero.
#[builtin]
fn abs(n: f64) -> f64 {
    if n > 0.0 { n } else { -n }
}

#[builtin]
fn max(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

#[builtin]
fn min(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

#[builtin]
#[allow(non_snake_case, reason = "programs may name the arguments")]
fn clamp(x: Val, minVal: Val, maxVal: Val) -> Result<Val> {
    if Val::try_cmp(&x, &minVal)?.is_lt() {
        return Ok(minVal);
    }
    Ok(if Val::try_cmp(&x, &maxVal)?.is_gt() { maxVal } else { x })
}

#[builtin]
fn mantissa(x: f64) -> f64 {
    math::frexp(x).0
}

#[builtin]
fn exponent(x: f64) -> f64 {
    f64::from(math::frexp(x).1)
}

#[builtin]
fn is_even(x: f64) -> bool {
    x.trunc() % 2.0 == 0.0
}

#[builtin]
fn is_odd(x: f64) -> bool {
    x.trunc() % 2.0 != 0.0
}

#[builtin]
fn is_integer(x: f64) -> bool {
    x.fract() == 0.0
}

#[builtin]
fn is_decimal(x: f64) -> bool {
    x.fract() != 0.0
}

#[builtin]
fn log(x: f64) -> f64 {
    math::log(x)
}

#[builtin]
fn log2(x: f64) -> f64 {
    math::log2(x)
}

#[builtin]
fn log10(x: f64) -> f64 {
    math::log10(x)
}

#[builtin]
fn exp(x: f64) -> f64 {
    math::exp(x)
}

#[builtin]
fn pow(x: f64, n: f64) -> f64 {
    math::pow(x, n)
}

#[builtin]
fn sin(x: f64) -> f64 {
    math::sin(x)
}

#[builtin]
fn cos(x: f64) -> f64 {
    math::cos(x)
}

#[builtin]
fn tan(x: f64) -> f64 {
    math::tan(x)
}

#[builtin]
fn asin(x: f64) -> f64 {
    math::asin(x)
}

#[builtin]
fn acos(x: f64) -> f64 {
    math::acos(x)
}

#[builtin]
fn atan(x: f64) -> f64 {
    math::atan(x)
}

#[builtin]
fn atan2(y: f64, x: f64) -> f64 {
    math::atan2(y, x)
}

#[builtin]
fn hypot(x: f64, y: f64) -> f64 {
    math::hypot(x, y)
}

#[builtin]
fn deg2rad(x: f64) -> f64 {
    x * std::f64::consts::PI / 180.0
}

#[builtin]
fn rad2deg(x: f64) -> f64 {
    x * 180.0 / std::f64::consts::PI
}
