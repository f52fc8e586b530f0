//! Artifacts and the store that keeps them. Knows nothing of Kubernetes.
//!
//! [`artifact`] is pure: files in, the bytes and the identity of an artifact out. [`store`] states what a store
//! guarantees; [`store::local`] keeps artifacts in a directory.

pub mod artifact;
pub mod store;

pub use artifact::{Content, Digest, Entries, Revision};
pub use store::local::LocalStore;
pub use store::{Key, Presence, Store};
