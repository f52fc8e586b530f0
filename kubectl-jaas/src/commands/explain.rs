//! `explain`: what a reason means and what to type. Works without a cluster. Pure.

use jaas_api::Reason;

/// The page of a reason, as the documentation has it.
fn page(reason: Reason) -> &'static str {
    macro_rules! page {
        ($name:literal) => {
            include_str!(concat!("../../../docs/reasons/", $name, ".md"))
        };
    }
    match reason {
        Reason::Pending => page!("pending"),
        Reason::Synced => page!("synced"),
        Reason::InvalidSpec => page!("invalidspec"),
        Reason::LibraryNotFound => page!("librarynotfound"),
        Reason::CrossNamespaceRefRejected => page!("crossnamespacerefrejected"),
        Reason::ExternalVariableConflict => page!("externalvariableconflict"),
        Reason::ServiceAccountMissing => page!("serviceaccountmissing"),
        Reason::EvaluationFailed => page!("evaluationfailed"),
        Reason::EvaluationTimeout => page!("evaluationtimeout"),
        Reason::SourceRefNotYetSupported => page!("sourcerefnotyetsupported"),
        Reason::SourceNotReady => page!("sourcenotready"),
        Reason::SourceFetchFailed => page!("sourcefetchfailed"),
        Reason::DependencyCycle => page!("dependencycycle"),
        Reason::ArtifactTooLarge => page!("artifacttoolarge"),
        Reason::Suspended => page!("suspended"),
        Reason::RBACDenied => page!("rbacdenied"),
        Reason::StorageUnavailable => page!("storageunavailable"),
        Reason::StorageFull => page!("storagefull"),
        Reason::StorageReadOnly => page!("storagereadonly"),
        Reason::StorageDenied => page!("storagedenied"),
        Reason::BucketMissing => page!("bucketmissing"),
        Reason::ClockSkew => page!("clockskew"),
        Reason::ArtifactConflict => page!("artifactconflict"),
        Reason::NoManifests => page!("nomanifests"),
        Reason::InvalidManifests => page!("invalidmanifests"),
        Reason::ArtifactLost => page!("artifactlost"),
        Reason::ApiUnavailable => page!("apiunavailable"),
    }
}

/// A word that names no reason.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no reason of a JsonnetSnippet")]
pub(crate) struct UnknownReason(String);

impl UnknownReason {
    /// All words that would have been understood.
    pub(crate) fn hint(&self) -> String {
        let known: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        format!("one of {}", known.join(", "))
    }
}

/// The page of the reason, in any mixture of upper and lower case.
///
/// # Errors
/// [`UnknownReason`].
pub(crate) fn explain(word: &str) -> Result<&'static str, UnknownReason> {
    let known = Reason::ALL.iter().find(|reason| reason.as_str().eq_ignore_ascii_case(word));
    known.map(|reason| page(*reason).trim_end()).ok_or_else(|| UnknownReason(word.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_page_of_its_own() {
        for reason in Reason::ALL {
            let text = explain(&reason.as_str().to_lowercase()).unwrap();
            assert!(text.starts_with(&format!("# {reason}\n")), "{reason}: {text}");
        }
    }

    #[test]
    fn an_unknown_word_is_answered_with_the_known_ones() {
        let error = explain("Broken").unwrap_err();
        assert_eq!(error.to_string(), "`Broken` is no reason of a JsonnetSnippet");
        assert!(error.hint().starts_with("one of Pending, Synced, InvalidSpec, "));
    }
}
