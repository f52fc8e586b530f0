//! From what was seen to counts, findings and exit code. Pure.

use std::collections::BTreeMap;

use jaas_api::ExternalArtifact;
use jiff::Timestamp;

use super::super::Verdict;
use crate::cli::FailOn;
use crate::exit::Exit;
use crate::run::token_time;
use crate::snippet::{Key, Snippet, State};
use crate::view::{Artifacts, Next, SnippetView, Status};

/// Snippets, and what is announced of them.
pub(super) struct Seen<'a> {
    /// Those of the scope.
    pub(super) snippets: &'a [Snippet],
    /// Artifacts by snippet; `None` where they cannot be seen.
    pub(super) artifacts: Option<&'a BTreeMap<Key, ExternalArtifact>>,
    /// The moment of looking.
    pub(super) now: Timestamp,
}

impl Seen<'_> {
    /// Fills in what snippets and artifacts tell. With `all` each snippet is listed, otherwise those that need a look.
    pub(super) fn fill(&self, status: &mut Status, all: bool) {
        for snippet in self.snippets {
            let state = State::of(snippet, self.now);
            *status.counts.entry(state.word()).or_default() += 1;
            if all || state.needs_a_look() {
                status.snippets.push(view(snippet, state));
            }
        }
        status.snippets.sort_by(|a, b| (a.state, &a.namespace, &a.name).cmp(&(b.state, &b.namespace, &b.name)));
        status.artifacts = self.artifacts.map(|artifacts| self.announced(artifacts));
    }

    fn announced(&self, artifacts: &BTreeMap<Key, ExternalArtifact>) -> Artifacts {
        let mut found = Artifacts::default();
        for snippet in self.snippets {
            let announced = artifacts.get(&snippet.key()).and_then(ExternalArtifact::published);
            found.announced += usize::from(announced.is_some());
            if State::of(snippet, self.now) == State::Ready && !is_announced(snippet, artifacts.get(&snippet.key())) {
                found.wrong.push(snippet.key().to_string());
            }
        }
        found
    }
}

/// Whether the artifact announces the revision that the snippet's status names.
pub(in super::super) fn is_announced(snippet: &Snippet, artifact: Option<&ExternalArtifact>) -> bool {
    let wanted = snippet.status.as_ref().and_then(|status| status.revision.as_deref());
    let announced = artifact.and_then(ExternalArtifact::published).map(|published| published.revision.as_str());
    wanted.is_some() && wanted == announced
}

/// A snippet as it is shown.
fn view(snippet: &Snippet, state: State) -> SnippetView {
    let ready = snippet.status.as_ref().and_then(|status| status.ready());
    let condition = ready.map(|ready| ready.last_transition_time.0);
    let (since, reason, message) = match state {
        State::Unanswered => {
            let asked = snippet.request().and_then(token_time);
            (asked.or(condition), "Unanswered", "asked for a render, and nobody answered".to_owned())
        }
        State::Stale => (snippet.changed_at(), "Stale", "changed, and nobody has rendered it since".to_owned()),
        State::Suspended => (condition, "Suspended", "spec.suspend is true".to_owned()),
        State::Terminating => {
            let since = snippet.metadata.deletion_timestamp.as_ref().map(|time| time.0);
            (since, "Terminating", "waits for its artifact and files to go".to_owned())
        }
        State::Pending => {
            let created = snippet.metadata.creation_timestamp.as_ref().map(|time| time.0);
            (condition.or(created), "Pending", "has no Ready condition yet".to_owned())
        }
        State::Ready | State::Failed => {
            let reason = ready.map_or("", |ready| ready.reason.as_str());
            (condition, reason, ready.map(|ready| ready.message.clone()).unwrap_or_default())
        }
    };
    let Key { namespace, name } = snippet.key();
    let revision = snippet.status.as_ref().and_then(|status| status.revision.clone());
    SnippetView { namespace, name, state, since, reason: reason.to_owned(), message, revision }
}

/// Exit code and sentence.
pub(super) fn verdict(status: &Status, operator_is_wrong: bool, fail_on: FailOn) -> Verdict {
    let total: usize = status.counts.values().sum();
    let n_wrong = status.snippets.iter().filter(|snippet| snippet.state.needs_a_look()).count();
    let n_unannounced = status.artifacts.as_ref().map_or(0, |artifacts| artifacts.wrong.len());
    let exit = if (operator_is_wrong || n_wrong + n_unannounced > 0) && fail_on == FailOn::Error {
        Exit::Findings
    } else if !status.unknown.is_empty() {
        Exit::Partial
    } else {
        Exit::Done
    };
    let mut parts = vec![format!("{n_wrong} of {total} snippets need a look")];
    if n_unannounced > 0 {
        parts.push(format!("{n_unannounced} are not announced as they are"));
    }
    if operator_is_wrong {
        parts.push("the operator or its leader needs a look".to_owned());
    }
    if !status.unknown.is_empty() {
        parts.push(format!("could not see: {}", status.unknown.join("; ")));
    }
    Verdict { exit, message: parts.join("; "), hint: None }
}

/// What to type next.
pub(super) fn next(status: &Status) -> Vec<Next> {
    let is = |state: State| status.snippets.iter().find(|snippet| snippet.state == state);
    let mut next = Vec::new();
    if let Some(failed) = is(State::Failed) {
        let why = format!("says what {} means", failed.reason);
        next.push(Next { command: format!("kubectl jaas explain {}", failed.reason), why });
    }
    if is(State::Unanswered).is_some() || is(State::Stale).is_some() || is(State::Pending).is_some() {
        let is_led = status.leader.as_ref().is_none_or(|leader| leader.alive);
        let (command, why) = match is_led {
            true => ("kubectl jaas leader", "shows who leads and whether it lives"),
            false => ("kubectl jaas doctor", "finds why nobody leads, and says what to type"),
        };
        next.push(Next { command: command.to_owned(), why: why.to_owned() });
    }
    if status.artifacts.as_ref().is_some_and(|artifacts| !artifacts.wrong.is_empty()) {
        let why = "publishes again what is not announced".to_owned();
        next.push(Next { command: "kubectl jaas reconcile --all".to_owned(), why });
    }
    next
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn snippet(name: &str, ready: &str, reason: &str, revision: Option<&str>) -> Snippet {
        let conditions = json!([{"type": "Ready", "status": ready, "reason": reason, "message": "why",
            "lastTransitionTime": "2026-11-22T11:00:00Z"}]);
        let status = json!({"conditions": conditions, "revision": revision});
        serde_json::from_value(json!({"metadata": {"name": name, "namespace": "a"}, "status": status})).unwrap()
    }

    fn artifact(revision: &str) -> ExternalArtifact {
        let status: Value = json!({"artifact": {"path": "", "url": "", "revision": revision}});
        serde_json::from_value(json!({"metadata": {}, "spec": {}, "status": status})).unwrap()
    }

    fn key(name: &str) -> Key {
        Key { namespace: "a".to_owned(), name: name.to_owned() }
    }

    fn look(snippets: &[Snippet], artifacts: Option<&BTreeMap<Key, ExternalArtifact>>, all: bool) -> Status {
        let mut status = Status::default();
        Seen { snippets, artifacts, now: "2026-11-22T12:00:00Z".parse().unwrap() }.fill(&mut status, all);
        status
    }

    #[test]
    fn an_announcement_must_be_of_the_published_revision() {
        let snippets = [
            snippet("right", "True", "Synced", Some("sha256:1")),
            snippet("other", "True", "Synced", Some("sha256:1")),
            snippet("missing", "True", "Synced", Some("sha256:1")),
            snippet("failed", "False", "EvaluationFailed", None),
        ];
        let artifacts = BTreeMap::from([(key("right"), artifact("sha256:1")), (key("other"), artifact("sha256:2"))]);
        let status = look(&snippets, Some(&artifacts), false);
        let found = status.artifacts.clone().unwrap();
        assert_eq!((found.announced, found.wrong), (2, vec!["a/other".to_owned(), "a/missing".to_owned()]));
        assert_eq!(status.counts, BTreeMap::from([("ready", 3), ("failed", 1)]));
        assert_eq!(status.snippets.len(), 1);
        let verdict = verdict(&status, false, FailOn::Error);
        assert_eq!(verdict.exit, Exit::Findings);
        assert_eq!(verdict.message, "1 of 4 snippets need a look; 2 are not announced as they are");
        let commands: Vec<_> = next(&status).into_iter().map(|next| next.command).collect();
        assert_eq!(commands, ["kubectl jaas explain EvaluationFailed", "kubectl jaas reconcile --all"]);
    }

    #[test]
    fn what_is_unknown_is_never_fine() {
        let snippets = [snippet("right", "True", "Synced", Some("sha256:1"))];
        let mut status = look(&snippets, None, false);
        assert_eq!(verdict(&status, false, FailOn::Error).exit, Exit::Done);
        status.unknown.push("cannot list pods".to_owned());
        assert_eq!(verdict(&status, false, FailOn::Error).exit, Exit::Partial);
        assert_eq!(verdict(&status, true, FailOn::Error).exit, Exit::Findings);
        assert_eq!(verdict(&status, true, FailOn::None).exit, Exit::Partial);
    }

    #[test]
    fn named_snippets_are_listed_whatever_their_state() {
        let snippets = [snippet("right", "True", "Synced", Some("sha256:1"))];
        assert_eq!(look(&snippets, None, false).snippets.len(), 0);
        assert_eq!(look(&snippets, None, true).snippets[0].reason, "Synced");
    }
}
