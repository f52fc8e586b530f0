//! Help, wrong command lines, and kubeconfigs that lead nowhere.

use super::plugin::Plugin;

fn run(line: &str) -> super::plugin::Ran {
    Plugin::without_server().run(line)
}

#[test]
fn help_speaks_of_kubectl_jaas_and_shows_examples() {
    for line in ["--help", "reconcile --help", "version --help", "-h", "reconcile -h"] {
        let help = run(line);
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{line}");
        assert!(help.stdout.contains("Usage: kubectl jaas"), "{line}: {}", help.stdout);
        assert!(help.stdout.contains("Examples\n"), "{line}: {}", help.stdout);
        assert!(help.stdout.lines().all(|line| line.chars().count() <= 80), "{line}: {}", help.stdout);
    }
}

#[test]
fn the_exit_codes_are_a_help_topic() {
    for line in ["help exit-codes", "exit-codes"] {
        let topic = run(line);
        assert_eq!(topic.code, 0, "{line}");
        assert!(topic.stdout.contains("124   timed out"), "{line}: {}", topic.stdout);
    }
}

#[test]
fn a_wrong_command_line_is_2() {
    for line in ["", "frobnicate", "version --nonsense", "reconcile --timeout soon web", "reconcile --timeout 0 web"] {
        let wrong = run(line);
        assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""), "{line}: {}", wrong.stderr);
    }
    assert_eq!(run("reconcile --max-in-flight 0 web").code, 2);
    assert_eq!(run("version -o name").code, 2);
}

#[test]
fn contradictions_of_reconcile_are_2_with_a_hint() {
    for line in ["reconcile", "reconcile web --all", "reconcile-all web", "reconcile team-a/web", "reconcile web -A"] {
        let wrong = run(line);
        assert_eq!(wrong.code, 2, "{line}: {}", wrong.stderr);
        assert!(wrong.stderr.starts_with("error: "), "{line}: {}", wrong.stderr);
        assert!(wrong.stderr.contains("\nhint: "), "{line}: {}", wrong.stderr);
    }
}

#[test]
fn one_snippet_is_not_looked_for_everywhere_and_the_way_to_find_it_is_told() {
    for line in ["history -A", "history web -A", "tree --all-namespaces"] {
        let wrong = run(line);
        assert_eq!(wrong.code, 2, "{line}: {}", wrong.stderr);
        assert!(wrong.stderr.contains("name it, and its namespace with -n"), "{line}: {}", wrong.stderr);
        assert!(wrong.stderr.contains("kubectl jaas status -o wide"), "{line}: {}", wrong.stderr);
    }
}

#[test]
fn what_is_missing_is_told_with_an_example() {
    for (line, example) in
        [("tree", "kubectl jaas tree web -n team-a"), ("storage fetch", "kubectl jaas storage fetch")]
    {
        let wrong = run(line);
        assert_eq!(wrong.code, 2, "{line}: {}", wrong.stderr);
        assert!(wrong.stderr.contains(&format!("\nhint: for example: {example}")), "{line}: {}", wrong.stderr);
    }
}

#[test]
fn a_help_does_not_repeat_the_flags_of_all_commands() {
    let help = run("restart --help").stdout;
    assert!(help.lines().count() < 80 && !help.contains("--certificate-authority"), "{help}");
    assert!(help.ends_with("kubectl jaas options\n"), "{help}");
}

#[test]
fn the_flags_of_all_commands_are_a_topic_of_their_own() {
    for line in ["options", "options --help", "help options"] {
        let topic = run(line);
        assert_eq!(topic.code, 0, "{line}: {}", topic.stderr);
        assert!(topic.stdout.contains("--kubeconfig") && topic.stdout.contains("--output"), "{line}: {}", topic.stdout);
    }
}

#[test]
fn a_refused_run_answers_with_a_document_too() {
    let refused = run("reconcile web --all -o json");
    let document = refused.document();
    assert_eq!(refused.code, 2);
    assert_eq!(document["kind"], "ReconcileReport");
    assert_eq!(document["result"]["exitCode"], 2);
    assert_eq!(document["result"]["outcome"], "refused");
    assert_eq!(document["result"]["message"], "names and --all exclude each other");
}

#[test]
fn an_unknown_context_is_2_and_names_the_known_ones() {
    let unknown = run("reconcile --all --context prod");
    assert_eq!(
        (unknown.code, unknown.stderr.as_str()),
        (2, "error: the kubeconfig has no context `prod`\nhint: choose one with --context: here\n")
    );
}

#[test]
fn an_unreadable_kubeconfig_is_2_and_shows_none_of_it() {
    let broken = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(broken.path(), "users: [{name: ann, user: {token: s3cret}\n").unwrap();
    for file in [broken.path().display().to_string(), "/does/not/exist".to_owned()] {
        let unreadable = run(&format!("reconcile --all --kubeconfig {file}"));
        assert_eq!(unreadable.code, 2, "{}", unreadable.stderr);
        assert!(unreadable.stderr.starts_with("error: cannot use the kubeconfig: "), "{}", unreadable.stderr);
        assert!(!unreadable.stderr.contains("s3cret"), "{}", unreadable.stderr);
    }
}

#[test]
fn an_unreachable_server_is_8_in_every_format() {
    let plugin = Plugin::without_server();
    for format in ["table", "wide", "short", "markdown", "json", "yaml", "ndjson", "name"] {
        let unreachable = plugin.run(&format!("reconcile --all -o {format}"));
        assert_eq!(unreachable.code, 8, "{format}: {}", unreachable.stderr);
        assert!(
            unreachable.stderr.starts_with("reconcile every snippet in all namespaces; context `here`, http://127.")
        );
        assert!(unreachable.stderr.contains("error: cannot list jsonnetsnippets in all namespaces: no answer from"));
    }
}
