//! What is prepared for a page, so that its commands make sense.

use jaas_tests::wait::eventually;
use serde_json::{Value, json};

use crate::page::Page;
use crate::stage::{PATIENCE, PLACE, Stage, said};
use crate::words::Words;

/// What somebody has before him who opens a page. Without an entry in [`SCENES`] that is the snippet `web` of `team-a`, which is well.
#[derive(Clone, Copy)]
pub(crate) struct Scene {
    page: &'static str,
    /// The snippet's Jsonnet.
    program: &'static str,
    /// What its spec says besides; null removes.
    spec: fn(&str) -> Value,
    /// What is there before it, in its namespace.
    objects: fn(&str) -> Vec<Value>,
    /// What its namespace lacks that others have.
    without: Without,
    /// What it is judged to be.
    reason: &'static str,
    /// What somebody changes who edits it, for sed.
    mend: &'static str,
    /// Before commands that begin so, this is done: mostly what the page says to do first.
    pub(crate) before: &'static [(&'static str, &'static str)],
    /// What it is in the end.
    ends: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    /// An account, and its binding.
    Account,
    /// The account's binding.
    Binding,
}

const SCENE: Scene = Scene {
    page: "",
    program: "{replicas: 1}",
    spec: |_| json!({}),
    objects: |_| Vec::new(),
    without: Without::Nothing,
    reason: "Synced",
    mend: "",
    before: &[],
    ends: "",
};

/// Renders something that is well, whatever it was.
const WELL: &str =
    r#"kubectl patch jsonnetsnippet NAME -n NAMESPACE --type merge -p '{"spec":{"files":{"main.jsonnet":"{}"}}}'"#;
/// Nobody looks after a snippet that is played, so that it does not answer, either.
const GONE: &str = "kubectl delete jsonnetsnippet played -n NAMESPACE";
const MENDED: &[(&str, &str)] = &[("kubectl jaas reconcile --all", GONE)];
/// Has the webhook installed; nobody can reach it here, as no proxy is played.
pub(crate) const WEBHOOK: &str = "helm upgrade jaas charts/jaas -n jaas-system --reset-then-reuse-values --set operator.webhook.enabled=true > /dev/null
kubectl rollout status deployment/jaas -n jaas-system --timeout 90s && kubectl jaas wait leader --timeout 90s";
/// Takes it away again.
pub(crate) const NO_WEBHOOK: &str = "helm upgrade jaas charts/jaas -n jaas-system --reset-then-reuse-values --set operator.webhook.enabled=false > /dev/null";

const SCENES: [Scene; 31] = [
    Scene {
        page: "docs/reasons/apiunavailable.md",
        objects: |namespace| {
            let hard = json!({"count/externalartifacts.source.toolkit.fluxcd.io": "0"});
            vec![
                json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": namespace},
                "spec": {"hard": hard}, "status": {"hard": hard, "used": hard}}),
            ]
        },
        reason: "ApiUnavailable",
        before: &[("kubectl jaas reconcile", "kubectl delete resourcequota none -n NAMESPACE")],
        ends: "Synced",
        ..SCENE
    },
    Scene {
        page: "docs/reasons/artifactconflict.md",
        objects: |namespace| {
            vec![
                json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact", "metadata": {"name": "web", "namespace": namespace},
                "spec": {"sourceRef": {"apiVersion": "example.org/v1", "kind": "Tool", "name": "other"}}}),
            ]
        },
        reason: "ArtifactConflict",
        ends: "Synced",
        ..SCENE
    },
    Scene { page: "docs/reasons/artifactlost.md", ends: "Synced", ..SCENE },
    Scene {
        page: "docs/reasons/artifacttoolarge.md",
        program: "std.repeat('x', 200000)",
        reason: "ArtifactTooLarge",
        mend: "s/200000/2/",
        ends: "Synced",
        ..SCENE
    },
    Scene { page: "docs/reasons/bucketmissing.md", objects: |namespace| played(namespace, "BucketMissing"), before: MENDED, ..SCENE },
    Scene { page: "docs/reasons/clockskew.md", objects: |namespace| played(namespace, "ClockSkew"), before: MENDED, ..SCENE },
    Scene {
        page: "docs/reasons/crossnamespacerefrejected.md",
        program: "import 'lib/x.libsonnet'",
        spec: |namespace| json!({"libraries": [{"kind": "JsonnetLibrary", "name": "lib", "namespace": format!("{namespace}-other")}]}),
        objects: |namespace| {
            let other = format!("{namespace}-other");
            vec![
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}}),
                json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetLibrary", "metadata": {"name": "lib", "namespace": other},
                    "spec": {"files": {"x.libsonnet": "{x: 1}"}}}),
            ]
        },
        reason: "CrossNamespaceRefRejected",
        mend: "/^    namespace: /d",
        ends: "Synced",
        ..SCENE
    },
    Scene {
        page: "docs/reasons/dependencycycle.md",
        spec: |_| json!({"files": null, "sourceRef": {"kind": "ExternalArtifact", "name": "other"}}),
        objects: |namespace| {
            let spec = json!({"files": null, "sourceRef": {"kind": "ExternalArtifact", "name": "web"}});
            vec![snippet(namespace, "other", "", &spec)]
        },
        reason: "DependencyCycle",
        ..SCENE
    },
    Scene { page: "docs/reasons/evaluationfailed.md", program: "{a: error 'no'}", reason: "EvaluationFailed", ..SCENE },
    Scene {
        page: "docs/reasons/evaluationoutofmemory.md",
        program: "std.makeArray(1000000000, function(n) [n])",
        reason: "EvaluationOutOfMemory",
        before: &[("kubectl jaas reconcile", WELL)],
        ends: "Synced",
        ..SCENE
    },
    Scene {
        page: "docs/reasons/evaluationtimeout.md",
        program: "local f(n) = if n < 0 then 0 else f(n - 1) + f(n - 1); f(60)",
        reason: "EvaluationTimeout",
        before: &[("kubectl jaas reconcile", WELL)],
        ends: "Synced",
        ..SCENE
    },
    Scene {
        page: "docs/reasons/evaluationtoodeep.md",
        program: "{ a: ({} + $).a }",
        reason: "EvaluationTooDeep",
        ..SCENE
    },
    Scene {
        page: "docs/reasons/externalvariableconflict.md",
        spec: |_| json!({"externalVariables": [{"name": "cluster_name", "value": "mine"}]}),
        reason: "ExternalVariableConflict",
        mend: "s/name: cluster_name/name: my_name/",
        ends: "Synced",
        ..SCENE
    },
    Scene {
        page: "docs/reasons/invalidmanifests.md",
        program: "{port: 1, map: {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'a'}}}",
        spec: |_| json!({"output": "manifests"}),
        reason: "InvalidManifests",
        mend: "s/port: 1/port:: 1/",
        ends: "Synced",
        ..SCENE
    },
    Scene {
        page: "docs/reasons/invalidspec.md",
        spec: |_| json!({"entryFile": "app.jsonnet"}),
        reason: "InvalidSpec",
        mend: "s/entryFile: app.jsonnet/entryFile: main.jsonnet/",
        ends: "Synced",
        ..SCENE
    },
    Scene {
        page: "docs/reasons/librarynotfound.md",
        program: "import 'lib/x.libsonnet'",
        spec: |_| json!({"libraries": [{"kind": "JsonnetLibrary", "name": "lib"}]}),
        reason: "LibraryNotFound",
        before: &[(
            "kubectl jaas reconcile",
            r#"echo '{"apiVersion":"jaas.metio.wtf/v1","kind":"JsonnetLibrary","metadata":{"name":"lib","namespace":"NAMESPACE"},"spec":{"files":{"x.libsonnet":"1"}}}' | kubectl apply -f -"#,
        )],
        ends: "Synced",
        ..SCENE
    },
    Scene {
        page: "docs/reasons/nomanifests.md",
        program: "[]",
        spec: |_| json!({"output": "manifests"}),
        reason: "NoManifests",
        ends: "Synced",
        ..SCENE
    },
    Scene {
        page: "docs/reasons/rbacdenied.md",
        without: Without::Binding,
        reason: "RBACDenied",
        ends: "Synced",
        ..SCENE
    },
    Scene {
        page: "docs/reasons/serviceaccountmissing.md",
        spec: |_| json!({"serviceAccountName": null}),
        without: Without::Account,
        reason: "ServiceAccountMissing",
        ends: "Synced",
        ..SCENE
    },
    Scene {
        page: "docs/reasons/sourcefetchfailed.md",
        spec: |_| json!({"files": null, "sourceRef": {"kind": "GitRepository", "name": "web"}}),
        objects: |namespace| {
            let digest = format!("sha256:{}", "0".repeat(64));
            let artifact = json!({"url": "http://git.example/a.tar.gz", "path": "a.tar.gz", "revision": "main@sha1:1", "digest": digest,
                "lastUpdateTime": "2026-01-01T00:00:00Z"});
            let ready = json!({"type": "Ready", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
            vec![repository(namespace, &json!({"artifact": artifact, "conditions": [ready]}))]
        },
        reason: "SourceFetchFailed",
        before: &[(
            "kubectl jaas reconcile",
            r#"kubectl patch jsonnetsnippet NAME -n NAMESPACE --type merge -p '{"spec":{"sourceRef":null,"files":{"main.jsonnet":"{}"}}}'"#,
        )],
        ends: "Synced",
        ..SCENE
    },
    Scene {
        page: "docs/reasons/sourcenotready.md",
        spec: |_| json!({"files": null, "sourceRef": {"kind": "GitRepository", "name": "web"}}),
        objects: |namespace| vec![repository(namespace, &json!({}))],
        reason: "SourceNotReady",
        ..SCENE
    },
    Scene { page: "docs/reasons/storagedenied.md", objects: |namespace| played(namespace, "StorageDenied"), before: MENDED, ..SCENE },
    Scene {
        page: "docs/reasons/storagereadonly.md",
        objects: |namespace| played(namespace, "StorageReadOnly"),
        before: MENDED,
        ..SCENE
    },
    Scene {
        page: "docs/reasons/storageunavailable.md",
        objects: |namespace| played(namespace, "StorageUnavailable"),
        // Its log says so: for a moment a file is where the snippet's folder is to be.
        before: &[("kubectl jaas reconcile --all", GONE), (
            "kubectl jaas logs",
            r#"touch VOLUME/blocked-NAMESPACE && mv VOLUME/NAMESPACE VOLUME/../aside && mv VOLUME/blocked-NAMESPACE VOLUME/NAMESPACE
            kubectl patch jsonnetsnippet NAME -n NAMESPACE --type merge -p '{"spec":{"files":{"main.jsonnet":"{another: 1}"}}}'
            kubectl wait jsonnetsnippet NAME -n NAMESPACE --for 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}=StorageUnavailable' --timeout 60s
            rm VOLUME/NAMESPACE && mv VOLUME/../aside VOLUME/NAMESPACE"#,
        )],
        ends: "Synced",
        ..SCENE
    },
    Scene {
        page: "docs/reasons/suspended.md",
        spec: |_| json!({"suspend": true}),
        objects: |namespace| vec![snippet(namespace, "other", "1", &json!({"suspend": true}))],
        reason: "Suspended",
        ends: "Synced",
        ..SCENE
    },
    Scene {
        page: "docs/alerts/jaaswebhookcertexpiring.md",
        before: &[("kubectl jaas doctor webhook", WEBHOOK)],
        ..SCENE
    },
    Scene {
        page: "docs/alerts/jaaswebhookcertrenewalfailing.md",
        before: &[("kubectl jaas doctor webhook", WEBHOOK)],
        ..SCENE
    },
    Scene { page: "docs/webhook.md", before: &[("kubectl jaas doctor webhook", WEBHOOK)], ..SCENE },
    Scene {
        page: "docs/install.md",
        before: &[
            // What the page has people do who have no Helm is not theirs who have; then it tells how to keep the snippets, and what to do
            // with one that hangs.
            (
                "helm uninstall",
                "kubectl delete clusterrole jaas-operator-webhook jaas-operator-admin
                helm upgrade jaas charts/jaas -n jaas-system --reset-then-reuse-values --set operator.storage.backend=local --set operator.cleanupOnDelete.enabled=false > /dev/null",
            ),
            (
                "kubectl patch jsonnetsnippet",
                r#"echo '{"apiVersion":"jaas.metio.wtf/v1","kind":"JsonnetSnippet","metadata":{"name":"web","namespace":"team-a","finalizers":["jaas.metio.wtf/finalizer"]},"spec":{"files":{"main.jsonnet":"1"}}}' | kubectl apply -f -
                kubectl delete jsonnetsnippet NAME -n NAMESPACE --wait=false"#,
            ),
        ],
        ..SCENE
    },
    Scene {
        page: "docs/renderer.md",
        before: &[("curl ", "until curl -sf http://127.0.0.1:8081/start > /dev/null; do sleep 0.1; done")],
        ..SCENE
    },
    Scene {
        page: "docs/alerts/jaasforcedropsaccumulating.md",
        // A fifth of the store is not removed without further ado.
        objects: |namespace| {
            (0..8).map(|number| snippet(namespace, &format!("other-{number}"), "1", &json!({}))).collect()
        },
        ..SCENE
    },
];

/// The scene of a page.
pub(crate) fn of(page: &str) -> Scene {
    SCENES.into_iter().find(|scene| scene.page == page).unwrap_or(Scene { page: "", ..SCENE })
}

/// A snippet.
fn snippet(namespace: &str, name: &str, program: &str, more: &Value) -> Value {
    let mut spec = json!({"serviceAccountName": "tenant", "history": 2, "files": {"main.jsonnet": program}});
    for (key, value) in more.as_object().unwrap() {
        match value {
            Value::Null => drop(spec.as_object_mut().unwrap().remove(key)),
            value => spec[key] = value.clone(),
        }
    }
    json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

/// A snippet whose status this test wrote, and which no operator looks after: what takes a store that cannot be had beside the others.
/// `tests/runbook` has such stores.
fn played(namespace: &str, reason: &str) -> Vec<Value> {
    let mut snippet = snippet(namespace, "played", "1", &json!({}));
    snippet["metadata"]["labels"] = json!({"played": "yes"});
    snippet["status"] = json!({"conditions": [{"type": "Ready", "status": "False", "reason": reason, "message": "played",
        "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
    vec![snippet]
}

/// A repository, with what source-controller would say of it.
fn repository(namespace: &str, status: &Value) -> Value {
    json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": {"name": "web", "namespace": namespace},
        "spec": {"interval": "1h", "url": "https://git.example/web"}, "status": status})
}

impl Scene {
    /// Its namespace.
    fn namespace(&self) -> String {
        let stem = self.page.rsplit('/').next().unwrap_or_default().trim_end_matches(".md");
        if stem.is_empty() || stem == "install" { "team-a".to_owned() } else { format!("team-{stem}") }
    }

    /// What the page's words stand for.
    pub(crate) fn words(&self, stage: &Stage) -> Words {
        let namespace = self.namespace();
        Words::from([
            ("ACCOUNT", "tenant".to_owned()),
            ("CLAIM", "jaas-storage".to_owned()),
            ("DEPLOYMENT", "jaas".to_owned()),
            ("FILE", "charts/jaas/files/dashboard.jsonnet".to_owned()),
            ("JAAS_NAMESPACE", PLACE.to_owned()),
            ("KIND", "gitrepository".to_owned()),
            ("LIBRARY", "lib".to_owned()),
            ("NAME", "web".to_owned()),
            ("OTHER", format!("{namespace}-other")),
            ("NAMESPACE", namespace),
            ("RELEASE", "jaas".to_owned()),
            ("REVISION", "1".to_owned()),
            ("POD", stage.pod()),
            ("VOLUME", stage.volume().display().to_string()),
        ])
    }

    /// Makes it, and waits until the operator has judged.
    pub(crate) async fn set(&self, stage: &mut Stage) -> Result<(), String> {
        let namespace = self.namespace();
        if self.page == "docs/install.md" {
            return Ok(());
        }
        let named = |kind: &str, api: &str| json!({"apiVersion": api, "kind": kind, "metadata": {"name": "tenant", "namespace": namespace}});
        let mut objects = vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})];
        if self.without != Without::Account {
            objects.push(named("ServiceAccount", "v1"));
        }
        if self.without == Without::Nothing {
            let mut binding = named("RoleBinding", "rbac.authorization.k8s.io/v1");
            binding["roleRef"] =
                json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "jaas-tenant"});
            binding["subjects"] = json!([{"kind": "ServiceAccount", "name": "tenant", "namespace": namespace}]);
            objects.push(binding);
        }
        objects.extend((self.objects)(&namespace));
        stage.plane.apply_objects(&objects).await.unwrap();
        for object in objects.iter().filter(|object| object["status"].is_object()) {
            let status = json!({"status": object["status"]});
            let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
            stage
                .must(&format!(
                    "kubectl patch {kind} {name} -n {namespace} --subresource status --type merge -p '{status}'"
                ))
                .await;
        }
        std::fs::write(stage.folder.join("mend"), self.mend).unwrap();
        stage.plane.apply_objects(&[snippet(&namespace, "web", self.program, &(self.spec)(&namespace))]).await.unwrap();
        judged(stage, &namespace, "web", self.reason).await?;
        match self.page {
            "docs/reasons/artifactlost.md" => lose(stage, &namespace).await,
            "docs/alerts/jaasforcedropsaccumulating.md" => {
                orphan(stage, &namespace).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Judges what became of it.
    pub(crate) async fn check(&self, stage: &Stage) -> Result<(), String> {
        let namespace = self.namespace();
        if !self.ends.is_empty() {
            judged(stage, &namespace, "web", self.ends).await?;
        }
        let file = stage.volume().join(&namespace).join("web");
        if self.page == "docs/alerts/jaasforcedropsaccumulating.md" && file.exists() {
            return Err(format!("{} was to be removed", file.display()));
        }
        Ok(())
    }

    /// Takes away what another page's commands would stumble over.
    pub(crate) async fn clear(&self, stage: &Stage) {
        if !self.page.is_empty() && self.page != "docs/install.md" {
            stage.must(&format!("kubectl delete jsonnetsnippets --all -n {} --timeout 60s", self.namespace())).await;
        }
    }
}

/// Two snippets that were suspended and changed lose their files.
async fn lose(stage: &Stage, namespace: &str) -> Result<(), String> {
    stage.plane.apply_objects(&[snippet(namespace, "other", "1", &json!({}))]).await.unwrap();
    judged(stage, namespace, "other", "Synced").await?;
    for name in ["web", "other"] {
        let change = r#"{"spec":{"suspend":true,"files":{"main.jsonnet":"{another: 1}"}}}"#;
        stage.must(&format!("kubectl patch jsonnetsnippet {name} -n {namespace} --type merge -p '{change}'")).await;
        judged(stage, namespace, name, "Suspended").await?;
        std::fs::remove_dir_all(stage.volume().join(namespace).join(name)).unwrap();
        // Somebody misses it, until whoever leads has noticed.
        let url = format!("kubectl get externalartifact {name} -n {namespace} -o jsonpath='{{.status.artifact.url}}'");
        let url = stage.must(&url).await;
        let path = url.split(":8082/").nth(1).unwrap();
        let fetch = format!("kubectl get --raw /api/v1/namespaces/{PLACE}/services/jaas-storage:8082/proxy/{path}");
        judged_while(stage, namespace, name, "ArtifactLost", &fetch).await?;
    }
    Ok(())
}

/// A snippet goes whose finalizer somebody stripped while no operator was there. Its file was written some days ago.
async fn orphan(stage: &Stage, namespace: &str) {
    let folder = stage.volume().join(namespace).join("web");
    let scale = |number: u32| format!("kubectl scale deployment/jaas -n {PLACE} --replicas {number}");
    stage
        .must(&format!(
            "kubectl wait jsonnetsnippet --all -n {namespace} --for condition=Ready --timeout 60s
            {}\nkubectl wait pods -n {PLACE} -l app.kubernetes.io/name=jaas --for delete --timeout 90s",
            scale(0)
        ))
        .await;
    stage
        .must(&format!(
            r#"kubectl patch jsonnetsnippet web -n {namespace} --type merge -p '{{"metadata":{{"finalizers":null}}}}'
            kubectl delete jsonnetsnippet web -n {namespace}
            kubectl wait externalartifact web -n {namespace} --for delete --timeout 90s
            touch -d '3 days ago' {}/*
            {}"#,
            folder.display(),
            scale(2)
        ))
        .await;
    stage.settle().await;
}

/// Waits until a snippet is judged, by this generation of it.
async fn judged(stage: &Stage, namespace: &str, name: &str, reason: &str) -> Result<(), String> {
    judged_while(stage, namespace, name, reason, "true").await
}

/// The same while something is done again and again.
async fn judged_while(stage: &Stage, namespace: &str, name: &str, reason: &str, done: &str) -> Result<(), String> {
    let look = r#"{.metadata.generation} {.status.observedGeneration} {.status.conditions[?(@.type=="Ready")].reason}"#;
    let look =
        format!("{done} > /dev/null 2>&1\nkubectl get jsonnetsnippet {name} -n {namespace} -o jsonpath='{look}'");
    let waited = eventually(format!("{namespace}/{name} to be {reason}"), PATIENCE, async || {
        let seen = said(&stage.shell(&look).await);
        let words: Vec<_> = seen.split(' ').collect();
        match words[..] {
            [wanted, judged, found] if wanted == judged && found == reason => Ok(()),
            _ => Err(seen),
        }
    });
    waited.await.map_err(|error| format!("{error:#}"))
}

#[test]
fn every_scene_is_of_a_page() {
    let pages = Page::all();
    for scene in SCENES {
        assert!(pages.iter().any(|page| page.name == scene.page), "{} is no page", scene.page);
    }
}
