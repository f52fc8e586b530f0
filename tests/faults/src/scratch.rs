//! Directories for the time of a case.

use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

/// Memory that looks like a file system; a case then costs no writing to a disk.
const MEMORY: &str = "/dev/shm";

/// A directory that goes with its handle; in memory where the system has a place for that.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn directory() -> Result<TempDir> {
    let memory = Path::new(MEMORY);
    let made = if memory.is_dir() { TempDir::with_prefix_in("jaas-faults-", memory) } else { TempDir::new() };
    made.context("making a directory for a case")
}
