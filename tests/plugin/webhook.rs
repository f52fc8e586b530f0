//! `doctor webhook` beside an operator that answers for one, by the API server's own way: a Service with an address of the cluster.

use std::process::{Command, Output};

use jaas_tests::cluster::{Addressing, Settings};
use jaas_tests::runner::root;
use jaas_tests::wait::eventually;
use jaas_tests::{manifests, ports, programs};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

use super::bench::{code, document, exits, text};
use super::installed::Ward;

/// Longest wait for a certificate, whose making is tried again after growing pauses.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(90);
/// Name of the release, by which the configuration is called.
const RELEASE: &str = "doctor";
/// Address of the Service, which leads to the Pod.
const ADDRESS: &str = "10.0.0.200";

impl Ward {
    async fn webhook(&self) -> Output {
        self.operator(&["doctor", "webhook", "-o", "json"]).await
    }

    /// What the chart renders for the webhook, and its Service.
    async fn install_webhook(&self, port: u16) {
        let place = &self.namespace.name;
        let home = TempDir::new().unwrap();
        let mut command = Command::new(programs::helm().unwrap());
        for folder in ["CACHE", "CONFIG", "DATA"] {
            command.env(format!("HELM_{folder}_HOME"), home.path().join(folder));
        }
        command.args(["template", RELEASE]).arg(root().join("charts/jaas")).args(["-n", place]);
        let guarded = format!("operator.webhook.namespaceSelector.matchLabels.kubernetes\\.io/metadata\\.name={place}");
        for setting in ["operator.enabled=true", "operator.webhook.enabled=true", "crds.create=false", &guarded] {
            command.args(["--set", setting]);
        }
        let rendered = command.output().unwrap();
        assert!(rendered.status.success(), "{}", text(&rendered.stderr));
        let objects = manifests::parse(&text(&rendered.stdout)).unwrap();
        let objects = objects.iter().map(|object| serde_json::to_value(object).unwrap());
        let wanted =
            |object: &Value| ["ValidatingWebhookConfiguration", "Secret"].contains(&object["kind"].as_str().unwrap());
        let mut objects: Vec<_> = objects.filter(wanted).collect();
        for webhook in
            objects.iter_mut().filter_map(|it| it.get_mut("webhooks")).filter_map(Value::as_array_mut).flatten()
        {
            webhook["clientConfig"]["service"]["port"] = json!(port);
        }
        objects.push(
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "jaas-webhook", "namespace": place},
            "spec": {"clusterIP": ADDRESS, "selector": {"app.kubernetes.io/name": "jaas"},
                "ports": [{"name": "webhook", "port": port, "targetPort": port}]}}),
        );
        self.plane.apply_objects(&objects).await.unwrap();
    }

    async fn replicas(&self, count: u32) {
        exits(&self.kubectl(&["scale", "deployment", "jaas", &format!("--replicas={count}")]).await, 0);
    }
}

/// Leads each connection to the Pod, as kube-proxy does; where there is none, it is closed.
async fn lead(listener: TcpListener, port: u16, pods: Api<Pod>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let pods = pods.list(&ListParams::default().labels("app.kubernetes.io/name=jaas")).await;
        let address = pods.into_iter().flatten().find_map(|pod| pod.status?.pod_ip);
        tokio::spawn(async move {
            if let Some(address) = address
                && let Ok(mut pod) = TcpStream::connect((address, port)).await
            {
                // Either side may go away at any time.
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut pod).await;
            }
        });
    }
}

/// State of a check, and the sentences of its findings.
fn state(document: &Value, code: &str) -> (String, String) {
    let of = |all: &Value| {
        let all = all.as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|it| it["code"] == code).collect::<Vec<_>>()
    };
    let check = of(&document["diagnosis"]["checks"]);
    let findings = Value::from(of(&document["diagnosis"]["findings"])).to_string();
    (check[0]["state"].as_str().unwrap().to_owned(), findings)
}

fn states(document: &Value) -> [String; 3] {
    ["W901", "W902", "W903"].map(|code| state(document, code).0)
}

#[tokio::test]
async fn what_is_wrong_with_the_webhook_is_found_and_what_it_would_refuse_is_named() {
    let port = ports::free().unwrap();
    let args = [
        "--ext-var=taken=1".to_owned(),
        "--enable-webhook".to_owned(),
        "--webhook-listen-address=0.0.0.0".to_owned(),
        format!("--webhook-port={port}"),
        "--webhook-cert-mode=self-signed".to_owned(),
        format!("--webhook-validating-config-name={RELEASE}-jsonnetsnippet"),
    ];
    let ward =
        Ward::new(Settings { addressing: Addressing::Network, args: args.to_vec(), ..Settings::default() }).await;
    let added = Command::new("ip").args(["address", "add", &format!("{ADDRESS}/32"), "dev", "lo"]).output().unwrap();
    assert!(added.status.success(), "{}", text(&added.stderr));
    let listener = TcpListener::bind((ADDRESS, port)).await.unwrap();
    tokio::spawn(lead(listener, port, ward.pods().await));
    ward.publish(&[("good", "1")]).await;
    let mut early = ward.snippet("early", "std.extVar('taken')");
    early["spec"]["externalVariables"] = json!([{"name": "taken", "value": "2"}]);
    ward.plane.apply_objects(&[early]).await.unwrap();
    exits(&ward.jaas(&["reconcile", "early"]).await, 3);
    let none = ward.webhook().await;
    exits(&none, 0);
    assert_eq!(states(&document(&none)), ["skipped"; 3], "{}", text(&none.stdout));

    ward.install_webhook(port).await;
    let named = async || {
        let found = document(&ward.webhook().await);
        if states(&found) == ["ok", "ok", "finding"] { Ok(found) } else { Err(format!("{found:#}")) }
    };
    let found = eventually("the webhook to answer, and one finding", PATIENCE, named).await.unwrap();
    let (_, told) = state(&found, "W903");
    let place = ward.namespace.name.as_str();
    for words in
        [format!("{place}/early: ExternalVariableConflict"), format!("kubectl edit jsonnetsnippet early -n {place}")]
    {
        assert!(told.contains(&words), "{words:?} is missing in {told}");
    }
    assert!(!told.contains("good"), "{told}");

    // The API server asks the operator: it refuses what breaks the rule on, and takes what mends it.
    let patch = |files: &str, variables: Value| {
        json!({"spec": {"files": {"main.jsonnet": files}, "externalVariables": variables}}).to_string()
    };
    let change =
        async |patch: String| ward.kubectl(&["patch", "jsonnetsnippet", "early", "--type=merge", "-p", &patch]).await;
    let asked = async || {
        let refused = change(patch("2", json!([{"name": "taken", "value": "3"}]))).await;
        let told = text(&refused.stderr);
        if told.contains("conflicts with operator --ext-var: [taken]") { Ok(()) } else { Err(told) }
    };
    eventually("a refusal in the webhook's words", PATIENCE, asked).await.unwrap();
    exits(&change(patch("2", json!([]))).await, 0);
    exits(&ward.jaas(&["wait", "ready", "early"]).await, 0);
    let well = async || {
        let well = ward.webhook().await;
        let is_well = code(&well) == 0 && states(&document(&well)) == ["ok"; 3];
        if is_well { Ok(()) } else { Err(text(&well.stdout)) }
    };
    eventually("nothing to be wrong", PATIENCE, well).await.unwrap();

    // Nobody answers, and somebody takes away whom the API server trusts.
    ward.replicas(0).await;
    let unanswered = async || {
        let found = document(&ward.webhook().await);
        if state(&found, "W902").0 == "finding" { Ok(()) } else { Err(format!("{found:#}")) }
    };
    eventually("nobody to answer", PATIENCE, unanswered).await.unwrap();
    let configuration = format!("{RELEASE}-jsonnetsnippet");
    let bundle = r#"[{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]"#;
    exits(
        &ward.kubectl(&["patch", "validatingwebhookconfiguration", &configuration, "--type=json", "-p", bundle]).await,
        0,
    );
    let broken = ward.webhook().await;
    exits(&broken, 4);
    assert_eq!(states(&document(&broken)), ["finding", "finding", "ok"], "{}", text(&broken.stdout));
    let refused = change(patch("3", json!([]))).await;
    assert!(text(&refused.stderr).contains("failed calling webhook"), "{}", text(&refused.stderr));

    ward.replicas(1).await;
    eventually("the operator to mend it", PATIENCE, well).await.unwrap();
    exits(&change(patch("3", json!([]))).await, 0);
}
