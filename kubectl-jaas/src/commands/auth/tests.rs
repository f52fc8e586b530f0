//! Values for rights and roles.

use clap::CommandFactory as _;

use super::*;
use crate::cli::Cli;

fn places(snippets: Option<&str>) -> Places {
    Places { snippets: snippets.map(str::to_owned), operator: "jaas-system".to_owned(), flux: "flux-system".to_owned() }
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
fn what_a_render_may_read_is_listed_with_the_place_of_its_archives() {
    let yaml = roles::yaml("x", &chosen(Some("render")).unwrap(), &places(Some("team-a")));
    for kind in jaas_api::source::SourceKind::ALL {
        assert!(yaml.contains(kind.plural()), "{} is missing in\n{yaml}", kind.plural());
    }
    let flux = yaml.split("---").find(|it| it.contains("namespace: flux-system")).unwrap();
    for resource in ["services/proxy", "pods/portforward"] {
        assert!(flux.contains(resource), "{resource} is missing in\n{flux}");
    }
}

#[test]
fn only_a_required_right_of_a_named_command_fails() {
    let right = |optional, allowed| Right {
        command: "x".into(),
        verb: "get".into(),
        resource: "pods".into(),
        namespace: String::new(),
        name: String::new(),
        optional,
        allowed: Some(allowed),
    };
    assert_eq!(judge(&[right(false, false)], Some("x")).exit, Exit::Forbidden);
    assert_eq!(judge(&[right(false, false)], None).exit, Exit::Done);
    assert_eq!(judge(&[right(true, false), right(false, true)], Some("x")).exit, Exit::Done);
}

#[test]
fn every_command_that_asks_a_cluster_has_its_needs_in_the_table() {
    let offline = ["auth", "completion", "exit-codes", "help", "options", "storage"];
    let knows = |name: &str| chosen(Some(name)).is_ok();
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(offline.contains(&name) || knows(name), "{name}");
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            let name = format!("{name} {}", below.get_name());
            assert!(knows(&name), "{name}");
        }
    }
    assert!(matches!(chosen(Some("frobnicate")), Err(Error::NoSuchCommand(_))));
    assert!(matches!(chosen(Some("stor")), Err(Error::NoSuchCommand(_))));
}

#[test]
fn no_command_is_told_twice_what_it_needs() {
    let mut seen = std::collections::BTreeSet::new();
    for (command, need) in chosen(None).unwrap() {
        for verb in need.verbs {
            let right = (command.clone(), need.group, need.resource, *verb, need.place);
            assert!(seen.insert(right.clone()), "{right:?}");
        }
    }
}

#[test]
fn a_group_of_commands_is_all_of_them_and_an_alias_is_its_command() {
    let names = |command| {
        let all = chosen(Some(command)).unwrap().into_iter().map(|(name, _)| name);
        all.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(names("prune"), names("storage prune"));
    assert!(names("storage").len() > 10 && names("storage").iter().all(|name| name.starts_with("storage ")));
    let yaml = roles::yaml("x", &chosen(Some("prune")).unwrap(), &places(Some("a")));
    let token = "- apiGroups: [\"\"]\n  resources: [serviceaccounts/token]\n  resourceNames: [jaas-oncall]\n  verbs: [create]\n";
    assert!(yaml.contains(token), "{yaml}");
}
