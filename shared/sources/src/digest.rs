//! Digests as Flux's artifacts carry them. Pure.

use std::fmt;
use std::str::FromStr;

use sha2::Digest as _;

/// How a digest was made; those that Flux's own fetcher takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// BLAKE3 with 256 bits.
    Blake3,
}

impl Algorithm {
    const ALL: [Self; 4] = [Self::Sha256, Self::Sha384, Self::Sha512, Self::Blake3];

    /// The word before the colon.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Blake3 => "blake3",
        }
    }

    /// Length of a digest in hexadecimal digits.
    fn digits(self) -> usize {
        match self {
            Self::Sha256 | Self::Blake3 => 64,
            Self::Sha384 => 96,
            Self::Sha512 => 128,
        }
    }

    /// Begins to hash.
    pub fn hasher(self) -> Hasher {
        match self {
            Self::Sha256 => Hasher::Sha256(Box::default()),
            Self::Sha384 => Hasher::Sha384(Box::default()),
            Self::Sha512 => Hasher::Sha512(Box::default()),
            Self::Blake3 => Hasher::Blake3(Box::default()),
        }
    }
}

/// A digest of an artifact's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceDigest {
    algorithm: Algorithm,
    hex: String,
}

/// A text that is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no digest; expected sha256, sha384, sha512 or blake3, a colon, and as many hexadecimal digits as that has"
)]
pub struct InvalidDigest {
    text: String,
}

impl SourceDigest {
    /// How it was made.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl fmt::Display for SourceDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.word(), self.hex)
    }
}

impl FromStr for SourceDigest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let normal = text.trim().to_ascii_lowercase();
        let invalid = || InvalidDigest { text: text.chars().take(140).collect() };
        let (word, hex) = normal.split_once(':').ok_or_else(invalid)?;
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm.word() == word).ok_or_else(invalid)?;
        let fits = hex.len() == algorithm.digits() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        if fits { Ok(Self { algorithm, hex: hex.to_owned() }) } else { Err(invalid()) }
    }
}

/// A digest in the making.
#[derive(Clone, Debug)]
pub enum Hasher {
    /// Of SHA-256.
    Sha256(Box<sha2::Sha256>),
    /// Of SHA-384.
    Sha384(Box<sha2::Sha384>),
    /// Of SHA-512.
    Sha512(Box<sha2::Sha512>),
    /// Of BLAKE3.
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha384(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
            Self::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    /// The digest of all that was taken in.
    pub fn finish(self) -> SourceDigest {
        let (algorithm, hex) = match self {
            Self::Sha256(hasher) => (Algorithm::Sha256, hex::encode(hasher.finalize())),
            Self::Sha384(hasher) => (Algorithm::Sha384, hex::encode(hasher.finalize())),
            Self::Sha512(hasher) => (Algorithm::Sha512, hex::encode(hasher.finalize())),
            Self::Blake3(hasher) => (Algorithm::Blake3, hex::encode(hasher.finalize().as_bytes())),
        };
        SourceDigest { algorithm, hex }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Published values for the empty input.
    const EMPTY: [&str; 4] = [
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sha384:38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
        "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    ];

    #[test]
    fn every_algorithm_of_flux_gives_its_published_value() {
        for text in EMPTY {
            let digest: SourceDigest = text.parse().unwrap();
            assert_eq!(digest.algorithm().hasher().finish(), digest);
            assert_eq!(digest.to_string(), text);
            let mut other = digest.algorithm().hasher();
            other.update(b"x");
            assert_ne!(other.finish(), digest);
        }
    }

    #[test]
    fn blanks_and_capitals_do_not_matter_and_anything_else_does() {
        let loud = format!(" {}\n", EMPTY[0].to_ascii_uppercase());
        assert_eq!(loud.parse::<SourceDigest>().unwrap().to_string(), EMPTY[0]);
        let bare = &EMPTY[0][7..];
        for wrong in ["", ":", "sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e", bare, &EMPTY[0][..70], "sha512:00"] {
            assert!(wrong.parse::<SourceDigest>().is_err(), "{wrong}");
        }
        let odd = format!("sha256:{}", "g".repeat(64));
        assert!(odd.parse::<SourceDigest>().unwrap_err().to_string().contains(&odd));
    }
}
