//! What a snippet that cannot be published says, on a real API server: reason, sentence, event.

use jaas_api::JsonnetSnippet;
use jaas_tests::wait::eventually;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::field::{Field, PATIENCE, message, status};

/// Creates a snippet, and answers what it says once it is judged with `reason`.
async fn said(field: &Field, name: &str, reason: &str, spec: Value) -> String {
    field.create(name, spec).await;
    let snippet = field.judged(name, reason).await;
    let ready = status(&snippet).ready().cloned().unwrap();
    assert_eq!((ready.status.as_str(), ready.observed_generation), ("False", snippet.metadata.generation));
    assert_eq!(status(&snippet).revision, None);
    message(&snippet)
}

fn file(code: &str) -> Value {
    json!({"files": {"main.jsonnet": code}})
}

#[tokio::test]
async fn each_mistake_in_a_spec_has_its_reason_and_sentence() {
    let field = Field::with("refusals", &["--ext-var=taken=1", "--max-artifact-bytes=100"]).await;
    let page = "https://jaas.projects.metio.wtf/runbooks";
    let ours = |reason: &str| format!(" (kubectl jaas explain {reason})");

    assert_eq!(
        said(&field, "entry", "InvalidSpec", json!({"files": {"other.jsonnet": "{}"}})).await,
        format!("source must contain \"main.jsonnet\" as the snippet entry point (runbook: {page}/invalidspec/)")
    );
    assert_eq!(
        said(
            &field,
            "account",
            "ServiceAccountMissing",
            json!({"files": {"main.jsonnet": "{}"}, "serviceAccountName": ""})
        )
        .await,
        format!(
            "neither spec.serviceAccountName nor --default-service-account is set (runbook: {page}/serviceaccountmissing/)"
        )
    );
    assert_eq!(
        said(
            &field,
            "ghost",
            "ServiceAccountMissing",
            json!({"files": {"main.jsonnet": "{}"}, "serviceAccountName": "ghost"})
        )
        .await,
        format!(
            "ServiceAccount \"ghost\" not found in namespace {:?}; create it or name another in spec.serviceAccountName (runbook: {page}/serviceaccountmissing/)",
            field.namespace.name
        )
    );
    let taken = json!({"files": {"main.jsonnet": "{}"}, "externalVariables": [{"name": "taken", "value": "2"}]});
    assert_eq!(
        said(&field, "taken", "ExternalVariableConflict", taken).await,
        format!(
            "spec.externalVariables[\"taken\"] conflicts with --ext-var (runbook: {page}/externalvariableconflict/)"
        )
    );
    let source = json!({"sourceRef": {"kind": "GitRepository", "name": "repo"}});
    assert_eq!(
        said(&field, "source", "SourceFetchFailed", source).await,
        format!(
            "GitRepository {}/repo not found; create it or correct the sourceRef (runbook: {page}/sourcefetchfailed/)",
            field.namespace.name
        )
    );
    let library = |reference: Value| json!({"files": {"main.jsonnet": "{}"}, "libraries": [reference]});
    assert_eq!(
        said(&field, "nolib", "LibraryNotFound", library(json!({"kind": "JsonnetLibrary", "name": "nope"}))).await,
        format!("JsonnetLibrary \"nope\" in {:?} not found (runbook: {page}/librarynotfound/)", field.namespace.name)
    );
    let far = library(json!({"kind": "JsonnetLibrary", "name": "lib", "namespace": "kube-system"}));
    assert_eq!(
        said(&field, "far", "CrossNamespaceRefRejected", far).await,
        format!(
            "spec.libraries[lib] points at namespace \"kube-system\" but --no-cross-namespace-refs is set (runbook: {page}/crossnamespacerefrejected/)"
        )
    );
    let large = file("std.repeat('x', 200)");
    assert_eq!(
        said(&field, "large", "ArtifactTooLarge", large).await,
        format!(
            "the artifact is 203 bytes; --max-artifact-bytes allows 100; split the snippet or ask the administrator (runbook: {page}/artifacttoolarge/)"
        )
    );
    let manifests = |code: &str| json!({"files": {"main.jsonnet": code}, "output": "manifests"});
    let none = said(&field, "none", "NoManifests", manifests("{ a: 1 }")).await;
    assert!(none.ends_with(&ours("NoManifests")), "{none}");
    let nameless = "{ x: [{ apiVersion: 'v1', kind: 'Pod', metadata: {} }] }";
    let invalid = said(&field, "nameless", "InvalidManifests", manifests(nameless)).await;
    assert!(invalid.contains("$.x[0]") && invalid.ends_with(&ours("InvalidManifests")), "{invalid}");
    let hidden = json!({"files": {"main.jsonnet": "{}", ".hidden": "x"}, "output": "source"});
    let unsafe_name = said(&field, "hidden", "InvalidSpec", hidden).await;
    assert!(
        unsafe_name.starts_with("publisher: source entry name would be dropped by consumers: \".hidden\""),
        "{unsafe_name}"
    );
}

#[tokio::test]
async fn a_diagnostic_names_file_line_and_column() {
    let field = Field::new("diagnostic").await;
    let said = said(&field, "web", "EvaluationFailed", file("local x = 1;\nx +\n  error 'boom'")).await;
    assert!(
        said.contains("boom") && said.contains(&format!("{}/web/main.jsonnet:3:3", field.namespace.name)),
        "{said}"
    );
    assert!(said.ends_with("(runbook: https://jaas.projects.metio.wtf/runbooks/evaluationfailed/)"), "{said}");
}

#[tokio::test]
async fn a_diagnostic_of_any_length_is_told() {
    let field = Field::new("endless").await;
    let said = said(&field, "web", "EvaluationFailed", file("error std.repeat('ä', 100000)")).await;
    assert!(said.len() <= 32_768 && said.ends_with("/evaluationfailed/)"), "{} bytes", said.len());
}

#[tokio::test]
async fn an_account_without_rights_is_told_what_it_lacks_and_works_once_it_has_them() {
    let field = Field::new("rights").await;
    field
        .plane
        .apply_objects(&[json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bare", "namespace": field.namespace.name}})])
        .await
        .unwrap();
    let mut spec = file("{}");
    spec["serviceAccountName"] = json!("bare");
    let said = said(&field, "web", "RBACDenied", spec).await;
    assert!(
        said.starts_with(
            "RBAC denied publishing the ExternalArtifact — grant the tenant ServiceAccount the missing verb. "
        ) && said.contains("cannot create resource \"externalartifacts\""),
        "{said}"
    );
    field.patch("web", json!({"spec": {"serviceAccountName": "tenant"}})).await;
    field.synced("web").await;
}

#[tokio::test]
async fn a_reason_is_announced_once_and_every_request_is_answered() {
    let field = Field::new("events").await;
    field.create_file("web", "error 'one'").await;
    field.judged("web", "EvaluationFailed").await;
    field.patch("web", json!({"spec": {"files": {"main.jsonnet": "error 'two'"}}})).await;
    field.until("web", "tells of its new mistake", |snippet| message(snippet).contains("two")).await;
    field.ask("web", "token-1").await;
    field.patch("web", json!({"spec": {"files": {"main.jsonnet": "{}"}}})).await;
    field.synced("web").await;

    let events: Api<Event> = Api::namespaced(field.client.clone(), &field.namespace.name);
    let seen = eventually("both events", PATIENCE, async || {
        let list = events.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let mut seen: Vec<_> = list
            .items
            .into_iter()
            .filter(|event| event.regarding.as_ref().is_some_and(|object| object.name.as_deref() == Some("web")))
            .map(|event| {
                (
                    event.type_.unwrap_or_default(),
                    event.reason.unwrap_or_default(),
                    event.note.unwrap_or_default(),
                    event.reporting_controller.unwrap_or_default(),
                    event.series.is_some(),
                )
            })
            .collect();
        seen.sort();
        if seen.len() < 2 { Err(format!("{seen:?}")) } else { Ok(seen) }
    })
    .await
    .unwrap();
    assert_eq!(seen.len(), 2, "{seen:?}");
    let (normal, warning) = (&seen[0], &seen[1]);
    assert_eq!(
        (normal.0.as_str(), normal.1.as_str(), normal.2.as_str()),
        ("Normal", "Synced", "Rendered 4 bytes from 1 files")
    );
    assert_eq!(
        (warning.0.as_str(), warning.1.as_str(), warning.3.as_str()),
        ("Warning", "EvaluationFailed", "jaas-operator")
    );
    assert!(warning.2.contains("one") && !warning.2.contains("runbook") && !warning.4, "{warning:?}");
}

#[tokio::test]
async fn a_library_that_appears_later_lifts_the_refusal() {
    let field = Field::new("later").await;
    let spec =
        json!({"files": {"main.jsonnet": "import 'lib'"}, "libraries": [{"kind": "JsonnetLibrary", "name": "lib"}]});
    said(&field, "web", "LibraryNotFound", spec).await;
    field.create_library("lib", json!({"main.libsonnet": "7"})).await;
    field.synced("web").await;
    // Gone again: what was published stays, and the snippet says what it misses.
    field.libraries.delete("lib", &DeleteParams::default()).await.unwrap();
    field.judged("web", "LibraryNotFound").await;
    assert!(!field.fetch("web").await.is_empty());
    let snippet: JsonnetSnippet = field.snippets.get("web").await.unwrap();
    assert_eq!(snippet.name_any(), "web");
}
