//! The store, as far as somebody could look into it.

use serde::{Deserialize, Serialize};

pub use jaas_api::admin::{File, FileClass, Health, HealthState, Owner};

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
    /// Why unfinished uploads are not among them, where the store did not tell of any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uploads_unknown: Option<String>,
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

impl Usage {
    /// Whether the quota is reached; never where there is none.
    pub fn is_over_quota(&self) -> bool {
        self.quota.is_some_and(|quota| quota > 0 && self.bytes >= quota)
    }

    /// Bytes that can still be stored, by quota and volume; `None` where neither tells.
    pub fn room(&self) -> Option<u64> {
        let quota = self.quota.filter(|quota| *quota > 0).map(|quota| quota.saturating_sub(self.bytes));
        quota.into_iter().chain(self.free_bytes.ok().copied()).min()
    }

    /// Whether bytes or inodes are known to have run out.
    pub fn is_used_up(&self) -> bool {
        self.is_over_quota() || self.free_bytes.ok() == Some(&0) || self.free_inodes.ok() == Some(&Some(0))
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
