//! The program as somebody starts it: exit codes, and what it says where it cannot start.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jaas-operator")).args(args).env_clear().output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A kubeconfig of a server that nobody reaches.
fn kubeconfig(folder: &Path) -> String {
    let path = folder.join("kubeconfig");
    let text = "
apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: 'http://127.0.0.1:1'}}]
users: [{name: me, user: {}}]
";
    std::fs::write(&path, text).unwrap();
    format!("--kubeconfig={}", path.display())
}

/// Arguments of an operator that could start.
fn enough(folder: &Path) -> Vec<String> {
    let fixed = [
        "--enable-flux-integration",
        "--leader-election=false",
        "--storage-base-url=http://127.0.0.1:1",
        "--storage-listen-address=127.0.0.1",
        "--metrics-bind-address=0",
    ];
    let mut args: Vec<String> = fixed.iter().map(|arg| (*arg).to_owned()).collect();
    args.push(format!("--storage-path={}", folder.join("store").display()));
    args.push(kubeconfig(folder));
    args.extend([format!("--port={}", free()), format!("--management-port={}", free())]);
    args
}

/// A port that nobody listens on.
fn free() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn fails(args: &[String], message: &str) {
    let output = run(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let log = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains(message), "{message:?} is not in\n{log}");
}

#[test]
fn help_and_version_are_answers() {
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("--enable-flux-integration"));
    let version = run(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    let lines: Vec<_> = text(&version.stdout).lines().map(str::to_owned).collect();
    assert!(lines.len() == 2 && lines[0].starts_with("version: ") && lines[1].starts_with("commit: "), "{lines:?}");
}

#[test]
fn misuse_is_2_and_names_every_mistake() {
    let unknown = run(&["--no-such-flag"]);
    assert_eq!((unknown.status.code(), unknown.stdout.len()), (Some(2), 0));
    let incomplete = run(&["--enable-flux-integration", "--storage-port=0"]);
    assert_eq!(incomplete.status.code(), Some(2));
    let said = text(&incomplete.stderr);
    for flag in ["storage-path", "storage-base-url", "storage-port"] {
        assert!(said.contains(&format!("Invalid --{flag}: ")), "{flag} is not in\n{said}");
    }
}

#[test]
fn what_there_is_not_is_refused_with_a_sentence() {
    for (args, sentence) in [
        (&["mcp"][..], "there is no MCP server"),
        (&["mcp", "--max-stack=1"], "there is no MCP server"),
        (&["--enable-mcp"], "Invalid --enable-mcp: there is no MCP server; remove"),
        (&["--mcp-allow-mutations=1"], "Invalid --mcp-allow-mutations: requires --enable-mcp"),
    ] {
        let output = run(args);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{args:?}");
        assert!(text(&output.stderr).contains(sentence), "{args:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_long_flag_with_one_dash_is_misuse() {
    let output = run(&["-storage-path=/data"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(text(&output.stderr).contains("unexpected argument"), "{}", text(&output.stderr));
}

#[test]
fn a_store_a_port_or_a_kubeconfig_that_cannot_be_used_is_1() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("file"), b"").unwrap();
    let mut store = enough(folder.path());
    store.push(format!("--storage-path={}", folder.path().join("file/store").display()));
    store.retain(|arg| *arg != format!("--storage-path={}", folder.path().join("store").display()));
    fails(&store, "opening `");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut port = enough(folder.path());
    port.push(format!("--storage-port={}", taken.local_addr().unwrap().port()));
    fails(&port, "Cannot bind storage listener on 127.0.0.1:");

    let mut missing = enough(folder.path());
    missing.retain(|arg| !arg.starts_with("--kubeconfig"));
    missing.push("--kubeconfig=/no/such/file".to_owned());
    fails(&missing, "reading kubeconfig `/no/such/file`; check --kubeconfig");
}

#[test]
fn the_store_is_listed_measured_and_verified_without_an_operator_and_without_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let flag = format!("--storage-path={}", folder.path().display());
    let look = |words: &[&str]| run(&[&["storage"], words, &["--", &flag]].concat());
    let df = look(&["df", "-o", "ndjson"]);
    assert_eq!(df.status.code(), Some(0), "{}", text(&df.stderr));
    let usage: serde_json::Value = serde_json::from_slice(&df.stdout).unwrap();
    assert_eq!(usage["files"], 0);
    assert!(usage["totalBytes"].as_u64().unwrap() > 0, "{usage}");

    let path = format!("a/b/sha256-{}.tar.gz", "0".repeat(64));
    std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
    std::fs::write(folder.path().join(&path), "no tarball").unwrap();
    let ls = look(&["ls"]);
    assert_eq!(ls.status.code(), Some(0));
    assert!(text(&ls.stdout).contains(&path) && text(&ls.stdout).starts_with("10\t"), "{}", text(&ls.stdout));
    let verify = look(&["verify"]);
    assert_eq!(verify.status.code(), Some(4), "{}", text(&verify.stderr));
    assert!(text(&verify.stdout).contains(&format!("damaged\t{path}")), "{}", text(&verify.stdout));
    assert_eq!(std::fs::read(folder.path().join(&path)).unwrap(), b"no tarball");
}

#[test]
fn a_look_at_a_store_that_is_not_there_makes_none_and_says_what_to_check() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let output = run(&["storage", "ls", "--", &format!("--storage-path={}", path.display())]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("check --storage-path"), "{}", text(&output.stderr));
    assert!(!path.exists());
}
