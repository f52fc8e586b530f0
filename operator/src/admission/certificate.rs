//! Certificates: made, read and judged. Pure, but for random numbers.
//!
//! A new certificate comes with an authority of its own, whose key is forgotten at once: nobody can sign with it again, and what the API
//! server trusts is exactly one certificate at a time, or two while they change.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Name of every authority that is made here; the Go implementation's are called the same.
pub const AUTHORITY: &str = "jaas-webhook-ca";
/// By which those of this implementation are told apart from its.
pub const ORGANISATION: &str = "jaas.metio.wtf";

/// A certificate is valid from a moment before it is made: clocks differ.
const EARLIER: Duration = Duration::from_secs(60);

/// What is wrong with a certificate or its key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Some part could not be read.
    #[error("{what} cannot be read: {why}")]
    Unreadable {
        /// Which part.
        what: &'static str,
        /// Why not.
        why: String,
    },
    /// They do not belong together.
    #[error("the private key is not that of the certificate")]
    WrongKey,
    /// Whoever trusts the authorities would not trust it.
    #[error("the certificate is not good for {name}: {why}")]
    NotGood {
        /// The name of the server.
        name: String,
        /// Why not.
        why: String,
    },
    /// Making one failed.
    #[error("making a certificate")]
    Making(#[from] rcgen::Error),
}

/// A certificate with its key, and who vouches for it, all in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Material {
    /// The server's certificate, and those between it and the authority.
    pub certificate: String,
    /// Its private key.
    pub key: String,
    /// The authorities that may vouch for it.
    pub authorities: String,
}

/// A certificate that can be served.
#[derive(Clone)]
pub struct Served {
    /// For TLS.
    pub key: Arc<CertifiedKey>,
    /// From when it is valid.
    pub begins: Timestamp,
    /// Until when.
    pub expires: Timestamp,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn unreadable(what: &'static str) -> impl Fn(String) -> CertificateError {
    move |why| CertificateError::Unreadable { what, why }
}

/// Reads a certificate and its key.
///
/// # Errors
/// Where they are none, or do not belong together.
pub fn read(certificate: &[u8], key: &[u8]) -> Result<Served, CertificateError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable("the certificate")(error.to_string()))?;
    let first = chain.first().ok_or_else(|| unreadable("the certificate")("there is none".to_owned()))?;
    let (begins, expires) = span(first).map_err(unreadable("the certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| unreadable("the private key")(error.to_string()))?;
    let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => CertificateError::WrongKey,
        other => unreadable("the private key")(other.to_string()),
    })?;
    Ok(Served { key: Arc::new(key), begins, expires })
}

/// From when until when a certificate is valid.
pub(super) fn span(certificate: &CertificateDer<'_>) -> Result<(Timestamp, Timestamp), String> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    let at =
        |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).map_err(|error| error.to_string());
    Ok((at(parsed.validity().not_before)?, at(parsed.validity().not_after)?))
}

/// Whether an authority was made by this implementation.
pub(super) fn is_ours(certificate: &CertificateDer<'_>) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return false };
    let organisation = parsed.subject().iter_organization().any(|it| it.as_str() == Ok(ORGANISATION));
    let name = parsed.subject().iter_common_name().any(|it| it.as_str() == Ok(AUTHORITY));
    organisation && name
}

impl Material {
    /// Reads it, and checks that whoever trusts its authorities trusts it as the server of this name now.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, name: &str, now: Timestamp) -> Result<Served, CertificateError> {
        let served = read(self.certificate.as_bytes(), self.key.as_bytes())?;
        self.vouches_for(&served, name, now)?;
        Ok(served)
    }

    fn vouches_for(&self, served: &Served, name: &str, now: Timestamp) -> Result<(), CertificateError> {
        let not_good = |why: String| CertificateError::NotGood { name: name.to_owned(), why };
        let mut roots = rustls::RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(self.authorities.as_bytes()) {
            let authority = authority.map_err(|error| unreadable("the authority")(error.to_string()))?;
            roots.add(authority).map_err(|error| unreadable("the authority")(error.to_string()))?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| not_good(error.to_string()))?;
        let server = ServerName::try_from(name.to_owned()).map_err(|error| not_good(error.to_string()))?;
        let (first, others) =
            served.key.cert.split_first().ok_or_else(|| not_good("there is no certificate".to_owned()))?;
        let since = u64::try_from(now.as_second()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(since));
        let trusted = verifier.verify_server_cert(first, others, &server, &[], now);
        trusted.map(drop).map_err(|error| not_good(error.to_string()))
    }

    /// A new certificate for a server of these names, and a new authority.
    ///
    /// # Errors
    /// When a name is none.
    pub fn make(names: &[String], validity: Duration, now: Timestamp) -> Result<Self, CertificateError> {
        let since = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or_default());
        let epoch = date_time_ymd(1970, 1, 1);
        let (begins, expires) = (epoch + since.saturating_sub(EARLIER), epoch + since + validity);

        let mut authority = CertificateParams::default();
        authority.distinguished_name = DistinguishedName::new();
        authority.distinguished_name.push(DnType::CommonName, AUTHORITY);
        authority.distinguished_name.push(DnType::OrganizationName, ORGANISATION);
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (authority.not_before, authority.not_after) = (begins, expires);
        let authority_key = KeyPair::generate()?;
        let authorities = authority.self_signed(&authority_key)?.pem();

        let mut server = CertificateParams::new(names.to_vec())?;
        server.distinguished_name = DistinguishedName::new();
        server.distinguished_name.push(DnType::CommonName, names.first().map_or(AUTHORITY, String::as_str));
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        (server.not_before, server.not_after) = (begins, expires);
        let key = KeyPair::generate()?;
        let certificate = server.signed_by(&key, &Issuer::new(authority, authority_key))?.pem();
        Ok(Self { certificate, key: key.serialize_pem(), authorities })
    }
}

impl Served {
    /// When the next one is to be made: after a third of its time, or of the time that is wanted now where that is shorter.
    pub fn renewal(&self, validity: Duration) -> Timestamp {
        let made = self.begins.saturating_add(EARLIER).unwrap_or(self.begins);
        let own = Duration::try_from(self.expires.duration_since(made)).unwrap_or_default();
        made.saturating_add(own.min(validity) / 3).unwrap_or(self.expires)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NAME: &str = "jaas-webhook.jaas-system.svc";
    const YEAR: Duration = Duration::from_secs(8760 * 3600);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn made() -> Material {
        Material::make(&[NAME.to_owned(), format!("{NAME}.cluster.local")], YEAR, at(0)).unwrap()
    }

    #[test]
    fn what_is_made_is_good_for_its_names_and_its_time() {
        let material = made();
        for name in [NAME, "jaas-webhook.jaas-system.svc.cluster.local"] {
            material.check(name, at(0)).unwrap();
        }
        let served = material.check(NAME, at(1)).unwrap();
        assert_eq!((served.begins, served.expires), (at(-60), at(8760 * 3600)));
        assert_eq!(served.renewal(YEAR), at(8760 * 1200));
        assert_eq!(
            served.renewal(Duration::from_secs(3600)),
            at(1200),
            "what is wanted now counts where it is shorter"
        );
        assert!(material.check("other.jaas-system.svc", at(0)).is_err());
        assert!(material.check(NAME, at(-61)).is_err());
        assert!(material.check(NAME, at(8760 * 3600 + 1)).is_err());
    }

    #[test]
    fn every_one_is_another() {
        let (one, other) = (made(), made());
        assert_ne!(one.key, other.key);
        assert_ne!(one.authorities, other.authorities);
        let crossed = Material { authorities: other.authorities.clone(), ..one.clone() };
        assert!(matches!(crossed.check(NAME, at(0)), Err(CertificateError::NotGood { .. })));
        let mixed = Material { key: other.key.clone(), ..one.clone() };
        assert!(matches!(mixed.check(NAME, at(0)), Err(CertificateError::WrongKey)));
        let both = Material { authorities: format!("{}{}", other.authorities, one.authorities), ..one };
        assert!(both.check(NAME, at(0)).is_ok());
    }

    #[test]
    fn damage_is_told_by_its_part() {
        let material = made();
        let told = |material: &Material| material.check(NAME, at(0)).map(drop).unwrap_err().to_string();
        let cut = Material { certificate: material.certificate[..200].to_owned(), ..material.clone() };
        assert!(told(&cut).starts_with("the certificate cannot be read"), "{}", told(&cut));
        let empty = Material { key: String::new(), ..material.clone() };
        assert!(told(&empty).starts_with("the private key cannot be read"), "{}", told(&empty));
        let alone = Material { authorities: String::new(), ..material };
        assert!(told(&alone).starts_with("the certificate is not good for"), "{}", told(&alone));
    }
}
