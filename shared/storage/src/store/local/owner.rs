//! The mark of the installation that a directory belongs to, and the questions whether the directory is there and works.

use std::io::{self, Read, Write};
use std::time::Instant;

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};

use super::directory::{Root, open_file, remove_file, sync};
use crate::store::owner::{LIMIT, NAME, Step, decide};
use crate::store::{Capabilities, Claim, Health, OwnerMark, StoreError};

/// Mode of the mark.
const MODE: u32 = 0o644;
/// Another claim that comes between reading and creating is read again this often.
const ATTEMPTS: usize = 3;

/// See [`crate::store::Store::read_owner`].
pub(super) fn read(root: &Root) -> Result<Option<OwnerMark>, StoreError> {
    let failed = |error| root.failed("reading", NAME, None, error);
    let Some(file) = open_file(&root.dir(), NAME).map_err(failed)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(LIMIT).read_to_end(&mut bytes).map_err(failed)?;
    OwnerMark::read(&bytes, &root.shown(NAME), StoreError::local).map(Some)
}

/// See [`crate::store::Store::claim`].
pub(super) fn claim(root: &Root, mark: &OwnerMark, take_over: bool) -> Result<Claim, StoreError> {
    let failed = |error| root.failed("writing", NAME, None, error);
    root.revive().map_err(failed)?;
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..ATTEMPTS {
        let step = decide(read(root), mark, take_over)?;
        let written = match &step {
            Step::Answer(_) => Ok(()),
            Step::Create => write(&root.dir(), &mark.to_bytes(), |dir, temporary| {
                // What is there and is no file is no mark, but only a person may say so.
                if take_over {
                    return dir.rename(temporary, dir, NAME);
                }
                // Unlike a rename, a link never takes the place of what is there.
                dir.hard_link(temporary, dir, NAME)?;
                remove_file(dir, temporary)
            }),
            Step::Overwrite(_) => {
                write(&root.dir(), &mark.to_bytes(), |dir, temporary| dir.rename(temporary, dir, NAME))
            }
        };
        match (written, step) {
            (Ok(()), Step::Create) => return Ok(Claim::Claimed),
            (Ok(()), Step::Answer(claim) | Step::Overwrite(claim)) => return Ok(claim),
            (Err(error), Step::Create) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            (Err(error), _) => return Err(failed(error)),
        }
    }
    Err(failed(last))
}

/// Writes a temporary file, durable, and gives it its name by `place`. What a sweep takes for dead in the instant before it is
/// locked is written again.
fn write(dir: &Dir, bytes: &[u8], place: impl Fn(&Dir, &str) -> io::Result<()>) -> io::Result<()> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for _ in 0..ATTEMPTS {
        match write_once(dir, bytes, &place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => last = error,
            other => return other,
        }
    }
    Err(last)
}

fn write_once(dir: &Dir, bytes: &[u8], place: impl Fn(&Dir, &str) -> io::Result<()>) -> io::Result<()> {
    let temporary = format!("{NAME}.{:016x}.tmp", rand::random::<u64>());
    let attempt = || {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(MODE);
        let mut file = dir.open_with(&temporary, &options)?.into_std();
        // As for artifacts: a file whose lock can be had is a dead writer's.
        let _ = file.try_lock();
        if std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        if file.metadata()?.len() != bytes.len() as u64 {
            return Err(io::Error::other("the file is shorter than what was written"));
        }
        place(dir, &temporary)?;
        sync(dir)
    };
    attempt().inspect_err(|_| {
        // The cause is what counts; a left-over goes with the next sweep.
        let _ = remove_file(dir, &temporary);
    })
}

/// See [`crate::store::Store::check`].
pub(super) fn check(root: &Root) -> Result<Health, StoreError> {
    let begun = Instant::now();
    let asked = root.revive().and_then(|()| root.volume());
    asked.map_err(|error| root.failed("checking", "", None, error))?;
    Ok(health(root, begun))
}

/// See [`crate::store::Store::probe`].
pub(super) fn probe(root: &Root) -> Result<Health, StoreError> {
    let begun = Instant::now();
    let asked = root.revive().and_then(|()| write(&root.dir(), b"probe\n", remove_file));
    asked.map_err(|error| root.failed("probing", "", None, error))?;
    Ok(health(root, begun))
}

fn health(root: &Root, begun: Instant) -> Health {
    let capabilities = Capabilities { create_only: Some(true), missing_is_told: Some(true), ..Capabilities::default() };
    Health { place: root.shown(""), latency: begun.elapsed(), capabilities }
}
