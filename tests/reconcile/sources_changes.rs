//! What sources go through, with snippets and libraries of every kind on them. source-controller's part is played by hand.

use std::time::Duration;

use jaas_api::JsonnetSnippet;
use jaas_sources::digest::Algorithm;
use jaas_tests::upstream::{KINDS, Reply, Source, condition};
use jaas_tests::wait;
use serde_json::{Value, json};

use crate::field::{message, one_file, status, tail};
use crate::meadow::{Meadow, digest, tarball};

/// Longer than a server may be silent or slow, and the time until it is asked again.
const LONG: Duration = Duration::from_secs(120);

/// A source of each kind, and on each a snippet and a library that another snippet imports.
struct Four {
    meadow: Meadow,
    sources: Vec<Source>,
}

impl Four {
    async fn new(prefix: &str) -> Self {
        let meadow = Meadow::new(prefix).await;
        let mut sources = Vec::new();
        for kind in KINDS {
            let name = kind.to_lowercase();
            sources.push(meadow.source(kind, &name).await);
            meadow.snippet(&format!("own-{name}"), kind, &name).await;
            meadow.library(&format!("lib-{name}"), json!({"kind": kind, "name": name})).await;
            meadow.importer(&format!("imports-{name}"), &format!("lib-{name}")).await;
        }
        Self { meadow, sources }
    }

    fn snippets() -> impl Iterator<Item = String> {
        KINDS.iter().flat_map(|kind| ["own", "imports"].map(|how| format!("{how}-{}", kind.to_lowercase())))
    }

    /// The content of both an entry file and a library.
    fn files(text: &str) -> [(&'static str, &str); 2] {
        [("main.jsonnet", text), ("main.libsonnet", text)]
    }

    /// Has every source announce this.
    async fn publish(&self, text: &str, revision: &str) {
        for (kind, source) in KINDS.iter().zip(&self.sources) {
            let path = format!("/{}/{revision}.tar.gz", kind.to_lowercase());
            self.meadow.publish(source, &path, &Self::files(text), revision).await;
        }
    }

    async fn all_follow(&self, text: &str) {
        for snippet in Self::snippets() {
            self.meadow.follows(&snippet, text).await;
        }
    }

    async fn all_say(&self, reason: &str, words: &str) {
        for snippet in Self::snippets() {
            self.meadow.says(&snippet, reason, words).await;
        }
    }
}

#[tokio::test]
async fn snippets_and_libraries_of_every_kind_go_with_their_source_through_all_that_befalls_it() {
    let four = Four::new("befalls").await;
    four.all_say("SourceNotReady", "source not ready").await;
    four.publish("1", "one").await;
    four.all_follow("1\n").await;
    four.publish("2", "two").await;
    four.all_follow("2\n").await;
    // A push that was forced: the content of before, as another commit.
    four.publish("1", "three").await;
    four.all_follow("1\n").await;
    // The very object of before: address, digest and revision.
    four.publish("2", "two").await;
    four.all_follow("2\n").await;

    // A 404 that heals, and what was published stays meanwhile.
    for (kind, source) in KINDS.iter().zip(&four.sources) {
        let next = tarball(&Four::files("3"));
        let url = four.meadow.archives.url(&format!("/{kind}/late"));
        source.announces(&url, &digest(Algorithm::Sha256, &next), "late").await.unwrap();
    }
    for snippet in Four::snippets() {
        // Whoever may write an ExternalArtifact chooses the address, and is not told what answers there.
        let is_chosen = snippet.ends_with("externalartifact");
        let words = if is_chosen { "its artifact cannot be fetched from the URL in its status" } else { "HTTP 404" };
        four.meadow.says(&snippet, "SourceFetchFailed", words).await;
        assert_eq!(four.meadow.field.fetch(&snippet).await, one_file("rendered.json", "2\n"), "{snippet}");
    }
    for kind in KINDS {
        four.meadow.archives.set(&format!("/{kind}/late"), Reply::Bytes(tarball(&Four::files("3"))));
    }
    four.all_follow("3\n").await;

    // Gone, with what was published kept, and made anew as another object.
    for source in &four.sources {
        source.delete().await.unwrap();
    }
    four.all_say("SourceFetchFailed", "not found; create it or correct the sourceRef").await;
    for snippet in Four::snippets() {
        assert_eq!(four.meadow.field.fetch(&snippet).await, one_file("rendered.json", "3\n"), "{snippet}");
    }
    let mut again = Vec::new();
    for kind in KINDS {
        again.push(four.meadow.source(kind, &kind.to_lowercase()).await);
    }
    let four = Four { sources: again, ..four };
    four.all_say("SourceNotReady", "source not ready").await;
    four.publish("4", "four").await;
    four.all_follow("4\n").await;
}

#[tokio::test]
async fn after_a_restart_a_changed_source_reaches_its_snippets() {
    let mut four = Four::new("restarted").await;
    four.publish("1", "one").await;
    four.all_follow("1\n").await;
    four.meadow.field.operator.restart().await.unwrap();
    four.meadow.field.operator.wait_ready().await.unwrap();
    // One that is made now comes after everything that the restart had to do.
    four.meadow.field.create_file("last", "1").await;
    four.meadow.field.synced("last").await;
    four.publish("2", "two").await;
    four.all_follow("2\n").await;
}

#[tokio::test]
async fn a_stalled_source_is_told_and_what_was_published_stays() {
    let four = Four::new("stalled").await;
    four.publish("1", "one").await;
    four.all_follow("1\n").await;
    let mut stalled = condition("True", "URLInvalid", "no scheme");
    stalled["type"] = json!("Stalled");
    let conditions = json!([stalled, condition("False", "URLInvalid", "no scheme")]);
    for source in &four.sources {
        source.status(json!({"conditions": conditions})).await.unwrap();
    }
    four.all_say("SourceNotReady", "(Ready=False/URLInvalid): source not ready").await;
    for snippet in Four::snippets() {
        assert_eq!(four.meadow.field.fetch(&snippet).await, one_file("rendered.json", "1\n"), "{snippet}");
    }
    four.publish("2", "two").await;
    four.all_follow("2\n").await;
}

#[tokio::test]
async fn a_suspended_source_is_as_good_as_it_was() {
    let meadow = Meadow::new("suspended").await;
    for kind in ["GitRepository", "OCIRepository", "Bucket"] {
        let name = kind.to_lowercase();
        let source = meadow.source(kind, &name).await;
        meadow.publish(&source, &format!("/{name}"), &[("main.jsonnet", "1")], "1").await;
        let before = format!("before-{name}");
        meadow.snippet(&before, kind, &name).await;
        let synced = meadow.field.synced(&before).await;
        source.suspend(true).await.unwrap();
        // One that comes while it is paused has what it announces, and the other one loses nothing.
        let after = format!("after-{name}");
        meadow.snippet(&after, kind, &name).await;
        meadow.field.synced(&after).await;
        let asked = meadow.field.ask(&before, "token").await;
        assert_eq!(status(&asked).revision, status(&synced).revision);
        assert_eq!(status(&asked).ready().unwrap().status, "True", "{}", message(&asked));
        source.suspend(false).await.unwrap();
        meadow.publish(&source, &format!("/{name}/2"), &[("main.jsonnet", "2")], "2").await;
        meadow.follows(&before, "2\n").await;
        meadow.follows(&after, "2\n").await;
    }
}

#[tokio::test]
async fn another_algorithm_for_the_same_bytes_changes_nothing_that_consumers_see() {
    let meadow = Meadow::new("algorithms").await;
    let source = meadow.source("OCIRepository", "repo").await;
    let bytes = tarball(&[("main.jsonnet", "1"), ("main.libsonnet", "1")]);
    meadow.archives.set("/x", Reply::Bytes(bytes.clone()));
    let url = meadow.archives.url("/x");
    source.announces(&url, &digest(Algorithm::Sha256, &bytes), "sha256").await.unwrap();
    meadow.snippet("own", "OCIRepository", "repo").await;
    meadow.library("lib", json!({"kind": "OCIRepository", "name": "repo"})).await;
    meadow.importer("imports", "lib").await;
    let first = [meadow.field.synced("own").await, meadow.field.synced("imports").await];
    for algorithm in [Algorithm::Sha384, Algorithm::Sha512, Algorithm::Blake3, Algorithm::Sha256] {
        let word = algorithm.word();
        source.announces(&url, &digest(algorithm, &bytes), word).await.unwrap();
        let told = |snippet: &JsonnetSnippet| status(snippet).source_revision.as_deref() == Some(word);
        meadow.field.until("own", &format!("tells {word}"), told).await;
    }
    // The library's snippet has been through the last of them once it has answered.
    let now = [meadow.field.ask("own", "end").await, meadow.field.ask("imports", "end").await];
    for (first, now) in first.iter().zip(&now) {
        let (first, now) = (status(first), status(now));
        assert_eq!((&now.revision, &now.artifact_url), (&first.revision, &first.artifact_url));
        assert_eq!(now.history.len(), 1);
        assert_eq!(now.ready().unwrap().status, "True");
    }
}

#[tokio::test]
async fn what_is_no_archive_is_refused_and_what_was_published_stays() {
    let meadow = Meadow::new("no-archive").await;
    let source = meadow.source("Bucket", "store").await;
    let whole = tarball(&[("main.jsonnet", "'whole'")]);
    meadow.archives.set("/whole", Reply::Bytes(whole.clone()));
    let whole_digest = digest(Algorithm::Sha256, &whole);
    source.announces(&meadow.archives.url("/whole"), &whole_digest, "1").await.unwrap();
    meadow.snippet("web", "Bucket", "store").await;
    meadow.library("lib", json!({"kind": "Bucket", "name": "store"})).await;
    meadow
        .field
        .create(
            "imports",
            json!({"files": {"main.jsonnet": "importstr 'lib/main.jsonnet'"},
        "libraries": [{"kind": "JsonnetLibrary", "name": "lib"}]}),
        )
        .await;
    meadow.field.synced("web").await;
    meadow.field.synced("imports").await;

    let other = digest(Algorithm::Sha256, b"other");
    let answer = |status: u16| Reply::Status(status, String::new());
    let own = |bytes: &[u8]| digest(Algorithm::Sha256, bytes);
    let short = whole[..whole.len() - 9].to_vec();
    let cases: [(&str, Reply, String, &str); 10] = [
        ("/cut", Reply::Bytes(short.clone()), own(&short), "the archive"),
        ("/text", Reply::Bytes(b"hello".to_vec()), own(b"hello"), "the archive"),
        ("/nothing", Reply::Bytes(Vec::new()), own(b""), "the archive"),
        ("/other", Reply::Bytes(whole.clone()), other.clone(), "not what its source announces: declared"),
        ("/torn", Reply::Torn(whole.clone(), 20), whole_digest.clone(), "cannot be reached"),
        ("/204", answer(204), whole_digest.clone(), "HTTP 204"),
        ("/206", answer(206), whole_digest.clone(), "HTTP 206"),
        ("/403", answer(403), whole_digest.clone(), "permanent HTTP error: HTTP 403"),
        ("/408", answer(408), whole_digest.clone(), "HTTP 408"),
        ("/500", answer(500), whole_digest.clone(), "HTTP 500"),
    ];
    for (path, reply, digest, words) in cases {
        meadow.archives.set(path, reply);
        source.announces(&meadow.archives.url(path), &digest, path).await.unwrap();
        let own = meadow.says("web", "SourceFetchFailed", words).await;
        assert!(message(&own).starts_with(&format!("Bucket {}/store: ", meadow.field.namespace.name)), "{path}");
        let through = meadow.says("imports", "SourceFetchFailed", words).await;
        assert!(message(&through).starts_with("JsonnetLibrary \"lib\" in "), "{path}: {}", message(&through));
        for (name, text) in [("web", "\"whole\"\n"), ("imports", "\"'whole'\"\n")] {
            assert_eq!(meadow.field.fetch(name).await, one_file("rendered.json", text), "{path}");
        }
    }
    source.announces(&meadow.archives.url("/whole"), &whole_digest, "1").await.unwrap();
    meadow.field.until("web", "is well again", ready).await;
    meadow.field.until("imports", "is well again", ready).await;
}

fn ready(snippet: &JsonnetSnippet) -> bool {
    status(snippet).ready().is_some_and(|ready| ready.status == "True")
}

#[tokio::test]
async fn a_server_that_dawdles_is_given_up_and_asked_again() {
    let meadow = Meadow::new("dawdles").await;
    let bytes = tarball(&[("main.jsonnet", "1")]);
    let slow = [
        ("stops", Reply::Stalled(Vec::new()), "it stopped sending"),
        ("pauses", Reply::Stalled(bytes[..20].to_vec()), "it stopped sending"),
        ("drips", Reply::Drip(bytes.clone()), "it keeps sending, but hardly anything"),
        ("silent", Reply::Silent, "it does not answer"),
    ];
    for (name, reply, _) in &slow {
        let source = meadow.source("GitRepository", name).await;
        let path = format!("/{name}");
        meadow.archives.set(&path, reply.clone());
        source.announces(&meadow.archives.url(&path), &digest(Algorithm::Sha256, &bytes), "1").await.unwrap();
        meadow.snippet(name, "GitRepository", name).await;
    }
    let until = async |name: &str, what: &str, holds: &dyn Fn(&JsonnetSnippet) -> bool| {
        let found = wait::object(&meadow.field.snippets, name, what, LONG, holds).await;
        found.unwrap_or_else(|error| panic!("{error:#}\n{}", tail(&meadow.field.operator.log())))
    };
    for (name, _, words) in &slow {
        let told = |snippet: &JsonnetSnippet| message(snippet).contains(words);
        let given_up = until(name, words, &told).await;
        assert_eq!(status(&given_up).ready().unwrap().reason, "SourceFetchFailed");
    }
    for (name, _, _) in &slow {
        meadow.archives.set(&format!("/{name}"), Reply::Bytes(bytes.clone()));
    }
    // Nobody says that the server is well: it is asked again.
    for (name, _, _) in &slow {
        until(name, "is ready", &ready).await;
    }
}

#[tokio::test]
async fn what_a_source_holds_is_looked_at_as_the_snippets_own_files_are() {
    let meadow = Meadow::new("looked-at").await;
    let field = &meadow.field;
    let source = meadow.source("GitRepository", "repo").await;
    let reference = |path: &str| json!({"kind": "GitRepository", "name": "repo", "path": path});
    let files = [("app/start.jsonnet", "import 'x'"), ("app/x", "7"), ("app/y", "8"), ("else", "9")];
    meadow.publish(&source, "/1", &files, "1").await;
    // Its own entry file, and its own count of files although one file is published.
    let spec = json!({"sourceRef": reference("app"), "entryFile": "start.jsonnet"});
    field.create("entry", spec.clone()).await;
    assert_eq!(message(&field.synced("entry").await), "Rendered 2 bytes from 3 files");
    assert_eq!(field.fetch("entry").await, one_file("rendered.json", "7\n"));
    // The files themselves: those of the folder, and whatever order they came in.
    let mut packed = spec.clone();
    packed["output"] = json!("source");
    field.create("packed", packed).await;
    let synced = field.synced("packed").await;
    let expected = [("start.jsonnet", "import 'x'"), ("x", "7"), ("y", "8")];
    let expected = expected.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    assert_eq!(field.fetch("packed").await, jaas_storage::Entries::from(expected));
    let bytes = jumbled(&files);
    meadow.archives.set("/2", Reply::Bytes(bytes.clone()));
    source.announces(&meadow.archives.url("/2"), &digest(Algorithm::Sha256, &bytes), "2").await.unwrap();
    let told = |snippet: &JsonnetSnippet| status(snippet).source_revision.as_deref() == Some("2");
    let again = field.until("packed", "tells the other revision", told).await;
    assert_eq!(status(&again).revision, status(&synced).revision);

    // Nothing in it at all.
    meadow.publish(&source, "/3", &[(".hidden", "1")], "3").await;
    field.create("nothing", json!({"sourceRef": {"kind": "GitRepository", "name": "repo"}})).await;
    meadow.says("nothing", "InvalidSpec", "source contains no files; check the upstream artifact").await;
    meadow.library("lib", reference("")).await;
    meadow.importer("imports", "lib").await;
    meadow.says("imports", "InvalidSpec", "its source contains no files; check spec.sourceRef.path").await;
    // A source that is not ready is told of a library as it is told of a snippet.
    source.status(json!({"conditions": [condition("False", "Failed", "no")]})).await.unwrap();
    let told = meadow.says("imports", "SourceNotReady", "(Ready=False/Failed): source not ready").await;
    assert!(message(&told).starts_with("JsonnetLibrary \"lib\" in "), "{}", message(&told));
}

/// The same files in the opposite order.
fn jumbled(files: &[(&str, &str)]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (name, content) in files.iter().rev() {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

#[tokio::test]
async fn every_snippet_of_a_circle_says_so() {
    let meadow = Meadow::new("circle").await;
    let chained = |name: &str| json!({"sourceRef": {"kind": "ExternalArtifact", "name": name}});
    let libraries = json!([{"kind": "JsonnetLibrary", "name": "lib"}]);
    meadow.field.create("one", json!({"files": {"main.jsonnet": "1"}, "libraries": libraries})).await;
    meadow.field.create("two", chained("one")).await;
    // Through a library, too.
    meadow.library("lib", json!({"kind": "ExternalArtifact", "name": "two"})).await;
    let namespace = &meadow.field.namespace.name;
    let way = |names: [&str; 3]| names.map(|name| format!("{namespace}/{name}")).join(" → ");
    // Whoever was judged before the circle was closed says so when it is looked at again, which is within a minute.
    for (name, way) in [("one", way(["one", "two", "one"])), ("two", way(["two", "one", "two"]))] {
        let told = |snippet: &JsonnetSnippet| {
            let reason = status(snippet).ready().map(|ready| ready.reason.clone());
            reason.as_deref() == Some("DependencyCycle") && message(snippet).contains(&way)
        };
        wait::object(&meadow.field.snippets, name, &way, LONG, told).await.unwrap();
    }
    let patch: Value = json!({"spec": {"libraries": null}});
    meadow.field.patch("one", patch).await;
    meadow.field.synced("one").await;
    meadow.says("two", "InvalidSpec", "source must contain \"main.jsonnet\"").await;
}
