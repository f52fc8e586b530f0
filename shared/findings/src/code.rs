//! The codes of findings. Wire-stable: a code is never given to something else, only added. Pure.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::registry::{self as table, Entry};

macro_rules! codes {
    ($($name:ident = $code:literal => $($entry:ident)::+,)+) => {
        /// What can be found. The names are for programs in this workspace; everybody else knows the code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = concat!("`", $code, "`, as the registry describes it.")] $name,)+
        }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code as people and programs see it: a letter and three digits.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }

            /// What the registry says of it.
            pub fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$name => &table::$($entry)::+,)+
                }
            }
        }
    };
}

codes! {
    MissingRight = "K001" => configuration::MISSING_RIGHT,
    OperatorNotFound = "K002" => configuration::OPERATOR_NOT_FOUND,
    SeveralInstallations = "K003" => configuration::SEVERAL_INSTALLATIONS,
    OperatorLacksRights = "K010" => configuration::OPERATOR_LACKS_RIGHTS,
    DefinitionNotServed = "K011" => configuration::DEFINITION_NOT_SERVED,
    EmptyDir = "C201" => configuration::EMPTY_DIR,
    VolumeNotShared = "C202" => configuration::VOLUME_NOT_SHARED,
    KeysInArguments = "C203" => configuration::KEYS_IN_ARGUMENTS,
    KeysNewerThanPod = "C204" => configuration::KEYS_NEWER_THAN_POD,
    NoSizeLimit = "C205" => configuration::NO_SIZE_LIMIT,
    SweepOff = "C206" => configuration::SWEEP_OFF,
    UploadsNeverExpire = "C208" => configuration::UPLOADS_NEVER_EXPIRE,
    NoOwnerMark = "C209" => configuration::NO_OWNER_MARK,
    PrefixExpires = "C210" => configuration::PREFIX_EXPIRES,
    ForeignOwnerMark = "C211" => configuration::FOREIGN_OWNER_MARK,
    PodsDiffer = "C212" => configuration::PODS_DIFFER,

    OutOfMemory = "P101" => pods::OUT_OF_MEMORY,
    CrashLoop = "P102" => pods::CRASH_LOOP,
    PodNotReady = "P103" => pods::POD_NOT_READY,
    ImageNotPulled = "P104" => pods::IMAGE_NOT_PULLED,
    PodCannotStart = "P105" => pods::POD_CANNOT_START,
    PodEvicted = "P106" => pods::POD_EVICTED,
    NoPods = "P107" => pods::NO_PODS,
    ScaledToZero = "P108" => pods::SCALED_TO_ZERO,

    NoLeader = "P110" => leader::NO_LEADER,
    LeaderFlaps = "P111" => leader::LEADER_FLAPS,
    LeaderStuck = "P112" => leader::LEADER_STUCK,
    TwoLeaders = "P113" => leader::TWO_LEADERS,
    HolderGone = "P114" => leader::HOLDER_GONE,
    StandbyNotReady = "P115" => leader::STANDBY_NOT_READY,

    NoRoadAnswers = "N301" => network::NO_ROAD_ANSWERS,
    RoadsDiffer = "N302" => network::ROADS_DIFFER,
    PolicyBlocks = "N303" => network::POLICY_BLOCKS,
    NoReadyEndpoint = "N304" => network::NO_READY_ENDPOINT,
    ConsumersFail = "N305" => network::CONSUMERS_FAIL,
    PolicyNotEvaluated = "N306" => network::POLICY_NOT_EVALUATED,
    NoStorageService = "N307" => network::NO_STORAGE_SERVICE,

    NoVolume = "S400" => storage::NO_VOLUME,
    VolumeFull = "S401" => storage::VOLUME_FULL,
    VolumeNearlyFull = "S402" => storage::VOLUME_NEARLY_FULL,
    NoInodes = "S403" => storage::NO_INODES,
    VolumeReplaced = "S404" => storage::VOLUME_REPLACED,
    VolumeDenied = "S405" => storage::VOLUME_DENIED,
    KeysRefused = "S406" => storage::KEYS_REFUSED,
    ObjectStoreUnreachable = "S407" => storage::OBJECT_STORE_UNREACHABLE,
    BucketMissing = "S408" => storage::BUCKET_MISSING,
    PrefixEmpty = "S409" => storage::PREFIX_EMPTY,
    Throttled = "S410" => storage::THROTTLED,
    ClockSkew = "S411" => storage::CLOCK_SKEW,
    AbsenceHidden = "S412" => storage::ABSENCE_HIDDEN,
    VolumeReadOnly = "S413" => storage::VOLUME_READ_ONLY,
    VolumeUnavailable = "S414" => storage::VOLUME_UNAVAILABLE,
    ClaimNotBound = "S415" => storage::CLAIM_NOT_BOUND,
    NamespaceFull = "S416" => storage::NAMESPACE_FULL,

    ArtifactMissing = "A501" => artifacts::ARTIFACT_MISSING,
    HistoryMissing = "A502" => artifacts::HISTORY_MISSING,
    WrongDigest = "A503" => artifacts::WRONG_DIGEST,
    WrongContent = "A504" => artifacts::WRONG_CONTENT,
    WrongSize = "A505" => artifacts::WRONG_SIZE,
    NoTarball = "A506" => artifacts::NO_TARBALL,
    OtherBase = "A507" => artifacts::OTHER_BASE,
    NoArtifactObject = "A508" => artifacts::NO_ARTIFACT_OBJECT,
    SuspendedAndMissing = "A509" => artifacts::SUSPENDED_AND_MISSING,
    RevisionsDisagree = "A510" => artifacts::REVISIONS_DISAGREE,
    ArtifactLost = "A511" => artifacts::ARTIFACT_LOST,
    ArtifactConflict = "A512" => artifacts::ARTIFACT_CONFLICT,
    ServerError = "A513" => artifacts::SERVER_ERROR,

    BeyondHistory = "G601" => garbage::BEYOND_HISTORY,
    PastGrace = "G602" => garbage::PAST_GRACE,
    Residue = "G603" => garbage::RESIDUE,
    OrphanFiles = "G604" => garbage::ORPHAN_FILES,
    OrphanArtifact = "G605" => garbage::ORPHAN_ARTIFACT,
    ForeignFiles = "G606" => garbage::FOREIGN_FILES,
    UnfinishedUploads = "G607" => garbage::UNFINISHED_UPLOADS,
    WithdrawForced = "G608" => garbage::WITHDRAW_FORCED,
    SweepFails = "G609" => garbage::SWEEP_FAILS,
    SetAside = "G610" => garbage::SET_ASIDE,

    Unanswered = "R701" => reconcile::UNANSWERED,
    Backoff = "R702" => reconcile::BACKOFF,
    Suspended = "R703" => reconcile::SUSPENDED,
    NotReady = "R704" => reconcile::NOT_READY,
    GenerationLag = "R705" => reconcile::GENERATION_LAG,
    SilentFailure = "R706" => reconcile::SILENT_FAILURE,
    NeverJudged = "R707" => reconcile::NEVER_JUDGED,
    Terminating = "R708" => reconcile::TERMINATING,
    InvalidSpec = "R711" => reasons::INVALID_SPEC,
    LibraryNotFound = "R712" => reasons::LIBRARY_NOT_FOUND,
    CrossNamespace = "R713" => reasons::CROSS_NAMESPACE,
    VariableConflict = "R714" => reasons::VARIABLE_CONFLICT,
    AccountMissing = "R715" => reasons::ACCOUNT_MISSING,
    AccountDenied = "R716" => reasons::ACCOUNT_DENIED,
    EvaluationFailed = "R717" => reasons::EVALUATION_FAILED,
    EvaluationTimeout = "R718" => reasons::EVALUATION_TIMEOUT,
    ArtifactTooLarge = "R719" => reasons::ARTIFACT_TOO_LARGE,
    NoManifests = "R720" => reasons::NO_MANIFESTS,
    InvalidManifests = "R721" => reasons::INVALID_MANIFESTS,
    SourceNotSupported = "R722" => reasons::SOURCE_NOT_SUPPORTED,
    SourceNotReady = "R723" => reasons::SOURCE_NOT_READY,
    SourceFetchFailed = "R724" => reasons::SOURCE_FETCH_FAILED,
    DependencyCycle = "R725" => reasons::DEPENDENCY_CYCLE,
    ApiUnavailable = "R726" => reasons::API_UNAVAILABLE,
    EvaluationOutOfMemory = "R727" => reasons::EVALUATION_OUT_OF_MEMORY,
    EvaluationTooDeep = "R728" => reasons::EVALUATION_TOO_DEEP,

    QueueLong = "Q801" => queue::QUEUE_LONG,
    ReconcileSlow = "Q802" => queue::RECONCILE_SLOW,
    EvaluationsFull = "Q803" => queue::EVALUATIONS_FULL,
    EvaluationsAbandoned = "Q804" => queue::EVALUATIONS_ABANDONED,

    WebhookCertificate = "W901" => webhook::WEBHOOK_CERTIFICATE,
    WebhookUnanswered = "W902" => webhook::WEBHOOK_UNANSWERED,
    WebhookWouldRefuse = "W903" => webhook::WEBHOOK_WOULD_REFUSE,
}

/// A word that is no code.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no code of a finding")]
pub struct UnknownCode(String);

impl Code {
    /// How bad it is, unless a finding says otherwise.
    pub fn severity(self) -> Severity {
        self.entry().severity
    }

    /// The area that it belongs to.
    pub fn area(self) -> Area {
        self.entry().area
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    /// Reads a code in upper or lower case.
    fn from_str(word: &str) -> Result<Self, UnknownCode> {
        let known = Self::ALL.iter().find(|code| code.as_str().eq_ignore_ascii_case(word));
        known.copied().ok_or_else(|| UnknownCode(word.to_owned()))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Codes are ordered as people see them.
impl Ord for Code {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for Code {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Later versions have further codes, so the schema states only their form.
impl JsonSchema for Code {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[A-Z][0-9]{3}$", "description": "Code of a finding; never reused."})
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// It will hurt, or makes something else hurt more.
    Warning,
    /// Somebody does not get what they should.
    Error,
    /// Nobody gets anything new, or somebody gets something wrong.
    Critical,
}

impl Severity {
    /// The word on the wire and for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// Settings and rights.
    Configuration,
    /// The operator's Pods.
    Pods,
    /// Who writes.
    Leader,
    /// The way from consumers to the storage server.
    Network,
    /// The store, what is in it, and what should be.
    Storage,
    /// Rendering and publishing of snippets.
    Reconcile,
    /// How much waits and runs.
    Queue,
    /// Deletions that do not end.
    Finalizers,
    /// The admission webhook.
    Webhook,
}

impl Area {
    /// Every area, in the order of the screen.
    pub const ALL: [Self; 9] = [
        Self::Configuration,
        Self::Pods,
        Self::Leader,
        Self::Network,
        Self::Storage,
        Self::Reconcile,
        Self::Queue,
        Self::Finalizers,
        Self::Webhook,
    ];

    /// The word on the wire and for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Pods => "pods",
            Self::Leader => "leader",
            Self::Network => "network",
            Self::Storage => "storage",
            Self::Reconcile => "reconcile",
            Self::Queue => "queue",
            Self::Finalizers => "finalizers",
            Self::Webhook => "webhook",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_there_once_and_reads_back_as_itself() {
        let words: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(code.as_str().to_lowercase().parse(), Ok(*code));
            let (letter, digits) = code.as_str().split_at(1);
            assert!(letter.bytes().all(|byte| byte.is_ascii_uppercase()), "{code}");
            assert!(digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
        }
        assert_eq!("S999".parse::<Code>().unwrap_err().to_string(), "`S999` is no code of a finding");
    }

    #[test]
    fn severities_are_ordered_from_harmless_to_worst() {
        assert!(Severity::Info < Severity::Warning && Severity::Warning < Severity::Error);
        assert!(Severity::Error < Severity::Critical);
    }
}
