//! What is left in a store: halves of writes, files of snippets that are gone, uploads that nobody finished, damaged files.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use jaas_storage::store::Store as _;
use jaas_tests::cluster::{Settings, Store};
use jaas_tests::kubectl::text;
use jaas_tests::network;
use jaas_tests::s3::{Server, Software};
use jaas_tests::wait::{self, eventually};
use serde_json::{Value, json};

use super::bed::{Bed, PATIENCE, opened};

const DAY: Duration = Duration::from_secs(86_400);
/// A file that nothing names is old enough soon.
const SOON: [&str; 2] = ["--max-withdraw-wait=1s", "--artifact-gc-grace=1s"];

fn args(args: &[&str]) -> Vec<String> {
    args.iter().map(|it| (*it).to_owned()).collect()
}

/// Makes a file look as if it had been written so long ago.
fn age(path: &Path, age: Duration) {
    File::options().write(true).open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

#[tokio::test]
async fn halves_of_writes_are_found_and_swept() {
    let bed = Bed::on_volume(Settings { args: args(&["--storage-sweep-interval=0"]), ..Settings::default() }).await;
    let current = bed.installation.volume().join(bed.path("a").await);
    let half = current.with_file_name(format!("sha256-{}.0011.tar.gz.tmp", "0".repeat(64)));
    fs::write(&half, "half").unwrap();
    age(&half, 2 * DAY);
    let found = bed.finds(&["storage", "doctor"], "G603", "warning").await;
    found.proposes("G603", "kubectl jaas storage sweep");
    bed.operator(&["storage", "sweep", "--dry-run"], 0).await;
    assert!(half.exists());
    bed.row("kubectl jaas storage sweep", &["--yes"], 0).await;
    assert!(!half.exists() && current.exists());
    bed.operator(&["storage", "sweep", "--yes"], 0).await;
    let found = bed.is_well().await;
    assert!(found.get("G603").is_none(), "{:?}", found.codes());
}

#[tokio::test]
async fn an_operator_sweeps_by_itself_when_it_starts() {
    let bed = Bed::on_volume(Settings::default()).await;
    let current = bed.installation.volume().join(bed.path("a").await);
    let half = current.with_file_name(format!("sha256-{}.0011.tar.gz.tmp", "0".repeat(64)));
    fs::write(&half, "half").unwrap();
    age(&half, 2 * DAY);
    bed.forget().await;
    eventually("the end of the half", PATIENCE, async || (!half.exists()).then_some(())).await.unwrap();
    let swept = bed.row("kubectl jaas storage sweep", &["--yes", "-o", "json"], 0).await;
    assert!(swept.contains("nothing to sweep"), "{swept}");
}

#[tokio::test]
async fn a_sweep_that_fails_is_told() {
    let bed = Bed::on_volume(Settings { args: args(&["--storage-sweep-interval=1s"]), ..Settings::default() }).await;
    bed.is_well().await;
    let folder = bed.installation.volume().join(&bed.namespace.name).join("closed");
    fs::create_dir(&folder).unwrap();
    // Of another user, whom the operator, root of its own user namespace only, may not overrule.
    std::os::unix::fs::chown(&folder, Some(65_532), Some(65_532)).unwrap();
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    bed.row_finds("kubectl jaas storage doctor", "G609", "error").await;
    fs::remove_dir(&folder).unwrap();
}

/// Ends the operator, then the snippet, whose finalizer is stripped by hand so that nobody cleans up after it.
async fn strip(bed: &mut Bed, name: &str) {
    bed.installation.upgrade(|settings| settings.replicas = 0).await.unwrap();
    bed.patch(name, json!({"metadata": {"finalizers": null}})).await;
    bed.snippets().delete(name, &kube::api::DeleteParams::default()).await.unwrap();
    wait::gone(&bed.snippets(), name, PATIENCE).await.unwrap();
    wait::gone(&bed.artifacts(), name, PATIENCE).await.unwrap();
    bed.installation.upgrade(|settings| settings.replicas = 1).await.unwrap();
}

#[tokio::test]
async fn files_of_a_snippet_whose_finalizer_was_stripped_are_found_and_removed() {
    let mut bed = Bed::on_volume(Settings { args: args(&SOON), ..Settings::default() }).await;
    let file = bed.installation.volume().join(bed.path("b").await);
    strip(&mut bed, "b").await;
    age(&file, 2 * DAY);
    let found = async || {
        let output = bed.everywhere(&["storage", "doctor", "-o", "json"]).await;
        let document = jaas_tests::kubectl::document(&output).map_err(|error| format!("{error:#}"))?;
        let findings = document["diagnosis"]["findings"].as_array().cloned().unwrap_or_default();
        let orphans = findings.iter().find(|finding| finding["code"] == "G604").cloned();
        orphans.ok_or_else(|| Value::from(findings).to_string())
    };
    let orphans = eventually("the orphan", PATIENCE, found).await.unwrap();
    assert_eq!(orphans["severity"], "warning");
    assert!(orphans.to_string().contains(&bed.namespace.name), "{orphans:#}");
    bed.operator(&["storage", "find-orphans"], 4).await;
    bed.row_confirmed("kubectl jaas storage find-orphans --delete", &["--max-delete", "1"]).await;
    assert!(!file.exists());
    assert!(bed.installation.volume().join(bed.path("a").await).exists());
    bed.operator(&["storage", "find-orphans"], 0).await;
}

#[tokio::test]
async fn a_snippet_that_was_let_go_while_the_store_was_away_leaves_a_trace_and_its_files_are_removed() {
    network::join().unwrap();
    let mut server = Server::start(Software::Versitygw).await.unwrap();
    let bed = Bed::on_bucket(&server, Settings { args: args(&SOON), ..Settings::default() }).await;
    let object = server.bucket_directory().join(bed.path("b").await);
    server.stop().await.unwrap();
    bed.snippets().delete("b", &kube::api::DeleteParams::default()).await.unwrap();
    wait::gone(&bed.snippets(), "b", PATIENCE).await.unwrap();
    let told = async || {
        let events = bed.exits(&["events", "b"], 0).await;
        if events.contains("WithdrawForced") { Ok(()) } else { Err(events) }
    };
    eventually("the event", PATIENCE, told).await.unwrap();
    server.restart().await.unwrap();
    assert!(object.exists(), "nobody was left to remove it");
    let found = async || {
        let found = bed.doctor(&["doctor"]).await;
        found.get("G608").cloned().ok_or_else(|| format!("{:?}", found.codes()))
    };
    eventually("the finding", PATIENCE, found).await.unwrap();
    // Until it is old enough for the operator, too.
    let due = async || {
        let orphans = ["storage", "find-orphans", "--from-events", "--min-age", "2s"];
        let output = bed.jaas(&[&orphans[..], &["--operator-namespace", &bed.namespace.name]].concat()).await;
        if output.status.code() == Some(4) { Ok(()) } else { Err(text(&output.stdout) + &text(&output.stderr)) }
    };
    eventually("the orphan", PATIENCE, due).await.unwrap();
    let command = ["--min-age", "2s", "-o", "json"];
    let listed = bed.row("kubectl jaas storage find-orphans --from-events", &command, 4).await;
    assert!(listed.contains("prefix"), "{listed}");
    let delete = ["storage", "find-orphans", "--from-events", "--min-age", "2s", "--delete", "--max-delete", "1"];
    bed.confirmed(&delete).await;
    assert!(!object.exists());
}

#[tokio::test]
async fn uploads_that_nobody_finished_are_found_and_swept() {
    network::join().unwrap();
    let server = Server::start(Software::Versitygw).await.unwrap();
    let bed =
        Bed::on_bucket(&server, Settings { args: args(&["--storage-sweep-interval=0"]), ..Settings::default() }).await;
    let store = opened(&server).await;
    let (artifact, backup) = (format!("a/sha256-{}.tar.gz", "0".repeat(64)), "a/backup.dump".to_owned());
    for path in [&artifact, &backup] {
        store.begin_upload(&format!("{}/{path}", bed.namespace.name)).await;
    }
    // The server keeps an upload as a folder, whose time is when it began.
    let folder = server.bucket_directory().join(".sgwtmp");
    let aged = Command::new("find").arg(&folder).args(["-exec", "touch", "-d", "2 days ago", "{}", "+"]).status();
    assert!(aged.unwrap().success(), "{}", folder.display());
    bed.finds(&["storage", "doctor"], "G607", "warning").await;
    bed.row("kubectl jaas storage sweep --multipart", &["--yes"], 0).await;
    assert_eq!(store.uploads().await.unwrap().len(), 0);
    let left = store.begun_by_anybody().await;
    assert!(left.len() == 1 && left[0].ends_with(&backup), "another program's upload goes on: {left:?}");
    let found = bed.is_well().await;
    assert!(found.get("G607").is_none(), "{:?}", found.codes());
}

#[tokio::test]
async fn a_damaged_file_is_found_and_rendered_again() {
    // The operator reads nothing by itself, and nobody fetches, so the command is what repairs it.
    let args = args(&["--storage-scrub-period=0", "--storage-check-interval=0"]);
    let bed = Bed::on_volume(Settings { args, ..Settings::default() }).await;
    let path = bed.path("a").await;
    let file = bed.installation.volume().join(&path);
    let right = fs::read(&file).unwrap();
    let mut wrong = right.clone();
    wrong.reverse();
    fs::write(&file, &wrong).unwrap();
    bed.finds(&["storage", "doctor", "--depth", "full", "--route", "admin"], "A503", "critical").await;
    assert_eq!(fs::read(&file).unwrap(), wrong);
    let healed = bed.row("kubectl jaas storage repair --all", &["--yes", "-o", "json"], 0).await;
    let healed: Value = serde_json::from_str(&healed).unwrap();
    assert_eq!(healed["store"]["repairs"][0]["outcome"], "healed", "{healed:#}");
    bed.is_well().await;
    assert_eq!(fs::read(&file).unwrap(), right);
}

#[tokio::test]
async fn retained_revisions_beyond_what_is_kept_are_pruned_and_the_current_one_stays() {
    let bed =
        Bed::new(Settings { store: Store::Claim, args: args(&["--artifact-gc-grace=1h"]), ..Settings::default() })
            .await;
    bed.write(&[("a", "1")]).await;
    bed.patch("a", json!({"spec": {"history": 5}})).await;
    for program in ["1", "2", "3"] {
        bed.publish(&[("a", program)]).await;
    }
    let folder = bed.installation.volume().join(&bed.namespace.name).join("a");
    let files = || fs::read_dir(&folder).unwrap().count();
    assert_eq!(files(), 3);
    bed.operator(&["storage", "prune", "a", "--expired", "--yes"], 0).await;
    assert_eq!(files(), 3, "the history holds them");
    bed.row("kubectl jaas storage prune --beyond-keep --all", &["--yes"], 0).await;
    assert_eq!(files(), 3, "the history holds them all the same");
    // A shorter history retires them, and only their grace is left to hold them.
    bed.patch("a", json!({"spec": {"history": 1}})).await;
    bed.operator(&["wait", "ready", "a"], 0).await;
    assert_eq!(files(), 3, "their grace holds them");
    bed.row("kubectl jaas storage prune --beyond-keep --all", &["--yes"], 0).await;
    assert_eq!(files(), 1);
    let listed = bed.operator(&["storage", "ls", "a"], 0).await;
    assert!(listed.contains("sha256"), "{listed}");
    bed.row("kubectl jaas storage verify --all", &[], 0).await;
    bed.row("kubectl jaas storage fetch web -n team-a -O web.tar.gz", &[], 0).await;
    bed.is_well().await;
}
