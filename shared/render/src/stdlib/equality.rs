//! Functions that compare values, exactly: the engine takes numbers that are near each other for equal.
//!
//! The operators `==` and `!=` are the engine's.

use std::cmp::Ordering;

use jrsonnet_evaluator::function::{FuncVal, NativeFn, builtin};
use jrsonnet_evaluator::val::{ArrValue, IndexableVal};
use jrsonnet_evaluator::{ObjValueBuilder, Result, Thunk, Val, ensure_sufficient_stack};

use jrsonnet_stdlib::builtin_sort;

use super::{arrays, refuse};

pub(super) fn register(library: &mut ObjValueBuilder) {
    library
        .method("equals", std_equals {})
        .method("primitiveEquals", primitive_equals {})
        .method("member", member {})
        .method("contains", contains {})
        .method("count", count {})
        .method("find", find {})
        .method("uniq", uniq {})
        .method("set", set {})
        .method("setMember", set_member {})
        .method("remove", remove {});
}

#[builtin]
fn std_equals(x: Val, y: Val) -> Result<bool> {
    equals(&x, &y)
}

#[builtin]
fn primitive_equals(x: Val, y: Val) -> Result<bool> {
    match (&x, &y) {
        (Val::Arr(_), Val::Arr(_)) | (Val::Obj(_), Val::Obj(_)) => {
            Err(refuse(format!("primitiveEquals operates on primitive types, got {}", x.value_type().name())))
        }
        _ => equals(&x, &y),
    }
}

fn equals(left: &Val, right: &Val) -> Result<bool> {
    match (left, right) {
        (Val::Null, Val::Null) => Ok(true),
        (Val::Bool(left), Val::Bool(right)) => Ok(left == right),
        #[allow(clippy::float_cmp, reason = "exactly")]
        (Val::Num(left), Val::Num(right)) => Ok(left.get() == right.get()),
        (Val::Str(left), Val::Str(right)) => Ok(left == right),
        (Val::Func(_), Val::Func(_)) => Err(refuse("cannot test equality of functions")),
        (Val::Arr(left), Val::Arr(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.iter().zip(right.iter()) {
                let (left, right) = (left?, right?);
                if !ensure_sufficient_stack(|| equals(&left, &right))? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Val::Obj(left), Val::Obj(right)) => {
            let names = left.fields();
            if names != right.fields() {
                return Ok(false);
            }
            for name in names {
                let (left, right) = (left.get_or_bail(name.clone())?, right.get_or_bail(name)?);
                if !ensure_sufficient_stack(|| equals(&left, &right))? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

#[builtin]
fn member(arr: IndexableVal, x: Val) -> Result<bool> {
    match arr {
        IndexableVal::Str(text) => match x {
            Val::Str(x) => Ok(text.contains(&x.to_string())),
            other => Err(refuse(format!("expected string, got {}", other.value_type().name()))),
        },
        IndexableVal::Arr(elements) => Ok(first(&elements, &x)?.is_some()),
    }
}

#[builtin]
fn contains(arr: ArrValue, elem: Val) -> Result<bool> {
    Ok(first(&arr, &elem)?.is_some())
}

fn first(elements: &ArrValue, wanted: &Val) -> Result<Option<u32>> {
    for (index, element) in (0..).zip(elements.iter()) {
        if equals(&element?, wanted)? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// In an empty array nothing is looked for, so what it would be is not evaluated.
#[builtin]
fn count(arr: ArrValue, x: Thunk<Val>) -> Result<usize> {
    Ok(all(&arr, &x)?.len())
}

#[builtin]
fn find(value: Thunk<Val>, arr: ArrValue) -> Result<ArrValue> {
    Ok(ArrValue::new(all(&arr, &value)?))
}

fn all(elements: &ArrValue, wanted: &Thunk<Val>) -> Result<Vec<Val>> {
    let mut found = Vec::new();
    for (index, element) in (0_u32..).zip(elements.iter()) {
        if equals(&element?, &wanted.evaluate()?)? {
            found.push(Val::num(index));
        }
    }
    Ok(found)
}

#[builtin]
fn remove(arr: ArrValue, elem: Val) -> Result<ArrValue> {
    match first(&arr, &elem)? {
        Some(index) => arrays::without(&arr, index),
        None => Ok(arr),
    }
}

#[builtin]
#[allow(non_snake_case, reason = "programs may name the arguments")]
fn uniq(arr: IndexableVal, keyF: Option<FuncVal>) -> Result<ArrValue> {
    distinct(&arr.to_array(), keyF)
}

#[builtin]
#[allow(non_snake_case, reason = "programs may name the arguments")]
fn set(arr: ArrValue, keyF: Option<FuncVal>) -> Result<ArrValue> {
    let sort = FuncVal::builtin(builtin_sort {});
    let sorted = match keyF.clone() {
        Some(key) => <NativeFn!((ArrValue, FuncVal) -> ArrValue)>::try_from(sort)?.call(arr, key)?,
        None => <NativeFn!((ArrValue) -> ArrValue)>::try_from(sort)?.call(arr)?,
    };
    distinct(&sorted, keyF)
}

/// Looks from the beginning, and no further than the first element that is greater: what comes of an array that is no set is what
/// go-jsonnet answers.
#[builtin]
#[allow(non_snake_case, reason = "programs may name the arguments")]
fn set_member(x: Thunk<Val>, arr: IndexableVal, keyF: Option<FuncVal>) -> Result<bool> {
    let arr = arr.to_array();
    let key = keyF.map(<NativeFn!((Thunk<Val>) -> Val)>::try_from).transpose()?;
    let key = |element: Thunk<Val>| match &key {
        Some(key) => key.call(element),
        None => element.evaluate(),
    };
    if arr.is_empty() {
        return Ok(false);
    }
    let wanted = key(x)?;
    for element in arr.iter_lazy() {
        match Val::try_cmp(&key(element)?, &wanted)? {
            Ordering::Less => {}
            Ordering::Equal => return Ok(true),
            Ordering::Greater => return Ok(false),
        }
    }
    Ok(false)
}

/// Without the elements whose key is that of the one before.
fn distinct(elements: &ArrValue, key: Option<FuncVal>) -> Result<ArrValue> {
    let key = key.map(<NativeFn!((Thunk<Val>) -> Val)>::try_from).transpose()?;
    let key = |element: &Thunk<Val>| match &key {
        Some(key) => key.call(element.clone()),
        None => element.evaluate(),
    };
    let (mut kept, mut before) = (Vec::new(), None::<Val>);
    for element in elements.iter_lazy() {
        // A single element is not compared with anything.
        if elements.len() > 1 {
            let found = key(&element)?;
            if let Some(before) = &before
                && equals(before, &found)?
            {
                continue;
            }
            before = Some(found);
        }
        kept.push(element);
    }
    Ok(ArrValue::new(kept))
}
