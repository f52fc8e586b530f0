//! Kubeconfig files and connection flags in, client configuration out.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use kube::Config;
use kube::config::{
    AuthInfo, Cluster, Context, KubeConfigOptions, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext,
};
use serde_json::{Value, json};

use super::error::first_line;
use super::{Destination, Error, proxy};
use crate::cli::Connection;

/// Name of the entries that the flags and the chosen entries are folded into.
const RESOLVED: &str = "resolved";

/// The configuration that flags and files describe together.
///
/// # Errors
/// What is missing or wrong in the files or flags.
pub(super) async fn load(connection: &Connection) -> Result<(Config, Destination), Error> {
    let Some(kubeconfig) = read(connection)? else {
        return in_cluster(connection);
    };
    let (kubeconfig, context) = resolve(kubeconfig, connection)?;
    let explicit_proxy = proxy_url(&kubeconfig);
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(unusable)?;
    config.proxy_url = proxy::choose(&config.cluster_url, explicit_proxy.as_deref(), |name| std::env::var(name).ok())?;
    let destination = Destination { context, server: address(&config) };
    Ok((config, destination))
}

/// The files that hold, merged; `None` when there is none and nothing says that there should be.
fn read(connection: &Connection) -> Result<Option<Kubeconfig>, Error> {
    if let Some(file) = &connection.kubeconfig {
        return read_file(file).map(Some);
    }
    let named = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
    let looked: Vec<PathBuf> = match &named {
        Some(value) => std::env::split_paths(value).filter(|path| !path.as_os_str().is_empty()).collect(),
        None => std::env::home_dir().map(|home| home.join(".kube").join("config")).into_iter().collect(),
    };
    let existing: Vec<_> = looked.iter().filter(|path| path.exists()).collect();
    if existing.is_empty() {
        return match (&connection.server, named) {
            (Some(_), _) => Ok(Some(Kubeconfig::default())),
            (None, None) if in_pod() => Ok(None),
            (None, _) => Err(Error::NoKubeconfig { looked }),
        };
    }
    existing
        .into_iter()
        .try_fold(Kubeconfig::default(), |merged, path| merged.merge(read_file(path)?).map_err(unusable))
        .map(Some)
}

fn read_file(path: &Path) -> Result<Kubeconfig, Error> {
    Kubeconfig::read_from(path).map_err(unusable)
}

fn unusable(error: kube::config::KubeconfigError) -> Error {
    Error::Kubeconfig { cause: first_line(&error.to_string()) }
}

fn in_pod() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

/// The ServiceAccount of the Pod that this program runs in.
fn in_cluster(connection: &Connection) -> Result<(Config, Destination), Error> {
    let mut config =
        Config::incluster().map_err(|error| Error::Kubeconfig { cause: first_line(&error.to_string()) })?;
    if let Some(namespace) = &connection.namespace {
        config.default_namespace = namespace.clone();
    }
    config.auth_info.impersonate = connection.impersonate.clone();
    config.auth_info.impersonate_uid = connection.impersonate_uid.clone();
    config.auth_info.impersonate_groups = groups(connection);
    config.auth_info.impersonate_user_extra = extra(connection);
    let destination = Destination { context: String::new(), server: address(&config) };
    Ok((config, destination))
}

fn address(config: &Config) -> String {
    config.cluster_url.to_string().trim_end_matches('/').to_owned()
}

/// Folds the chosen entries and the flags into one context, so that nothing else of the files can take effect.
/// Also returns the name of the context that was chosen.
fn resolve(kubeconfig: Kubeconfig, connection: &Connection) -> Result<(Kubeconfig, String), Error> {
    let chosen = connection.context.clone().or_else(|| kubeconfig.current_context.clone().filter(|it| !it.is_empty()));
    let mut context = match &chosen {
        Some(name) => find("context", name, &kubeconfig.contexts, |it| (&it.name, &it.context))?,
        None if connection.server.is_some() || connection.cluster.is_some() => Context::default(),
        None => {
            return Err(Error::NoContext { known: kubeconfig.contexts.into_iter().map(|it| it.name).collect() });
        }
    };
    let cluster_name = connection.cluster.as_ref().unwrap_or(&context.cluster);
    let mut cluster = match cluster_name.as_str() {
        "" => Cluster::default(),
        name => find("cluster", name, &kubeconfig.clusters, |it| (&it.name, &it.cluster))?,
    };
    let user_name = connection.user.as_ref().or(context.user.as_ref()).filter(|name| !name.is_empty());
    let mut user = match user_name {
        Some(name) => find("user", name, &kubeconfig.auth_infos, |it| (&it.name, &it.auth_info))?,
        None => AuthInfo::default(),
    };
    apply_to_cluster(&mut cluster, connection)?;
    apply_to_user(&mut user, connection);
    context.cluster = RESOLVED.to_owned();
    context.user = Some(RESOLVED.to_owned());
    context.namespace = connection.namespace.clone().or(context.namespace).filter(|name| !name.is_empty());
    let resolved = Kubeconfig {
        current_context: Some(RESOLVED.to_owned()),
        contexts: vec![NamedContext { name: RESOLVED.to_owned(), context: Some(context), ..Default::default() }],
        clusters: vec![NamedCluster { name: RESOLVED.to_owned(), cluster: Some(cluster), ..Default::default() }],
        auth_infos: vec![NamedAuthInfo { name: RESOLVED.to_owned(), auth_info: Some(user), ..Default::default() }],
        ..Default::default()
    };
    Ok((resolved, chosen.unwrap_or_default()))
}

fn find<N, T: Clone>(
    what: &'static str,
    name: &str,
    entries: &[N],
    parts: impl Fn(&N) -> (&String, &Option<T>),
) -> Result<T, Error> {
    let found = entries.iter().map(&parts).find(|(key, _)| *key == name);
    found.and_then(|(_, value)| value.clone()).ok_or_else(|| Error::Unknown {
        what,
        name: name.to_owned(),
        known: entries.iter().map(|entry| parts(entry).0.clone()).collect(),
    })
}

fn apply_to_cluster(cluster: &mut Cluster, connection: &Connection) -> Result<(), Error> {
    if let Some(server) = &connection.server {
        let url = if server.contains("://") { server.clone() } else { format!("https://{server}") };
        url.parse::<http::Uri>().map_err(|_| Error::Address { place: "--server", value: server.clone() })?;
        cluster.server = Some(url);
    }
    if let Some(name) = &connection.tls_server_name {
        cluster.tls_server_name = Some(name.clone());
    }
    if let Some(file) = &connection.certificate_authority {
        cluster.certificate_authority = Some(file.display().to_string());
        cluster.certificate_authority_data = None;
    }
    if let Some(insecure) = connection.insecure_skip_tls_verify {
        cluster.insecure_skip_tls_verify = Some(insecure);
    }
    Ok(())
}

fn apply_to_user(user: &mut AuthInfo, connection: &Connection) {
    if let Some(token) = &connection.token {
        // The type of a secret belongs to a crate that only kube uses; going through JSON avoids naming it.
        user.token = serde_json::from_value::<AuthInfo>(json!({ "token": token })).ok().and_then(|it| it.token);
        user.exec = None;
        user.auth_provider = None;
        user.username = None;
    }
    if connection.username.is_some() || connection.password.is_some() {
        let word = |own: &Option<String>| own.clone().map_or(Value::Null, Value::from);
        let given = json!({ "username": word(&connection.username), "password": word(&connection.password) });
        let given = serde_json::from_value::<AuthInfo>(given).unwrap_or_default();
        user.username = given.username.or(user.username.take());
        user.password = given.password.or(user.password.take());
        user.token = None;
        user.exec = None;
        user.auth_provider = None;
    }
    if let Some(file) = &connection.client_certificate {
        user.client_certificate = Some(file.display().to_string());
        user.client_certificate_data = None;
    }
    if let Some(file) = &connection.client_key {
        user.client_key = Some(file.display().to_string());
        user.client_key_data = None;
    }
    user.impersonate = connection.impersonate.clone().or(user.impersonate.take());
    user.impersonate_uid = connection.impersonate_uid.clone().or(user.impersonate_uid.take());
    user.impersonate_groups = groups(connection).or(user.impersonate_groups.take());
    user.impersonate_user_extra = extra(connection).or(user.impersonate_user_extra.take());
}

fn extra(connection: &Connection) -> Option<HashMap<String, Vec<String>>> {
    let mut extra: HashMap<_, Vec<_>> = HashMap::new();
    for (key, value) in &connection.impersonate_extra {
        extra.entry(key.clone()).or_default().push(value.clone());
    }
    (!extra.is_empty()).then_some(extra)
}

fn groups(connection: &Connection) -> Option<Vec<String>> {
    (!connection.impersonate_groups.is_empty()).then(|| connection.impersonate_groups.clone())
}

fn proxy_url(kubeconfig: &Kubeconfig) -> Option<String> {
    kubeconfig.clusters.first()?.cluster.as_ref()?.proxy_url.clone().filter(|url| !url.is_empty())
}

#[cfg(test)]
#[path = "kubeconfig_tests.rs"]
mod tests;
