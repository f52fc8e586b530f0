//! Snippets on sources of a kind that the operator may not watch for a while.

use std::collections::BTreeMap;

use jaas_api::JsonnetSnippet;
use jaas_tests::controlplane::Options;
use jaas_tests::http::get;
use jaas_tests::manifests;
use jaas_tests::upstream::{Archives, Reply, Source, archive};
use jaas_tests::wait;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::bed::{Bed, PATIENCE};

/// Has a source announce an archive of one file with this text.
async fn announce(archives: &Archives, source: &Source, text: &str) {
    let bytes = archive(&BTreeMap::from([("main.jsonnet", text), ("main.libsonnet", text)])).unwrap();
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
    let path = format!("/{text}");
    archives.set(&path, Reply::Bytes(bytes));
    source.announces(&archives.url(&path), &digest, text).await.unwrap();
}

/// Waits until the snippet has published this text and its condition is this; answers the condition's message.
async fn says(bed: &Bed, name: &str, text: &str, reason: &str) -> String {
    let revision = jaas_storage::Revision::of_document(format!("{text}\n").as_bytes()).to_string();
    let wanted = format!("has published {text} and says {reason}");
    let snippets = bed.snippets().await;
    let snippet = wait::object(&snippets, name, wanted, PATIENCE, |snippet: &JsonnetSnippet| {
        let status = snippet.status.clone().unwrap_or_default();
        let says = status
            .ready()
            .is_some_and(|ready| ready.reason == reason && ready.observed_generation == snippet.metadata.generation);
        says && status.revision.as_ref() == Some(&revision)
    });
    let snippet = bed.or_log(snippet.await);
    snippet.status.unwrap().ready().unwrap().message.clone()
}

#[tokio::test]
async fn snippets_on_a_kind_that_may_not_be_watched_say_so_and_go_on_as_well_as_they_can() {
    let archives = Archives::start().await.unwrap();
    let bed = Bed::with(Options::default(), &[&archives.flag()]).await;
    let client = bed.client().await;
    let namespace = bed.namespace.name.clone();
    let kinds = [("buckets", "Bucket"), ("gitrepositories", "GitRepository"), ("ocirepositories", "OCIRepository")];
    let mut sources = Vec::new();
    for (plural, kind) in kinds {
        let source = Source::create(&client, kind, &namespace, "repo").await.unwrap();
        announce(&archives, &source, "1").await;
        bed.create_spec(plural, json!({"sourceRef": {"kind": kind, "name": "repo"}})).await;
        sources.push(source);
    }
    let library = json!({
        "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetLibrary", "metadata": {"name": "lib", "namespace": namespace},
        "spec": {"sourceRef": {"kind": "Bucket", "name": "repo"}},
    });
    manifests::apply_objects(&client, vec![library]).await.unwrap();
    let spec =
        json!({"files": {"main.jsonnet": "import 'lib'"}, "libraries": [{"kind": "JsonnetLibrary", "name": "lib"}]});
    bed.create_spec("by-library", spec).await;
    for (plural, _) in kinds {
        says(&bed, plural, "1", "Synced").await;
    }
    says(&bed, "by-library", "1", "Synced").await;

    for ((plural, kind), source) in kinds.into_iter().zip(&sources) {
        let right = bed.take_right(plural).await;
        let message = says(&bed, plural, "1", "RBACDenied").await;
        let account = "its account \"system:serviceaccount:jaas-system";
        for words in [kind, account, "list and watch", &format!("{plural}.source.toolkit.fluxcd.io"), "has to give it"]
        {
            assert!(message.contains(words), "{words:?} is missing in {message}");
        }
        let others: Vec<_> = kinds.iter().filter(|(other, _)| *other != plural).collect();
        for (other, _) in &others {
            says(&bed, other, "1", "Synced").await;
        }
        let ready = format!("jaas_snippet_ready{{namespace=\"{namespace}\",name=\"{plural}\"");
        bed.has(&format!("{ready},reason=\"RBACDenied\"}} 0")).await;
        // What is published stays there and announced, and what its owner changes is published.
        let announced = bed.artifacts().await.get(plural).await.unwrap();
        assert_eq!(get(&announced.published().unwrap().url).await.unwrap().status, 200);
        if kind == "Bucket" {
            assert_eq!(says(&bed, "by-library", "1", "RBACDenied").await, message);
        }
        announce(&archives, source, "2").await;
        let asked = Patch::Merge(json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}}));
        bed.snippets().await.patch(plural, &PatchParams::default(), &asked).await.unwrap();
        assert_eq!(says(&bed, plural, "2", "RBACDenied").await, message, "a request finds what is new");
        if kind == "Bucket" {
            // Nobody asked for this one, and nothing told of it: it was looked at.
            says(&bed, "by-library", "2", "RBACDenied").await;
        }
        bed.give_back(right).await;
        says(&bed, plural, "2", "Synced").await;
        bed.has(&format!("{ready},reason=\"Synced\"}} 1")).await;
        announce(&archives, source, "3").await;
        says(&bed, plural, "3", "Synced").await;
        announce(&archives, source, "1").await;
        says(&bed, plural, "1", "Synced").await;
    }
    says(&bed, "by-library", "1", "Synced").await;
}
