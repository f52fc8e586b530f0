//! Values for rights and roles.

use clap::CommandFactory as _;

use super::*;
use crate::cli::Cli;

fn places(snippets: Option<&str>) -> Places {
    Places { snippets: snippets.map(str::to_owned), operator: "jaas-system".to_owned() }
}

#[test]
fn the_role_of_a_command_has_one_rule_for_each_resource() {
    let yaml = roles::yaml("kubectl-jaas-suspend", &chosen(Some("suspend")).unwrap(), &places(Some("team-a")));
    let expected = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: kubectl-jaas-suspend
  namespace: team-a
rules:
- apiGroups: [\"events.k8s.io\"]
  resources: [events]
  verbs: [create]
- apiGroups: [\"jaas.metio.wtf\"]
  resources: [jsonnetsnippets]
  verbs: [get, list, patch]
";
    assert_eq!(yaml, expected);
}

#[test]
fn what_holds_everywhere_is_not_said_twice() {
    let yaml = roles::yaml("x", &chosen(Some("tree")).unwrap(), &places(None));
    assert_eq!(yaml.matches("kind: ").count(), 1, "{yaml}");
    let yaml = roles::yaml("x", &chosen(Some("status")).unwrap(), &places(Some("a")));
    assert_eq!(yaml.matches("kind: Role\n").count(), 2, "{yaml}");
}

#[test]
fn only_a_required_right_of_a_named_command_fails() {
    let right = |optional, allowed| Right {
        command: "x".into(),
        verb: "get".into(),
        resource: "pods".into(),
        namespace: String::new(),
        optional,
        allowed: Some(allowed),
    };
    assert_eq!(judge(&[right(false, false)], Some("x")).exit, Exit::Forbidden);
    assert_eq!(judge(&[right(false, false)], None).exit, Exit::Done);
    assert_eq!(judge(&[right(true, false), right(false, true)], Some("x")).exit, Exit::Done);
}

#[test]
fn every_command_that_asks_a_cluster_has_its_needs_in_the_table() {
    let offline = ["auth", "completion", "exit-codes", "reconcile-all", "check-storage", "help"];
    let known = commands();
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(known.contains(&name) != offline.contains(&name), "{name}");
    }
    assert!(matches!(chosen(Some("frobnicate")), Err(Error::NoSuchCommand(_))));
}
