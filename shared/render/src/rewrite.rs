//! Rewrites what the engine reads other than go-jsonnet does, before it is read. Pure.
//!
//! Every line stays where it is, so that positions in diagnostics hold; comments and strings stay as long as they are.

mod comments;
mod escapes;
mod signs;

use std::borrow::Cow;

pub(crate) use escapes::without as without_escapes;

/// `code` as the engine must see it.
pub(crate) fn rewrite(code: &[u8]) -> Cow<'_, [u8]> {
    then(then(comments::rewrite(code), escapes::rewrite), signs::rewrite)
}

fn then(code: Cow<'_, [u8]>, step: fn(&[u8]) -> Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    match code {
        Cow::Borrowed(code) => step(code),
        Cow::Owned(code) => Cow::Owned(step(&code).into_owned()),
    }
}

/// Whether the engine would read `code` wrongly as it is.
pub(crate) fn misread(code: &[u8]) -> bool {
    matches!(rewrite(code), Cow::Owned(_))
}
