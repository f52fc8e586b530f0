//! Writes the requests and waits for the answers, both at once.

use std::cell::Cell;
use std::future::ready;
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use jaas_api::RECONCILE_REQUEST;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::time::Instant;

use super::super::Invocation;
use super::super::ending::Ending;
use super::super::watch::{Change, Watch};
use super::track::{Request, Tracker};
use crate::cli::{DryRun, ReconcileArgs};
use crate::session::{Call, Error, FIELD_MANAGER, Session};
use crate::snippet::{Key, RESOURCE, Snippet};
use crate::view::Target;

/// Pauses before a request is sent again that got no answer. A request that did arrive is then repeated as it is,
/// which the API server recognises as no change and does not write.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// How long requests under way may still take once the run has been stopped.
const GRACE: Duration = Duration::from_secs(5);
/// How often progress is shown while nothing happens.
const TICK: Duration = Duration::from_secs(1);

/// What came of it.
#[derive(Debug)]
pub(super) struct Asked {
    /// How it ended.
    pub(super) ending: Ending,
    /// The first request that could not be written.
    pub(super) refusal: Option<Error>,
}

/// What is asked with.
pub(super) struct Job<'a> {
    pub(super) session: &'a Session,
    pub(super) invocation: &'a Invocation<'a>,
    pub(super) args: &'a ReconcileArgs,
    pub(super) deadline: Instant,
    /// When asking began, on the clock of the run.
    pub(super) begun: Duration,
}

/// Asks for all that are planned, and waits until each has its outcome.
pub(super) async fn run(job: &Job<'_>, watch: &mut Watch, tracker: &mut Tracker) -> Asked {
    let closing = Cell::new(false);
    let token = tracker.token().to_owned();
    let pause = job.args.rate.map(|rate| Duration::from_secs(1) / u32::from(rate));
    let (begun, mut number) = (Instant::now(), 0);
    let mut asks = stream::iter(tracker.planned())
        .then(|key| {
            let turn = pause.map(|pause| begun + pause * number);
            number += 1;
            async move {
                if let Some(turn) = turn {
                    tokio::time::sleep_until(turn).await;
                }
                key
            }
        })
        .take_while(|_| ready(!closing.get()))
        .map(|key| job.ask(key, &token))
        .buffer_unordered(usize::from(job.args.max_in_flight))
        .boxed_local();
    let mut asked = Asked { ending: Ending::Complete, refusal: None };
    asked.ending = turn(job, watch, tracker, &mut asks, &mut asked.refusal).await;
    if !matches!(asked.ending, Ending::Complete) {
        // Requests under way are finished rather than dropped, so that the report knows which were written.
        closing.set(true);
        let rest = async {
            while let Some((key, answer)) = asks.next().await {
                job.note(tracker, &key, answer, &mut asked.refusal);
            }
        };
        // Those that do not come back in time are reported as not asked.
        let _ = tokio::time::timeout(GRACE, rest).await;
    }
    asked
}

type Answer = (Key, Result<Snippet, Error>);

async fn turn(
    job: &Job<'_>,
    watch: &mut Watch,
    tracker: &mut Tracker,
    asks: &mut (impl Stream<Item = Answer> + Unpin),
    refusal: &mut Option<Error>,
) -> Ending {
    let waits = !job.args.no_wait && job.args.dry_run.is_none();
    let mut stop = job.invocation.stop.clone();
    let mut tick = tokio::time::interval(TICK);
    let mut is_asking = true;
    let mut trouble = None;
    while is_asking || (waits && !tracker.is_settled()) {
        tokio::select! {
            signal = stop.signalled() => return Ending::Stopped(signal),
            () = tokio::time::sleep_until(job.deadline) => return trouble.map_or(Ending::Deadline, Ending::Broken),
            answer = asks.next(), if is_asking => match answer {
                None => is_asking = false,
                Some((_, Err(error))) if is_hopeless(&error) => return Ending::Broken(error),
                Some((key, answer)) => job.note(tracker, &key, answer, refusal),
            },
            change = watch.change(), if waits => match change.map_err(|error| job.session.classify(&watch.call(), error)) {
                Ok(change) => {
                    trouble = None;
                    job.follow(tracker, change);
                }
                Err(error @ (Error::Forbidden { .. } | Error::Unauthorized { .. })) => return Ending::Broken(error),
                Err(error) => {
                    if trouble.is_none() {
                        job.invocation.listener.say(&format!("the watch was interrupted and goes on: {error}"));
                    }
                    trouble = Some(error);
                }
            },
            _ = tick.tick() => {}
        }
        job.invocation.listener.advance(&tracker.progress(job.elapsed()));
    }
    Ending::Complete
}

/// Whether every other request would fail the same way.
fn is_hopeless(error: &Error) -> bool {
    matches!(error, Error::Unauthorized { .. } | Error::Credentials { .. } | Error::Unreachable { .. })
}

impl Job<'_> {
    fn now(&self) -> Duration {
        self.invocation.run.elapsed()
    }

    fn elapsed(&self) -> Duration {
        self.now().saturating_sub(self.begun)
    }

    /// Writes one request.
    async fn ask(&self, key: Key, token: &str) -> Answer {
        let snippets: Api<Snippet> = Api::namespaced(self.session.client.clone(), &key.namespace);
        let params = PatchParams {
            dry_run: self.args.dry_run == Some(DryRun::Server),
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { RECONCILE_REQUEST: token } } }));
        let call =
            Call::new("patch", jaas_api::GROUP, RESOURCE, &["patch"]).within(Some(&key.namespace)).named(&key.name);
        let mut pauses = PAUSES.iter();
        loop {
            let answer = self.session.call(&call, snippets.patch(&key.name, &params, &patch)).await;
            match (&answer, pauses.next()) {
                (Err(Error::Unreachable { .. }), Some(pause)) => tokio::time::sleep(*pause).await,
                _ => return (key, answer),
            }
        }
    }

    /// Notes whether a request was written.
    fn note(&self, tracker: &mut Tracker, key: &Key, answer: Result<Snippet, Error>, refusal: &mut Option<Error>) {
        let target = match answer {
            Ok(_) if self.args.dry_run.is_some() => tracker.tried(key),
            Ok(snippet) => {
                let generation = snippet.metadata.generation.unwrap_or(0);
                tracker.asked(key, Request { sequence: snippet.sequence(), generation }, self.now())
            }
            Err(error) => {
                let target = tracker.refused(key, &error);
                refusal.get_or_insert(error);
                target
            }
        };
        self.tell(target);
    }

    /// Notes what the watch shows.
    fn follow(&self, tracker: &mut Tracker, change: Change) {
        match change {
            Change::Seen(snippet) => self.tell(tracker.seen(*snippet, self.now())),
            Change::Gone(key) => self.tell(tracker.gone(&key)),
            Change::Only(present) => self.tell(tracker.only(&present)),
        }
    }

    fn tell(&self, targets: impl IntoIterator<Item = Target>) {
        for target in targets {
            self.invocation.listener.settle(&target);
        }
    }
}
