//! The operator's admin endpoint: the only road that lists a local store, and the only one that changes anything.

mod lines;
mod token;

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use jaas_api::admin::{
    self, ACTOR_HEADER, ActionLine, ActionRequest, Capabilities, InventoryLine, Problem, RUN_HEADER, Reconciles, Stats,
    Verified, VerifyRequest,
};
use jaas_findings::facts::Inventory;
use jaas_findings::known::Obstacle;
use kube::client::Body;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::lines::Lines;
use super::connect::{Server, Silence, forward_call};
use super::failure::Failure;
use super::{Site, pods};
use crate::cli::Account;
use crate::session::Writes;

const ROAD: &str = "admin";
/// Flag of the operator that turns the endpoint on.
pub(crate) const FLAG: &str = "admin-bind-address";
/// What to do where there is no endpoint.
const TURN_ON: &str = "turn it on: helm upgrade with --reuse-values --set operator.admin.enabled=true; for looks, a bucket can be read with \
                       --route s3 and a mounted volume with --path";
/// Pauses between asks for a turn: half a minute in all.
const TURNS: [Duration; 8] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(5),
    Duration::from_secs(5),
    Duration::from_secs(5),
    Duration::from_secs(10),
];
/// Longest answer that is read as a whole.
const WHOLE: usize = 64 << 20;

/// An endpoint that answered.
pub(crate) struct Admin {
    server: Server,
    token: String,
    actor: String,
    run: String,
    writes: Writes,
    limit: Option<Duration>,
    /// Namespace and port, where the endpoint is reached through a Pod, so that another Pod can be gone to.
    inside: Option<(String, u16)>,
    /// What it said of itself.
    pub(crate) capabilities: Capabilities,
}

impl Admin {
    /// Goes there, shows a token, and asks what it is.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) async fn open(site: &Site<'_>) -> Result<Self, Failure> {
        let (server, inside) = find(site).await?;
        let account = site.args.admin_account.clone().unwrap_or_else(|| Account {
            namespace: site.namespace.to_owned(),
            name: admin::ON_CALL_ACCOUNT.to_owned(),
        });
        let (token, actor) = tokio::join!(token::request(site.session, &account), token::actor(site.session));
        let mut opened = Self {
            server,
            token: token?,
            actor,
            run: site.run.id.clone(),
            writes: site.writes,
            limit: site.session.first_answer(),
            inside,
            capabilities: Capabilities::default(),
        };
        opened.capabilities = opened.get(admin::CAPABILITIES).await?;
        opened.limit = site.session.limit();
        if opened.capabilities.api_level < 1 {
            let cause = "what answers there is no admin endpoint of the operator";
            return Err(Failure::new(ROAD, Obstacle::NotOffered, cause));
        }
        Ok(opened)
    }

    /// The Pod at the end, where it is reached through one, or its address.
    pub(crate) fn place(&self) -> &str {
        self.server.pod.as_deref().unwrap_or(&self.server.base)
    }

    /// How the store is, and what decides about its files.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) async fn stats(&self) -> Result<Stats, Failure> {
        self.get(admin::STATS).await
    }

    /// What the leader has tried and not achieved.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) async fn reconciles(&self, namespace: Option<&str>) -> Result<Reconciles, Failure> {
        self.get(&within(admin::RECONCILES, namespace)).await
    }

    /// What lies in the store, and the namespaces that the caller may not list.
    ///
    /// # Errors
    /// What stood in the way, or the listing broke off.
    pub(crate) async fn inventory(&self, namespace: Option<&str>) -> Result<(Inventory, Vec<String>), Failure> {
        let response = self.send(Method::GET, &within(admin::INVENTORY, namespace), None::<&()>).await?;
        let mut lines: Lines<InventoryLine> = self.lines(response);
        let mut files = Vec::new();
        while let Some(line) = lines.next().await? {
            match line {
                InventoryLine::File(file) => files.push(file),
                InventoryLine::End(end) => {
                    let complete = end.complete && lines.skipped() == 0;
                    let inventory = Inventory { complete, files, uploads_unknown: end.uploads_unknown };
                    return Ok((inventory, end.omitted));
                }
            }
        }
        Err(Failure::new(ROAD, Obstacle::Failed, "the listing broke off").help("run it again"))
    }

    /// Has artifacts read and judged inside, one answer for each as it is read.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) async fn verify(&self, items: &[String]) -> Result<Lines<Verified>, Failure> {
        let request = VerifyRequest { items: items.to_vec() };
        let response = self.send(Method::POST, admin::VERIFY, Some(&request)).await?;
        Ok(self.lines(response))
    }

    /// Has something done, and goes to the leader where this replica is not it.
    ///
    /// # Errors
    /// What stood in the way; nothing was done then.
    pub(crate) async fn act(&mut self, site: &Site<'_>, request: &ActionRequest) -> Result<Lines<ActionLine>, Failure> {
        if self.writes != Writes::Allowed && !request.dry_run {
            return Err(Failure::new(ROAD, Obstacle::NotOffered, "a dry run changes nothing"));
        }
        match self.send(Method::POST, admin::ACTIONS, Some(request)).await {
            Err(refused) if refused.obstacle == Obstacle::NoRoad && self.follow(site, &refused.how) => {
                let response = self.send(Method::POST, admin::ACTIONS, Some(request)).await?;
                Ok(self.lines(response))
            }
            Err(refused) if refused.obstacle == Obstacle::NoRoad => {
                let leader = pod_of(&refused.how);
                let how = match leader {
                    "" => "wait until one leads: kubectl jaas wait leader".to_owned(),
                    leader => format!("the leader is {leader}: give its address"),
                };
                Err(refused.help(how))
            }
            Err(failure) => Err(failure),
            Ok(response) => Ok(self.lines(response)),
        }
    }

    /// Turns to the Pod of that leader; `false` where there is no way to it.
    fn follow(&mut self, site: &Site<'_>, leader: &str) -> bool {
        let pod = pod_of(leader);
        match &self.inside {
            Some((namespace, port)) if !pod.is_empty() && self.server.pod.as_deref() != Some(pod) => {
                self.server = Server::inside(site.session, namespace, pod, *port);
                true
            }
            _ => false,
        }
    }

    fn lines<T: DeserializeOwned>(&self, response: Response<Body>) -> Lines<T> {
        Lines::of(response.into_body(), self.limit)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let response = self.send(Method::GET, path, None::<&()>).await?;
        let bytes = http_body_util::BodyExt::collect(http_body_util::Limited::new(response.into_body(), WHOLE));
        let bytes = bytes.await.map_err(|error| Failure::new(ROAD, Obstacle::Failed, error.to_string()))?;
        let read = serde_json::from_slice(&bytes.to_bytes());
        read.map_err(|error| {
            Failure::new(ROAD, Obstacle::Failed, format!("the answer to {path} is no such document: {error}"))
        })
    }

    /// Sends a request, again where somebody else is at it: the endpoint takes one at a time of what is dear, and lets go of ours a moment
    /// after its last line.
    async fn send<T: Serialize>(
        &self,
        method: Method,
        path: &str,
        body: Option<&T>,
    ) -> Result<Response<Body>, Failure> {
        for pause in TURNS {
            match self.send_once(&method, path, body).await? {
                busy if busy.status() == StatusCode::TOO_MANY_REQUESTS => tokio::time::sleep(pause).await,
                response => return self.judge(response).await,
            }
        }
        let last = self.send_once(&method, path, body).await?;
        self.judge(last).await
    }

    async fn judge(&self, response: Response<Body>) -> Result<Response<Body>, Failure> {
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    async fn send_once<T: Serialize>(
        &self,
        method: &Method,
        path: &str,
        body: Option<&T>,
    ) -> Result<Response<Body>, Failure> {
        let failed = |obstacle, cause: String| Failure::new(ROAD, obstacle, cause);
        let bytes = match body.map(serde_json::to_vec).transpose() {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(error) => return Err(failed(Obstacle::Failed, error.to_string())),
        };
        let request = Request::builder()
            .method(method.clone())
            .uri(format!("{}{path}", self.server.base))
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, "application/json")
            .header(ACTOR_HEADER, self.actor.as_str())
            .header(RUN_HEADER, self.run.as_str())
            .body(Body::from(bytes));
        let request = request.map_err(|error| failed(Obstacle::Failed, error.to_string()))?;
        let sent = self.server.client.send(request);
        let answered = match self.limit {
            None => sent.await,
            Some(limit) => match tokio::time::timeout(limit, sent).await {
                Ok(answered) => answered,
                Err(_) => {
                    let cause = format!("no answer from {} within {limit:?}", self.place());
                    return Err(failed(Obstacle::TimedOut, cause).help("raise --request-timeout"));
                }
            },
        };
        answered.map_err(|error| self.silence(&error))
    }

    fn silence(&self, error: &kube::Error) -> Failure {
        let pod = self.server.pod.as_deref().unwrap_or_default();
        let namespace = self.inside.as_ref().map(|(namespace, _)| namespace.as_str()).unwrap_or_default();
        match self.server.silence(error) {
            Silence::Forbidden => {
                let call = forward_call(namespace, pod);
                Failure::new(ROAD, Obstacle::NoRight, format!("you may not {call}")).help(call.missing_rule())
            }
            Silence::NoWay(cause) => {
                Failure::new(ROAD, Obstacle::NoRoad, format!("no way into Pod {namespace}/{pod}: {cause}"))
            }
            Silence::Nobody(cause) => {
                let cause = format!("no answer from {}: {cause}", self.place());
                Failure::new(ROAD, Obstacle::NoRoad, cause)
                    .help(format!("see whether the operator runs with --{FLAG}: kubectl jaas storage info"))
            }
        }
    }

    /// The endpoint's own words for what it did not do. Of a replica that does not lead, the remedy is the leader's name.
    async fn refusal(&self, response: Response<Body>) -> Failure {
        let status = response.status();
        let bytes = http_body_util::BodyExt::collect(http_body_util::Limited::new(response.into_body(), 1 << 20)).await;
        let bytes = bytes.map(|collected| collected.to_bytes()).unwrap_or_default();
        let said: Problem = serde_json::from_slice(&bytes).unwrap_or_default();
        let message = match said.message.as_str() {
            "" => format!("it answers {status}"),
            message => message.to_owned(),
        };
        match status {
            StatusCode::UNAUTHORIZED => Failure::new(ROAD, Obstacle::NoRight, message)
                .help("whose token it takes: kubectl jaas auth storage --yaml"),
            StatusCode::FORBIDDEN => {
                Failure::new(ROAD, Obstacle::NoRight, message).help("the rights: kubectl jaas auth storage --yaml")
            }
            StatusCode::NOT_FOUND => Failure::new(ROAD, Obstacle::NotOffered, message),
            StatusCode::MISDIRECTED_REQUEST => {
                Failure::new(ROAD, Obstacle::NoRoad, message).help(said.leader.unwrap_or_default())
            }
            _ => Failure::new(ROAD, Obstacle::Failed, message),
        }
    }
}

/// Name of the Pod in the identity of a leader.
fn pod_of(identity: &str) -> &str {
    identity.rsplit_once('_').map_or(identity, |(pod, _)| pod)
}

fn within(path: &str, namespace: Option<&str>) -> String {
    namespace.map_or_else(|| path.to_owned(), |namespace| format!("{path}?namespace={namespace}"))
}

/// Where the endpoint is.
async fn find(site: &Site<'_>) -> Result<(Server, Option<(String, u16)>), Failure> {
    if let Some(address) = &site.args.admin_address {
        let server = Server::at(address).map_err(|cause| Failure::new(ROAD, Obstacle::NoRoad, cause))?;
        return Ok((server, None));
    }
    let Some(operator) = site.operator else {
        let cause = "no operator can be seen that has an endpoint";
        return Err(Failure::new(ROAD, Obstacle::NoRoad, cause).help("name its namespace with --operator-namespace"));
    };
    let port = match port(operator.argument(FLAG)) {
        Port::Off => {
            let cause = format!("{} has no admin endpoint: --{FLAG} is not set", operator.path());
            return Err(Failure::new(ROAD, Obstacle::NotOffered, cause).help(TURN_ON));
        }
        Port::Odd(value) => {
            let cause = format!("{} listens at `{value}`, which names no port", operator.path());
            return Err(Failure::new(ROAD, Obstacle::NoRoad, cause));
        }
        Port::At(port) => port,
    };
    let chosen = pods::choose(site, operator).await.map_err(|error| Failure::of(ROAD, &error))?;
    let Some(chosen) = chosen else {
        let cause = format!("no Pod of {} works", operator.path());
        return Err(Failure::new(ROAD, Obstacle::NoRoad, cause).help("see why: kubectl jaas doctor pods"));
    };
    let server = Server::inside(site.session, operator.namespace(), &chosen.name, port);
    Ok((server, Some((operator.namespace().to_owned(), port))))
}

#[derive(Debug, PartialEq, Eq)]
enum Port<'a> {
    /// The endpoint is off.
    Off,
    /// The port.
    At(u16),
    /// An address without a port.
    Odd(&'a str),
}

fn port(argument: Option<&str>) -> Port<'_> {
    match argument {
        None | Some("" | "0") => Port::Off,
        Some(address) => match address.rsplit(':').next().and_then(|port| port.parse().ok()) {
            Some(port) => Port::At(port),
            None => Port::Odd(address),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_that_of_the_operators_argument() {
        assert_eq!(port(Some("127.0.0.1:8085")), Port::At(8085));
        assert_eq!(port(Some("[::1]:8085")), Port::At(8085));
        assert_eq!(port(Some(":8085")), Port::At(8085));
        assert_eq!((port(None), port(Some(""))), (Port::Off, Port::Off));
        assert_eq!(port(Some("localhost")), Port::Odd("localhost"));
    }

    #[test]
    fn an_identity_begins_with_the_pods_name() {
        assert_eq!((pod_of("jaas-1_ab"), pod_of("jaas-1"), pod_of("")), ("jaas-1", "jaas-1", ""));
        assert_eq!(within("/x", Some("team-a")), "/x?namespace=team-a");
    }
}
