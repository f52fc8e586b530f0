//! An S3 service in this process that keeps objects in memory and goes wrong on demand.

mod fault;
mod listing;
mod objects;
mod serve;
mod spoil;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::request::Parts;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

pub use fault::{Asked, Call, Fault, LAG, Met};
use objects::{Answer, Bucket, Details};
use serve::converse;
use spoil::corrupted;

/// Chooses what happens to a request.
type Chooser = Arc<dyn Fn(&Asked) -> Fault + Send + Sync>;

/// The service; it ends when this is dropped.
#[derive(Debug)]
pub struct FaultServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: AbortHandle,
}

#[derive(Default)]
struct State {
    bucket: Bucket,
    /// Where the bucket is; requests that are signed for elsewhere are told so.
    region: Option<String>,
    script: VecDeque<Fault>,
    always: Option<Fault>,
    chooser: Option<Chooser>,
    asked: HashMap<(String, Call, String), u64>,
    requests: Vec<String>,
    met: Vec<Met>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("bucket", &self.bucket).field("met", &self.met).finish_non_exhaustive()
    }
}

impl FaultServer {
    /// Starts a service with an empty bucket of any name.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listening")?;
        let address = listener.local_addr().context("listening")?;
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(Arc::clone(&shared), stream));
            }
        });
        Ok(Self { address, state, accepting: accepting.abort_handle() })
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// Refuses requests that are signed for another region than this, and names it.
    pub fn set_region(&self, region: &str) {
        lock(&self.state).region = Some(region.to_owned());
    }

    /// What happens to the next requests, one after another.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.state).script.extend(faults);
    }

    /// What happens to every request that the script says nothing of.
    pub fn always(&self, fault: Option<Fault>) {
        lock(&self.state).always = fault;
    }

    /// Who chooses what happens to a request that neither the script nor [`FaultServer::always`] says anything of.
    pub fn choose(&self, chooser: impl Fn(&Asked) -> Fault + Send + Sync + 'static) {
        lock(&self.state).chooser = Some(Arc::new(chooser));
    }

    /// From now on nothing goes wrong.
    pub fn heal(&self) {
        let mut state = lock(&self.state);
        state.script.clear();
        state.always = None;
        state.chooser = None;
    }

    /// The requests since the last call, as method and path.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.state).requests)
    }

    /// What really went wrong, in the order in which it was decided. A fault that found nothing to spoil is not among them.
    #[must_use]
    pub fn met(&self) -> Vec<Met> {
        lock(&self.state).met.clone()
    }

    /// How much went wrong.
    #[must_use]
    pub fn met_count(&self) -> usize {
        lock(&self.state).met.len()
    }

    /// The faults among [`FaultServer::met`] since a time that are of interest.
    pub fn met_since(&self, since: Instant, of_interest: impl Fn(&Met) -> bool) -> Vec<Met> {
        let state = lock(&self.state);
        let recent = state.met.iter().rev().take_while(|met| met.at >= since);
        recent.filter(|met| of_interest(met)).cloned().collect()
    }

    /// Everything that the bucket holds.
    #[must_use]
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        lock(&self.state).bucket.objects().iter().map(|(key, object)| (key.clone(), object.bytes.clone())).collect()
    }

    /// One object.
    #[must_use]
    pub fn object(&self, key: &str) -> Option<Bytes> {
        lock(&self.state).bucket.objects().get(key).map(|object| object.bytes.clone())
    }

    /// Whether an object was written or removed since a time.
    #[must_use]
    pub fn changed_since(&self, key: &str, since: Instant) -> bool {
        lock(&self.state).bucket.changed_since(key, since)
    }

    /// How many unfinished uploads there are.
    #[must_use]
    pub fn uploads(&self) -> usize {
        lock(&self.state).bucket.uploads().len()
    }

    /// Leaves an unfinished upload behind, as other software does that sends an object in parts.
    pub fn leave_upload(&self, key: &str, id: &str) {
        lock(&self.state).bucket.leave_upload(key, id);
    }

    /// Flips a bit of every object whose key ends so.
    pub fn damage(&self, end: &str) {
        let mut state = lock(&self.state);
        let found = state.bucket.objects().iter().filter(|(key, _)| key.ends_with(end));
        let found: Vec<_> = found.map(|(key, object)| (key.clone(), object.clone())).collect();
        for (key, object) in found {
            let last = object.bytes.len().saturating_sub(1) as u64;
            let bytes = corrupted(&object.bytes, last);
            state.bucket.change(&key, Some(objects::Object { bytes, ..object }));
        }
    }

    /// Removes an object.
    pub fn lose(&self, key: &str) {
        lock(&self.state).bucket.change(key, None);
    }

    /// Removes everything.
    pub fn empty(&self) {
        lock(&self.state).bucket = Bucket::default();
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Reads a request and chooses what happens to it.
    fn meet(&mut self, head: &Parts) -> (Asked, Fault) {
        self.requests.push(format!("{} {}", head.method, head.uri.path()));
        let mut asked = Asked::of(head);
        let before = self.asked.entry((asked.client.clone(), asked.call, asked.path.clone())).or_default();
        asked.nth = std::mem::replace(before, *before + 1);
        let fault = self.script.pop_front().or_else(|| self.always.clone());
        let fault = fault.or_else(|| self.chooser.as_ref().map(|chooser| chooser(&asked)));
        (asked, fault.unwrap_or(Fault::None))
    }

    fn note(&mut self, asked: &Asked, fault: &Fault) {
        self.met.push(Met { at: Instant::now(), asked: asked.clone(), fault: fault.clone() });
    }

    /// Whether the request is signed for another region than the bucket's.
    fn is_elsewhere(&self, asked: &Asked) -> bool {
        self.region.as_ref().is_some_and(|region| !asked.region.is_empty() && asked.region != *region)
    }

    fn act(&mut self, asked: &Asked, details: &Details, fault: &Fault) -> Answer {
        match asked.call {
            Call::List => listing::objects(&self.bucket, &details.query, fault),
            Call::Uploads => listing::uploads(&self.bucket),
            _ => self.bucket.act(asked, details),
        }
    }
}
