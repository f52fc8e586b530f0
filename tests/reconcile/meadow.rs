//! A field, and what plays source-controller beside it: see [`jaas_tests::upstream`].

use std::collections::BTreeMap;

use jaas_api::JsonnetSnippet;
use jaas_sources::digest::{Algorithm, Hasher};
use jaas_tests::operator::OperatorOptions;
use jaas_tests::upstream::{Archives, Reply, Source, archive};
use serde_json::{Value, json};

use crate::field::{Field, status};

/// A field, and a server whose archives its operator may fetch.
pub(crate) struct Meadow {
    pub(crate) field: Field,
    pub(crate) archives: Archives,
}

impl Meadow {
    pub(crate) async fn new(prefix: &str) -> Self {
        Self::with(prefix, "", &[]).await
    }

    /// The same, with further hosts that may be asked, each behind a comma, and further arguments.
    pub(crate) async fn with(prefix: &str, hosts: &str, args: &[&str]) -> Self {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Self::started(prefix, hosts, OperatorOptions { args, ..OperatorOptions::default() }).await
    }

    /// The same, with an operator of these options.
    pub(crate) async fn started(prefix: &str, hosts: &str, mut options: OperatorOptions) -> Self {
        let archives = Archives::start().await.unwrap();
        options.args.push(archives.flag() + hosts);
        let field = Field::started(prefix, options).await;
        Self { field, archives }
    }

    pub(crate) async fn source(&self, kind: &'static str, name: &str) -> Source {
        Source::create(&self.field.client, kind, &self.field.namespace.name, name).await.unwrap()
    }

    /// Puts an archive behind a path and has the source announce it.
    pub(crate) async fn publish(&self, source: &Source, path: &str, files: &[(&str, &str)], revision: &str) {
        let bytes = archive(&files.iter().copied().collect()).unwrap();
        let digest = digest(Algorithm::Sha256, &bytes);
        self.archives.set(path, Reply::Bytes(bytes));
        source.announces(&self.archives.url(path), &digest, revision).await.unwrap();
    }

    pub(crate) async fn snippet(&self, name: &str, kind: &str, source: &str) {
        self.field.create(name, json!({"sourceRef": {"kind": kind, "name": source}})).await;
    }

    /// Makes a library of this name from a source.
    pub(crate) async fn library(&self, name: &str, reference: Value) {
        let library = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetLibrary",
            "metadata": {"name": name, "namespace": self.field.namespace.name}, "spec": {"sourceRef": reference}});
        self.field.plane.apply_objects(&[library]).await.unwrap();
    }

    /// Makes a snippet that is what a library is.
    pub(crate) async fn importer(&self, name: &str, library: &str) {
        let libraries = json!([{"kind": "JsonnetLibrary", "name": library, "importPath": "lib"}]);
        self.field.create(name, json!({"files": {"main.jsonnet": "import 'lib'"}, "libraries": libraries})).await;
    }

    /// Waits until a snippet is not ready for this reason, in words that hold these.
    pub(crate) async fn says(&self, name: &str, reason: &str, words: &str) -> JsonnetSnippet {
        let told = |snippet: &JsonnetSnippet| {
            let ready = status(snippet).ready().cloned();
            ready
                .is_some_and(|ready| ready.status == "False" && ready.reason == reason && ready.message.contains(words))
        };
        self.field.until(name, &format!("says {reason}: {words}"), told).await
    }

    pub(crate) async fn follows(&self, name: &str, text: &str) {
        let what = format!("follows its source to {text}");
        let revision = jaas_storage::Revision::of_document(text.as_bytes()).to_string();
        self.field.until(name, &what, |snippet| status(snippet).revision.as_ref() == Some(&revision)).await;
    }
}

pub(crate) fn digest(algorithm: Algorithm, bytes: &[u8]) -> String {
    let mut hasher: Hasher = algorithm.hasher();
    hasher.update(bytes);
    hasher.finish().to_string()
}

pub(crate) fn tarball(files: &[(&str, &str)]) -> Vec<u8> {
    archive(&BTreeMap::from_iter(files.iter().copied())).unwrap()
}
