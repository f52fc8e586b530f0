//! Every command is run that is not listed as run elsewhere.

use std::collections::BTreeSet;
use std::fs;

use crate::page::{Block, FINDINGS, Page};
use crate::stage::{PLACE, Stage, said};
use crate::words::{self, Words};
use crate::{elsewhere, scenes};

/// Codes that a command may end with, where that is not 0 alone: on pages, for commands, that begin so. The first that fits counts.
const CODES: [(&str, &str, &[i32]); 10] = [
    // Each page has another finding, and here mostly none is there: what counts is that the command does its work.
    (FINDINGS, "", &[0, 3, 4, 5, 6]),
    // They say how everything is, which on this stage is never well as a whole: 4 is what they say of that.
    ("", "kubectl jaas doctor", &[0, 4]),
    ("", "kubectl jaas storage doctor", &[0, 4]),
    ("", "kubectl jaas status", &[0, 4]),
    // Nothing has failed, is missing or was changed: 6, as every empty selection.
    ("docs/plugin/commands.md", "kubectl jaas reconcile --failed", &[6]),
    ("docs/disaster.md", "kubectl jaas reconcile --missing", &[6]),
    // What is wrong with the snippet is wrong here, too.
    ("docs/reasons/", "kubectl jaas render", &[4]),
    // A claim is there already.
    ("docs/reasons/storagefull.md", "kubectl jaas storage advise persistence", &[5]),
    ("docs/alerts/jaasforcedropsaccumulating.md", "kubectl jaas storage find-orphans --delete", &[0]),
    ("docs/alerts/jaasforcedropsaccumulating.md", "kubectl jaas storage find-orphans", &[4]),
];

/// What is not typed as it stands there, and what is instead.
const INSTEAD: [(&str, &str); 5] = [
    // They would go on for ever: as soon as there is something to see they are ended.
    (
        "jaas-operator --enable-flux-integration",
        // A Pod is told its namespace by a file of its own, and has all ports for itself.
        "(jaas-operator --leader-election-namespace=jaas-system --storage-listen-address=127.0.0.1 --metrics-bind-address=127.0.0.1:8083 --enable-flux-integration",
    ),
    (
        "svc.cluster.local:8082",
        "svc.cluster.local:8082 & until curl -s http://127.0.0.1:8081/ready/reconcile; do kill -0 $! || exit 1; sleep 0.1; done; kill $!; wait $!)",
    ),
    (
        "jaas-operator --snippet-directory=snippets &",
        "jaas-operator --metrics-bind-address=127.0.0.1:8083 --snippet-directory=snippets &",
    ),
    // Folders of a container.
    ("--storage-path=/var/lib/jaas/artifacts", "--storage-path=own-store"),
    ("--storage-path=/data", "--storage-path=VOLUME"),
];

/// Beginnings of commands that ask before they do it. Nobody is there to say yes.
const ASKING: [&str; 6] = [
    "kubectl jaas restart",
    "kubectl jaas force-handover",
    "kubectl jaas storage prune",
    "kubectl jaas storage sweep",
    "kubectl jaas storage repair",
    "kubectl jaas reconcile --missing",
];

/// A command of a page and how it is run.
struct Trial {
    command: String,
    script: String,
    codes: &'static [i32],
}

fn codes(page: &str, command: &str) -> &'static [i32] {
    let fits = |entry: &&(&str, &str, &'static [i32])| page.starts_with(entry.0) && command.starts_with(entry.1);
    CODES.iter().find(fits).map_or(&[0], |entry| entry.2)
}

/// The command with the answer to its question.
fn answered(page: &str, line: &str) -> String {
    let asks =
        ASKING.iter().any(|start| line.starts_with(start)) && !line.contains("--dry-run") && !line.contains("--yes");
    let confirms = line.contains("find-orphans --delete");
    let changes = asks
        || confirms
        || ["reconcile", "suspend", "resume"].iter().any(|it| line.starts_with(&format!("kubectl jaas {it}")));
    match () {
        () if page == FINDINGS && changes => format!("{line} --dry-run"),
        () if page == FINDINGS && line.starts_with("kubectl scale") => format!("{line} --dry-run=server"),
        () if confirms => {
            format!(
                r#"{line} --confirm "$({line} --dry-run 2>&1 | sed -n "s/.*--confirm '\([^']*\)'.*/\1/p" | head -1)""#
            )
        }
        () if asks => format!("{line} --yes"),
        () => line.to_owned(),
    }
}

fn trial(page: &str, command: &str, words: &Words) -> Result<Trial, String> {
    let mut line = command.to_owned();
    for (from, to) in INSTEAD {
        line = line.replace(from, to);
    }
    if line.ends_with(" -f") && line.starts_with("kubectl jaas logs ") {
        // It goes on until somebody ends it.
        line = format!("timeout 3 {line} || [ $? = 124 ]");
    }
    let script = words::filled(&answered(page, &line), words)?;
    Ok(Trial { command: command.to_owned(), script, codes: codes(page, command) })
}

/// Runs a block in one shell, and tells what is wrong.
pub(crate) async fn run(
    stage: &Stage,
    page: &str,
    block: &Block,
    before: &[(&str, &str)],
    words: &Words,
) -> Vec<String> {
    let mut trials = Vec::new();
    let mut script = "set -o pipefail\ntrap 'kill $(jobs -p) 2> /dev/null; wait' EXIT\nrm -f codes\n".to_owned();
    for command in block.commands.iter().filter(|command| elsewhere::reason(command).is_none()) {
        let trial = match trial(page, command, words) {
            Ok(trial) => trial,
            Err(error) => return vec![format!("{page}: {error}")],
        };
        for (_, prepare) in before.iter().filter(|(start, _)| command.starts_with(start)) {
            let prepare = words::filled(prepare, words).unwrap();
            script += &format!("( set -e\n{prepare}\n) || exit 99\n");
        }
        script += &format!("echo \"+ line {}\"\n{}\necho $? >> codes\n", trials.len() + 1, trial.script);
        trials.push(trial);
    }
    if trials.is_empty() {
        return Vec::new();
    }
    let started = std::time::Instant::now();
    let output = stage.shell(&script).await;
    let ended = fs::read_to_string(stage.folder.join("codes")).unwrap_or_default();
    let ended: Vec<i32> = ended.lines().map(|code| code.parse().unwrap()).collect();
    println!("{page}: {:?} {ended:?} {:.1?}", block.commands.first(), started.elapsed());
    let mut wrong: Vec<_> = trials
        .iter()
        .enumerate()
        .filter(|(at, trial)| !ended.get(*at).is_some_and(|code| trial.codes.contains(code)))
        .map(|(at, trial)| format!("`{}` ends with {:?} instead of {:?}", trial.command, ended.get(at), trial.codes))
        .collect();
    if !wrong.is_empty() {
        wrong.insert(0, format!("{page}:"));
        wrong.push(said(&output));
        println!("{}", wrong.join("\n"));
    }
    wrong
}

/// Fills in what the page about the admin endpoint leaves out: the name of the artifact's file, and its version.
async fn filled_in(stage: &mut Stage, blocks: Vec<Block>) -> Vec<Block> {
    stage.forward().await;
    let listed = stage
        .must(&format!(
            "TOKEN=$(kubectl create token jaas-oncall -n {PLACE} --audience jaas-admin --duration 10m)
            curl -s -H \"Authorization: Bearer $TOKEN\" 'http://127.0.0.1:8085/admin/v1/storage/inventory?namespace=team-a' |
            jq -r 'select(.file.path // \"\" | startswith(\"team-a/web/\")).file | .path + \" \" + .version' | head -1"
        ))
        .await;
    let (path, version) = listed.trim().split_once(' ').unwrap();
    let fill = |command: String| {
        command
            .replace("team-a/web/sha256-….tar.gz", path)
            .replace(r#""version": "…""#, &format!(r#""version": "{version}""#))
    };
    let fill_block = |block: Block| Block { commands: block.commands.into_iter().map(fill).collect() };
    blocks.into_iter().map(fill_block).collect()
}

/// Runs the commands of a page in its scene.
async fn page(stage: &mut Stage, page: &Page) -> Vec<String> {
    let mut blocks = page.blocks();
    let is_run = |block: &Block| block.commands.iter().any(|command| elsewhere::reason(command).is_none());
    if !blocks.iter().any(is_run) {
        return Vec::new();
    }
    let scene = scenes::of(&page.name);
    if let Err(error) = scene.set(stage).await {
        return vec![format!("{}: {error}", page.name)];
    }
    if page.name == "docs/admin.md" {
        blocks = filled_in(stage, blocks).await;
    }
    if page.name == FINDINGS {
        // One code's command is often another's, too.
        let all: BTreeSet<_> = blocks.into_iter().flat_map(|block| block.commands).collect();
        blocks = all.into_iter().map(|command| Block { commands: vec![command] }).collect();
    }
    if page.name == "docs/alerts/jaasoperatorpoddown.md" {
        stage.crash().await;
    }
    let words = scene.words(stage);
    let mut wrong = Vec::new();
    for block in &blocks {
        let errors = run(stage, &page.name, block, scene.before, &words).await;
        wrong.extend(errors);
    }
    if wrong.is_empty()
        && let Err(error) = scene.check(stage).await
    {
        wrong.push(format!("{}: {error}", page.name));
    }
    scene.clear(stage).await;
    if scene.before.iter().any(|(_, script)| *script == scenes::WEBHOOK) {
        stage.must(scenes::NO_WEBHOOK).await;
        stage.settle().await;
    }
    wrong
}

/// In one test, since they share a cluster.
#[tokio::test]
async fn every_command_of_every_page_does_what_the_page_says() {
    let mut stage = Stage::new().await;
    // Parts of names, with commas between them, for whoever writes a page.
    let only = std::env::var("JAAS_PAGES").unwrap_or_default();
    let is_wanted = |page: &Page| only.split(',').any(|part| page.name.contains(part));
    let mut pages = Page::all();
    // The first page installs and uninstalls.
    pages.sort_by_key(|page| page.name != "docs/install.md");
    let (install, others) = pages.split_first().unwrap();
    assert_eq!(install.name, "docs/install.md");
    let mut wrong = if is_wanted(install) { page(&mut stage, install).await } else { Vec::new() };
    stage.install().await;
    for other in others.iter().filter(|page| is_wanted(page)) {
        wrong.extend(page(&mut stage, other).await);
    }
    for help in elsewhere::helps() {
        let output = stage.shell(help).await;
        assert!(output.status.success(), "{help}: {}", said(&output));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whoever is called by an alert, or reads a reason, is told something to type.
#[test]
fn every_runbook_page_has_a_command_that_is_run() {
    for page in Page::all() {
        if page.name.starts_with("docs/alerts/jaas") || page.name.starts_with("docs/reasons/") {
            let blocks = page.blocks();
            let mut commands = blocks.iter().flat_map(|block| &block.commands);
            assert!(
                commands.any(|command| elsewhere::reason(command).is_none()),
                "{} tells nothing to type",
                page.name
            );
        }
    }
}
