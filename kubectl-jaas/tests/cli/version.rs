//! `version` with and without a cluster.

use std::fs;
use std::path::{Path, PathBuf};

use super::apiserver::{ApiServer, Mood};
use super::plugin::Plugin;

const CLIENT: &str = env!("CARGO_PKG_VERSION");

#[test]
fn the_client_version_needs_no_cluster() {
    let version = Plugin::without_server().run("version --client");
    assert_eq!((version.code, version.stderr.as_str()), (0, ""));
    assert!(version.stdout.contains(&format!("client     {CLIENT}")), "{}", version.stdout);
}

#[test]
fn an_unreachable_server_is_8_and_the_client_version_is_shown() {
    let version = Plugin::without_server().run("version");
    assert_eq!(version.code, 8, "{}", version.stderr);
    assert!(version.stdout.contains(CLIENT) && version.stdout.contains("operator   unknown:"), "{}", version.stdout);
}

#[test]
fn an_unknown_context_is_2() {
    assert_eq!(Plugin::without_server().run("version --context prod").code, 2);
}

#[test]
fn the_operator_is_found_by_its_label() {
    let server = ApiServer::start(Mood::Answers, &[]);
    let version = Plugin::new(server.url()).run("version");
    assert_eq!(version.code, 0, "{}", version.stderr);
    assert!(version.stdout.contains("operator   2026.8.18  jaas-system/jaas, 2/2 ready"), "{}", version.stdout);
}

#[test]
fn a_document_has_both_versions() {
    let server = ApiServer::start(Mood::Answers, &[]);
    let document = Plugin::new(server.url()).run("version -o json").document();
    assert_eq!(document["kind"], "VersionReport");
    assert_eq!(document["components"][0]["version"], CLIENT);
    assert_eq!(document["components"][1]["version"], "2026.8.18");
    assert_eq!(document["metadata"]["cluster"]["uid"], "6d1f0c1e");
}

#[test]
fn without_the_right_to_look_the_operator_is_unknown() {
    let server = ApiServer::start(Mood::Forbids, &[]);
    let version = Plugin::new(server.url()).run("version");
    assert_eq!(version.code, 0, "{}", version.stderr);
    assert!(version.stdout.contains("operator   unknown:  no right to list deployments"), "{}", version.stdout);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_published_schema_is_that_of_the_documents() {
    let printed = Plugin::without_server().run("version --schema");
    assert_eq!((printed.code, printed.stderr.as_str()), (0, ""));
    let kept = fs::read_to_string(root().join("docs/plugin/cli-v1.schema.json")).unwrap_or_default();
    let what = "docs/plugin/cli-v1.schema.json is not the documents'; within a version fields are only added; run\n  cargo run -p kubectl-jaas -- version --schema > docs/plugin/cli-v1.schema.json";
    assert!(kept == printed.stdout, "{what}");
}

#[test]
fn every_document_of_a_run_is_as_the_schema_says() {
    let schema = fs::read_to_string(root().join("docs/plugin/cli-v1.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let mut seen = 0;
    for entry in fs::read_dir(root().join("tests/screens/snapshots")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let document = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            let wrong: Vec<_> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen}");
    let other: serde_json::Value = serde_json::json!({"apiVersion": "cli.jaas.metio.wtf/v1", "kind": "StatusReport"});
    assert!(!validator.is_valid(&other), "the schema asks for nothing");
}
