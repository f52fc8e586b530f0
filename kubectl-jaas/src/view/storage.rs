//! What the commands on the store found and did. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::road::Failure;

/// What a command on the store found, and by which road.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoreView {
    /// Namespace and name of the operator's Deployment, where it can be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operator: Option<String>,
    /// Where the operator keeps artifacts.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) place: String,
    /// The road by which all of this came; absent where none leads there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) road: Option<&'static str>,
    /// The same with its end.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) via: String,
    /// Roads that were tried before and did not lead there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tried: Vec<Failure>,
    /// What was found.
    #[serde(flatten)]
    pub(crate) found: Found,
}

/// What was found, under a key of its own.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Found {
    /// Of `storage info`.
    Info(Info),
    /// Of `storage df`.
    Space(Space),
    /// Of `storage du`.
    Uses(Vec<Use>),
    /// Of `storage ls`.
    Files(Vec<FileView>),
    /// Of `storage verify`.
    Proofs(Vec<Proof>),
    /// Of `storage fetch`.
    Fetched(Fetched),
    /// Of `storage prune`.
    Prune(Prune),
    /// Of `storage sweep`.
    Sweep(Sweep),
    /// Of `storage find-orphans`.
    Orphans(Orphans),
    /// Of `storage repair`.
    Repairs(Vec<Repair>),
    /// Of `storage advise`.
    Advice(Advice),
}

/// Names and values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Info {
    /// `local` or `s3`.
    pub(crate) backend: String,
    /// What lies behind a local store.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) volume: String,
    /// Image of the operator.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) image: String,
    /// Whether the admin endpoint is on, or why that is not known.
    pub(crate) admin: String,
    /// Whose mark the store carries, where a road tells.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) owner: String,
    /// Whether it answers, where a road tells.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) health: String,
    /// Why nothing may be removed now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) guarded: Option<String>,
    /// Settings that decide about files, secrets masked.
    pub(crate) settings: BTreeMap<String, String>,
}

/// How much is taken and free.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Space {
    /// Bytes taken by the store.
    pub(crate) bytes: u64,
    /// Files or objects.
    pub(crate) files: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) free_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) free_inodes: Option<u64>,
    /// Bytes that the store may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quota: Option<u64>,
    /// Seconds until volume or quota is used up, going by the last hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) full_in_seconds: Option<u64>,
    /// What the store answered, in one word; `nearly full` where it takes writes and the next revisions may not fit.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) health: String,
    /// Whether `bytes` counts whole blocks of a volume, as the quota does, and not the bytes of each file.
    pub(crate) in_blocks: bool,
}

/// Number and bytes of some files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Sum {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

impl Sum {
    /// One more file.
    pub(crate) fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Whether it is no file at all.
    pub(crate) fn is_nothing(&self) -> bool {
        self.files == 0
    }

    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { files: self.files + other.files, bytes: self.bytes.saturating_add(other.bytes) }
    }
}

/// What one snippet takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Use {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Whether there is such a snippet.
    pub(crate) exists: bool,
    /// Everything in its folder.
    pub(crate) stored: Sum,
    /// What is announced.
    pub(crate) current: Sum,
    /// What its history names besides.
    pub(crate) history: Sum,
    /// What only the grace holds.
    pub(crate) grace: Sum,
    /// What nothing holds.
    pub(crate) expired: Sum,
    /// Halves, what was set aside, and what is not ours.
    pub(crate) other: Sum,
    /// Bytes that the artifacts of its namespace take together, as the quota counts them.
    pub(crate) namespace_bytes: u64,
    /// Bytes that they may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace_quota: Option<u64>,
}

/// One file of the store.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileView {
    pub(crate) path: String,
    /// What it is by its name.
    pub(crate) class: &'static str,
    /// What holds a revision: `current`, `history`, `grace`, `expired`, or `no snippet`; empty for other files.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) held_by: &'static str,
    pub(crate) bytes: u64,
    /// Seconds since it was last written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) age: Option<u64>,
}

/// What became of the proof of one artifact.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Proof {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) revision: String,
    pub(crate) path: String,
    /// `current` or `history`.
    pub(crate) role: &'static str,
    /// `ok`, `missing`, `restoring`, `damaged` or `unread`.
    pub(crate) state: &'static str,
    /// The finding, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<u64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) why: String,
}

/// An artifact that was downloaded and proven.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fetched {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) revision: String,
    pub(crate) digest: String,
    pub(crate) bytes: u64,
    /// Where it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    /// What is in it: path and bytes.
    pub(crate) entries: Vec<Packed>,
    /// The file that was asked for; shown as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
}

/// A file in an artifact.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Packed {
    pub(crate) path: String,
    pub(crate) bytes: u64,
}

/// What became, or would become, of one file.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Deed {
    pub(crate) path: String,
    /// `planned`, or as the endpoint says: `removed`, `kept`, `changed` and so on.
    pub(crate) outcome: &'static str,
    pub(crate) bytes: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) why: String,
}

/// A plan to remove revisions, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Prune {
    /// `expired`, `beyond-keep`, or `keep`.
    pub(crate) level: &'static str,
    pub(crate) snippets: Vec<PruneRow>,
    /// What would go.
    pub(crate) doomed: Sum,
    /// What only the grace holds, and stays at this level.
    pub(crate) in_grace: Sum,
    /// Histories that are, or were, shortened first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) histories: Vec<Shorter>,
    /// What went, by this run or by the operator's own clean-up meanwhile.
    pub(crate) removed: Sum,
    /// Of that what the operator removed by itself, once the history was shorter.
    #[serde(skip_serializing_if = "Sum::is_nothing")]
    pub(crate) removed_by_operator: Sum,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) free_before: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) free_after: Option<u64>,
    pub(crate) items: Vec<Deed>,
}

/// A history that becomes shorter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shorter {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// `spec.history` before.
    pub(crate) from: i64,
    /// And after.
    pub(crate) to: u16,
    /// Who keeps the snippet's spec as it is, and may set it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keeper: Option<String>,
}

/// What would go of one snippet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PruneRow {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) stored: u64,
    pub(crate) keep: u64,
    pub(crate) remove: u64,
    pub(crate) bytes: u64,
    /// Age in seconds of the oldest that goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) oldest: Option<u64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
}

/// Left-overs, and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sweep {
    /// Least age in seconds of what goes.
    pub(crate) older_than: u64,
    /// What is old enough.
    pub(crate) due: Sum,
    /// What is younger, and stays.
    pub(crate) young: Sum,
    pub(crate) removed: u64,
    pub(crate) items: Vec<Deed>,
}

/// What nobody owns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Orphans {
    pub(crate) groups: Vec<OrphanGroup>,
    /// Files and objects that `--delete` is about.
    pub(crate) orphans: Sum,
    pub(crate) external: u64,
    /// Whose the store is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) owner: String,
    /// Why not all could be decided.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) doubts: Vec<String>,
    /// What `--confirm` must say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) confirm: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) items: Vec<Deed>,
}

/// Files of one place and class.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrphanGroup {
    /// The class; `unknown` and `out-of-scope` for what could not be decided.
    pub(crate) class: &'static str,
    #[serde(rename = "where")]
    pub(crate) place: String,
    #[serde(flatten)]
    pub(crate) sum: Sum,
    /// Age in seconds of the youngest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) age: Option<u64>,
    pub(crate) why: String,
}

/// One damaged artifact, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Repair {
    #[serde(flatten)]
    pub(crate) proof: Proof,
    /// `would-repair`, `healed`, `set-aside`, `skipped` or `failed`.
    pub(crate) outcome: &'static str,
    pub(crate) message: String,
}

/// What to change, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Advice {
    pub(crate) topic: &'static str,
    /// What is there now.
    pub(crate) facts: Vec<String>,
    /// What to run or apply, as it is.
    pub(crate) text: String,
    /// What to run afterwards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) then: Vec<String>,
}
