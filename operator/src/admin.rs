//! The admin endpoint: how a person on call looks at the store and repairs it, over the wire of [`jaas_api::admin`].
//!
//! Off unless an address is given, and that is one of this machine: it speaks no TLS. `auth` finds out who calls and `rights` what
//! that caller may; nothing is answered before both, and nothing is believed of a caller but what the API server says. What changes
//! the store is in `actions`. It is done by the leader alone and needs no free byte.

mod actions;
mod auth;
mod inventory;
mod lines;
mod problem;
mod reconciles;
mod rights;
mod stats;
mod verify;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures::{Stream, TryStreamExt};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, Method};
use jaas_api::admin::{self as wire, Capabilities, MAX_ITEMS};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use warp::Filter;
use warp::path::FullPath;
use warp::reply::{Reply, Response};

use self::auth::{Caller, Callers};
use self::problem::Refused;
use self::rights::{On, Rights};
use crate::artifacts::heal::Alarm;
use crate::http::listener::Timeouts;
use crate::leadership::State;
use crate::snippet::World;

/// Longest body of a request.
const BODY: usize = 1 << 20;
/// Longest that a body may take to come.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// How long clients of this server may take. An answer may be silent for as long as a walk over the store takes.
pub const TIMEOUTS: Timeouts = Timeouts { read: Duration::from_secs(10), write: Duration::from_secs(16 * 60) };

/// What the endpoint is about.
pub struct Setup {
    /// Everything that a reconcile may touch.
    pub world: Arc<World>,
    /// Whom to tell of files that are to be rendered again.
    pub alarm: Alarm,
    /// Settings that decide about files.
    pub settings: wire::Settings,
    /// `local` or `s3`.
    pub backend: &'static str,
    /// Where the store is, for as long as it does not say so itself.
    pub place: String,
    /// Identity of this replica in the election; empty without one.
    pub replica: String,
    /// Where this replica stands in the election.
    pub states: Option<watch::Receiver<State>>,
    /// Cancelled when the process is about to end: no further file is touched then.
    pub stop: CancellationToken,
}

/// The endpoint.
struct Admin {
    world: Arc<World>,
    alarm: Alarm,
    settings: wire::Settings,
    backend: &'static str,
    place: String,
    replica: String,
    states: Option<watch::Receiver<State>>,
    stop: CancellationToken,
    callers: Callers,
    rights: Rights,
    inventories: Arc<Semaphore>,
    verifications: Arc<Semaphore>,
    actions: Arc<Semaphore>,
}

/// The right to be the one who does something that is done one at a time.
type Turn = OwnedSemaphorePermit;

/// The routes. They answer every path and every method themselves.
pub fn routes(setup: Setup) -> impl Filter<Extract = (Response,), Error = warp::Rejection> + Clone {
    let Setup { world, alarm, settings, backend, place, replica, states, stop } = setup;
    let one = || Arc::new(Semaphore::new(1));
    let admin = Arc::new(Admin {
        callers: Callers::new(world.client.clone()),
        rights: Rights::new(world.client.clone()),
        inventories: one(),
        verifications: one(),
        actions: one(),
        world,
        alarm,
        settings,
        backend,
        place,
        replica,
        states,
        stop,
    });
    path().and(query()).and(warp::method()).and(warp::header::headers_cloned()).and(warp::body::stream()).then(
        move |path: String, query: String, method: Method, headers: HeaderMap, body| {
            let admin = Arc::clone(&admin);
            async move {
                let call = Call::find(&path);
                let answered = answer(&admin, call, &path, &query, &method, &headers, body).await;
                let response = answered.unwrap_or_else(|refused| refused.response());
                let name = call.map_or("unknown", Call::name);
                admin.world.metrics.admin_answered(name, response.status().as_u16());
                response
            }
        },
    )
}

/// The path as it was sent. warp's own filter panics where a request names a host and no path, as a CONNECT does.
fn path() -> impl Filter<Extract = (String,), Error = Infallible> + Clone {
    let none = warp::path::end().map(|| "/".to_owned());
    none.or(warp::path::full().map(|path: FullPath| path.as_str().to_owned())).unify()
}

fn query() -> impl Filter<Extract = (String,), Error = Infallible> + Clone {
    warp::query::raw().or(warp::any().map(String::new)).unify()
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Capabilities,
    Stats,
    Inventory,
    Verify,
    Actions,
    Reconciles,
}

impl Call {
    fn find(path: &str) -> Option<Self> {
        Some(match path {
            wire::CAPABILITIES => Self::Capabilities,
            wire::STATS => Self::Stats,
            wire::INVENTORY => Self::Inventory,
            wire::VERIFY => Self::Verify,
            wire::ACTIONS => Self::Actions,
            wire::RECONCILES => Self::Reconciles,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Capabilities => "capabilities",
            Self::Stats => "stats",
            Self::Inventory => "inventory",
            Self::Verify => "verify",
            Self::Actions => "actions",
            Self::Reconciles => "reconciles",
        }
    }

    fn method(self) -> &'static str {
        match self {
            Self::Capabilities | Self::Stats | Self::Inventory | Self::Reconciles => "GET",
            Self::Verify | Self::Actions => "POST",
        }
    }
}

async fn answer(
    admin: &Arc<Admin>,
    call: Option<Call>,
    path: &str,
    query: &str,
    method: &Method,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
) -> Result<Response, Refused> {
    let call = call.ok_or_else(|| Refused::no_such_call(path))?;
    if method.as_str() != call.method() {
        return Err(Refused::wrong_method(call.method()));
    }
    let caller = admin.callers.caller(headers).await?;
    match call {
        Call::Capabilities => Ok(json(&admin.capabilities(&caller))),
        Call::Stats => {
            admin.rights.demand(&caller, "get", On::Storage, None).await?;
            Ok(json(&stats::stats(admin).await))
        }
        Call::Inventory => {
            let namespace = namespace(query)?;
            let turn = turn(&admin.inventories, "inventory")?;
            inventory::inventory(admin, &caller, namespace, turn).await
        }
        Call::Verify => {
            let body = read(body).await?;
            let turn = turn(&admin.verifications, "verification")?;
            verify::verify(admin, &caller, &body, turn).await
        }
        Call::Actions => {
            let body = read(body).await?;
            let turn = turn(&admin.actions, "action")?;
            actions::actions(admin, &caller, headers, &body, turn).await
        }
        Call::Reconciles => {
            let namespace = namespace(query)?;
            admin.demand_leader()?;
            admin.rights.demand(&caller, "list", On::Snippets, namespace.as_deref()).await?;
            Ok(json(&reconciles::reconciles(&admin.world.memory, namespace.as_deref())))
        }
    }
}

impl Admin {
    fn capabilities(&self, caller: &Caller) -> Capabilities {
        let leads = self.world.authority.permit().is_ok();
        Capabilities {
            api_level: wire::API_LEVEL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            backend: self.backend.to_owned(),
            replica: self.replica.clone(),
            leader: if leads { Some(self.replica.clone()) } else { self.leader() },
            leads,
            caller: caller.user.clone(),
        }
    }

    /// Who leads, as far as this replica knows.
    fn leader(&self) -> Option<String> {
        match &*self.states.as_ref()?.borrow() {
            State::Leader { .. } => Some(self.replica.clone()),
            State::Standby { holder } => holder.clone().filter(|holder| !holder.is_empty()),
            State::Ended => None,
        }
    }

    fn demand_leader(&self) -> Result<(), Refused> {
        match self.world.authority.permit() {
            Ok(_) => Ok(()),
            // Shortly before a term and after it the Lease names this replica, which does not lead all the same.
            Err(_) => {
                let leader = self.leader().filter(|leader| *leader != self.replica);
                Err(Refused::not_leader(&self.replica, leader))
            }
        }
    }
}

/// The turn of one who finds nobody else at it.
fn turn(turns: &Arc<Semaphore>, what: &str) -> Result<Turn, Refused> {
    Arc::clone(turns).try_acquire_owned().map_err(|_| Refused::one_at_a_time(what))
}

fn json(document: &impl Serialize) -> Response {
    let mut response = warp::reply::json(document).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The namespace that a query names, if it names one.
fn namespace(query: &str) -> Result<Option<String>, Refused> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let named: Vec<&str> =
        pairs.filter(|(name, value)| *name == "namespace" && !value.is_empty()).map(|(_, value)| value).collect();
    match named.as_slice() {
        [] => Ok(None),
        [name] if jaas_storage::Key::new(name, "x").is_ok() => Ok(Some((*name).to_owned())),
        [_] => Err(Refused::bad_request("namespace: it is not the name of a namespace")),
        _ => Err(Refused::bad_request("namespace: give one, or none for all")),
    }
}

/// The whole body, within its limits.
async fn read(body: impl Stream<Item = Result<impl Buf, warp::Error>>) -> Result<Bytes, Refused> {
    let collecting = async {
        let mut body = std::pin::pin!(body);
        let mut whole = Vec::new();
        while let Some(mut piece) = body.try_next().await.map_err(|_| "the body broke off")? {
            if whole.len() + piece.remaining() > BODY {
                return Err("the body is larger than 1 MiB; send fewer items");
            }
            while piece.has_remaining() {
                let chunk = piece.chunk();
                whole.extend_from_slice(chunk);
                let taken = chunk.len();
                piece.advance(taken);
            }
        }
        Ok(Bytes::from(whole))
    };
    let read = tokio::time::timeout(BODY_PATIENCE, collecting).await.unwrap_or(Err("the body took too long to come"));
    read.map_err(Refused::bad_request)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused::bad_request(format!("the body is not as expected: {error}")))
}

fn bounded(items: usize) -> Result<(), Refused> {
    match items {
        0 => Err(Refused::bad_request("items: there are none")),
        1..=MAX_ITEMS => Ok(()),
        _ => Err(Refused::bad_request(format!("items: at most {MAX_ITEMS} in one request"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::StatusCode;

    #[test]
    fn a_query_names_one_namespace_or_none() {
        assert_eq!(namespace(""), Ok(None));
        assert_eq!(namespace("limit=1000&namespace="), Ok(None));
        assert_eq!(namespace("x=1&namespace=team-a"), Ok(Some("team-a".to_owned())));
        for wrong in ["namespace=..", "namespace=A", "namespace=a%2Fb", "namespace=a&namespace=b"] {
            assert_eq!(namespace(wrong).unwrap_err().status(), StatusCode::BAD_REQUEST, "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_body_is_read_to_its_limit() {
        let body =
            |bytes: usize| futures::stream::iter([Ok(Bytes::from(vec![b'x'; bytes])), Ok(Bytes::from_static(b"y"))]);
        assert_eq!(read(body(BODY - 1)).await.unwrap().len(), BODY);
        assert_eq!(read(body(BODY)).await.unwrap_err().status(), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn every_call_is_found_by_its_path_only() {
        for path in [wire::CAPABILITIES, wire::STATS, wire::INVENTORY, wire::VERIFY, wire::ACTIONS, wire::RECONCILES] {
            let call = Call::find(path).unwrap();
            assert!(path.ends_with(call.name()), "{path}");
            assert_eq!(Call::find(&format!("{path}/")), None);
        }
        assert_eq!(Call::find("/metrics"), None);
    }

    #[test]
    fn a_request_has_some_items_and_not_too_many() {
        assert!(bounded(1).is_ok() && bounded(MAX_ITEMS).is_ok());
        assert!(bounded(0).is_err() && bounded(MAX_ITEMS + 1).is_err());
    }
}
