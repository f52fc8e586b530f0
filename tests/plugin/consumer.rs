//! What Flux's real kustomize-controller has applied is not pruned from under it.

use jaas_tests::cluster::{Settings, Store};
use jaas_tests::flux::{self, KustomizeController};
use serde_json::json;

use super::bench::{exits, text};
use super::installed::Ward;
use super::storage::{STILL, store};

impl Ward {
    /// Publishes a ConfigMap with this text, and answers the revision and the path of its file.
    async fn applies(&self, value: &str) -> (String, String) {
        let program =
            format!("{{apiVersion: 'v1', kind: 'ConfigMap', metadata: {{name: 'map'}}, data: {{text: '{value}'}}}}");
        let mut snippet = self.snippet("map", &program);
        snippet["spec"]["output"] = json!("manifests");
        self.plane.apply_objects(&[snippet]).await.unwrap();
        exits(&self.jaas(&["wait", "ready", "map"]).await, 0);
        let told = self.kubectl(&["get", "jsonnetsnippet", "map", "-o", "jsonpath={.status.revision}"]).await;
        (text(&told.stdout), self.announced("map").await)
    }

    async fn pause_consumer(&self, is_paused: bool) {
        let patch = format!(r#"{{"spec": {{"suspend": {is_paused}}}}}"#);
        exits(&self.kubectl(&["patch", "kustomization", "map", "--type=merge", "-p", &patch]).await, 0);
    }
}

#[tokio::test]
async fn what_a_consumer_has_applied_stays_until_it_has_applied_something_newer() {
    // The grace is what keeps older revisions here, so that nobody but the command removes any.
    let args = STILL.iter().copied().chain(["--artifact-gc-grace=1h"]).map(str::to_owned).collect();
    let ward = Ward::new(Settings { store: Store::Claim, admin: true, args, ..Settings::default() }).await;
    let place = ward.namespace.name.as_str();
    let _consumer = KustomizeController::start(ward.plane, &["--interval-jitter-percentage=0"]).await.unwrap();
    let (first, first_path) = ward.applies("1").await;
    ward.ours().await;
    flux::consume(ward.plane, place, "map").await.unwrap();
    let client = ward.plane.admin().await.unwrap();
    flux::applied(&client, place, "map", &first).await.unwrap();
    ward.pause_consumer(true).await;
    let (_, second_path) = ward.applies("2").await;
    let (third, third_path) = ward.applies("3").await;

    let prune = async |more: &[&str]| {
        let args = [&["storage", "prune", "map", "--beyond-keep", "-o", "json"], more].concat();
        let pruned = ward.operator(&args).await;
        exits(&pruned, 0);
        store(&pruned)["prune"].clone()
    };
    let planned = prune(&["--dry-run"]).await;
    let note = format!("Kustomization {place}/map has one applied, which stays");
    assert_eq!(planned["snippets"][0]["note"], note.as_str(), "{planned:#}");
    let done = prune(&["--yes"]).await;
    assert_eq!(done["removed"]["files"], 1, "{done:#}");
    assert!(ward.file(&first_path).exists(), "it is what the consumer has applied");
    assert!(!ward.file(&second_path).exists() && ward.file(&third_path).exists());
    let again = prune(&["--yes"]).await;
    assert_eq!(again["items"], json!([]), "{again:#}");

    ward.pause_consumer(false).await;
    flux::applied(&client, place, "map", &third).await.unwrap();
    let over = prune(&["--yes"]).await;
    assert_eq!(over["removed"]["files"], 1, "{over:#}");
    assert!(!ward.file(&first_path).exists() && ward.file(&third_path).exists());
}
