//! The work whose every system call is hit: each operation that changes a store, and what is read in between.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use jaas_storage::store::OwnerMark;
use jaas_storage::{Content, Digest, Entries, Key, LocalStore, Store};
use serde::{Deserialize, Serialize};

/// How old a file without a lock must be for a sweep that cannot see locks, as the operator sets it.
const MAX_AGE: Duration = Duration::from_secs(30 * 60);
/// Name of what is set aside.
const RUN: &str = "run-1";

/// One step of the work.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// What it is called.
    pub(super) name: &'static str,
    /// What is done to the directory before, past the store.
    pub(super) plant: Option<Plant>,
    /// What the store is asked.
    pub(super) action: Action,
}

/// What the store is asked.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// A store is opened; one that was open is given up.
    Open,
    /// The directory is marked as ours.
    Claim,
    Put(Key, Content),
    /// A revision is opened and read, with its digest expected.
    Read(Key, Content),
    Remove(Key, Content),
    SetAside(Key, Content),
    Sweep,
    List,
    Delete(Key),
}

/// What is done past the store.
#[derive(Clone, Debug)]
pub(super) enum Plant {
    /// The artifact is cut in half.
    Damage(Key, Content),
    /// A dead writer's temporary file, and folders without a file.
    Residue(Key),
}

/// What the store answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// It is done.
    Done,
    /// It is durable, with this digest.
    Stored(String),
    /// What was served: the digest that was told, and that of the bytes; or nothing.
    Read(Option<(String, String)>),
    /// Whether there was something to set aside.
    SetAside(bool),
    /// Paths that are there.
    Listed(Vec<String>),
    /// The class of the error, and what it says.
    Failed { kind: String, message: String },
}

impl Plant {
    /// Path and bytes of an artifact that is damaged, if one is.
    pub(super) fn damage(&self) -> Result<Option<(String, Vec<u8>)>> {
        let Self::Damage(key, content) = self else { return Ok(None) };
        let packed = content.packed().context("packing")?;
        Ok(Some((key.path(content.revision()), packed[..packed.len() / 2].to_vec())))
    }

    fn apply(&self, root: &Path) -> Result<()> {
        match self {
            Self::Damage(..) => {
                if let Some((path, bytes)) = self.damage()? {
                    write(&root.join(path), &bytes)?;
                }
            }
            Self::Residue(key) => {
                let name = format!("sha256-{}.0123456789abcdef.tar.gz.tmp", "0".repeat(64));
                write(&root.join(key.to_string()).join(name), b"half of a write")?;
                fs::create_dir_all(root.join("team-c/empty")).context("making an empty folder")?;
            }
        }
        Ok(())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let planted = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, bytes));
    planted.with_context(|| format!("planting {}", path.display()))
}

/// Does the steps, one after the other, on one directory.
#[derive(Debug)]
pub(super) struct Worker {
    root: PathBuf,
    store: Option<LocalStore>,
}

impl Worker {
    /// On this directory.
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), store: None }
    }

    /// Does one step. What the store cannot do is an outcome.
    ///
    /// # Errors
    /// When no store is open, or something cannot be planted.
    pub(super) async fn perform(&mut self, step: &Step) -> Result<Outcome> {
        if let Some(plant) = &step.plant {
            plant.apply(&self.root)?;
        }
        let done = match &step.action {
            Action::Open => {
                let root = self.root.clone();
                let opened = tokio::task::spawn_blocking(move || LocalStore::open(&root)).await?;
                opened.map(|store| {
                    self.store = Some(store);
                    Outcome::Done
                })
            }
            action => {
                let store = self.store.as_ref().context("no store is open")?;
                answer(store, action).await
            }
        };
        Ok(done.unwrap_or_else(|error| {
            let message = format!("{error} ({})", error.source);
            Outcome::Failed { kind: error.kind.label().to_owned(), message }
        }))
    }

    /// Whether a store is open, so that there is anything to go on with.
    pub(super) fn is_open(&self) -> bool {
        self.store.is_some()
    }
}

async fn answer(store: &LocalStore, action: &Action) -> Result<Outcome, jaas_storage::store::StoreError> {
    Ok(match action {
        Action::Open => Outcome::Done,
        Action::Claim => {
            let mark = OwnerMark {
                format: OwnerMark::FORMAT,
                cluster: "cluster".to_owned(),
                release: "jaas/jaas".to_owned(),
                scope: String::new(),
                selector: String::new(),
            };
            store.claim(&mark, false).await?;
            Outcome::Done
        }
        Action::Put(key, content) => Outcome::Stored(store.put(key, content.clone()).await?.digest.to_string()),
        Action::Read(key, content) => {
            let expected = content.packed().ok().map(|packed| Digest::of(&packed));
            let readable = store.open(key, content.revision(), expected.as_ref()).await?;
            Outcome::Read(readable.map(|readable| {
                let bytes = readable.bytes().cloned().unwrap_or_default();
                (readable.digest.to_string(), Digest::of(&bytes).to_string())
            }))
        }
        Action::Remove(key, content) => {
            store.remove(key, content.revision()).await?;
            Outcome::Done
        }
        Action::SetAside(key, content) => Outcome::SetAside(store.set_aside(key, content.revision(), RUN).await?),
        Action::Sweep => {
            store.sweep(MAX_AGE).await?;
            Outcome::Done
        }
        Action::List => Outcome::Listed(store.list().await?.into_iter().map(|item| item.path).collect()),
        Action::Delete(key) => {
            store.delete(key).await?;
            Outcome::Done
        }
    })
}

/// The steps.
///
/// # Errors
/// Never with these names.
pub(super) fn steps() -> Result<Vec<Step>> {
    let key = |namespace, name| Key::new(namespace, name).context("naming an artifact");
    let (web, api, last) = (key("team-a", "web")?, key("team-a", "api")?, key("team-b", "last")?);
    let (first, second, third) = (document(1), tree(), document(3));
    let step = |name, action| Step { name, plant: None, action };
    let put = |key: &Key, content: &Content| Action::Put(key.clone(), content.clone());
    let read = |key: &Key, content: &Content| Action::Read(key.clone(), content.clone());
    Ok(vec![
        step("open", Action::Open),
        step("claim", Action::Claim),
        step("put", put(&web, &first)),
        step("read", read(&web, &first)),
        step("put-second", put(&web, &second)),
        Step { name: "put-damaged", plant: Some(Plant::Damage(web.clone(), first.clone())), action: put(&web, &first) },
        step("read-repaired", read(&web, &first)),
        step("remove", Action::Remove(web.clone(), first.clone())),
        step("set-aside", Action::SetAside(web.clone(), second.clone())),
        step("put-again", put(&web, &second)),
        step("put-neighbour", put(&api, &third)),
        Step { name: "sweep", plant: Some(Plant::Residue(web.clone())), action: Action::Sweep },
        step("delete", Action::Delete(api)),
        step("put-last", put(&last, &first)),
        step("remove-last", Action::Remove(last, first)),
        step("reopen", Action::Open),
        step("put-found", put(&web, &second)),
        step("read-found", read(&web, &second)),
        step("list", Action::List),
    ])
}

fn document(seed: u64) -> Content {
    let text: String = (1..=120_u64).map(|line| format!("line {line}: {}\n", line * seed * 7919 % 104_729)).collect();
    Content::document("rendered.json", text.into_bytes())
}

fn tree() -> Content {
    Content::tree(Entries::from([
        ("main.jsonnet".to_owned(), b"import 'lib/a.libsonnet'\n".to_vec()),
        ("lib/a.libsonnet".to_owned(), b"{ a: 1 }\n".to_vec()),
    ]))
}
