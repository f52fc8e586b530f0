//! Every example of every help is run: those that only look as they are, the others as a dry run.

use super::program::{commands, help};
use super::stage::Stage;

/// The command lines of an `Examples` part.
fn examples(help: &str) -> Vec<String> {
    let after = help.lines().skip_while(|line| *line != "Examples").skip(1);
    let lines = after.take_while(|line| line.starts_with("  ") || line.is_empty());
    let lines = lines.filter(|line| !line.trim_start().starts_with('#')).filter_map(|line| {
        // `source <(kubectl jaas completion bash)` is an example for a shell.
        let line = &line[line.find("kubectl jaas ")?..];
        Some(line.trim_end_matches(')').to_owned())
    });
    lines.collect()
}

/// How an example is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trial {
    args: Vec<String>,
    /// Codes that say that the command line was understood and the command did its work, whatever it found.
    codes: &'static [i32],
}

const FOUND: &[i32] = &[0, 3, 4, 6];
const WAITED: &[i32] = &[0, 3, 124];
/// A plan, or advice, may also be refused: by what is there already.
const PLANNED: &[i32] = &[0, 3, 4, 5, 6];

fn trial(line: &str, stage: &Stage) -> Trial {
    let folder = stage.folder.path().display().to_string();
    let mut args = Vec::new();
    let mut words =
        line.strip_prefix("kubectl jaas ").unwrap().split('#').next().unwrap().split_whitespace().peekable();
    while let Some(word) = words.next() {
        match word {
            // The stage has one namespace, which is given anyway.
            "-n" => drop(words.next()),
            "-A" => {}
            // What is waited for need not come.
            "--timeout" if args.first().is_some_and(|arg| arg == "wait") => drop(words.next()),
            // It would never end.
            "-f" if args.first().is_some_and(|arg| arg == "logs") => {}
            word => args.push(word.trim_matches('\'').replace("team-a", &stage.namespace.name)),
        }
    }
    for arg in &mut args {
        if arg.contains("0123abcd") {
            *arg = arg.replace("0123abcd", &stage.older["sha256:".len()..][..8]);
        }
    }
    let has = |word: &str| args.iter().any(|arg| arg == word);
    let (deletes, installs) = (has("--delete"), has("install"));
    let first: Vec<_> = args.iter().take(2).cloned().collect();
    let first: Vec<_> = first.iter().map(String::as_str).collect();
    let changes = matches!(first[..], ["reconcile" | "suspend" | "resume" | "force-handover" | "restart", ..])
        || matches!(first[..], ["storage", "prune" | "sweep" | "repair"])
        || deletes;
    if changes && !args.iter().any(|arg| arg.starts_with("--dry-run")) {
        args.push("--dry-run".to_owned());
    }
    if args.first().is_some_and(|arg| arg == "wait") {
        args.extend(["--timeout".to_owned(), "1s".to_owned()]);
        return Trial { args, codes: WAITED };
    }
    if installs {
        args.extend(["--directory".to_owned(), folder]);
    }
    let codes = if changes || matches!(first[..], ["storage", "advise"]) { PLANNED } else { FOUND };
    Trial { args, codes }
}

/// What is wrong with any example.
pub(crate) async fn wrong(stage: &Stage) -> Vec<String> {
    let library =
        serde_json::json!({"kind": "JsonnetLibrary", "metadata": {"name": "lib"}, "spec": {"files": {"x": "1"}}});
    let mut snippet = stage.snippet("web", "{replicas: 3}", &serde_json::json!({}));
    snippet["metadata"].as_object_mut().unwrap().remove("namespace");
    std::fs::write(stage.folder.path().join("web.yaml"), format!("{snippet}\n---\n{library}\n")).unwrap();
    let before = stage.plane_state().await;
    let (mut wrong, mut count) = (Vec::new(), 0);
    for command in [vec![vec![]], vec![vec!["storage".to_owned()]], commands()].concat() {
        let words: Vec<_> = command.iter().map(String::as_str).collect();
        let examples = examples(&help(&words));
        assert!(!examples.is_empty(), "{words:?} has no example");
        for line in examples {
            let trial = trial(&line, stage);
            let ran = stage.run(&trial.args.iter().map(String::as_str).collect::<Vec<_>>());
            count += 1;
            if !trial.codes.contains(&ran.code) {
                wrong.push(format!("{line}\n  as {:?}\n  is {}\n{}{}", trial.args, ran.code, ran.screen, ran.errors));
            }
        }
    }
    println!("{count} examples");
    assert!(count > 80, "{count}");
    assert_eq!(stage.plane_state().await, before, "an example changed something");
    wrong
}

#[test]
fn examples_are_command_lines() {
    let help = "Usage: x\n\nExamples\n  # why\n  kubectl jaas status -n team-a\n  source <(kubectl jaas completion bash)\n\nExit codes: 0\n";
    assert_eq!(examples(help), ["kubectl jaas status -n team-a", "kubectl jaas completion bash"]);
}
