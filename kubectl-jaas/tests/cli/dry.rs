//! What a dry run sends: nothing that could change anything.

use super::plugin::Plugin;
use super::storage::{OLD, Ward, beyond, file, orphan};

/// A dry run of every command that has one and needs a store. `act` holds those without one.
const LINES: [&str; 10] = [
    "reconcile --missing --yes",
    "reconcile --all --verify hash",
    "storage prune --expired --all",
    "storage prune --beyond-keep --all --until-free 1Gi",
    "storage prune web --keep 1",
    "prune web --expired",
    "storage sweep",
    "storage find-orphans --delete",
    "find-orphans --delete --class external,prefix",
    "storage repair --all",
];

/// Commands whose dry runs are held by `act`.
const ELSEWHERE: [&str; 5] = ["reconcile", "suspend", "resume", "force-handover", "restart"];

/// Something that each of them would change: a file that nothing names, one of nobody, a half of a write, and one that is not there.
fn ward() -> Ward {
    let tmp = "team-a/web/sha256-1.tar.gz.tmp";
    let ward = Ward::of(
        &["web", "api"],
        &[file(&beyond(), "revision", 100, OLD), file(&orphan(), "revision", 100, OLD), file(tmp, "tmp", 100, OLD)],
    );
    ward.does(&[]);
    ward
}

/// Whether a request asks a question: a review, a token, a look, or a verdict over bytes.
fn is_question(write: &str) -> bool {
    let asks = [
        "HEAD ",
        "POST /apis/authorization.k8s.io/",
        "POST /apis/authentication.k8s.io/",
        "POST /admin/v1/storage/verify",
    ];
    let is_token = write.starts_with("POST ") && write.contains("/serviceaccounts/jaas-oncall/token");
    is_token || asks.iter().any(|start| write.starts_with(start))
}

#[test]
fn no_dry_run_of_a_command_on_the_store_changes_anything() {
    for line in LINES {
        let ward = ward();
        let ran = ward.run(&format!("{line} --dry-run -o json"));
        let document = ran.document();
        assert_eq!(document["metadata"]["dryRun"], "client", "{line}: {document:#}");
        let writes = ward.made.server.writes();
        let others: Vec<_> = writes.iter().filter(|write| !is_question(write)).collect();
        assert!(others.is_empty(), "{line}: {others:?}");
        assert!(ward.acted().is_empty(), "{line}");

        let ward = self::ward();
        ward.run(&format!("{line} --dry-run=server"));
        let writes = ward.made.server.writes();
        let is_tried = |write: &str| write.contains("dryRun=All") || write == "POST /admin/v1/storage/actions";
        let others: Vec<_> = writes.iter().filter(|write| !is_question(write) && !is_tried(write)).collect();
        assert!(others.is_empty(), "{line}: {others:?}");
        assert!(ward.acted().iter().all(|body| body["dryRun"] == true), "{line}: {:?}", ward.acted());
    }
}

#[test]
fn without_it_the_same_command_lines_do() {
    for line in ["storage prune --expired --all --yes", "storage sweep --yes"] {
        let ward = ward();
        ward.run(line);
        assert!(ward.acted().iter().any(|body| body["dryRun"] != true), "{line}: {:?}", ward.acted());
    }
}

#[test]
fn every_command_that_has_a_dry_run_is_held_to_it() {
    let plugin = Plugin::without_server();
    let listed =
        |words: &str| -> Vec<String> { super::commands::listed(&plugin.run(&format!("{words} --help")).stdout) };
    let below = listed("storage").into_iter().map(|name| format!("storage {name}"));
    let mut count = 0;
    for command in listed("").into_iter().chain(below) {
        if plugin.run(&format!("{command} --help")).stdout.contains("--dry-run") && command != "storage" {
            let is_held = LINES.iter().any(|line| line.starts_with(&format!("{command} ")) || *line == command);
            assert!(is_held || ELSEWHERE.contains(&command.as_str()), "nothing holds the dry run of `{command}`");
            count += 1;
        }
    }
    assert_eq!(count, 9);
}
