//! Evaluates Jsonnet to the bytes that get published.
//!
//! In: a [`Request`], which holds every byte the evaluation may see. Out: [`Rendered`] bytes, or the [`Failure`] that
//! evaluation itself answered. Nothing here touches the file system, the network or the environment for a program:
//! the same request yields the same answer anywhere.
//!
//! [`evaluate`] runs a program in the calling thread and can abort the whole process, because the engine can neither be
//! interrupted nor limited. A process that has anything else to do uses [`worker::Pool`], which runs it in a child.

mod budget;
pub mod collect;
mod diagnostic;
mod evaluate;
mod import;
mod kubernetes;
mod location;
mod manifest;
mod octets;
pub mod reach;
mod request;
mod rewrite;
mod stdlib;
mod token;
pub mod worker;

pub use crate::evaluate::{ENGINE, evaluate, evaluate_and};
pub use crate::request::{Failure, Output, Rendered, Request, Variable};
