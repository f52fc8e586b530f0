//! A service, the stores that use it, and the watch over every answer.

use std::fmt::Debug;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::StreamExt;
use jaas_storage::store::{ErrorKind, OwnerMark, Readable, StoreError};
use jaas_storage::{Cached, Deadlines, Digest, Key, S3Credentials, S3Options, S3Store, S3Timeouts, Store, Timed};
use jaas_tests::s3::faults::{Call, FaultServer, Met};
use jaas_tests::s3::{BUCKET, SECRET_KEY};

use super::evidence::{chain, told};
use super::fitting::{breaks_connection, fits};
use super::lateness::Lateness;
use super::ledger::Ledger;
use super::{PREFIX, REGION};
use crate::Violation;

/// How long each answer of a store may take.
const DEADLINES: Deadlines = Deadlines {
    question: Duration::from_millis(1200),
    change: Duration::from_millis(2500),
    walk: Duration::from_millis(2500),
};
/// How long a client waits that could be served from memory.
const PATIENCE: Duration = Duration::from_secs(1);
/// What an answer may take beyond its deadline on a machine that is not late.
const SLACK: Duration = Duration::from_millis(500);
/// Longest time of a whole body: each of its pieces may stall, and be asked for anew.
const BODY: Duration = Duration::from_secs(6);
/// Attempts to set a schedule up.
const SETUPS: u32 = 10;
/// How long nothing may be heard before that is silence, whoever is the cause of it.
const SILENCE: Duration = Duration::from_millis(100);
/// Lateness that may itself be the cause of a body that breaks off.
const LATE: Duration = Duration::from_millis(40);

/// A store that is watched.
#[derive(Clone)]
pub(super) struct Client {
    /// The access key that its requests are signed with.
    pub(super) name: &'static str,
    /// The store.
    pub(super) store: Arc<dyn Store>,
}

/// What is asked of a store.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// In words.
    pub(super) what: &'static str,
    /// The object, or the prefix of several.
    pub(super) path: String,
    /// How long it may take.
    deadline: Duration,
}

impl Question {
    pub(super) fn about(what: &'static str, path: impl Into<String>) -> Self {
        Self { what, path: path.into(), deadline: DEADLINES.question }
    }

    /// A question that memory answers where the service does not.
    pub(super) fn cached(what: &'static str, path: impl Into<String>) -> Self {
        Self { what, path: path.into(), deadline: PATIENCE }
    }

    pub(super) fn change(what: &'static str, path: impl Into<String>) -> Self {
        Self { what, path: path.into(), deadline: DEADLINES.change }
    }

    pub(super) fn walk(what: &'static str, path: impl Into<String>) -> Self {
        Self { what, path: path.into(), deadline: DEADLINES.walk }
    }

    /// Whether the request that met this fault was made for this question.
    fn is_touched_by(&self, met: &Met) -> bool {
        let object = met.asked.path.strip_prefix(PREFIX).map(|path| path.trim_start_matches('/')).unwrap_or_default();
        let probe = object.starts_with(super::PROBES);
        match (self.path.is_empty() || self.path.ends_with('/'), met.asked.call) {
            (true, Call::Uploads) => true,
            (true, _) => object.starts_with(&self.path),
            (false, Call::List) => probe,
            // Who puts first asks what the service can do.
            (false, _) => object == self.path || probe || object.starts_with(&format!("{}.trash-", self.path)),
        }
    }
}

/// What came of a read.
#[derive(Debug)]
pub(super) enum Body {
    /// All that was announced, without an error.
    Whole(Vec<u8>),
    /// An end before that.
    Broken,
}

/// Everything of one schedule.
pub(super) struct Bench {
    pub(super) server: FaultServer,
    pub(super) case: String,
    pub(super) lateness: Arc<Lateness>,
    ledger: Mutex<Ledger>,
    violations: Mutex<Vec<Violation>>,
}

impl Bench {
    pub(super) async fn new(case: String, lateness: &Arc<Lateness>) -> Result<Self> {
        let server = FaultServer::start().await?;
        server.set_region(REGION);
        let (ledger, violations) = (Mutex::default(), Mutex::default());
        Ok(Self { server, case, lateness: Arc::clone(lateness), ledger, violations })
    }

    /// A store as the operator has it, without its memory.
    pub(super) async fn bare(&self, name: &'static str) -> Result<Client> {
        let options = S3Options {
            use_ssl: false,
            prefix: PREFIX.to_owned(),
            region: Some(REGION.to_owned()),
            credentials: S3Credentials::Static {
                access_key: name.to_owned(),
                secret_key: SECRET_KEY.to_owned(),
                session_token: None,
            },
            timeouts: S3Timeouts {
                connect: Duration::from_millis(300),
                first_byte: Duration::from_millis(150),
                stall: Duration::from_millis(120),
                operation: Duration::from_millis(700),
            },
            buffered: super::contents::BUFFERED,
            ..S3Options::new(self.server.endpoint(), BUCKET)
        };
        let store = S3Store::open(options).await?;
        Ok(Client { name, store: Arc::new(Timed::new(Arc::new(store), DEADLINES)) })
    }

    /// A store as the operator has it.
    pub(super) async fn cached(&self, name: &'static str) -> Result<Client> {
        let bare = self.bare(name).await?;
        Ok(Client { name, store: Arc::new(Cached::new(bare.store, 64 << 20)) })
    }

    /// Claims the store before anything goes wrong. A machine that is late may need more than one attempt.
    ///
    /// # Errors
    /// The last of several attempts.
    pub(super) async fn claim(&self) -> Result<()> {
        let store = self.bare("before").await?.store;
        for _ in 0..SETUPS {
            if store.claim(&mark(), false).await.is_ok() {
                return Ok(());
            }
        }
        store.claim(&mark(), false).await?;
        Ok(())
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn violations(&self) -> Vec<Violation> {
        self.violations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes an invariant that does not hold.
    pub(super) fn broken(&self, invariant: &str, seen: String) {
        let violation = Violation { case: self.case.clone(), invariant: invariant.to_owned(), seen };
        let mut violations = self.violations.lock().unwrap_or_else(PoisonError::into_inner);
        if !violations.contains(&violation) {
            violations.push(violation);
        }
    }

    /// Asks, and judges how long the answer took and whether an error has a cause of its kind.
    pub(super) async fn ask<T: Debug>(
        &self,
        client: &Client,
        question: &Question,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, ErrorKind> {
        let (begun, late) = (Instant::now(), self.lateness.so_far());
        let answer = work.await;
        let (took, late) = (begun.elapsed(), self.lateness.so_far().saturating_sub(late));
        if took > question.deadline + SLACK + late {
            self.broken("deadline", format!("{} took {took:?}, late by {late:?}", self.shown(client, question)));
        }
        let error = match answer {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let near = self.near(client, begun);
        let touching: Vec<Met> =
            near.iter().filter(|met| met.at >= begun && question.is_touched_by(met)).cloned().collect();
        let led_astray = self.is_led_astray(client);
        let excused = match error.kind {
            ErrorKind::TimedOut => !near.is_empty() || took > SILENCE,
            ErrorKind::Unreachable => near.iter().any(breaks_connection),
            ErrorKind::WrongRegion => led_astray,
            // The answer to a HEAD in the wrong region has no word on regions. What comes, goes or changes between two requests is
            // not judged.
            ErrorKind::Unavailable => led_astray || self.is_replaced(&question.path, begun),
            _ => false,
        };
        if !excused && !fits(error.kind, &touching) {
            let seen = format!(
                "{} is {:?} after {}: {}",
                self.shown(client, question),
                error.kind,
                told(&touching),
                chain(&error)
            );
            self.broken("errors", seen);
        }
        Err(error.kind)
    }

    /// Reads a body to its end, and judges how long that took, its length, and whether an early end has a cause.
    pub(super) async fn take(&self, client: &Client, question: &Question, readable: Readable) -> Body {
        let (begun, late) = (Instant::now(), self.lateness.so_far());
        let (digest, size) = (readable.digest.clone(), readable.size);
        let mut stream = pin!(readable.into_stream());
        let mut bytes = Vec::new();
        let mut broken = None;
        while let Some(piece) = stream.next().await {
            match piece {
                Ok(piece) => bytes.extend_from_slice(&piece),
                Err(error) => broken = Some(error),
            }
        }
        let (took, late) = (begun.elapsed(), self.lateness.so_far().saturating_sub(late));
        if took > BODY + late {
            self.broken("deadline", format!("the body of {} took {took:?}", self.shown(client, question)));
        }
        match broken {
            None => {
                if bytes.len() as u64 != size || Digest::of(&bytes) != digest {
                    let seen =
                        format!("{}: {} bytes ended well, {size} announced", self.shown(client, question), bytes.len());
                    self.broken("I1", seen);
                }
                Body::Whole(bytes)
            }
            Some(error) => {
                if self.near(client, begun).is_empty() && late <= LATE && !self.is_replaced(&question.path, begun) {
                    self.broken(
                        "errors",
                        format!("{} broke off without a cause: {error}", self.shown(client, question)),
                    );
                }
                Body::Broken
            }
        }
    }

    pub(super) fn shown(&self, client: &Client, question: &Question) -> String {
        format!("{} `{}` by {}", question.what, question.path, client.name)
    }
}

/// Key of the object at a path.
pub(super) fn object(path: &str) -> String {
    format!("{PREFIX}/{path}")
}

/// The installation that every store here belongs to.
pub(super) fn mark() -> OwnerMark {
    OwnerMark {
        format: OwnerMark::FORMAT,
        cluster: "one".to_owned(),
        release: "jaas/jaas".to_owned(),
        scope: String::new(),
        selector: String::new(),
    }
}

/// Start of what belongs to a snippet.
pub(super) fn folder(key: &Key) -> String {
    format!("{key}/")
}
