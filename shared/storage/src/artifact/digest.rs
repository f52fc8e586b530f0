//! Hashes with a meaning: the digest of stored bytes and the revision of a content. Pure.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::Entries;

/// The only algorithm that is written.
const PREFIX: &str = "sha256:";

/// A text that is no `sha256:<64 lower-case hex digits>`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not of the form sha256:<64 hex digits>")]
pub struct InvalidHash(String);

macro_rules! sha256_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The hash in lower-case hexadecimal, without the algorithm.
            pub fn hex(&self) -> String {
                hex::encode(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{PREFIX}{}", self.hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidHash;

            fn from_str(text: &str) -> Result<Self, InvalidHash> {
                let invalid = || InvalidHash(text.chars().take(80).collect());
                let hex = text.strip_prefix(PREFIX).ok_or_else(invalid)?;
                if hex.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    return Err(invalid());
                }
                let mut bytes = [0; 32];
                hex::decode_to_slice(hex, &mut bytes).map_err(|_| invalid())?;
                Ok(Self(bytes))
            }
        }
    };
}

sha256_text!(
    /// Hash of an artifact's stored bytes, which consumers verify after the download.
    Digest
);
sha256_text!(
    /// Hash of an artifact's content, independent of how it is packed.
    Revision
);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest that a finished hash computation stands for.
    pub(crate) fn from_hasher(hasher: Sha256) -> Self {
        Self(hasher.finalize().into())
    }
}

impl Revision {
    /// Identity of an artifact that is one document: the hash of the document.
    pub fn of_document(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Identity of an artifact that is a tree: the hash over `path NUL content NUL` in the order of the paths.
    pub fn of_tree(entries: &Entries) -> Self {
        let mut hasher = Sha256::new();
        for (path, bytes) in entries {
            hasher.update(path.as_bytes());
            hasher.update([0]);
            hasher.update(bytes);
            hasher.update([0]);
        }
        Self(hasher.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_document_is_identified_by_its_hash() {
        assert_eq!(
            Revision::of_document(b"{ }\n").to_string(),
            "sha256:1d6faa9e1a76d13f3ab8558a3640158b1f0a54f624a4e37ddc3ef41ed4191058"
        );
    }

    #[test]
    fn a_tree_is_identified_by_names_and_contents() {
        let tree = Entries::from([("a".to_owned(), b"1".to_vec()), ("b".to_owned(), b"2".to_vec())]);
        assert_eq!(Revision::of_tree(&tree).hex(), hex::encode(Sha256::digest(b"a\x001\x00b\x002\x00")));
    }

    #[test]
    fn only_the_canonical_spelling_is_read() {
        let good = Digest::of(b"x");
        assert_eq!(good.to_string().parse::<Digest>().unwrap(), good);
        for bad in ["", "sha256:", "sha1:aa", &good.hex(), &good.to_string().to_uppercase(), &format!("{good}0")] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
        let upper = format!("sha256:{}", good.hex().to_uppercase());
        assert!(upper.parse::<Digest>().is_err(), "{upper}");
    }
}
