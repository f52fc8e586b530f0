//! Whether what is announced lies in the store, looked at past the operator all the time.

use std::path::PathBuf;
use std::time::Duration;

use jaas_api::ExternalArtifact;
use kube::{Api, ResourceExt};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks until it is stopped. Answers how many looks there were, and each artifact that was announced before and after a look that did
/// not find its file.
pub(super) async fn watch(
    root: PathBuf,
    artifacts: Api<ExternalArtifact>,
    stop: CancellationToken,
) -> (u64, Vec<String>) {
    let (mut looks, mut lost) = (0, Vec::new());
    while !stop.is_cancelled() {
        // A list that cannot be had is no look.
        if let Ok(listed) = artifacts.list(&Default::default()).await {
            looks += 1;
            for artifact in listed {
                let Some(path) = artifact.published().map(|published| root.join(&published.path)) else { continue };
                if path.exists() {
                    continue;
                }
                let again = artifacts.get_opt(&artifact.name_any()).await.ok().flatten();
                if again.is_some_and(|again| again.resource_version() == artifact.resource_version()) && !path.exists()
                {
                    lost.push(path.display().to_string());
                }
            }
        }
        sleep(PAUSE).await;
    }
    (looks, lost)
}
