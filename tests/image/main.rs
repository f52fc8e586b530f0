//! The operator's image: the same bytes wherever it is made, and everything in it that the operator needs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jaas_image::layout::Labels;
use jaas_image::{compile, layer, layout, libraries, root};
use jaas_tests::controlplane::ControlPlane;
use jaas_tests::http;
use jaas_tests::manifests::custom;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::wait;
use kube::api::PostParams;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Writes the image of the operator that is tested, and answers its digest.
fn build(operator: &Path, folder: &Path) -> String {
    let linked = libraries::of(operator).unwrap();
    let root = root::gather(operator, &linked).unwrap();
    let labels = Labels { version: "1".to_owned(), revision: None };
    layout::write(folder, &layer::pack(&root).unwrap(), &labels).unwrap()
}

/// The document of a digest.
fn blob(layout: &Path, descriptor: &Value) -> PathBuf {
    let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    layout.join("blobs/sha256").join(digest)
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn built_twice_in_different_folders_it_has_one_digest() {
    let plane = ControlPlane::shared().await.unwrap();
    let program = plane.operator_program().unwrap();
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let copy = two.path().join("jaas-operator");
    fs::copy(&program, &copy).unwrap();
    let here = one.path().join("layout");
    let digest = build(&program, &here);
    assert_eq!(digest, build(&copy, &two.path().join("elsewhere")));

    let index = read(&here.join("index.json"));
    assert_eq!(index["manifests"][0]["digest"], digest.as_str());
    let manifest = read(&blob(&here, &index["manifests"][0]));
    let config = read(&blob(&here, &manifest["config"]));
    assert_eq!(config["config"]["User"], "12345:12345");
    assert_eq!(config["config"]["Entrypoint"], json!(["/usr/bin/jaas-operator"]));
    assert_eq!(config.get("created"), None, "a time would differ with each build");
    let stored = fs::metadata(blob(&here, &manifest["layers"][0])).unwrap();
    assert_eq!(manifest["layers"][0]["size"], stored.len());
    let error = layout::write(
        &here,
        &layer::pack(&root::Root::new()).unwrap(),
        &Labels { version: String::new(), revision: None },
    );
    assert!(error.unwrap_err().to_string().contains("is not empty"));
}

/// A program that a macro gives what it read from a hash table.
const SHUFFLED: [(&str, &str); 4] = [
    (
        "Cargo.toml",
        "[workspace]\nmembers = ['order']\n[package]\nname = 'shuffled'\nedition = '2024'\n[dependencies]\norder.path = 'order'\n",
    ),
    ("src/main.rs", "fn main() { println!(\"{:?}\", order::order!()) }\n"),
    ("order/Cargo.toml", "[package]\nname = 'order'\nedition = '2024'\n[lib]\nproc-macro = true\n"),
    (
        "order/src/lib.rs",
        "#[proc_macro]\npub fn order(_: proc_macro::TokenStream) -> proc_macro::TokenStream {\n\
             let names: std::collections::HashSet<u32> = (0..64).collect();\n\
             format!(\"{:?}\", names.iter().collect::<Vec<_>>()).parse().unwrap()\n\
         }\n",
    ),
];

#[test]
fn compiled_twice_in_different_folders_a_program_has_the_same_bytes_even_if_a_macro_shuffles() {
    let folder = TempDir::new().unwrap();
    let compiled = ["one", "the other"].map(|name| {
        let workspace = folder.path().join(name);
        for (path, content) in SHUFFLED {
            let path = workspace.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let locked =
            Command::new("cargo").args(["generate-lockfile", "--offline"]).current_dir(&workspace).status().unwrap();
        assert!(locked.success());
        let program = compile::program(&workspace, &workspace.join("target"), "shuffled").unwrap();
        fs::read(program).unwrap()
    });
    let [one, other] = &compiled;
    assert!(one == other, "{} and {} bytes, and they differ", one.len(), other.len());
}

#[tokio::test]
async fn as_the_charts_user_on_a_read_only_root_the_operator_publishes_and_serves_and_can_be_asked_inside() {
    let plane = ControlPlane::shared().await.unwrap();
    let folder = TempDir::new().unwrap();
    let layout = folder.path().join("layout");
    build(&plane.operator_program().unwrap(), &layout);
    let manifest = read(&blob(&layout, &read(&layout.join("index.json"))["manifests"][0]));
    let unpacked = folder.path().join("root");
    let bytes = flate2::read::GzDecoder::new(fs::File::open(blob(&layout, &manifest["layers"][0])).unwrap());
    let mut archive = tar::Archive::new(bytes);
    archive.set_preserve_permissions(true);
    archive.unpack(&unpacked).unwrap();
    let shells: BTreeSet<_> =
        ["bin/sh", "usr/bin/sh", "bin/busybox"].into_iter().filter(|it| unpacked.join(it).exists()).collect();
    assert!(shells.is_empty(), "{shells:?}");
    assert!(fs::read_to_string(unpacked.join("crds/crds.yaml")).unwrap().contains("jsonnetsnippets.jaas.metio.wtf"));

    let program = folder.path().join("jaas-operator");
    let enter = Path::new(env!("CARGO_MANIFEST_DIR")).join("image/enter.sh");
    let script = format!("#!/bin/sh\nexec '{}' '{}' \"$@\"\n", enter.display(), unpacked.display());
    fs::write(&program, script).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&program).status().unwrap().success());

    let namespace = plane.namespace("image").await.unwrap().name;
    let mut options = OperatorOptions::watching([namespace.as_str()]);
    options.program = Some(program);
    options.args = vec!["--storage-path=/tmp/store".to_owned()];
    // A certificate would be a file outside the root; a token stands in the kubeconfig itself.
    options.api_url = Some(plane.api_url());
    let operator = Operator::ready(plane, options).await.unwrap();

    let snippets = custom(&plane.admin().await.unwrap(), &namespace, "jaas.metio.wtf", "v1", "JsonnetSnippet");
    let snippet = json!({
        "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"name": "web", "namespace": namespace},
        "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": "{a: 1}"}},
    });
    snippets.create(&PostParams::default(), &serde_json::from_value(snippet).unwrap()).await.unwrap();
    let published = wait::object(&snippets, "web", "is published", std::time::Duration::from_secs(60), |snippet| {
        snippet.data["status"]["artifactURL"].is_string()
    });
    let published = published.await.unwrap();
    let answer = http::get(published.data["status"]["artifactURL"].as_str().unwrap()).await.unwrap();
    assert!(answer.status.is_success(), "{}", answer.status);

    // What an engineer would ask with `kubectl exec`, in the namespaces of the running operator.
    let pid = operator.process().pid().to_string();
    let inside = |words: &[&str]| {
        let entered =
            ["--target", &pid, "--mount", "--root", "--setuid", "12345", "--setgid", "12345", "/usr/bin/jaas-operator"];
        Command::new("nsenter").args(entered).args(words).output().unwrap()
    };
    let listed = inside(&["storage", "ls", "--", "--storage-path=/tmp/store"]);
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    assert!(text.contains(&format!("revision\t{namespace}/web/sha256-")), "{text}");
    let verified = inside(&["storage", "verify", "-o", "ndjson", "--", "--storage-path=/tmp/store"]);
    assert!(verified.status.success());
    let last: Value =
        serde_json::from_slice(verified.stdout.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap()).unwrap();
    assert_eq!(last, json!({"intact": 1, "damaged": 0}));
}
