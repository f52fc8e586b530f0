//! Snippets, what they published, and what happened to deleted ones.

use std::collections::BTreeSet;

use jaas_api::{ExternalArtifact, FIELD_MANAGER, JAAS_RECONCILE_REQUEST, RECONCILE_REQUEST};
use jaas_findings::facts::{self, Event, Implementation, Ready, Request, RevisionAt};
use jaas_findings::known::Obstacle;
use jaas_findings::{Known, Why};
use k8s_openapi::api::core::v1::{Event as Object, ObjectReference};
use kube::Api;
use kube::api::ListParams;
use serde::de::DeserializeOwned;

use super::IntoKnown as _;
use crate::session::{Call, Error, Session};
use crate::snippet::{RESOURCE, Snippet};

/// Items of one page of a list.
const PAGE: u32 = 500;

/// Which snippets are looked at.
pub(crate) struct Scope<'a> {
    /// Their namespace; `None` for all.
    pub(crate) namespace: Option<&'a str>,
    /// Their labels; `None` for any.
    pub(crate) labels: Option<&'a str>,
}

impl Scope<'_> {
    fn is_everything(&self) -> bool {
        self.namespace.is_none() && self.labels.is_none()
    }
}

/// The snippets of the scope.
pub(crate) async fn list(session: &Session, scope: &Scope<'_>) -> Result<Vec<Snippet>, Error> {
    let call = Call::new("list", jaas_api::GROUP, RESOURCE, &["list"]).within(scope.namespace);
    let params = ListParams { label_selector: scope.labels.map(str::to_owned), ..ListParams::default() };
    pages(session, &call, &api(session, scope.namespace), params).await
}

/// ExternalArtifacts of the scope's namespaces.
pub(crate) async fn artifacts(session: &Session, scope: &Scope<'_>) -> Result<Vec<ExternalArtifact>, Error> {
    let group = jaas_api::artifact::FLUX_SOURCE_GROUP;
    let call = Call::new("list", group, "externalartifacts", &["list"]).within(scope.namespace);
    pages(session, &call, &api(session, scope.namespace), ListParams::default()).await
}

/// Events that tell of withdrawals that were given up: those about the snippets, and what repeats them in the operator's namespace,
/// `home`, since that of a snippet may be gone. Without `home`, only where all namespaces are looked at.
pub(crate) async fn withdrawals(session: &Session, scope: &Scope<'_>, home: Option<&str>) -> Known<Vec<Event>> {
    let (about, repeated) = tokio::join!(told(session, scope.namespace), async {
        match (scope.namespace, home) {
            // Whoever may not read them still has those about the snippets.
            (Some(namespace), Some(home)) if namespace != home => told(session, Some(home)).await.unwrap_or_default(),
            _ => Vec::new(),
        }
    });
    about.map(|about| gathered(about.into_iter().chain(repeated), scope.namespace)).into_known()
}

async fn told(session: &Session, namespace: Option<&str>) -> Result<Vec<Object>, Error> {
    let events: Api<Object> = api(session, namespace);
    let call = Call::new("list", "", "events", &["list"]).within(namespace);
    pages(session, &call, &events, ListParams::default().fields("reason=WithdrawForced")).await
}

/// What the events say of snippets; of what was repeated, only what is not told by an event about the snippet itself.
fn gathered(events: impl Iterator<Item = Object>, namespace: Option<&str>) -> Vec<Event> {
    let (about, repeated): (Vec<_>, Vec<_>) = events.partition(|event| is_snippet(&event.involved_object));
    let mut all: Vec<_> = about.into_iter().map(event).collect();
    for event in repeated.into_iter().filter_map(repeated_at_home).map(event) {
        let is_meant = namespace.is_none_or(|namespace| namespace == event.namespace);
        let is_told = all.iter().any(|it| (&it.namespace, &it.name) == (&event.namespace, &event.name));
        if is_meant && !is_told {
            all.push(event);
        }
    }
    all
}

/// An event of the operator's namespace about a snippet elsewhere, as one about that snippet.
pub(crate) fn repeated_at_home(mut event: Object) -> Option<Object> {
    event.involved_object = event.related.take().filter(is_snippet)?;
    Some(event)
}

fn is_snippet(object: &ObjectReference) -> bool {
    object.kind.as_deref() == Some("JsonnetSnippet")
}

fn event(event: Object) -> Event {
    let series = event.series.and_then(|series| series.last_observed_time).map(|time| time.0);
    let object = event.involved_object;
    Event {
        reason: event.reason.unwrap_or_default(),
        kind: object.kind.unwrap_or_default(),
        namespace: object.namespace.unwrap_or_default(),
        name: object.name.unwrap_or_default(),
        message: event.message.unwrap_or_default(),
        at: series.or(event.last_timestamp.map(|time| time.0)).or(event.event_time.map(|time| time.0)),
    }
}

fn api<K>(session: &Session, namespace: Option<&str>) -> Api<K>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(session.client.clone(), namespace),
        None => Api::all(session.client.clone()),
    }
}

async fn pages<K>(session: &Session, call: &Call, api: &Api<K>, params: ListParams) -> Result<Vec<K>, Error>
where
    K: Clone + std::fmt::Debug + DeserializeOwned,
{
    let mut params = params.limit(PAGE);
    let mut items = Vec::new();
    loop {
        let page = session.call(call, api.list(&params)).await?;
        items.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(items),
        }
    }
}

/// The snippets as facts.
pub(super) fn of(snippets: &[Snippet], scope: &Scope<'_>) -> facts::Snippets {
    let items = snippets.iter().map(snippet).collect();
    facts::Snippets { items, unlisted: Vec::new(), everywhere: scope.is_everything() }
}

fn snippet(snippet: &Snippet) -> facts::Snippet {
    let metadata = &snippet.metadata;
    let status = snippet.status.clone().unwrap_or_default();
    let revisions = |records: Vec<jaas_api::status::RevisionRecord>| {
        records.into_iter().map(|it| RevisionAt { revision: it.revision, time: Some(it.time.0) }).collect()
    };
    let ready = status.ready().map(|ready| Ready {
        status: ready.status.clone(),
        reason: ready.reason.clone(),
        message: ready.message.clone(),
        since: Some(ready.last_transition_time.0),
    });
    let asked = |annotation: &str, handled: &Option<String>| {
        let token = metadata.annotations.as_ref()?.get(annotation)?.clone();
        Some(Request { annotation: annotation.to_owned(), token, handled: handled.clone() })
    };
    let requests = [
        asked(RECONCILE_REQUEST, &status.last_handled_reconcile_at),
        asked(JAAS_RECONCILE_REQUEST, &status.last_handled_jaas_reconcile_at),
    ];
    facts::Snippet {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
        created: metadata.creation_timestamp.as_ref().map(|time| time.0),
        generation: metadata.generation.unwrap_or_default(),
        observed_generation: status.observed_generation,
        spec_changed: match snippet.changed_at() {
            Some(time) => Known::Yes(time),
            None => Known::No(Why::new(Obstacle::NotOffered, "when the spec last changed")),
        },
        requests: requests.into_iter().flatten().collect(),
        ready,
        revision: status.revision,
        url: status.artifact_url,
        history: revisions(status.history),
        retired: revisions(status.retired),
        suspended: snippet.is_suspended(),
        deleted: metadata.deletion_timestamp.as_ref().map(|time| time.0),
        finalizers: metadata.finalizers.clone().unwrap_or_default(),
    }
}

/// Artifacts that a snippet produced, or that carry the name of one. With labels in the scope, only those of its snippets.
pub(super) fn ours(
    artifacts: Vec<ExternalArtifact>,
    scope: &Scope<'_>,
    snippets: Option<&[Snippet]>,
) -> Vec<facts::Artifact> {
    let names: BTreeSet<_> = snippets.unwrap_or_default().iter().map(Snippet::key).collect();
    let of = |artifact: facts::Artifact| {
        let key = crate::snippet::Key { namespace: artifact.namespace.clone(), name: artifact.name.clone() };
        let is_named = names.contains(&key);
        let is_produced = artifact.producer.as_ref().is_some_and(|producer| producer.starts_with("JsonnetSnippet/"));
        (is_named || (is_produced && scope.labels.is_none())).then_some(artifact)
    };
    artifacts.into_iter().map(artifact).filter_map(of).collect()
}

fn artifact(artifact: ExternalArtifact) -> facts::Artifact {
    let name = artifact.metadata.name.clone().unwrap_or_default();
    let namespace = artifact.metadata.namespace.clone().unwrap_or_default();
    let producer = artifact.spec.source_ref.clone().unwrap_or_default();
    let kind = producer.kind.unwrap_or_default();
    let is_here = producer.namespace.as_deref().is_none_or(|place| place.is_empty() || place == namespace);
    let ours = kind == "JsonnetSnippet" && producer.name.as_deref() == Some(&name) && is_here;
    let published = artifact.published().cloned();
    let text = |part: fn(&jaas_api::artifact::Artifact) -> &String| published.as_ref().map(part).cloned();
    facts::Artifact {
        producer: producer.name.map(|name| format!("{kind}/{name}")),
        ours,
        url: text(|it| &it.url).unwrap_or_default(),
        path: text(|it| &it.path).unwrap_or_default(),
        revision: text(|it| &it.revision).unwrap_or_default(),
        digest: published.as_ref().and_then(|it| it.digest.clone()),
        size: published.as_ref().and_then(|it| u64::try_from(it.size?).ok()),
        updated: published.as_ref().and_then(|it| it.last_update_time.as_ref()?.parse().ok()),
        namespace,
        name,
    }
}

/// Which program writes the statuses: this one leaves its name, and a digest of what it rendered from.
pub(super) fn implementation(snippets: Option<&[Snippet]>) -> Known<Implementation> {
    let is_ours = |snippet: &Snippet| {
        let mut writers = snippet.metadata.managed_fields.iter().flatten();
        let digest = snippet.status.as_ref().and_then(|status| status.inputs_digest.as_ref());
        digest.is_some() || writers.any(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER))
    };
    match snippets.is_some_and(|snippets| snippets.iter().any(is_ours)) {
        true => Known::Yes(Implementation::Ours),
        false => Known::No(Why::new(Obstacle::NotOffered, "which program the operator is, by its statuses")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn event(about: Value, related: Value) -> Object {
        serde_json::from_value(json!({"metadata": {}, "reason": "WithdrawForced", "message": "m",
            "involvedObject": about, "related": related}))
        .unwrap_or_default()
    }

    fn snippet(name: &str) -> Value {
        json!({"kind": "JsonnetSnippet", "namespace": "a", "name": name})
    }

    #[test]
    fn what_is_told_twice_counts_once_and_what_is_told_at_home_counts() {
        let lease = || json!({"kind": "Lease", "namespace": "jaas-system", "name": "jaas"});
        let events = || {
            [
                event(lease(), snippet("web")),
                event(snippet("web"), Value::Null),
                event(lease(), snippet("gone")),
                event(lease(), json!({"kind": "Pod", "namespace": "a", "name": "web"})),
                event(lease(), Value::Null),
            ]
            .into_iter()
        };
        let names = |namespace| {
            gathered(events(), namespace)
                .into_iter()
                .map(|it| format!("{}/{}", it.namespace, it.name))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(None), ["a/web", "a/gone"]);
        assert_eq!(names(Some("a")), ["a/web", "a/gone"]);
        assert_eq!(names(Some("b")), ["a/web"], "of what is about a snippet, the server chose the namespace");
    }
}
