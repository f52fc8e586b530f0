//! A way to an HTTP server on which every request can be seen, refused, stopped for a while or for ever, and cut off.
//!
//! It stands between the operator and the API server, or between the operator and an S3 service. Whoever comes through speaks plain
//! HTTP with it; what it says to the server, TLS included, is its own affair. Requests and answers pass unchanged, watches included.

mod call;
mod gate;
mod relay;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use http::StatusCode;
use hyper_util::rt::TokioIo;
use reqwest::Certificate;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::controlplane::ControlPlane;
pub use call::{Call, Verb};
pub use gate::{Arrivals, Gate, Held, gate};

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum Act {
    /// Nothing.
    Pass,
    /// It gets this status from the proxy, and the server never sees it.
    Refuse(StatusCode),
    /// It waits at a gate.
    Stop(Moment, Gate),
    /// Its client gets so many lines of the answer; the rest waits at a gate.
    StopInAnswer(usize, Gate),
}

/// Where a call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The server has not seen it. What is let go from here after its client has gone is a delayed request.
    BeforeSending,
    /// The server has answered, its client does not know that yet.
    BeforeAnswering,
}

type Rule = Box<dyn FnMut(&Call) -> Act + Send>;

/// The proxy; it and its connections end when this is dropped. Until a rule is given everything passes.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

struct Shared {
    /// Scheme, host and port of the server.
    upstream: String,
    client: reqwest::Client,
    rule: Mutex<Option<Rule>>,
    /// By their number.
    calls: Mutex<BTreeMap<u64, Call>>,
    next: AtomicU64,
    cut: watch::Sender<bool>,
    /// How often all answers that were under way fell silent.
    muted: watch::Sender<u64>,
}

impl Proxy {
    /// A way to the API server of a control plane. It shows no certificate of its own, so that the token of whoever comes through
    /// decides; see [`ControlPlane::kubeconfig_at`].
    ///
    /// # Errors
    /// When no port can be had, or TLS cannot be set up.
    pub async fn to_api_server(plane: &ControlPlane) -> Result<Self> {
        let authority = Certificate::from_pem(plane.certificate_authority().as_bytes()).context("reading the CA")?;
        Self::start(plane.api_url(), reqwest::Client::builder().tls_certs_only([authority])).await
    }

    /// A way to a server that speaks plain HTTP at `address`, a host and a port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn to_http(address: &str) -> Result<Self> {
        Self::start(format!("http://{address}"), reqwest::Client::builder()).await
    }

    async fn start(upstream: String, client: reqwest::ClientBuilder) -> Result<Self> {
        let client = client.no_proxy().http1_only().redirect(reqwest::redirect::Policy::none());
        let client = client.build().context("setting up an HTTP client")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listening")?;
        let address = listener.local_addr().context("listening")?;
        let shared = Arc::new(Shared {
            upstream,
            client,
            rule: Mutex::default(),
            calls: Mutex::default(),
            next: AtomicU64::new(0),
            cut: watch::Sender::new(false),
            muted: watch::Sender::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, accepting: accepting.abort_handle() })
    }

    /// Host and port at which it listens.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// The address to use in place of the server's.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Decides from now on what happens to each call, in place of the rule before. Calls that already wait go on waiting.
    pub fn rule(&self, rule: impl FnMut(&Call) -> Act + Send + 'static) {
        *lock(&self.shared.rule) = Some(Box::new(rule));
    }

    /// Lets everything pass that comes from now on.
    pub fn no_rule(&self) {
        *lock(&self.shared.rule) = None;
    }

    /// Stops one call: of those that match, the `nth` from now on, counted from 1. A rule like any other.
    pub fn stop_nth(
        &self,
        nth: usize,
        moment: Moment,
        mut matches: impl FnMut(&Call) -> bool + Send + 'static,
    ) -> Arrivals {
        let (gate, arrivals) = gate();
        let mut count = 0;
        self.rule(move |call| {
            let matched = matches(call);
            count += usize::from(matched);
            if matched && count == nth { Act::Stop(moment, gate.clone()) } else { Act::Pass }
        });
        arrivals
    }

    /// Stops the answer to the next call that matches after so many lines. A rule like any other.
    pub fn stop_in_answer(&self, lines: usize, mut matches: impl FnMut(&Call) -> bool + Send + 'static) -> Arrivals {
        let (gate, arrivals) = gate();
        let mut is_over = false;
        self.rule(move |call| {
            if is_over || !matches(call) {
                return Act::Pass;
            }
            is_over = true;
            Act::StopInAnswer(lines, gate.clone())
        });
        arrivals
    }

    /// Lets nothing through in either direction while connections stay open, as a broken network does. A change that is sent meanwhile
    /// arrives when the network is whole again, also if its client has given up; it is among [`Proxy::calls`], without a status.
    pub fn cut(&self) {
        self.shared.cut.send_replace(true);
    }

    /// Lets through what waits since [`Proxy::cut`], and what comes.
    pub fn heal(&self) {
        self.shared.cut.send_replace(false);
    }

    /// Lets no byte more come of the answers that are under way, whose connections stay open: what a watch meets when a node between
    /// the two forgets it. What comes from now on passes.
    pub fn mute(&self) {
        self.shared.muted.send_modify(|times| *times += 1);
    }

    /// The calls that came since the start or [`Proxy::forget_calls`], in order, whatever happens to them.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.numbered_calls().into_values().collect()
    }

    /// The same, each with a number that it keeps.
    #[must_use]
    pub fn numbered_calls(&self) -> BTreeMap<u64, Call> {
        lock(&self.shared.calls).clone()
    }

    /// Forgets the calls that came.
    pub fn forget_calls(&self) {
        lock(&self.shared.calls).clear();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    /// Notes a call, and answers its number and what happens to it.
    fn decide(&self, call: &Call) -> (u64, Act) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.calls).insert(number, call.clone());
        (number, lock(&self.rule).as_mut().map_or(Act::Pass, |rule| rule(call)))
    }

    /// Notes what the server answered, unless the call is forgotten.
    fn answered(&self, number: u64, status: StatusCode) {
        if let Some(call) = lock(&self.calls).get_mut(&number) {
            call.status = Some(status);
        }
    }

    /// Returns when the network is whole.
    async fn open(&self) {
        relay::whole(&mut self.cut.subscribe()).await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                // Small frames of a watch must not wait for others.
                let _ = stream.set_nodelay(true);
                let shared = Arc::clone(&shared);
                let service = hyper::service::service_fn(move |request| relay::serve(Arc::clone(&shared), request));
                let connection = hyper::server::conn::http1::Builder::new();
                connections.spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
