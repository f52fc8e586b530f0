//! What a Pod gets: its store, its arguments, and how it is replaced.

use serde_json::{Value, json};

use super::helm::{Helm, Objects, ValueSet};

/// Where the objects say it: how many Pods, how they are replaced, and what they mount besides `/tmp`.
fn shape(objects: &Objects) -> Value {
    let spec = |pointer: &str| objects.part("Deployment", pointer);
    let volumes = spec("/spec/template/spec/volumes");
    let mounts = spec("/spec/template/spec/containers/0/volumeMounts");
    let path_of =
        |name: &Value| mounts.as_array().unwrap().iter().find(|it| it["name"] == *name).unwrap()["mountPath"].clone();
    let mounted = volumes.as_array().unwrap().iter().filter(|volume| volume["name"] != "tmp");
    let mounted: Vec<_> = mounted.map(|volume| json!({"volume": volume, "at": path_of(&volume["name"])})).collect();
    json!({
        "replicas": spec("/spec/replicas"),
        "strategy": spec("/spec/strategy"),
        "mounted": mounted,
        "others": objects.names(&["PersistentVolumeClaim", "HorizontalPodAutoscaler", "PodDisruptionBudget"]),
    })
}

fn rolling() -> Value {
    json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
}

/// Null, because what an object says before an upgrade would stay otherwise and be refused.
fn recreate() -> Value {
    json!({"type": "Recreate", "rollingUpdate": null})
}

fn shape_of(set: &str) -> Value {
    shape(&Helm::new().objects(&ValueSet::named(set)))
}

#[test]
fn a_store_in_the_pod_is_a_limited_volume() {
    let mounted = json!([
        {"volume": {"name": "storage", "emptyDir": {"sizeLimit": "256Mi"}}, "at": "/var/lib/jaas/artifacts"}
    ]);
    assert_eq!(shape_of("default"), json!({"replicas": 1, "strategy": rolling(), "mounted": mounted, "others": []}));
}

#[test]
fn a_label_selector_is_passed_where_there_is_one() {
    let passed = |set: &str| Helm::new().objects(&ValueSet::named(set)).argument("label-selector");
    assert_eq!(passed("watch-namespaces").as_deref(), Some("team in (a,b),!old"));
    assert_eq!(passed("default"), None);
}

#[test]
fn without_an_election_no_two_pods_run_at_once() {
    assert_eq!(shape_of("watch-namespaces")["strategy"], recreate());
}

#[test]
fn a_volume_of_one_node_is_let_go_before_the_next_pod_starts() {
    let claim = json!([{
        "volume": {"name": "storage", "persistentVolumeClaim": {"claimName": "jaas-storage"}},
        "at": "/var/lib/jaas/artifacts",
    }]);
    assert_eq!(
        shape_of("persistence"),
        json!({
            "replicas": 1,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "mounted": claim,
            "others": ["PersistentVolumeClaim jaas-system/jaas-storage"],
        })
    );
    assert_eq!(
        shape_of("replicas"),
        json!({
            "replicas": null,
            "strategy": rolling(),
            "mounted": claim,
            "others": [
                "HorizontalPodAutoscaler jaas-system/jaas",
                "PersistentVolumeClaim jaas-system/jaas-storage",
                "PodDisruptionBudget jaas-system/jaas",
            ],
        })
    );
}

#[test]
fn a_bucket_needs_no_volume_but_its_keys_and_certificates() {
    let mut found = shape_of("s3");
    // Octal, which readers of YAML disagree about.
    found.pointer_mut("/mounted/0/volume/secret").unwrap().as_object_mut().unwrap().remove("defaultMode").unwrap();
    let certificates = json!({"name": "storage-ca", "items": [{"key": "bundle.pem", "path": "ca.crt"}]});
    assert_eq!(
        found,
        json!({
            "replicas": 2,
            "strategy": rolling(),
            "mounted": [
                {"volume": {"name": "s3-credentials", "secret": {"secretName": "jaas-s3"}}, "at": "/etc/jaas/s3/credentials"},
                {"volume": {"name": "s3-ca", "configMap": certificates}, "at": "/etc/jaas/s3/ca"},
            ],
            "others": ["PodDisruptionBudget jaas-system/jaas"],
        })
    );
    assert_eq!(shape_of("s3-anonymous"), json!({"replicas": 1, "strategy": rolling(), "mounted": [], "others": []}));
}

#[test]
fn the_arguments_of_a_bucket_name_the_mounted_files() {
    let of = |set: &str| {
        let arguments = Helm::new().objects(&ValueSet::named(set)).arguments();
        let wanted = |argument: &String| {
            ["--s3-", "--storage-path", "--storage-quota"].iter().any(|it| argument.starts_with(it))
        };
        arguments.into_iter().filter(wanted).collect::<Vec<_>>()
    };
    assert_eq!(
        of("s3"),
        [
            "--s3-endpoint=minio.storage.svc:9000",
            "--s3-bucket=artifacts",
            "--s3-prefix=jaas/production",
            "--s3-region=eu-central-1",
            "--s3-use-ssl=true",
            "--s3-anonymous=false",
            "--s3-credentials-file=/etc/jaas/s3/credentials",
            "--s3-ca-file=/etc/jaas/s3/ca/ca.crt",
        ]
    );
    assert_eq!(
        of("s3-anonymous"),
        ["--s3-endpoint=minio.storage.svc:9000", "--s3-bucket=artifacts", "--s3-use-ssl=false", "--s3-anonymous=true",]
    );
}

#[test]
fn numbers_of_any_size_arrive_as_they_were_meant() {
    let objects = Helm::new().objects(&ValueSet::named("persistence"));
    let expected = [
        ("max-stack", "1000000"),
        ("evaluation-memory", "268435456"),
        ("max-artifact-bytes", "16777216"),
        ("storage-quota", "9663676416"),
        ("storage-cache", "33554432"),
        ("storage-scrub-rate", "1572864"),
    ];
    for (flag, value) in expected {
        assert_eq!(objects.argument(flag).as_deref(), Some(value), "--{flag}");
    }
    let arguments = objects.arguments();
    for variable in ["--ext-var=replicas=12345678", "--ext-var=ratio=0.5"] {
        assert!(arguments.iter().any(|argument| argument == variable), "{variable}: {arguments:?}");
    }
    assert_eq!(
        objects.part("Deployment", "/spec/template/spec/containers/0/env"),
        json!([{"name": "JAAS_EXT_VAR_build", "value": "16777216"}])
    );
    assert_eq!(objects.part("PersistentVolumeClaim", "/spec/resources/requests/storage"), json!(10_737_418_240_u64));
}

#[test]
fn the_quota_stays_below_the_limit_at_which_a_pod_is_evicted() {
    let helm = Helm::new();
    let quota = |settings: &[&str]| helm.objects_with(settings).argument("storage-quota");
    let some = |value: &str| Some(value.to_owned());
    assert_eq!(quota(&[]), some("228170137"));
    assert_eq!(quota(&["operator.storage.sizeLimit=2Ti"]), some("1869169767219"));
    assert_eq!(quota(&["operator.storage.sizeLimit=1000"]), some("850"));
    assert_eq!(quota(&["operator.storage.quota=0"]), some("0"));
    assert_eq!(quota(&["operator.storage.quota=1.5Gi"]), some("1610612736"));
    assert_eq!(quota(&["operator.storage.persistence.enabled=true"]), None);
}

#[test]
fn the_share_of_a_namespace_is_a_percentage_or_bytes() {
    let helm = Helm::new();
    let share = |settings: &[&str]| helm.objects_with(settings).argument("storage-namespace-quota").unwrap();
    assert_eq!(share(&[]), "0");
    assert_eq!(share(&["operator.storage.namespaceQuota=25%"]), "25%");
    assert_eq!(share(&["operator.storage.namespaceQuota=100%"]), "100%");
    assert_eq!(share(&["operator.storage.namespaceQuota=1.5Gi"]), "1610612736");
}

#[test]
fn without_the_operator_a_pod_has_no_rights_no_store_and_what_it_renders() {
    let objects = Helm::new().objects(&ValueSet::named("renderer"));
    let rights =
        ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Job", "PrometheusRule"];
    assert_eq!(objects.names(&rights), [""; 0]);
    assert_eq!(objects.names(&["Service"]), ["Service jaas-system/jaas", "Service jaas-system/jaas-metrics"]);
    let pod = |pointer: &str| objects.part("Deployment", &format!("/spec/template/spec{pointer}"));
    assert_eq!((pod("/serviceAccountName"), pod("/automountServiceAccountToken")), (Value::Null, json!(false)));
    let image = |name: &str, reference: &str, at: &str| json!({"volume": {"name": name, "image": {"reference": reference, "pullPolicy": "IfNotPresent"}}, "at": at});
    assert_eq!(
        shape(&objects),
        json!({
            "replicas": null,
            "strategy": rolling(),
            "mounted": [
                image("library-company", "registry.example.com/libraries:v3", "/srv/libraries/company"),
                image("library-grafonnet", "registry.example.com/metio/joi-grafana-grafonnet:v11", "/srv/libraries/grafonnet"),
                image("library-xtd", "ghcr.io/metio/joi-jsonnet-libs-xtd:latest", "/srv/libraries/xtd"),
                image("snippet-dashboards", "ghcr.io/example/dashboards:v1", "/snippets/dashboards"),
                image("snippet-team-alerts", "ghcr.io/example/alerts:v2", "/snippets/team_alerts"),
            ],
            "others": ["HorizontalPodAutoscaler jaas-system/jaas", "PodDisruptionBudget jaas-system/jaas"],
        })
    );
    let arguments = objects.arguments();
    let paths: Vec<_> = arguments.iter().filter_map(|argument| argument.strip_prefix("--library-path=")).collect();
    assert_eq!(paths, ["/srv/libraries/grafonnet", "/srv/libraries/xtd", "/srv/libraries/company"]);
    for (flag, value) in [
        ("port", "9090"),
        ("listen-address", "::"),
        ("read-timeout", "5s"),
        ("jsonnet-endpoint-path", "render"),
        ("snippet-directory", "/snippets"),
    ] {
        assert_eq!(objects.argument(flag).as_deref(), Some(value), "--{flag}");
    }
    assert!(
        !arguments.iter().any(|it| it.starts_with("--enable-flux") || it.starts_with("--storage")),
        "{arguments:?}"
    );
    let from = objects.part("NetworkPolicy", "/spec/ingress/0");
    assert_eq!(
        (&from["ports"], &from["from"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]),
        (&json!([{"port": 9090}]), &json!("grafana"))
    );
}

#[test]
fn the_operator_imports_from_the_images_that_the_renderer_has() {
    let settings = ["libraries.docsonnet.enabled=true", "additionalLibraries.b=b:1", "operator.libraries.images.z=z:1"];
    let objects = Helm::new().objects_with(&settings);
    let arguments = objects.arguments();
    let paths: Vec<_> = arguments.iter().filter_map(|argument| argument.strip_prefix("--library-path=")).collect();
    assert_eq!(paths, ["/srv/libraries/docsonnet", "/srv/libraries/b", "/srv/libraries/images/z"]);
    assert!(arguments.iter().any(|argument| argument == "--enable-flux-integration"));
}
