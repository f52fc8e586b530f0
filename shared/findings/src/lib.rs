//! What can be wrong with an installation: facts in, findings out. Pure.
//!
//! [`registry`] is the one table of codes. [`facts`] says what a program may have learned, and what it could not learn and why.
//! [`evaluate`] runs every check over the facts; [`triage`] says where to begin. Whoever gathers facts or shows findings brings its
//! own client and its own screen.

pub mod causes;
pub mod code;
pub mod document;
mod evaluate;
pub mod facts;
pub mod finding;
pub mod known;
pub mod page;
pub mod registry;
mod rules;
pub mod size;
mod triage;

pub use code::{Area, Code, Severity};
pub use document::{Document, schema};
pub use evaluate::{Diagnosis, evaluate};
pub use facts::Facts;
pub use finding::{Check, Command, Danger, Evidence, Finding, State, Subject};
pub use known::{Known, Obstacle, Why};
pub use triage::{COMMAND_LIMIT, Root, Triage, triage};
