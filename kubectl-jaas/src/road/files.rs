//! The storage server, by whatever way: it knows paths, and no listing.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{Method, Request, Response};
use jaas_findings::facts::network::Reach;
use jaas_findings::facts::{Reply, RoadKind};
use jaas_findings::known::Obstacle;
use jaas_findings::{Known, Why};
use jaas_storage::artifact::{Digest, is_content_of, unpack};
use kube::Client;
use kube::client::Body;

use super::Failure;
use super::connect::{Server, Silence, forward_call};
use crate::cli::Route;
use crate::facts;
use crate::session::{self, Call, Error, Session};

/// Requests at once through the API server, which carries every byte.
const THROUGH_THE_SERVER: usize = 8;
/// Requests at once to the storage server itself.
const DIRECT: usize = 16;
/// Longest tarball that is read; no artifact of ours comes near.
const LONGEST: usize = 256 << 20;

/// The storage server, by whatever way.
pub(crate) struct Files {
    /// Which road this is to findings.
    pub(crate) kind: RoadKind,
    /// The Pod at the end, where it is a chosen one.
    pub(crate) pod: Option<String>,
    /// Requests that may be under way at once.
    pub(crate) at_once: usize,
    route: Route,
    client: Client,
    /// What stands before the path of a file.
    prefix: String,
    call: Call,
    /// Where that is, for messages.
    place: String,
    limit: Option<std::time::Duration>,
    /// Longest time until it shows that somebody is there.
    first: Option<std::time::Duration>,
    server: Option<Server>,
}

impl Files {
    /// Through the API server and a Service.
    ///
    /// # Errors
    /// The credentials cannot be had once more.
    pub(crate) fn by_proxy(session: &Session, namespace: &str, name: &str, port: u16) -> Result<Self, Error> {
        Ok(Self {
            kind: RoadKind::ServiceProxy,
            pod: None,
            at_once: THROUGH_THE_SERVER,
            route: Route::ServiceProxy,
            client: session.once()?,
            prefix: format!("/api/v1/namespaces/{namespace}/services/http:{name}:{port}/proxy"),
            call: Call::new("get", "", "services/proxy", &["get"]).within(Some(namespace)).named(name),
            place: format!("service {namespace}/{name}:{port}"),
            limit: session.limit(),
            first: session.first_answer(),
            server: None,
        })
    }

    /// By an address, from here. A server that is asked by its own address is asked past every Service, so this is the road of whoever
    /// stands beside it.
    ///
    /// # Errors
    /// It is no address.
    pub(crate) fn by_address(session: &Session, base: &str) -> Result<Self, Error> {
        Ok(Self {
            kind: RoadKind::PortForward,
            pod: None,
            at_once: DIRECT,
            route: Route::Direct,
            // The client puts the path of the address before that of each request.
            client: session::plain(base)?,
            prefix: String::new(),
            call: Call::new("get", "", "artifacts", &["get"]).named(base),
            place: base.to_owned(),
            limit: session.limit(),
            first: session.first_answer(),
            server: None,
        })
    }

    /// Through a Pod, past every policy and Service.
    pub(crate) fn inside(session: &Session, namespace: &str, pod: &str, port: u16) -> Self {
        let server = Server::inside(session, namespace, pod, port);
        Self {
            kind: RoadKind::PortForward,
            pod: Some(pod.to_owned()),
            at_once: THROUGH_THE_SERVER,
            route: Route::PortForward,
            client: server.client.clone(),
            prefix: server.base.clone(),
            call: forward_call(namespace, pod),
            place: format!("pod {namespace}/{pod}:{port}"),
            limit: session.limit(),
            first: session.first_answer(),
            server: Some(server),
        }
    }

    /// The road, as `--route` has it.
    pub(crate) fn word(&self) -> &'static str {
        self.route.word()
    }

    /// The road and its end.
    pub(crate) fn words(&self) -> String {
        format!("{} to {}", self.word(), self.place)
    }

    /// Fails where nobody answers.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) async fn answers(&self) -> Result<(), Failure> {
        match self.reach().await {
            Known::Yes(Reach::Yes) => Ok(()),
            Known::Yes(Reach::No(cause)) => {
                Err(Failure::new(self.word(), Obstacle::NoRoad, format!("no answer from {}: {cause}", self.place)))
            }
            Known::No(why) if why.why == Obstacle::NoRight => {
                let cause = format!("not allowed: {}", why.detail);
                Err(Failure::new(self.word(), why.why, cause).help(self.call.missing_rule()))
            }
            Known::No(why) => Err(Failure::new(self.word(), why.why, why.detail)),
        }
    }

    /// Whether a storage server answers. Any path will do to see whether somebody is there; an answer of the storage server itself is
    /// one, whatever it says.
    pub(crate) async fn reach(&self) -> Known<Reach> {
        match self.send_within(self.first, Method::GET, "/").await {
            Ok(response) => self.reached(response).await,
            Err(silence) => silence.reach,
        }
    }

    /// Whether an artifact is there, without reading it.
    pub(crate) async fn head(&self, path: &str) -> Reply {
        match self.send(Method::HEAD, &format!("/{path}")).await {
            Ok(response) => self.judge(&response).unwrap_or_else(|| {
                let length = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
                Reply::There(length.and_then(|length| length.parse().ok()))
            }),
            Err(silence) => Reply::Silent(silence.text),
        }
    }

    /// Reads an artifact and proves it.
    pub(crate) async fn read(&self, path: &str, digest: Option<&str>, revision: &str) -> Reply {
        match self.bytes(path).await {
            Ok(bytes) => prove(&bytes, digest, revision),
            Err(reply) => reply,
        }
    }

    /// The bytes of an artifact, whatever they are.
    ///
    /// # Errors
    /// What was answered instead.
    pub(crate) async fn bytes(&self, path: &str) -> Result<Bytes, Reply> {
        let response = match self.send(Method::GET, &format!("/{path}")).await {
            Ok(response) => response,
            Err(silence) => return Err(Reply::Silent(silence.text)),
        };
        if let Some(reply) = self.judge(&response) {
            return Err(reply);
        }
        let body = http_body_util::Limited::new(response.into_body(), LONGEST);
        let collected = http_body_util::BodyExt::collect(body);
        let collected = match self.limit {
            None => collected.await,
            Some(limit) => match tokio::time::timeout(limit, collected).await {
                Ok(collected) => collected,
                Err(_) => return Err(Reply::Silent(format!("not read within {limit:?}"))),
            },
        };
        match collected {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) => Err(Reply::Silent(error.to_string())),
        }
    }

    async fn send(&self, method: Method, path: &str) -> Result<Response<Body>, Silent> {
        self.send_within(self.limit, method, path).await
    }

    async fn send_within(
        &self,
        limit: Option<std::time::Duration>,
        method: Method,
        path: &str,
    ) -> Result<Response<Body>, Silent> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.prefix)).body(Body::empty());
        let request = request.map_err(|error| Silent::unknown(Why::new(Obstacle::Failed, error.to_string())))?;
        let sent = self.client.send(request);
        let answered = match limit {
            None => sent.await,
            Some(limit) => match tokio::time::timeout(limit, sent).await {
                Ok(answered) => answered,
                Err(_) => return Err(Silent::nobody(format!("no answer within {limit:?}"))),
            },
        };
        answered.map_err(|error| self.silence(error))
    }

    fn silence(&self, error: kube::Error) -> Silent {
        let forbidden = || Silent::unknown(Why::new(Obstacle::NoRight, self.call.to_string().replace('`', "")));
        if let Some(server) = &self.server {
            return match server.silence(&error) {
                Silence::Forbidden => forbidden(),
                Silence::NoWay(cause) => Silent::unknown(Why::new(Obstacle::NoRoad, cause)),
                Silence::Nobody(cause) => Silent::nobody(cause),
            };
        }
        match Error::classify(&self.call, error, &self.place) {
            Error::Unreachable { cause, .. } => Silent::nobody(cause),
            Error::Forbidden { .. } => forbidden(),
            other => Silent::unknown(facts::why(&other)),
        }
    }

    /// Whether the answer is the storage server's, or the API server's own.
    async fn reached(&self, response: Response<Body>) -> Known<Reach> {
        if !self.is_of_the_api_server(&response) {
            return Known::Yes(Reach::Yes);
        }
        let status = response.status();
        let body = response.into_body().collect_bytes().await.unwrap_or_default();
        let said: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let said = said["message"].as_str().unwrap_or(status.canonical_reason().unwrap_or_default()).to_owned();
        match status.as_u16() {
            401 | 403 => Known::No(Why::new(Obstacle::NoRight, self.call.to_string().replace('`', ""))),
            404 => Known::No(Why::new(Obstacle::NoRoad, said)),
            _ => Known::Yes(Reach::No(said)),
        }
    }

    /// The API server answers with a document of its own where it does not get through; the storage server never sends JSON.
    fn is_of_the_api_server(&self, response: &Response<Body>) -> bool {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        self.kind == RoadKind::ServiceProxy && !response.status().is_success() && kind.starts_with("application/json")
    }

    /// What a status says; `None` for 200.
    fn judge(&self, response: &Response<Body>) -> Option<Reply> {
        let status = response.status().as_u16();
        Some(match status {
            200 => return None,
            _ if self.is_of_the_api_server(response) => Reply::Silent(format!("the API server answers {status}")),
            404 => Reply::Missing,
            503 if response.headers().contains_key(RETRY_AFTER) => Reply::Restoring,
            _ => Reply::Status(status),
        })
    }
}

/// No answer: as a fact, where that nobody answers is one and that nobody could be asked is none, and in words.
struct Silent {
    reach: Known<Reach>,
    text: String,
}

impl Silent {
    fn nobody(cause: String) -> Self {
        Self { text: format!("no answer: {cause}"), reach: Known::Yes(Reach::No(cause)) }
    }

    fn unknown(why: Why) -> Self {
        Self { text: why.to_string(), reach: Known::No(why) }
    }
}

/// Whether bytes are what is announced, where a digest is, and hold what the revision says.
pub(crate) fn prove(bytes: &[u8], announced: Option<&str>, revision: &str) -> Reply {
    let digest = Digest::of(bytes).to_string();
    if announced.is_some_and(|announced| announced != digest) {
        return Reply::WrongDigest(digest);
    }
    match (unpack(bytes), revision.parse()) {
        (Err(error), _) => Reply::NoTarball(error.to_string()),
        (Ok(entries), Ok(named)) if is_content_of(&entries, &named) => Reply::Verified(bytes.len() as u64),
        (Ok(_), _) => Reply::WrongContent(format!("not the content of {revision}")),
    }
}

#[cfg(test)]
mod tests {
    use jaas_storage::Content;

    use super::*;

    #[test]
    fn bytes_are_proven_outside_and_inside() {
        let content = Content::document("rendered.json", b"1".to_vec());
        let bytes = content.packed().unwrap();
        let (digest, revision) = (Digest::of(&bytes).to_string(), content.revision().to_string());
        assert_eq!(prove(&bytes, Some(&digest), &revision), Reply::Verified(bytes.len() as u64));
        assert_eq!(prove(&bytes, None, &revision), Reply::Verified(bytes.len() as u64));
        assert!(matches!(prove(b"x", Some(&digest), &revision), Reply::WrongDigest(_)));
        let other = Content::document("rendered.json", b"2".to_vec()).revision().to_string();
        assert!(matches!(prove(&bytes, Some(&digest), &other), Reply::WrongContent(_)));
        assert!(matches!(prove(b"x", None, &revision), Reply::NoTarball(_)));
    }
}
