//! Asks the storage server for files, by the service proxy or by the announced addresses themselves.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{Method, Request, Response};
use jaas_findings::facts::network::Reach;
use jaas_findings::facts::snippets::path_of;
use jaas_findings::facts::{Answer, Artifact, Facts, Reply, Road, RoadKind};
use jaas_findings::known::Obstacle;
use jaas_findings::{Known, Why};
use jaas_storage::artifact::{Digest, is_content_of, unpack};
use kube::Client;
use kube::client::Body;

use super::{Ask, tell};
use crate::cli::{Depth, Route};
use crate::session::{self, Call, Error, Session};

/// Requests at once through the API server, which carries every byte.
const THROUGH_THE_SERVER: usize = 8;
/// Requests at once to the storage server itself.
const DIRECT: usize = 16;

/// Where requests go.
struct Way<'a> {
    session: &'a Session,
    client: Client,
    /// What stands before the path of a file.
    prefix: String,
    call: Call,
    at_once: usize,
    kind: RoadKind,
}

/// Walks the road that was asked for; `None` where there is nothing to ask for.
pub(super) async fn walk(session: &Session, ask: &Ask<'_>, facts: &Facts) -> Option<Road> {
    let artifacts: Vec<_> = facts.artifacts.ok()?.iter().filter(|it| it.ours && !it.path.is_empty()).collect();
    let way = match ask.route {
        Route::ServiceProxy => by_proxy(session, facts),
        Route::Direct => by_address(session, &artifacts)?,
    };
    Some(match way {
        Ok(way) => way.road(facts, &artifacts, ask.depth).await,
        Err((kind, why)) => Road { kind, pod: None, reachable: Known::No(why.clone()), answers: Known::No(why) },
    })
}

fn by_proxy<'a>(session: &'a Session, facts: &Facts) -> Result<Way<'a>, (RoadKind, Why)> {
    let kind = RoadKind::ServiceProxy;
    let no_road = |why: &str| (kind, Why::new(Obstacle::NoRoad, why));
    let service = match &facts.network.storage_service {
        Known::Yes(Some(service)) => service,
        Known::Yes(None) => return Err(no_road("no Service leads to the storage server")),
        Known::No(why) => return Err((kind, why.clone())),
    };
    let namespace = &facts.operator.namespace;
    let (name, port) = (&service.name, service.port);
    let prefix = format!("/api/v1/namespaces/{namespace}/services/http:{name}:{port}/proxy");
    let call = Call::new("get", "", "services/proxy", &["get"]).within(Some(namespace)).named(name);
    let client = session.once().map_err(|error| (kind, tell::why(&error)))?;
    Ok(Way { session, client, prefix, call, at_once: THROUGH_THE_SERVER, kind })
}

/// `None` where no address is announced. A server that is asked by its own address is asked past every Service, so this is the road
/// of whoever stands beside it.
fn by_address<'a>(session: &'a Session, artifacts: &[&Artifact]) -> Option<Result<Way<'a>, (RoadKind, Why)>> {
    let kind = RoadKind::PortForward;
    let base = artifacts.iter().find_map(|artifact| artifact.url.strip_suffix(&artifact.path))?.trim_end_matches('/');
    let call = Call::new("get", "", "artifacts", &["get"]).named(base);
    let client = session::plain(base).map_err(|error| (kind, tell::why(&error)));
    // The client puts the path of the address before that of each request.
    Some(client.map(|client| Way { session, client, prefix: String::new(), call, at_once: DIRECT, kind }))
}

impl Way<'_> {
    async fn road(&self, facts: &Facts, artifacts: &[&Artifact], depth: Depth) -> Road {
        let road = |reachable, answers| Road { kind: self.kind, pod: None, reachable, answers };
        // Any path will do to see whether somebody is there; an answer of the storage server itself is one, whatever it says.
        let reach = match self.send(Method::GET, "/").await {
            Ok(response) => self.reach(response).await,
            Err(error) => silence(&error),
        };
        match reach {
            Known::Yes(Reach::Yes) => {}
            Known::Yes(Reach::No(ref error)) => {
                let answers = Known::No(Why::new(Obstacle::NoRoad, error.clone()));
                return road(reach, answers);
            }
            Known::No(why) => return road(Known::No(why.clone()), Known::No(why)),
        }
        let mut answers: Vec<_> = stream::iter(artifacts)
            .map(|artifact| self.look(artifact, depth))
            .buffer_unordered(self.at_once)
            .collect()
            .await;
        if depth == Depth::Full {
            let rest = stream::iter(retained(facts, artifacts)).map(|path| async {
                let reply = self.head(&path).await;
                Answer { path, reply }
            });
            answers.extend(rest.buffer_unordered(self.at_once).collect::<Vec<_>>().await);
        }
        road(reach, Known::Yes(answers))
    }

    async fn send(&self, method: Method, path: &str) -> Result<Response<Body>, Error> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.prefix)).body(Body::empty());
        match request {
            Ok(request) => self.session.call(&self.call, self.client.send(request)).await,
            Err(error) => Err(Error::Unexpected { call: Box::new(self.call.clone()), cause: error.to_string() }),
        }
    }

    /// Whether the answer is the storage server's, or the API server's own.
    async fn reach(&self, response: Response<Body>) -> Known<Reach> {
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

    async fn look(&self, artifact: &Artifact, depth: Depth) -> Answer {
        let reply = match depth {
            Depth::Full => self.read(artifact).await,
            Depth::Quick | Depth::Standard => self.head(&artifact.path).await,
        };
        Answer { path: artifact.path.clone(), reply }
    }

    async fn head(&self, path: &str) -> Reply {
        match self.send(Method::HEAD, &format!("/{path}")).await {
            Ok(response) => self.judge(&response).unwrap_or_else(|| {
                let length = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
                Reply::There(length.and_then(|length| length.parse().ok()))
            }),
            Err(error) => Reply::Silent(error.to_string()),
        }
    }

    async fn read(&self, artifact: &Artifact) -> Reply {
        let response = match self.send(Method::GET, &format!("/{}", artifact.path)).await {
            Ok(response) => response,
            Err(error) => return Reply::Silent(error.to_string()),
        };
        if let Some(reply) = self.judge(&response) {
            return reply;
        }
        match self.session.call(&self.call, response.into_body().collect_bytes()).await {
            Ok(bytes) => prove(&bytes, artifact),
            Err(error) => Reply::Silent(error.to_string()),
        }
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

/// No answer, as a fact: that nobody answers is one, that nobody could be asked is none.
fn silence(error: &Error) -> Known<Reach> {
    match error {
        Error::Unreachable { cause, .. } => Known::Yes(Reach::No(cause.clone())),
        Error::TimedOut { after, .. } => Known::Yes(Reach::No(format!("no answer within {after:?}"))),
        other => Known::No(tell::why(other)),
    }
}

/// Files that snippets retain besides what is announced.
fn retained(facts: &Facts, artifacts: &[&Artifact]) -> BTreeSet<String> {
    let snippets = facts.snippets.ok().map(|snippets| snippets.items.as_slice()).unwrap_or_default();
    let all = snippets
        .iter()
        .flat_map(|it| it.history.iter().filter_map(|entry| path_of(&it.namespace, &it.name, &entry.revision)));
    let mut paths: BTreeSet<_> = all.collect();
    for artifact in artifacts {
        paths.remove(&artifact.path);
    }
    paths
}

/// Whether bytes are what is announced, and hold what their name says.
fn prove(bytes: &[u8], artifact: &Artifact) -> Reply {
    let digest = Digest::of(bytes).to_string();
    if artifact.digest.as_ref().is_some_and(|announced| *announced != digest) {
        return Reply::WrongDigest(digest);
    }
    match (unpack(bytes), artifact.revision.parse()) {
        (Err(error), _) => Reply::NoTarball(error.to_string()),
        (Ok(entries), Ok(revision)) if is_content_of(&entries, &revision) => Reply::Verified(bytes.len() as u64),
        (Ok(_), _) => Reply::WrongContent(format!("not the content of {}", artifact.revision)),
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
        let announced = |digest: &str, revision: String| Artifact {
            digest: Some(digest.to_owned()),
            revision,
            ..Artifact::default()
        };
        let digest = Digest::of(&bytes).to_string();
        let right = announced(&digest, content.revision().to_string());
        assert_eq!(prove(&bytes, &right), Reply::Verified(bytes.len() as u64));
        assert!(matches!(prove(b"x", &right), Reply::WrongDigest(_)));
        let other = Content::document("rendered.json", b"2".to_vec()).revision().to_string();
        assert!(matches!(prove(&bytes, &announced(&digest, other)), Reply::WrongContent(_)));
        let text = announced(&Digest::of(b"x").to_string(), content.revision().to_string());
        assert!(matches!(prove(b"x", &text), Reply::NoTarball(_)));
    }
}
