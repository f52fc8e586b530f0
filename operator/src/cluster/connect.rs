//! Finds the API server.

use std::path::Path;
use std::time::Duration;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

/// Longest that a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the API server could not be found.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The named kubeconfig is no good.
    #[error("reading kubeconfig `{path}`; check --kubeconfig")]
    Kubeconfig {
        /// The file.
        path: String,
        /// What is wrong with it.
        #[source]
        source: kube::config::KubeconfigError,
    },
    /// Neither a kubeconfig nor a pod's account.
    #[error("finding an API server: set KUBECONFIG or --kubeconfig, or run in a pod with a ServiceAccount")]
    Infer(#[source] kube::config::InferConfigError),
}

/// The configuration of a client: from the named file, else `KUBECONFIG`, the default path, the pod's own account.
///
/// # Errors
/// [`ConnectError`]; nothing is sent yet.
pub async fn load(kubeconfig: Option<&Path>) -> Result<Config, ConnectError> {
    let mut config = match kubeconfig {
        None => Config::infer().await.map_err(ConnectError::Infer)?,
        Some(path) => {
            let failed = |source| ConnectError::Kubeconfig { path: path.display().to_string(), source };
            let file = Kubeconfig::read_from(path).map_err(failed)?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.map_err(failed)?
        }
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // The controller backs off by itself and by object; the client's own retries would hide minutes from it.
    config.default_retry = false;
    Ok(config)
}
