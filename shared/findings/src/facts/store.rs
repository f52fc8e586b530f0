//! The store, as far as somebody could look into it.

use serde::{Deserialize, Serialize};

use crate::known::Known;

/// The store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Store {
    /// What lies in it.
    pub inventory: Known<Inventory>,
    /// How much is taken and free.
    pub usage: Known<Usage>,
    /// Whose mark it carries; `None` where it has none.
    pub owner: Known<Option<Owner>>,
    /// Whether it answers its operator, or the person who looks.
    pub health: Known<Health>,
    /// Lifecycle rules of the bucket.
    pub lifecycle: Known<Vec<LifecycleRule>>,
}

/// A listing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Inventory {
    /// Whether nothing was left out.
    pub complete: bool,
    /// Each file, object or unfinished upload.
    pub files: Vec<File>,
}

/// A file, object or unfinished upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct File {
    /// Below the root or the prefix.
    pub path: String,
    /// What it is.
    pub class: FileClass,
    /// Its length in bytes.
    pub bytes: u64,
    /// Seconds since it was last written.
    #[serde(default)]
    pub age: Option<u64>,
}

/// What a file is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileClass {
    /// An artifact.
    Revision,
    /// Half of a write.
    Tmp,
    /// Set aside, and not served.
    Trash,
    /// The mark of the installation.
    OwnerMark,
    /// An upload that was never finished.
    Multipart,
    /// Anything else.
    Foreign,
}

/// How much is taken and free.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Usage {
    /// Bytes taken by the store.
    pub bytes: u64,
    /// Files or objects.
    pub files: u64,
    /// Bytes free on the volume.
    pub free_bytes: Known<u64>,
    /// Bytes of the whole volume.
    pub total_bytes: Known<u64>,
    /// Inodes free on the volume; `None` for a file system without a fixed number.
    pub free_inodes: Known<Option<u64>>,
    /// Bytes that the store may take, where somebody decided that.
    pub quota: Option<u64>,
}

/// The installation that a store belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Owner {
    /// Unique id of the cluster.
    pub cluster: String,
    /// `namespace/release`.
    pub release: String,
}

/// What the store answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Health {
    /// In one word.
    pub state: HealthState,
    /// Its own words.
    #[serde(default)]
    pub detail: String,
    /// Seconds by which the clock of the service is ahead of the operator's.
    #[serde(default)]
    pub clock_ahead_seconds: Option<i64>,
    /// Whether a missing object is said to be missing, instead of denied.
    #[serde(default)]
    pub missing_is_told: Option<bool>,
}

/// What the store answered, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthState {
    /// It answers and takes writes.
    Fine,
    /// No bytes left.
    Full,
    /// No inodes left.
    NoInodes,
    /// It takes no writes.
    ReadOnly,
    /// The rights or keys do not suffice.
    Denied,
    /// It does not answer, or with an error.
    Unavailable,
    /// The bucket does not exist.
    BucketMissing,
    /// The clocks differ too much for signed requests.
    ClockSkew,
    /// It asks to slow down.
    Throttled,
}

impl Usage {
    /// Whether the quota is reached; never where there is none.
    pub fn is_over_quota(&self) -> bool {
        self.quota.is_some_and(|quota| quota > 0 && self.bytes >= quota)
    }

    /// Whether bytes or inodes are known to have run out.
    pub fn is_used_up(&self) -> bool {
        self.is_over_quota() || self.free_bytes.ok() == Some(&0) || self.free_inodes.ok() == Some(&Some(0))
    }
}

impl HealthState {
    /// The word on the wire and for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Full => "full",
            Self::NoInodes => "no inodes",
            Self::ReadOnly => "read-only",
            Self::Denied => "denied",
            Self::Unavailable => "unavailable",
            Self::BucketMissing => "bucket missing",
            Self::ClockSkew => "clock skew",
            Self::Throttled => "throttled",
        }
    }
}

/// A rule of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LifecycleRule {
    /// Its id.
    pub id: String,
    /// Whether it is in force.
    pub enabled: bool,
    /// The objects that it is about; all where empty.
    pub prefix: String,
    /// Whether it is further limited, to tags or sizes.
    pub filtered: bool,
    /// Days after which current objects expire.
    pub expires_after_days: Option<u32>,
    /// Whether current objects expire at a date.
    pub expires_at_date: bool,
    /// Days after which unfinished uploads are dropped.
    pub aborts_uploads_after_days: Option<u32>,
}
