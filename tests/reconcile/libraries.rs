//! What libraries tell of themselves.

use jaas_api::JsonnetLibrary;
use jaas_tests::upstream::{Archives, Reply, Source, archive};
use jaas_tests::wait;
use serde_json::json;

use crate::field::{Field, PATIENCE};

async fn until(field: &Field, name: &str, what: &str, holds: impl Fn(&JsonnetLibrary) -> bool) -> JsonnetLibrary {
    wait::object(&field.libraries, name, what, PATIENCE, holds).await.unwrap()
}

fn counts(library: &JsonnetLibrary) -> (Option<i64>, Option<i64>) {
    library.status.as_ref().map_or((None, None), |status| (status.files, status.dependents))
}

fn reason(library: &JsonnetLibrary) -> Option<&str> {
    Some(library.status.as_ref()?.ready()?.reason.as_str())
}

#[tokio::test]
async fn a_library_tells_its_files_and_how_many_snippets_import_it() {
    let field = Field::new("inline-library").await;
    let spec =
        json!({"files": {"main.jsonnet": "import 'lib'"}, "libraries": [{"kind": "JsonnetLibrary", "name": "lib"}]});
    field.create("one", spec.clone()).await;
    field.create("two", spec).await;
    field.create_library("lib", json!({"main.libsonnet": "1", "b.libsonnet": "2"})).await;
    let told = until(&field, "lib", "tells its users", |library| counts(library) == (Some(2), Some(2))).await;
    assert_eq!(reason(&told), Some("Synced"));
    let written = told.metadata.resource_version.clone();
    for name in ["one", "two"] {
        field.synced(name).await;
    }
    let now = field.libraries.get("lib").await.unwrap();
    assert_eq!(
        now.metadata.resource_version, written,
        "it is written when it has something to tell, and then once a minute"
    );
}

#[tokio::test]
async fn a_library_from_a_source_tells_what_its_source_does() {
    let archives = Archives::start().await.unwrap();
    let field = Field::with("source-library", &[&archives.flag()]).await;
    let namespace = field.namespace.name.clone();
    let source = Source::create(&field.client, "OCIRepository", &namespace, "libs").await.unwrap();
    let bytes = archive(&[("lib/main.libsonnet", "1"), ("lib/b.libsonnet", "2"), ("other", "3")].into_iter().collect())
        .unwrap();
    let mut hasher = jaas_sources::digest::Algorithm::Sha256.hasher();
    hasher.update(&bytes);
    let digest = hasher.finish().to_string();
    archives.set("/x", Reply::Bytes(bytes));
    let library = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetLibrary",
        "metadata": {"name": "lib", "namespace": namespace},
        "spec": {"sourceRef": {"kind": "OCIRepository", "name": "libs", "path": "lib"}}});
    // The first thing that it can tell is the whole story, since the next one comes a minute later.
    source.announces(&archives.url("/x"), &digest, "v1@sha256:00").await.unwrap();
    field.plane.apply_objects(&[library]).await.unwrap();
    let spec =
        json!({"files": {"main.jsonnet": "import 'lib'"}, "libraries": [{"kind": "JsonnetLibrary", "name": "lib"}]});
    field.create("web", spec).await;
    field.synced("web").await;
    let told = until(&field, "lib", "is judged", |library| reason(library).is_some()).await;
    assert_eq!(reason(&told), Some("Synced"));
    let status = told.status.unwrap();
    assert_eq!(status.digest, Some(digest));
    assert_eq!(status.source_revision.as_deref(), Some("v1@sha256:00"));
}

#[tokio::test]
async fn a_library_without_its_source_says_so() {
    let field = Field::new("lost-library").await;
    let library = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetLibrary",
        "metadata": {"name": "lib", "namespace": field.namespace.name},
        "spec": {"sourceRef": {"kind": "GitRepository", "name": "gone"}}});
    field.plane.apply_objects(&[library]).await.unwrap();
    let told = until(&field, "lib", "is judged", |library| reason(library).is_some()).await;
    assert_eq!(reason(&told), Some("SourceFetchFailed"));
    let message = told.status.unwrap().ready().unwrap().message.clone();
    assert!(message.ends_with("gone not found; create it or correct the sourceRef"), "{message}");
}
