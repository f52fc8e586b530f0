//! The files of the image.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use crate::libraries::Library;
use crate::{PROGRAM, USER};

/// Where programs look for certificate authorities on Debian and its kin, which is where rustls looks first.
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";
/// Characters of a line of PEM (RFC 7468, section 2).
const PEM_LINE: usize = 64;

/// A file: what is in it, and whether it is a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its content.
    pub content: Vec<u8>,
    /// Whether it may be run.
    pub executable: bool,
}

/// All files by their paths, which have no slash in front.
pub type Root = BTreeMap<String, File>;

/// Gathers everything around a compiled operator.
///
/// # Errors
/// When it cannot be read, or cannot be run to print its definitions.
pub fn gather(operator: &Path, libraries: &[Library]) -> Result<Root> {
    let data = |content: String| File { content: content.into_bytes(), executable: false };
    let mut root = Root::from([
        ("etc/passwd".to_owned(), data(format!("jaas:x:{USER}:{USER}:jaas:/:/sbin/nologin\n"))),
        ("etc/group".to_owned(), data(format!("jaas:x:{USER}:\n"))),
        ("etc/nsswitch.conf".to_owned(), data("hosts: files dns\n".to_owned())),
        (AUTHORITIES.to_owned(), data(authorities()?)),
        ("crds/crds.yaml".to_owned(), data(definitions(operator)?)),
    ]);
    for library in libraries {
        let content = library.content.clone();
        root.insert(library.path.trim_start_matches('/').to_owned(), File { content, executable: true });
    }
    let content = std::fs::read(operator).with_context(|| format!("reading {}", operator.display()))?;
    root.insert(PROGRAM.to_owned(), File { content, executable: true });
    Ok(root)
}

/// Folders that are empty in the image: where the kernel and Pods mount theirs.
pub const FOLDERS: [&str; 5] = ["dev", "proc", "sys", "tmp", "var/lib/jaas"];

/// The authorities that Mozilla trusts, one PEM block each.
fn authorities() -> Result<String> {
    let mut text = String::new();
    for certificate in TLS_SERVER_ROOT_CERTS {
        let encoded = STANDARD.encode(certificate);
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in encoded.as_bytes().chunks(PEM_LINE) {
            writeln!(text, "{}", std::str::from_utf8(line)?)?;
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    Ok(text)
}

fn definitions(operator: &Path) -> Result<String> {
    let output = Command::new(operator).args(["generate", "crds"]).output();
    let output = output.with_context(|| format!("running {} generate crds", operator.display()))?;
    ensure!(
        output.status.success(),
        "{} generate crds ended with {}: {}",
        operator.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_authorities_are_pem_with_short_lines() {
        let text = authorities().unwrap();
        assert_eq!(text.matches("-----BEGIN CERTIFICATE-----\n").count(), TLS_SERVER_ROOT_CERTS.len());
        assert!(TLS_SERVER_ROOT_CERTS.len() > 50);
        assert!(text.lines().all(|line| line.len() <= PEM_LINE));
    }
}
