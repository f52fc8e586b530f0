//! Who names an ExternalArtifact as the source of what they apply or evaluate.

use crate::consumers::{self, APPLYING, Consumer, EVALUATING};
use crate::session::Session;
use crate::snippet::Key;
use crate::view::Node;

/// Every consumer in any namespace.
pub(super) async fn find(session: &Session, key: &Key, unknown: &mut Vec<String>) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for kind in APPLYING.iter().chain(&EVALUATING) {
        match consumers::list(session, kind).await {
            Ok(all) => {
                let users = all.iter().filter(|consumer| consumer.artifact == *key).map(node);
                for node in users {
                    // One may name the artifact in two places.
                    if !nodes.contains(&node) {
                        nodes.push(node);
                    }
                }
            }
            Err(error) => unknown.push(error.to_string()),
        }
    }
    nodes
}

fn node(consumer: &Consumer) -> Node {
    let (state, detail) = match (consumer.is_suspended, consumer.ready.status.as_str()) {
        (true, _) => ("suspended", String::new()),
        (false, "True") => ("ready", String::new()),
        (false, "False") => ("failed", consumer.ready.reason.clone()),
        (false, _) => ("pending", String::new()),
    };
    Node {
        kind: consumer.kind.clone(),
        namespace: consumer.namespace.clone(),
        name: consumer.name.clone(),
        role: "used by".to_owned(),
        state: state.to_owned(),
        detail,
        ..Node::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumers::Condition;

    #[test]
    fn a_consumer_tells_how_it_is() {
        let ready = Condition { status: "False".to_owned(), reason: "BuildFailed".to_owned(), ..Condition::default() };
        let consumer = Consumer { ready, ..Consumer::default() };
        let failed = node(&consumer);
        assert_eq!((failed.state.as_str(), failed.detail.as_str()), ("failed", "BuildFailed"));
        assert_eq!(node(&Consumer { is_suspended: true, ..consumer }).state, "suspended");
        assert_eq!(node(&Consumer::default()).state, "pending");
    }
}
