//! The operator's admin endpoint: what goes over its wire. Pure.
//!
//! A caller shows a token for the audience [`AUDIENCE`] and is asked, for each namespace that a call is about, for its right to
//! `jsonnetsnippets/storage`. Times are RFC 3339, sizes bytes, durations seconds. Fields are only ever added within one
//! [`API_LEVEL`], and whoever reads skips what it does not know.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Audience of the tokens that are taken. One for it is worth nothing at the API server.
pub const AUDIENCE: &str = "jaas-admin";
/// Name of the ServiceAccount whose tokens people ask for; it holds no rights of its own at the API server but those of this endpoint.
pub const ON_CALL_ACCOUNT: &str = "jaas-oncall";
/// Port that the chart gives the endpoint.
pub const PORT: u16 = 8085;
/// What this build of the endpoint offers. A caller that needs more says so instead of failing.
pub const API_LEVEL: u32 = 1;
/// Virtual resource whose verbs `get`, `list` and `delete` are asked for, in the namespace of a snippet or in all.
pub const RESOURCE: (&str, &str) = ("jsonnetsnippets", "storage");

/// Header with the token, where `Authorization` does not survive the way, as through the API server's proxy.
pub const TOKEN_HEADER: &str = "x-jaas-token";
/// Header with the name of the person, as that says it is; logged as claimed, and decides nothing.
pub const ACTOR_HEADER: &str = "x-jaas-actor";
/// Header with the id of the run that calls, for the log.
pub const RUN_HEADER: &str = "x-jaas-run";

/// `GET`: [`Capabilities`]. Any caller that is known.
pub const CAPABILITIES: &str = "/admin/v1/capabilities";
/// `GET`: [`Stats`]. Needs `get` in all namespaces.
pub const STATS: &str = "/admin/v1/storage/stats";
/// `GET ?namespace=`: [`InventoryLine`]s, one JSON document each line, the last of which is an end. Needs `list` in the namespace;
/// without one, in each namespace, and those without the right are left out and named.
pub const INVENTORY: &str = "/admin/v1/storage/inventory";
/// `POST` [`VerifyRequest`]: [`Verified`]s, one JSON document each line, as they are read. Needs `get` in each item's namespace.
pub const VERIFY: &str = "/admin/v1/storage/verify";
/// `POST` [`ActionRequest`]: [`ActionLine`]s, one JSON document each line, the last of which is an end. Needs `delete` in each item's
/// namespace, and in all for a sweep. Only the leader acts; another replica answers 421 with a [`Problem`] that names it.
pub const ACTIONS: &str = "/admin/v1/storage/actions";
/// `GET ?namespace=`: [`Reconciles`]. Needs `list` on `jsonnetsnippets` there, or in all namespaces. Only the leader knows; another
/// replica answers 421 as for [`ACTIONS`].
pub const RECONCILES: &str = "/admin/v1/reconciles";

/// Most items of one request.
pub const MAX_ITEMS: usize = 1_000;

/// What the replica is and can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Capabilities {
    /// See [`API_LEVEL`].
    pub api_level: u32,
    /// Version of the operator.
    pub version: String,
    /// `local` or `s3`.
    pub backend: String,
    /// Identity of this replica in the election, or empty without one.
    pub replica: String,
    /// Identity of the leader, where it is known; without an election this replica is it.
    pub leader: Option<String>,
    /// Whether this replica may change the store now.
    pub leads: bool,
    /// Who the caller is, as the API server says.
    pub caller: String,
}

/// How the store is, and what decides about its files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stats {
    /// Where it is: a path, or `s3://bucket/prefix at endpoint`.
    pub place: String,
    /// How much is taken and free; absent where the store did not answer.
    pub usage: Option<StoreUsage>,
    /// What it answered.
    pub health: Option<Health>,
    /// The mark that it carries; absent where it has none or it could not be read.
    pub owner: Option<Owner>,
    /// Whether the mark was read.
    pub owner_known: bool,
    /// The mark of this installation; absent until it is known.
    pub identity: Option<Owner>,
    /// Why nothing may be removed now, such as another installation's mark; absent where something may.
    pub guarded: Option<String>,
    /// Settings that decide about files.
    pub settings: Settings,
}

/// How much is taken and free.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StoreUsage {
    /// Bytes taken by the store.
    pub bytes: u64,
    /// Files or objects.
    pub files: u64,
    /// Bytes free on the volume.
    pub free_bytes: Option<u64>,
    /// Bytes of the whole volume.
    pub total_bytes: Option<u64>,
    /// Inodes free on the volume; absent for a bucket and for a file system without a fixed number.
    pub free_inodes: Option<u64>,
    /// Bytes that the store may take, where somebody decided that.
    pub quota: Option<u64>,
    /// Bytes that the artifacts of one namespace may take, where somebody decided that.
    pub namespace_quota: Option<u64>,
    /// Seconds until volume or quota is used up, going by the last hours; absent where neither fills, and while too little is known.
    pub full_in_seconds: Option<u64>,
}

/// Settings that decide about files; durations in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// How long a revision stays after it left the history.
    pub artifact_gc_grace: u64,
    /// How long a store that refuses may hold a deleted snippet.
    pub max_withdraw_wait: u64,
    /// Age at which a file that nothing names may go.
    pub orphan_age: u64,
    /// Age at which a temporary file counts as left over.
    pub sweep_max_tmp_age: u64,
    /// Namespaces that are watched; all where empty.
    pub watch_namespaces: Vec<String>,
    /// Labels of the snippets that are watched, as a selector; all where empty.
    pub label_selector: String,
}

/// The installation that a store belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// Unique id of the cluster.
    pub cluster: String,
    /// `namespace/release`.
    pub release: String,
}

/// What the store answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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

impl HealthState {
    /// The word for people.
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

/// One line of an inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InventoryLine {
    /// A file, object or unfinished upload.
    File(File),
    /// There are no more lines. A listing without this line broke off.
    End(InventoryEnd),
}

/// A file, object or unfinished upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
    /// What an action shows to say which state of the file it means: opaque, and another one after every write.
    #[serde(default)]
    pub version: String,
}

/// What a file is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

impl FileClass {
    /// The word on the wire and for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Revision => "revision",
            Self::Tmp => "tmp",
            Self::Trash => "trash",
            Self::OwnerMark => "owner-mark",
            Self::Multipart => "multipart",
            Self::Foreign => "foreign",
        }
    }
}

/// The end of an inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InventoryEnd {
    /// Whether nothing was left out.
    pub complete: bool,
    /// Namespaces that the caller may not list. What belongs to none, such as the mark, is seen only by who may list all of them.
    pub omitted: Vec<String>,
    /// Files that were told.
    pub files: u64,
    /// When the store was listed, by the operator's clock.
    pub listed_at: Option<Timestamp>,
    /// Why unfinished uploads could not be listed; absent where they were, or where the store has none.
    pub uploads_unknown: Option<String>,
}

/// Asks for the content of artifacts to be read and judged, inside the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VerifyRequest {
    /// Paths of artifacts, at most [`MAX_ITEMS`].
    pub items: Vec<String>,
}

/// What was found of one artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// The path that was asked for.
    pub path: String,
    /// What it is.
    pub state: VerifiedState,
    /// Digest of its bytes, where its content is what its name says.
    #[serde(default)]
    pub digest: Option<String>,
    /// Its length in bytes, where that was learned.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// What is wrong with it, or why it could not be read.
    #[serde(default)]
    pub why: String,
}

/// What an artifact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifiedState {
    /// Its content hashes to its name.
    Intact,
    /// It is not there.
    Missing,
    /// It is something else than its name says.
    Damaged,
    /// It is no artifact, or the caller may not ask for it.
    Refused,
    /// The store did not answer.
    Failed,
}

/// What is to be done. Whoever asks has looked before: each item carries the version that was seen, and is left alone where it has
/// another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionRequest {
    /// What.
    pub action: Action,
    /// The files, at most [`MAX_ITEMS`]; none for a sweep.
    #[serde(default)]
    pub items: Vec<ActionItem>,
    /// For a sweep: least age of what goes; never taken for less than the operator's own.
    #[serde(default)]
    pub older_than: Option<u64>,
    /// Judges everything and changes nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Why, in a person's words, for the log.
    #[serde(default)]
    pub reason: String,
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Removes revisions of living snippets that neither history nor grace holds.
    PruneExpired,
    /// The same, also those that only the grace holds.
    PruneBeyondKeep,
    /// Removes revisions, and what was set aside, of snippets that are gone, and that no ExternalArtifact names.
    DeleteOrphans,
    /// Removes what writers left behind that are gone, and uploads that nobody finished.
    Sweep,
    /// Sets damaged artifacts aside and has their snippets rendered again; intact ones stay.
    Repair,
}

/// One file, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionItem {
    /// Its path.
    pub path: String,
    /// Its [`File::version`]. For a repair it may be empty: the content decides.
    #[serde(default)]
    pub version: String,
}

/// One line of what was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionLine {
    /// What became of one file.
    Item(ActionDone),
    /// There are no more lines. An answer without this line broke off; what it tells of is done all the same.
    End(ActionEnd),
}

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionDone {
    /// Its path.
    pub path: String,
    /// What became of it.
    pub outcome: ActionOutcome,
    /// Its length in bytes, where that was learned.
    #[serde(default)]
    pub bytes: u64,
    /// Why it was kept, or why it failed.
    #[serde(default)]
    pub why: String,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionOutcome {
    /// Gone, by this call.
    Removed,
    /// Would be gone.
    WouldRemove,
    /// Set aside, and its snippet is rendered again.
    SetAside,
    /// Would be set aside.
    WouldSetAside,
    /// Was not there any more.
    Missing,
    /// Something needs it, or it is in order.
    Kept,
    /// It is not what was seen any more.
    Changed,
    /// It is no file that this action is about, or the caller may not ask for it.
    Refused,
    /// The store or the API server did not answer.
    Failed,
}

/// The end of what was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ActionEnd {
    /// Files that are gone, or would be.
    pub removed: u64,
    /// Their bytes; 0 for a sweep, which counts files only.
    pub bytes: u64,
    /// Why the rest was not tried, such as the end of the replica's term; absent where everything was.
    pub stopped: Option<String>,
}

/// What the leader has tried and not achieved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reconciles {
    /// Snippets that failed when they were last tried.
    pub attempts: Vec<Attempt>,
}

/// What the leader has tried and not achieved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attempt {
    /// `namespace/name` of the snippet.
    pub snippet: String,
    /// Failures in a row.
    pub failures: u32,
    /// The last error.
    pub error: String,
    /// When it is tried again.
    pub next: Option<Timestamp>,
}

/// Why a call was not answered, as the body of an answer that is no success.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Problem {
    /// The sentence: object, operation, cause, what to do.
    pub message: String,
    /// With 421: identity of the leader, where it is known.
    pub leader: Option<String>,
}
