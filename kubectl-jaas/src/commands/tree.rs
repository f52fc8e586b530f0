//! `tree`: what feeds a snippet, and who uses what it publishes.

mod consumers;
mod cycles;

use jaas_api::artifact::FLUX_SOURCE_GROUP;
use jaas_api::{ExternalArtifact, JsonnetLibrary};
use jiff::Timestamp;
use kube::Api;

use super::{Error, Invocation, Verdict, one};
use crate::cli::TreeArgs;
use crate::exit::Exit;
use crate::session::{self, Call, Session, Writes};
use crate::snippet::{Key, Reference, Snippet, State};
use crate::view::{Detail, Node, Report};

/// Digits of a revision that a tree shows.
const SHORT: usize = 19;

/// Notes the tree in the report.
pub(super) async fn run(args: &TreeArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
    report.at(&session.destination);
    let key = one::key(&args.snippet.name, &session, invocation, "tree")?;
    invocation.listener.say(&format!("tree of {key}; {}", session.destination));
    let snippet = one::get(&session, &key, report).await?;
    if args.cycles {
        return Ok(circles(&session, &key, &snippet, report).await);
    }
    let mut unknown = Vec::new();
    let mut root = snippet_node(&key, &snippet, Timestamp::now());
    for library in &snippet.spec.libraries {
        root.children.push(library_node(&session, &key, library, &mut unknown).await);
    }
    root.children.extend(snippet.spec.source_ref.as_ref().map(|source| source_node(&key, source)));
    let (mut artifact, is_there) = artifact_node(&session, &key, &snippet, &mut unknown).await;
    if is_there {
        artifact.children = consumers::find(&session, &key, &mut unknown).await;
    }
    let n_consumers = artifact.children.len();
    root.children.push(artifact);
    report.detail = Some(Detail::Tree(root));
    let exit = if unknown.is_empty() { Exit::Done } else { Exit::Partial };
    let mut message = match n_consumers {
        1 => "1 consumer found".to_owned(),
        count => format!("{count} consumers found"),
    };
    if !unknown.is_empty() {
        message.push_str(&format!("; could not see: {}", unknown.join("; ")));
    }
    Ok(Verdict { exit, message, hint: None })
}

/// Notes the circles that the snippet leads to.
async fn circles(session: &Session, key: &Key, snippet: &Snippet, report: &mut Report) -> Verdict {
    let walked = cycles::walk(session, key).await;
    let found = cycles::cycles(&walked.edges);
    let mut root = snippet_node(key, snippet, Timestamp::now());
    root.children = found.iter().map(|way| circle_node(way)).collect();
    report.detail = Some(Detail::Tree(root));
    let mut message = match found.len() {
        0 => format!("no cycle in what {key} is made of"),
        1 => "1 cycle found".to_owned(),
        count => format!("{count} cycles found"),
    };
    if !walked.unknown.is_empty() {
        message.push_str(&format!("; could not see: {}", walked.unknown.join("; ")));
    }
    let exit = match (found.is_empty(), walked.unknown.is_empty()) {
        (false, _) => Exit::Findings,
        (true, false) => Exit::Partial,
        (true, true) => Exit::Done,
    };
    let hint = "point one of them at something else: kubectl jaas explain DependencyCycle".to_owned();
    Verdict { exit, message, hint: (!found.is_empty()).then_some(hint) }
}

/// A circle: its first part, with the whole way.
fn circle_node(way: &[cycles::Part]) -> Node {
    let (kind, key) = match way.first() {
        Some(cycles::Part::Library(key)) => ("JsonnetLibrary", key.clone()),
        Some(cycles::Part::Snippet(key)) => ("JsonnetSnippet", key.clone()),
        None => ("", Key::default()),
    };
    Node {
        kind: kind.to_owned(),
        namespace: key.namespace,
        name: key.name,
        role: "cycle".to_owned(),
        detail: cycles::words(way),
        ..Node::default()
    }
}

fn snippet_node(key: &Key, snippet: &Snippet, now: Timestamp) -> Node {
    let state = State::of(snippet, now);
    let ready = snippet.status.as_ref().and_then(|status| status.ready());
    let reason = ready.filter(|_| state != State::Ready).map(|ready| ready.reason.clone());
    Node {
        kind: "JsonnetSnippet".to_owned(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        state: state.word().to_owned(),
        detail: reason.unwrap_or_default(),
        ..Node::default()
    }
}

async fn library_node(session: &Session, key: &Key, library: &Reference, unknown: &mut Vec<String>) -> Node {
    let namespace = library.namespace_or(&key.namespace).to_owned();
    let libraries: Api<JsonnetLibrary> = Api::namespaced(session.client.clone(), &namespace);
    let call = Call::new("get", jaas_api::GROUP, "jsonnetlibraries", &["get"]).within(Some(&namespace));
    let found = session.call(&call.named(&library.name), libraries.get_metadata_opt(&library.name)).await;
    let state = presence(found.map(|found| found.is_some()), unknown);
    let alias = library.import_path.as_deref().filter(|alias| !alias.is_empty() && *alias != library.name);
    Node {
        kind: "JsonnetLibrary".to_owned(),
        namespace,
        name: library.name.clone(),
        role: "imports".to_owned(),
        state,
        detail: alias.map(|alias| format!("as {alias}")).unwrap_or_default(),
        ..Node::default()
    }
}

fn source_node(key: &Key, source: &Reference) -> Node {
    Node {
        kind: source.kind.clone(),
        namespace: source.namespace_or(&key.namespace).to_owned(),
        name: source.name.clone(),
        role: "files from".to_owned(),
        ..Node::default()
    }
}

async fn artifact_node(session: &Session, key: &Key, snippet: &Snippet, unknown: &mut Vec<String>) -> (Node, bool) {
    let artifacts: Api<ExternalArtifact> = Api::namespaced(session.client.clone(), &key.namespace);
    let call = Call::new("get", FLUX_SOURCE_GROUP, "externalartifacts", &["get"]).within(Some(&key.namespace));
    let found = session.call(&call.named(&key.name), artifacts.get_opt(&key.name)).await;
    let is_there = !matches!(found, Ok(None));
    let (state, detail) = match found {
        Err(error) => (presence(Err(error), unknown), String::new()),
        Ok(None) => ("missing".to_owned(), String::new()),
        Ok(Some(artifact)) => announcement(&artifact, snippet),
    };
    let node = Node {
        kind: "ExternalArtifact".to_owned(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        role: "publishes".to_owned(),
        state,
        detail,
        ..Node::default()
    };
    (node, is_there)
}

fn announcement(artifact: &ExternalArtifact, snippet: &Snippet) -> (String, String) {
    let is_ours = artifact.spec.source_ref.as_ref().is_some_and(|by| by.names_snippet(&snippet.key().name));
    let Some(published) = artifact.published() else { return ("announces nothing".to_owned(), String::new()) };
    let wanted = snippet.status.as_ref().and_then(|status| status.revision.as_deref());
    let state = match (is_ours, wanted == Some(published.revision.as_str())) {
        (false, _) => "belongs to somebody else",
        (true, true) => "announced",
        (true, false) => "announces another revision",
    };
    (state.to_owned(), published.revision.chars().take(SHORT).collect())
}

fn presence(found: Result<bool, session::Error>, unknown: &mut Vec<String>) -> String {
    match found {
        Ok(true) => "there".to_owned(),
        Ok(false) => "missing".to_owned(),
        Err(error) => {
            unknown.push(error.to_string());
            "unknown".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_artifact_tells_whose_and_which_revision_it_is() {
        let snippet: Snippet =
            serde_json::from_value(json!({"metadata": {"name": "web"}, "status": {"revision": "sha256:1"}})).unwrap();
        let artifact = |producer: &str, revision: &str| -> ExternalArtifact {
            serde_json::from_value(json!({"metadata": {}, "spec": {"sourceRef": {"apiVersion": "jaas.metio.wtf/v1",
                "kind": "JsonnetSnippet", "name": producer}},
                "status": {"artifact": {"revision": revision}}}))
            .unwrap()
        };
        let state = |artifact: &ExternalArtifact| announcement(artifact, &snippet).0;
        assert_eq!(state(&artifact("web", "sha256:1")), "announced");
        assert_eq!(state(&artifact("web", "sha256:2")), "announces another revision");
        assert_eq!(state(&artifact("other", "sha256:1")), "belongs to somebody else");
        assert_eq!(state(&ExternalArtifact::default()), "announces nothing");
    }
}
