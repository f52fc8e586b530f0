//! The plugin's own command tree, as its help shows it.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use jaas_tests::environment;

/// The plugin, without a cluster and without a terminal.
pub(crate) fn plugin() -> Command {
    let mut command = Command::new(path());
    command.stdin(Stdio::null()).env("NO_COLOR", "1").env_remove("JAAS_OPERATOR_NAMESPACE").env_remove("KUBECONFIG");
    command
}

fn path() -> PathBuf {
    environment::path(environment::PLUGIN).unwrap()
}

/// The help of a command.
pub(crate) fn help(words: &[&str]) -> String {
    let Output { status, stdout, stderr } = plugin().args(words).arg("--help").output().unwrap();
    assert!(status.success() && stderr.is_empty(), "{words:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// Every command that help shows, with the words that lead to it.
pub(crate) fn commands() -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut left = vec![Vec::new()];
    while let Some(words) = left.pop() {
        let borrowed: Vec<_> = words.iter().map(String::as_str).collect();
        let below = listed(&help(&borrowed));
        if below.is_empty() {
            found.push(words);
            continue;
        }
        left.extend(below.into_iter().map(|name| [words.clone(), vec![name]].concat()));
    }
    found.sort();
    found
}

/// The commands that a help lists: before its examples, indented by two.
fn listed(help: &str) -> Vec<String> {
    let before = help.split("\nExamples\n").next().unwrap_or_default();
    let names = before.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names = names.filter(|name| name.starts_with(|first: char| first.is_ascii_lowercase()) && *name != "help");
    names.map(str::to_owned).collect()
}
