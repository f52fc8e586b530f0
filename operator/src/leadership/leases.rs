//! The Lease at the API server: every request that election sends.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use jaas_api::FIELD_MANAGER;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::runtime::utils::{Backoff, WatchStreamExt};
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client};

use super::decide::{Failure, Write};
use super::record::{blank, lease};

/// What the watch reports.
pub(super) type Event = Result<watcher::Event<Lease>, watcher::Error>;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the API server did not answer in time")]
    TimedOut,
    #[error(transparent)]
    Failed(#[from] kube::Error),
}

impl Error {
    /// What it means for one who made, replaced or read a Lease.
    pub(super) fn failure(&self) -> Failure {
        match self {
            Self::Failed(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Failure::Outdated,
            Self::Failed(_) | Self::TimedOut => Failure::Unknown,
        }
    }
}

/// One Lease.
#[derive(Clone)]
pub(super) struct Leases {
    api: Api<Lease>,
    namespace: String,
    name: String,
}

impl Leases {
    pub(super) fn new(client: Client, namespace: String, name: String) -> Self {
        Self { api: Api::namespaced(client, &namespace), namespace, name }
    }

    pub(super) async fn get(&self, limit: Duration) -> Result<Option<Lease>, Error> {
        within(limit, self.api.get_opt(&self.name)).await
    }

    /// Makes the Lease, or replaces `base` unless somebody else wrote since. The API server decides either way: of several who
    /// try, one succeeds.
    pub(super) async fn put(&self, base: Option<Lease>, write: &Write) -> Result<Lease, Error> {
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let answer = write.answer.as_deref();
        match base {
            Some(base) => {
                let lease = lease(base, &write.entry, answer);
                within(write.limit, self.api.replace(&self.name, &params, &lease)).await
            }
            None => {
                let lease = lease(blank(&self.namespace, &self.name), &write.entry, answer);
                within(write.limit, self.api.create(&params, &lease)).await
            }
        }
    }

    /// Watches the Lease, and tries again after `pause` where that fails.
    pub(super) fn watch(&self, pause: Duration) -> BoxStream<'static, Event> {
        let one = watcher::Config::default().fields(&format!("metadata.name={}", self.name));
        watcher(self.api.clone(), one).backoff(Every(pause)).boxed()
    }
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Error> {
    tokio::time::timeout(limit, call).await.map_err(|_| Error::TimedOut)?.map_err(Error::Failed)
}

/// The same pause each time: a stand-by that sleeps longer takes over later.
struct Every(Duration);

impl Iterator for Every {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.0)
    }
}

impl Backoff for Every {
    fn reset(&mut self) {}
}
