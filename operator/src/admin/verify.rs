//! Reads artifacts inside the operator and judges their content; no byte of them leaves it.

use std::sync::Arc;
use std::time::Duration;

use jaas_api::admin::{Verified, VerifiedState, VerifyRequest};
use jaas_storage::Presence;
use jaas_storage::store::ArtifactPath;
use warp::reply::Response;

use super::auth::Caller;
use super::lines::lines;
use super::problem::Refused;
use super::rights::{On, Scope};
use super::{Admin, Turn, bounded};
use crate::snippet::outcome::chain;

/// Bytes that are read in a second at most, so that serving and publishing go on beside it.
const RATE: u64 = 50 << 20;

/// Verifies what was asked for, in its order.
pub(super) async fn verify(admin: &Arc<Admin>, caller: &Caller, body: &[u8], turn: Turn) -> Result<Response, Refused> {
    let request: VerifyRequest = super::parse(body)?;
    bounded(request.items.len())?;
    let paths: Vec<_> = request.items.into_iter().map(|path| (ArtifactPath::parse(&path), path)).collect();
    let namespaces = paths.iter().filter_map(|(artifact, _)| Some(artifact.as_ref()?.key.namespace().to_owned()));
    let scope = admin.rights.scope(caller, "get", On::Storage, namespaces.collect()).await?;
    let (mut lines, response) = lines();
    let admin = Arc::clone(admin);
    tokio::spawn(async move {
        let _turn = turn;
        for (artifact, path) in paths {
            let verified = judge(&admin, &scope, artifact, path).await;
            let bytes = verified.bytes.unwrap_or_default();
            if lines.send(&verified).await.is_err() {
                return;
            }
            tokio::time::sleep(pause(bytes)).await;
        }
    });
    Ok(response)
}

async fn judge(admin: &Admin, scope: &Scope, artifact: Option<ArtifactPath>, path: String) -> Verified {
    let verified = |state, why: String| Verified { path: path.clone(), state, digest: None, bytes: None, why };
    let Some(ArtifactPath { key, revision }) = artifact else {
        return verified(VerifiedState::Refused, "it is not the path of an artifact".to_owned());
    };
    if !scope.covers(Some(key.namespace())) {
        let why = format!("you may not get jsonnetsnippets/storage in the namespace {}", key.namespace());
        return verified(VerifiedState::Refused, why);
    }
    match admin.world.store.verify(&key, &revision).await {
        Ok(Presence::Intact { digest, size }) => Verified {
            digest: Some(digest.to_string()),
            bytes: Some(size),
            ..verified(VerifiedState::Intact, String::new())
        },
        Ok(Presence::Missing) => verified(VerifiedState::Missing, "it is not in the store".to_owned()),
        Ok(Presence::Damaged { cause }) => verified(VerifiedState::Damaged, cause),
        Err(error) => verified(VerifiedState::Failed, chain(&error)),
    }
}

fn pause(bytes: u64) -> Duration {
    Duration::from_millis(bytes.saturating_mul(1000) / RATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_files_are_read_without_a_pause_and_large_ones_at_the_rate() {
        assert_eq!(pause(4096), Duration::ZERO);
        assert_eq!(pause(100 << 20), Duration::from_secs(2));
    }
}
