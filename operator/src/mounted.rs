//! Libraries in folders of the operator's own file system (`--library-path`): what is in them now, and whom a change reaches.
//!
//! Every folder inside of a root is a library whose alias is the folder's name; of two of one name that of the last root counts. The roots
//! are looked at every second by the metadata of their files, and read where these changed. A library that was read once stays as it was
//! while it cannot be read; that is told in the detail of `/ready` and in the log.

pub mod read;
pub mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jaas_sources::Files;
use jaas_storage::Key;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use self::read::Poll;
use crate::artifacts::heal::Alarm;
use crate::graph::Name;
use crate::snippet::World;

/// Pause between two looks; a look that took long is followed by a longer one.
const PAUSE: Duration = Duration::from_secs(1);
/// The share of its time that looking may take at most, as a divisor.
const SHARE: u32 = 20;
/// A look that takes longer is told as trouble.
const SLOW: Duration = Duration::from_secs(15);
/// Looks after which a library that keeps changing while it is read holds nobody up any more.
const UNSETTLED: u32 = 10;

/// Stands for all mounted libraries among the names of those that a snippet depends on.
pub const ALL: &str = "*";

/// A library.
#[derive(Debug, PartialEq, Eq)]
pub struct Library {
    /// Its files by their path inside it.
    pub files: Files,
    /// What identifies them.
    pub digest: String,
}

impl Library {
    /// A library of these files.
    pub fn new(files: Files) -> Self {
        let mut hash = Sha256::new();
        for (name, content) in &files {
            for part in [name.as_bytes(), content] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
        Self { files, digest: format!("sha256:{}", hex::encode(hash.finalize())) }
    }
}

/// Something about a root or a library that its administrator should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The folder.
    pub path: String,
    /// What is wrong, and what it means.
    pub message: String,
}

/// What is mounted at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What can be imported, by alias.
    pub libraries: BTreeMap<String, Arc<Library>>,
    /// Why a library that is there cannot be imported, by alias.
    pub refused: BTreeMap<String, String>,
    /// What its administrator should know.
    pub troubles: Vec<Trouble>,
}

impl State {
    /// Whether there is a library of this alias, usable or not.
    pub fn knows(&self, alias: &str) -> bool {
        self.libraries.contains_key(alias) || self.refused.contains_key(alias)
    }

    /// What decides the files of those libraries: name and digest, which is empty where there is none.
    pub fn identity(&self, names: &[String]) -> Vec<(String, String)> {
        let digest = |name: &String| match name.as_str() {
            ALL => self.digest(),
            alias => self.libraries.get(alias).map(|library| library.digest.clone()).unwrap_or_default(),
        };
        names.iter().map(|name| (name.clone(), digest(name))).collect()
    }

    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (alias, library) in &self.libraries {
            for part in [alias, &library.digest] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
        format!("sha256:{}", hex::encode(hash.finalize()))
    }

    /// Aliases of which the other state tells something else to those who import.
    fn differences(&self, other: &Self) -> BTreeSet<String> {
        let aliases = [&self.libraries, &other.libraries].into_iter().flat_map(BTreeMap::keys);
        let refused = [&self.refused, &other.refused].into_iter().flat_map(BTreeMap::keys);
        let digest = |state: &Self, alias: &String| state.libraries.get(alias).map(|library| library.digest.clone());
        let differs = |alias: &&String| {
            digest(self, alias) != digest(other, alias) || self.refused.get(*alias) != other.refused.get(*alias)
        };
        aliases.chain(refused).filter(differs).cloned().collect()
    }
}

/// The mounted libraries. Clones share them.
#[derive(Clone, Debug)]
pub struct Mounted(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    roots: Vec<PathBuf>,
    state: RwLock<Arc<State>>,
    listed: CancellationToken,
}

impl Mounted {
    /// The libraries of these folders, none of which was looked at yet.
    pub fn new(roots: Vec<PathBuf>) -> Self {
        let listed = CancellationToken::new();
        if roots.is_empty() {
            listed.cancel();
        }
        Self(Arc::new(Inner { roots, state: RwLock::default(), listed }))
    }

    /// Whether no folder is named.
    pub fn is_off(&self) -> bool {
        self.0.roots.is_empty()
    }

    /// What is mounted now.
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.0.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Cancelled once the folders were looked at: what is mounted is not known before.
    pub fn listed(&self) -> CancellationToken {
        self.0.listed.clone()
    }

    /// Takes over what was found, and answers the aliases that changed.
    fn replace(&self, state: State) -> BTreeSet<String> {
        let mut current = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        let changed = current.differences(&state);
        let told: Vec<_> = current.troubles.clone();
        for trouble in state.troubles.iter().filter(|trouble| !told.contains(trouble)) {
            tracing::warn!(path = trouble.path, error = trouble.message, "A mounted library is in trouble");
        }
        if !told.is_empty() && state.troubles.is_empty() {
            tracing::info!("The mounted libraries are well again");
        }
        *current = Arc::new(state);
        changed
    }

    /// The look that is under way takes long.
    fn hangs(&self) {
        let message = format!("no answer within {} s; what was read before is used on", SLOW.as_secs());
        let paths = self.0.roots.iter().map(|root| root.display().to_string());
        let troubles = paths.map(|path| Trouble { path, message: message.clone() }).collect();
        self.replace(State { troubles, ..State::clone(&self.state()) });
    }
}

/// Looks at the folders until the process ends, and wakes whom a change reaches.
pub async fn run(world: Arc<World>, alarm: Alarm, stop: CancellationToken) {
    let mounted = world.mounted.clone();
    if mounted.is_off() {
        return;
    }
    let mut poll = Poll::default();
    let mut looks = 0_u32;
    loop {
        let began = tokio::time::Instant::now();
        let roots = mounted.0.roots.clone();
        let mut look = tokio::task::spawn_blocking(move || poll.look(&roots));
        let looked = loop {
            tokio::select! {
                () = stop.cancelled() => return,
                looked = &mut look => break looked,
                () = tokio::time::sleep(SLOW) => mounted.hangs(),
            }
        };
        let state;
        (poll, state) = match looked {
            Ok(looked) => looked,
            Err(error) => {
                tracing::error!(error = error.to_string(), "Looking at the mounted libraries failed");
                (Poll::default(), State::clone(&mounted.state()))
            }
        };
        looks = looks.saturating_add(1);
        let is_first = !mounted.0.listed.is_cancelled();
        let changed = mounted.replace(state);
        if is_first && (!poll.is_unsettled() || looks >= UNSETTLED) {
            mounted.0.listed.cancel();
            tracing::info!(libraries = mounted.state().libraries.len(), "Mounted libraries are read");
        }
        if !is_first && !changed.is_empty() {
            let libraries = changed.iter().cloned().collect::<Vec<_>>().join(" ");
            tracing::info!(libraries, "Mounted libraries changed");
            let reached: BTreeSet<_> = changed.iter().flat_map(|alias| world.graph.users_of_mounted(alias)).collect();
            alarm.try_again(reached.iter().filter_map(key).collect());
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE.max(began.elapsed().saturating_mul(SHARE))) => {}
        }
    }
}

fn key(name: &Name) -> Option<Key> {
    Key::new(&name.namespace, &name.name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(text: &str) -> Arc<Library> {
        Arc::new(Library::new(Files::from([("main.libsonnet".to_owned(), text.as_bytes().to_vec())])))
    }

    fn state(libraries: &[(&str, &str)]) -> State {
        let libraries = libraries.iter().map(|(alias, text)| ((*alias).to_owned(), library(text))).collect();
        State { libraries, ..State::default() }
    }

    #[test]
    fn a_change_is_of_the_libraries_whose_files_changed() {
        let before = state(&[("a", "1"), ("b", "1"), ("gone", "1")]);
        let mut after = state(&[("a", "1"), ("b", "2"), ("new", "1")]);
        after.refused.insert("bad".to_owned(), "why".to_owned());
        assert_eq!(before.differences(&after).into_iter().collect::<Vec<_>>(), ["b", "bad", "gone", "new"]);
        assert!(before.differences(&before.clone()).is_empty());
    }

    #[test]
    fn what_is_there_and_what_is_not_decide() {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let one = state(&[("a", "1")]);
        let other = state(&[("a", "1"), ("b", "1")]);
        assert_eq!(one.identity(&names(&["a"])), other.identity(&names(&["a"])));
        assert_ne!(one.identity(&names(&["b"])), other.identity(&names(&["b"])));
        assert_ne!(one.identity(&names(&[ALL])), other.identity(&names(&[ALL])));
        assert_eq!(one.identity(&names(&["b"])), [("b".to_owned(), String::new())]);
    }
}
