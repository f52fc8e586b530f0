//! Files from Flux sources. source-controller's part is played by hand: see [`jaas_tests::upstream`].

use std::time::{Duration, Instant};

use jaas_api::artifact::SOURCE_REVISION;
use jaas_sources::digest::Algorithm;
use jaas_tests::upstream::{KINDS, Reply, condition};
use serde_json::{Value, json};

use crate::field::{Field, message, one_file, status};
use crate::meadow::{Meadow, digest, tarball};

#[tokio::test]
async fn every_kind_of_source_is_rendered_and_followed_to_its_next_revision() {
    let meadow = Meadow::new("kinds").await;
    for kind in KINDS {
        let name = kind.to_lowercase();
        let source = meadow.source(kind, &name).await;
        let path = format!("/{name}/1.tar.gz");
        meadow.publish(&source, &path, &[("main.jsonnet", "import 'lib/a'"), ("lib/a", "1")], "main@sha1:01").await;
        // A snippet of another name: the source is an artifact that somebody else keeps.
        let snippet = format!("web-{name}");
        meadow.snippet(&snippet, kind, &name).await;
        let synced = meadow.field.synced(&snippet).await;
        assert_eq!(status(&synced).source_revision.as_deref(), Some("main@sha1:01"), "{kind}");
        let artifact = meadow.field.artifact(&snippet).await;
        let told = artifact.published().unwrap().metadata.get(SOURCE_REVISION).cloned();
        assert_eq!(told.as_deref(), Some("main@sha1:01"), "{kind}");
        assert_eq!(meadow.field.fetch(&snippet).await, one_file("rendered.json", "1\n"));

        let begun = Instant::now();
        let path = format!("/{name}/2.tar.gz");
        meadow.publish(&source, &path, &[("main.jsonnet", "2")], "main@sha1:02").await;
        meadow.follows(&snippet, "2\n").await;
        // Far below every pause after which it would be looked at again anyway: a change of the source is what wakes it.
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(10), "{kind}: followed after {took:?}");
        assert_eq!(meadow.archives.asked(&path), 1, "{kind}");
        // The same content from another commit: a new revision is told, and nothing is published anew.
        let path = format!("/{name}/3.tar.gz");
        meadow.publish(&source, &path, &[("main.jsonnet", "2"), ("README", "x")], "main@sha1:03").await;
        let told =
            |snippet: &jaas_api::JsonnetSnippet| status(snippet).source_revision.as_deref() == Some("main@sha1:03");
        let followed = meadow.field.until(&snippet, "tells the commit", told).await;
        assert_eq!(status(&followed).history.len(), 1, "{kind}");
    }
}

#[tokio::test]
async fn many_snippets_and_libraries_on_one_source_cost_one_download_and_a_heartbeat_none() {
    let meadow = Meadow::new("shared").await;
    let source = meadow.source("GitRepository", "repo").await;
    let files =
        |n: &'static str| [("env/a/main.jsonnet", n), ("env/b/main.jsonnet", "import 'lib/x'"), ("vendor/x", n)];
    meadow.publish(&source, "/1", &files("1"), "1").await;
    let library = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetLibrary",
        "metadata": {"name": "lib", "namespace": meadow.field.namespace.name},
        "spec": {"sourceRef": {"kind": "GitRepository", "name": "repo", "path": "./vendor/"}}});
    meadow.field.plane.apply_objects(&[library]).await.unwrap();
    let names: Vec<String> = (0..10).map(|n| format!("s{n}")).collect();
    for (n, name) in names.iter().enumerate() {
        let (path, libraries) = match n % 2 {
            0 => ("env/a", json!([])),
            _ => ("env//b/", json!([{"kind": "JsonnetLibrary", "name": "lib"}])),
        };
        let reference = json!({"kind": "GitRepository", "name": "repo", "path": path});
        meadow.field.create(name, json!({"sourceRef": reference, "libraries": libraries})).await;
    }
    for name in &names {
        meadow.field.synced(name).await;
    }
    assert_eq!(meadow.archives.asked("/1"), 1);
    meadow.publish(&source, "/2", &files("2"), "2").await;
    for name in &names {
        meadow.follows(name, "2\n").await;
    }
    assert_eq!((meadow.archives.asked("/1"), meadow.archives.asked("/2")), (1, 1));

    // What source-controller writes at every interval is no change; the library's own status is none either.
    let versions = async || {
        let mut versions = Vec::new();
        for name in &names {
            versions.push(meadow.field.snippets.get(name).await.unwrap().metadata.resource_version);
        }
        versions
    };
    let before = versions().await;
    let reconciled = || meadow.field.operator.log().matches("\"Reconciled\"").count();
    // A status is seen before the line about it is written.
    jaas_tests::wait::eventually("two lines about each", Duration::from_secs(60), async || {
        let log = meadow.field.operator.log();
        let told = |name: &str| {
            let quoted = format!("\"{name}\"");
            log.lines().filter(|line| line.contains("\"Synced\"") && line.contains(&quoted)).count()
        };
        let few: Vec<_> = names.iter().filter(|name| told(name) < 2).collect();
        if few.is_empty() { Ok(()) } else { Err(format!("{few:?}")) }
    })
    .await
    .unwrap();
    let quiet = reconciled();
    for n in 0..5 {
        let heartbeat =
            json!({"observedGeneration": 1, "artifact": {"lastUpdateTime": format!("2026-01-01T00:00:0{n}Z")}});
        source.status(heartbeat).await.unwrap();
    }
    // Whatever the heartbeats woke would stand before this in the log.
    meadow.field.create_file("later", "1").await;
    meadow.field.synced("later").await;
    assert_eq!(versions().await, before);
    let after = meadow.field.operator.log();
    let woken = names.iter().filter(|name| {
        let lines = after.lines().filter(|line| line.contains("\"Reconciled\"")).skip(quiet);
        lines.into_iter().any(|line| line.contains(&format!("\"{name}\"")))
    });
    assert_eq!(woken.count(), 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_source_is_told_and_heals_with_it() {
    let meadow = Meadow::new("trouble").await;
    let source = meadow.source("GitRepository", "repo").await;
    meadow.snippet("web", "GitRepository", "repo").await;
    let says = async |reason: &str, words: &str| {
        let told = |snippet: &jaas_api::JsonnetSnippet| {
            let ready = status(snippet).ready().cloned();
            ready.is_some_and(|ready| ready.reason == reason && ready.message.contains(words))
        };
        meadow.field.until("web", &format!("says {reason}: {words}"), told).await;
    };
    let ready = || json!([condition("True", "Succeeded", "ok")]);
    says("SourceNotReady", "(status.conditions not yet populated): source not ready").await;
    source.status(json!({"conditions": [condition("False", "GitOperationFailed", "no")]})).await.unwrap();
    says("SourceNotReady", "(Ready=False/GitOperationFailed): source not ready").await;
    source.status(json!({"conditions": ready()})).await.unwrap();
    says("SourceNotReady", "source has no status.artifact yet").await;

    let bytes = tarball(&[("main.jsonnet", "'first'")]);
    let sha256 = digest(Algorithm::Sha256, &bytes);
    let url = meadow.archives.url("/x");
    source.announces(&url, "md5:00", "1").await.unwrap();
    says("SourceFetchFailed", "`md5:00` is no digest").await;
    source.announces(&url, &sha256, "1").await.unwrap();
    says("SourceFetchFailed", "HTTP 404").await;
    // A 404 heals by itself, soon.
    meadow.archives.set("/x", Reply::Bytes(bytes.clone()));
    meadow.follows("web", "\"first\"\n").await;

    // What cannot be fetched leaves what was published alone.
    let next = tarball(&[("main.jsonnet", "'second'")]);
    for (path, reply, words) in [
        ("/torn", Reply::Torn(next.clone(), 20), "cannot be reached"),
        ("/busy", Reply::Status(503, "retry-after: 1\r\n".to_owned()), "HTTP 503"),
        ("/gone", Reply::Status(410, String::new()), "HTTP 410"),
        ("/wrong", Reply::Bytes(bytes.clone()), "not what its source announces"),
    ] {
        meadow.archives.set(path, reply);
        let digest = digest(Algorithm::Sha256, &next);
        source.announces(&meadow.archives.url(path), &digest, "2").await.unwrap();
        says("SourceFetchFailed", words).await;
        assert_eq!(meadow.field.fetch("web").await, one_file("rendered.json", "\"first\"\n"));
    }
    // Trouble that may pass is over without anybody's doing.
    meadow.archives.set("/busy", Reply::Bytes(next.clone()));
    source.announces(&meadow.archives.url("/busy"), &digest(Algorithm::Sha256, &next), "2").await.unwrap();
    meadow.follows("web", "\"second\"\n").await;

    // Every algorithm that Flux has, and a suspended source is as good as it was.
    for (algorithm, text) in [(Algorithm::Sha384, "'384'"), (Algorithm::Sha512, "'512'"), (Algorithm::Blake3, "'b3'")] {
        let bytes = tarball(&[("main.jsonnet", text)]);
        let path = format!("/{}", algorithm.word());
        meadow.archives.set(&path, Reply::Bytes(bytes.clone()));
        source.announces(&meadow.archives.url(&path), &digest(algorithm, &bytes), "3").await.unwrap();
        meadow.follows("web", &format!("{}\n", text.replace('\'', "\""))).await;
    }
    source.delete().await.unwrap();
    says("SourceFetchFailed", "not found; create it or correct the sourceRef").await;
    assert_eq!(meadow.field.fetch("web").await, one_file("rendered.json", "\"b3\"\n"));
    let again = meadow.source("GitRepository", "repo").await;
    meadow.publish(&again, "/again", &[("main.jsonnet", "'again'")], "4").await;
    meadow.follows("web", "\"again\"\n").await;
}

#[tokio::test]
async fn what_may_not_be_asked_for_is_refused_with_the_words_that_help() {
    let meadow = Meadow::new("refused").await;
    let field = &meadow.field;
    let source = meadow.source("GitRepository", "repo").await;
    let anything = digest(Algorithm::Sha256, b"");
    let refused = async |name: &str, spec: Value, reason: &str, words: &str| {
        field.create(name, spec).await;
        let told = message(&field.judged(name, reason).await);
        assert!(told.contains(words), "{name}: {told}");
    };
    let reference = |more: Value| {
        let mut reference = json!({"kind": "GitRepository", "name": "repo"});
        reference.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"sourceRef": reference})
    };
    for (n, (url, words)) in [
        ("http://169.254.169.254/latest", "link-local"),
        ("http://127.0.0.1:1/x", "loopback"),
        ("http://2130706433/x", "127.0.0.1"),
        ("http://git.example/x", "not among the hosts that may be asked"),
        ("file:///etc/passwd", "no http or https address"),
    ]
    .into_iter()
    .enumerate()
    {
        source.announces(url, &anything, "1").await.unwrap();
        refused(&format!("url{n}"), reference(json!({})), "SourceFetchFailed", words).await;
        field.delete(&format!("url{n}")).await;
    }
    let told = "is not of source.toolkit.fluxcd.io";
    refused("version", reference(json!({"apiVersion": "v1"})), "InvalidSpec", told).await;
    refused("leaves", reference(json!({"path": "a/../.."})), "InvalidSpec", "leaves the archive").await;
    let told = "spec.sourceRef points at namespace \"kube-system\" but --no-cross-namespace-refs is set";
    refused("far", reference(json!({"namespace": "kube-system"})), "CrossNamespaceRefRejected", told).await;
    meadow.publish(&source, "/files", &[("lib/a.jsonnet", "1"), (".hidden/main.jsonnet", "2")], "1").await;
    let told = "source must contain \"main.jsonnet\" as the snippet entry point";
    refused("entry", reference(json!({})), "InvalidSpec", told).await;
    let told = "spec.sourceRef.path \"other\" matched no files in the artifact";
    refused("empty", reference(json!({"path": "other"})), "InvalidSpec", told).await;
}

#[tokio::test]
async fn an_account_without_the_right_to_a_source_is_told_which() {
    let meadow = Meadow::new("rights").await;
    let (field, namespace) = (&meadow.field, &meadow.field.namespace.name);
    let source = meadow.source("Bucket", "store").await;
    meadow.publish(&source, "/x", &[("main.jsonnet", "1")], "1").await;
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "poor", "namespace": namespace}});
    field.plane.apply_objects(&[account]).await.unwrap();
    let spec = json!({"serviceAccountName": "poor", "sourceRef": {"kind": "Bucket", "name": "store"}});
    field.create("web", spec).await;
    let told = message(&field.judged("web", "RBACDenied").await);
    assert!(told.contains("RBAC denied reading the source CR") && told.contains("buckets"), "{told}");
    assert_eq!(meadow.archives.asked("/x"), 0, "nothing is fetched for an account that may not read the source");
}

#[tokio::test]
async fn snippets_are_made_of_snippets_and_a_way_back_is_refused_with_the_way() {
    let field = Field::new("chain").await;
    let chained =
        |name: &str| json!({"sourceRef": {"kind": "ExternalArtifact", "name": name}, "entryFile": "rendered.json"});
    field.create_file("first", "{ n: 1 }").await;
    field.create("second", chained("first")).await;
    field.create("third", chained("second")).await;
    field.synced("third").await;
    assert_eq!(field.fetch("third").await, one_file("rendered.json", "{\n   \"n\": 1\n}\n"));
    let patch = json!({"spec": {"files": {"main.jsonnet": "{ n: 2 }"}}});
    field.patch("first", patch).await;
    let text = "{\n   \"n\": 2\n}\n";
    let revision = jaas_storage::Revision::of_document(text.as_bytes()).to_string();
    field.until("third", "follows", |snippet| status(snippet).revision.as_ref() == Some(&revision)).await;

    field
        .patch("first", json!({"spec": {"files": null, "sourceRef": {"kind": "ExternalArtifact", "name": "third"}}}))
        .await;
    let told = message(&field.judged("first", "DependencyCycle").await);
    let namespace = &field.namespace.name;
    let way = ["first", "third", "second", "first"].map(|name| format!("{namespace}/{name}")).join(" → ");
    assert!(told.starts_with(&format!("spec.sourceRef chain forms a cycle: {way}")), "{told}");
    // The others are told at once, not when their turn comes.
    for other in ["second", "third"] {
        field.judged(other, "DependencyCycle").await;
    }
    field.patch("first", json!({"spec": {"sourceRef": null, "files": {"main.jsonnet": "{ n: 3 }"}}})).await;
    field.synced("first").await;
    let text = "{\n   \"n\": 3\n}\n";
    let revision = jaas_storage::Revision::of_document(text.as_bytes()).to_string();
    field.until("third", "follows", |snippet| status(snippet).revision.as_ref() == Some(&revision)).await;
}
