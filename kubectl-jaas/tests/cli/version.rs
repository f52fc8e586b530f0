//! `version` with and without a cluster.

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
