//! `events`: what happened to snippets, also to deleted ones, newest last.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;

use super::{Error, Invocation, Verdict, find, one};
use crate::cli::{EventsArgs, OperatorArgs};
use crate::exit::Exit;
use crate::facts;
use crate::session::{self, Call, FIELD_MANAGER, Session, Writes};
use crate::snippet::{Key, RESOURCE, Snippet};
use crate::view::{Detail, EventView, Report};

/// Notes the events in the report.
pub(super) async fn run(args: &EventsArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
    report.at(&session.destination);
    let key = args.name.as_deref().map(|name| one::key(name, &session, invocation, "events")).transpose()?;
    let place = key.as_ref().map_or(session.namespace.as_str(), |key| key.namespace.as_str());
    let namespace = (!args.all_namespaces).then_some(place);
    let name = key.as_ref().map(|key| key.name.clone());
    report.metadata.scope.all_namespaces = args.all_namespaces;
    report.metadata.scope.namespaces.extend(namespace.map(str::to_owned));
    let place = namespace.map_or("all namespaces".to_owned(), |name| format!("namespace `{name}`"));
    let what = name.as_ref().map_or("snippets".to_owned(), |name| format!("`{name}`"));
    invocation.listener.say(&format!("events of {what} in {place}; {}", session.destination));
    let (events, by_hand, repeated, present) = tokio::join!(
        list(&session, namespace, name.as_deref()),
        by_hand(&session, namespace, name.as_deref()),
        repeated(&session, &args.operator, namespace, name.as_deref()),
        uids(&session, namespace),
    );
    let (present, unknown) = match present {
        Ok(present) => (Some(present), None),
        Err(error) => (None, Some(error)),
    };
    let mut events = with_repeated(events?, repeated);
    let is_new = |event: &Event| {
        let is_it =
            |it: &Event| it.metadata.namespace == event.metadata.namespace && it.metadata.name == event.metadata.name;
        !events.iter().any(is_it)
    };
    let others: Vec<_> = by_hand?.into_iter().filter(is_new).collect();
    events.extend(others);
    let mut views: Vec<_> = events.iter().filter_map(|event| view(event, present.as_ref())).collect();
    views.sort_by(|a, b| (a.time, &a.namespace, &a.name).cmp(&(b.time, &b.namespace, &b.name)));
    let message = match views.len() {
        0 => format!("no event of {what} in {place}; API servers keep them for about an hour"),
        1 => "1 event".to_owned(),
        count => format!("{count} events"),
    };
    let elsewhere = (views.is_empty() && !args.all_namespaces && name.is_none())
        .then(|| "of every namespace, and of the operator: kubectl jaas events -A".to_owned());
    report.detail = Some(Detail::Events(views));
    Ok(match unknown {
        Some(error) => Verdict {
            exit: Exit::Partial,
            message: format!("{message}; which snippets are deleted is not known: {error}"),
            hint: Some(error.hint()),
        },
        None => Verdict { exit: Exit::Done, message, hint: elsewhere },
    })
}

/// The API server keeps one event for both of its event interfaces, and this one selects by what it is about.
async fn list(session: &Session, namespace: Option<&str>, name: Option<&str>) -> Result<Vec<Event>, session::Error> {
    let client = session.client.clone();
    let events: Api<Event> = match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let name = name.map(|name| format!(",involvedObject.name={name}")).unwrap_or_default();
    let params = ListParams::default().fields(&format!("involvedObject.kind=JsonnetSnippet{name}"));
    let call = Call::new("list", "", "events", &["list"]).within(namespace);
    Ok(session.call(&call, events.list(&params)).await?.items)
}

/// What people did with this program to anything but a snippet: to the Lease, the Deployment, the store.
async fn by_hand(session: &Session, namespace: Option<&str>, name: Option<&str>) -> Result<Vec<Event>, session::Error> {
    if name.is_some() {
        return Ok(Vec::new());
    }
    let client = session.client.clone();
    let events: Api<Event> = match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let ours = format!("reportingComponent={FIELD_MANAGER},involvedObject.kind!=JsonnetSnippet");
    let call = Call::new("list", "", "events", &["list"]).within(namespace);
    Ok(session.call(&call, events.list(&ListParams::default().fields(&ours))).await?.items)
}

/// What the operator repeats in its own namespace, since that of a snippet may be gone, as events about the snippets. Whoever may not
/// look there sees the others all the same.
async fn repeated(session: &Session, place: &OperatorArgs, namespace: Option<&str>, name: Option<&str>) -> Vec<Event> {
    let home = match namespace {
        None => None,
        Some(_) => match find::operator(session, place).await {
            Ok(Some(operator)) => Some(operator.namespace().to_owned()),
            Ok(None) | Err(_) => match &place.operator_namespace {
                Some(named) => Some(named.clone()),
                None => return Vec::new(),
            },
        },
    };
    let client = session.client.clone();
    let events: Api<Event> = match &home {
        Some(home) => Api::namespaced(client, home),
        None => Api::all(client),
    };
    let params = ListParams::default().fields("involvedObject.kind=Lease,reason=WithdrawForced");
    let call = Call::new("list", "", "events", &["list"]).within(home.as_deref());
    let listed = session.call(&call, events.list(&params)).await.map(|list| list.items).unwrap_or_default();
    let is_meant = |event: &Event| {
        let about = &event.involved_object;
        namespace.is_none_or(|namespace| about.namespace.as_deref() == Some(namespace))
            && name.is_none_or(|name| about.name.as_deref() == Some(name))
    };
    listed.into_iter().filter_map(facts::repeated_at_home).filter(is_meant).collect()
}

/// Adds what no event about the snippet itself tells.
fn with_repeated(mut events: Vec<Event>, repeated: Vec<Event>) -> Vec<Event> {
    let is_same = |one: &Event, other: &Event| {
        one.reason == other.reason
            && one.involved_object.uid == other.involved_object.uid
            && one.involved_object.name == other.involved_object.name
            && one.involved_object.namespace == other.involved_object.namespace
    };
    let new: Vec<_> = repeated.into_iter().filter(|event| !events.iter().any(|it| is_same(it, event))).collect();
    events.extend(new);
    events
}

/// The snippets that there are, by name, with their UIDs.
async fn uids(session: &Session, namespace: Option<&str>) -> Result<BTreeMap<Key, String>, session::Error> {
    let client = session.client.clone();
    let snippets: Api<Snippet> = match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let call = Call::new("list", jaas_api::GROUP, RESOURCE, &["list"]).within(namespace);
    let listed = session.call(&call, snippets.list_metadata(&ListParams::default())).await?;
    let entry = |item: PartialObjectMeta<Snippet>| {
        let metadata = item.metadata;
        let key = Key { namespace: metadata.namespace.unwrap_or_default(), name: metadata.name.unwrap_or_default() };
        (key, metadata.uid.unwrap_or_default())
    };
    Ok(listed.items.into_iter().map(entry).collect())
}

/// An event as it is shown; one without any time is none that a server wrote.
fn view(event: &Event, present: Option<&BTreeMap<Key, String>>) -> Option<EventView> {
    let series = event.series.as_ref();
    let time = series
        .and_then(|series| series.last_observed_time.as_ref().map(|time| time.0))
        .or(event.last_timestamp.as_ref().map(|time| time.0))
        .or(event.event_time.as_ref().map(|time| time.0))
        .or(event.first_timestamp.as_ref().map(|time| time.0))
        .or(event.metadata.creation_timestamp.as_ref().map(|time| time.0))?;
    let object = &event.involved_object;
    let key =
        Key { namespace: object.namespace.clone().unwrap_or_default(), name: object.name.clone().unwrap_or_default() };
    let present = present.filter(|_| object.kind.as_deref() == Some("JsonnetSnippet"));
    let deleted = present.map(|present| present.get(&key) != object.uid.as_ref() || object.uid.is_none());
    Some(EventView {
        time,
        severity: event.type_.clone().unwrap_or_default(),
        reason: event.reason.clone().unwrap_or_default(),
        namespace: key.namespace,
        name: key.name,
        kind: object.kind.clone().unwrap_or_default(),
        count: series.and_then(|series| series.count).or(event.count).unwrap_or(1).max(1),
        deleted,
        message: event.message.clone().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(change: serde_json::Value) -> Event {
        let mut value = json!({"metadata": {"creationTimestamp": "2026-11-22T10:00:00Z"}, "type": "Warning",
            "reason": "WithdrawForced", "message": "why", "involvedObject":
            {"kind": "JsonnetSnippet", "namespace": "a", "name": "web", "uid": "u1"}});
        if let (Some(into), Some(from)) = (value.as_object_mut(), change.as_object()) {
            into.extend(from.clone());
        }
        serde_json::from_value(value).unwrap()
    }

    fn present(uid: &str) -> BTreeMap<Key, String> {
        BTreeMap::from([(Key { namespace: "a".into(), name: "web".into() }, uid.to_owned())])
    }

    #[test]
    fn what_is_repeated_is_shown_once() {
        let uid = |uid: &str| {
            event(json!({"involvedObject": {"kind": "JsonnetSnippet", "namespace": "a", "name": "web", "uid": uid}}))
        };
        let all = |repeated: Vec<Event>| with_repeated(vec![uid("u1")], repeated).len();
        assert_eq!(all(vec![uid("u1")]), 1);
        assert_eq!(all(vec![uid("u2")]), 2, "an earlier snippet of that name");
        assert_eq!(with_repeated(Vec::new(), vec![uid("u1")]).len(), 1, "its namespace is gone");
    }

    #[test]
    fn the_last_time_counts() {
        let time = |change| view(&event(change), None).unwrap().time.to_string();
        assert_eq!(time(json!({})), "2026-11-22T10:00:00Z");
        assert_eq!(time(json!({"eventTime": "2026-11-22T10:00:01.000000Z"})), "2026-11-22T10:00:01Z");
        let series = json!({"count": 4, "lastObservedTime": "2026-11-22T10:00:09.000000Z"});
        assert_eq!(time(json!({"eventTime": "2026-11-22T10:00:01.000000Z", "series": series})), "2026-11-22T10:00:09Z");
    }

    #[test]
    fn an_event_of_an_earlier_snippet_of_that_name_is_one_of_a_deleted() {
        let deleted = |present: Option<&BTreeMap<Key, String>>| view(&event(json!({})), present).unwrap().deleted;
        assert_eq!(deleted(Some(&present("u1"))), Some(false));
        assert_eq!(deleted(Some(&present("u2"))), Some(true));
        assert_eq!(deleted(Some(&BTreeMap::new())), Some(true));
        assert_eq!(deleted(None), None);
    }
}
