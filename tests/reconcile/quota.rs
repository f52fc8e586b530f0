//! A namespace that has used up its share of the store is refused alone, keeps what it has, and goes on by itself.

use std::time::Duration;

use jaas_api::{ExternalArtifact, JsonnetSnippet, RECONCILE_REQUEST};
use jaas_tests::controlplane::ControlPlane;
use jaas_tests::http;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::s3::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Server, Software};
use jaas_tests::wait::{self, eventually};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::field::{message, status, tail};

/// Longest that anything may take here.
const PATIENCE: Duration = Duration::from_secs(90);

/// An operator, and two teams with a namespace each.
struct Town {
    operator: Operator,
    teams: [Team; 2],
}

struct Team {
    namespace: String,
    snippets: Api<JsonnetSnippet>,
    artifacts: Api<ExternalArtifact>,
}

impl Town {
    async fn with(args: &[&str]) -> Self {
        let plane = ControlPlane::shared().await.unwrap();
        let client = plane.admin().await.unwrap();
        let mut teams = Vec::new();
        for prefix in ["share-a", "share-b"] {
            let namespace = plane.namespace(prefix).await.unwrap().name;
            teams.push(Team {
                snippets: Api::namespaced(client.clone(), &namespace),
                artifacts: Api::namespaced(client.clone(), &namespace),
                namespace,
            });
        }
        let watched = teams.iter().map(|team| team.namespace.as_str());
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let options = OperatorOptions { args, ..OperatorOptions::watching(watched) };
        let operator = Operator::ready(plane, options).await.unwrap();
        Self { operator, teams: teams.try_into().ok().unwrap() }
    }

    async fn until(
        &self,
        team: &Team,
        name: &str,
        what: &str,
        holds: impl Fn(&JsonnetSnippet) -> bool,
    ) -> JsonnetSnippet {
        match wait::object(&team.snippets, name, what, PATIENCE, holds).await {
            Ok(snippet) => snippet,
            Err(error) => panic!("{error:#}\nthe operator says:\n{}", tail(&self.operator.log())),
        }
    }

    async fn judged(&self, team: &Team, name: &str, reason: &str) -> JsonnetSnippet {
        self.until(team, name, &format!("is judged {reason}"), |snippet| {
            status(snippet).observed_generation == snippet.metadata.generation
                && status(snippet).ready().is_some_and(|ready| ready.reason == reason)
        })
        .await
    }

    async fn synced(&self, team: &Team, name: &str) -> JsonnetSnippet {
        self.judged(team, name, "Synced").await
    }

    /// Waits for a line of the metrics.
    async fn measured(&self, line: &str) {
        let look = async || {
            let metrics = self.operator.metrics().await.map_err(|error| format!("{error:#}"))?;
            if metrics.lines().any(|found| found == line) {
                return Ok(());
            }
            let storage: Vec<_> = metrics.lines().filter(|line| line.starts_with("jaas_storage_")).collect();
            Err(storage.join("\n"))
        };
        eventually(line, PATIENCE, look).await.unwrap();
    }
}

impl Team {
    async fn create(&self, name: &str, seed: u32) {
        let object = json!({
            "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"serviceAccountName": "tenant", "files": noise(seed), "history": 1},
        });
        self.snippets.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }

    async fn render(&self, name: &str, seed: u32) {
        let patch = json!({"spec": {"files": noise(seed)}});
        self.snippets.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    async fn delete(&self, name: &str) {
        self.snippets.delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Bytes of what is announced.
    async fn size(&self, name: &str) -> u64 {
        let artifact = self.artifacts.get(name).await.unwrap();
        artifact.published().unwrap().size.unwrap().try_into().unwrap()
    }

    fn bytes(&self, bytes: u64) -> String {
        format!("jaas_storage_namespace_bytes{{namespace=\"{}\"}} {bytes}", self.namespace)
    }
}

/// Jsonnet whose output hardly compresses: between one and two blocks of 4 KiB.
fn noise(seed: u32) -> Value {
    json!({"main.jsonnet": format!("[std.md5(std.toString([n, {seed}])) for n in std.range(1, 300)]")})
}

async fn is_served(url: &str) {
    eventually(format!("{url} to be served"), PATIENCE, async || match http::get(url).await {
        Ok(answer) if answer.status == 200 => Ok(()),
        Ok(answer) => Err(answer.status.to_string()),
        Err(error) => Err(format!("{error:#}")),
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_namespace_over_its_share_is_refused_alone_and_goes_on_when_it_takes_less() {
    // A quarter: 40 KiB, room for five artifacts of two blocks.
    let args = ["--storage-quota=160Ki", "--storage-namespace-quota=25%", "--artifact-gc-grace=1h"];
    let town = Town::with(&args).await;
    let [one, other] = &town.teams;
    for number in 1..=5 {
        one.create(&format!("web-{number}"), number).await;
        town.synced(one, &format!("web-{number}")).await;
    }
    town.measured(&one.bytes(40960)).await;
    town.measured("jaas_storage_namespace_quota_bytes{} 40960").await;

    one.create("late", 6).await;
    let refused = town.judged(one, "late", "StorageFull").await;
    for part in
        [&one.namespace, "needs 8.0 KiB, 40.0 KiB of 40.0 KiB used", "--storage-namespace-quota=25%", "spec.history"]
    {
        assert!(message(&refused).contains(part), "{part} is missing in {}", message(&refused));
    }
    // What is published stays, also of one that cannot be published anew.
    let before = status(&town.synced(one, "web-1").await);
    one.render("web-1", 11).await;
    let refused = town.judged(one, "web-1", "StorageFull").await;
    assert_eq!(status(&refused).revision, before.revision);
    is_served(before.artifact_url.as_ref().unwrap()).await;
    // Nobody else is concerned, and the store is not in trouble.
    other.create("web", 1).await;
    town.synced(other, "web").await;
    town.measured(&other.bytes(8192)).await;
    town.measured("jaas_storage_up{reason=\"\"} 1").await;

    // Each room that is made is taken by one who waits.
    one.delete("web-2").await;
    one.delete("web-3").await;
    town.synced(one, "late").await;
    let after = town.synced(one, "web-1").await;
    assert_ne!(status(&after).revision, before.revision);
    is_served(status(&after).artifact_url.as_ref().unwrap()).await;
    // The old revision of web-1 has an hour left; in its own namespace it goes for one that needs its room.
    one.create("last", 7).await;
    town.synced(one, "last").await;
    town.measured(&one.bytes(40960)).await;
    assert!(
        town.operator.log().contains("revisions that no snippet keeps were removed"),
        "{}",
        tail(&town.operator.log())
    );

    // What is lost comes back, although somebody waits for the room that it left.
    one.create("waits", 8).await;
    town.judged(one, "waits", "StorageFull").await;
    let artifact = one.artifacts.get("last").await.unwrap();
    std::fs::remove_file(town.operator.storage_path().join(&artifact.published().unwrap().path)).unwrap();
    is_served(&artifact.published().unwrap().url).await;

    one.delete("web-4").await;
    one.delete("web-5").await;
    town.synced(one, "waits").await;
    for name in ["web-1", "late", "last", "waits"] {
        one.delete(name).await;
    }
    eventually("the namespace's series to go", PATIENCE, async || {
        let metrics = town.operator.metrics().await.map_err(|error| format!("{error:#}"))?;
        let series = format!("jaas_storage_namespace_bytes{{namespace=\"{}\"}}", one.namespace);
        if metrics.contains(&series) { Err(series) } else { Ok(()) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_share_of_a_bucket_is_counted_in_bytes_and_found_again_after_a_restart() {
    let server = Server::start(Software::Versitygw).await.unwrap();
    let [endpoint, bucket, region, access, secret] = [
        format!("--s3-endpoint={}", server.endpoint()),
        format!("--s3-bucket={BUCKET}"),
        format!("--s3-region={REGION}"),
        format!("--s3-access-key={ACCESS_KEY}"),
        format!("--s3-secret-key={SECRET_KEY}"),
    ];
    let quota = "--storage-namespace-quota=16Ki";
    let args = [quota, "--storage-backend=s3", &endpoint, &bucket, &region, &access, &secret, "--s3-use-ssl=false"];
    let mut town = Town::with(&args).await;
    let [one, other] = &town.teams;
    let mut sizes = Vec::new();
    for name in ["web-1", "web-2"] {
        one.create(name, 1).await;
        town.synced(one, name).await;
        sizes.push(one.size(name).await);
    }
    let used: u64 = sizes.iter().sum();
    assert!(used < 16 << 10 && used + sizes[0] > 16 << 10, "two of {sizes:?} fit, and three do not");
    town.measured(&one.bytes(used)).await;
    one.create("late", 2).await;
    let refused = town.judged(one, "late", "StorageFull").await;
    assert!(message(&refused).contains("of 16.0 KiB used, --storage-namespace-quota=16384)"), "{}", message(&refused));
    other.create("web", 1).await;
    town.synced(other, "web").await;

    town.operator.restart().await.unwrap();
    town.operator.wait_ready().await.unwrap();
    let [one, _] = &town.teams;
    town.measured(&one.bytes(used)).await;
    one.render("late", 3).await;
    town.judged(one, "late", "StorageFull").await;
    one.delete("web-2").await;
    town.synced(one, "late").await;
    town.measured(&one.bytes(sizes[0] + one.size("late").await)).await;
}

#[tokio::test]
async fn an_artifact_that_a_tenant_wrote_itself_takes_no_room() {
    // 8 KiB: room for one artifact of two blocks.
    let town = Town::with(&["--storage-quota=160Ki", "--storage-namespace-quota=5%"]).await;
    let [one, other] = &town.teams;
    one.create("web", 1).await;
    town.synced(one, "web").await;
    other.create("late", 2).await;
    town.synced(other, "late").await;
    one.create("late", 2).await;
    town.judged(one, "late", "StorageFull").await;

    // Whoever may write artifacts can announce what the operator would, and knows its revision from another namespace.
    let announced = other.artifacts.get("late").await.unwrap();
    let said = json!({"status": announced.status});
    one.artifacts.patch_status("late", &PatchParams::default(), &Patch::Merge(said)).await.unwrap();
    let asked = json!({"metadata": {"annotations": {RECONCILE_REQUEST: "now"}}});
    one.snippets.patch("late", &PatchParams::default(), &Patch::Merge(asked)).await.unwrap();
    let answered = town.until(one, "late", "has been asked", |snippet| {
        status(snippet).last_handled_reconcile_at.as_deref() == Some("now")
    });
    let answered = answered.await;
    assert_eq!(status(&answered).ready().unwrap().reason, "StorageFull", "{}", message(&answered));
    assert_eq!(status(&answered).revision, None);
    town.measured(&one.bytes(8192)).await;
}
