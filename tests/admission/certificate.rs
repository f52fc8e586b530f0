//! The certificate of the webhook: shared, renewed, repaired, mounted.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use jaas_tests::http::get;
use jaas_tests::operator::Operator;
use jaas_tests::ports;
use jaas_tests::wait::eventually;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

use crate::bench::{Bench, PATIENCE, SECRET, shown};

/// The value of a series.
async fn value(operator: &Operator, series: &str) -> Option<f64> {
    let metrics = operator.metrics().await.ok()?;
    metrics.lines().find_map(|line| line.strip_prefix(series)?.trim_start_matches("{}").trim().parse().ok())
}

const FAILURES: &str = "jaas_webhook_cert_renewal_failures_total";
const EXPIRES: &str = "jaas_webhook_cert_expiration_timestamp_seconds";

/// Waits until the probe tells this of the webhook, and answers it. The operator is ready all the while.
async fn told(operator: &Operator, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually("the probe to tell of the webhook", PATIENCE, async || {
        let answer = get(&operator.management_url("/ready")).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told: Value = serde_json::from_str(&answer.text()).unwrap();
        if wanted(&told["webhook"]) { Ok(told["webhook"].clone()) } else { Err(told.to_string()) }
    })
    .await
    .unwrap()
}

/// Waits until another certificate than this one is shown.
async fn another(port: u16, than: &[u8]) -> Vec<u8> {
    eventually("another certificate", PATIENCE, async || match shown(port).await {
        Ok(certificate) if *certificate != *than => Ok(certificate.to_vec()),
        Ok(_) => Err("the same".to_owned()),
        Err(error) => Err(error),
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_certificate_is_renewed_and_every_one_that_is_shown_is_trusted() {
    let (bench, operator) = Bench::started(&["--webhook-cert-validity=1m"]).await;
    let spec = || json!({"files": {"main.jsonnet": "{}"}});
    let mut seen = BTreeSet::new();
    let mut calls = 0_u32;
    // Two renewals, and not one call that fails.
    eventually("three certificates", Duration::from_secs(180), async || {
        // A call may be made with a connection that is open already, so that the certificate is looked at for itself.
        let certificate = shown(bench.port).await.unwrap();
        bench.would_trust(&certificate).await.unwrap();
        seen.insert(certificate.to_vec());
        bench.dry_run(&bench.team.name, "JsonnetSnippet", "x", spec()).await.unwrap();
        calls += 1;
        let trusted = bench.trusted().await.len();
        assert!((1..=2).contains(&trusted), "{trusted} authorities");
        if seen.len() >= 3 { Ok(()) } else { Err(format!("{} certificates", seen.len())) }
    })
    .await
    .unwrap();
    assert!(calls > 10, "{calls} calls");
    assert_eq!(value(&operator, FAILURES).await, Some(0.0));
    let left = value(&operator, EXPIRES).await.unwrap() - jiff::Timestamp::now().as_second() as f64;
    assert!((0.0..=61.0).contains(&left), "{left} s left");
    let log = operator.log();
    for line in ["Self-signed webhook cert provisioned", "Self-signed webhook cert renewed"] {
        assert!(log.contains(line), "{line}");
    }
}

#[tokio::test]
async fn replicas_show_one_certificate_and_a_restart_makes_none() {
    let bench = Bench::new().await;
    bench.install(&[]).await;
    let lease = format!("--leader-election-namespace={}", bench.home);
    let args = ["--leader-election=true", &lease];
    let ports = [bench.port, ports::free().unwrap()];
    let mut one = bench.operator(ports[0], &args).await;
    let other = bench.operator(ports[1], &args).await;
    bench.answers().await;
    let certificate = shown(ports[0]).await.unwrap();
    eventually("the same certificate", PATIENCE, async || match shown(ports[1]).await {
        Ok(also) if also == certificate => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await
    .unwrap();
    assert_eq!(bench.trusted().await.len(), 1, "one authority for both");
    // The API server takes the other one's word as well.
    bench.lead_to(ports[1]).await;
    eventually("an answer of the other replica", PATIENCE, async || {
        let spec = json!({"files": {"main.jsonnet": "{}"}, "externalVariables": [{"name": "taken"}]});
        let told = bench.dry_run(&bench.team.name, "JsonnetSnippet", "x", spec).await.unwrap_err();
        assert!(told.contains("denied the request"), "{told}");
        value(&other, "jaas_webhook_requests_total{kind=\"JsonnetSnippet\",verdict=\"denied\"}").await
    })
    .await
    .unwrap();
    let before = bench.secret().await.metadata.resource_version;
    one.restart().await.unwrap();
    one.wait_ready().await.unwrap();
    eventually("the same certificate after a restart", PATIENCE, async || match shown(ports[0]).await {
        Ok(again) if again == certificate => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await
    .unwrap();
    assert_eq!(bench.secret().await.metadata.resource_version, before, "nothing was written");
    assert_eq!(bench.trusted().await.len(), 1);
}

#[tokio::test]
async fn a_damaged_secret_is_repaired_and_changes_pass_meanwhile() {
    let (bench, operator) = Bench::started(&["--webhook-cert-validity=5m"]).await;
    let mut before = shown(bench.port).await.unwrap().to_vec();
    for (key, content) in [("tls.key", "no key"), ("ca.crt", "nobody"), ("tls.crt", "")] {
        bench.spoil(key, content).await;
        // The one before is shown and trusted until the next one is there.
        let check = async || {
            bench.dry_run(&bench.team.name, "JsonnetSnippet", "x", json!({"files": {"main.jsonnet": "{}"}})).await
        };
        eventually("another certificate", PATIENCE, async || {
            check().await.unwrap();
            match shown(bench.port).await.unwrap().to_vec() {
                next if next != before => {
                    before = next;
                    Ok(())
                }
                _ => Err("the same"),
            }
        })
        .await
        .unwrap();
        check().await.unwrap();
    }
    assert!(operator.log().contains("The Secret's certificate cannot be used"));
    let trusted = bench.trusted().await.len();
    assert!((1..=2).contains(&trusted), "{trusted} authorities");
}

#[tokio::test]
async fn without_a_configuration_artifacts_are_served_and_it_is_tried_again() {
    let bench = Bench::new().await;
    let operator = bench.operator(bench.port, &["--webhook-cert-validity=2m"]).await;
    let told = told(&operator, |trouble| !trouble.is_null()).await;
    assert_eq!(told["answers"], false, "{told}");
    eventually("failures", PATIENCE, async || value(&operator, FAILURES).await.filter(|count| *count >= 2.0))
        .await
        .unwrap();
    let log = operator.log();
    assert!(
        log.contains("Self-signed webhook cert renewal failed") && log.contains("the chart makes it: helm upgrade"),
        "{log}"
    );
    bench.create(&bench.team.name, "JsonnetSnippet", "web", json!({"files": {"main.jsonnet": "{}"}})).await;
    assert_eq!(bench.judged(&bench.team.name, "web").await, "Synced");
    bench.install(&[]).await;
    bench.answers().await;
    self::told(&operator, Value::is_null).await;

    // What is shown goes on being shown, and what is missing is told.
    let secrets: Api<Secret> = Api::namespaced(bench.client.clone(), &bench.home);
    secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    let told = self::told(&operator, |trouble| !trouble.is_null()).await;
    assert_eq!(told["answers"], true, "{told}");
    assert!(told["message"].as_str().unwrap().contains("does not exist; the chart makes it: helm upgrade"), "{told}");
    bench.answers().await;
    bench.install(&[]).await;
    self::told(&operator, Value::is_null).await;
}

#[tokio::test]
async fn authorities_of_others_stay_and_old_ones_of_ours_go() {
    let (bench, _operator) = Bench::started(&[]).await;
    let others = CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap();
    let api: Api<ValidatingWebhookConfiguration> = Api::all(bench.client.clone());
    let mut configuration = api.get(&bench.configuration).await.unwrap();
    let ours = bench.trusted().await;
    // As after a restore of a backup, or beside a Pod of the Go implementation: somebody else's first, and on one webhook only.
    let webhooks = configuration.webhooks.as_mut().unwrap();
    webhooks[0].client_config.ca_bundle = Some(ByteString(others.pem().into_bytes()));
    webhooks[1].client_config.ca_bundle = None;
    api.replace(&bench.configuration, &PostParams::default(), &configuration).await.unwrap();
    eventually("both on each webhook", PATIENCE, async || {
        let bundles = api.get(&bench.configuration).await.unwrap().webhooks.unwrap();
        let bundles: Vec<_> = bundles.iter().map(|webhook| webhook.client_config.ca_bundle.clone()).collect();
        if bundles[0] != bundles[1] {
            return Err("differ".to_owned());
        }
        let trusted = bench.trusted().await;
        if trusted.len() == 2 && trusted[0] == ours[0] && trusted[1] == *others.der() {
            Ok(())
        } else {
            Err(format!("{}", trusted.len()))
        }
    })
    .await
    .unwrap();
    bench.answers().await;
}

#[tokio::test]
async fn a_mounted_certificate_is_read_again_when_it_changes() {
    let bench = Bench::new().await;
    bench.install(&[]).await;
    let folder = tempfile::TempDir::new().unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = authority.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(authority, key);
    let issue = || {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![format!("jaas-webhook.{}.svc", bench.home)]).unwrap();
        (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
    };
    // As the kubelet does it: a new folder, and a link that is put in the place of the old one.
    let publish = |n: u32, (certificate, key): (String, String)| {
        let version = folder.path().join(format!("..{n}"));
        fs::create_dir(&version).unwrap();
        fs::write(version.join("tls.crt"), certificate).unwrap();
        fs::write(version.join("tls.key"), key).unwrap();
        let link = folder.path().join("..tmp");
        std::os::unix::fs::symlink(&version, &link).unwrap();
        fs::rename(&link, folder.path().join("..data")).unwrap();
    };
    for name in ["tls.crt", "tls.key"] {
        std::os::unix::fs::symlink(format!("..data/{name}"), folder.path().join(name)).unwrap();
    }
    let directory = format!("--webhook-cert-dir={}", folder.path().display());
    // Not there at the start: everything else is.
    let operator = bench.operator(bench.port, &["--webhook-cert-mode=cert-manager", &directory]).await;
    assert!(shown(bench.port).await.is_err());
    publish(1, issue());
    let first = another(bench.port, &[]).await;
    let api: Api<ValidatingWebhookConfiguration> = Api::all(bench.client.clone());
    let mut configuration = api.get(&bench.configuration).await.unwrap();
    for webhook in configuration.webhooks.iter_mut().flatten() {
        webhook.client_config.ca_bundle = Some(ByteString(pem.clone().into_bytes()));
    }
    api.replace(&bench.configuration, &PostParams::default(), &configuration).await.unwrap();
    bench.answers().await;
    publish(2, issue());
    another(bench.port, &first).await;
    bench.answers().await;
    assert!(value(&operator, EXPIRES).await.is_some());
    // A pair that does not match is told, and the last one is shown on.
    let good = shown(bench.port).await.unwrap();
    let failures = value(&operator, FAILURES).await.unwrap();
    let ((certificate, _), (_, key)) = (issue(), issue());
    publish(3, (certificate, key));
    eventually("trouble", PATIENCE, async || value(&operator, FAILURES).await.filter(|count| *count > failures))
        .await
        .unwrap();
    assert_eq!(shown(bench.port).await.unwrap(), good);
    assert!(operator.log().contains("the private key is not that of the certificate"));
    bench.answers().await;
}
