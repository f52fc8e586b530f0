//! Values for the argument rules.

use clap::Parser as _;

use super::*;
use crate::cli::{Cli, Command};

fn choose(line: &str) -> Result<Choice, ArgumentError> {
    let words = ["kubectl-jaas", "reconcile"].into_iter().chain(line.split_whitespace());
    let cli = Cli::try_parse_from(words).unwrap();
    let Command::Reconcile(args) = &cli.command else { panic!("not a reconcile: {line}") };
    let states = States { failed: args.failed, stale: args.stale, missing: args.missing };
    Choice::new(&args.targets, states, cli.connection.namespace.as_deref(), "reconcile")
}

fn text(line: &str) -> String {
    choose(line).unwrap().within("home").to_string()
}

#[test]
fn the_scope_is_said_in_words() {
    assert_eq!(text("--all"), "every snippet in all namespaces");
    assert_eq!(text("--all -A"), "every snippet in all namespaces");
    assert_eq!(text("--all -n team-a"), "every snippet in namespace `team-a`");
    assert_eq!(text("web api web"), "`api`, `web` in namespace `home`");
    assert_eq!(text("web -n team-a"), "`web` in namespace `team-a`");
    assert_eq!(text("-l app=web"), "every snippet with labels `app=web` in namespace `home`");
    assert_eq!(text("--failed"), "every snippet that is failed or unanswered in all namespaces");
    assert_eq!(text("--stale -n a"), "every snippet that is stale or pending in namespace `a`");
    assert_eq!(text("-l app=web -A"), "every snippet with labels `app=web` in all namespaces");
}

#[test]
fn contradictions_are_refused() {
    assert_eq!(choose(""), Err(ArgumentError::Nothing));
    assert_eq!(choose("web --all"), Err(ArgumentError::TooMuch(vec!["names", "--all"])));
    assert_eq!(choose("-l a=b --all"), Err(ArgumentError::TooMuch(vec!["--selector", "--all"])));
    assert_eq!(choose("web -A"), Err(ArgumentError::NamesEverywhere));
    assert_eq!(choose("--failed --stale"), Err(ArgumentError::TooMuch(vec!["--failed", "--stale"])));
    assert_eq!(choose("--all -A -n a"), Err(ArgumentError::TwoPlaces));
}

#[test]
fn a_name_with_a_slash_is_told_how_to_say_it() {
    let error = choose("team-a/web").unwrap_err();
    assert_eq!(error.to_string(), "`team-a/web` is no name of a snippet: a name has no slash");
    assert_eq!(error.hint(), "if `team-a` is the namespace: kubectl jaas reconcile web -n team-a");
    assert_eq!(choose("/web").unwrap_err().hint(), "give the name alone, and the namespace with -n");
}

#[test]
fn a_missing_name_fails_the_whole_selection() {
    let selection = choose("web api").unwrap().within("home");
    let mut web = Snippet::default();
    web.metadata.name = Some("web".into());
    let mut other = Snippet::default();
    other.metadata.name = Some("other".into());
    let matches = selection.matching(vec![web, other]);
    assert_eq!(matches.len(), 1);
    let error = selection.check(&matches).unwrap_err();
    assert_eq!(error.to_string(), "namespace `home` has no snippet `api`; nothing was done");
}

#[test]
fn an_empty_selection_is_an_error() {
    let selection = choose("--all").unwrap().within("home");
    assert_eq!(
        selection.check(&[]).unwrap_err().to_string(),
        "found no snippet, looking for every snippet in all namespaces"
    );
}

#[test]
fn a_state_chooses_those_that_are_in_it() {
    let named = |name: &str, ready: &str| -> Snippet {
        let conditions = serde_json::json!([{"type": "Ready", "status": ready, "reason": "R", "message": "",
            "lastTransitionTime": "2026-11-22T12:00:00Z"}]);
        let value = serde_json::json!({"metadata": {"name": name}, "status": {"conditions": conditions}});
        serde_json::from_value(value).unwrap()
    };
    let all = vec![named("good", "True"), named("bad", "False")];
    let matches = choose("--failed").unwrap().within("home").matching(all);
    assert_eq!(matches.iter().map(|snippet| snippet.key().name).collect::<Vec<_>>(), ["bad"]);
}
