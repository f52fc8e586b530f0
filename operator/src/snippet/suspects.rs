//! Who was being evaluated when the process died.
//!
//! A worker that dies is nobody else's trouble. But where the container runs out of memory, everything in it is killed, and the
//! next life would begin with the same evaluation. So a file names each evaluation while it runs; what such files name at a start
//! is evaluated last, and alone. The files are in the Pod's own temporary folder, which outlives the container and costs no write
//! to the API server.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jaas_storage::{Digest, Key};
use sha2::{Digest as _, Sha256};

/// How long a suspect waits after a first death; doubled with each further one.
const FIRST: Duration = Duration::from_secs(1);
/// Longest such wait.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// How soon a suspect looks again whether it is alone.
const AGAIN: Duration = Duration::from_secs(1);
/// How often it does so, for each second that it had to wait at first; others do not keep it waiting for ever.
const PATIENCE: u32 = 30;
/// End of the name of a file that is kept for a suspect which was not evaluated yet in this life: two of them do not clear each other.
const WAITING: &str = ".waiting";
/// The file that a living process has locked.
const LOCK: &str = "lock";

/// Knows the suspects, and keeps the files.
#[derive(Debug)]
pub struct Suspects {
    folder: Option<Folder>,
    known: Mutex<HashMap<Key, Suspect>>,
}

#[derive(Clone, Copy, Debug)]
struct Suspect {
    /// In how many lives in a row the process died while it was evaluated.
    deaths: u32,
    /// When it was to be evaluated for the first time in this life.
    due: Option<Instant>,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// Held for as long as the process lives, so that two of them never take each other's files for a dead one's.
    _lock: File,
}

/// An evaluation that is under way. Dropped when it has ended, however it did.
#[derive(Debug)]
pub struct Evaluating<'a> {
    suspects: &'a Suspects,
    key: Key,
}

impl Suspects {
    /// Reads what the previous life left behind. `place` tells installations on one machine apart. Where the folder cannot be used
    /// there are no suspects, which is told in the log.
    pub fn open(temporary: &Path, place: &str) -> Self {
        let digest = Digest::of(place.as_bytes()).to_string();
        let short: String = digest.rsplit(':').next().unwrap_or_default().chars().take(16).collect();
        let path = temporary.join(format!("jaas-{short}"));
        let opened = Folder::open(path.clone());
        if let Err(error) = &opened {
            let folder = path.display();
            tracing::warn!(%folder, %error, "Snippets under evaluation cannot be noted: after an end for want of memory none goes last");
        }
        let deaths = opened.as_ref().map(Folder::take).unwrap_or_default();
        for (key, deaths) in &deaths {
            let (namespace, name) = (key.namespace(), key.name());
            tracing::warn!(
                namespace,
                name,
                deaths,
                "The snippet was being evaluated when the process died; it is evaluated last and alone. Look for the end of the container with kubectl jaas doctor pods, and suspend the snippet if it is the cause"
            );
        }
        let known = deaths.into_iter().map(|(key, deaths)| (key, Suspect { deaths, due: None })).collect();
        Self { folder: opened.ok(), known: Mutex::new(known) }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Key, Suspect>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a snippet has to wait until it may be evaluated; `None` means not at all. `alone` tells whether nothing is done for any
    /// other.
    pub fn wait(&self, key: &Key, alone: bool) -> Option<Duration> {
        let mut known = self.known();
        let suspect = known.get_mut(key)?;
        wait(suspect.deaths, suspect.due.get_or_insert_with(Instant::now).elapsed(), alone)
    }

    /// An evaluation begins.
    pub fn evaluating(&self, key: &Key) -> Evaluating<'_> {
        let deaths = self.known().get(key).map_or(0, |suspect| suspect.deaths);
        if let Some(folder) = &self.folder {
            // Without the file everything works but the order after a death, so an error is no reason to stop. The write ends in
            // the page cache and is far cheaper than a change of threads.
            let _ = fs::write(folder.file(key), text(key, deaths));
        }
        Evaluating { suspects: self, key: key.clone() }
    }
}

impl Drop for Evaluating<'_> {
    fn drop(&mut self) {
        self.suspects.known().remove(&self.key);
        if let Some(folder) = &self.suspects.folder {
            let _ = fs::remove_file(folder.file(&self.key));
            let _ = fs::remove_file(folder.waiting(&self.key));
        }
    }
}

impl Folder {
    fn open(path: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        let lock = File::create(path.join(LOCK))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::other("another process of this installation uses the folder"),
            TryLockError::Error(error) => error,
        })?;
        Ok(Self { path, _lock: lock })
    }

    /// Whom the previous life leaves behind, and in how many lives in a row each was being evaluated at the end. Who still waited then keeps
    /// the number.
    fn take(&self) -> HashMap<Key, u32> {
        let mut deaths: HashMap<Key, u32> = HashMap::new();
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let Some((key, before)) = fs::read_to_string(entry.path()).ok().as_deref().and_then(read) else { continue };
            let died = u32::from(entry.path() == self.file(&key));
            let known = deaths.entry(key).or_default();
            *known = (*known).max(before.saturating_add(died));
        }
        for (key, deaths) in &deaths {
            let kept = fs::write(self.waiting(key), text(key, *deaths));
            if kept.is_ok() {
                let _ = fs::remove_file(self.file(key));
            }
        }
        deaths
    }

    /// Named by a digest: namespace and name together may be longer than a file's name.
    fn file(&self, key: &Key) -> PathBuf {
        self.path.join(hex::encode(Sha256::digest(key.to_string())))
    }

    fn waiting(&self, key: &Key) -> PathBuf {
        let mut path = self.file(key).into_os_string();
        path.push(WAITING);
        path.into()
    }
}

/// What a file says.
fn text(key: &Key, deaths: u32) -> String {
    format!("{deaths} {} {}", key.namespace(), key.name())
}

fn read(text: &str) -> Option<(Key, u32)> {
    let mut words = text.split(' ');
    let deaths = words.next()?.parse().ok()?;
    Some((Key::new(words.next()?, words.next()?).ok()?, deaths))
}

fn wait(deaths: u32, waited: Duration, alone: bool) -> Option<Duration> {
    let first = FIRST.saturating_mul(2_u32.saturating_pow(deaths.saturating_sub(1))).min(LONGEST);
    match first.checked_sub(waited) {
        Some(rest) if !rest.is_zero() => Some(rest),
        _ if alone || waited > first.saturating_mul(PATIENCE) => None,
        _ => Some(AGAIN),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("team", name).unwrap()
    }

    fn deaths(suspects: &Suspects, name: &str) -> Option<u32> {
        suspects.known().get(&key(name)).map(|suspect| suspect.deaths)
    }

    /// A process that dies while it evaluates these.
    fn die(suspects: Suspects, names: &[&str]) {
        for name in names {
            std::mem::forget(suspects.evaluating(&key(name)));
        }
        drop(suspects);
    }

    #[test]
    fn who_was_being_evaluated_when_the_process_died_is_a_suspect_until_it_was_evaluated() {
        let temporary = tempfile::tempdir().unwrap();
        let open = || Suspects::open(temporary.path(), "here");
        let first = open();
        drop(first.evaluating(&key("good.one")));
        die(first, &["bad.one", "near"]);
        let second = open();
        assert_eq!(deaths(&second, "good.one"), None);
        assert_eq!((deaths(&second, "bad.one"), deaths(&second, "near")), (Some(1), Some(1)));
        assert!(second.wait(&key("bad.one"), true).is_some());
        assert_eq!(second.wait(&key("good.one"), false), None);
        drop(second.evaluating(&key("near")));
        assert_eq!(deaths(&second, "near"), None, "it was evaluated, and the process lives");
        die(second, &["bad.one"]);
        let third = open();
        assert_eq!((deaths(&third, "bad.one"), deaths(&third, "near")), (Some(2), None));
        // It still waits while another one is evaluated, and that one's death does not clear it.
        die(third, &["another"]);
        let fourth = open();
        assert_eq!((deaths(&fourth, "bad.one"), deaths(&fourth, "another")), (Some(2), Some(1)));
        drop((fourth.evaluating(&key("bad.one")), fourth.evaluating(&key("another"))));
        drop(fourth);
        let fifth = open();
        assert_eq!((deaths(&fifth, "bad.one"), deaths(&fifth, "another")), (None, None));
    }

    #[test]
    fn the_longest_names_are_noted_too() {
        let temporary = tempfile::tempdir().unwrap();
        let open = || Suspects::open(temporary.path(), "here");
        let name = "n".repeat(253);
        let long = Key::new(&"s".repeat(63), &name).unwrap();
        let first = open();
        std::mem::forget(first.evaluating(&long));
        drop(first);
        assert_eq!(open().known().get(&long).map(|suspect| suspect.deaths), Some(1));
    }

    #[test]
    fn installations_and_processes_on_one_machine_do_not_mix() {
        let temporary = tempfile::tempdir().unwrap();
        die(Suspects::open(temporary.path(), "here"), &["a"]);
        assert_eq!(deaths(&Suspects::open(temporary.path(), "there"), "a"), None);
        let living = Suspects::open(temporary.path(), "here");
        let evaluating = living.evaluating(&key("b"));
        let other = Suspects::open(temporary.path(), "here");
        assert_eq!(deaths(&other, "b"), None);
        drop(other.evaluating(&key("b")));
        drop(evaluating);
    }

    #[test]
    fn without_a_folder_there_are_no_suspects() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("file");
        fs::write(&file, "").unwrap();
        let suspects = Suspects::open(&file, "here");
        drop(suspects.evaluating(&key("a")));
        assert_eq!(suspects.wait(&key("a"), false), None);
    }

    #[test]
    fn a_suspect_waits_until_it_is_alone_and_longer_with_each_death() {
        let seconds = Duration::from_secs;
        assert_eq!(wait(1, seconds(0), true), Some(seconds(1)));
        assert_eq!(wait(1, seconds(1), true), None);
        assert_eq!(wait(1, seconds(1), false), Some(AGAIN));
        assert_eq!(wait(1, seconds(31), false), None, "others do not keep it waiting for ever");
        assert_eq!(wait(3, seconds(1), true), Some(seconds(3)));
        assert_eq!(wait(40, seconds(0), true), Some(LONGEST));
    }
}
