//! The operator's image, written without a container engine and without a base image.
//!
//! What is in it is known file by file: the operator, the shared libraries that it links ([`libraries`], each pinned by its digest in
//! `libraries.lock`), the certificate authorities of a pinned crate, the definitions that the operator itself prints, and the few
//! files that name its user ([`root`]). The same inputs give the same digest on every machine: [`layer`] writes no time, no owner of
//! the builder's, and no order that a file system chose, and [`compile`] makes the same program of the same sources. [`layout`] is the form of the OCI image specification in which registries,
//! `skopeo` and container engines take it.

pub mod compile;
pub mod layer;
pub mod layout;
pub mod libraries;
pub mod root;
pub mod seed;

/// User and group of the process, the numbers that the chart's Pods ask for.
pub const USER: u64 = 12345;
/// Where the operator is.
pub const PROGRAM: &str = "usr/bin/jaas-operator";
