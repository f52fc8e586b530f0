//! What the chart installs besides rights and definitions. Pure.

use serde_json::{Value, json};

use super::{ADMIN, CLAIM, Keys, LEASE, MANAGEMENT, METRICS, RENDERER, STORAGE, STORAGE_PATH, Settings, Store};
use crate::kubelet::Addressing;
use crate::operator::SERVICE_ACCOUNT;

/// By which the Pods are found.
pub(super) const SELECTOR: &str = "app.kubernetes.io/name=jaas";
/// Where keys of a bucket are mounted.
const CREDENTIALS: &str = "/etc/jaas/s3/credentials";

/// The variables that programs for object stores look for.
const KEYS: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

/// Everything.
pub(super) fn all(namespace: &str, node: &str, base_url: &str, settings: &Settings) -> Vec<Value> {
    let labels = json!({"app.kubernetes.io/name": "jaas", "app.kubernetes.io/instance": "jaas"});
    let metadata = |name: &str| json!({"name": name, "namespace": namespace, "labels": labels});
    let service = |name: &str, port: u16, target: &str| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata(name), "spec": {"clusterIP": "None",
            "selector": labels, "ports": [{"name": target, "port": port, "targetPort": target}]}})
    };
    let mut objects = Vec::new();
    if settings.store == Store::Claim {
        objects.push(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata(CLAIM),
            "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}}));
    }
    objects.push(service("jaas-storage", STORAGE, "storage"));
    if settings.has_metrics() {
        objects.push(service("jaas-metrics", METRICS, "metrics"));
    }
    if settings.replicas > 1 {
        objects.push(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata("jaas"),
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": labels}}}));
    }
    if settings.admin {
        objects.extend(on_call(namespace));
    }
    let strategy = match settings.elects {
        true => json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}),
        false => json!({"type": "Recreate"}),
    };
    let pod = pod(namespace, node, base_url, settings);
    objects.push(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("jaas"), "spec": {
        "replicas": settings.replicas, "strategy": strategy, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod}}}));
    objects
}

/// The account whose tokens the admin endpoint takes, with all that it may allow.
fn on_call(namespace: &str) -> [Value; 3] {
    let role =
        json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "jaas-plugin-storage-admin"});
    let group = "jaas.metio.wtf";
    [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": false,
            "metadata": {"name": "jaas-oncall", "namespace": namespace}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "jaas-plugin-storage-admin"}, "rules": [
            {"apiGroups": [group], "resources": ["jsonnetsnippets/storage"], "verbs": ["get", "list", "delete"]},
            {"apiGroups": [group], "resources": ["jsonnetsnippets"], "verbs": ["get", "list"]},
        ]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": format!("{namespace}-jaas-oncall")}, "roleRef": role,
            "subjects": [{"kind": "ServiceAccount", "name": "jaas-oncall", "namespace": namespace}]}),
    ]
}

fn pod(namespace: &str, node: &str, base_url: &str, settings: &Settings) -> Value {
    let mut volumes = vec![json!({"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}})];
    let mut mounts = vec![json!({"name": "tmp", "mountPath": "/tmp"})];
    let mut mount = |volume: Value, path: &str| {
        mounts.push(json!({"name": volume["name"], "mountPath": path}));
        volumes.push(volume);
    };
    let mut env = Vec::new();
    match &settings.store {
        Store::EmptyDir => mount(json!({"name": "storage", "emptyDir": {"sizeLimit": "256Mi"}}), STORAGE_PATH),
        Store::Claim => {
            mount(json!({"name": "storage", "persistentVolumeClaim": {"claimName": CLAIM}}), STORAGE_PATH);
        }
        Store::Bucket(_, Keys::Mounted(secret)) => {
            mount(json!({"name": "s3-credentials", "secret": {"secretName": secret}}), CREDENTIALS);
        }
        Store::Bucket(_, Keys::Environment(secret)) => {
            env.extend(
                KEYS.map(|key| json!({"name": key, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})),
            );
        }
        Store::Bucket(_, Keys::Arguments) => {}
    }
    let port = |name: &str, port: u16| json!({"name": name, "containerPort": port});
    let mut ports = vec![port("management", MANAGEMENT), port("storage", STORAGE)];
    if settings.has_metrics() {
        ports.push(port("metrics", METRICS));
    }
    let probe = |path: &str| json!({"httpGet": {"path": path, "port": "management"}});
    let container = json!({
        "name": "jaas", "image": concat!("ghcr.io/metio/jaas:", env!("CARGO_PKG_VERSION")), "env": env,
        "args": arguments(namespace, base_url, settings), "ports": ports, "volumeMounts": mounts,
        "readinessProbe": probe("/ready"), "livenessProbe": probe("/live"),
        "resources": {"requests": {"memory": "512Mi", "cpu": "100m"}, "limits": {"memory": "512Mi"}},
    });
    json!({"serviceAccountName": SERVICE_ACCOUNT, "terminationGracePeriodSeconds": 65, "nodeName": node,
        "containers": [container], "volumes": volumes})
}

/// As the chart writes them, where its values differ from the operator's defaults, and with the short times of tests.
fn arguments(namespace: &str, base_url: &str, settings: &Settings) -> Vec<String> {
    let mut args = vec![
        "--enable-flux-integration".to_owned(),
        format!("--leader-election={}", settings.elects),
        format!("--leader-election-id={LEASE}"),
        format!("--leader-election-namespace={namespace}"),
        "--leader-election-lease-duration=3s".to_owned(),
        "--leader-election-renew-deadline=2s".to_owned(),
        "--leader-election-retry-period=400ms".to_owned(),
        format!("--watch-namespaces={}", settings.watched(namespace).join(",")),
        format!("--storage-base-url={base_url}"),
        "--listen-address=0.0.0.0".to_owned(),
        format!("--port={RENDERER}"),
        "--storage-listen-address=0.0.0.0".to_owned(),
        format!("--storage-port={STORAGE}"),
        "--management-listen-address=0.0.0.0".to_owned(),
        format!("--management-port={MANAGEMENT}"),
        format!("--metrics-bind-address=:{METRICS}"),
        "--shutdown-delay=0s".to_owned(),
    ];
    match &settings.store {
        Store::EmptyDir | Store::Claim => {
            args.extend(["--storage-backend=local".to_owned(), format!("--storage-path={STORAGE_PATH}")]);
        }
        Store::Bucket(bucket, keys) => {
            args.push("--storage-backend=s3".to_owned());
            args.extend(bucket.iter().cloned());
            if matches!(keys, Keys::Mounted(_)) {
                args.push(format!("--s3-credentials-file={CREDENTIALS}"));
            }
        }
    }
    if settings.admin {
        args.push(format!("--admin-bind-address=127.0.0.1:{ADMIN}"));
    }
    args.extend(settings.args.iter().cloned());
    args
}

impl Settings {
    /// A Service for the metrics is of use only where the API server can reach what is behind it.
    fn has_metrics(&self) -> bool {
        self.addressing != Addressing::Loopback
    }
}
