//! The renderer against go-jsonnet, whose bytes it promises: its own test data, programs of ours, generated programs, real libraries.
//!
//! Every difference that is known is in a list with its cause, and a test keeps that list exact: one that goes away turns it red as one
//! that appears does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod comments;
mod corpus;
mod engines;
mod fuzz;
mod generate;
mod known;
mod mixins;
mod testdata;
