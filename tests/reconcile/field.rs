//! What every test here stands on: a namespace with a tenant, and an operator that watches it.

use std::time::Duration;

use jaas_api::status::SyncStatus;
use jaas_api::{ExternalArtifact, JsonnetLibrary, JsonnetSnippet, RECONCILE_REQUEST};
use jaas_storage::{Digest, Revision};
use jaas_tests::controlplane::ControlPlane;
use jaas_tests::http::{self, Answer};
use jaas_tests::namespace::Namespace;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::wait;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

/// The mark of the installation that a directory belongs to.
pub(crate) const MARK: &str = ".jaas-owner.json";
/// Longest that anything ordinary may take here; a debug build on a busy machine needs a part of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) struct Field {
    pub(crate) plane: &'static ControlPlane,
    pub(crate) namespace: Namespace,
    pub(crate) operator: Operator,
    pub(crate) client: Client,
    pub(crate) snippets: Api<JsonnetSnippet>,
    pub(crate) libraries: Api<JsonnetLibrary>,
    pub(crate) artifacts: Api<ExternalArtifact>,
}

impl Field {
    /// A fresh namespace and an operator for it.
    pub(crate) async fn new(prefix: &str) -> Self {
        Self::with(prefix, &[]).await
    }

    /// The same, with further arguments for the operator.
    pub(crate) async fn with(prefix: &str, args: &[&str]) -> Self {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Self::started(prefix, OperatorOptions { args, ..OperatorOptions::default() }).await
    }

    /// The same, with an operator that takes part in an election.
    pub(crate) async fn elected(prefix: &str) -> Self {
        let plane = ControlPlane::shared().await.unwrap();
        let home = plane.empty_namespace("jaas-system").await.unwrap().name;
        let args = vec!["--leader-election=true".to_owned(), format!("--leader-election-namespace={home}")];
        Self::started(prefix, OperatorOptions { args, namespace: Some(home), ..OperatorOptions::default() }).await
    }

    /// The same, with an operator of these options, but for the namespaces that it watches.
    pub(crate) async fn started(prefix: &str, options: OperatorOptions) -> Self {
        let plane = ControlPlane::shared().await.unwrap();
        let namespace = plane.namespace(prefix).await.unwrap();
        let options = OperatorOptions { watch_namespaces: vec![namespace.name.clone()], ..options };
        let operator = Operator::ready(plane, options).await.unwrap();
        let client = plane.admin().await.unwrap();
        let name = &namespace.name;
        Self {
            snippets: Api::namespaced(client.clone(), name),
            libraries: Api::namespaced(client.clone(), name),
            artifacts: Api::namespaced(client.clone(), name),
            plane,
            operator,
            client,
            namespace,
        }
    }

    /// Creates a snippet with this spec; the tenant's account is filled in.
    pub(crate) async fn create(&self, name: &str, mut spec: Value) -> JsonnetSnippet {
        if spec.get("serviceAccountName").is_none() {
            spec["serviceAccountName"] = json!("tenant");
        }
        let object = json!({
            "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
            "metadata": {"name": name, "namespace": self.namespace.name}, "spec": spec,
        });
        let snippet = serde_json::from_value(object).unwrap();
        self.snippets.create(&PostParams::default(), &snippet).await.unwrap()
    }

    /// Creates a snippet of one file.
    pub(crate) async fn create_file(&self, name: &str, code: &str) -> JsonnetSnippet {
        self.create(name, json!({"files": {"main.jsonnet": code}})).await
    }

    pub(crate) async fn create_library(&self, name: &str, files: Value) -> JsonnetLibrary {
        let object = json!({
            "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetLibrary",
            "metadata": {"name": name, "namespace": self.namespace.name}, "spec": {"files": files},
        });
        let library = serde_json::from_value(object).unwrap();
        self.libraries.create(&PostParams::default(), &library).await.unwrap()
    }

    pub(crate) async fn patch(&self, name: &str, patch: Value) -> JsonnetSnippet {
        self.snippets.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap()
    }

    pub(crate) async fn delete(&self, name: &str) {
        self.snippets.delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Asks for a reconcile and waits for the answer.
    pub(crate) async fn ask(&self, name: &str, token: &str) -> JsonnetSnippet {
        self.patch(name, json!({"metadata": {"annotations": {RECONCILE_REQUEST: token}}})).await;
        self.until(name, "answers the request", |snippet| {
            status(snippet).last_handled_reconcile_at.as_deref() == Some(token)
        })
        .await
    }

    pub(crate) async fn until(
        &self,
        name: &str,
        what: &str,
        condition: impl Fn(&JsonnetSnippet) -> bool,
    ) -> JsonnetSnippet {
        match wait::object(&self.snippets, name, what, PATIENCE, condition).await {
            Ok(snippet) => snippet,
            Err(error) => panic!("{error:#}\nthe operator says:\n{}", tail(&self.operator.log())),
        }
    }

    /// Waits until the snippet's current generation is judged with this reason.
    pub(crate) async fn judged(&self, name: &str, reason: &str) -> JsonnetSnippet {
        self.until(name, &format!("is judged {reason}"), |snippet| {
            let ready = status(snippet).ready().cloned();
            status(snippet).observed_generation == snippet.metadata.generation
                && ready.is_some_and(|ready| ready.reason == reason)
        })
        .await
    }

    pub(crate) async fn synced(&self, name: &str) -> JsonnetSnippet {
        self.judged(name, "Synced").await
    }

    /// The artifact of a snippet, once it announces what the snippet's status does.
    pub(crate) async fn artifact(&self, name: &str) -> ExternalArtifact {
        let revision = status(&self.snippets.get(name).await.unwrap()).revision;
        let what = "announces the snippet's revision";
        wait::object(&self.artifacts, name, what, PATIENCE, |artifact| {
            artifact.published().is_some_and(|published| Some(&published.revision) == revision.as_ref())
        })
        .await
        .unwrap()
    }

    /// Downloads what the snippet announces, verifies it as a consumer does, and answers its files.
    pub(crate) async fn fetch(&self, name: &str) -> jaas_storage::Entries {
        let artifact = self.artifact(name).await;
        let published = artifact.published().unwrap();
        let answer = self.get(&published.url).await;
        assert_eq!(answer.status, 200, "{}: {}", published.url, answer.text());
        assert_eq!(Some(Digest::of(&answer.body).to_string()), published.digest);
        assert_eq!(i64::try_from(answer.body.len()).ok(), published.size);
        let files = jaas_storage::artifact::unpack(&answer.body).unwrap();
        let revision: Revision = published.revision.parse().unwrap();
        assert!(jaas_storage::artifact::is_content_of(&files, &revision), "the content is what the revision names");
        files
    }

    pub(crate) async fn get(&self, url: &str) -> Answer {
        http::get(url).await.unwrap()
    }

    /// Every file of the store but its owner mark, in order.
    pub(crate) fn stored(&self) -> Vec<String> {
        let root = self.operator.storage_path().to_owned();
        let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for path in entries.map(|entry| entry.unwrap().path()) {
                found.push(path.strip_prefix(&root).unwrap().display().to_string());
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        found.retain(|path| path != MARK);
        found.sort();
        found
    }

    /// The owner mark of the store.
    pub(crate) fn mark(&self) -> Value {
        let mark = std::fs::read(self.operator.storage_path().join(MARK)).unwrap();
        serde_json::from_slice(&mark).unwrap()
    }

    /// Waits until the operator has logged this.
    pub(crate) async fn logged(&self, words: &str) {
        let log = || self.operator.log();
        let waited =
            wait::eventually(words, PATIENCE, async || if log().contains(words) { Ok(()) } else { Err("not logged") });
        if let Err(error) = waited.await {
            panic!("{error:#}\nthe operator says:\n{}", tail(&log()));
        }
    }

    /// File of the snippet's current revision.
    pub(crate) async fn file(&self, name: &str) -> std::path::PathBuf {
        let artifact = self.artifact(name).await;
        self.operator.storage_path().join(&artifact.published().unwrap().path)
    }
}

/// Removes everything below a directory.
pub(crate) fn empty(directory: &std::path::Path) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
    }
}

/// One file with its text.
pub(crate) fn one_file(name: &str, text: &str) -> jaas_storage::Entries {
    jaas_storage::Entries::from([(name.to_owned(), text.as_bytes().to_vec())])
}

pub(crate) fn status(snippet: &JsonnetSnippet) -> SyncStatus {
    snippet.status.clone().unwrap_or_default()
}

/// The sentence of the Ready condition.
pub(crate) fn message(snippet: &JsonnetSnippet) -> String {
    status(snippet).ready().map(|ready| ready.message.clone()).unwrap_or_default()
}

pub(crate) fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
