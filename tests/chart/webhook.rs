//! The admission webhook and the policy of artifacts, as the chart makes them.

use jaas_tests::controlplane::Identity;
use serde_json::{Value, json};

use super::helm::{Helm, Objects, RELEASE, ValueSet, chart, text_of};
use super::{RELEASED, cluster, kubectl, said};

/// Kinds that are there for the webhook or the policy alone.
const KINDS: [&str; 5] = [
    "ValidatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "Secret",
    "Certificate",
];

fn webhooks(objects: &Objects) -> Vec<Value> {
    objects.part("ValidatingWebhookConfiguration", "/webhooks").as_array().unwrap().clone()
}

#[test]
fn what_is_off_leaves_nothing_behind() {
    let objects = Helm::new().objects(&ValueSet::named("default"));
    assert_eq!(objects.names(&KINDS), Vec::<String>::new());
    let all = objects.names(&["Service", "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"]);
    assert!(all.iter().all(|name| !name.contains("webhook")), "{all:?}");
    assert!(objects.arguments().iter().all(|argument| !argument.contains("webhook")));
}

#[test]
fn a_self_signed_certificate_is_shared_in_one_secret_by_one_right() {
    let objects = Helm::new().objects(&ValueSet::named("webhook"));
    assert_eq!(
        objects.names(&KINDS),
        [
            "Secret jaas-system/jaas-webhook-cert",
            "ValidatingAdmissionPolicy jaas-externalartifacts",
            "ValidatingAdmissionPolicyBinding jaas-externalartifacts",
            "ValidatingWebhookConfiguration jaas-jsonnetsnippet",
        ]
    );
    assert_eq!(objects.part("Secret", "/data"), Value::Null, "what the operator puts there is not overwritten");
    let rights = |kind: &str| {
        let role =
            objects.of_kinds(&[kind]).find(|role| role.metadata.name.as_deref() == Some("jaas-operator-webhook"));
        role.unwrap().data["rules"].clone()
    };
    let right = |group: &str, resource: &str, name: &str| json!([{"apiGroups": [group], "resources": [resource], "resourceNames": [name], "verbs": ["get", "update"]}]);
    let configurations =
        right("admissionregistration.k8s.io", "validatingwebhookconfigurations", "jaas-jsonnetsnippet");
    assert_eq!(rights("ClusterRole"), configurations);
    assert_eq!(rights("Role"), right("", "secrets", "jaas-webhook-cert"));
    for (flag, value) in [
        ("webhook-port", "9443"),
        ("webhook-cert-mode", "self-signed"),
        ("webhook-service-namespace", "jaas-system"),
        ("webhook-secret-name", "jaas-webhook-cert"),
        ("webhook-validating-config-name", "jaas-jsonnetsnippet"),
        ("webhook-cert-validity", "720h"),
    ] {
        assert_eq!(objects.argument(flag).as_deref(), Some(value), "{flag}");
    }
    assert!(objects.arguments().contains(&"--enable-webhook".to_owned()));
    let ports = objects.part("Deployment", "/spec/template/spec/containers/0/ports");
    assert!(ports.as_array().unwrap().contains(&json!({"name": "webhook", "containerPort": 9443})), "{ports}");
    for webhook in webhooks(&objects) {
        let watched = json!([{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["team-a", "team-b"]}]);
        assert_eq!(webhook["namespaceSelector"]["matchExpressions"], watched);
        assert_eq!(webhook["objectSelector"]["matchExpressions"][0]["key"], "example.com/unchecked");
        let names: Vec<_> =
            webhook["matchConditions"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
        assert_eq!(names, ["not-the-operator", "not-being-deleted", "something-to-judge", "not-the-platform-team"]);
        let service = &webhook["clientConfig"]["service"];
        let address = (&service["name"], &service["namespace"], &service["port"], &webhook["timeoutSeconds"]);
        assert_eq!(address, (&json!("jaas-webhook"), &json!("jaas-system"), &json!(443), &json!(10)));
        assert_eq!((&webhook["failurePolicy"], &webhook["sideEffects"]), (&json!("Fail"), &json!("None")));
    }
    let names: Vec<_> = webhooks(&objects).iter().map(|webhook| webhook["name"].clone()).collect();
    assert_eq!(names, ["vjsonnetlibrary.jaas.metio.wtf", "vjsonnetsnippet.jaas.metio.wtf"]);
    let ingress = objects.part("NetworkPolicy", "/spec/ingress");
    let open = ingress.as_array().unwrap().iter().find(|rule| rule["ports"][0]["port"] == 9443).unwrap();
    assert_eq!(open["from"], json!([{"ipBlock": {"cidr": "10.0.0.1/32"}}]));
}

#[test]
fn cert_managers_certificate_is_mounted_and_needs_no_right() {
    let objects = Helm::new().objects(&ValueSet::named("webhook-cert-manager"));
    let expected = ["Certificate jaas-system/jaas-webhook", "ValidatingWebhookConfiguration jaas-jsonnetsnippet"];
    assert_eq!(objects.names(&KINDS), expected);
    let certificate = objects.part("Certificate", "/spec");
    let names = ["jaas-webhook.jaas-system.svc", "jaas-webhook.jaas-system.svc.cluster.local"];
    assert_eq!(certificate["dnsNames"], json!(names));
    assert_eq!(certificate["issuerRef"], json!({"kind": "ClusterIssuer", "name": "internal"}));
    let configuration = objects.of_kinds(&["ValidatingWebhookConfiguration"]).next().unwrap();
    let annotation = configuration.metadata.annotations.as_ref().unwrap().get("cert-manager.io/inject-ca-from");
    assert_eq!(annotation.map(String::as_str), Some("jaas-system/jaas-webhook"));
    assert!(webhooks(&objects).iter().all(|webhook| webhook.get("namespaceSelector").is_none()));
    let roles = objects.names(&["ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"]);
    assert!(roles.iter().all(|name| !name.contains("webhook")), "{roles:?}");
    let folder = objects.argument("webhook-cert-dir").unwrap();
    let mounts = objects.part("Deployment", "/spec/template/spec/containers/0/volumeMounts");
    assert!(
        mounts.as_array().unwrap().contains(&json!({"name": "webhook-cert", "mountPath": folder, "readOnly": true}))
    );
    let volumes = objects.part("Deployment", "/spec/template/spec/volumes");
    let volume = volumes.as_array().unwrap().iter().find(|volume| volume["name"] == "webhook-cert").unwrap();
    let secret = (&volume["secret"]["secretName"], &volume["secret"]["optional"]);
    assert_eq!(secret, (&json!("jaas-webhook-cert"), &json!(true)), "artifacts are served while it is not there");
}

/// What the operator has put into the Secret and into the configuration is there after an upgrade.
async fn an_upgrade_keeps_the_certificate(helm: Helm) {
    let _released = RELEASED.lock().await;
    let (plane, namespace) = cluster().await;
    let kubeconfig = plane.kubeconfig(&Identity::Admin).unwrap();
    let file = ValueSet::named("webhook").path;
    let run = |args: &[&str]| {
        let output = helm.against(&kubeconfig, &[args, &["-n", &namespace]].concat());
        assert!(output.status.success(), "{args:?}: {}", said(&output));
    };
    let settings = ["-f", text_of(&file), "--set", "crds.create=false"];
    let folder = chart();
    run(&[&["install", RELEASE, text_of(&folder), "--take-ownership"], &settings[..]].concat());
    let path = format!("namespaces/{namespace}/secrets");
    let account = ["--as", &format!("system:serviceaccount:{namespace}:jaas")].map(ToOwned::to_owned);
    // As the operator, with its own rights: it replaces what it has read.
    let replace = |kind: &str, name: &str, change: &dyn Fn(&mut Value)| {
        let read = kubectl(plane, &["get", kind, name, "-n", &namespace, "-o", "json"], "");
        let mut object: Value = serde_json::from_slice(&read.stdout).unwrap();
        change(&mut object);
        let args = ["replace", "-n", &namespace, "-f", "-", &account[0], &account[1]];
        let output = kubectl(plane, &args, &object.to_string());
        assert!(output.status.success(), "{path}: {}", said(&output));
    };
    replace("secret", "jaas-webhook-cert", &|secret| secret["data"] = json!({"tls.crt": "QQ=="}));
    replace("validatingwebhookconfiguration", "jaas-jsonnetsnippet", &|configuration| {
        for webhook in configuration["webhooks"].as_array_mut().unwrap() {
            webhook["clientConfig"]["caBundle"] = json!("QQ==");
        }
    });
    let kept = || {
        let read = |args: &[&str]| {
            let output = kubectl(plane, &[args, &["-n", &namespace, "-o", "json"]].concat(), "");
            serde_json::from_slice::<Value>(&output.stdout).unwrap()
        };
        let configuration = read(&["get", "validatingwebhookconfiguration", "jaas-jsonnetsnippet"]);
        let bundles =
            configuration["webhooks"].as_array().unwrap().iter().map(|it| it["clientConfig"]["caBundle"].clone());
        (read(&["get", "secret", "jaas-webhook-cert"])["data"]["tls.crt"].clone(), bundles.collect::<Vec<_>>())
    };
    let expected = (json!("QQ=="), vec![json!("QQ=="), json!("QQ==")]);
    assert_eq!(kept(), expected);
    let more = ["--set", "operator.webhook.failurePolicy=Ignore"];
    run(&[&["upgrade", RELEASE, text_of(&folder)], &settings[..], &more].concat());
    assert_eq!(kept(), expected, "after an upgrade that changes the configuration");
    run(&["rollback", RELEASE, "1"]);
    assert_eq!(kept(), expected, "after a rollback");
    run(&["uninstall", RELEASE, "--no-hooks"]);
    let left = kubectl(plane, &["get", "validatingwebhookconfiguration", "jaas-jsonnetsnippet"], "");
    assert!(!left.status.success(), "the configuration goes with the release");
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_3_keeps_the_certificate_at_an_upgrade() {
    an_upgrade_keeps_the_certificate(Helm::three()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_4_keeps_the_certificate_at_an_upgrade() {
    an_upgrade_keeps_the_certificate(Helm::new()).await;
}
