//! Snippets that change all the time: to a few texts in turn, so that what was removed comes back under its name, and away and back.

use std::time::Duration;

use anyhow::{Context, Result};
use jaas_api::JsonnetSnippet;
use jaas_tests::namespace::TENANT;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Snippets.
const SNIPPETS: usize = 8;
/// Texts that a snippet may have.
const TEXTS: u32 = 3;
/// Between two changes.
const PAUSE: Duration = Duration::from_millis(60);
/// One of so many changes is a deletion.
const DELETIONS: u32 = 8;

/// Changes snippets until it is stopped, and leaves all of them there.
///
/// # Errors
/// When the API server refuses a change.
pub(super) async fn run(
    snippets: Api<JsonnetSnippet>,
    namespace: String,
    seed: u64,
    stop: CancellationToken,
) -> Result<()> {
    let mut drawing = StdRng::seed_from_u64(seed);
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.is_cancelled() {
        let (name, text) = (name(drawing.random_range(0..SNIPPETS)), drawing.random_range(0..TEXTS));
        if drawing.random_range(0..DELETIONS) == 0 {
            gone(snippets.delete(&name, &DeleteParams::default()).await.map(drop))?;
        } else if !change(&snippets, &name, text).await? {
            create(&snippets, &namespace, &name, text).await?;
        }
        ticks.tick().await;
    }
    Ok(())
}

/// Sees to it that every snippet is there.
///
/// # Errors
/// When the API server refuses one.
pub(super) async fn complete(snippets: &Api<JsonnetSnippet>, namespace: &str) -> Result<()> {
    for index in 0..SNIPPETS {
        create(snippets, namespace, &name(index), 0).await?;
    }
    Ok(())
}

/// The name of a snippet.
fn name(index: usize) -> String {
    format!("web-{index}")
}

async fn change(snippets: &Api<JsonnetSnippet>, name: &str, text: u32) -> Result<bool> {
    let patch = Patch::Merge(json!({"spec": {"files": files(text)}}));
    match snippets.patch(name, &PatchParams::default(), &patch).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(error).context("changing a snippet"),
    }
}

/// Creates it, unless it is there or on its way out.
async fn create(snippets: &Api<JsonnetSnippet>, namespace: &str, name: &str, text: u32) -> Result<()> {
    let object = json!({
        "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"serviceAccountName": TENANT, "files": files(text), "history": 1},
    });
    let snippet = serde_json::from_value(object).context("writing a snippet")?;
    match snippets.create(&PostParams::default(), &snippet).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        Err(error) => Err(error).context("creating a snippet"),
    }
}

fn gone(deleted: kube::Result<()>) -> Result<()> {
    match deleted {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.context("deleting a snippet"),
    }
}

fn files(text: u32) -> Value {
    json!({"main.jsonnet": format!("{{ text: {text}, more: std.range(1, 500) }}")})
}
