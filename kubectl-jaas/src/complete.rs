//! Completion of commands, flags and names, for shells and for kubectl.
//!
//! kubectl runs `kubectl_complete-jaas` with the words that were typed after `jaas`, the last one unfinished, and reads one
//! candidate a line and a last line with a directive.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _};
use clap_complete::engine::{self, CompletionCandidate};
use kube::Api;
use kube::api::ListParams;

use crate::cli::{Cli, Connection};
use crate::run::Run;
use crate::session::{Session, Writes};
use crate::snippet::Snippet;

/// Name under which kubectl asks.
pub(crate) const PROGRAM: &str = "kubectl_complete-jaas";
/// First argument that means the same.
pub(crate) const ARGUMENT: &str = "__complete";
/// The directive that nothing else, such as file names, is offered.
const NO_FILES: &str = ":4";
/// The directive that the shell offers what it likes.
const DEFAULT: &str = ":0";
/// Longest time for names from the cluster: nobody waits longer for a key press.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The words that kubectl wants completed, if it asks.
pub(crate) fn asked(mut words: impl Iterator<Item = OsString>) -> Option<Vec<OsString>> {
    let program = words.next()?;
    let stem = Path::new(&program).file_stem().map(OsStr::to_owned).unwrap_or_default();
    if stem == PROGRAM {
        return Some(words.collect());
    }
    (words.next()? == ARGUMENT).then(|| words.collect())
}

/// The answer to kubectl.
pub(crate) fn answer(words: Vec<OsString>) -> String {
    let mut line = vec![OsString::from("kubectl-jaas")];
    line.extend(words);
    if line.len() == 1 {
        line.push(OsString::new());
    }
    let last = line.len() - 1;
    let typed = line.get(last).cloned().unwrap_or_default();
    let candidates = engine::complete(&mut Cli::command(), line, last, None).unwrap_or_default();
    let mut text = String::new();
    let mut is_empty = true;
    let is_flag = typed.to_string_lossy().starts_with('-');
    for candidate in candidates.iter().filter(|candidate| !candidate.is_hide_set()) {
        let value = candidate.get_value().to_string_lossy();
        // Flags are offered once somebody begins one.
        if value.starts_with('-') && !is_flag {
            continue;
        }
        is_empty = false;
        let help = candidate.get_help().map(|help| help.to_string()).unwrap_or_default();
        match help.lines().next().filter(|help| !help.is_empty()) {
            Some(help) => text.push_str(&format!("{value}\t{help}\n")),
            None => text.push_str(&format!("{value}\n")),
        }
    }
    text.push_str(if is_empty { DEFAULT } else { NO_FILES });
    text.push('\n');
    text
}

/// Names of snippets that begin with what was typed; none where the cluster does not answer at once.
pub(crate) fn snippets(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let names = names(&connection(std::env::args_os())).unwrap_or_default();
    names.into_iter().filter(|name| name.starts_with(current)).map(CompletionCandidate::new).collect()
}

/// Commands that `auth` knows.
pub(crate) fn commands(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let known = crate::commands::needy().into_iter();
    known.filter(|name| name.starts_with(current)).map(CompletionCandidate::new).collect()
}

/// The connection flags among the words, whatever else is unfinished there.
fn connection(words: impl Iterator<Item = OsString>) -> Connection {
    let line = words.skip_while(|word| word != "--" && word != ARGUMENT).skip(1);
    let mut line: Vec<OsString> = line.collect();
    if line.is_empty() {
        line = std::env::args_os().skip(1).collect();
    }
    if line.first().is_none_or(|first| first != "kubectl-jaas") {
        line.insert(0, OsString::from("kubectl-jaas"));
    }
    let matches = Cli::command().ignore_errors(true).try_get_matches_from(line);
    matches.ok().and_then(|matches| Connection::from_arg_matches(&matches).ok()).unwrap_or_default()
}

fn names(connection: &Connection) -> Option<Vec<String>> {
    // Completion runs inside the parser, outside of any runtime.
    let look = async {
        let session = Session::open(connection, &Run::start(), Writes::Refused).await.ok()?;
        let snippets: Api<Snippet> = Api::namespaced(session.client.clone(), &session.namespace);
        let listed = snippets.list_metadata(&ListParams::default().limit(500)).await.ok()?;
        Some(listed.items.into_iter().filter_map(|item| item.metadata.name).collect())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async { tokio::time::timeout(PATIENCE, look).await.ok().flatten() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Vec<OsString> {
        line.iter().map(OsString::from).collect()
    }

    #[test]
    fn kubectl_asks_by_name_or_by_the_first_argument() {
        let asked = |line: &[&str]| asked(words(line).into_iter());
        assert_eq!(asked(&["/usr/bin/kubectl_complete-jaas", "sta"]), Some(words(&["sta"])));
        assert_eq!(asked(&["kubectl-jaas", "__complete", "sta"]), Some(words(&["sta"])));
        assert_eq!(asked(&["kubectl-jaas", "status"]), None);
        assert_eq!(asked(&["kubectl-jaas"]), None);
    }

    #[test]
    fn commands_flags_and_values_are_offered() {
        let offered = answer(words(&["force"]));
        assert!(offered.starts_with("force-handover\t"), "{offered}");
        assert!(offered.ends_with("\n:4\n"), "{offered}");
        let all = answer(Vec::new());
        assert!(all.contains("status\t") && !all.contains("--context") && !all.contains("exit-codes"), "{all}");
        assert!(answer(words(&["status", "--fail"])).contains("--fail-on"), "flags");
        let values = answer(words(&["wait", ""]));
        assert!(values.contains("recovered\t") && values.contains("leader\t"), "{values}");
    }

    #[test]
    fn unfinished_lines_still_tell_where_to_look() {
        let line = ["kubectl-jaas", "__complete", "reconcile", "-n", "team-a", "--context", "prod", "we"];
        let found = connection(words(&line).into_iter());
        assert_eq!((found.namespace.as_deref(), found.context.as_deref()), (Some("team-a"), Some("prod")));
    }
}
