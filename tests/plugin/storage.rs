//! The commands on the store, by a port-forward into the Pod that leads.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, SystemTime};

use jaas_storage::{Content, Key};
use jaas_tests::cluster::{Keys, Settings, Store};
use jaas_tests::controlplane::Identity;
use jaas_tests::environment;
use jaas_tests::s3::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Server, Software};
use jaas_tests::wait::eventually;
use serde_json::{Value, json};

use super::bench::{PATIENCE, document, exits, text};
use super::installed::Ward;

/// The operator itself changes nothing of the store that no reconcile needs, and what is left over is old at once.
pub(crate) const STILL: [&str; 7] = [
    "--storage-scrub-period=0",
    "--storage-check-interval=0",
    "--storage-orphan-interval=0",
    "--storage-sweep-interval=0",
    "--storage-sweep-max-tmp-age=60s",
    "--artifact-gc-grace=2s",
    "--max-withdraw-wait=2s",
];

pub(crate) async fn ward(replicas: u32) -> Ward {
    let args = STILL.iter().map(|arg| (*arg).to_owned()).collect();
    let ward = Ward::new(Settings { store: Store::Claim, admin: true, replicas, args, ..Settings::default() }).await;
    ward.publish(&[("a", "1"), ("b", "2")]).await;
    ward.ours().await;
    ward
}

impl Ward {
    async fn storage(&self, args: &[&str]) -> Output {
        self.operator(&[&["storage"], args].concat()).await
    }

    /// Waits until the operator knows that the store is its own.
    pub(crate) async fn ours(&self) {
        eventually("the store to be ours", PATIENCE, async || {
            let info = self.storage(&["info", "-o", "json"]).await;
            let told = document(&info)["store"]["info"].clone();
            let is_ours = told["guarded"].is_null() && told["owner"].as_str().is_some_and(|it| it.contains("this one"));
            if is_ours { Ok(()) } else { Err(format!("{told:#}\n{}", text(&info.stderr))) }
        })
        .await
        .unwrap();
    }

    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.installation.volume().join(path)
    }

    /// Writes a file of the store that is an hour old.
    pub(crate) fn plant(&self, path: &str, bytes: &[u8]) {
        let target = self.file(path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(&target, bytes).unwrap();
        let file = File::options().write(true).open(&target).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    }

    /// Path and bytes of an artifact that nobody announces.
    pub(crate) fn other(&self, name: &str, document: &str) -> (String, Vec<u8>) {
        let content = Content::document("rendered.json", document.as_bytes().to_vec());
        let path = Key::new(&self.namespace.name, name).unwrap().path(content.revision());
        (path, content.packed().unwrap().to_vec())
    }

    /// Path of what a snippet announces.
    pub(crate) async fn announced(&self, name: &str) -> String {
        let told = self.kubectl(&["get", "externalartifact", name, "-o", "jsonpath={.status.artifact.path}"]).await;
        exits(&told, 0);
        text(&told.stdout)
    }

    /// The revisions that a snippet's status keeps, the newest first.
    async fn history(&self, name: &str) -> Vec<String> {
        let told = self.kubectl(&["get", "jsonnetsnippet", name, "-o", "json"]).await;
        let history = document(&told)["status"]["history"].as_array().cloned().unwrap_or_default();
        history.iter().map(|it| it["revision"].as_str().unwrap().to_owned()).collect()
    }

    /// Path of everything in the store, as `storage ls` tells it.
    async fn paths(&self) -> Vec<String> {
        let listed = self.storage(&["ls", "-o", "json"]).await;
        exits(&listed, 0);
        let files = store(&listed)["files"].as_array().unwrap().clone();
        files.iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) fn store(output: &Output) -> Value {
    document(output)["store"].clone()
}

#[tokio::test]
async fn looks_come_by_the_admin_endpoint_and_damage_is_found_and_healed() {
    let ward = ward(1).await;
    let space = ward.storage(&["df", "-o", "json"]).await;
    exits(&space, 0);
    assert_eq!(store(&space)["road"], "admin", "{}", text(&space.stdout));
    assert!(store(&space)["space"]["freeBytes"].as_u64().is_some_and(|free| free > 0));
    let listed = ward.storage(&["ls"]).await;
    exits(&listed, 0);
    let told = text(&listed.stderr);
    assert!(told.contains("by their sizes; storage df and du count whole blocks"), "{told}");
    let uses = ward.storage(&["du", "-o", "json"]).await;
    exits(&uses, 0);
    let first = &store(&uses)["uses"][0];
    assert_eq!((&first["exists"], &first["current"]["files"]), (&json!(true), &json!(1)), "{first:#}");
    let proven = ward.storage(&["verify", "--all", "-o", "json"]).await;
    exits(&proven, 0);
    assert_eq!(document(&proven)["result"]["counts"]["ok"], 2);

    let path = ward.announced("a").await;
    fs::write(ward.file(&path), b"no tarball").unwrap();
    let damaged = ward.storage(&["verify", "--all"]).await;
    exits(&damaged, 4);
    assert!(text(&damaged.stdout).contains("A503"), "{}", text(&damaged.stdout));
    exits(&ward.storage(&["repair", "--all"]).await, 5);
    let planned = ward.storage(&["repair", "--all", "--dry-run=server", "-o", "json"]).await;
    exits(&planned, 0);
    assert_eq!(fs::read(ward.file(&path)).unwrap(), b"no tarball");
    let healed = ward.storage(&["repair", "--all", "--yes", "--reason", "INC-4711", "-o", "json"]).await;
    exits(&healed, 0);
    assert_eq!(store(&healed)["repairs"][0]["outcome"], "healed", "{}", text(&healed.stdout));
    exits(&ward.storage(&["verify", "--all"]).await, 0);
    assert!(ward.paths().await.iter().any(|it| it.starts_with(&format!("{path}.trash-"))), "it is kept for a look");
    let events = ward.kubectl(&["get", "events", "-o", "jsonpath={.items[*].reason} {.items[*].message}"]).await;
    let events =
        text(&events.stdout) + &text(&ward.kubectl(&["get", "events.v1.events.k8s.io", "-o", "json"]).await.stdout);
    assert!(events.contains("RepairedByHand") && events.contains("INC-4711"), "{events}");
    let again = ward.storage(&["repair", "--all", "--yes"]).await;
    exits(&again, 0);
    assert!(text(&again.stderr).contains("nothing is damaged"), "{}", text(&again.stderr));
}

#[tokio::test]
async fn prune_takes_what_nothing_holds_and_a_second_run_changes_nothing() {
    let ward = ward(1).await;
    let (beyond, bytes) = ward.other("a", "older");
    ward.plant(&beyond, &bytes);
    let current = ward.announced("a").await;
    let planned = ward.storage(&["prune", "--expired", "--all", "--dry-run=server", "-o", "json"]).await;
    exits(&planned, 0);
    assert_eq!(store(&planned)["prune"]["doomed"]["files"], 1, "{}", text(&planned.stdout));
    assert!(ward.file(&beyond).exists());
    exits(&ward.storage(&["prune", "--expired", "--all"]).await, 5);
    let done = ward.operator(&["prune", "--expired", "--all", "--yes", "-o", "json"]).await;
    exits(&done, 0);
    assert_eq!(store(&done)["prune"]["removed"]["files"], 1, "{}", text(&done.stdout));
    assert!(!ward.file(&beyond).exists() && ward.file(&current).exists());
    let again = ward.storage(&["prune", "--expired", "--all", "--yes", "-o", "json"]).await;
    exits(&again, 0);
    assert_eq!(store(&again)["prune"]["items"], json!([]));
}

#[tokio::test]
async fn a_shorter_history_is_written_first_and_only_then_do_its_files_go() {
    let ward = ward(1).await;
    for program in ["10", "11", "12"] {
        let mut snippet = ward.snippet("a", program);
        snippet["spec"]["history"] = json!(3);
        ward.plane.apply_objects(&[snippet]).await.unwrap();
        exits(&ward.jaas(&["wait", "ready", "a"]).await, 0);
    }
    let stored = async || ward.paths().await.iter().filter(|path| path.contains("/a/sha256-")).count();
    assert!(stored().await >= 3);
    let refused = ward.storage(&["prune", "a", "--keep", "1", "--yes"]).await;
    exits(&refused, 5);
    let words = format!("keep 1 of {}/a", ward.namespace.name);
    assert!(text(&refused.stderr).contains(&words), "{}", text(&refused.stderr));
    // A dry run names what would go, what is written, and who may take it back.
    let older: Vec<_> = ward.history("a").await.into_iter().skip(1).collect();
    let planned = ward.storage(&["prune", "a", "--keep", "1", "--dry-run"]).await;
    exits(&planned, 0);
    let shown = text(&planned.stdout);
    assert!(older.len() == 2 && older.iter().all(|it| shown.contains(&it["sha256:".len()..][..12])), "{shown}");
    let sets = format!("spec.history of {}/a from 3 to 1", ward.namespace.name);
    assert!(shown.contains(&format!("sets {sets}")) && shown.contains("no tool is seen to keep"), "{shown}");
    let kept =
        ward.storage(&["prune", "a", "--keep", "1", "--confirm", &words, "--reason", "INC-4711", "-o", "json"]).await;
    exits(&kept, 0);
    let message = document(&kept)["result"]["message"].as_str().unwrap().to_owned();
    // The first revision left the history before, and may be gone at the plan.
    let removed = store(&kept)["prune"]["removed"]["files"].as_u64().unwrap();
    assert!((2..=3).contains(&removed), "{}", text(&kept.stdout));
    assert!(message.starts_with(&format!("set {sets}; removed {removed} revisions, ")), "{message}");
    // Whoever of the two removed the files, an Event tells who wanted it and why.
    eventually("the event on the snippet", PATIENCE, async || {
        let told = text(&ward.kubectl(&["get", "events", "-o", "json"]).await.stdout);
        let events: Value = serde_json::from_str(&told).map_err(|error| error.to_string())?;
        let is_it = |it: &&Value| it["reason"] == "PrunedByHand" && it["involvedObject"]["name"] == "a";
        let found = events["items"].as_array().unwrap().iter().find(is_it).map(|it| it["message"].to_string());
        let done = format!("set spec.history from 3 to 1 and removed {removed} stored revisions");
        let is_whole = found.as_ref().is_some_and(|message| message.contains(&done) && message.contains("INC-4711"));
        if is_whole { Ok(()) } else { Err(format!("{found:?} {told}")) }
    })
    .await
    .unwrap();
    assert_eq!(stored().await, 1, "{}", text(&kept.stdout));
    let history = ward.kubectl(&["get", "jsonnetsnippet", "a", "-o", "jsonpath={.spec.history}"]).await;
    assert_eq!(text(&history.stdout), "1");
    exits(&ward.storage(&["verify", "a"]).await, 0);
    let again = ward.storage(&["prune", "a", "--keep", "1", "--confirm", &words]).await;
    exits(&again, 0);
    assert!(text(&again.stderr).contains("nothing to remove"), "{}", text(&again.stderr));
}

#[tokio::test]
async fn a_history_is_no_shorter_than_it_takes_until_enough_is_free() {
    let args = STILL.iter().copied().chain(["--storage-quota=1Mi"]).map(str::to_owned).collect();
    let ward = Ward::new(Settings { store: Store::Claim, admin: true, args, ..Settings::default() }).await;
    ward.publish(&[("a", "1")]).await;
    ward.ours().await;
    for program in ["10", "11", "12", "13"] {
        let mut snippet = ward.snippet("a", program);
        snippet["spec"]["history"] = json!(4);
        ward.plane.apply_objects(&[snippet]).await.unwrap();
        exits(&ward.jaas(&["wait", "ready", "a"]).await, 0);
    }
    // What is past its history goes by itself, and the room is the same from then on.
    let free = eventually("four revisions", PATIENCE, async || {
        let planned = ward.storage(&["prune", "a", "--keep", "4", "--dry-run", "-o", "json"]).await;
        let plan = store(&planned)["prune"].clone();
        let is_still = plan["snippets"][0]["stored"] == 4;
        if is_still { Ok(plan["freeBefore"].as_u64().unwrap()) } else { Err(text(&planned.stdout)) }
    })
    .await
    .unwrap();
    let until = (free + 1).to_string();
    let words = format!("keep 1 of {}/a", ward.namespace.name);
    let args = ["prune", "a", "--keep", "1", "--until-free", &until, "--confirm", &words, "-o", "json"];
    let pruned = ward.storage(&args).await;
    exits(&pruned, 0);
    // One of three is enough, so the other two stay as targets of a roll-back.
    assert_eq!(store(&pruned)["prune"]["histories"][0]["to"], 3, "{}", text(&pruned.stdout));
    let history = ward.kubectl(&["get", "jsonnetsnippet", "a", "-o", "jsonpath={.spec.history}"]).await;
    assert_eq!(text(&history.stdout), "3");
    assert_eq!(ward.history("a").await.len(), 3);
    exits(&ward.storage(&["verify", "a"]).await, 0);
}

#[tokio::test]
async fn left_overs_are_swept_once() {
    let ward = ward(1).await;
    let half = format!("{}/a/sha256-00.0011.tar.gz.tmp", ward.namespace.name);
    ward.plant(&half, b"half");
    let planned = ward.storage(&["sweep", "--dry-run", "-o", "json"]).await;
    exits(&planned, 0);
    assert_eq!(store(&planned)["sweep"]["due"]["files"], 1, "{}", text(&planned.stdout));
    exits(&ward.storage(&["sweep", "--older-than", "1s", "--yes"]).await, 5);
    exits(&ward.storage(&["sweep", "--multipart", "--yes"]).await, 5);
    assert!(ward.file(&half).exists());
    exits(&ward.storage(&["sweep", "--yes"]).await, 0);
    assert!(!ward.file(&half).exists());
    let again = ward.storage(&["sweep", "--yes"]).await;
    exits(&again, 0);
    assert!(text(&again.stderr).contains("nothing to sweep"), "{}", text(&again.stderr));
}

#[tokio::test]
async fn orphans_are_found_with_a_reason_and_go_only_by_the_very_words() {
    let ward = ward(1).await;
    let (orphan, bytes) = ward.other("gone", "old");
    ward.plant(&orphan, &bytes);
    let namespace = &ward.namespace.name;
    let source = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "name": "lone"});
    let lone = json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
        "metadata": {"namespace": namespace, "name": "lone"}, "spec": {"sourceRef": source}});
    ward.plane.apply_objects(&[lone]).await.unwrap();
    let find = async |flags: &[&str]| ward.operator(&[&["find-orphans", "--min-age", "0"], flags].concat()).await;
    let found = find(&["-o", "json"]).await;
    exits(&found, 4);
    let orphans = store(&found)["orphans"].clone();
    let groups: Vec<_> = orphans["groups"].as_array().unwrap().iter().map(|it| it["class"].clone()).collect();
    assert_eq!(groups, ["prefix", "external"], "{orphans:#}");
    let words = orphans["confirm"].as_str().unwrap();
    assert_eq!(words, format!("delete 2 in {namespace}"));
    // One file of three is more than a fifth of the store.
    for refused in [&["--confirm", words][..], &["--dry-run"]] {
        let refused = find(&[&["--delete"], refused].concat()).await;
        exits(&refused, 5);
        // Whoever is refused is told all that it takes to go on.
        let said = text(&refused.stderr);
        assert!(said.contains(&format!("add --max-delete 1 --confirm '{words}'")), "{said}");
    }
    let unsaid = find(&["--delete", "--max-delete", "5", "--yes"]).await;
    exits(&unsaid, 5);
    assert!(text(&unsaid.stderr).contains("--yes does not do "), "{}", text(&unsaid.stderr));
    let tried = find(&["--delete", "--max-delete", "5", "--dry-run=server"]).await;
    exits(&tried, 0);
    assert!(ward.file(&orphan).exists());
    exits(&ward.kubectl(&["get", "externalartifact", "lone"]).await, 0);
    let done = find(&["--delete", "--max-delete", "5", "--confirm", words, "-o", "json"]).await;
    exits(&done, 0);
    assert!(!ward.file(&orphan).exists(), "{}", text(&done.stdout));
    exits(&ward.kubectl(&["get", "externalartifact", "lone"]).await, 1);
    let events = ward.operator(&["events", "-A", "-o", "json"]).await;
    exits(&events, 0);
    let events = document(&events)["events"].as_array().cloned().unwrap_or_default();
    let is_it = |it: &&serde_json::Value| {
        it["reason"] == "OrphansDeletedByHand" && it["namespace"] == namespace.as_str() && it["kind"] == "Deployment"
    };
    assert_eq!(events.iter().filter(is_it).count(), 1, "{events:#?}");
    exits(&find(&["--delete"]).await, 0);
    assert!(ward.file(&ward.announced("a").await).exists());
}

#[tokio::test]
async fn bytes_come_by_a_port_forward_and_a_doctor_sees_into_the_store() {
    let ward = ward(2).await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.tar.gz");
    let fetched = ward.storage(&["fetch", "a", "-O", target.to_str().unwrap(), "-o", "json"]).await;
    exits(&fetched, 0);
    assert_eq!(store(&fetched)["road"], "port-forward");
    assert_eq!(fs::read(&target).unwrap(), fs::read(ward.file(&ward.announced("a").await)).unwrap());
    let shown = ward.storage(&["fetch", "a", "--cat", "rendered.json"]).await;
    assert_eq!(text(&shown.stdout).trim(), "1");

    let (beyond, bytes) = ward.other("a", "older");
    ward.plant(&beyond, &bytes);
    let looked = ward.operator(&["storage", "doctor", "--depth", "full", "-o", "json"]).await;
    let document = document(&looked);
    let checks = document["diagnosis"]["checks"].as_array().unwrap();
    let state = |code: &str| checks.iter().find(|check| check["code"] == code).unwrap()["state"].clone();
    for code in ["A501", "A503", "A504", "G603", "N301", "S401", "S403", "S413"] {
        assert_eq!(state(code), "ok", "{code}: {:#}", checks.iter().find(|check| check["code"] == code).unwrap());
    }
    // What the operator should have removed by itself counts after five minutes, and this one is an hour old.
    assert_eq!(state("G601"), "finding");
}

#[tokio::test]
async fn a_replica_that_does_not_lead_names_who_does_and_the_way_goes_on_there() {
    let ward = ward(2).await;
    let standby = ward.installation.standbys().await.unwrap().remove(0);
    let address = format!("http://{}", standby.address(jaas_tests::cluster::ADMIN).unwrap());
    let (beyond, bytes) = ward.other("a", "older");
    ward.plant(&beyond, &bytes);
    let prune = ["prune", "--expired", "--all", "--yes"];
    let elsewhere = ward.storage(&[&prune[..], &["--admin-address", &address]].concat()).await;
    exits(&elsewhere, 3);
    let leader = ward.installation.leader().await.unwrap().name.clone();
    assert!(text(&elsewhere.stderr).contains(&leader), "{}", text(&elsewhere.stderr));
    assert!(ward.file(&beyond).exists());
    // Whoever cannot see the Lease begins anywhere. Of two terms with two leaders, one begins at the wrong Pod.
    for _ in 0..2 {
        ward.plant(&beyond, &bytes);
        let done = ward.storage(&[&prune[..], &["--lease", "nobody"]].concat()).await;
        exits(&done, 0);
        assert!(!ward.file(&beyond).exists(), "{}", text(&done.stderr));
        let before = ward.installation.leader().await.unwrap().name.clone();
        exits(&ward.operator(&["force-handover", "--yes"]).await, 0);
        eventually("the other one to know that the store is its own", PATIENCE, async || {
            let leader = ward.installation.leader().await.map_err(|error| format!("{error:#}"))?;
            let tried = ward.storage(&["prune", "--expired", "--all", "--dry-run=server"]).await;
            if leader.name != before && tried.status.success() { Ok(()) } else { Err(text(&tried.stderr)) }
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn a_bucket_is_looked_at_with_ones_own_keys_and_never_changed_by_that_road() {
    let server = Server::start(Software::Minio).await.unwrap();
    let args = [
        format!("--s3-endpoint={}", server.endpoint()),
        format!("--s3-bucket={BUCKET}"),
        format!("--s3-region={REGION}"),
        "--s3-prefix=jaas".to_owned(),
        "--s3-use-ssl=false".to_owned(),
        format!("--s3-access-key={ACCESS_KEY}"),
        format!("--s3-secret-key={SECRET_KEY}"),
    ];
    let store = Store::Bucket(args.into(), Keys::Arguments);
    let ward = Ward::new(Settings { store, ..Settings::default() }).await;
    ward.publish(&[("a", "1"), ("b", "2")]).await;
    let with_keys = async |keys: bool, args: &[&str]| {
        let plugin = environment::value(environment::PLUGIN).unwrap();
        let mut command = std::process::Command::new(plugin);
        command.args(args).args(["-n", &ward.namespace.name, "--operator-namespace", &ward.namespace.name]);
        command.env("KUBECONFIG", ward.plane.kubeconfig(&Identity::Admin).unwrap()).env("NO_COLOR", "1");
        command.env("HOME", "/nowhere").env("AWS_EC2_METADATA_DISABLED", "true");
        if keys {
            command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        }
        tokio::task::spawn_blocking(move || command.stdin(std::process::Stdio::null()).output().unwrap()).await.unwrap()
    };
    // Without an endpoint, the first road that lists is the bucket.
    for line in ["ls", "df", "du", "find-orphans"] {
        let looked = with_keys(true, &["storage", line, "-o", "json"]).await;
        exits(&looked, 0);
        assert_eq!(self::store(&looked)["road"], "s3", "{line}: {}", text(&looked.stdout));
    }
    let proven = with_keys(true, &["storage", "verify", "--all", "--route", "s3", "-o", "json"]).await;
    exits(&proven, 0);
    assert_eq!(document(&proven)["result"]["counts"]["ok"], 2);
    let shown = with_keys(true, &["storage", "fetch", "a", "--cat", "rendered.json", "--route", "s3"]).await;
    assert_eq!(text(&shown.stdout).trim(), "1");
    let refused = with_keys(true, &["storage", "prune", "--expired", "--all", "--yes", "--route", "s3"]).await;
    exits(&refused, 3);
    assert!(text(&refused.stderr).contains("changes go through the leader"), "{}", text(&refused.stderr));
    let blind = with_keys(false, &["storage", "ls", "--route", "s3"]).await;
    assert!([3, 7].contains(&super::bench::code(&blind)), "{}", text(&blind.stderr));
    assert!(text(&blind.stderr).contains("your own keys are used"), "{}", text(&blind.stderr));
    let looked = with_keys(true, &["storage", "doctor", "--route", "s3", "-o", "json"]).await;
    let document = document(&looked);
    let checks = document["diagnosis"]["checks"].as_array().unwrap();
    let state = |code: &str| checks.iter().find(|check| check["code"] == code).unwrap()["state"].clone();
    for code in ["A501", "C210", "G603", "G607", "S409"] {
        assert_eq!(state(code), "ok", "{code}: {:#}", checks.iter().find(|check| check["code"] == code).unwrap());
    }
}

#[tokio::test]
async fn whoever_lacks_a_right_is_told_the_rule_and_nothing_is_done() {
    let ward = ward(1).await;
    let look = ward.operator(&["storage", "ls", "--admin-account", &format!("{}/tenant", ward.namespace.name)]).await;
    exits(&look, 7);
    assert!(text(&look.stderr).contains("jsonnetsnippets/storage"), "{}", text(&look.stderr));
    let nobody = ward.operator(&["storage", "ls", "--admin-account", "default/nobody"]).await;
    exits(&nobody, 3);
    assert!(text(&nobody.stderr).contains("there is no ServiceAccount default/nobody"), "{}", text(&nobody.stderr));
}
