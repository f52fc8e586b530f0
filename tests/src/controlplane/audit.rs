//! The API server's audit log.

use std::io::SeekFrom;
use std::path::Path;

use anyhow::{Context, Result};
use tokio::fs;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

const POLICY: &str = "audit-policy.yaml";
const LOG: &str = "audit.log";

/// Writes, with all that was asked and answered: the order of writes to an object is that of the resourceVersions in the answers.
const RULES: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: RequestResponse
  verbs: [create, update, patch, delete]
  resources:
  - group: jaas.metio.wtf
  - group: source.toolkit.fluxcd.io
    resources: [externalartifacts, externalartifacts/status]
  - group: coordination.k8s.io
    resources: [leases]
- level: None
";

/// Writes the policy.
pub(super) fn write_policy(work: &Path) -> Result<()> {
    std::fs::write(work.join(POLICY), RULES).context("writing the audit policy")
}

/// What the API server is told. It notes a write before it answers it.
pub(super) fn arguments(work: &Path) -> [String; 4] {
    let path = |name| work.join(name).display().to_string();
    [
        format!("--audit-policy-file={}", path(POLICY)),
        format!("--audit-log-path={}", path(LOG)),
        "--audit-log-mode=blocking".to_owned(),
        // In megabytes: one file, however long a run is.
        "--audit-log-maxsize=100000".to_owned(),
    ]
}

/// The log from a place on, and the place where it ends now.
pub(super) async fn read(work: &Path, from: u64) -> Result<(String, u64)> {
    let read = async {
        let mut file = fs::File::open(work.join(LOG)).await?;
        file.seek(SeekFrom::Start(from)).await?;
        let mut log = String::new();
        let read = file.read_to_string(&mut log).await?;
        std::io::Result::Ok((log, from + u64::try_from(read).unwrap_or_default()))
    };
    read.await.context("reading the audit log")
}
