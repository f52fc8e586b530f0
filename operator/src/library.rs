//! What a library says of itself: whether it can be imported, what is in it, and how many snippets import it.
//!
//! Snippets do not go by it: they read the library and its source with their own rights. What is told here comes from the caches and from
//! what snippets had fetched, so that telling it costs no download; and a library is written at most once a minute.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jaas_api::Reason;
use jaas_api::library::{JsonnetLibrary, LibraryStatus};
use jaas_api::source::SourceRef;
use jaas_api::status::{MESSAGE_LIMIT, READY};
use jaas_api::truncate::truncate;
use jaas_sources::{NotUsable, upstream};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cluster::{merge, write};
use crate::graph::{Input, Name};
use crate::snippet::World;
use crate::snippet::outcome::{Refusal, chain};
use crate::snippet::unwatched;
use crate::source::resolve;

/// How often changes are looked for.
const TICK: Duration = Duration::from_secs(1);
/// Least time between two writes of one library.
const PAUSE: Duration = Duration::from_secs(60);

/// What is known of a library's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Number of files, once somebody needed them.
    pub files: Option<usize>,
    /// What identifies them.
    pub digest: String,
    /// What its source calls that state.
    pub source_revision: Option<String>,
}

/// Tells the state of libraries while the process leads.
pub async fn run(world: Arc<World>, stop: CancellationToken) {
    let mut teller = Teller { world, due: HashSet::new(), written: HashMap::new(), led: false };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TICK) => teller.tick().await,
        }
    }
}

struct Teller {
    world: Arc<World>,
    /// Libraries that may have something new to tell.
    due: HashSet<Name>,
    written: HashMap<Name, Instant>,
    led: bool,
}

impl Teller {
    async fn tick(&mut self) {
        self.due.extend(self.world.graph.take_touched());
        if self.world.authority.permit().is_err() {
            self.led = false;
            return;
        }
        if !self.led {
            // Whatever an earlier leader told may be out of date.
            let libraries = self.world.libraries.state();
            self.due.extend(libraries.iter().map(|library| name_of(library)));
            self.led = true;
        }
        let now = Instant::now();
        self.written.retain(|_, at| now.duration_since(*at) < PAUSE);
        let ready: Vec<_> = self.due.iter().filter(|name| !self.written.contains_key(name)).cloned().collect();
        for name in ready {
            match self.tell(&name).await {
                Ok(None) => {}
                Ok(Some(written)) => {
                    self.due.remove(&name);
                    if written {
                        self.written.insert(name, now);
                    }
                }
                Err(error) => {
                    self.written.insert(name.clone(), now);
                    let Name { namespace, name } = name;
                    tracing::warn!(
                        namespace,
                        name,
                        error,
                        "The status of a library could not be written; it is tried again"
                    );
                }
            }
        }
    }

    /// Writes what is new, and answers whether there was something; `None` as long as that cannot be told.
    async fn tell(&self, name: &Name) -> Result<Option<bool>, String> {
        let world = &self.world;
        let reference = ObjectRef::new(&name.name).within(&name.namespace);
        let Some(library) = world.libraries.get(&reference) else { return Ok(Some(false)) };
        if let Some(reference) = &library.spec.source_ref
            && !world.sources.is_listed(reference.kind)
            && world.sources.refusal(reference.kind, reference.namespace_or(&name.namespace)).is_none()
        {
            return Ok(None);
        }
        let contents = contents(world, &library).await;
        let dependents = world.graph.users(&Input::Library(name.clone())).len();
        let status = status(&library, &contents, dependents, Timestamp::now());
        let patch = difference(library.status.as_ref(), &status);
        if patch.is_empty() {
            return Ok(Some(false));
        }
        let permit = world.permit().map_err(|error| chain(&error))?;
        let written = write::patch_status(&permit, &world.client, &*library, patch).await;
        written.map(|_| Some(true)).map_err(|error| chain(&error))
    }
}

fn name_of(library: &JsonnetLibrary) -> Name {
    Name::new(&library.namespace().unwrap_or_default(), &library.name_any())
}

async fn contents(world: &World, library: &JsonnetLibrary) -> Result<Contents, Refusal> {
    match (&library.spec.files, &library.spec.source_ref) {
        (Some(files), _) if !files.is_empty() => {
            let mut hash = Sha256::new();
            for (name, content) in files {
                for text in [name, content] {
                    hash.update((text.len() as u64).to_le_bytes());
                    hash.update(text);
                }
            }
            let digest = format!("sha256:{}", hex::encode(hash.finalize()));
            Ok(Contents { files: Some(files.len()), digest, source_revision: None })
        }
        (_, Some(reference)) => of_source(world, &library.namespace().unwrap_or_default(), reference).await,
        _ => Err(Refusal::new(Reason::InvalidSpec, "neither spec.files nor spec.sourceRef is set")),
    }
}

async fn of_source(world: &World, namespace: &str, reference: &SourceRef) -> Result<Contents, Refusal> {
    let of = reference.namespace_or(namespace);
    if let Some(why) = world.sources.refusal(reference.kind, of) {
        return Err(Refusal::new(Reason::RBACDenied, unwatched::sentence(reference.kind, &why)));
    }
    let (source, folder) = resolve::cached(world, namespace, reference)?;
    let upstream = upstream::read(&source).map_err(|error| {
        let reason = match error {
            NotUsable::NotReady(_) | NotUsable::NoArtifact => Reason::SourceNotReady,
            NotUsable::NoDigest | NotUsable::InvalidDigest(_) => Reason::SourceFetchFailed,
        };
        Refusal::new(reason, format!("{} {}: {error}", reference.kind.as_str(), reference.name))
    })?;
    if let Some(failure) = world.shelf.failure(&upstream, &folder).await {
        let named = format!("{} {}", reference.kind.as_str(), reference.name);
        return Err(resolve::not_fetched(reference.kind, &named, &failure));
    }
    let files = world.shelf.peek(&upstream, &folder).await;
    if files.as_ref().is_some_and(|files| files.is_empty()) {
        let what = "the source contains no files; check spec.sourceRef.path and the upstream artifact";
        return Err(Refusal::new(Reason::InvalidSpec, what));
    }
    Ok(Contents {
        files: files.map(|files| files.len()),
        digest: upstream.digest.to_string(),
        source_revision: Some(upstream.revision).filter(|revision| !revision.is_empty()),
    })
}

/// The status that tells this.
fn status(
    library: &JsonnetLibrary,
    contents: &Result<Contents, Refusal>,
    dependents: usize,
    now: Timestamp,
) -> LibraryStatus {
    let previous = library.status.clone().unwrap_or_default();
    // The same archive holds the same files, also where nobody has fetched it since a start.
    let is_same = |contents: &Contents| {
        previous.digest.as_deref() == Some(&contents.digest)
            && previous.observed_generation == library.metadata.generation
    };
    let known = previous.files.and_then(|files| usize::try_from(files).ok());
    let contents = contents.clone().map(|contents| match contents {
        Contents { files: None, .. } if is_same(&contents) => Contents { files: known, ..contents },
        contents => contents,
    });
    let (ready, reason, message) = match &contents {
        Ok(Contents { files: Some(1), .. }) => ("True", Reason::Synced, "1 file".to_owned()),
        Ok(Contents { files: Some(files), .. }) => ("True", Reason::Synced, format!("{files} files")),
        Ok(Contents { files: None, .. }) => ("True", Reason::Synced, "not fetched: nobody needed it yet".to_owned()),
        Err(refusal) => ("False", refusal.reason, truncate(&refusal.message, MESSAGE_LIMIT)),
    };
    let since = previous.ready().filter(|told| told.status == ready).map(|told| told.last_transition_time.clone());
    let condition = Condition {
        type_: READY.to_owned(),
        status: ready.to_owned(),
        reason: reason.as_str().to_owned(),
        message,
        observed_generation: library.metadata.generation,
        last_transition_time: since.unwrap_or(Time(now)),
    };
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let contents = contents.as_ref().ok();
    LibraryStatus {
        observed_generation: library.metadata.generation,
        conditions: vec![condition],
        files: contents.and_then(|contents| contents.files).map(number),
        digest: contents.map(|contents| contents.digest.clone()),
        source_revision: contents.and_then(|contents| contents.source_revision.clone()),
        dependents: Some(number(dependents)),
    }
}

fn difference(current: Option<&LibraryStatus>, desired: &LibraryStatus) -> Map<String, Value> {
    // Plain structures of strings and numbers always serialise.
    let current = current.map(|status| serde_json::to_value(status).unwrap_or_default()).unwrap_or_default();
    merge::difference(&current, &serde_json::to_value(desired).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jaas_api::library::LibrarySpec;

    fn library() -> JsonnetLibrary {
        let mut library = JsonnetLibrary::new("a", "lib", LibrarySpec::default());
        library.metadata.generation = Some(3);
        library
    }

    fn contents(files: Option<usize>) -> Result<Contents, Refusal> {
        Ok(Contents { files, digest: "sha256:00".to_owned(), source_revision: None })
    }

    #[test]
    fn a_library_tells_what_is_in_it_and_who_uses_it() {
        let told = status(&library(), &contents(Some(2)), 7, Timestamp::UNIX_EPOCH);
        assert_eq!((told.files, told.dependents, told.digest.as_deref()), (Some(2), Some(7), Some("sha256:00")));
        let ready = told.ready().unwrap();
        assert_eq!(
            (ready.status.as_str(), ready.reason.as_str(), ready.message.as_str()),
            ("True", "Synced", "2 files")
        );
        assert_eq!(ready.observed_generation, Some(3));
        let refused = Err(Refusal::new(Reason::SourceNotReady, "why"));
        let told = status(&library(), &refused, 0, Timestamp::UNIX_EPOCH);
        let ready = told.ready().unwrap();
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "SourceNotReady"));
        assert_eq!((told.files, told.digest), (None, None));
    }

    #[test]
    fn what_was_told_is_not_told_again() {
        let later = Timestamp::from_second(60).unwrap();
        let mut library = library();
        library.status = Some(status(&library, &contents(None), 1, Timestamp::UNIX_EPOCH));
        let same = status(&library, &contents(None), 1, later);
        assert!(difference(library.status.as_ref(), &same).is_empty());
        let fetched = status(&library, &contents(Some(1)), 1, later);
        let patch = difference(library.status.as_ref(), &fetched);
        assert_eq!(patch.keys().collect::<Vec<_>>(), ["conditions", "files"]);
        library.status = Some(fetched.clone());
        let restarted = status(&library, &contents(None), 1, later);
        assert!(difference(library.status.as_ref(), &restarted).is_empty(), "what is in it was told before a restart");
        let moved_on = Ok(Contents { files: None, digest: "sha256:01".to_owned(), source_revision: None });
        assert_eq!(status(&library, &moved_on, 1, later).files, None);
        library.metadata.generation = Some(4);
        assert_eq!(status(&library, &contents(None), 1, later).files, None, "another folder of it, perhaps");
        assert_eq!(
            fetched.ready().unwrap().last_transition_time,
            Time(Timestamp::UNIX_EPOCH),
            "it was ready all along"
        );
    }
}
