//! The servers: artifacts, probes, metrics. Routes are warp filters; the accept loop is ours, since warp's has neither time-outs
//! nor a limit for connections nor a deadline for draining.

pub mod artifact;
pub mod listener;
pub mod metrics;
pub mod path;
pub mod probe;
