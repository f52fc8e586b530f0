//! Judges what is on disk before anybody is told of it.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use moka::sync::Cache;

use super::directory::{Root, open_file};
use crate::artifact::{Digest, Revision};
use crate::store::key::file_name;
use crate::store::read::{Body, FILE_LIMIT, IN_MEMORY_LIMIT, Identity, damage_of};
use crate::store::{Key, Presence, Readable, StoreError};

/// How many verdicts are remembered. A forgotten one costs another reading of the file.
const REMEMBERED: u64 = 100_000;
/// What Linux says of a block that the device cannot read (errno 5).
const EIO: i32 = 5;

/// What was found out about files, for as long as they do not change.
#[derive(Debug)]
pub(super) struct Verdicts(Cache<(Identity, Revision), Arc<Verdict>>);

/// What one reading of a file told.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Digest of the bytes.
    pub(super) digest: Digest,
    /// Why the content is not what its name says, if so.
    pub(super) damage: Option<String>,
    /// Whether this process made file and name durable. Who wrote a file that is merely found may have died before that.
    durable: AtomicBool,
}

impl Verdict {
    /// Whether the artifact is known to survive a power cut.
    pub(super) fn is_durable(&self) -> bool {
        self.durable.load(Ordering::Acquire)
    }

    /// Notes that file and name were synced.
    pub(super) fn set_durable(&self) {
        self.durable.store(true, Ordering::Release);
    }
}

impl Verdicts {
    /// Nothing known yet.
    pub(super) fn new() -> Self {
        Self(Cache::new(REMEMBERED))
    }

    /// Judges an open file, reading it only if it was not judged in this state before.
    pub(super) fn judge(
        &self,
        file: &mut File,
        revision: &Revision,
    ) -> io::Result<(Arc<Verdict>, Identity, Option<Bytes>)> {
        let identity = Identity::of(file)?;
        match self.0.get(&(identity, revision.clone())) {
            Some(known) => Ok((known, identity, None)),
            None => self.judge_anew(file, revision),
        }
    }

    /// Judges an open file by reading it.
    fn judge_anew(&self, file: &mut File, revision: &Revision) -> io::Result<(Arc<Verdict>, Identity, Option<Bytes>)> {
        let identity = Identity::of(file)?;
        let bytes = match read_whole(file, identity) {
            Ok(bytes) => bytes,
            Err(error) => return Ok((Arc::new(unreadable(error)?), identity, None)),
        };
        let known = self.0.get(&(identity, revision.clone())).is_some_and(|known| known.is_durable());
        let verdict = Arc::new(verdict_on(&bytes, revision));
        if known {
            verdict.set_durable();
        }
        if Identity::of(file)? == identity {
            self.0.insert((identity, revision.clone()), Arc::clone(&verdict));
        }
        Ok((verdict, identity, Some(bytes)))
    }

    /// Forgets what was found out about a file in this state.
    fn forget(&self, identity: Identity, revision: &Revision) {
        self.0.invalidate(&(identity, revision.clone()));
    }

    /// Records what is known without a reading, because these very bytes were just written.
    pub(super) fn record(&self, file: &File, revision: &Revision, digest: Digest) -> io::Result<()> {
        let verdict = Arc::new(Verdict { digest, damage: None, durable: AtomicBool::new(true) });
        self.0.insert((Identity::of(file)?, revision.clone()), verdict);
        Ok(())
    }
}

fn read_whole(file: &mut File, identity: Identity) -> io::Result<Bytes> {
    if identity.size() > FILE_LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {FILE_LIMIT} bytes")));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(identity.size()).map_err(io::Error::other)?);
    file.take(FILE_LIMIT + 1).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// A file that cannot be read, or is no artifact by its size alone, is damaged; any other error says nothing of the file.
fn unreadable(error: io::Error) -> io::Result<Verdict> {
    let lost = error.kind() == io::ErrorKind::FileTooLarge || error.raw_os_error() == Some(EIO);
    if !lost {
        return Err(error);
    }
    // The digest of nothing is never the expected one.
    let digest = Digest::of(&[]);
    Ok(Verdict { digest, damage: Some(format!("it cannot be read: {error}")), durable: AtomicBool::new(false) })
}

fn verdict_on(bytes: &Bytes, revision: &Revision) -> Verdict {
    Verdict { digest: Digest::of(bytes), damage: damage_of(bytes, revision), durable: AtomicBool::new(false) }
}

/// Looks at one revision.
pub(super) fn presence(
    root: &Root,
    verdicts: &Verdicts,
    key: &Key,
    revision: &Revision,
) -> Result<Presence, StoreError> {
    let failed = |error| root.failed("checking", &key.path(revision), None, error);
    let Some(folder) = root.folder(key).map_err(failed)? else { return Ok(Presence::Missing) };
    let Some(mut file) = open_file(&folder, &file_name(revision)).map_err(failed)? else {
        return Ok(Presence::Missing);
    };
    let (verdict, identity, _) = verdicts.judge(&mut file, revision).map_err(failed)?;
    Ok(told(&verdict, identity))
}

fn told(verdict: &Verdict, identity: Identity) -> Presence {
    match &verdict.damage {
        Some(cause) => Presence::Damaged { cause: cause.clone() },
        None => Presence::Intact { digest: verdict.digest.clone(), size: identity.size() },
    }
}

/// Reads one revision whole, past every verdict.
pub(super) fn verify(root: &Root, verdicts: &Verdicts, key: &Key, revision: &Revision) -> Result<Presence, StoreError> {
    let failed = |error| root.failed("verifying", &key.path(revision), None, error);
    let Some(folder) = root.folder(key).map_err(failed)? else { return Ok(Presence::Missing) };
    let Some(mut file) = open_file(&folder, &file_name(revision)).map_err(failed)? else {
        return Ok(Presence::Missing);
    };
    let (verdict, identity, _) = verdicts.judge_anew(&mut file, revision).map_err(failed)?;
    Ok(told(&verdict, identity))
}

/// Opens one revision for serving.
pub(super) fn open(
    root: &Root,
    verdicts: &Verdicts,
    key: &Key,
    revision: &Revision,
    expected: Option<&Digest>,
) -> Result<Option<Readable>, StoreError> {
    let failed = |error| root.failed("reading", &key.path(revision), None, error);
    let Some(folder) = root.folder(key).map_err(failed)? else { return Ok(None) };
    let Some(mut file) = open_file(&folder, &file_name(revision)).map_err(failed)? else { return Ok(None) };
    let (verdict, identity, read) = verdicts.judge(&mut file, revision).map_err(failed)?;
    let right = match expected {
        Some(digest) => verdict.digest == *digest,
        None => verdict.damage.is_none(),
    };
    if !right {
        return Ok(None);
    }
    let body = match read {
        Some(bytes) => Body::Memory(bytes),
        None if identity.size() <= IN_MEMORY_LIMIT => {
            let bytes = match read_whole(&mut file, identity) {
                Ok(bytes) => bytes,
                Err(error) => {
                    unreadable(error).map_err(failed)?;
                    return Ok(None);
                }
            };
            // A device may give other bytes than last time without anything of the file having changed.
            if Digest::of(&bytes) != verdict.digest {
                verdicts.forget(identity, revision);
                return Ok(None);
            }
            Body::Memory(bytes)
        }
        None => Body::File(file, identity),
    };
    Ok(Some(Readable { digest: verdict.digest.clone(), size: identity.size(), body }))
}
