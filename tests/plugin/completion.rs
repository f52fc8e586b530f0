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

/// What kubectl's own logs and client-go's checks take; nothing of it is about how a server is reached.
const NOT_OURS: [&str; 8] = [
    "kuberc",
    "log-flush-frequency",
    "match-server-version",
    "profile",
    "profile-output",
    "v",
    "vmodule",
    "warnings-as-errors",
];

#[tokio::test]
async fn every_connection_flag_of_kubectl_is_taken() {
    let bench = Bench::new().await;
    let options = text(&kubectl(bench.plane, &Identity::Admin, &["options"], &plugin_folder()).await.stdout);
    let flags: Vec<_> = options
        .lines()
        .filter_map(|line| line.split_once("--")?.1.split_once(['=', ':']))
        .map(|(name, rest)| (name, rest.starts_with("true") || rest.starts_with("false")))
        // The namespace stands there already.
        .filter(|(name, _)| !NOT_OURS.contains(name) && *name != "namespace")
        .collect();
    assert!(flags.len() > 15, "{options}");
    for (name, is_switch) in flags {
        let value = match name {
            _ if is_switch => "true",
            "as-user-extra" => "scopes=view",
            "request-timeout" => "1s",
            _ => "x",
        };
        // A command that asks no server, so that no value can be wrong.
        let flag = format!("--{name}={value}");
        exits(&bench.admin(&["explain", "S401", &flag]).await, 0);
    }
}
