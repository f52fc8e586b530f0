//! Files from Flux sources.
//!
//! [`watch`] knows what sources announce and whom that wakes. [`mod@resolve`] reads one as the tenant, [`fetch`] downloads what it announces
//! under the rules for hosts, and [`shelf`] keeps downloads and unpacked trees, so that many snippets on one source cost one of each.

pub mod fetch;
pub mod resolve;
pub mod shelf;
pub mod watch;

pub use resolve::{Fetched, resolve};
pub use shelf::Shelf;
