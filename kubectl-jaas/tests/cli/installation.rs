//! A healthy installation, as an API server shows it.

use jaas_storage::Content;
use jaas_storage::artifact::Digest;
use serde_json::{Value, json};

use super::apiserver::{ApiServer, Mood};
use super::look::{LEASE, lease};
use super::plugin::Plugin;

/// Where the storage server is, seen through the API server.
pub(crate) const PROXY: &str = "/api/v1/namespaces/jaas-system/services/http:jaas-storage:8082/proxy/";
const SPACE: &str = "/api/v1/namespaces/jaas-system";
pub(crate) const SNIPPETS: &str = "/apis/jaas.metio.wtf/v1/jsonnetsnippets";
const ARTIFACTS: &str = "/apis/source.toolkit.fluxcd.io/v1/externalartifacts";
pub(crate) const PODS: &str = "/api/v1/namespaces/jaas-system/pods";

/// An installation that lacks nothing: one Pod that leads, a claim, a Service, and ready snippets with their files.
pub(crate) struct Installation {
    pub(crate) server: ApiServer,
    pub(crate) plugin: Plugin,
    names: Vec<String>,
    base: String,
}

impl Installation {
    /// With snippets of these names in `team-a`.
    pub(crate) fn of(names: &[&str]) -> Self {
        let server = ApiServer::start(Mood::Answers, &[]);
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let base = format!("{}/files", server.url());
        let made = Self { plugin: Plugin::new(server.url()), server, names, base };
        made.operator();
        made.network();
        made.publish();
        made.server.store(PROXY, made.files());
        made
    }

    fn list(&self, path: &str, items: &[Value]) {
        self.server.answer_with(path, json!({"metadata": {"resourceVersion": "1"}, "items": items}));
    }

    fn operator(&self) {
        let labels = json!({"app.kubernetes.io/name": "jaas"});
        let args = [
            "--storage-path=/var/lib/jaas/artifacts".to_owned(),
            format!("--storage-base-url={}", self.base),
            "--max-artifact-bytes=1048576".to_owned(),
        ];
        let container = json!({"name": "jaas", "image": "ghcr.io/metio/jaas:0.1.0", "args": args,
            "volumeMounts": [{"name": "storage", "mountPath": "/var/lib/jaas"}]});
        let volumes = json!([{"name": "storage", "persistentVolumeClaim": {"claimName": "jaas-storage"}}]);
        let pod = json!({"containers": [container], "volumes": volumes, "serviceAccountName": "jaas"});
        let deployment = json!({"metadata": {"namespace": "jaas-system", "name": "jaas", "generation": 1},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
            "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}});
        self.list("/apis/apps/v1/deployments", &[deployment]);
        let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        let metadata =
            json!({"namespace": "jaas-system", "name": "jaas-1", "creationTimestamp": "2026-01-01T00:00:00Z"});
        self.list(PODS, &[json!({"metadata": metadata, "spec": pod, "status": ready})]);
        self.server.answer_with(LEASE, lease("jaas-1_x"));
        let claim = json!({"metadata": {"namespace": "jaas-system", "name": "jaas-storage", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"accessModes": ["ReadWriteMany"]}, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}});
        self.server.answer_with(&format!("{SPACE}/persistentvolumeclaims/jaas-storage"), claim);
        let served = |plurals: &[&str]| {
            let resources: Vec<_> = plurals
                .iter()
                .map(|name| json!({"name": name, "singularName": "", "namespaced": true, "kind": "X", "verbs": []}))
                .collect();
            json!({"kind": "APIResourceList", "groupVersion": "x/v1", "resources": resources})
        };
        self.server.answer_with("/apis/jaas.metio.wtf/v1", served(&["jsonnetsnippets", "jsonnetlibraries"]));
        self.server.answer_with("/apis/source.toolkit.fluxcd.io/v1", served(&["externalartifacts"]));
        self.server.answer_with("/apis", json!({"kind": "APIGroupList", "groups": []}));
    }

    fn network(&self) {
        let ports = json!([{"name": "storage", "port": 8082}]);
        let selector = json!({"app.kubernetes.io/name": "jaas"});
        let service = json!({"metadata": {"namespace": "jaas-system", "name": "jaas-storage"}, "spec": {"selector": selector, "ports": ports}});
        self.list(&format!("{SPACE}/services"), &[service]);
        let endpoints = json!([{"addresses": ["10.0.0.1"], "conditions": {"ready": true}}]);
        let slice =
            json!({"metadata": {"name": "jaas-storage-1"}, "addressType": "IPv4", "endpoints": endpoints, "ports": []});
        self.list("/apis/discovery.k8s.io/v1/namespaces/jaas-system/endpointslices", &[slice]);
        self.list("/apis/networking.k8s.io/v1/namespaces/jaas-system/networkpolicies", &[]);
    }

    fn publish(&self) {
        let snippets: Vec<_> =
            self.names.iter().map(|name| self.snippet(name, "True", "Synced", "published")).collect();
        let artifacts: Vec<_> = self.names.iter().map(|name| self.artifact(name)).collect();
        for (path, items) in [(SNIPPETS, &snippets), (ARTIFACTS, &artifacts)] {
            self.list(path, items);
            let (group, plural) = path.rsplit_once('/').unwrap();
            let within = format!("{group}/namespaces/team-a/{plural}");
            self.list(&within, items);
            for item in items {
                self.server.answer_with(&format!("{within}/{}", item["metadata"]["name"].as_str().unwrap()), item);
            }
        }
    }

    /// The first snippet has this condition from now on.
    pub(crate) fn first_says(&self, status: &str, reason: &str, message: &str) {
        let others = self.names.iter().skip(1).map(|name| self.snippet(name, "True", "Synced", "published"));
        let first = self.snippet(&self.names[0], status, reason, message);
        self.list(SNIPPETS, &std::iter::once(first).chain(others).collect::<Vec<_>>());
    }

    fn snippet(&self, name: &str, status: &str, reason: &str, message: &str) -> Value {
        let revision = content(name).revision().to_string();
        let conditions = json!([{"type": "Ready", "status": status, "reason": reason, "message": message,
            "lastTransitionTime": "2026-01-02T00:00:00Z"}]);
        json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
            "metadata": {"namespace": "team-a", "name": name, "generation": 1, "creationTimestamp": "2026-01-02T00:00:00Z"},
            "spec": {}, "status": {"observedGeneration": 1, "conditions": conditions, "revision": revision,
            "inputsDigest": "sha256:0", "history": [{"revision": revision, "time": "2026-01-02T00:00:00Z"}]}})
    }

    fn artifact(&self, name: &str) -> Value {
        let (path, bytes) = file(name);
        let artifact = json!({"path": path, "url": format!("{}/{path}", self.base), "revision": content(name).revision().to_string(),
            "digest": Digest::of(&bytes).to_string(), "size": bytes.len(), "lastUpdateTime": "2026-01-02T00:00:00Z"});
        let source = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "name": name});
        json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
            "metadata": {"namespace": "team-a", "name": name}, "spec": {"sourceRef": source}, "status": {"artifact": artifact}})
    }

    /// The right files of all snippets.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        self.names.iter().map(|name| file(name)).collect()
    }
}

fn content(name: &str) -> Content {
    Content::document("rendered.json", name.as_bytes().to_vec())
}

/// Path and bytes of a snippet's artifact.
fn file(name: &str) -> (String, Vec<u8>) {
    let content = content(name);
    let revision = content.revision().to_string();
    let path = format!("team-a/{name}/{}.tar.gz", revision.replace(':', "-"));
    (path, content.packed().unwrap().to_vec())
}
