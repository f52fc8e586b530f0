//! Functions of arrays.

use jrsonnet_evaluator::function::{FuncVal, NativeFn, builtin};
use jrsonnet_evaluator::typed::BoundedUsize;
use jrsonnet_evaluator::val::{ArrValue, IndexableVal};
use jrsonnet_evaluator::{IStr, ObjValue, ObjValueBuilder, Result, Thunk, Val};

use jrsonnet_stdlib::builtin_make_array;

use super::{plain, refuse};

pub(super) fn register(library: &mut ObjValueBuilder) {
    library
        .method("sum", sum {})
        .method("avg", avg {})
        .method("join", join {})
        .method("makeArray", make_array {})
        .method("repeat", repeat {})
        .method("slice", slice {})
        .method("flatMap", flat_map {})
        .method("foldl", foldl {})
        .method("foldr", foldr {})
        .method("map", map {})
        .method("mapWithIndex", map_with_index {})
        .method("reverse", reverse {})
        .method("mapWithKey", map_with_key {})
        .method("objectKeysValues", object_keys_values {})
        .method("objectKeysValuesAll", object_keys_values_all {})
        .method("flattenArrays", flatten_arrays {})
        .method("removeAt", remove_at {})
        .method("mergePatch", merge_patch {});
}

#[builtin]
fn sum(arr: Vec<f64>) -> f64 {
    arr.iter().fold(0.0, |sum, number| sum + number)
}

#[builtin]
fn avg(arr: Vec<f64>) -> Result<f64> {
    if arr.is_empty() {
        return Err(refuse("cannot calculate the average of an empty array"));
    }
    #[allow(clippy::cast_precision_loss, reason = "no array is that long")]
    let length = arr.len() as f64;
    Ok(arr.iter().fold(0.0, |sum, number| sum + number) / length)
}

/// A size below zero stands for none.
#[builtin]
fn make_array(sz: i32, func: FuncVal) -> Result<ArrValue> {
    let Ok(size) = u32::try_from(sz) else { return Ok(ArrValue::empty()) };
    let engine = FuncVal::builtin(builtin_make_array {});
    <NativeFn!((u32, FuncVal) -> ArrValue)>::try_from(engine)?.call(size, func)
}

/// A count below zero stands for none. The engine's own array goes on for ever where it is indexed.
#[builtin]
fn repeat(what: IndexableVal, count: i32) -> IndexableVal {
    let count = usize::try_from(count).unwrap_or(0);
    match what {
        IndexableVal::Str(text) => IndexableVal::Str(text.repeat(count).into()),
        IndexableVal::Arr(elements) => {
            let repeated = (0..count).flat_map(|_| elements.iter_lazy());
            IndexableVal::Arr(ArrValue::new(repeated.collect::<Vec<_>>()))
        }
    }
}

/// Elements of its own: the engine's array shows what it was cut from where it is indexed beyond its end.
#[builtin]
fn slice(
    indexable: IndexableVal,
    index: Option<Option<i32>>,
    end: Option<Option<i32>>,
    step: Option<Option<BoundedUsize<1, { i32::MAX as usize }>>>,
) -> Result<IndexableVal> {
    match indexable.slice(index.flatten(), end.flatten(), step.flatten())? {
        IndexableVal::Arr(elements) => Ok(IndexableVal::Arr(ArrValue::new(elements.iter_lazy().collect::<Vec<_>>()))),
        text => Ok(text),
    }
}

/// Nothing that it joins is evaluated.
#[builtin]
fn join(sep: IndexableVal, arr: ArrValue) -> Result<IndexableVal> {
    match sep {
        IndexableVal::Str(separator) => {
            let mut pieces = Vec::new();
            for item in arr.iter() {
                match item? {
                    Val::Null => {}
                    Val::Str(piece) => pieces.push(piece.to_string()),
                    other => return Err(unexpected("string", &other)),
                }
            }
            Ok(IndexableVal::Str(pieces.join(&separator).into()))
        }
        IndexableVal::Arr(separator) => {
            let (mut joined, mut first) = (Vec::new(), true);
            for item in arr.iter() {
                match item? {
                    Val::Null => continue,
                    Val::Arr(piece) => {
                        if !first {
                            joined.extend(separator.iter_lazy());
                        }
                        joined.extend(piece.iter_lazy());
                    }
                    other => return Err(unexpected("array", &other)),
                }
                first = false;
            }
            Ok(IndexableVal::Arr(ArrValue::new(joined)))
        }
    }
}

fn unexpected(wanted: &str, found: &Val) -> jrsonnet_evaluator::Error {
    refuse(format!("expected {wanted}, got {}", found.value_type().name()))
}

type Unary = NativeFn!((Thunk<Val>) -> Val);

#[builtin]
fn flat_map(func: Unary, arr: IndexableVal) -> Result<IndexableVal> {
    match arr {
        IndexableVal::Str(text) => {
            let mut joined = String::new();
            for c in text.chars() {
                match func.call(Thunk::evaluated(Val::string(c)))? {
                    Val::Str(piece) => joined.push_str(&piece.to_string()),
                    other => return Err(unexpected("string", &other)),
                }
            }
            Ok(IndexableVal::Str(joined.into()))
        }
        IndexableVal::Arr(elements) => {
            let mut joined = Vec::new();
            for element in elements.iter_lazy() {
                match func.call(element)? {
                    Val::Arr(piece) => joined.extend(piece.iter_lazy()),
                    other => return Err(unexpected("array", &other)),
                }
            }
            Ok(IndexableVal::Arr(ArrValue::new(joined)))
        }
    }
}

type Binary = NativeFn!((Thunk<Val>, Thunk<Val>) -> Val);

#[builtin]
fn foldl(func: Binary, arr: IndexableVal, init: Val) -> Result<Val> {
    let mut folded = init;
    for element in arr.to_array().iter_lazy() {
        folded = func.call(Thunk::evaluated(folded), element)?;
    }
    Ok(folded)
}

#[builtin]
fn foldr(func: Binary, arr: IndexableVal, init: Val) -> Result<Val> {
    let mut folded = init;
    for element in arr.to_array().iter_lazy().rev() {
        folded = func.call(element, Thunk::evaluated(folded))?;
    }
    Ok(folded)
}

/// An element is evaluated where the function asks for it.
#[builtin]
fn map(func: Unary, arr: IndexableVal) -> ArrValue {
    let arr = arr.to_array();
    let mapped = arr.iter_lazy().map(|element| {
        let func = func.clone();
        Thunk!(move || func.call(element))
    });
    ArrValue::new(mapped.collect::<Vec<_>>())
}

type Indexed = NativeFn!((u32, Thunk<Val>) -> Val);

#[builtin]
fn map_with_index(func: Indexed, arr: IndexableVal) -> ArrValue {
    let arr = arr.to_array();
    let mapped = (0_u32..).zip(arr.iter_lazy()).map(|(index, element)| {
        let func = func.clone();
        Thunk!(move || func.call(index, element))
    });
    ArrValue::new(mapped.collect::<Vec<_>>())
}

/// The engine's own array counts below zero where it is indexed beyond its end.
#[builtin]
fn reverse(arr: ArrValue) -> ArrValue {
    ArrValue::new(arr.iter_lazy().rev().collect::<Vec<_>>())
}

type Keyed = NativeFn!((IStr, Thunk<Val>) -> Val);

#[builtin]
fn map_with_key(func: Keyed, obj: ObjValue) -> ObjValue {
    let mut mapped = ObjValueBuilder::new();
    for name in obj.fields() {
        let (func, key) = (func.clone(), name.clone());
        let value = obj.get_lazy_or_bail(name.clone());
        mapped.field(name).thunk(Thunk!(move || func.call(key, value)));
    }
    mapped.build()
}

/// No value is evaluated, nor is it by its key.
#[builtin]
fn object_keys_values(o: ObjValue) -> ArrValue {
    pairs(&o, false)
}

#[builtin]
fn object_keys_values_all(o: ObjValue) -> ArrValue {
    pairs(&o, true)
}

fn pairs(object: &ObjValue, include_hidden: bool) -> ArrValue {
    let pair = |key: IStr| {
        let mut pair = ObjValueBuilder::with_capacity(2);
        pair.field("value").thunk(object.get_lazy_or_bail(key.clone()));
        pair.field("key").value(Val::string(key));
        Val::Obj(pair.build())
    };
    ArrValue::new(object.fields_ex(include_hidden).into_iter().map(pair).collect::<Vec<_>>())
}

#[builtin]
fn remove_at(arr: ArrValue, i: u32) -> Result<ArrValue> {
    without(&arr, i)
}

pub(super) fn without(arr: &ArrValue, index: u32) -> Result<ArrValue> {
    if index >= arr.len() {
        return Err(refuse(format!("there is no element {index} in an array of {}", arr.len())));
    }
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    let kept = arr.iter_lazy().enumerate().filter(|(at, _)| *at != index).map(|(_, element)| element);
    Ok(ArrValue::new(kept.collect::<Vec<_>>()))
}

/// As `+` does it from left to right, so that a string makes a string of all before it.
#[builtin]
fn flatten_arrays(arrs: ArrValue) -> Result<IndexableVal> {
    let (mut elements, mut text) = (Vec::new(), None::<String>);
    for item in arrs.iter() {
        let item = item?;
        match (&mut text, &item) {
            (None, Val::Arr(piece)) => elements.extend(piece.iter_lazy()),
            (None, Val::Str(piece)) => {
                let before = Val::Arr(ArrValue::new(std::mem::take(&mut elements)));
                text = Some(plain::text(&before)? + &piece.to_string());
            }
            (Some(text), _) => text.push_str(&plain::text(&item)?),
            (None, other) => return Err(unexpected("array", other)),
        }
    }
    Ok(text.map_or_else(|| IndexableVal::Arr(ArrValue::new(elements)), |text| IndexableVal::Str(text.into())))
}

/// Hidden fields of either side are as if they were not there. A target that is replaced as a whole is not looked at; a field of it is.
#[builtin]
fn merge_patch(target: Thunk<Val>, patch: Val) -> Result<Val> {
    if matches!(patch, Val::Obj(_)) { merged(target.evaluate()?, patch) } else { Ok(patch) }
}

fn merged(target: Val, patch: Val) -> Result<Val> {
    let Val::Obj(patch) = patch else { return Ok(patch) };
    let target = target.as_obj().unwrap_or_else(ObjValue::empty);
    let mut result = ObjValueBuilder::new();
    for name in target.fields() {
        if !patch.has_field(name.clone()) {
            result.field(name.clone()).thunk(target.get_lazy_or_bail(name));
        }
    }
    for name in patch.fields() {
        let value = patch.get_or_bail(name.clone())?;
        if matches!(value, Val::Null) {
            continue;
        }
        let target = target.clone();
        result.field(name.clone()).thunk(Thunk!(move || {
            let before = if target.has_field(name.clone()) { target.get_or_bail(name)? } else { Val::Null };
            merged(before, value)
        }));
    }
    Ok(Val::Obj(result.build()))
}
