//! Where an operator keeps artifacts, by its arguments and volumes. Pure.

use std::fmt;

use k8s_openapi::api::core::v1::Volume;

use super::Operator;

/// Where an operator keeps artifacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// In a bucket, which every replica sees.
    Bucket {
        /// Its name.
        bucket: String,
        /// Where in it.
        prefix: String,
    },
    /// In a folder that each Pod has for itself, and that goes with it.
    EmptyFolder,
    /// On a volume.
    Claim(String),
    /// On something else.
    Other,
}

impl Store {
    pub(super) fn of(operator: &Operator) -> Self {
        if operator.argument("storage-backend") == Some("s3") {
            let argument = |flag| operator.argument(flag).unwrap_or_default().trim_matches('/').to_owned();
            return Self::Bucket { bucket: argument("s3-bucket"), prefix: argument("s3-prefix") };
        }
        match mounted(operator) {
            Some(volume) if volume.empty_dir.is_some() => Self::EmptyFolder,
            Some(volume) => match &volume.persistent_volume_claim {
                Some(claim) => Self::Claim(claim.claim_name.clone()),
                None => Self::Other,
            },
            None => Self::Other,
        }
    }
}

/// The volume behind the path of the store; `None` where none is mounted there.
pub(crate) fn mounted(operator: &Operator) -> Option<&Volume> {
    let path = operator.argument("storage-path").unwrap_or_default();
    let mounts = operator.container().and_then(|container| container.volume_mounts.as_deref()).unwrap_or_default();
    let holds = |mount: &str| path == mount || path.strip_prefix(mount).is_some_and(|rest| rest.starts_with('/'));
    let mounted = mounts.iter().filter(|mount| holds(mount.mount_path.trim_end_matches('/')));
    let mount = mounted.max_by_key(|mount| mount.mount_path.len())?;
    let volumes = operator.template().and_then(|pod| pod.volumes.as_deref()).unwrap_or_default();
    volumes.iter().find(|volume| volume.name == mount.name)
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "s3 bucket {bucket}"),
            Self::Bucket { bucket, prefix } => write!(f, "s3 bucket {bucket}, below {prefix}"),
            Self::EmptyFolder => f.write_str("local, emptyDir: every restart empties it"),
            Self::Claim(name) => write!(f, "local, pvc/{name}"),
            Self::Other => f.write_str("local"),
        }
    }
}
