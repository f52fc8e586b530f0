//! Artifacts and the store that keeps them. Knows nothing of Kubernetes.
//!
//! [`artifact`] is pure: files in, the bytes and the identity of an artifact out. [`store`] states what a store
//! guarantees; [`store::local`] keeps artifacts in a directory, [`store::s3`] in a bucket.

pub mod artifact;
pub mod store;

pub use artifact::{Content, Digest, Entries, Revision};
pub use store::cached::Cached;
pub use store::local::{LocalOptions, LocalStore};
pub use store::metered::Metered;
pub use store::s3::{ExpiryRule, S3Credentials, S3Options, S3Store, S3Timeouts};
pub use store::timed::{Deadlines, Timed};
pub use store::{Key, Presence, Store};
