//! The bucket or the folder itself, without the operator. It is only read: changes go round the leader's order.

use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::TryStreamExt as _;
use jaas_api::admin::{self, Settings, Stats, StoreUsage};
use jaas_findings::facts::{File, FileClass, Flags, Health, HealthState, Inventory, LifecycleRule, Reply, RoadKind};
use jaas_findings::known::Obstacle;
use jaas_storage::artifact::Digest;
use jaas_storage::store::{ArtifactPath, ErrorKind, Item, ItemKind, StoreError};
use jaas_storage::{ExpiryRule, LocalStore, Presence, S3Options, S3Store, Store};

use super::{Failure, Site};

/// The bucket or the folder itself.
pub(crate) struct Backing {
    store: Box<dyn Store>,
    /// The same, where it is a bucket.
    bucket: Option<S3Store>,
    kind: RoadKind,
    place: String,
}

impl Backing {
    /// The bucket of the operator's arguments, with the keys of whoever runs this.
    ///
    /// # Errors
    /// The operator has none, or it does not answer.
    pub(super) async fn bucket(site: &Site<'_>) -> Result<Self, Failure> {
        let failed = |cause: String| Failure::new("s3", Obstacle::NoRoad, cause);
        let setting = |name| site.flags.get(name);
        let (Some(bucket), Some(endpoint)) =
            (setting("s3-bucket"), site.args.s3_endpoint.as_deref().or(setting("s3-endpoint")))
        else {
            return Err(failed("the operator's arguments name no bucket and endpoint".to_owned()));
        };
        let options = S3Options {
            use_ssl: site.flags.is_on("s3-use-ssl", true),
            prefix: setting("s3-prefix").unwrap_or_default().to_owned(),
            region: setting("s3-region").map(str::to_owned),
            ..S3Options::new(endpoint, bucket)
        };
        let store = S3Store::open(options).await.map_err(|error| failed(told(&error)))?;
        let health = store.check().await.map_err(|error| {
            let how = match error.kind {
                ErrorKind::Unreachable | ErrorKind::TimedOut => {
                    "an address inside the cluster does not resolve here: name another with --s3-endpoint"
                }
                ErrorKind::Denied | ErrorKind::CredentialsRejected => {
                    "your own keys are used: AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                }
                _ => "",
            };
            let obstacle = match error.kind {
                ErrorKind::Denied | ErrorKind::CredentialsRejected => Obstacle::NoRight,
                _ => Obstacle::NoRoad,
            };
            Failure::new("s3", obstacle, told(&error)).help(how)
        })?;
        Ok(Self { store: Box::new(store.clone()), bucket: Some(store), kind: RoadKind::S3, place: health.place })
    }

    /// The folder that is mounted here.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn folder(site: &Site<'_>) -> Result<Self, Failure> {
        let failed = |cause: String| Failure::new("path", Obstacle::NoRoad, cause);
        let Some(path) = &site.args.path else {
            return Err(failed("no folder is named".to_owned()).help("name it with --path FOLDER"));
        };
        // A store makes the folder that it lacks, and whoever mistypes wants none.
        if !Path::new(path).is_dir() {
            return Err(failed(format!("{} is no folder", path.display())));
        }
        let store = LocalStore::open(path).map_err(|error| failed(told(&error)))?;
        Ok(Self { store: Box::new(store), bucket: None, kind: RoadKind::Path, place: path.display().to_string() })
    }

    /// Which road this is.
    pub(crate) fn kind(&self) -> RoadKind {
        self.kind
    }

    /// The road and its end.
    pub(crate) fn words(&self) -> String {
        match self.kind {
            RoadKind::Path => format!("path {}", self.place),
            _ => self.place.clone(),
        }
    }

    fn failed(&self, error: &StoreError) -> Failure {
        let obstacle = if error.kind == ErrorKind::Denied { Obstacle::NoRight } else { Obstacle::Failed };
        Failure::new(self.kind.word(), obstacle, told(error))
    }

    /// What lies in it.
    pub(super) async fn inventory(&self, namespace: Option<&str>) -> Result<Inventory, Failure> {
        let items = self.store.list().await.map_err(|error| self.failed(&error))?;
        // Listing them is a right of its own, and nobody needs them to list the rest.
        let (uploads, uploads_unknown) = match self.store.uploads().await {
            Ok(uploads) => (uploads, None),
            Err(error) => (Vec::new(), Some(told(&error))),
        };
        let now = SystemTime::now();
        let uploads = uploads.into_iter().map(|upload| File {
            path: upload.path,
            class: FileClass::Multipart,
            bytes: 0,
            age: age(upload.begun, now),
            version: String::new(),
        });
        let files = items.into_iter().map(|item| file(item, now)).chain(uploads);
        let is_meant = |file: &File| match namespace {
            None => true,
            Some(namespace) => file.path.split_once('/').is_some_and(|(first, _)| first == namespace),
        };
        Ok(Inventory { complete: true, files: files.filter(is_meant).collect(), uploads_unknown })
    }

    /// Rules by which the service removes objects; `None` for a folder, which has no such.
    pub(crate) async fn lifecycle(&self) -> Option<Result<Vec<LifecycleRule>, Failure>> {
        let rules = self.bucket.as_ref()?.expiry_rules().await;
        let rule = |rule: ExpiryRule| LifecycleRule {
            id: rule.id,
            enabled: rule.enabled,
            prefix: rule.prefix,
            filtered: rule.filtered,
            expires_after_days: rule.expires_after_days,
            expires_at_date: rule.expires_at_date,
            aborts_uploads_after_days: rule.aborts_uploads_after_days,
        };
        Some(rules.map(|rules| rules.into_iter().map(rule).collect()).map_err(|error| self.failed(&error)))
    }

    /// How it is, as far as it can be seen without the operator.
    pub(super) async fn stats(&self, flags: &Flags) -> Result<Stats, Failure> {
        let usage = self.store.usage().await.map_err(|error| self.failed(&error))?;
        let owner = self.store.read_owner().await;
        let seconds = |name| flags.seconds(name).unwrap_or_default();
        Ok(Stats {
            place: self.place.clone(),
            usage: Some(StoreUsage {
                bytes: usage.bytes,
                files: usage.files,
                free_bytes: usage.free_bytes,
                total_bytes: usage.total_bytes,
                free_inodes: usage.free_inodes,
                quota: usage.quota,
                namespace_quota: None,
                full_in_seconds: None,
            }),
            health: Some(Health {
                state: HealthState::Fine,
                detail: "it answers; whether it takes writes was not tried".to_owned(),
                clock_ahead_seconds: None,
                missing_is_told: None,
            }),
            owner_known: owner.is_ok(),
            owner: owner.ok().flatten().map(|mark| admin::Owner { cluster: mark.cluster, release: mark.release }),
            identity: None,
            guarded: Some("this road goes round the leader".to_owned()),
            settings: Settings {
                artifact_gc_grace: seconds("artifact-gc-grace"),
                max_withdraw_wait: seconds("max-withdraw-wait"),
                orphan_age: seconds("storage-orphan-age"),
                sweep_max_tmp_age: seconds("storage-sweep-max-tmp-age"),
                watch_namespaces: flags.watched_namespaces().into_iter().map(str::to_owned).collect(),
                label_selector: flags.get("label-selector").unwrap_or_default().to_owned(),
            },
        })
    }

    /// Reads an artifact and judges it.
    pub(crate) async fn verify(&self, path: &str, announced: Option<&str>) -> Reply {
        let Some(artifact) = ArtifactPath::parse(path) else {
            return Reply::Silent("no path of an artifact".to_owned());
        };
        match self.store.verify(&artifact.key, &artifact.revision).await {
            Ok(Presence::Intact { digest, .. }) if announced.is_some_and(|it| *it != digest.to_string()) => {
                Reply::WrongDigest(digest.to_string())
            }
            Ok(Presence::Intact { size, .. }) => Reply::Verified(size),
            Ok(Presence::Missing) => Reply::Missing,
            Ok(Presence::Damaged { cause }) => damaged(&cause, announced.is_some()),
            Err(error) => Reply::Silent(told(&error)),
        }
    }

    /// The bytes of an artifact that is right.
    ///
    /// # Errors
    /// What was found instead.
    pub(crate) async fn bytes(&self, path: &str, announced: Option<&str>) -> Result<Bytes, Reply> {
        let Some(artifact) = ArtifactPath::parse(path) else {
            return Err(Reply::Silent("no path of an artifact".to_owned()));
        };
        let expected: Option<Digest> = announced.and_then(|digest| digest.parse().ok());
        match self.store.open(&artifact.key, &artifact.revision, expected.as_ref()).await {
            Ok(Some(readable)) => {
                let chunks: Vec<Bytes> = readable
                    .into_stream()
                    .try_collect()
                    .await
                    .map_err(|error: std::io::Error| Reply::Silent(error.to_string()))?;
                Ok(chunks.concat().into())
            }
            // A store hands out only what is right; whatever else is there is told by looking.
            Ok(None) => Err(match self.verify(path, announced).await {
                Reply::Verified(_) => Reply::Silent("it changed while it was read".to_owned()),
                other => other,
            }),
            Err(error) => Err(Reply::Silent(told(&error))),
        }
    }
}

/// A verdict of the store as one on bytes. What hashes to another name than its own cannot be what was announced.
pub(crate) fn damaged(cause: &str, is_announced: bool) -> Reply {
    let is_of_other_content = cause.contains("does not hash to its name");
    match (is_announced, is_of_other_content) {
        (true, _) => Reply::WrongDigest(cause.to_owned()),
        (false, true) => Reply::WrongContent(cause.to_owned()),
        (false, false) => Reply::NoTarball(cause.to_owned()),
    }
}

fn told(error: &StoreError) -> String {
    format!("{error}: {}", error.source)
}

fn age(written: Option<SystemTime>, now: SystemTime) -> Option<u64> {
    written.map(|written| now.duration_since(written).unwrap_or(Duration::ZERO).as_secs())
}

fn file(item: Item, now: SystemTime) -> File {
    let class = match item.kind {
        ItemKind::Revision(_) => FileClass::Revision,
        ItemKind::Temporary => FileClass::Tmp,
        ItemKind::Trash => FileClass::Trash,
        ItemKind::OwnerMark => FileClass::OwnerMark,
        ItemKind::Foreign => FileClass::Foreign,
    };
    File { path: item.path, class, bytes: item.size, age: age(item.written, now), version: item.version }
}
