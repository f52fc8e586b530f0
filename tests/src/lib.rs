//! Harness of the tests and the demo: a real control plane, the real operator, a real consumer.
//!
//! Whatever is started here ends with the test, and listens on loopback only.

pub mod apiproxy;
pub mod cluster;
pub mod controlplane;
pub mod environment;
pub mod flux;
pub mod hostile;
pub mod http;
pub mod jsonnet;
pub mod kubectl;
pub mod kubelet;
pub mod manifests;
pub mod namespace;
pub mod network;
pub mod operator;
pub mod ports;
pub mod programs;
pub mod rbac;
mod readiness;
pub mod renderer;
pub mod runner;
pub mod s3;
pub mod schema;
pub mod supervisor;
pub mod terminal;
pub mod upstream;
pub mod wait;
