//! How much one namespace may take, and the sentence for who wants more. Pure.

use jaas_storage::store::error::bytes_shown;

/// A part of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of the store's quota or, where it has none, of its volume.
    Percent(u8),
}

impl Share {
    /// The bytes, of a store of that size.
    pub fn limit(self, whole: Option<u64>) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Percent(percent) => u64::try_from(u128::from(whole?) * u128::from(percent) / 100).ok(),
        }
    }
}

/// As it is typed.
impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{bytes}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// More than the share was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The share.
    pub share: Share,
    /// Its bytes.
    pub limit: u64,
    /// Bytes in use, those of puts under way included.
    pub used: u64,
    /// Bytes of what is to be published.
    pub needed: u64,
}

impl Denial {
    /// The whole sentence. It names sizes of the snippet's own namespace only.
    pub fn message(&self, namespace: &str) -> String {
        let [needed, used, limit] = [self.needed, self.used, self.limit].map(bytes_shown);
        let help = if self.needed > self.limit {
            "render less, or ask the administrator to raise it"
        } else {
            "lower `spec.history`, render less, delete snippets that nobody needs, or ask the administrator to raise it"
        };
        format!(
            "writing the artifact: the share of namespace {namespace:?} in the store is used up (needs {needed}, {used} of {limit} used, \
             --storage-namespace-quota={}); {help}. What is published stays, other namespaces are not concerned, and publishing resumes \
             by itself once there is room",
            self.share
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_of_what_is_there() {
        assert_eq!(Share::Percent(25).limit(Some(1000)), Some(250));
        assert_eq!(Share::Percent(100).limit(Some(u64::MAX)), Some(u64::MAX));
        assert_eq!(Share::Percent(25).limit(None), None);
        assert_eq!(Share::Bytes(7).limit(None), Some(7));
    }

    #[test]
    fn who_is_refused_reads_the_quota_its_use_and_what_helps() {
        let denial = Denial { share: Share::Percent(25), limit: 8 << 20, used: 7 << 20, needed: 2 << 20 };
        assert_eq!(
            denial.message("team-a"),
            "writing the artifact: the share of namespace \"team-a\" in the store is used up (needs 2.0 MiB, 7.0 MiB of 8.0 MiB used, \
             --storage-namespace-quota=25%); lower `spec.history`, render less, delete snippets that nobody needs, or ask the \
             administrator to raise it. What is published stays, other namespaces are not concerned, and publishing resumes by itself \
             once there is room"
        );
        let large = Denial { needed: 9 << 20, ..denial };
        assert!(large.message("team-a").contains("); render less, or ask the administrator"));
    }
}
