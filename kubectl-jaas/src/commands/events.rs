//! `events`: what happened to snippets, also to deleted ones, newest last.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;

use super::{Error, Invocation, Verdict, one};
use crate::cli::EventsArgs;
use crate::exit::Exit;
use crate::session::{self, Call, Session, Writes};
use crate::snippet::{Key, RESOURCE, Snippet};
use crate::view::{Detail, EventView, Report};

/// Notes the events in the report.
pub(super) async fn run(args: &EventsArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
    report.at(&session.destination);
    let name = match &args.name {
        Some(name) => Some(one::key(name, &session, "events")?.name),
        None => None,
    };
    let namespace = (!args.all_namespaces).then_some(session.namespace.as_str());
    report.metadata.scope.all_namespaces = args.all_namespaces;
    report.metadata.scope.namespaces.extend(namespace.map(str::to_owned));
    let place = namespace.map_or("all namespaces".to_owned(), |name| format!("namespace `{name}`"));
    let what = name.as_ref().map_or("snippets".to_owned(), |name| format!("`{name}`"));
    invocation.listener.say(&format!("events of {what} in {place}; {}", session.destination));
    let (events, present) = tokio::join!(list(&session, namespace, name.as_deref()), uids(&session, namespace));
    let (present, unknown) = match present {
        Ok(present) => (Some(present), None),
        Err(error) => (None, Some(error)),
    };
    let mut views: Vec<_> = events?.iter().filter_map(|event| view(event, present.as_ref())).collect();
    views.sort_by(|a, b| (a.time, &a.namespace, &a.name).cmp(&(b.time, &b.namespace, &b.name)));
    let message = match views.len() {
        0 => format!("no event of {what} in {place}; API servers keep them for about an hour"),
        1 => "1 event".to_owned(),
        count => format!("{count} events"),
    };
    report.detail = Some(Detail::Events(views));
    Ok(match unknown {
        Some(error) => Verdict {
            exit: Exit::Partial,
            message: format!("{message}; which snippets are deleted is not known: {error}"),
            hint: Some(error.hint()),
        },
        None => Verdict { exit: Exit::Done, message, hint: None },
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
