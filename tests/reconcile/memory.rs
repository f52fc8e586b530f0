//! What memory an evaluation may take, and what becomes of the others when there is none left.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jaas_tests::controlplane::ControlPlane;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::supervisor::Exit;
use jaas_tests::wait::eventually;
use rustix::process::{Pid, Signal, kill_process};

use crate::field::{Field, PATIENCE, message, status};

/// Text of 50 MB from a program of a few bytes.
const FIFTY: &str = "std.repeat('0123456789', 5000000)";
/// A program that takes longer than any test.
const ENDLESS: &str = "local f(n) = if n < 0 then 0 else f(n - 1) + f(n - 1); f(60)";

/// A group of processes whose memory is limited by the kernel.
struct Group {
    folder: PathBuf,
    limit: &'static str,
}

impl Group {
    /// A new group. Needs the right to make one, and the memory controller of either kind.
    fn new(bytes: u64) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("jaas-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let root = Path::new("/sys/fs/cgroup");
        let (folder, limit) = if root.join("memory").exists() {
            (root.join("memory").join(name), "memory.limit_in_bytes")
        } else {
            (root.join(name), "memory.max")
        };
        fs::create_dir(&folder).unwrap();
        let group = Self { folder, limit };
        group.limit(bytes).unwrap();
        group
    }

    fn limit(&self, bytes: u64) -> std::io::Result<()> {
        fs::write(self.folder.join(self.limit), bytes.to_string())
    }

    /// Bytes in use.
    fn used(&self) -> u64 {
        let file = if self.is_older() { "memory.usage_in_bytes" } else { "memory.current" };
        fs::read_to_string(self.folder.join(file)).unwrap().trim().parse().unwrap()
    }

    /// Whether it is of the first version of control groups.
    fn is_older(&self) -> bool {
        self.limit == "memory.limit_in_bytes"
    }

    /// Has everything in it end together when the memory is used up, as a kubelet does with containers.
    fn ends_as_a_whole(&self) {
        let (file, value) = if self.is_older() { ("memory.oom_control", "1") } else { ("memory.oom.group", "1") };
        fs::write(self.folder.join(file), value).unwrap();
    }

    /// Ends everything in it once the kernel says that the memory is used up. The second version does so by itself; the first only
    /// stops whoever asks for more, and the rest is done here.
    async fn end(&self) {
        let used_up = async || {
            let Ok(state) = fs::read_to_string(self.folder.join("memory.oom_control")) else { return Some(()) };
            state.lines().any(|line| line == "under_oom 1").then_some(())
        };
        eventually("the end of the memory", PATIENCE, used_up).await.unwrap();
        if self.is_older() {
            for process in fs::read_to_string(self.folder.join("cgroup.procs")).unwrap().lines() {
                let process = Pid::from_raw(process.parse().unwrap()).unwrap();
                // It may be gone already.
                let _ = kill_process(process, Signal::KILL);
            }
        }
    }

    /// A program that puts itself into the group and becomes the operator.
    fn operator(&self, plane: &ControlPlane) -> PathBuf {
        let program = plane.operator_program().unwrap();
        let script = plane.work().join(format!("{}.sh", self.folder.file_name().unwrap().to_string_lossy()));
        let text = format!(
            "#!/bin/sh\nif [ \"$1\" != generate ]; then echo $$ > {}/cgroup.procs; fi\nexec {} \"$@\"\n",
            self.folder.display(),
            program.display()
        );
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        script
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The last of its processes may still be ending.
        for _ in 0..100 {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Has the system forget the most memory that a process has had resident, and answers what it has now, in bytes.
pub(crate) fn forget_peak(process: i32) -> u64 {
    fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
    peak(process)
}

/// The most memory that a process itself has had resident since that was last forgotten, in bytes.
pub(crate) fn peak(process: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

#[tokio::test]
async fn a_large_document_is_refused_before_it_reaches_the_operator() {
    let field = Field::with("fifty", &["--evaluation-timeout=2m"]).await;
    let process = field.operator.process().pid();
    field.create_file("small", "1").await;
    field.synced("small").await;
    let before = forget_peak(process);
    for n in 0..3 {
        field.create_file(&format!("fifty{n}"), FIFTY).await;
    }
    for n in 0..3 {
        let refused = field.judged(&format!("fifty{n}"), "ArtifactTooLarge").await;
        assert!(message(&refused).contains("consumers cap extraction at 16777216 bytes"), "{}", message(&refused));
    }
    let risen = peak(process) - before;
    assert!(risen < 20 << 20, "the operator's peak rose by {risen} bytes");
    assert!(field.operator.process().exit().is_none());
}

#[tokio::test]
async fn a_start_with_less_memory_than_the_settings_need_is_refused_with_the_sum() {
    let plane = ControlPlane::shared().await.unwrap();
    let group = Group::new(300 << 20);
    let options = OperatorOptions {
        program: Some(group.operator(plane)),
        args: vec!["--max-concurrent-evals=2".to_owned(), "--evaluation-memory=200Mi".to_owned()],
        ..OperatorOptions::default()
    };
    let operator = Operator::start(plane, options).await.unwrap();
    let exit = operator.process().wait().await.unwrap();
    assert_eq!(exit, Exit::Code(2), "{}", operator.log());
    let said = "the container's memory limit is 300Mi, and the settings need 688Mi: ";
    assert!(operator.log().contains(said), "{}", operator.log());
}

#[tokio::test]
async fn where_the_kernel_ends_something_for_want_of_memory_it_is_the_evaluation() {
    let plane = ControlPlane::shared().await.unwrap();
    let group = Group::new(2 << 30);
    let options = OperatorOptions {
        program: Some(group.operator(plane)),
        args: vec!["--evaluation-memory=512Mi".to_owned(), "--evaluation-timeout=60s".to_owned()],
        ..OperatorOptions::default()
    };
    let field = Field::started("oom", options).await;
    field.create_file("good", "1").await;
    field.synced("good").await;
    let process = field.operator.process().pid();
    // What was enough at the start is so no more, as on a node that others fill.
    group.limit(160 << 20).unwrap();
    field.create_file("greedy", "std.repeat('0123456789', 30000000)").await;
    let refused = field.judged("greedy", "EvaluationOutOfMemory").await;
    assert!(message(&refused).starts_with("evaluation worker was killed from outside"), "{}", message(&refused));
    assert_eq!(field.operator.process().pid(), process);
    assert!(field.operator.process().exit().is_none());
    field.create_file("next", "2").await;
    field.synced("next").await;
    drop(field);
}

#[tokio::test]
async fn who_was_evaluated_when_the_operator_was_killed_goes_last_after_the_restart() {
    let mut field = Field::with("suspect", &["--evaluation-timeout=10m", "--max-concurrent-evals=1"]).await;
    field.create_file("culprit", ENDLESS).await;
    let runs = async || {
        let metrics = field.operator.metrics().await?;
        anyhow::ensure!(metrics.contains("jaas_eval_in_flight 1"), "nothing is evaluated");
        Ok(())
    };
    eventually("the evaluation", PATIENCE, runs).await.unwrap();
    for n in 0..5 {
        field.create_file(&format!("good{n}"), "1").await;
    }
    // The kubelet's part, which kills whatever is in a container whose memory is used up.
    field.operator.kill().await.unwrap();
    field.operator.restart().await.unwrap();
    field.operator.wait_ready().await.unwrap();
    field.logged("was being evaluated when the process died").await;
    // Only one is evaluated at a time: had the culprit come first, they would wait for ten minutes.
    for n in 0..5 {
        field.synced(&format!("good{n}")).await;
    }
    eventually("the culprit's turn", PATIENCE, async || {
        let metrics = field.operator.metrics().await?;
        anyhow::ensure!(metrics.contains("jaas_eval_in_flight 1"), "nothing is evaluated");
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn after_an_end_of_the_whole_container_for_want_of_memory_the_culprit_goes_last() {
    let plane = ControlPlane::shared().await.unwrap();
    let group = Group::new(2 << 30);
    group.ends_as_a_whole();
    let args = ["--evaluation-memory=640Mi", "--evaluation-timeout=10m", "--max-concurrent-evals=1"];
    let options = OperatorOptions {
        program: Some(group.operator(plane)),
        args: args.map(str::to_owned).to_vec(),
        ..OperatorOptions::default()
    };
    let mut field = Field::started("container", options).await;
    field.create_file("first", "1").await;
    field.synced("first").await;
    // The container has less than its settings need, against which a start guards where it can.
    group.limit(group.used() + (64 << 20)).unwrap();
    // Two hundred megabytes, and then no end.
    let greedy = format!("if std.length(std.repeat('0123456789', 20000000)) > 0 then ({ENDLESS})");
    field.create_file("culprit", &greedy).await;
    group.end().await;
    field.operator.process().wait().await.unwrap();
    for n in 0..5 {
        field.create_file(&format!("good{n}"), "1").await;
    }
    group.limit(2 << 30).unwrap();
    field.operator.restart().await.unwrap();
    field.operator.wait_ready().await.unwrap();
    field.logged("was being evaluated when the process died").await;
    // Only one is evaluated at a time: had the culprit come first, they would wait for ten minutes.
    for n in 0..5 {
        field.synced(&format!("good{n}")).await;
    }
    let culprit = field.snippets.get("culprit").await.unwrap();
    assert!(status(&culprit).ready().is_none_or(|ready| ready.reason == "Pending"), "{culprit:?}");
    eventually("the culprit's turn", PATIENCE, async || {
        let metrics = field.operator.metrics().await?;
        anyhow::ensure!(metrics.contains("jaas_eval_in_flight 1"), "nothing is evaluated");
        Ok(())
    })
    .await
    .unwrap();
    drop(field);
}
