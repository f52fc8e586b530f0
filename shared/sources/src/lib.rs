//! Files that come from Flux sources: what an object's status says, who may be asked for it, and what an archive holds. Pure.
//!
//! [`upstream`] reads a source's status. [`hosts`] and [`address`] judge where its URL leads, before and after names are resolved.
//! [`digest`] proves the bytes. [`archive`] takes the files out of them, in memory and within [`archive::Limits`], so that a hostile
//! archive costs a bounded amount of both memory and time.

pub mod address;
pub mod archive;
pub mod digest;
pub mod folder;
pub mod hosts;
pub mod upstream;

pub use archive::{ArchiveError, Files, Limits};
pub use digest::SourceDigest;
pub use folder::Folder;
pub use hosts::Hosts;
pub use upstream::{NotUsable, Upstream};
