//! What a snippet becomes.

use jaas_api::artifact::ProducerRef;
use jaas_storage::Revision;
use kube::ResourceExt;
use serde_json::json;

use crate::field::{Field, one_file, status};

#[tokio::test]
async fn a_snippet_becomes_an_artifact_with_everything_that_consumers_read() {
    let field = Field::new("publish").await;
    field.create_file("web", "{ ok: true, n: 0.1 }").await;
    let snippet = field.synced("web").await;
    let text = "{\n   \"n\": 0.10000000000000001,\n   \"ok\": true\n}\n";
    let revision = Revision::of_document(text.as_bytes());

    let told = status(&snippet);
    let url = format!("{}/{}/web/sha256-{}.tar.gz", field.operator.base_url(), field.namespace.name, revision.hex());
    assert_eq!(told.revision, Some(revision.to_string()));
    assert_eq!(told.artifact_url, Some(url.clone()));
    assert_eq!(told.history.len(), 1);
    assert_eq!(told.ready().unwrap().message, format!("Rendered {} bytes from 1 files", text.len()));
    assert_eq!(snippet.finalizers(), ["jaas.metio.wtf/finalizer"]);

    let artifact = field.artifact("web").await;
    assert_eq!(artifact.spec.source_ref, Some(ProducerRef::snippet("web")));
    let owner = &artifact.owner_references()[0];
    assert_eq!((owner.uid.clone(), owner.block_owner_deletion), (snippet.uid().unwrap(), Some(false)));
    let published = artifact.published().unwrap();
    assert_eq!(
        (&published.url, &published.revision, &published.path),
        (&url, &revision.to_string(), &url.split_once("//").unwrap().1.split_once('/').unwrap().1.to_owned())
    );
    let ready = &artifact.status.as_ref().unwrap().conditions[0];
    assert_eq!(
        (ready.type_.as_str(), ready.status.as_str(), ready.reason.as_str(), ready.message.as_str()),
        ("Ready", "True", "Succeeded", "artifact published")
    );
    assert_eq!(field.fetch("web").await, one_file("rendered.json", text));
}

#[tokio::test]
async fn variables_arguments_and_libraries_reach_the_evaluation() {
    let field = Field::with("inputs", &["--ext-var=cluster=blue"]).await;
    field
        .create_library(
            "greeter",
            json!({"main.libsonnet": "{ hello(n): 'hello ' + n + (import 'end.libsonnet') }", "end.libsonnet": "'!'"}),
        )
        .await;
    field
        .create(
            "web",
            json!({
                "files": {
                    "dir/entry.jsonnet": "function(who, n) (import 'greeter').hello(who) + n + std.extVar('cluster') + std.extVar('own') + importstr './note.txt'",
                    "dir/note.txt": "text",
                },
                "entryFile": "dir/entry.jsonnet",
                "libraries": [{"kind": "JsonnetLibrary", "name": "greeter"}],
                "tlas": [{"name": "who", "value": "bob"}, {"name": "n", "value": "1+1", "code": true}],
                "externalVariables": [{"name": "own", "value": "x"}],
            }),
        )
        .await;
    field.synced("web").await;
    assert_eq!(field.fetch("web").await, one_file("rendered.json", "\"hello bob!2bluextext\"\n"));
}

#[tokio::test]
async fn a_changed_library_reaches_its_snippets() {
    let field = Field::new("library").await;
    field.create_library("lib", json!({"main.libsonnet": "1"})).await;
    field.create("web", json!({"files": {"main.jsonnet": "import 'lib'"}, "libraries": [{"kind": "JsonnetLibrary", "name": "lib"}]})).await;
    let first = field.synced("web").await;
    let patch = json!({"spec": {"files": {"main.libsonnet": "2"}}});
    let merge = kube::api::Patch::Merge(patch);
    field.libraries.patch("lib", &kube::api::PatchParams::default(), &merge).await.unwrap();
    field.until("web", "follows its library", |snippet| status(snippet).revision != status(&first).revision).await;
    assert_eq!(field.fetch("web").await, one_file("rendered.json", "2\n"));
}

#[tokio::test]
async fn after_a_restart_a_changed_library_reaches_its_snippets() {
    let mut field = Field::new("library-restart").await;
    field.create_library("lib", json!({"main.libsonnet": "1"})).await;
    let libraries = json!([{"kind": "JsonnetLibrary", "name": "lib"}]);
    field.create("web", json!({"files": {"main.jsonnet": "import 'lib'"}, "libraries": libraries})).await;
    let first = field.synced("web").await;
    field.operator.restart().await.unwrap();
    field.operator.wait_ready().await.unwrap();
    // One that is made now comes after everything that the restart had to do.
    field.create_file("last", "1").await;
    field.synced("last").await;
    let merge = kube::api::Patch::Merge(json!({"spec": {"files": {"main.libsonnet": "2"}}}));
    field.libraries.patch("lib", &kube::api::PatchParams::default(), &merge).await.unwrap();
    field.until("web", "follows its library", |snippet| status(snippet).revision != status(&first).revision).await;
    assert_eq!(field.fetch("web").await, one_file("rendered.json", "2\n"));
}

#[tokio::test]
async fn the_source_itself_can_be_the_artifact() {
    let field = Field::new("source").await;
    let files = json!({"main.jsonnet": "{}", "lib/a.libsonnet": "{}"});
    field.create("web", json!({"files": files, "output": "source"})).await;
    field.synced("web").await;
    let expected = jaas_storage::Entries::from([
        ("main.jsonnet".to_owned(), b"{}".to_vec()),
        ("lib/a.libsonnet".to_owned(), b"{}".to_vec()),
    ]);
    assert_eq!(field.fetch("web").await, expected);
}

#[tokio::test]
async fn manifests_are_documents_that_kustomize_controller_reads() {
    let field = Field::new("manifests").await;
    let code = "{ b: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'b' } }], a: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } } }";
    field.create("web", json!({"files": {"main.jsonnet": code}, "output": "manifests"})).await;
    field.synced("web").await;
    let document = |name: &str| {
        format!(
            "---\n{{\n   \"apiVersion\": \"v1\",\n   \"kind\": \"ConfigMap\",\n   \"metadata\": {{\n      \"name\": \"{name}\"\n   }}\n}}\n"
        )
    };
    assert_eq!(field.fetch("web").await, one_file("manifests.yaml", &(document("a") + &document("b"))));
}

#[tokio::test]
async fn nothing_at_all_can_be_published_on_purpose() {
    let field = Field::new("empty").await;
    field.create("web", json!({"files": {"main.jsonnet": "[]"}, "output": "manifests", "allowEmpty": true})).await;
    field.synced("web").await;
    assert_eq!(field.fetch("web").await, one_file("manifests.yaml", ""));
}

#[tokio::test]
async fn an_object_without_a_spec_is_answered_and_harms_nobody() {
    let field = Field::new("specless").await;
    // The definition's rules speak of fields of the spec, so an object without one passes them.
    let object = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"name": "bare", "namespace": field.namespace.name}});
    field.plane.apply_objects(&[object]).await.unwrap();
    field.judged("bare", "ServiceAccountMissing").await;
    field.create_file("web", "{}").await;
    field.synced("web").await;
}
