//! What holds for every command: help, errors, documentation.

use super::plugin::Plugin;

/// A command line of each command that asks a cluster.
const LINES: [&str; 31] = [
    "status",
    "doctor",
    "storage doctor",
    "check-storage",
    "storage info",
    "storage df",
    "storage du",
    "storage ls",
    "storage verify --all",
    "storage fetch web --list",
    "storage prune --expired --all",
    "storage sweep",
    "storage find-orphans",
    "storage repair --all",
    "storage advise limits",
    "reconcile --missing",
    "explain web",
    "reconcile --all",
    "render web",
    "diff web",
    "history web",
    "tree web",
    "events",
    "logs",
    "suspend web",
    "resume web",
    "wait ready web",
    "leader",
    "force-handover --yes",
    "restart --yes",
    "auth",
];

/// The commands that help shows.
fn commands() -> Vec<String> {
    let help = Plugin::without_server().run("--help").stdout;
    listed(&help)
}

/// The commands that a help lists: before its examples, indented by two.
pub(crate) fn listed(help: &str) -> Vec<String> {
    let before = help.split("\nExamples\n").next().unwrap_or_default();
    let names = before.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names = names.filter(|name| name.starts_with(|first: char| first.is_ascii_lowercase()) && *name != "help");
    names.map(str::to_owned).collect()
}

#[test]
fn every_command_is_documented_with_an_example_and_has_examples_in_its_help() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/plugin/commands.md");
    let page = std::fs::read_to_string(page).unwrap();
    let names = commands();
    assert!(names.len() > 16, "{names:?}");
    for name in names {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}")));
        assert!(row.is_some_and(|row| row.contains(&format!("`kubectl jaas {name}"))), "{name}");
        let help = Plugin::without_server().run(&format!("{name} --help"));
        assert!(help.stdout.contains("Examples\n") && help.stdout.contains("Usage: kubectl jaas"), "{name}");
        assert!(help.stdout.lines().all(|line| line.chars().count() <= 80), "{name}: {}", help.stdout);
    }
}

#[test]
fn every_command_says_8_in_every_format_when_nobody_answers() {
    let plugin = Plugin::without_server();
    for line in LINES {
        for format in ["table", "short", "markdown", "json", "yaml", "ndjson"] {
            let ran = plugin.run(&format!("{line} -o {format}"));
            assert_eq!(ran.code, 8, "{line} -o {format}: {ran:?}");
            if format == "json" {
                assert_eq!(ran.document()["result"]["exitCode"], 8, "{line}");
            }
        }
    }
}

#[test]
fn every_command_takes_kubectls_connection_flags() {
    let flags = "--as ann --as-group ops --as-uid 7 --as-user-extra a=b --cluster one --user ann --tls-server-name x --request-timeout 1s";
    for line in LINES {
        assert_eq!(Plugin::without_server().run(&format!("{line} {flags}")).code, 8, "{line}");
        assert_eq!(Plugin::without_server().run(&format!("{line} --context nope")).code, 2, "{line}");
    }
}

#[test]
fn a_name_with_a_slash_is_told_how_to_say_it() {
    for command in ["suspend", "resume", "wait ready", "status"] {
        let ran = Plugin::without_server().run(&format!("{command} team-a/web"));
        assert_eq!(ran.code, 2, "{command}: {ran:?}");
        let expected = format!("hint: if `team-a` is the namespace: kubectl jaas {command} web -n team-a");
        assert!(ran.stderr.contains(&expected), "{command}: {}", ran.stderr);
    }
}

#[test]
fn commands_about_one_snippet_take_its_namespace_with_its_name() {
    for command in ["diff", "auth tenant", "history", "tree", "events", "logs", "explain", "storage ls"] {
        // Only the server is missing.
        let taken = Plugin::without_server().run(&format!("{command} team-a/web"));
        assert!(taken.code != 2, "{command}: {taken:?}");
        let two = Plugin::without_server().run(&format!("{command} team-a/web -n team-b"));
        assert_eq!(two.code, 2, "{command}: {two:?}");
        let expected = format!("hint: if `team-a` is the namespace: kubectl jaas {command} web -n team-a");
        assert!(two.stderr.contains(&expected), "{command}: {}", two.stderr);
    }
}

#[test]
fn completion_speaks_the_protocol_of_kubectl() {
    let plugin = Plugin::without_server();
    let ran = plugin.run("__complete force");
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.starts_with("force-handover\t") && ran.stdout.ends_with(":4\n"), "{}", ran.stdout);
    let server = super::apiserver::ApiServer::start(super::apiserver::Mood::Answers, &["team-a/web", "team-b/other"]);
    let names = Plugin::new(server.url()).run("__complete history w");
    assert_eq!(names.stdout, "web\n:4\n");
    let elsewhere = Plugin::new(server.url()).run("__complete history -n team-b o");
    assert_eq!(elsewhere.stdout, "other\n:4\n");
    assert!(plugin.run("completion kubectl").stdout.contains("exec kubectl-jaas __complete \"$@\""));
    assert!(plugin.run("completion bash").stdout.contains("complete"));
}
