//! A store without room says so, keeps serving, makes what room it may, and goes on by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jaas_api::JsonnetSnippet;
use jaas_tests::wait::eventually;
use serde_json::json;

use crate::field::{Field, PATIENCE, message, status};

/// Jsonnet whose output hardly compresses: half a byte of hash for each byte, 32 of them for each step.
fn noise(seed: u32, steps: u32) -> String {
    format!("[std.md5(std.toString([n, {seed}])) for n in std.range(1, {steps})]")
}

fn revision(snippet: &JsonnetSnippet) -> String {
    status(snippet).revision.unwrap()
}

/// Changes the file of a snippet.
async fn render(field: &Field, name: &str, code: &str) {
    field.patch(name, json!({"spec": {"files": {"main.jsonnet": code}}})).await;
}

#[tokio::test]
async fn a_used_up_quota_is_told_and_a_shorter_history_makes_room_at_once() {
    let field = Field::with("quota", &["--storage-quota=80Ki", "--artifact-gc-grace=1h"]).await;
    field.create("web", json!({"files": {"main.jsonnet": noise(1, 1500)}, "history": 2})).await;
    let first = revision(&field.synced("web").await);
    render(&field, "web", &noise(2, 1500)).await;
    let second = revision(&field.until("web", "follows", |it| status(it).revision.as_ref() != Some(&first)).await);

    // Both are kept, and a third does not fit.
    render(&field, "web", &noise(3, 1500)).await;
    let refused = field.judged("web", "StorageFull").await;
    let words = message(&refused);
    for part in [field.operator.storage_path().to_str().unwrap(), "quota", "KiB", "(kubectl jaas explain StorageFull)"]
    {
        assert!(words.contains(part), "{part} is missing in {words}");
    }
    assert_eq!(status(&refused).revision.as_ref(), Some(&second), "what was published stays so");
    assert_eq!(field.get(&status(&refused).artifact_url.unwrap()).await.status, 200);
    let metrics = field.operator.metrics().await.unwrap();
    assert!(metrics.contains("jaas_storage_up{reason=\"StorageFull\"} 0"), "{metrics}");
    assert!(metrics.contains("jaas_storage_quota_bytes{} 81920"), "{metrics}");
    let ready = field.get(&field.operator.management_url("/ready")).await;
    assert_eq!(ready.status, 200);
    assert!(ready.text().contains("StorageFull"), "{}", ready.text());

    field.patch("web", json!({"spec": {"history": 1}})).await;
    let published = field.synced("web").await;
    assert!(![&first, &second].contains(&&revision(&published)));
    field.fetch("web").await;
    field.logged("The store is well again").await;
    let metrics = field.operator.metrics().await.unwrap();
    assert!(metrics.contains("jaas_storage_up{reason=\"\"} 1"), "{metrics}");
}

/// A small file system in memory, gone with the value.
struct Volume(PathBuf);

impl Volume {
    fn mount(path: &Path, options: &str) -> Self {
        fs::create_dir_all(path).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "jaas-test"]).arg(path).status().unwrap();
        assert!(mounted.success(), "mounting a tmpfs needs root (CAP_SYS_ADMIN)");
        Self(path.to_owned())
    }

    fn remount(&self, option: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,{option}")]).arg(&self.0).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // A process that is still at its end may hold it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// An operator whose store is a volume of its own.
async fn on_volume(name: &str, options: &str) -> (Field, Volume) {
    let plane = jaas_tests::controlplane::ControlPlane::shared().await.unwrap();
    let path = plane.work().join(format!("volume-{name}"));
    let volume = Volume::mount(&path, options);
    let field = Field::with(name, &[&format!("--storage-path={}", path.display())]).await;
    (field, volume)
}

#[tokio::test]
async fn a_full_disk_is_told_and_publishing_resumes_when_there_is_room() {
    let (field, volume) = on_volume("full", "size=256k").await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    let url = field.artifact("web").await.published().unwrap().url.clone();
    let filler = volume.0.join("filler");
    // Until not even a byte fits.
    let mut size = 256 << 10;
    let mut bytes = Vec::new();
    while size > 0 {
        bytes.extend(std::iter::repeat_n(0_u8, size));
        if fs::write(&filler, &bytes).is_err() {
            bytes.truncate(bytes.len() - size);
        }
        size /= 2;
    }
    let _ = fs::write(&filler, vec![0; 256 << 10]);
    field.create_file("new", &noise(1, 300)).await;
    let refused = field.judged("new", "StorageFull").await;
    assert!(message(&refused).contains("the volume is full"), "{}", message(&refused));
    assert_eq!(field.get(&url).await.status, 200, "what is there stays served");
    eventually("the free bytes to be told", PATIENCE, async || {
        let metrics = field.operator.metrics().await.map_err(|error| error.to_string())?;
        if metrics.contains("jaas_storage_free_bytes{} 0") { Ok(()) } else { Err("another number".to_owned()) }
    })
    .await
    .unwrap();
    fs::remove_file(&filler).unwrap();
    field.synced("new").await;
    field.fetch("new").await;
}

#[tokio::test]
async fn a_volume_without_inodes_is_full() {
    let (field, volume) = on_volume("inodes", "size=4m,nr_inodes=24").await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    let filler: Vec<_> = (0..32).map(|n| volume.0.join(format!("filler-{n}"))).collect();
    let made: Vec<_> = filler.iter().filter(|path| fs::write(path, b"").is_ok()).collect();
    field.create_file("new", "2").await;
    field.judged("new", "StorageFull").await;
    made.iter().for_each(|path| fs::remove_file(path).unwrap());
    field.synced("new").await;
}

#[tokio::test]
async fn a_volume_that_is_read_only_is_told_and_served_from() {
    let (field, volume) = on_volume("readonly", "size=4m").await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    let url = field.artifact("web").await.published().unwrap().url.clone();
    volume.remount("ro");
    field.create_file("new", "2").await;
    let refused = field.judged("new", "StorageReadOnly").await;
    assert!(message(&refused).contains("read-only"), "{}", message(&refused));
    assert_eq!(field.get(&url).await.status, 200);
    volume.remount("rw");
    field.synced("new").await;
}
