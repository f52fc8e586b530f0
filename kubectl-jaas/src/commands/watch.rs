//! The list and the watch of the selected snippets, as changes.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use kube::Api;
use kube::runtime::{WatchStreamExt as _, watcher};

use super::select::{Selection, Which};
use crate::session::{Call, Error, Session};
use crate::snippet::{Key, RESOURCE, Snippet};

/// News about snippets.
#[derive(Debug)]
pub(super) enum Change {
    /// The snippet as it is now.
    Seen(Box<Snippet>),
    /// It was deleted.
    Gone(Key),
    /// The watch began anew: every other snippet was deleted in between.
    Only(BTreeSet<Key>),
}

/// The stream of changes. Survives lost connections and expired resource versions.
pub(super) struct Watch {
    events: BoxStream<'static, watcher::Result<watcher::Event<Snippet>>>,
    listing: BTreeSet<Key>,
    call: Call,
}

impl Watch {
    /// Prepares the stream; nothing is sent before it is read. `needs` are all verbs that the command will want of snippets.
    pub(super) fn open(session: &Session, selection: &Selection, needs: &'static [&'static str]) -> Self {
        let client = session.client.clone();
        let api: Api<Snippet> = match &selection.namespace {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        };
        let config = match &selection.which {
            Which::Labels(selector) => watcher::Config::default().labels(selector),
            Which::Names(names) => match names.first() {
                Some(name) if names.len() == 1 => watcher::Config::default().fields(&format!("metadata.name={name}")),
                _ => watcher::Config::default(),
            },
            Which::All | Which::In(_) | Which::Missing => watcher::Config::default(),
        };
        let call = Call::new("list", jaas_api::GROUP, RESOURCE, needs).within(selection.namespace.as_deref());
        Self { events: watcher(api, config).default_backoff().boxed(), listing: BTreeSet::new(), call }
    }

    /// All snippets there are, once. The watch goes on from exactly this state.
    ///
    /// # Errors
    /// The first failure; a list that cannot be had at once is not tried again.
    pub(super) async fn list(&mut self, session: &Session) -> Result<Vec<Snippet>, Error> {
        let call = self.call.clone();
        let mut snippets = Vec::new();
        loop {
            match session.call(&call, self.event()).await? {
                watcher::Event::InitApply(snippet) | watcher::Event::Apply(snippet) => snippets.push(snippet),
                watcher::Event::InitDone => return Ok(snippets),
                watcher::Event::Init | watcher::Event::Delete(_) => {}
            }
        }
    }

    /// The next change. Cancel safe.
    ///
    /// # Errors
    /// The watch was interrupted; the next call goes on, after a pause that grows.
    pub(super) async fn change(&mut self) -> Result<Change, kube::Error> {
        loop {
            match self.event().await? {
                watcher::Event::Init => self.listing.clear(),
                watcher::Event::InitApply(snippet) => {
                    self.listing.insert(snippet.key());
                    return Ok(Change::Seen(Box::new(snippet)));
                }
                watcher::Event::InitDone => return Ok(Change::Only(std::mem::take(&mut self.listing))),
                watcher::Event::Apply(snippet) => return Ok(Change::Seen(Box::new(snippet))),
                watcher::Event::Delete(snippet) => return Ok(Change::Gone(snippet.key())),
            }
        }
    }

    /// The call as errors of the watch name it.
    pub(super) fn call(&self) -> Call {
        self.call.watching()
    }

    /// The error of a list that the run's own time limit ended.
    pub(super) fn too_slow(&self, after: Duration) -> Error {
        Error::TimedOut { call: Box::new(self.call.clone()), after }
    }

    async fn event(&mut self) -> Result<watcher::Event<Snippet>, kube::Error> {
        match self.events.next().await {
            Some(event) => event.map_err(cause),
            // A watcher never ends by itself.
            None => std::future::pending().await,
        }
    }
}

/// What really failed, without the watcher's words around it.
fn cause(error: watcher::Error) -> kube::Error {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => error,
        watcher::Error::WatchError(status) => kube::Error::Api(status),
        error @ watcher::Error::NoResourceVersion => kube::Error::Service(Box::new(error)),
    }
}
