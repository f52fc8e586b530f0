//! The webhook as the chart installs it, and an operator that answers.
//!
//! Nobody plays a Service's address here, so that of the webhook is an ExternalName that leads to this machine: the API server then asks
//! the operator itself, by the Service's name and with the certificate that is checked against it.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use jaas_tests::controlplane::ControlPlane;
use jaas_tests::namespace::{Namespace, TENANT};
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::runner::root;
use jaas_tests::wait::eventually;
use jaas_tests::{manifests, ports, programs};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// Name of the Secret, as the chart has it.
pub(crate) const SECRET: &str = "jaas-webhook-cert";
/// Taken by the operator.
const TAKEN: &str = "--ext-var=taken=1";

pub(crate) struct Bench {
    pub(crate) plane: &'static ControlPlane,
    pub(crate) client: Client,
    /// Where the operator is.
    pub(crate) home: String,
    /// Watched, and guarded by the webhook.
    pub(crate) team: Namespace,
    /// Watched only.
    pub(crate) free: Namespace,
    /// Name of the configuration.
    pub(crate) configuration: String,
    pub(crate) port: u16,
    /// Libraries of the operator.
    libraries: TempDir,
}

impl Bench {
    /// Namespaces, and nothing in them.
    pub(crate) async fn new() -> Self {
        let plane = ControlPlane::shared().await.unwrap();
        let home = plane.empty_namespace("hook").await.unwrap().name;
        let libraries = TempDir::new().unwrap();
        std::fs::create_dir(libraries.path().join("mounted")).unwrap();
        std::fs::write(libraries.path().join("mounted/main.libsonnet"), "{}").unwrap();
        Self {
            plane,
            client: plane.admin().await.unwrap(),
            team: plane.namespace("team").await.unwrap(),
            free: plane.namespace("free").await.unwrap(),
            configuration: format!("{home}-jsonnetsnippet"),
            port: ports::free().unwrap(),
            libraries,
            home,
        }
    }

    /// With what the chart renders for the webhook, and an operator that answers.
    pub(crate) async fn started(args: &[&str]) -> (Self, Operator) {
        let bench = Self::new().await;
        bench.install(&[]).await;
        let operator = bench.operator(bench.port, args).await;
        bench.answers().await;
        (bench, operator)
    }

    /// Applies what the chart renders for the webhook; the release is named as the namespace, so that several fit into a cluster.
    pub(crate) async fn install(&self, settings: &[&str]) {
        let objects = self.rendered(settings);
        let kinds = ["ValidatingWebhookConfiguration", "Secret"];
        let wanted = objects.into_iter().filter(|object| kinds.contains(&object["kind"].as_str().unwrap()));
        let mut objects: Vec<Value> = wanted.collect();
        objects.push(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "jaas-webhook", "namespace": self.home},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        }));
        for object in &mut objects {
            for webhook in object.get_mut("webhooks").and_then(Value::as_array_mut).into_iter().flatten() {
                webhook["clientConfig"]["service"]["port"] = json!(self.port);
            }
        }
        self.plane.apply_objects(&objects).await.unwrap();
    }

    /// What the chart renders.
    pub(crate) fn rendered(&self, settings: &[&str]) -> Vec<Value> {
        let home = TempDir::new().unwrap();
        let guarded = format!(
            "operator.webhook.namespaceSelector.matchLabels.kubernetes\\.io/metadata\\.name={}",
            self.team.name
        );
        let watched = format!("operator.watchNamespaces={{{},{}}}", self.team.name, self.free.name);
        let always =
            ["operator.enabled=true", "operator.webhook.enabled=true", "crds.create=false", &guarded, &watched];
        let mut command = Command::new(programs::helm().unwrap());
        for folder in ["CACHE", "CONFIG", "DATA"] {
            command.env(format!("HELM_{folder}_HOME"), home.path().join(folder));
        }
        command.args(["template", &self.home]).arg(root().join("charts/jaas")).args(["-n", &self.home]);
        for setting in always.iter().chain(settings) {
            command.args(["--set", setting]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let objects = manifests::parse(&String::from_utf8(output.stdout).unwrap()).unwrap();
        objects.iter().map(|object| serde_json::to_value(object).unwrap()).collect()
    }

    /// An operator that answers at a port.
    pub(crate) async fn operator(&self, port: u16, args: &[&str]) -> Operator {
        let own = [
            "--enable-webhook".to_owned(),
            "--webhook-listen-address=127.0.0.1".to_owned(),
            format!("--webhook-port={port}"),
            "--webhook-cert-mode=self-signed".to_owned(),
            format!("--webhook-service-namespace={}", self.home),
            format!("--webhook-validating-config-name={}", self.configuration),
            format!("--library-path={}", self.libraries.path().display()),
            TAKEN.to_owned(),
        ];
        let args = own.into_iter().chain(args.iter().map(|arg| (*arg).to_owned())).collect();
        let watch_namespaces = vec![self.team.name.clone(), self.free.name.clone()];
        let options = OperatorOptions {
            args,
            namespace: Some(self.home.clone()),
            watch_namespaces,
            ..OperatorOptions::default()
        };
        Operator::ready(self.plane, options).await.unwrap()
    }

    /// Waits until the API server has an answer of the webhook.
    pub(crate) async fn answers(&self) {
        eventually("an answer of the webhook", PATIENCE, async || {
            match self
                .dry_run(
                    &self.team.name,
                    "JsonnetSnippet",
                    "x",
                    json!({"files": {"a": ""}, "externalVariables": [{"name": "taken"}]}),
                )
                .await
            {
                Err(error) if error.contains("denied the request") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await
        .unwrap();
    }

    pub(crate) fn api(&self, namespace: &str, kind: &str) -> Api<DynamicObject> {
        manifests::custom(&self.client, namespace, "jaas.metio.wtf", "v1", kind)
    }

    /// What the API server says of an object, which it does not keep.
    pub(crate) async fn dry_run(&self, namespace: &str, kind: &str, name: &str, spec: Value) -> Result<(), String> {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let created = self.api(namespace, kind).create(&params, &object(kind, name, spec)).await;
        created.map(drop).map_err(|error| error.to_string())
    }

    pub(crate) async fn create(&self, namespace: &str, kind: &str, name: &str, spec: Value) {
        self.api(namespace, kind).create(&PostParams::default(), &object(kind, name, spec)).await.unwrap();
    }

    pub(crate) async fn patch(&self, name: &str, patch: Value) -> Result<(), String> {
        let api = self.api(&self.team.name, "JsonnetSnippet");
        let patched = api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.map(drop).map_err(|error| error.to_string())
    }

    /// The reason of a snippet's condition, once its present state is judged.
    pub(crate) async fn judged(&self, namespace: &str, name: &str) -> String {
        let api = self.api(namespace, "JsonnetSnippet");
        eventually(format!("a judgement of {name}"), PATIENCE, async || {
            let object = api.get(name).await.map_err(|error| error.to_string())?;
            let ready = &object.data["status"]["conditions"][0];
            if ready["observedGeneration"] != json!(object.metadata.generation) || ready["reason"] == "Pending" {
                return Err(object.data["status"].to_string());
            }
            ready["reason"].as_str().map(ToOwned::to_owned).ok_or_else(|| object.data["status"].to_string())
        })
        .await
        .unwrap()
    }

    /// The authorities that the configuration trusts, one for each block of each webhook.
    pub(crate) async fn trusted(&self) -> Vec<CertificateDer<'static>> {
        let api: Api<ValidatingWebhookConfiguration> = Api::all(self.client.clone());
        let webhooks = api.get(&self.configuration).await.unwrap().webhooks.unwrap();
        let bundles: Vec<_> = webhooks.iter().map(|webhook| webhook.client_config.ca_bundle.clone()).collect();
        assert!(bundles.windows(2).all(|pair| pair[0] == pair[1]), "every webhook trusts the same");
        let bundle = bundles.first().cloned().flatten().unwrap_or_default();
        CertificateDer::pem_slice_iter(&bundle.0).collect::<Result<_, _>>().unwrap()
    }

    /// Whether who goes by the configuration would trust a certificate.
    pub(crate) async fn would_trust(&self, certificate: &CertificateDer<'_>) -> Result<(), String> {
        let mut roots = RootCertStore::empty();
        for authority in self.trusted().await {
            roots.add(authority).map_err(|error| error.to_string())?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let name = ServerName::try_from(format!("jaas-webhook.{}.svc", self.home)).unwrap();
        let trusted = verifier.unwrap().verify_server_cert(certificate, &[], &name, &[], UnixTime::now());
        trusted.map(drop).map_err(|error| error.to_string())
    }

    /// Lets the configuration lead to another port.
    pub(crate) async fn lead_to(&self, port: u16) {
        let api: Api<ValidatingWebhookConfiguration> = Api::all(self.client.clone());
        let mut configuration = api.get(&self.configuration).await.unwrap();
        for webhook in configuration.webhooks.iter_mut().flatten() {
            webhook.client_config.service.as_mut().unwrap().port = Some(i32::from(port));
        }
        api.replace(&self.configuration, &PostParams::default(), &configuration).await.unwrap();
    }

    pub(crate) async fn secret(&self) -> Secret {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.home);
        api.get(SECRET).await.unwrap()
    }

    /// Puts something into the Secret.
    pub(crate) async fn spoil(&self, key: &str, content: &str) {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.home);
        let patch = json!({"stringData": {key: content}});
        api.patch(SECRET, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }
}

/// An object of ours.
pub(crate) fn object(kind: &str, name: &str, mut spec: Value) -> DynamicObject {
    if kind == "JsonnetSnippet" && spec.get("serviceAccountName").is_none() {
        spec["serviceAccountName"] = json!(TENANT);
    }
    let object = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    serde_json::from_value(object).unwrap()
}

/// The certificate that is shown at a port, whoever vouches for it.
pub(crate) async fn shown(port: u16) -> Result<CertificateDer<'static>, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| error.to_string())?;
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| error.to_string())?;
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first().cloned());
    shown.map(CertificateDer::into_owned).ok_or_else(|| "no certificate".to_owned())
}

/// Trusts whatever is shown: what is shown is the question.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
