//! Why a snippet is ready or not: the closed list of words that go over the wire. Pure.

use std::fmt;
use std::str::FromStr;

/// Where the pages of the reasons live that the Go implementation has too; `--runbook-base-url` replaces it.
pub const RUNBOOK_BASE_URL: &str = "https://jaas.projects.metio.wtf/runbooks/";

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident: $ours:literal,)+) => {
        /// Reason of the `Ready` condition. Wire-stable: names are never changed, only added.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$doc])* $name,)+
        }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// Whether only this implementation knows the reason, so that the Go implementation's pages have none for it.
            pub fn is_ours(self) -> bool {
                match self {
                    $(Self::$name => $ours,)+
                }
            }
        }

        impl FromStr for Reason {
            type Err = UnknownReason;

            fn from_str(word: &str) -> Result<Self, UnknownReason> {
                match word {
                    $(stringify!($name) => Ok(Self::$name),)+
                    other => Err(UnknownReason(other.to_owned())),
                }
            }
        }
    };
}

reasons! {
    /// Not judged yet. Declared for consumers; never written.
    Pending: false,
    /// Rendered and published.
    Synced: false,
    /// The spec contradicts itself or its files.
    InvalidSpec: false,
    /// A referenced library does not exist.
    LibraryNotFound: false,
    /// A reference into another namespace, which this installation refuses.
    CrossNamespaceRefRejected: false,
    /// An external variable that the operator itself defines.
    ExternalVariableConflict: false,
    /// No ServiceAccount is named, or the named one does not exist.
    ServiceAccountMissing: false,
    /// The Jsonnet does not evaluate.
    EvaluationFailed: false,
    /// The evaluation took longer than `--evaluation-timeout`.
    EvaluationTimeout: false,
    /// Files from a Flux source, which this build does not read.
    SourceRefNotYetSupported: false,
    /// The Flux source has no artifact that is ready.
    SourceNotReady: false,
    /// The artifact of the Flux source could not be fetched.
    SourceFetchFailed: false,
    /// Snippets that wait for each other in a circle.
    DependencyCycle: false,
    /// The result is larger than what consumers take or `--max-artifact-bytes` allows.
    ArtifactTooLarge: false,
    /// `spec.suspend` is set.
    Suspended: false,
    /// The ServiceAccount lacks a right, or the operator may not watch the kind of a source.
    RBACDenied: false,
    /// The store refused or could not be reached.
    StorageUnavailable: true,
    /// The volume or the quota of the store is used up.
    StorageFull: true,
    /// The volume of the store is mounted read-only.
    StorageReadOnly: true,
    /// The operator may not write to the store.
    StorageDenied: true,
    /// The bucket of the store does not exist.
    BucketMissing: true,
    /// The operator's clock and the store's differ too much for signed requests.
    ClockSkew: true,
    /// Another owner's ExternalArtifact has the snippet's name.
    ArtifactConflict: true,
    /// `output: manifests` found no Kubernetes object.
    NoManifests: true,
    /// A Kubernetes object without a name, or two of one identity.
    InvalidManifests: true,
    /// The published file is gone and cannot be rendered again.
    ArtifactLost: true,
    /// The API server could not be reached or answered with an error that may pass.
    ApiUnavailable: true,
    /// The evaluation needs more memory than `--evaluation-memory`.
    EvaluationOutOfMemory: true,
    /// The evaluation nests deeper than its stack.
    EvaluationTooDeep: true,
}

/// A word that is no [`Reason`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no reason of a JsonnetSnippet")]
pub struct UnknownReason(String);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Reason {
    /// Whether the state is as its owner wants it: no link to a page, and nothing is tried again on its account.
    pub fn is_happy(self) -> bool {
        matches!(self, Self::Pending | Self::Synced | Self::Suspended)
    }

    /// Whether the store is what is in trouble, as opposed to the snippet.
    pub fn is_about_storage(self) -> bool {
        matches!(
            self,
            Self::StorageUnavailable
                | Self::StorageFull
                | Self::StorageReadOnly
                | Self::StorageDenied
                | Self::BucketMissing
                | Self::ClockSkew
        )
    }

    /// What is appended to the condition's message so that a reader knows where to go on. `runbooks` ends with a slash.
    pub fn suffix(self, runbooks: &str) -> String {
        if self.is_happy() {
            String::new()
        } else if self.is_ours() {
            format!(" (kubectl jaas explain {self})")
        } else {
            format!(" (runbook: {runbooks}{}/)", self.as_str().to_lowercase())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back_as_itself() {
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(*reason));
        }
    }

    #[test]
    fn the_suffix_leads_to_the_page_that_exists() {
        let base = RUNBOOK_BASE_URL;
        assert_eq!(Reason::Synced.suffix(base), "");
        assert_eq!(
            Reason::InvalidSpec.suffix(base),
            " (runbook: https://jaas.projects.metio.wtf/runbooks/invalidspec/)"
        );
        assert_eq!(Reason::ArtifactLost.suffix(base), " (kubectl jaas explain ArtifactLost)");
    }
}
