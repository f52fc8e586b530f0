//! Runs one request in the calling thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::RandomState;

use jrsonnet_evaluator::error::ErrorKind;
use jrsonnet_evaluator::function::FuncVal;
use jrsonnet_evaluator::stack::limit_stack_depth;
use jrsonnet_evaluator::tla::{TlaArg, apply_tla};
use jrsonnet_evaluator::{IStr, SourcePath, StackTraceElement, State, Thunk, Val, with_state};
use jrsonnet_gcmodule::collect_thread_cycles;

use crate::import::Tree;
use crate::location::Location;
use crate::manifest::{Path, Unwritable};
use crate::request::{Failure, Output, Rendered, Request, Variable};
use crate::stdlib::Library;
use crate::{diagnostic, kubernetes, manifest};

/// Names the engine and the writers of this crate. Whenever the bytes of any answer could change, this does.
pub const ENGINE: &str = "jrsonnet 0.5.0-pre98, writer 3";

/// The stack depth of go-jsonnet, for requests that set none.
const DEFAULT_STACK: u32 = 500;

/// Evaluates `request` in this thread. Costs a copy of all its files.
///
/// Neither time nor memory is limited, and a program can abort the whole process: by exhausting the memory, or the
/// stack of this thread, which should have 64 MiB. Only a process without any other duty may call this.
///
/// # Errors
/// `Evaluation` for a program the engine refuses, the others for a value that is not what the output asks for.
///
/// # Panics
/// For a handful of programs the engine panics.
pub fn evaluate(request: &Request) -> Result<Rendered, Failure> {
    evaluate_and(request.clone(), |outcome| outcome)
}

/// As [`evaluate`], without the copy. `deliver` is given the outcome before everything that the evaluation holds is freed, which takes
/// a seventh of the time for a document of a megabyte.
///
/// # Panics
/// As [`evaluate`].
pub fn evaluate_and<T>(request: Request, deliver: impl FnOnce(Result<Rendered, Failure>) -> T) -> T {
    let delivered = render(request, deliver);
    // The engine never frees values that refer to each other on its own.
    collect_thread_cycles();
    delivered
}

fn render<T>(request: Request, deliver: impl FnOnce(Result<Rendered, Failure>) -> T) -> T {
    let label = request.label.clone();
    if !request.files.contains_key(&request.entry) {
        return deliver(Err(Failure::Evaluation(format!("entry file {:?} does not exist", request.entry))));
    }
    let depth = if request.max_stack == 0 { DEFAULT_STACK } else { request.max_stack };
    let _depth = limit_stack_depth(usize::try_from(depth).unwrap_or(usize::MAX));
    let output = request.output;
    let program = Program::new(request);
    let _entered = program.state.enter();
    let value = program.value();
    let written = match value {
        Ok(ref value) => write(value, output),
        Err(error) => Err(Unwritable::from(error)),
    };
    deliver(written.unwrap_or_else(|unwritable| Err(Failure::Evaluation(unwritable.describe(&label)))))
}

fn write(value: &Val, output: Output) -> Result<Result<Rendered, Failure>, Unwritable> {
    let rendered = match output {
        Output::Json => Ok((manifest::json(value)?, None)),
        Output::Manifests { allow_empty } => {
            kubernetes::manifests(value, allow_empty)?.map(|(stream, objects)| (stream, Some(objects)))
        }
    };
    Ok(rendered.map(|(text, objects)| Rendered { bytes: text.into_bytes(), objects }))
}

impl Unwritable {
    fn describe(mut self, label: &str) -> String {
        if !self.inside_out.is_empty() {
            self.inside_out.reverse();
            self.error
                .trace_mut()
                .0
                .push(StackTraceElement { location: None, desc: format!("while writing {}", Path(&self.inside_out)) });
        }
        diagnostic::describe(&self.error, label)
    }
}

/// A request in the terms of the engine.
struct Program {
    state: State,
    entry: SourcePath,
    /// In the order of their names.
    arguments: Vec<(IStr, TlaArg)>,
}

impl Program {
    fn new(request: Request) -> Self {
        let mut fragments = BTreeMap::new();
        let variables = bind("extvar", request.external_variables, &mut fragments);
        let arguments = bind("top-level-arg", request.top_level_arguments, &mut fragments);
        let tree = Tree {
            entry: request.entry,
            label: request.label,
            files: request.files,
            libraries: request.libraries,
            fragments,
            misread: RefCell::default(),
        };
        let entry = tree.entry();
        let library = Library::new(variables);
        let mut state = State::builder();
        state.import_resolver(tree).context_initializer(library);
        Self { state: state.build(), entry, arguments }
    }

    /// The value of the entry file, called if it is a function.
    fn value(&self) -> jrsonnet_evaluator::Result<Val> {
        let value = self.state.import_resolved(self.entry.clone())?;
        if let Val::Func(function) = &value {
            // The engine replaces `function(config) config` by a function whose parameter has another name.
            if let (true, [(_, argument)]) = (function.is_identity(), self.arguments.as_slice()) {
                return argument.evaluate_tailstrict();
            }
            self.accept(function)?;
        }
        apply_tla::<RandomState>(&self.arguments.iter().cloned().collect(), value)
    }

    /// Refuses arguments that do not fit, in the order of their names; the engine checks them in random order.
    fn accept(&self, function: &FuncVal) -> jrsonnet_evaluator::Result<()> {
        let parameters = function.params();
        let is_parameter = |name: &IStr| parameters.iter().any(|parameter| parameter.name() == name);
        if let Some((unknown, _)) = self.arguments.iter().find(|(name, _)| !is_parameter(name)) {
            return Err(ErrorKind::UnknownFunctionParameter(unknown.clone()).into());
        }
        let missing = parameters.iter().find(|parameter| {
            !parameter.has_default() && !self.arguments.iter().any(|(name, _)| parameter.name() == name)
        });
        match missing {
            Some(missing) => {
                Err(ErrorKind::FunctionParameterNotBoundInCall(missing.name().clone(), parameters.clone()).into())
            }
            None => Ok(()),
        }
    }
}

/// The variables as the engine takes them; code is kept in `fragments`, where its location leads to.
fn bind(
    kind: &str,
    variables: BTreeMap<String, Variable>,
    fragments: &mut BTreeMap<String, String>,
) -> Vec<(IStr, TlaArg)> {
    variables
        .into_iter()
        .map(|(name, variable)| {
            let value = match variable {
                Variable::Text(text) => TlaArg::String(text.as_str().into()),
                Variable::Code(code) => {
                    let shown = format!("<{kind}:{name}>");
                    fragments.insert(shown.clone(), code);
                    let source = Location::Fragment(shown).into_source();
                    TlaArg::Lazy(Thunk!(move || with_state(|state| state.import_resolved(source))))
                }
            };
            (name.as_str().into(), value)
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests;
