//! Completion through kubectl itself.

use std::ffi::OsString;

use jaas_tests::controlplane::Identity;

use super::bench::{Bench, exits, kubectl, plugin_folder, text};

#[tokio::test]
async fn kubectl_completes_commands_flags_and_the_names_of_snippets() {
    let bench = Bench::new().await;
    let folder = bench.plane.work().join(format!("{}-path", bench.namespace.name));
    std::fs::create_dir_all(&folder).unwrap();
    let install = ["completion", "install", "--directory", folder.to_str().unwrap()];
    exits(&bench.admin(&install).await, 0);
    // The shell that runs the file is found there as well.
    let path: OsString =
        std::env::join_paths([folder, plugin_folder().into(), "/bin".into(), "/usr/bin".into()]).unwrap();
    let complete = async |words: &[&str]| {
        let words = [&["__complete", "jaas"], words].concat();
        text(&kubectl(bench.plane, &Identity::Admin, &words, &path).await.stdout)
    };
    let commands = complete(&["force"]).await;
    assert!(commands.starts_with("force-handover\t") && commands.contains(":4\n"), "{commands}");
    let flags = complete(&["status", "--fail"]).await;
    assert!(flags.contains("--fail-on"), "{flags}");
    let names = complete(&["history", "-n", &bench.namespace.name, ""]).await;
    let names: Vec<_> = names.lines().take_while(|line| !line.starts_with(':')).collect();
    assert_eq!(names, ["a", "b", "bad", "paused"]);
    let some = complete(&["-n", &bench.namespace.name, "reconcile", "a", "ba"]).await;
    assert!(some.starts_with("bad\n:4\n"), "{some}");
}
