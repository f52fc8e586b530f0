//! The certificates of one control plane: an authority, the API server's own, and one for each identity.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

/// The certificate authority, which exists only in memory.
pub(super) struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its private key, in PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// The files that the API server and the controller manager are given.
pub(super) struct Files {
    pub(super) authority: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    /// What the API server shows to a kubelet.
    pub(super) kubelet_client_certificate: PathBuf,
    pub(super) kubelet_client_key: PathBuf,
    /// Signs the tokens of service accounts.
    pub(super) token_key: PathBuf,
    /// Verifies them. Kubernetes reads a public key from PKCS#8 PEM only for RSA, so it is written out.
    pub(super) token_public_key: PathBuf,
}

impl Authority {
    pub(super) fn new() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject("jaas-tests", &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().context("making the authority's key")?;
        let certificate = params.self_signed(&key).context("signing the authority")?.pem();
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A client certificate; Kubernetes takes the common name as user and each organisation as a group.
    pub(super) fn client(&self, user: &str, groups: &[String]) -> Result<Pair> {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(user, groups)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params).with_context(|| format!("making the certificate of {user}"))
    }

    /// A client certificate that was good once.
    pub(super) fn expired_client(&self, user: &str, groups: &[String]) -> Result<Pair> {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(user, groups)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        self.sign(params).with_context(|| format!("making the certificate of {user}"))
    }

    /// Writes what the servers need.
    pub(super) fn write(&self, directory: &Path) -> Result<Files> {
        fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
        let server = self.server()?;
        let client = self.client("kube-apiserver-kubelet-client", &[])?;
        let token_key = KeyPair::generate().context("making the key for tokens")?;
        let write = |name: &str, text: String| -> Result<PathBuf> {
            let path = directory.join(name);
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
            Ok(path)
        };
        Ok(Files {
            authority: write("ca.crt", self.certificate.clone())?,
            certificate: write("apiserver.crt", server.certificate)?,
            key: write("apiserver.key", server.key)?,
            kubelet_client_certificate: write("kubelet-client.crt", client.certificate)?,
            kubelet_client_key: write("kubelet-client.key", client.key)?,
            token_public_key: write("tokens.pub", token_key.public_key_pem())?,
            token_key: write("tokens.key", token_key.serialize_pem())?,
        })
    }

    fn server(&self) -> Result<Pair> {
        let addresses = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(10, 0, 0, 1)];
        self.named("kube-apiserver", &["localhost", "kubernetes.default.svc"], &addresses)
    }

    /// The certificate of a kubelet on loopback.
    pub(super) fn kubelet(&self, node: &str) -> Result<Pair> {
        self.named(&format!("system:node:{node}"), &[], &[Ipv4Addr::LOCALHOST])
    }

    /// A server's certificate.
    fn named(&self, subject_name: &str, names: &[&str], addresses: &[Ipv4Addr]) -> Result<Pair> {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).with_context(|| format!("naming {subject_name}"))?;
        params.distinguished_name = subject(subject_name, &[])?;
        let addresses = addresses.iter().map(|address| SanType::IpAddress(IpAddr::V4(*address)));
        params.subject_alt_names.extend(addresses);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params).with_context(|| format!("making the certificate of {subject_name}"))
    }

    fn sign(&self, mut params: CertificateParams) -> Result<Pair> {
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// Object identifier of the organisation attribute.
const ORGANISATION: [u64; 4] = [2, 5, 4, 10];

/// The library holds one value for each attribute type, and knows organisations under two of them.
fn subject(name: &str, organisations: &[String]) -> Result<DistinguishedName> {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    let types = [DnType::OrganizationName, DnType::CustomDnType(ORGANISATION.to_vec())];
    ensure!(
        organisations.len() <= types.len(),
        "{name} has {} groups, but a certificate holds {} at most",
        organisations.len(),
        types.len()
    );
    for (kind, organisation) in types.into_iter().zip(organisations) {
        subject.push(kind, organisation.as_str());
    }
    Ok(subject)
}
