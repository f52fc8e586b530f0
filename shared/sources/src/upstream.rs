//! What the status of a Flux source says of its artifact. Pure.
//!
//! Format: <https://fluxcd.io/flux/components/source/gitrepositories/#artifact>, and the same of the other kinds.

use serde_json::Value;

use crate::digest::{InvalidDigest, SourceDigest};

/// The artifact of a source that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Where its bytes are.
    pub url: String,
    /// What they hash to.
    pub digest: SourceDigest,
    /// What the source calls this state, such as `main@sha1:…`.
    pub revision: String,
}

/// Why a source cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUsable {
    /// It says so itself, or says nothing.
    #[error("({0}): source not ready")]
    NotReady(String),
    /// It has nothing to fetch.
    #[error("source has no status.artifact yet")]
    NoArtifact,
    /// Its bytes could not be proven.
    #[error("source has no status.artifact.digest; a source-controller of Flux 2.0 or newer writes one")]
    NoDigest,
    /// Its digest cannot be read.
    #[error("status.artifact.digest: {0}")]
    InvalidDigest(#[from] InvalidDigest),
}

/// Reads a source as the API server gave it.
///
/// # Errors
/// See [`NotUsable`].
pub fn read(source: &Value) -> Result<Upstream, NotUsable> {
    let status = &source["status"];
    ready(&status["conditions"]).map_err(NotUsable::NotReady)?;
    let artifact = &status["artifact"];
    let text = |field: &str| artifact[field].as_str().unwrap_or_default().to_owned();
    let url = text("url");
    if url.is_empty() {
        return Err(NotUsable::NoArtifact);
    }
    let digest = match &artifact["digest"] {
        Value::Null => return Err(NotUsable::NoDigest),
        Value::String(digest) if digest.trim().is_empty() => return Err(NotUsable::NoDigest),
        Value::String(digest) => digest.parse()?,
        other => other.to_string().parse()?,
    };
    Ok(Upstream { url, digest, revision: text("revision") })
}

/// The words for why a source is not ready are those of the Go implementation.
fn ready(conditions: &Value) -> Result<(), String> {
    let conditions = match conditions {
        Value::Null => return Err("status.conditions not yet populated".to_owned()),
        Value::Array(conditions) if conditions.is_empty() => return Err("status.conditions empty".to_owned()),
        Value::Array(conditions) => conditions,
        _ => return Err("status.conditions malformed".to_owned()),
    };
    let Some(ready) = conditions.iter().find(|condition| condition["type"] == "Ready") else {
        return Err("no Ready condition".to_owned());
    };
    let word = |field: &str| ready[field].as_str().unwrap_or_default();
    match (word("status"), word("reason")) {
        ("True", _) => Ok(()),
        (status, "") => Err(format!("Ready={status}")),
        (status, reason) => Err(format!("Ready={status}/{reason}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn source(conditions: Value, artifact: Value) -> Value {
        json!({"status": {"conditions": conditions, "artifact": artifact}})
    }

    fn ready() -> Value {
        json!([{"type": "Reconciling", "status": "False"}, {"type": "Ready", "status": "True", "reason": "Succeeded"}])
    }

    #[test]
    fn a_ready_source_gives_its_artifact() {
        let artifact = json!({"url": "http://x/y.tar.gz", "digest": DIGEST, "revision": "main@sha1:0a"});
        let upstream = read(&source(ready(), artifact)).unwrap();
        assert_eq!((&*upstream.url, &*upstream.revision), ("http://x/y.tar.gz", "main@sha1:0a"));
        assert_eq!(upstream.digest.to_string(), DIGEST);
    }

    #[test]
    fn every_other_source_says_why_not() {
        let artifact = || json!({"url": "http://x", "digest": DIGEST});
        let failing = |reason: &str| json!([{"type": "Ready", "status": "False", "reason": reason}]);
        for (conditions, artifact, why) in [
            (Value::Null, artifact(), "(status.conditions not yet populated): source not ready"),
            (json!([]), artifact(), "(status.conditions empty): source not ready"),
            (json!({}), artifact(), "(status.conditions malformed): source not ready"),
            (json!([7, {"type": "Stalled"}]), artifact(), "(no Ready condition): source not ready"),
            (failing(""), artifact(), "(Ready=False): source not ready"),
            (failing("GitOperationFailed"), artifact(), "(Ready=False/GitOperationFailed): source not ready"),
            (ready(), Value::Null, "source has no status.artifact yet"),
            (ready(), json!({"digest": DIGEST}), "source has no status.artifact yet"),
            (ready(), json!({"url": "http://x"}), "source has no status.artifact.digest; a source-controller"),
            (ready(), json!({"url": "http://x", "digest": "md5:00"}), "status.artifact.digest: `md5:00` is no digest"),
            (ready(), json!({"url": "http://x", "digest": 7}), "status.artifact.digest: `7` is no digest"),
        ] {
            let said = read(&source(conditions, artifact)).unwrap_err().to_string();
            assert!(said.starts_with(why), "{said}");
        }
    }
}
