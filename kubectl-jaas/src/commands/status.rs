//! `status`: one screen of operator, leader, snippets and artifacts.

mod judge;

use std::collections::BTreeMap;

use jaas_api::ExternalArtifact;
use jiff::Timestamp;
use kube::Api;
use kube::api::ListParams;

use self::judge::Seen;
pub(super) use self::judge::is_announced;
use super::select::{Choice, Selection, States};
use super::{Error, Invocation, Verdict, find, leader};
use crate::cli::{StatusArgs, Targets};
use crate::lease::Leadership;
use crate::operator::{self, Operator, Replica};
use crate::session::{self, Call, Session, Writes};
use crate::snippet::{Key, RESOURCE, Snippet};
use crate::view::{Detail, LeaderView, OperatorView, Report, Status};

/// Items of one page of a list.
const PAGE: u32 = 500;

/// Looks at everything, and notes what was found.
pub(super) async fn run(args: &StatusArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let targets = Targets { names: args.names.clone(), all: args.names.is_empty(), ..Targets::default() };
    let choice = Choice::new(&targets, States::default(), invocation.connection.namespace.as_deref(), "status")?;
    let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
    report.at(&session.destination);
    let selection = choice.within(&session.namespace);
    report.metadata.scope = selection.scope();
    invocation.listener.say(&format!("status of {selection}; {}", session.destination));
    let mut stop = invocation.stop.clone();
    let look = async {
        tokio::join!(
            list_snippets(&session, &selection),
            list_artifacts(&session, &selection),
            installation(&session, args)
        )
    };
    let (snippets, artifacts, (mut status, operator_is_wrong)) = tokio::select! {
        seen = look => seen,
        signal = stop.signalled() => return Err(Error::Stopped(signal)),
    };
    let snippets = selection.matching(snippets?);
    report.metadata.scope.snippets = snippets.len();
    if !args.names.is_empty() {
        selection.check(&snippets)?;
    }
    if invocation.format.is_document()
        && let Some(uid) = session.cluster_uid().await
    {
        report.metadata.cluster.uid = uid;
    }
    let artifacts = note(&mut status.unknown, artifacts);
    let seen = Seen { snippets: &snippets, artifacts: artifacts.as_ref(), now: Timestamp::now() };
    seen.fill(&mut status, !args.names.is_empty());
    report.next = judge::next(&status);
    let verdict = judge::verdict(&status, operator_is_wrong, args.fail_on);
    report.detail = Some(Detail::Status(Box::new(status)));
    Ok(verdict)
}

/// Operator and leader as far as they can be seen, and whether anything of them is wrong.
async fn installation(session: &Session, args: &StatusArgs) -> (Status, bool) {
    let mut status = Status::default();
    let operator = match find::operator(session, &args.operator).await {
        Ok(operator) => operator,
        Err(error) => {
            status.unknown.push(format!("operator: {error}"));
            None
        }
    };
    let is_absent = operator.is_none() && status.unknown.is_empty();
    if is_absent {
        status.unknown.push(format!("operator: no Deployment with the label {}", operator::LABEL));
    }
    let replicas = match &operator {
        Some(operator) => note(&mut status.unknown, find::replicas(session, operator).await),
        None => None,
    };
    status.operator = operator.as_ref().map(|operator| deployment(operator, replicas.as_deref()));
    status.leader = elected(session, args, operator.as_ref(), replicas.as_deref(), &mut status.unknown).await;
    let is_short = status.operator.as_ref().is_some_and(|operator| operator.ready < operator.wanted);
    let is_led = status.leader.as_ref().is_none_or(|leader| leader.alive);
    (status, is_short || !is_led)
}

async fn elected(
    session: &Session,
    args: &StatusArgs,
    operator: Option<&Operator>,
    replicas: Option<&[Replica]>,
    unknown: &mut Vec<String>,
) -> Option<LeaderView> {
    if operator.is_some_and(|operator| !operator.elects()) {
        return None;
    }
    let place = operator::lease(operator, &args.operator)?;
    match note(unknown, find::lease(session, &place).await)? {
        Some(lease) => Some(leader::view(&place, &Leadership::of(&lease), replicas, Timestamp::now())),
        None => Some(LeaderView { lease: place.to_string(), ..LeaderView::default() }),
    }
}

fn deployment(operator: &Operator, replicas: Option<&[Replica]>) -> OperatorView {
    let (ready, wanted) = operator.ready();
    let trouble = |replica: &Replica| Some(format!("{}: {}", replica.name, replica.trouble.as_ref()?));
    OperatorView {
        namespace: operator.namespace().to_owned(),
        name: operator.name().to_owned(),
        version: operator.version().map(str::to_owned),
        ready,
        wanted,
        restarts: replicas.map(|replicas| replicas.iter().map(|replica| replica.restarts).sum()),
        store: operator.store().to_string(),
        troubles: replicas.unwrap_or_default().iter().filter_map(trouble).collect(),
    }
}

/// A part that could not be seen is said, and the rest is shown.
fn note<T>(unknown: &mut Vec<String>, part: Result<T, session::Error>) -> Option<T> {
    part.map_err(|error| unknown.push(error.to_string())).ok()
}

/// All snippets of the selection's place, page by page.
async fn list_snippets(session: &Session, selection: &Selection) -> Result<Vec<Snippet>, session::Error> {
    let namespace = selection.namespace.as_deref();
    let snippets: Api<Snippet> = scoped(session, namespace);
    let call = Call::new("list", jaas_api::GROUP, RESOURCE, &["list"]).within(namespace);
    list(session, &call, &snippets).await
}

/// What is announced to consumers there, by snippet.
async fn list_artifacts(
    session: &Session,
    selection: &Selection,
) -> Result<BTreeMap<Key, ExternalArtifact>, session::Error> {
    let namespace = selection.namespace.as_deref();
    let artifacts: Api<ExternalArtifact> = scoped(session, namespace);
    let group = jaas_api::artifact::FLUX_SOURCE_GROUP;
    let call = Call::new("list", group, "externalartifacts", &["list"]).within(namespace);
    let key = |artifact: &ExternalArtifact| Key {
        namespace: artifact.metadata.namespace.clone().unwrap_or_default(),
        name: artifact.metadata.name.clone().unwrap_or_default(),
    };
    Ok(list(session, &call, &artifacts).await?.into_iter().map(|artifact| (key(&artifact), artifact)).collect())
}

fn scoped<K>(session: &Session, namespace: Option<&str>) -> Api<K>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(session.client.clone(), namespace),
        None => Api::all(session.client.clone()),
    }
}

async fn list<K>(session: &Session, call: &Call, api: &Api<K>) -> Result<Vec<K>, session::Error>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let mut params = ListParams::default().limit(PAGE);
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
