//! `diff` against a storage server with two revisions of a snippet.

use jaas_storage::Content;
use jaas_storage::artifact::Digest;
use serde_json::{Value, json};

use super::installation::{Installation, PROXY};
use super::plugin::Ran;

const SNIPPET: &str = "/apis/jaas.metio.wtf/v1/namespaces/team-a/jsonnetsnippets/web";
const ARTIFACT: &str = "/apis/source.toolkit.fluxcd.io/v1/namespaces/team-a/externalartifacts/web";

struct Published {
    made: Installation,
    old: Content,
    new: Content,
}

/// A snippet whose history names one older revision.
fn published(old: &str, new: &str, program: &str) -> Published {
    let made = Installation::of(&["web"]);
    let content = |text: &str| Content::document("rendered.json", text.as_bytes().to_vec());
    let (old, new) = (content(old), content(new));
    let record = |it: &Content| json!({"revision": it.revision().to_string(), "time": "2026-01-02T00:00:00Z"});
    let snippet = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
        "metadata": {"namespace": "team-a", "name": "web", "generation": 1},
        "spec": {"files": {"main.jsonnet": program}},
        "status": {"revision": new.revision().to_string(), "history": [record(&new), record(&old)]}});
    let (path, bytes) = file(&new);
    let announced = json!({"path": path, "url": format!("http://x/{path}"), "revision": new.revision().to_string(),
        "digest": Digest::of(&bytes).to_string()});
    let artifact = json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
        "metadata": {"namespace": "team-a", "name": "web"}, "spec": {}, "status": {"artifact": announced}});
    made.server.answer_with(SNIPPET, snippet);
    made.server.answer_with(ARTIFACT, artifact);
    made.server.store(PROXY, [file(&old), file(&new)]);
    Published { made, old, new }
}

fn file(content: &Content) -> (String, Vec<u8>) {
    let revision = content.revision().to_string();
    (format!("team-a/web/{}.tar.gz", revision.replace(':', "-")), content.packed().unwrap().to_vec())
}

impl Published {
    fn run(&self, line: &str) -> Ran {
        self.made.plugin.run(&format!("diff web {line}"))
    }

    /// The first digits of the older revision.
    fn older(&self) -> String {
        self.old.revision().to_string()["sha256:".len()..][..12].to_owned()
    }
}

fn values(ran: &Ran) -> Vec<Value> {
    let files = ran.document()["difference"]["files"].clone();
    files.as_array().unwrap().iter().flat_map(|file| file["values"].as_array().cloned().unwrap_or_default()).collect()
}

#[test]
fn revisions_are_compared_as_values_and_4_is_only_for_those_who_ask() {
    let published = published(r#"{"a": 1, "b": [1, 2]}"#, r#"{"a": 2, "b": [1, 2]}"#, "1");
    let line = format!("{} -o json", published.older());
    let ran = published.run(&line);
    assert_eq!((ran.code, values(&ran)), (0, vec![json!({"at": "/a", "old": 1, "new": 2})]), "{ran:?}");
    let document = ran.document();
    assert_eq!((&document["kind"], &document["result"]["counts"]), (&json!("DiffReport"), &json!({"differences": 1})));
    assert_eq!(
        document["difference"]["old"],
        json!({"what": "in the history", "revision": published.old.revision().to_string()})
    );
    let strict = published.run(&format!("{line} --exit-code"));
    assert_eq!((strict.code, strict.document()["result"]["outcome"].clone()), (4, json!("findings")));
    // The other way round, and with both named.
    let back = published.run(&format!("{} {} -o json", published.new.revision(), published.older()));
    assert_eq!(values(&back), [json!({"at": "/a", "old": 2, "new": 1})]);
    let same = published.run(&format!("{} {} --exit-code", published.older(), published.older()));
    assert_eq!((same.code, same.stderr.contains("they are the same revision")), (0, true), "{same:?}");
    let screen = published.run(&published.older());
    assert!(screen.stdout.contains("FILE           AT  OLD  NEW\nrendered.json  /a  1    2\n"), "{}", screen.stdout);
    let writes = published.made.server.writes();
    assert!(writes.iter().all(|write| write.starts_with("POST") && write.contains("/token")), "{writes:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_render_of_the_live_spec_or_of_a_file_is_compared_with_what_is_published() {
    let rendered = "{\n   \"a\": 2\n}\n";
    let published = published(r#"{"a": 1}"#, rendered, "{a: 2}");
    let live = published.run("--exit-code -o json");
    assert_eq!((live.code, values(&live)), (0, vec![]), "{live:?}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snippet");
    std::fs::write(&path, "kind: JsonnetSnippet\nmetadata: {name: web}\nspec: {files: {main.jsonnet: \"{a: 3}\"}}\n")
        .unwrap();
    let file = published.run(&format!("--file {} --exit-code -o json", path.display()));
    assert_eq!((file.code, values(&file)), (4, vec![json!({"at": "/a", "old": 2, "new": 3})]), "{file:?}");
    std::fs::write(
        &path,
        "kind: JsonnetSnippet\nmetadata: {name: web}\nspec: {files: {main.jsonnet: \"error 'no'\"}}\n",
    )
    .unwrap();
    let broken = published.run(&format!("--file {}", path.display()));
    assert_eq!((broken.code, broken.stderr.contains("it does not evaluate")), (4, true), "{broken:?}");
}

#[test]
fn what_cannot_be_had_is_told_and_nothing_is_compared() {
    let published = published(r#"{"a": 1}"#, r#"{"a": 2}"#, "1");
    assert_eq!(published.run("ffff").code, 6);
    assert_eq!(published.made.plugin.run("diff nobody").code, 6);
    assert_eq!(published.made.plugin.run("diff team-a/web -n team-b").code, 2);
    assert_eq!(published.run("ffff --file x").code, 2);
    published.made.server.store(PROXY, [file(&published.new)]);
    let lost = published.run(&published.older());
    assert_eq!((lost.code, lost.stderr.contains("error: A502 team-a/web/sha256-")), (3, true), "{lost:?}");
    let mut damaged = file(&published.new);
    *damaged.1.last_mut().unwrap() ^= 1;
    published.made.server.store(PROXY, [damaged]);
    let damaged = published.run("");
    assert_eq!((damaged.code, damaged.stderr.contains("kubectl jaas explain A503")), (3, true), "{damaged:?}");
}
