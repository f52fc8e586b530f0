//! The standard library as go-jsonnet 0.22 has it.
//!
//! The engine brings one of its own. Functions that answer something else there are replaced here; all others are the engine's.

mod arrays;
mod equality;
mod math;
mod numbers;
mod plain;
mod text;
mod toml;
mod written;
mod yaml;

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use jrsonnet_evaluator::function::CallLocation;
use jrsonnet_evaluator::tla::TlaArg;
use jrsonnet_evaluator::trace::PathResolver;
use jrsonnet_evaluator::{
    ContextInitializer, IStr, InitialContextBuilder, ObjValue, ObjValueBuilder, Source, Thunk, Val,
};
use jrsonnet_gcmodule::{Acyclic, Cc, Trace};
use jrsonnet_stdlib::{Settings, TracePrinter, stdlib_uncached};

/// `std` for every source of one evaluation.
#[derive(Trace)]
pub(crate) struct Library {
    /// Without `thisFile`, which is another one in each source.
    shared: ObjValue,
}

impl Library {
    /// With what `std.extVar` answers.
    pub(crate) fn new(external_variables: Vec<(IStr, TlaArg)>) -> Self {
        let settings = Settings {
            ext_vars: external_variables.into_iter().collect(),
            ext_natives: HashMap::new(),
            trace_printer: Rc::new(Silence),
            path_resolver: PathResolver::FileName,
        };
        let mut replaced = ObjValueBuilder::new();
        replaced.with_super(stdlib_uncached(Cc::new(RefCell::new(settings))));
        numbers::register(&mut replaced);
        text::register(&mut replaced);
        written::register(&mut replaced);
        arrays::register(&mut replaced);
        equality::register(&mut replaced);
        Self { shared: replaced.build() }
    }
}

impl ContextInitializer for Library {
    fn populate(&self, source: Source, context: &mut InitialContextBuilder) {
        let mut library = ObjValueBuilder::new();
        library.with_super(self.shared.clone());
        library.field("thisFile").hide().value(source.source_path().to_string());
        context.bind("std", Thunk::evaluated(Val::Obj(library.build())));
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `std.trace` is for the author of a program at a terminal; here its text would reach the log of the operator.
#[derive(Acyclic)]
struct Silence;

impl TracePrinter for Silence {
    fn print_trace(&self, _: CallLocation<'_>, _: IStr) {}
}

/// The error that a function answers.
fn refuse(message: impl Into<String>) -> jrsonnet_evaluator::Error {
    let message: String = message.into();
    jrsonnet_evaluator::error::ErrorKind::RuntimeError(message.into()).into()
}

#[cfg(test)]
mod tests;
