//! A full volume is no reason not to make room.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jaas_api::admin::{self as wire, Action, ActionOutcome, HealthState};
use jaas_tests::controlplane::ControlPlane;

use crate::bench::Bench;

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

    /// Fills it until not even a byte fits.
    fn fill(&self) {
        let filler = self.0.join("filler");
        let mut file = fs::File::options().create(true).append(true).open(filler).unwrap();
        for size in [64 << 10, 4096, 1] {
            while std::io::Write::write_all(&mut file, &vec![0_u8; size]).is_ok() {}
        }
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // A process that is still at its end may hold it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test]
async fn without_a_free_byte_everything_can_be_looked_at_pruned_swept_and_repaired() {
    let plane = ControlPlane::shared().await.unwrap();
    let volume = Volume::mount(&plane.work().join("volume-admin"), "size=512k");
    let bench = Bench::new("full", &[&format!("--storage-path={}", volume.0.display())]).await;
    bench.create("web", "1", 1).await;
    bench.owned().await;
    let at = |path: &str| volume.0.join(path);
    let current = bench.announced("web").await;
    let left = current.replace(&current[current.len() - 20..current.len() - 7], "0000000000000");
    fs::write(at(&left), b"left by a crash").unwrap();
    let residue = at(&format!("{}/web/sha256-00.01.tar.gz.tmp", bench.namespace.name));
    fs::write(&residue, b"half").unwrap();
    let mut wrong = fs::read(at(&current)).unwrap();
    wrong[20] ^= 1;
    fs::write(at(&current), &wrong).unwrap();
    volume.fill();

    let stats: wire::Stats = serde_json::from_slice(&bench.get(&bench.token, wire::STATS).await.body).unwrap();
    assert_eq!(stats.usage.unwrap().free_bytes, Some(0));
    assert_eq!(stats.health.unwrap().state, HealthState::Full);
    let pruned = bench.act_on(Action::PruneExpired, &left).await;
    assert_eq!(pruned.outcome, ActionOutcome::Removed, "{pruned:?}");
    assert!(!at(&left).exists());
    volume.fill();
    let sweep = wire::ActionRequest {
        action: Action::Sweep,
        items: vec![],
        older_than: None,
        dry_run: false,
        reason: String::new(),
    };
    assert_eq!(bench.ask(sweep).await.1.removed, 1);
    assert!(!residue.exists());
    volume.fill();
    let set_aside = bench.act_on(Action::Repair, &current).await;
    assert_eq!(set_aside.outcome, ActionOutcome::SetAside, "{set_aside:?}");
    assert!(!at(&current).exists() || fs::read(at(&current)).unwrap() != wrong);
}
