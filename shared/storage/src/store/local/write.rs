//! Makes artifacts durable.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};

use super::Inner;
use super::directory::{open_file, sync};
use super::listing;
use super::tally::{Refused, Room, charged};
use crate::artifact::{Content, Digest};
use crate::store::error::bytes_shown;
use crate::store::key::file_name;
use crate::store::listing::TEMPORARY;
use crate::store::{ErrorKind, Key, StoreError, Stored};

/// Mode of an artifact.
const FILE_MODE: u32 = 0o644;
/// What a sweep takes for dead or empty in the instant before it is used is made anew this often.
const ATTEMPTS: usize = 3;

/// See [`crate::store::Store::put`].
pub(super) fn put(inner: &Inner, key: &Key, content: &Content) -> Result<Stored, StoreError> {
    let revision = content.revision();
    let path = key.path(revision);
    let failed = |error| inner.root.failed("writing", &path, None, error);
    let name = file_name(revision);
    let _filling = inner.root.fill(key);
    let folder = inner.root.folder_or_create(key).map_err(failed)?;
    if let Some(found) = adopt(inner, &folder, &name, content).map_err(failed)? {
        return Ok(found);
    }
    let bytes = content.packed().map_err(failed)?;
    let size = bytes.len() as u64;
    let failed = |error| inner.root.failed("writing", &path, Some(size), error);
    let replaced = listing::charged_for(&folder, &name);
    let room = reserve(inner, &path, charged(size).saturating_sub(replaced))?;
    let written = match write_durably(&folder, &name, &bytes) {
        // The folder was empty for an instant, and went with a neighbour's removal.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            inner.root.folder_or_create(key).and_then(|folder| write_durably(&folder, &name, &bytes))
        }
        other => other,
    };
    let file = written.map_err(failed)?;
    let digest = Digest::of(&bytes);
    inner.verdicts.record(&file, revision, digest.clone()).map_err(failed)?;
    room.spend();
    inner.tally.release(replaced.saturating_sub(charged(size)));
    Ok(Stored { digest, size, written: true })
}

/// Room within the quota.
fn reserve<'a>(inner: &'a Inner, path: &str, needed: u64) -> Result<Room<'a>, StoreError> {
    let count = || listing::walk(&inner.root).map(|found| found.charged()).map_err(|(_, error)| error);
    inner.tally.reserve(needed, count).map_err(|refused| match refused {
        Refused::Unknown(error) => inner.root.failed("counting", path, None, error),
        Refused::Quota { used, quota } => {
            let free = inner.root.volume().map_or(0, |volume| volume.f_bavail * volume.f_frsize);
            let [needed, used, quota, free] = [needed, used, quota, free].map(bytes_shown);
            StoreError::local(ErrorKind::QuotaReached, "writing", inner.root.shown(path), "quota reached")
                .with_detail(format!("needs {needed}, {used} of {quota} used, {free} free on the volume"))
        }
    })
}

/// Takes over a file that is there, if its content is right. It may have been written by a process that died before it was
/// durable, so it is made so now.
fn adopt(inner: &Inner, folder: &Dir, name: &str, content: &Content) -> io::Result<Option<Stored>> {
    let Some(mut file) = open_file(folder, name)? else { return Ok(None) };
    let judged = inner.verdicts.judge(&mut file, content.revision());
    let (verdict, identity, _) = match judged {
        Ok(judged) => judged,
        // A file that cannot be read, or is too large to be one of ours, is replaced.
        Err(error) => {
            tracing::warn!(file = name, %error, "replacing an artifact that cannot be read");
            return Ok(None);
        }
    };
    if let Some(cause) = &verdict.damage {
        tracing::warn!(file = name, %cause, "replacing a damaged artifact");
        return Ok(None);
    }
    if !verdict.is_durable() {
        // After a failed sync the kernel may call the same pages clean; only another file can be trusted.
        if let Err(error) = file.sync_all() {
            tracing::warn!(file = name, %error, "replacing an artifact that cannot be made durable");
            return Ok(None);
        }
        sync(folder)?;
        verdict.set_durable();
    }
    Ok(Some(Stored { digest: verdict.digest.clone(), size: identity.size(), written: false }))
}

fn write_durably(folder: &Dir, name: &str, bytes: &[u8]) -> io::Result<File> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for _ in 0..ATTEMPTS {
        let temporary = temporary_name(name);
        match write_once(folder, name, &temporary, bytes) {
            Ok(file) => return Ok(file),
            Err(error) => {
                // The cause is what counts; a left-over goes with the next sweep.
                let _ = folder.remove_file(&temporary);
                if error.kind() != io::ErrorKind::NotFound {
                    return Err(error);
                }
                last = error;
            }
        }
    }
    Err(last)
}

fn write_once(folder: &Dir, name: &str, temporary: &str, bytes: &[u8]) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(FILE_MODE);
    let mut file = folder.open_with(temporary, &options)?.into_std();
    // A file system without locks is no reason not to write: there the sweep goes by age.
    let _ = file.try_lock();
    if file.metadata()?.nlink() == 0 {
        return Err(io::ErrorKind::NotFound.into());
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    if file.metadata()?.len() != bytes.len() as u64 {
        return Err(io::Error::other("the file is shorter than what was written"));
    }
    replace(folder, temporary, name)?;
    sync(folder)?;
    Ok(file)
}

/// Gives the file its name, in place of whatever has it.
fn replace(folder: &Dir, temporary: &str, name: &str) -> io::Result<()> {
    match folder.rename(temporary, folder, name) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            set_folder_aside(folder, name)?;
            folder.rename(temporary, folder, name)
        }
        other => other,
    }
}

/// Makes room for an artifact where a directory has its name.
pub(super) fn set_folder_aside(folder: &Dir, name: &str) -> io::Result<()> {
    let aside = format!("{name}.trash-{:016x}", rand::random::<u64>());
    tracing::warn!(file = name, %aside, "a directory has the name of an artifact; setting it aside");
    folder.rename(name, folder, &aside)
}

fn temporary_name(name: &str) -> String {
    let stem = name.strip_suffix(".tar.gz").unwrap_or(name);
    format!("{stem}.{:016x}{TEMPORARY}", rand::random::<u64>())
}
