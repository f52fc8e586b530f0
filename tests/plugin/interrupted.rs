//! A change of the store that somebody interrupts: it stops, tells what is done and how to go on, and a second run finishes it.
//!
//! A proxy stands before the admin endpoint, or before the object store, and holds what is under way until the signal was heard, so
//! that it falls in the middle however slow the machine is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

use jaas_storage::{S3Credentials, S3Options, S3Store};
use jaas_tests::apiproxy::{self, Act, Arrivals, Call, Held, Moment, Proxy};
use jaas_tests::cluster::{ADMIN, Keys, Settings, Store};
use jaas_tests::controlplane::Identity;
use jaas_tests::s3::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Server, Software};
use jaas_tests::wait::eventually;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use super::bench::{PATIENCE, document, exits, plugin_folder, text};
use super::installed::Ward;
use super::storage::{store, ward};

/// What the plugin says when it heard the signal.
const HEARD: &str = "stopping: waiting up to 5 s for what is under way";
/// More than the plugin asks for at once, three times.
const FILES: usize = 250;
/// Files of one request.
const PART: usize = 100;

/// A run of the plugin under kubectl, whose words are read as they come.
struct Run {
    child: Child,
    said: tokio::io::Lines<BufReader<tokio::process::ChildStderr>>,
    words: String,
}

impl Run {
    fn start(ward: &Ward, args: &[&str]) -> Self {
        let place = ["-n", &ward.namespace.name, "--operator-namespace", &ward.namespace.name];
        let args = [&["jaas"], args, &place].concat();
        let command = jaas_tests::kubectl::command(ward.plane, &Identity::Admin, &args, &plugin_folder()).unwrap();
        let mut command = tokio::process::Command::from(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, said, words: String::new() }
    }

    /// What Ctrl-C does. Returns when the plugin says that it heard.
    async fn interrupt(&mut self) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
        let heard = async {
            while !self.words.contains(HEARD) {
                let line = self.said.next_line().await.unwrap();
                self.words.push_str(&line.unwrap_or_else(|| panic!("it ended: {}", self.words)));
                self.words.push('\n');
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.unwrap();
    }

    /// Waits for the end: what it printed, all that it said, and its exit code.
    async fn end(mut self) -> Output {
        let rest = async {
            while let Ok(Some(line)) = self.said.next_line().await {
                self.words.push_str(&line);
                self.words.push('\n');
            }
        };
        // Whoever does not read keeps the other from writing.
        let (output, ()) = tokio::join!(self.child.wait_with_output(), rest);
        Output { stderr: self.words.into_bytes(), ..output.unwrap() }
    }
}

fn acts(call: &Call) -> bool {
    call.path.ends_with("/storage/actions")
}

async fn arrival(arrivals: &mut Arrivals) -> Held {
    tokio::time::timeout(PATIENCE, arrivals.next()).await.unwrap().unwrap()
}

/// A way to the admin endpoint of the only Pod.
async fn before_admin(ward: &Ward) -> Proxy {
    let address = ward.installation.pod().unwrap().address(ADMIN).unwrap();
    Proxy::to_http(&address.to_string()).await.unwrap()
}

/// Every file below a folder, with its size and time.
fn tree(folder: &Path) -> BTreeMap<String, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            let (path, about) = (entry.path(), entry.metadata().unwrap());
            match about.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(path.display().to_string(), (about.len(), about.modified().unwrap()))),
            }
        }
    }
    found
}

/// Many revisions that nobody announces, an hour old.
fn plant(ward: &Ward, name: &str) -> Vec<String> {
    let plant = |n: usize| {
        let (path, bytes) = ward.other(name, &n.to_string());
        ward.plant(&path, &bytes);
        path
    };
    (100..100 + FILES).map(plant).collect()
}

fn left(ward: &Ward, planted: &[String]) -> usize {
    planted.iter().filter(|path| ward.file(path).exists()).count()
}

/// Waits until the operator has done a whole request, whatever its client got to know of it.
async fn first_part_gone(ward: &Ward, planted: &[String]) {
    eventually("the end of the first request", PATIENCE, async || {
        let left = left(ward, planted);
        if left == FILES - PART { Ok(()) } else { Err(left) }
    })
    .await
    .unwrap();
}

/// Outcomes in a report, counted.
fn outcomes(items: &Value) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for item in items.as_array().unwrap() {
        *counts.entry(item["outcome"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn a_prune_ends_with_the_request_that_is_under_way_and_the_next_run_finishes_it() {
    let ward = ward(1).await;
    let before = tree(&ward.installation.volume());
    let planted = plant(&ward, "a");
    let proxy = before_admin(&ward).await;
    let mut arrivals = proxy.stop_in_answer(30, acts);
    let url = proxy.url();
    let prune = ["storage", "prune", "--expired", "--all", "--yes", "--admin-address", &url, "-o", "json"];
    let mut run = Run::start(&ward, &prune);
    let held = arrival(&mut arrivals).await;
    first_part_gone(&ward, &planted).await;
    run.interrupt().await;
    held.release();
    let stopped = run.end().await;
    exits(&stopped, 130);
    let told = store(&stopped)["prune"].clone();
    assert_eq!((&told["removed"]["files"], left(&ward, &planted)), (&json!(PART), FILES - PART), "{told:#}");
    let result = document(&stopped)["result"].clone();
    assert!(result["message"].as_str().unwrap().starts_with("removed 100 revisions"), "{result}");
    let hint = result["hint"].as_str().unwrap();
    assert!(
        hint.contains("what is done stays done; to go on: kubectl jaas storage prune --expired --all --yes"),
        "{hint}"
    );

    let finished = ward.operator(&prune).await;
    exits(&finished, 0);
    assert_eq!(store(&finished)["prune"]["removed"]["files"], FILES - PART);
    assert_eq!(tree(&ward.installation.volume()), before, "nothing else went, and nothing was written");
    proxy.forget_calls();
    let third = ward.operator(&prune).await;
    exits(&third, 0);
    assert!(text(&third.stderr).contains("nothing to remove"), "{}", text(&third.stderr));
    assert!(!proxy.calls().iter().any(acts), "nothing was asked for");
    assert_eq!(tree(&ward.installation.volume()), before);
}

#[tokio::test]
async fn orphans_whose_end_nobody_told_may_be_gone_and_the_next_run_finishes() {
    let ward = ward(1).await;
    let before = tree(&ward.installation.volume());
    let planted = plant(&ward, "gone");
    let proxy = before_admin(&ward).await;
    let mut arrivals = proxy.stop_in_answer(30, acts);
    let url = proxy.url();
    let find = ["find-orphans", "--min-age", "0", "--delete", "--max-delete", "1000", "--admin-address", &url];
    let words = |count: usize| format!("delete {count} in {}", ward.namespace.name);
    let all = words(FILES);
    let mut run = Run::start(&ward, &[&find[..], &["--confirm", &all, "-o", "json"]].concat());
    let held = arrival(&mut arrivals).await;
    first_part_gone(&ward, &planted).await;
    run.interrupt().await;
    // The rest of the answer never comes.
    let stopped = run.end().await;
    drop(held);
    exits(&stopped, 130);
    let items = store(&stopped)["orphans"]["items"].clone();
    assert_eq!(outcomes(&items), BTreeMap::from([("removed".to_owned(), 30)]));
    let result = document(&stopped)["result"].clone();
    let message = result["message"].as_str().unwrap();
    assert!(message.contains("; 70 asked for without an answer, so they may be gone"), "{message}");
    let hint = result["hint"].as_str().unwrap();
    assert!(hint.contains("kubectl jaas storage find-orphans --delete --dry-run"), "{hint}");
    assert_eq!(left(&ward, &planted), FILES - PART);

    // The old words do not fit what is left, and the refusal shows those that do.
    let refused = ward.operator(&[&find[..], &["--confirm", &all]].concat()).await;
    exits(&refused, 5);
    let rest = words(FILES - PART);
    assert!(text(&refused.stderr).contains(&rest), "{}", text(&refused.stderr));
    let finished = ward.operator(&[&find[..], &["--confirm", &rest]].concat()).await;
    exits(&finished, 0);
    assert_eq!(tree(&ward.installation.volume()), before, "nothing else went, and nothing was written");
    proxy.forget_calls();
    let third = ward.operator(&[&find[..], &["--confirm", &rest]].concat()).await;
    exits(&third, 0);
    assert!(text(&third.stderr).contains("no orphans"), "{}", text(&third.stderr));
    assert!(!proxy.calls().iter().any(acts));
    assert_eq!(tree(&ward.installation.volume()), before);
}

#[tokio::test]
async fn a_repair_leaves_the_rest_as_it_was_and_the_next_run_finishes_it() {
    let ward = ward(1).await;
    let names: Vec<_> = (0..60).map(|n| format!("n{n:02}")).collect();
    let sources: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    let snippets: Vec<_> = names.iter().zip(&sources).map(|(name, it)| (name.as_str(), it.as_str())).collect();
    ward.publish(&snippets).await;
    let mut right = BTreeMap::new();
    for name in &names {
        let file = ward.file(&ward.announced(name).await);
        let bytes = fs::read(&file).unwrap();
        // Of the same size, so that only whoever reads it finds out.
        fs::write(&file, bytes.iter().rev().copied().collect::<Vec<_>>()).unwrap();
        right.insert(file, bytes);
    }
    let damaged = || {
        let is_damaged = |(file, right): &(&std::path::PathBuf, &Vec<u8>)| {
            fs::read(file).is_ok_and(|it| it.iter().rev().eq(right.iter()))
        };
        right.iter().filter(is_damaged).count()
    };
    let proxy = before_admin(&ward).await;
    let url = proxy.url();
    let repair = ["storage", "repair", "--all", "--yes", "--admin-address", &url, "-o", "json"];
    // One request for each file. The first time not even the first arrives; the second time the third is on its way.
    for (nth, arrives) in [(1, false), (3, true)] {
        let mut arrivals = proxy.stop_nth(nth, Moment::BeforeSending, acts);
        let mut run = Run::start(&ward, &repair);
        let held = arrival(&mut arrivals).await;
        run.interrupt().await;
        let stopped = run.end().await;
        exits(&stopped, 130);
        let told = outcomes(&store(&stopped)["repairs"]);
        let expected = [("failed", 1), ("healed", nth - 1), ("skipped", names.len() - nth)];
        let expected = expected.into_iter().filter(|(_, count)| *count > 0);
        assert_eq!(told, expected.map(|(word, count)| (word.to_owned(), count)).collect());
        let hint = document(&stopped)["result"]["hint"].clone();
        assert!(hint.as_str().unwrap().contains("to go on: kubectl jaas storage repair --all --yes"), "{hint}");
        if arrives {
            // After its sender has gone. Meanwhile the operator has missed a file, and looks for all others by itself.
            held.release();
        } else {
            drop(held);
            assert_eq!(damaged(), names.len(), "nothing was done");
        }
    }

    let finished = ward.operator(&repair).await;
    exits(&finished, 0);
    eventually("all of them", PATIENCE, async || {
        let wrong = right.iter().filter(|(file, bytes)| fs::read(file).ok().as_ref() != Some(*bytes)).count();
        if wrong == 0 { Ok(()) } else { Err(format!("{wrong} are not right")) }
    })
    .await
    .unwrap();
    let before = tree(&ward.installation.volume());
    proxy.forget_calls();
    let third = ward.operator(&repair).await;
    exits(&third, 0);
    assert!(text(&third.stderr).contains("nothing is damaged"), "{}", text(&third.stderr));
    assert!(!proxy.calls().iter().any(acts));
    assert_eq!(tree(&ward.installation.volume()), before);
}

#[tokio::test]
async fn a_sweep_that_was_cut_short_in_the_object_store_is_finished_by_the_next_run() {
    let server = Server::start(Software::Versitygw).await.unwrap();
    let proxy = Proxy::to_http(&server.endpoint()).await.unwrap();
    let args = [
        format!("--s3-endpoint={}", proxy.endpoint()),
        format!("--s3-bucket={BUCKET}"),
        format!("--s3-region={REGION}"),
        "--s3-use-ssl=false".to_owned(),
        format!("--s3-access-key={ACCESS_KEY}"),
        format!("--s3-secret-key={SECRET_KEY}"),
    ];
    let still = super::storage::STILL.iter().map(|arg| (*arg).to_owned()).collect();
    let place = Store::Bucket(args.into(), Keys::Arguments);
    let ward = Ward::new(Settings { store: place, admin: true, args: still, ..Settings::default() }).await;
    ward.publish(&[("a", "1"), ("b", "2")]).await;
    ward.ours().await;
    let credentials = S3Credentials::Static {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        session_token: None,
    };
    let region = Some(REGION.to_owned());
    let options = S3Options { use_ssl: false, region, credentials, ..S3Options::new(server.endpoint(), BUCKET) };
    let bucket = S3Store::open(options).await.unwrap();
    let uploads = async || jaas_storage::store::Store::uploads(&bucket).await.unwrap().len();
    for n in 0..FILES {
        bucket.begin_upload(&format!("{}/a/sha256-{n:064}.tar.gz", ward.namespace.name)).await;
    }
    let old = Command::new("find")
        .arg(server.bucket_directory().join(".sgwtmp"))
        .args(["-exec", "touch", "-d", "2 days ago", "{}", "+"])
        .status();
    assert!(old.unwrap().success());
    assert_eq!(uploads().await, FILES);

    // The store hangs after a part, for every request of the kind, and is away in the end.
    let (gate, mut arrivals) = apiproxy::gate();
    let mut passed = 0;
    proxy.rule(move |call| {
        let aborts = call.method == "DELETE";
        passed += usize::from(aborts);
        if aborts && passed > PART { Act::Stop(Moment::BeforeSending, gate.clone()) } else { Act::Pass }
    });
    let sweep = ["storage", "sweep", "--yes", "-o", "json"];
    let mut run = Run::start(&ward, &sweep);
    let held = arrival(&mut arrivals).await;
    run.interrupt().await;
    let stopped = run.end().await;
    exits(&stopped, 130);
    let result = document(&stopped)["result"].clone();
    assert!(result["message"].as_str().unwrap().contains("some or all left-over files may be gone"), "{result}");
    assert!(result["hint"].as_str().unwrap().contains("to go on: kubectl jaas storage sweep --yes"), "{result}");
    drop((held, arrivals));
    eventually("the end of the sweep", PATIENCE, async || {
        let log = ward.installation.pod().unwrap().log();
        if log.contains("The change of the store ended") { Ok(()) } else { Err(log) }
    })
    .await
    .unwrap();
    let rest = uploads().await;
    assert!(rest > 0 && rest < FILES, "{rest} of {FILES} are left");

    proxy.no_rule();
    ward.ours().await;
    let finished = ward.operator(&sweep).await;
    exits(&finished, 0);
    assert_eq!((store(&finished)["sweep"]["removed"].clone(), uploads().await), (json!(rest), 0));
    let before = tree(&server.bucket_directory());
    let third = ward.operator(&sweep).await;
    exits(&third, 0);
    assert!(text(&third.stderr).contains("nothing to sweep"), "{}", text(&third.stderr));
    assert_eq!(tree(&server.bucket_directory()), before);
    exits(&ward.operator(&["storage", "verify", "--all"]).await, 0);
}
