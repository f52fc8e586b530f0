//! The operator: watches snippets, renders them, publishes the result as Flux ExternalArtifacts and serves the bytes.
//!
//! The folder list is the order of work. [`config`] turns what was typed into what is meant, [`app`] builds everything once,
//! [`controller`] feeds [`snippet`], whose files are the steps of one reconcile: observe, check, gather, fingerprint, evaluate,
//! publish, report; or withdraw. [`artifacts`] knows which files must exist and brings back those that do not, [`http`] serves
//! them, [`renderer`] renders files of this machine for whoever asks, [`admin`] lets a person on call look and repair,
//! [`admission`] refuses at once what a reconcile would refuse later. Effects on the API server live in [`cluster`] alone.

pub mod admin;
pub mod admission;
pub mod app;
pub mod artifacts;
pub mod capacity;
pub mod cleanup;
pub mod cluster;
pub mod config;
pub mod controller;
pub mod fair;
pub mod generate;
pub mod graph;
pub mod http;
pub mod leadership;
pub mod library;
pub mod look;
pub mod mounted;
pub mod quota;
pub mod renderer;
pub mod shutdown;
pub mod snippet;
pub mod source;
pub mod telemetry;
