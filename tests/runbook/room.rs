//! Volumes without room, or that take no writes, and artifacts that are too large.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use jaas_storage::{Content, Key};

use jaas_tests::cluster::{self, Settings, Store};
use serde_json::json;

use super::bed::{Bed, holds, noise};

/// A small file system in memory, gone with the value.
struct Volume(PathBuf);

impl Volume {
    async fn mount(name: &str, options: &str) -> Self {
        let path = cluster::plane_in_network().await.unwrap().work().join(format!("volume-{name}"));
        fs::create_dir_all(&path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "jaas-test"]).arg(&path).status();
        assert!(mounted.unwrap().success(), "mounting a tmpfs needs root (CAP_SYS_ADMIN)");
        Self(path)
    }

    fn remount(&self, option: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,{option}")]).arg(&self.0).status().unwrap();
        assert!(done.success());
    }

    async fn bed(&self, args: &[&str]) -> Bed {
        let args = args.iter().map(|it| (*it).to_owned()).collect();
        Bed::on_volume(Settings { volume: Some(self.0.clone()), args, ..Settings::default() }).await
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // A process that is still at its end may hold it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A stored revision of `a` that nothing names any more, and is old.
async fn expired(bed: &Bed) -> PathBuf {
    let content = Content::document("rendered.json", b"long ago".to_vec());
    let path = Key::new(&bed.namespace.name, "a").unwrap().path(content.revision());
    let file = bed.installation.volume().join(path);
    fs::write(&file, content.packed().unwrap()).unwrap();
    File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_modified(SystemTime::now() - Duration::from_secs(86_400))
        .unwrap();
    file
}

/// Writes until not even a byte fits.
fn fill(directory: &Path) -> PathBuf {
    let filler = directory.join("filler");
    let mut bytes = Vec::new();
    let mut size = 4 << 20;
    while size > 0 {
        bytes.extend(std::iter::repeat_n(0_u8, size));
        if fs::write(&filler, &bytes).is_err() {
            bytes.truncate(bytes.len() - size);
        }
        size /= 2;
    }
    let _ = fs::write(&filler, vec![0; 8 << 20]);
    filler
}

#[tokio::test]
async fn a_full_volume_is_found_and_pruned_without_a_free_byte() {
    let volume = Volume::mount("full", "size=2m").await;
    let bed = volume.bed(&["--artifact-gc-grace=1h"]).await;
    bed.patch("a", json!({"spec": {"history": 5}})).await;
    for seed in 1..=3 {
        bed.publish(&[("a", &noise(seed, 4000))]).await;
    }
    let expired = expired(&bed).await;
    fill(&volume.0);
    bed.write(&[("late", &noise(9, 500))]).await;
    bed.judged("late", "StorageFull").await;
    let found = bed.finds(&["storage", "doctor"], "S401", "critical").await;
    holds(&found.roots, &["S401".to_owned()]);
    // What nothing holds takes room, too.
    bed.row("kubectl jaas storage prune --expired --all", &["--yes"], 0).await;
    assert!(!expired.exists());
    bed.row_confirmed("kubectl jaas storage prune web -n team-a --keep 1", &[]).await;
    bed.operator(&["reconcile", "--failed", "--allow-empty"], 0).await;
    bed.judged("late", "Synced").await;
    let found = bed.doctor(&["storage", "doctor"]).await;
    assert!(found.get("S401").is_none(), "{:?}", found.codes());
}

#[tokio::test]
async fn a_used_up_quota_is_found_and_a_larger_one_lets_publishing_go_on() {
    // Two small ones and the owner mark take 12 KiB, a big one 32 KiB.
    let args = vec!["--storage-quota=64Ki".to_owned()];
    let mut bed = Bed::on_volume(Settings { args, ..Settings::default() }).await;
    bed.publish(&[("big", &noise(1, 1500))]).await;
    bed.write(&[("late", &noise(2, 1500))]).await;
    bed.judged("late", "StorageFull").await;
    let found = bed.finds(&["storage", "doctor"], "S401", "critical").await;
    let commands: Vec<_> = found.get("S401").unwrap()["commands"].as_array().unwrap().clone();
    // Nothing is expired and no history is kept, so nothing is proposed that would remove something, or nothing.
    assert_eq!(commands[0]["command"], "kubectl jaas storage advise quota", "{commands:?}");
    assert!(commands.iter().all(|it| !it.to_string().contains(" prune ")), "{commands:?}");
    // What is small still fits, so the store takes writes again; the one that waits has not been published for that.
    bed.publish(&[("small", "1")]).await;
    let found = bed.doctor(&["storage", "doctor"]).await;
    assert!(found.get("S401").is_some() && found.code == 4, "{:?}", found.codes());
    let df = bed.operator(&["storage", "df"], 0).await;
    assert!(df.contains("16.0 KiB left"), "{df}");
    // The next revision of the big one would not fit, which is not fine, and both say it with the numbers.
    assert!(!df.contains("health  fine"), "{df}");
    let near = found.get("S402").map(|it| it["summary"].to_string()).unwrap_or_default();
    let told = "would not fit in what is left: 16.0 KiB of the 64.0 KiB that --storage-quota allows";
    assert!(near.contains(told), "{near}");
    bed.row("kubectl jaas storage advise quota --to 20Gi", &[], 0).await;
    bed.installation.upgrade(|settings| settings.args = vec!["--storage-quota=1Mi".to_owned()]).await.unwrap();
    bed.operator(&["reconcile", "--failed", "--allow-empty"], 0).await;
    bed.is_well().await;
}

#[tokio::test]
async fn a_volume_without_inodes_is_told_from_a_full_one() {
    let volume = Volume::mount("inodes", "size=4m,nr_inodes=32").await;
    let bed = volume.bed(&[]).await;
    let filler: Vec<_> = (0..64).map(|n| volume.0.join(format!("filler-{n}"))).collect();
    let made: Vec<_> = filler.iter().filter(|path| fs::write(path, b"").is_ok()).collect();
    bed.write(&[("late", "3")]).await;
    bed.judged("late", "StorageFull").await;
    let found = bed.finds(&["storage", "doctor"], "S403", "error").await;
    let told = bed.row("kubectl jaas storage df", &[], 0).await;
    assert!(told.contains("inodes"), "{told}");
    assert!(found.get("S401").is_none(), "{:?}", found.codes());
    made.iter().for_each(|path| fs::remove_file(path).unwrap());
    bed.operator(&["reconcile", "--failed", "--allow-empty"], 0).await;
    bed.is_well().await;
}

#[tokio::test]
async fn a_volume_that_is_read_only_is_found_and_serves_on() {
    let volume = Volume::mount("readonly", "size=4m").await;
    let bed = volume.bed(&[]).await;
    volume.remount("ro");
    bed.write(&[("late", "3")]).await;
    bed.judged("late", "StorageReadOnly").await;
    let found = bed.row_finds("kubectl jaas storage doctor", "S413", "error").await;
    holds(&found.roots, &["S413".to_owned()]);
    assert!(found.get("A501").is_none(), "{:?}", found.codes());
    volume.remount("rw");
    bed.row("kubectl jaas reconcile --failed --allow-empty", &[], 0).await;
    bed.is_well().await;
}

#[tokio::test]
async fn a_volume_that_belongs_to_somebody_else_is_found_and_the_job_that_mends_it_is_printed() {
    let volume = Volume::mount("foreign", "size=4m").await;
    let bed = volume.bed(&[]).await;
    // To the operator, which is root of its own user namespace only, other users are strangers with all rights of their own.
    let own = |user: u32, mode: u32| {
        std::os::unix::fs::chown(&volume.0, Some(user), Some(user)).unwrap();
        fs::set_permissions(&volume.0, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    own(65_532, 0o700);
    bed.write(&[("late", "3")]).await;
    bed.judged("late", "StorageDenied").await;
    let found = bed.finds(&["storage", "doctor"], "S405", "error").await;
    holds(&found.roots, &["S405".to_owned()]);
    let job = bed.row("kubectl jaas storage advise ownership", &[], 0).await;
    assert!(job.contains("kind: Job"), "{job}");
    own(0, 0o755);
    bed.operator(&["reconcile", "--failed", "--allow-empty"], 0).await;
    bed.is_well().await;
}

#[tokio::test]
async fn an_artifact_that_is_too_large_is_told_with_the_limit() {
    let mut bed = Bed::new(Settings { store: Store::Claim, ..Settings::default() }).await;
    bed.publish(&[("big", &noise(1, 3000))]).await;
    let advice = bed.row("kubectl jaas storage advise limits", &[], 0).await;
    assert!(advice.contains("max"), "{advice}");
    bed.installation.upgrade(|settings| settings.args = vec!["--max-artifact-bytes=4096".to_owned()]).await.unwrap();
    bed.write(&[("big", &noise(2, 3000))]).await;
    bed.judged("big", "ArtifactTooLarge").await;
    let found = bed.finds(&["doctor"], "R719", "error").await;
    let told = found.get("R719").map(ToString::to_string).unwrap_or_default();
    assert!(told.contains("more than 69632 bytes") && told.contains("allows 4096"), "{told}");
    bed.row_of("kubectl jaas render web -n team-a --stats", "big", &[], 0).await;
    bed.installation.upgrade(|settings| settings.args.clear()).await.unwrap();
    bed.operator(&["reconcile", "--failed", "--allow-empty"], 0).await;
    bed.is_well().await;
}

#[tokio::test]
async fn the_store_is_described_and_measured() {
    let bed = Bed::on_volume(Settings { args: vec!["--storage-quota=1Mi".to_owned()], ..Settings::default() }).await;
    let info = bed.row("kubectl jaas storage info", &[], 0).await;
    assert!(info.contains("local") && info.contains("jaas-storage"), "{info}");
    let df = bed.operator(&["storage", "df"], 0).await;
    assert!(df.contains("quota   1.0 MiB"), "{df}");
    let du = bed.operator(&["storage", "du"], 0).await;
    assert!(du.contains("a") && du.contains("b"), "{du}");
    bed.operator(&["storage", "verify", "--all"], 0).await;
    bed.row("kubectl jaas storage doctor --depth full", &[], 0).await;
    bed.row("kubectl jaas storage advise memory", &[], 0).await;
}
