//! Carries out what a candidate decides, and tells the process what came of it.

use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use kube::runtime::watcher::Event as Watched;
use rand::Rng;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::clock::{Boot, Clock};
use super::decide::{Action, Candidate, Failure, News, Write};
use super::leases::{Error, Event, Leases};
use super::permit::GRACE;
use super::record::Record;
use super::timing::{JITTER, Timing};
use super::{Authority, Hooks, State};

/// What an election is about.
pub struct Settings {
    /// Sends the requests. It must not repeat them by itself: a repetition would come after its time.
    pub client: Client,
    /// Where the Lease is.
    pub namespace: String,
    /// Its name.
    pub lease: String,
    /// This candidate's name, which no other process has.
    pub identity: String,
    /// How long a term lasts.
    pub timing: Timing,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Who counts.
    pub hooks: Arc<dyn Hooks>,
}

/// One candidate in an election. It leads only while it is [run](Election::run); dropping it ends its permits.
pub struct Election {
    leases: Leases,
    timing: Timing,
    clock: Arc<dyn Clock>,
    hooks: Arc<dyn Hooks>,
    candidate: Candidate,
    authority: Authority,
    states: watch::Sender<State>,
    /// The newest Lease.
    found: Option<(u64, Lease)>,
    /// The watch has shown a first list.
    listed: bool,
}

enum Answer {
    Read(Result<Option<Lease>, Error>),
    Written(Action, Box<Write>, Result<Lease, Error>),
}

impl Election {
    /// Enters the election; nothing is sent yet.
    pub fn new(settings: Settings) -> Self {
        let Settings { client, namespace, lease, identity, timing, clock, hooks } = settings;
        Self {
            leases: Leases::new(client, namespace, lease),
            timing,
            candidate: Candidate::new(identity, timing, clock.now()),
            authority: Authority::nobody(Arc::clone(&clock)),
            states: watch::Sender::new(State::Standby { holder: None }),
            clock,
            hooks,
            found: None,
            listed: false,
        }
    }

    /// What writes of this process ask.
    pub fn authority(&self) -> Authority {
        self.authority.clone()
    }

    /// Where the process stands, from now on.
    pub fn states(&self) -> watch::Receiver<State> {
        self.states.subscribe()
    }

    /// Takes part until `stop`, then lets go: permits end at once, the Lease is free within two requests, or when a deletion that was
    /// given up on its way does not count any more. Whoever stops lets its writes finish before. Answers within a renew deadline and
    /// that time, with the Lease left to expire where the API server is silent.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut events = self.leases.watch(self.timing.retry());
        let mut under_way: Option<BoxFuture<'static, Answer>> = None;
        let mut end = Boot::NEVER;
        loop {
            let now = self.clock.now();
            self.publish(now);
            let mut wake = self.candidate.turn(now).min(end);
            if under_way.is_none() {
                match self.candidate.decide(now) {
                    Action::Finish => break,
                    Action::Wait(until) => wake = wake.min(until),
                    action => under_way = Some(self.start(action, now)),
                }
            }
            if now >= end {
                break;
            }
            tokio::select! {
                answer = answered(&mut under_way) => {
                    under_way = None;
                    self.learn(answer);
                }
                Some(event) = events.next() => self.hear(event),
                () = tokio::time::sleep(wake.since(now)) => {}
                () = stop.cancelled(), if end == Boot::NEVER => {
                    end = now.plus(self.timing.call() * 2 + self.timing.deletion_life());
                    self.candidate.stop();
                }
            }
        }
    }

    /// Makes what the candidate knows the process's rule, before anything else happens.
    fn publish(&self, now: Boot) {
        let tenure = self.candidate.tenure().filter(|tenure| now < tenure.until);
        self.authority.follow(tenure.as_ref());
        self.tell(match tenure.filter(|tenure| tenure.covers(now)) {
            Some(tenure) => State::Leader { epoch: tenure.epoch, since: tenure.acquired },
            None => State::Standby { holder: self.candidate.holder().map(str::to_owned) },
        });
    }

    fn tell(&self, state: State) {
        if *self.states.borrow() == state {
            return;
        }
        match &state {
            State::Leader { epoch, since } => tracing::info!(leads = true, term = %epoch, %since, "Leadership changed"),
            State::Standby { holder } => tracing::info!(leads = false, holder, "Leadership changed"),
            State::Ended => tracing::info!(leads = false, "The election was left"),
        }
        self.hooks.state(&state);
        self.states.send_replace(state);
    }

    fn start(&mut self, action: Action, now: Boot) -> BoxFuture<'static, Answer> {
        let leases = self.leases.clone();
        if matches!(action, Action::Read) {
            let limit = self.timing.call();
            return Box::pin(async move { Answer::Read(leases.get(limit).await) });
        }
        let write = self.candidate.begin(action, now, self.clock.date());
        let base = match action {
            Action::Create => None,
            _ => self.found.as_ref().map(|(_, lease)| lease.clone()),
        };
        let (authority, life) = (self.authority.clone(), self.timing.deletion_life());
        Box::pin(async move {
            if matches!(action, Action::Release) {
                // Those who take longer are as harmless as those that were under way when a term ended by itself.
                let _ = tokio::time::timeout(GRACE + GRACE / 5, authority.drained()).await;
                // But for deletions, whose end a term that runs out leaves time for.
                let rest = authority.cut_short_since().map(|since| life.saturating_sub(since)).unwrap_or_default();
                tokio::time::sleep(rest).await;
            }
            let written = leases.put(base, &write).await;
            Answer::Written(action, Box::new(write), written)
        })
    }

    fn learn(&mut self, answer: Answer) {
        let now = self.clock.now();
        let pause = self.timing.retry().mul_f64(rand::rng().random_range(1.0..JITTER));
        match answer {
            Answer::Read(Ok(found)) => {
                let record = self.keep(found);
                self.candidate.observe(News::Read(record), now);
            }
            Answer::Written(action, write, Ok(lease)) => {
                self.hooks.call(action, None, now.since(write.sent));
                if let Some(record) = self.keep(Some(lease)) {
                    self.candidate.confirm(&write, record, now, pause);
                }
            }
            Answer::Read(Err(error)) => {
                tracing::warn!(%error, "Reading the Lease failed");
                self.candidate.fail(Failure::Unknown, now, pause);
            }
            Answer::Written(action, write, Err(error)) => {
                let failure = error.failure();
                self.hooks.call(action, Some(failure), now.since(write.sent));
                match failure {
                    Failure::Outdated => tracing::debug!(?action, %error, "Somebody else wrote the Lease first"),
                    Failure::Unknown => tracing::warn!(?action, %error, "Writing the Lease failed"),
                }
                self.candidate.fail(failure, now, pause);
            }
        }
    }

    fn hear(&mut self, event: Event) {
        let news = match event {
            // The first list begins the story; a later one leaves out part of it.
            Ok(Watched::Init) => None,
            Ok(Watched::InitDone) => std::mem::replace(&mut self.listed, true).then_some(News::Gap),
            Ok(Watched::InitApply(lease)) => self.keep(Some(lease)).map(|record| News::Read(Some(record))),
            Ok(Watched::Apply(lease)) => self.keep(Some(lease)).map(News::Watched),
            Ok(Watched::Delete(lease)) => {
                self.found = None;
                Some(News::Deleted(Record::of(&lease).version))
            }
            Err(error) => {
                tracing::warn!(%error, "Watching the Lease failed");
                None
            }
        };
        if let Some(news) = news {
            self.candidate.observe(news, self.clock.now());
        }
    }

    /// Keeps the newest Lease to write upon.
    fn keep(&mut self, found: Option<Lease>) -> Option<Record> {
        let Some(lease) = found else {
            self.found = None;
            return None;
        };
        let record = Record::of(&lease);
        if self.found.as_ref().is_none_or(|(version, _)| *version <= record.version) {
            self.found = Some((record.version, lease));
        }
        Some(record)
    }
}

impl Drop for Election {
    fn drop(&mut self) {
        self.authority.follow(None);
        self.tell(State::Ended);
    }
}

async fn answered(under_way: &mut Option<BoxFuture<'static, Answer>>) -> Answer {
    match under_way {
        Some(answer) => answer.await,
        None => std::future::pending().await,
    }
}
