//! A writer that flushes nothing, as proof that the cuts cut.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::task::JoinHandle;

use super::artifacts::Pool;
use super::disk::Disk;

/// Time between two files, so that the volume does not fill.
const PAUSE: Duration = Duration::from_millis(1);

/// What became of the files that a cut met.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Harm {
    /// Cuts after which something was wrong.
    pub(super) cuts: u64,
    files: u64,
    lost: u64,
    damaged: u64,
}

impl Harm {
    /// Adds that of a further cut.
    pub(super) fn add(&mut self, other: Self) {
        self.cuts += other.cuts;
        self.files += other.files;
        self.lost += other.lost;
        self.damaged += other.damaged;
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cuts, files, lost, damaged } = self;
        write!(f, "control: harmed by {cuts} cuts, {lost} lost and {damaged} damaged of {files} files")
    }
}

/// A file that was written and renamed, without an error.
#[derive(Clone, Debug)]
pub(super) struct Written {
    name: String,
    bytes: Vec<u8>,
}

/// The writer at work.
#[derive(Debug)]
pub(super) struct Naive {
    stop: Arc<AtomicBool>,
    writer: JoinHandle<Vec<Written>>,
}

impl Naive {
    /// Begins to write, beside the store. `round` makes the names and the draws those of this cut.
    pub(super) fn start(disk: &Disk, pool: &Arc<Pool>, round: u64) -> Self {
        let (folder, pool, stop) = (folder(disk), Arc::clone(pool), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let writer = tokio::task::spawn_blocking(move || {
            let mut rng = StdRng::seed_from_u64(round);
            let mut written = Vec::new();
            while !stopped.load(Ordering::Acquire) {
                let name = format!("{round}-{}", written.len());
                let bytes = &pool.any(&mut rng).bytes;
                // A prefix of at most 64 KiB: what is written is not read as an artifact.
                let bytes = bytes[..bytes.len().min(64 << 10)].to_vec();
                if write(&folder, &name, &bytes).is_err() {
                    break;
                }
                written.push(Written { name, bytes });
                std::thread::sleep(PAUSE);
            }
            written
        });
        Self { stop, writer }
    }

    /// What was written until the cut.
    pub(super) async fn stop(mut self) -> Result<Vec<Written>> {
        self.stop.store(true, Ordering::Release);
        (&mut self.writer).await.context("writing without a flush")
    }
}

impl Drop for Naive {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

fn folder(disk: &Disk) -> PathBuf {
    disk.path().join("control")
}

/// Write, close, rename: atomic as long as there is power.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let temporary = folder.join(format!("{name}.tmp"));
    fs::write(&temporary, bytes)?;
    fs::rename(temporary, folder.join(name))
}

/// Looks for the files, and clears the place for the next cut.
pub(super) fn judge(disk: &Disk, written: &[Written]) -> Result<Harm> {
    let folder = folder(disk);
    let mut harm = Harm { files: written.len() as u64, ..Harm::default() };
    for Written { name, bytes } in written {
        match fs::read(folder.join(name)) {
            Ok(found) => harm.damaged += u64::from(found != *bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => harm.lost += 1,
            Err(error) => return Err(error).context("reading what was written without a flush"),
        }
    }
    harm.cuts = u64::from(harm.lost + harm.damaged > 0);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).context("removing the control's files"),
        _ => Ok(harm),
    }
}
