//! One snapshot, or more, of every command.

use std::collections::BTreeSet;

use jaas_tests::controlplane::Identity;
use jaas_tests::terminal::Shown;
use serde_json::Value;

use super::normal::{document, text};
use super::program::commands;
use super::snapshot::{differs, names};
use super::stage::{COLUMNS, Stage};

/// How a command is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Screen and document.
    Both,
    /// Only the screen: it is a text for people, or for a shell.
    Screen,
    /// Records of a log: which there are differs, what they are does not.
    Log,
}

/// One command line.
struct Case {
    /// Name of its snapshots.
    name: &'static str,
    line: &'static str,
    code: i32,
    form: Form,
}

const fn case(name: &'static str, line: &'static str, code: i32) -> Case {
    Case { name, line, code, form: Form::Both }
}

const fn screen(name: &'static str, line: &'static str, code: i32) -> Case {
    Case { name, line, code, form: Form::Screen }
}

/// In this order, since some change something. `OLDER` is the older revision of `web`.
const CASES: [Case; 66] = [
    screen("help", "--help", 0),
    screen("exit-codes", "exit-codes", 0),
    case("version", "version", 0),
    case("status", "status", 4),
    case("status-named", "status web api", 0),
    // How full the disk of this machine is, is nobody's finding here; and how it answers for Pods that are none differs by its network.
    case("doctor", "doctor --skip S402 --route admin", 4),
    case("doctor-quick", "doctor leader queue --depth quick", 0),
    screen("explain-code", "explain S401", 0),
    screen("explain-reason", "explain ArtifactLost", 0),
    screen("explain-snippet", "explain bad", 0),
    case("render", "render web", 0),
    case("render-stats", "render web --stats", 0),
    case("render-fails", "render bad", 4),
    case("diff", "diff web OLDER", 0),
    case("diff-live", "diff web --exit-code", 0),
    case("history", "history web", 0),
    case("tree", "tree web", 0),
    case("leader", "leader", 0),
    case("events", "events paused", 0),
    Case { name: "logs", line: "logs web", code: 0, form: Form::Log },
    case("wait-ready", "wait ready web api", 0),
    case("wait-recovered", "wait recovered web", 0),
    case("wait-leader", "wait leader", 0),
    case("wait-no-findings", "wait no-findings leader pods --timeout 60s --route admin", 0),
    case("wait-late", "wait ready bad --timeout 1s", 124),
    case("storage-doctor", "storage doctor --depth full --skip S402 --route admin", 4),
    case("storage-info", "storage info", 0),
    case("storage-df", "storage df", 0),
    case("storage-du", "storage du", 0),
    case("storage-ls", "storage ls", 0),
    case("storage-verify", "storage verify --all", 0),
    case("storage-fetch", "storage fetch web --list", 0),
    case("storage-advise-persistence", "storage advise persistence", 5),
    case("storage-advise-limits", "storage advise limits", 0),
    case("storage-prune", "storage prune --expired --all --yes", 0),
    case("storage-prune-keep-dry", "storage prune web --keep 1 --dry-run", 0),
    case("storage-sweep", "storage sweep --yes", 0),
    case("storage-find-orphans", "storage find-orphans", 0),
    case("storage-repair", "storage repair --all --yes", 0),
    case("auth-command", "auth restart", 0),
    case("auth-tenant", "auth tenant web", 0),
    screen("auth-tenant-yaml", "auth tenant web --yaml", 0),
    screen("auth-yaml", "auth prune --yaml", 0),
    case("auth", "auth", 0),
    screen("completion-kubectl", "completion kubectl", 0),
    // They change something.
    case("reconcile", "reconcile web", 0),
    case("reconcile-all", "reconcile --all", 3),
    case("reconcile-all-dry", "reconcile --all --dry-run", 0),
    case("reconcile-missing", "reconcile --missing", 6),
    case("reconcile-suspended", "reconcile paused", 5),
    case("suspend", "suspend api --reason INC-4711", 0),
    case("suspend-unasked", "suspend --all", 5),
    case("suspend-dry", "suspend --all --dry-run", 0),
    case("resume", "resume api", 0),
    case("force-handover-dry", "force-handover --dry-run", 0),
    case("force-handover-unasked", "force-handover", 5),
    case("force-handover", "force-handover --yes", 0),
    case("restart-dry", "restart --dry-run", 0),
    case("restart", "restart --yes", 0),
    // What goes wrong.
    case("wrong-name", "history nobody", 6),
    case("wrong-names", "reconcile web nobody", 6),
    case("wrong-context", "status --context nowhere", 2),
    screen("wrong-flag", "status --nonsense", 2),
    case("contradiction", "reconcile web --all", 2),
    case("unreachable", "status --server https://127.0.0.1:1", 8),
    case("empty-selection", "reconcile -l team=nobody", 6),
];

/// Those of somebody without rights.
const FORBIDDEN: [Case; 4] = [
    case("forbidden-status", "status", 7),
    case("forbidden-reconcile", "reconcile web", 7),
    case("forbidden-storage", "storage ls", 7),
    case("forbidden-auth", "auth restart", 7),
];

fn words(case: &Case, stage: &Stage, json: bool) -> Vec<String> {
    let older = &stage.older["sha256:".len()..][..12];
    let words = case.line.split_whitespace().map(|word| word.replace("OLDER", older));
    words.chain(json.then_some(["-o".to_owned(), "json".to_owned()]).into_iter().flatten()).collect()
}

/// The snapshot of a screen: what was typed, what was shown, what was said, how it ended.
fn shown(case: &Case, stage: &Stage, shown: &Shown) -> String {
    let screen = if case.form == Form::Log { messages(&shown.screen) } else { shown.screen.clone() };
    // How far a run is after a second differs, and whether a new Pod leads at the first look.
    let is_progress = |line: &&str| {
        line.contains(" answered, ") && line.contains(" asked (")
            || line.contains("; waiting until one of them leads: ")
    };
    let said: String = shown.errors.lines().filter(|line| !is_progress(line)).map(|line| format!("{line}\n")).collect();
    let all = format!("$ kubectl jaas {}\n{screen}\n--- stderr\n{said}--- exit {}\n", case.line, shown.code);
    text(&all, &stage.names())
}

/// What records of a log say, each once: the time, how bad it is, what, and two spaces before its fields.
fn messages(log: &str) -> String {
    let said: BTreeSet<_> = log
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(_, rest)| Some(rest.get(6..)?.split("  ").next()?.trim_end().to_owned()))
        .collect();
    said.into_iter().map(|message| format!("{message}\n")).collect()
}

fn check(cases: &[Case], stage: &Stage, identity: &Identity) -> Vec<String> {
    let mut wrong = Vec::new();
    for case in cases {
        let args = words(case, stage, false);
        let ran = stage.run_as(identity, &args.iter().map(String::as_str).collect::<Vec<_>>());
        let wide: Vec<_> = ran.screen.lines().filter(|line| line.chars().count() > usize::from(COLUMNS)).collect();
        if !wide.is_empty() && case.form != Form::Log {
            wrong.push(format!("{}: wider than {COLUMNS} columns: {wide:#?}", case.line));
        }
        if ran.code != case.code {
            wrong.push(format!(
                "{}: exit {} instead of {}\n{}\n{}",
                case.line, ran.code, case.code, ran.screen, ran.errors
            ));
        }
        wrong.extend(differs(&format!("{}.txt", case.name), &shown(case, stage, &ran)));
        if case.form != Form::Both {
            continue;
        }
        let args = words(case, stage, true);
        let ran = stage.run_as(identity, &args.iter().map(String::as_str).collect::<Vec<_>>());
        match serde_json::from_str::<Value>(&ran.screen) {
            Ok(mut found) => {
                if (ran.code, &found["result"]["exitCode"]) != (case.code, &Value::from(case.code)) {
                    wrong.push(format!("{} -o json: exit {} instead of {}: {found:#}", case.line, ran.code, case.code));
                }
                document(&mut found, &stage.names());
                wrong.extend(differs(&format!("{}.json", case.name), &format!("{found:#}\n")));
            }
            Err(error) => wrong.push(format!("{} -o json: {error}\n{}\n{}", case.line, ran.screen, ran.errors)),
        }
    }
    wrong
}

/// What is wrong with any screen, document or exit code.
pub(crate) fn wrong(stage: &Stage) -> Vec<String> {
    let mut wrong = check(&CASES, stage, &Identity::Admin);
    wrong.extend(check(&FORBIDDEN, stage, &stage.namespace.tenant()));
    wrong
}

#[test]
fn every_command_has_a_snapshot_and_every_snapshot_a_command() {
    let all = || CASES.iter().chain(&FORBIDDEN);
    for command in commands() {
        let line = command.join(" ");
        assert!(
            all().any(|case| case.line == line || case.line.starts_with(&format!("{line} "))),
            "`{line}` has no snapshot"
        );
    }
    let mut known: Vec<_> = all().map(|case| format!("{}.txt", case.name)).collect();
    known.extend(all().filter(|case| case.form == Form::Both).map(|case| format!("{}.json", case.name)));
    known.sort();
    assert!(known.windows(2).all(|pair| pair[0] != pair[1]), "two of one name: {known:?}");
    assert_eq!(names(), known);
}
