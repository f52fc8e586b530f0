//! Kinds that are not installed, are removed, or may not be watched.

use jaas_tests::controlplane::Options;
use jaas_tests::manifests;
use jaas_tests::wait::gone;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DeleteParams, PostParams};

use crate::bed::{Bed, PATIENCE};

#[tokio::test]
async fn definitions_that_are_missing_at_the_start_are_waited_for() {
    let bed = Bed::with(Options { jaas_crds: false, flux_crds: false, ..Options::default() }, &[]).await;
    assert!(!bed.is_told("JsonnetSnippet", "missing").await);
    assert!(!bed.is_told("ExternalArtifact", "missing").await);
    bed.is_told("GitRepository", "missing").await;
    bed.logged("waiting for a watched resource before reconciling").await;
    bed.logged("Skipping watch on Flux source kind not installed in cluster").await;

    let program = bed.plane.operator_program().unwrap();
    let printed = tokio::process::Command::new(program).args(["generate", "crds"]).output().await.unwrap();
    bed.plane.apply(std::str::from_utf8(&printed.stdout).unwrap()).await.unwrap();
    assert!(!bed.is_told("ExternalArtifact", "missing").await, "the artifacts are still missing");
    manifests::apply_directory(&bed.client().await, &bed.plane.programs().flux_crds).await.unwrap();
    bed.is_well().await;
    bed.logged("all watched resources are now installed and permitted; reconciliation can proceed").await;
    bed.logged("Engaged dynamic watch on newly-installed Flux source kind").await;
    bed.create("web", "1").await;
    bed.published("web", "1\n").await;
}

#[tokio::test]
async fn a_definition_that_is_removed_and_made_again_is_watched_again_and_artifacts_are_announced_anew() {
    let bed = Bed::new().await;
    bed.create("web", "1").await;
    let url = bed.published("web", "1\n").await;
    let definitions: Api<CustomResourceDefinition> = Api::all(bed.client().await);
    for (name, kind) in [
        ("externalartifacts.source.toolkit.fluxcd.io", "ExternalArtifact"),
        ("jsonnetlibraries.jaas.metio.wtf", "JsonnetLibrary"),
    ] {
        let mut definition = definitions.get(name).await.unwrap();
        definitions.delete(name, &DeleteParams::default()).await.unwrap();
        gone(&definitions, name, PATIENCE).await.unwrap();
        assert!(!bed.is_told(kind, "missing").await, "{kind} is needed");
        assert_eq!(bed.probe("/ready").await.status, 200, "what there is can be served");
        definition.metadata = kube::core::ObjectMeta { name: Some(name.to_owned()), ..Default::default() };
        definition.status = None;
        definitions.create(&PostParams::default(), &definition).await.unwrap();
        bed.is_well().await;
        assert_eq!(bed.published("web", "1\n").await, url);
    }
    bed.edit("web", "2").await;
    bed.published("web", "2\n").await;
}

#[tokio::test]
async fn a_source_kind_that_may_not_be_watched_is_a_matter_of_that_kind_alone() {
    let bed = Bed::new().await;
    bed.create("web", "0").await;
    bed.published("web", "0\n").await;
    bed.is_well().await;
    let kinds = [("buckets", "Bucket"), ("gitrepositories", "GitRepository"), ("ocirepositories", "OCIRepository")];
    for (n, (plural, kind)) in kinds.into_iter().enumerate() {
        let right = bed.take_right(plural).await;
        assert!(bed.is_told(kind, "forbidden").await, "everything else goes on");
        let (_, troubles) = bed.reconciling().await;
        assert_eq!(troubles.as_object().unwrap().len(), 1, "{troubles}");
        let said = troubles[kind]["message"].as_str().unwrap();
        assert!(said.contains(plural) && said.contains("forbidden"), "{said}");
        assert_eq!(bed.probe("/ready").await.status, 200);
        bed.has("jaas_ready_to_reconcile 1").await;
        bed.logged("Failed to engage Flux source watch; retrying").await;
        let gvk = format!("gvk=\"source.toolkit.fluxcd.io/v1, Kind={kind}\"");
        let counted = bed.operator.metrics().await.unwrap();
        assert!(counted.contains(&format!("jaas_crd_watch_engagement_failures_total{{{gvk}}}")), "{counted}");
        let code = (n + 1).to_string();
        bed.edit("web", &code).await;
        bed.published("web", &format!("{code}\n")).await;

        bed.give_back(right).await;
        bed.is_well().await;
    }
}
