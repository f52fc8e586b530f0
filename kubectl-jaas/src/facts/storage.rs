//! What the operator keeps artifacts on, and where its keys come from.

use jaas_findings::facts::operator::{CredentialSource, Credentials};
use jaas_findings::facts::{Flags, Volume, VolumeKind};
use jaas_findings::known::Obstacle;
use jaas_findings::{Known, Why};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::Api;
use kube::core::ObjectMeta;

use super::pods::bytes;
use super::tell;
use crate::operator::{Operator, mounted};
use crate::session::{Call, Error, Session};

/// Environment variable that holds half of a key pair.
const KEY: &str = "AWS_ACCESS_KEY_ID";

/// What lies behind `--storage-path`; `None` where no volume does.
pub(super) async fn volume(session: &Session, operator: &Operator, flags: &Flags) -> Known<Option<Volume>> {
    if flags.backend() != "local" {
        return Known::Yes(None);
    }
    let Some(found) = mounted(operator) else { return Known::Yes(None) };
    let volume = |kind| Volume { kind, name: None, phase: None, access_modes: Vec::new(), created: None, size: None };
    if let Some(folder) = &found.empty_dir {
        let size = folder.size_limit.as_ref().and_then(|limit| bytes(&limit.0));
        return Known::Yes(Some(Volume { size, ..volume(VolumeKind::EmptyDir) }));
    }
    let Some(claim) = &found.persistent_volume_claim else { return Known::Yes(Some(volume(VolumeKind::Other))) };
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(session.client.clone(), operator.namespace());
    let call = Call::new("get", "", "persistentvolumeclaims", &["get"]);
    let call = call.within(Some(operator.namespace())).named(&claim.claim_name);
    let named = Volume { name: Some(claim.claim_name.clone()), ..volume(VolumeKind::Claim) };
    match session.call(&call, claims.get(&claim.claim_name)).await {
        Ok(object) => {
            let status = object.status.unwrap_or_default();
            let spec = object.spec.unwrap_or_default();
            let wanted = spec.resources.and_then(|resources| resources.requests);
            let capacity = status.capacity.or(wanted).unwrap_or_default();
            Known::Yes(Some(Volume {
                phase: status.phase,
                access_modes: spec.access_modes.unwrap_or_default(),
                created: object.metadata.creation_timestamp.map(|time| time.0),
                size: capacity.get("storage").and_then(|quantity| bytes(&quantity.0)),
                ..named
            }))
        }
        Err(Error::NotFound { .. }) => Known::Yes(Some(Volume { phase: Some("Missing".to_owned()), ..named })),
        Err(error) => Known::No(tell::why(&error)),
    }
}

/// Where the keys for a bucket come from. Of a Secret only its metadata is asked for: the keys never leave the API server.
pub(super) async fn credentials(session: &Session, operator: &Operator, flags: &Flags) -> Known<Credentials> {
    let of = |source| Known::Yes(Credentials { source, changed: Known::No(Why::not_asked("")) });
    if flags.holds_keys() {
        return of(CredentialSource::Arguments);
    }
    if flags.get("s3-credentials-file").is_some() {
        return of(CredentialSource::File);
    }
    let container = operator.container().cloned().unwrap_or_default();
    let Some(variable) = container.env.iter().flatten().find(|variable| variable.name == KEY) else {
        let has_secrets = container.env_from.iter().flatten().any(|source| source.secret_ref.is_some());
        return match has_secrets && flags.backend() == "s3" {
            true => Known::No(Why::new(Obstacle::NotOffered, "whether keys are in the Secrets of the environment")),
            false => of(CredentialSource::Identity),
        };
    };
    let secret = variable.value_from.as_ref().and_then(|source| source.secret_key_ref.as_ref());
    let Some(secret) = secret else { return of(CredentialSource::Environment) };
    let secrets: Api<Secret> = Api::namespaced(session.client.clone(), operator.namespace());
    let call = Call::new("get", "", "secrets", &["get"]).within(Some(operator.namespace())).named(&secret.name);
    let changed = match session.call(&call, secrets.get_metadata(&secret.name)).await {
        Ok(found) => match written(&found.metadata) {
            Some(time) => Known::Yes(time),
            None => Known::No(Why::new(Obstacle::NotOffered, "when the Secret with the keys last changed")),
        },
        Err(error) => Known::No(tell::why(&error)),
    };
    Known::Yes(Credentials { source: CredentialSource::Environment, changed })
}

/// When anybody last wrote an object.
fn written(metadata: &ObjectMeta) -> Option<Timestamp> {
    let entries = metadata.managed_fields.iter().flatten().filter_map(|entry| entry.time.as_ref().map(|time| time.0));
    entries.max().or(metadata.creation_timestamp.as_ref().map(|time| time.0))
}
