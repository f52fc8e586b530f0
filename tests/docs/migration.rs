//! From the Go implementation and back, by the commands of the page.
//!
//! Its program is no public Go module, so its Pods wait for a node that never comes. What it leaves is written as it writes it: a release
//! by real Helm ([`RELEASE`]), its definitions, finalizers, statuses and artifacts, and files that something else packed. Its Lease is
//! held by the election that it has, which is client-go's.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use jaas_api::{ExternalArtifact, JsonnetSnippet};
use jaas_storage::{Digest, Entries, Revision};
use jaas_tests::cluster::LEASE;
use jaas_tests::manifests;
use jaas_tests::runner::root;
use jaas_tests::wait::{eventually, object};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use crate::page::{Block, Page};
use crate::run::run;
use crate::stage::{PATIENCE, PLACE, Stage, said};
use crate::{scenes, words};

const PAGE: &str = "docs/migrate.md";
/// Where the snippets are.
const TEAM: &str = "team-a";
/// A chart of objects as the Go implementation's chart makes them.
const RELEASE: &str = "tests/chart/peer";
/// What its definitions have of a snippet's spec and status.
const SPEC: [&str; 11] = [
    "entryFile",
    "externalVariables",
    "files",
    "history",
    "interval",
    "libraries",
    "output",
    "serviceAccountName",
    "sourceRef",
    "suspend",
    "tlas",
];
const STATUS: [&str; 7] = [
    "artifactURL",
    "conditions",
    "history",
    "lastHandledReconcileAt",
    "lastSyncTime",
    "observedGeneration",
    "revision",
];
/// When it last did something.
const THEN: &str = "2026-01-01T00:00:00Z";

/// A snippet as it left it.
struct Left {
    name: &'static str,
    /// What it published, the newest first.
    documents: &'static [&'static str],
    spec: Value,
    annotations: Value,
    /// Reason and message of its condition.
    told: (&'static str, &'static str),
}

const ONE: &str = "1\n";
const TWO: &str = "2\n";

fn all_left() -> [Left; 4] {
    let files = json!({"main.jsonnet": "2"});
    let synced = ("Synced", "Rendered 2 bytes from 1 files");
    let handled = json!({"reconcile.fluxcd.io/requestedAt": THEN});
    [
        Left {
            name: "web",
            documents: &[TWO, ONE],
            spec: json!({"files": files, "history": 2}),
            annotations: handled.clone(),
            told: synced,
        },
        Left {
            name: "paused",
            documents: &[ONE],
            spec: json!({"files": files, "suspend": true}),
            annotations: handled.clone(),
            told: ("Suspended", "spec.suspend is true; pause until the operator unsets it"),
        },
        Left {
            name: "asked",
            documents: &[TWO],
            spec: json!({"files": files}),
            annotations: json!({"reconcile.fluxcd.io/requestedAt": "later"}),
            told: synced,
        },
        Left { name: "damaged", documents: &[TWO], spec: json!({"files": files}), annotations: handled, told: synced },
    ]
}

/// A file as another program packs it.
fn packed(document: &str) -> Vec<u8> {
    let entries = Entries::from([("rendered.json".to_owned(), document.as_bytes().to_vec())]);
    let ours = jaas_storage::artifact::archive::pack(&entries).unwrap();
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(&ours[..]).read_to_end(&mut tar).unwrap();
    let mut theirs = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    theirs.write_all(&tar).unwrap();
    theirs.finish().unwrap()
}

fn revision(document: &str) -> Revision {
    Revision::of_document(document.as_bytes())
}

/// Where the files of a snippet are, in the store and in addresses.
fn path(name: &str, document: &str) -> String {
    format!("{TEAM}/{name}/sha256-{}.tar.gz", revision(document).hex())
}

impl Left {
    fn status(&self) -> Value {
        let is_well = self.told.0 == "Synced";
        let history: Vec<_> =
            self.documents.iter().map(|it| json!({"revision": revision(it).to_string(), "time": THEN})).collect();
        json!({
            "observedGeneration": 1,
            "conditions": [{"type": "Ready", "status": if is_well { "True" } else { "False" }, "reason": self.told.0,
                "message": self.told.1, "observedGeneration": 1, "lastTransitionTime": THEN}],
            "revision": revision(self.documents[0]).to_string(),
            "artifactURL": self.url(),
            "lastSyncTime": THEN,
            "lastHandledReconcileAt": THEN,
            "history": history,
        })
    }

    fn url(&self) -> String {
        format!("http://jaas-storage.{PLACE}.svc.cluster.local:8082/{}", path(self.name, self.documents[0]))
    }

    /// Its file, its snippet and its artifact.
    async fn write(&self, field: &Field) {
        for document in self.documents {
            let file = field.volume.join(path(self.name, document));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, packed(document)).unwrap();
        }
        let metadata = json!({"name": self.name, "namespace": TEAM});
        let mut spec = self.spec.clone();
        spec["serviceAccountName"] = json!("tenant");
        let mut snippet =
            json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": metadata, "spec": spec});
        snippet["metadata"]["finalizers"] = json!(["jaas.metio.wtf/finalizer"]);
        snippet["metadata"]["annotations"] = self.annotations.clone();
        let producer = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "name": self.name});
        let artifact = json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact", "metadata": metadata,
            "spec": {"sourceRef": producer}});
        manifests::apply_objects(&field.client, vec![snippet, artifact]).await.unwrap();
        let merged = |status: Value| Patch::Merge(json!({ "status": status }));
        let parameters = PatchParams::default();
        field.snippets.patch_status(self.name, &parameters, &merged(self.status())).await.unwrap();
        let bytes = packed(self.documents[0]);
        let status = json!({
            "artifact": {"url": self.url(), "path": path(self.name, self.documents[0]),
                "revision": revision(self.documents[0]).to_string(), "digest": Digest::of(&bytes).to_string(),
                "size": bytes.len(), "lastUpdateTime": THEN},
            "conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "message": "artifact published",
                "observedGeneration": 1, "lastTransitionTime": THEN}],
        });
        field.artifacts.patch_status(self.name, &parameters, &merged(status)).await.unwrap();
    }
}

struct Field {
    client: Client,
    snippets: Api<JsonnetSnippet>,
    artifacts: Api<ExternalArtifact>,
    leases: Api<Lease>,
    volume: PathBuf,
}

impl Field {
    async fn new(stage: &Stage) -> Self {
        let client = stage.plane.admin().await.unwrap();
        Self {
            snippets: Api::namespaced(client.clone(), TEAM),
            artifacts: Api::namespaced(client.clone(), TEAM),
            leases: Api::namespaced(client.clone(), PLACE),
            client,
            volume: stage.volume(),
        }
    }

    async fn lease(&self) -> LeaseSpec {
        self.leases.get(LEASE).await.unwrap().spec.unwrap()
    }

    /// Waits until somebody holds the Lease whom this accepts.
    async fn held(&self, what: &str, by: impl Fn(&str) -> bool) -> LeaseSpec {
        let holds = |lease: &Lease| {
            let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
            holder.is_some_and(&by)
        };
        object(&self.leases, LEASE, what, PATIENCE, holds).await.unwrap().spec.unwrap()
    }
}

/// The definitions as it has them, with what marks them as its release's.
async fn definitions(stage: &Stage) -> String {
    let text = stage.must("jaas-operator generate crds").await;
    let mut all = String::new();
    for definition in manifests::parse(&text).unwrap() {
        let mut definition = serde_json::to_value(definition).unwrap();
        definition["metadata"]["annotations"]["helm.sh/resource-policy"] = json!("keep");
        let schema = definition.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties").unwrap();
        for (part, fields) in [("spec", &SPEC[..]), ("status", &STATUS[..])] {
            let known = schema[part]["properties"].as_object_mut().unwrap();
            known.retain(|field, _| fields.contains(&field.as_str()));
            if let Some(output) = known.get_mut("output") {
                output["enum"] = json!(["rendered", "source"]);
            }
        }
        all += &format!("---\n{definition}\n");
    }
    all
}

/// Installs its release, with everything that its program would have made.
async fn install(stage: &Stage) {
    let chart = stage.folder.join("theirs");
    let from = root().join(RELEASE).display().to_string();
    stage.must(&format!("cp -r {from} theirs")).await;
    fs::write(chart.join("templates/crds.yaml"), definitions(stage).await).unwrap();
    let values = "operator: {enabled: true, storage: {persistence: {enabled: true}}}\n";
    fs::write(stage.folder.join("theirs.yaml"), values).unwrap();
    stage.must("helm install jaas ./theirs -n jaas-system -f theirs.yaml").await;
    stage.bind_claim().await;
    // The role that its documentation gives a tenant.
    let verbs = |resources: &[&str], verbs: &[&str]| json!({"apiGroups": ["source.toolkit.fluxcd.io"], "resources": resources, "verbs": verbs});
    let named = |api: &str, kind: &str| json!({"apiVersion": api, "kind": kind, "metadata": {"name": "tenant", "namespace": TEAM}});
    let mut role = named("rbac.authorization.k8s.io/v1", "Role");
    role["rules"] = json!([
        verbs(&["externalartifacts"], &["get", "create", "update", "patch", "delete"]),
        verbs(&["externalartifacts/status"], &["get", "patch", "update"]),
    ]);
    let mut binding = named("rbac.authorization.k8s.io/v1", "RoleBinding");
    binding["roleRef"] = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "tenant"});
    binding["subjects"] = json!([{"kind": "ServiceAccount", "name": "tenant", "namespace": TEAM}]);
    stage.plane.apply_objects(&[named("v1", "ServiceAccount"), role, binding]).await.unwrap();
}

/// The bytes behind a path of the storage server, by its Service.
async fn fetched(stage: &Stage, path: &str) -> Vec<u8> {
    let fetch = format!("kubectl get --raw /api/v1/namespaces/{PLACE}/services/jaas-storage:8082/proxy/{path}");
    let output = stage.shell(&fetch).await;
    assert!(output.status.success(), "{path}: {}", said(&output));
    output.stdout
}

/// What Helm must not replace.
async fn identities(stage: &Stage) -> String {
    let kinds = "deployment/jaas service/jaas service/jaas-storage service/jaas-metrics serviceaccount/jaas pvc/jaas-storage lease/jaas-operator";
    stage.must(&format!("kubectl get {kinds} -n {PLACE} -o jsonpath='{{.items[*].metadata.uid}}'")).await
}

/// Says of its Pod that it works, so that ours is ended.
async fn play_ready(stage: &Stage) {
    let status = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
    let script = format!(
        "POD=$(kubectl get pods -n {PLACE} --field-selector spec.nodeName= -o name) && test -n \"$POD\"
        kubectl patch $POD -n {PLACE} --subresource status --type merge -p '{status}'"
    );
    eventually("its Pod", PATIENCE, async || {
        let output = stage.shell(&format!("set -e\n{script}")).await;
        if output.status.success() { Ok(()) } else { Err(said(&output)) }
    })
    .await
    .unwrap();
}

/// The block of the page whose first command begins so.
fn block(page: &Page, start: &str) -> Block {
    page.blocks().into_iter().find(|block| block.commands[0].starts_with(start)).unwrap()
}

#[tokio::test]
async fn what_the_go_implementation_left_is_taken_over_and_given_back() {
    let stage = Stage::new().await;
    install(&stage).await;
    let field = Field::new(&stage).await;
    for left in all_left() {
        left.write(&field).await;
    }
    fs::write(field.volume.join(path("damaged", TWO)), &packed(TWO)[..40]).unwrap();
    let theirs = stage.plane.contend(PLACE, LEASE).await.unwrap();
    let is_nobody = str::is_empty;
    let held = field.held("is client-go's", |holder| !is_nobody(holder)).await;
    let snippets = field.snippets.list(&Default::default()).await.unwrap().items;
    let artifacts = field.artifacts.list(&Default::default()).await.unwrap().items;
    let before = identities(&stage).await;

    let page = Page::all().into_iter().find(|page| page.name == PAGE).unwrap();
    let words = scenes::of(PAGE).words(&stage);
    let wrong = run(&stage, PAGE, &block(&page, "helm get values"), &[], &words).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    theirs.kill().await.unwrap();
    let wrong = run(&stage, PAGE, &block(&page, "helm upgrade"), &[], &words).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(identities(&stage).await, before, "nothing was replaced");

    // The Lease goes on, in the hands of the Pod.
    let pod = stage.pod();
    let ours = field.held("is ours", |holder| holder.starts_with(&pod)).await;
    assert_eq!(ours.lease_transitions.unwrap(), held.lease_transitions.unwrap_or_default() + 1);
    for artifact in &artifacts {
        let name = artifact.name_any();
        let adopted = object(&field.artifacts, &name, "has an owner", PATIENCE, |it| !it.owner_references().is_empty());
        let adopted = adopted.await.unwrap_or_else(|error| panic!("{error:#}"));
        assert_eq!(adopted.spec, artifact.spec, "{name}");
        if name != "damaged" {
            assert_eq!(adopted.status, artifact.status, "{name}");
        }
    }
    let answered = |snippet: &JsonnetSnippet| {
        snippet.status.as_ref().is_some_and(|status| status.last_handled_reconcile_at.as_deref() == Some("later"))
    };
    object(&field.snippets, "asked", "has answered", PATIENCE, answered).await.unwrap();
    // What is whole is served as it was packed, and what is not is rendered again.
    for (name, document) in [("web", TWO), ("web", ONE), ("paused", ONE), ("asked", TWO)] {
        assert_eq!(fetched(&stage, &path(name, document)).await, packed(document), "{name}");
    }
    eventually("the damaged one to be whole", PATIENCE, async || {
        let announced = field.artifacts.get("damaged").await.unwrap();
        let digest = announced.published().unwrap().digest.clone();
        let bytes = fs::read(field.volume.join(path("damaged", TWO))).unwrap();
        if Some(Digest::of(&bytes).to_string()) == digest { Ok(bytes) } else { Err(format!("{} bytes", bytes.len())) }
    })
    .await
    .unwrap();
    let mut text = String::new();
    let bytes = fetched(&stage, &path("damaged", TWO)).await;
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    assert!(text.contains(&format!("\0{TWO}\0")), "{text:?}");
    // Nobody had to write a status for that.
    for snippet in &snippets {
        let name = snippet.name_any();
        let now = field.snippets.get(&name).await.unwrap();
        if name == "web" || name == "paused" {
            assert_eq!(now.resource_version(), snippet.resource_version(), "{name}");
        }
        assert_eq!(now.finalizers(), ["jaas.metio.wtf/finalizer"]);
    }

    // A document of ours is called out before the way back, and only that.
    let back = block(&page, "kubectl get jsonnetsnippets");
    let call_out = words::filled(&back.commands[0], &words).unwrap();
    assert_eq!(stage.must(&call_out).await, "");
    let manifest = "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'a'}}";
    let own = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"name": "own", "namespace": TEAM},
        "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": manifest}, "output": "manifests"}});
    stage.plane.apply_objects(&[own]).await.unwrap();
    stage.must(&format!("kubectl wait jsonnetsnippet own -n {TEAM} --for condition=Ready --timeout 60s")).await;
    assert_eq!(stage.must(&call_out).await, format!("{TEAM}/own\n"));
    stage.must(&format!("kubectl delete jsonnetsnippet own -n {TEAM} --timeout 60s")).await;
    assert_eq!(stage.must(&call_out).await, "");

    let last = field.lease().await;
    let published = field.artifacts.list(&Default::default()).await.unwrap().items;
    let wrong = run(&stage, PAGE, &back, &[], &words).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(identities(&stage).await, before, "nothing was replaced on the way back");
    play_ready(&stage).await;
    field.held("is nobody's", is_nobody).await;
    let theirs = stage.plane.contend(PLACE, LEASE).await.unwrap();
    let held = field.held("is client-go's again", |holder| !is_nobody(holder) && !holder.starts_with(&pod)).await;
    theirs.ensure_running().unwrap();
    assert!(held.lease_transitions > last.lease_transitions, "{held:?} after {last:?}");
    // Its definitions know nothing of our fields, and everything that it reads is there.
    let image = format!("kubectl get deployment jaas -n {PLACE} -o jsonpath='{{..image}}'");
    assert_eq!(stage.must(&image).await, "ghcr.io/metio/jaas:2026.1.1");
    for left in all_left() {
        let snippet = stage.must(&format!("kubectl get jsonnetsnippet {} -n {TEAM} -o json", left.name)).await;
        let snippet: Value = serde_json::from_str(&snippet).unwrap();
        let (mut status, mut expected) = (snippet["status"].clone(), left.status());
        assert!(status.as_object().unwrap().keys().all(|field| STATUS.contains(&field.as_str())), "{status}");
        if left.name == "asked" {
            expected["lastHandledReconcileAt"] = json!("later");
        }
        // When it was last looked at.
        for status in [&mut status, &mut expected] {
            status["lastSyncTime"].take();
        }
        assert_eq!(status, expected, "{}", left.name);
        let artifact = field.artifacts.get(left.name).await.unwrap();
        let was = published.iter().find(|it| it.name_any() == left.name).unwrap();
        assert_eq!((&artifact.spec, &artifact.status), (&was.spec, &was.status));
        let announced = artifact.published().unwrap();
        let bytes = fs::read(field.volume.join(&announced.path)).unwrap();
        assert_eq!(announced.digest, Some(Digest::of(&bytes).to_string()), "{}", left.name);
    }
}
