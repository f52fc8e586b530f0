//! Objects of Flux that use our artifacts.

use std::collections::BTreeSet;

use jaas_findings::Known;
use jaas_findings::facts::{Consumer, Facts};
use jiff::Timestamp;

use super::tell;
use crate::consumers::{self, APPLYING};
use crate::session::Session;

/// Each of them, in any namespace.
pub(super) async fn find(session: &Session) -> Known<Vec<Consumer>> {
    let (one, other) = tokio::join!(consumers::list(session, &APPLYING[0]), consumers::list(session, &APPLYING[1]));
    let both = one.and_then(|mut all| other.map(|other| all.extend(other)).map(|()| all));
    match both {
        Ok(all) => Known::Yes(all.into_iter().map(fact).collect()),
        Err(error) => Known::No(tell::why(&error)),
    }
}

fn fact(consumer: consumers::Consumer) -> Consumer {
    Consumer {
        kind: consumer.kind,
        artifact: consumer.artifact.to_string(),
        name: consumer.name,
        namespace: consumer.namespace,
        ready: consumer.ready.status == "True",
        message: consumer.ready.message,
        since: consumer.ready.since.parse::<Timestamp>().ok(),
    }
}

/// Those that use an artifact of ours, by what is known of artifacts and snippets.
pub(super) fn of_ours(consumers: Known<Vec<Consumer>>, facts: &Facts) -> Known<Vec<Consumer>> {
    let consumers = match consumers {
        Known::Yes(consumers) => consumers,
        unknown => return unknown,
    };
    let artifacts = facts.artifacts.ok().into_iter().flatten().filter(|artifact| artifact.ours);
    let artifacts = artifacts.map(|artifact| artifact.subject().path());
    let snippets = facts.snippets.ok().into_iter().flat_map(|snippets| &snippets.items);
    let ours: BTreeSet<_> = artifacts.chain(snippets.map(|snippet| snippet.subject().path())).collect();
    match (&facts.artifacts, &facts.snippets) {
        (Known::No(why), Known::No(_)) if !consumers.is_empty() => Known::No(why.clone()),
        _ => Known::Yes(consumers.into_iter().filter(|consumer| ours.contains(&consumer.artifact)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_users_of_our_artifacts_count() {
        let uses = |artifact: &str| Consumer { artifact: artifact.to_owned(), ..Consumer::default() };
        let mut facts = Facts::empty(Timestamp::UNIX_EPOCH);
        let unknown = of_ours(Known::Yes(vec![uses("a/web")]), &facts);
        assert!(unknown.why().is_some());
        let of = |name: &str, ours| {
            let (namespace, name) = ("a".to_owned(), name.to_owned());
            jaas_findings::facts::Artifact { namespace, name, ours, ..Default::default() }
        };
        facts.artifacts = Known::Yes(vec![of("web", true), of("foreign", false)]);
        let kept = of_ours(Known::Yes(vec![uses("a/web"), uses("a/foreign"), uses("b/web")]), &facts);
        assert_eq!(kept, Known::Yes(vec![uses("a/web")]));
    }
}
