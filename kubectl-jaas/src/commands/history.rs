//! `history`: the revisions of a snippet that are kept, by its status.

use jaas_api::artifact::Artifact;

use super::{Error, Invocation, Verdict, one};
use crate::cli::OneSnippet;
use crate::exit::Exit;
use crate::hint::count;
use crate::session::{Session, Writes};
use crate::snippet::Snippet;
use crate::view::{Detail, History, Report, Revision};

/// Notes the revisions in the report.
pub(super) async fn run(args: &OneSnippet, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
    report.at(&session.destination);
    let key = one::key(&args.name, &session, invocation, "history")?;
    invocation.listener.say(&format!("history of {key}; {}", session.destination));
    let snippet = one::get(&session, &key, report).await?;
    let (published, unknown) = match one::artifact(&session, &key).await {
        Ok(artifact) => (artifact.and_then(|artifact| artifact.published().cloned()), None),
        Err(error) => (None, Some(error)),
    };
    let history = revisions(&snippet, published.as_ref());
    let message = sentence(&history);
    report.detail = Some(Detail::History(history));
    Ok(match unknown {
        Some(error) => Verdict { exit: Exit::Partial, message: error.to_string(), hint: Some(error.hint()) },
        None => Verdict { exit: Exit::Done, message, hint: None },
    })
}

/// How many there are, and that files of those that are not kept any more go.
fn sentence(history: &History) -> String {
    let is_retired = |revision: &&Revision| revision.state == "retired";
    let retired = history.revisions.iter().filter(is_retired).count();
    match (history.revisions.len(), retired) {
        (0, _) => "nothing was published yet".to_owned(),
        (number, 0) => {
            format!("{}; whether their files are in the store was not looked at", count(number, "revision"))
        }
        (number, retired) => format!(
            "{}, {retired} retired: a file of these goes with its grace or a prune, and may be gone; what is stored: kubectl jaas storage ls",
            count(number, "revision")
        ),
    }
}

fn revisions(snippet: &Snippet, published: Option<&Artifact>) -> History {
    let Some(status) = &snippet.status else { return History { limit: limit(snippet), revisions: Vec::new() } };
    let announced = |revision: &str| published.filter(|published| published.revision == revision);
    let kept = status.history.iter().map(|record| {
        let is_current = status.revision.as_deref() == Some(record.revision.as_str());
        (record, if is_current { "current" } else { "kept" })
    });
    let retired = status.retired.iter().map(|record| (record, "retired"));
    let revisions = kept.chain(retired).map(|(record, state)| Revision {
        revision: record.revision.clone(),
        state,
        time: record.time.0,
        announced: announced(&record.revision).is_some(),
        size: announced(&record.revision).and_then(|published| published.size),
    });
    History { limit: limit(snippet), revisions: revisions.collect() }
}

fn limit(snippet: &Snippet) -> i64 {
    snippet.spec.history.unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn revisions_are_current_kept_or_retired() {
        let record = |revision: &str| json!({"revision": revision, "time": "2026-11-22T11:00:00Z"});
        let snippet: Snippet = serde_json::from_value(json!({"metadata": {"name": "web"}, "spec": {"history": 2}, "status":
            {"revision": "sha256:3", "history": [record("sha256:3"), record("sha256:2")], "retired": [record("sha256:1")]}}))
        .unwrap();
        let published = Artifact { revision: "sha256:3".to_owned(), size: Some(7), ..Artifact::default() };
        let history = revisions(&snippet, Some(&published));
        let rows: Vec<_> = history.revisions.iter().map(|it| (it.revision.as_str(), it.state, it.size)).collect();
        assert_eq!(history.limit, 2);
        assert!(sentence(&history).starts_with("3 revisions, 1 retired: a file of these "), "{}", sentence(&history));
        assert_eq!(rows, [("sha256:3", "current", Some(7)), ("sha256:2", "kept", None), ("sha256:1", "retired", None)]);
    }
}
