//! The volumes of a Pod, as directories, and the variables of its environment.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::{PodSpec, Secret, Volume};
use kube::Api;

use super::{Shared, made};

/// Makes what the container mounts: where it mounts it, and where that really is.
pub(super) async fn mount(shared: &Shared, spec: &PodSpec, uid: &str) -> Result<Vec<(String, PathBuf)>> {
    let mut mounted = Vec::new();
    let mounts = spec.containers.iter().flat_map(|container| container.volume_mounts.iter().flatten());
    for mount in mounts {
        let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name);
        let volume = volume.with_context(|| format!("the Pod has no volume {}", mount.name))?;
        let directory = directory(shared, volume, uid).await?;
        mounted.push((mount.mount_path.trim_end_matches('/').to_owned(), directory));
    }
    Ok(mounted)
}

async fn directory(shared: &Shared, volume: &Volume, uid: &str) -> Result<PathBuf> {
    let own = own(&shared.of_pod(uid), &volume.name);
    // The only projected one is that of the ServiceAccount's token, in whose place the process has a kubeconfig.
    if volume.empty_dir.is_some() || volume.projected.is_some() {
        return made(&own);
    }
    if let Some(claim) = &volume.persistent_volume_claim {
        return made(&shared.claim(&claim.claim_name));
    }
    if let Some(name) = volume.secret.as_ref().and_then(|secret| secret.secret_name.as_deref()) {
        write(&secret(shared, name).await?, &own)?;
        return Ok(own);
    }
    bail!("volume {} is of a kind that is not played here", volume.name)
}

async fn secret(shared: &Shared, name: &str) -> Result<Secret> {
    let secrets: Api<Secret> = Api::namespaced(shared.client.clone(), &shared.namespace);
    secrets.get(name).await.with_context(|| format!("reading Secret {name}"))
}

/// What the container finds in its environment: literal values, and those of Secrets as they are now.
pub(super) async fn environment(shared: &Shared, spec: &PodSpec) -> Result<BTreeMap<String, String>> {
    let mut environment = BTreeMap::new();
    for variable in spec.containers.iter().flat_map(|container| container.env.iter().flatten()) {
        let source = variable.value_from.as_ref().and_then(|source| source.secret_key_ref.as_ref());
        let value = match source {
            Some(source) => {
                let data = secret(shared, &source.name).await?.data.unwrap_or_default();
                let value = data.get(&source.key).with_context(|| format!("{} has no {}", source.name, source.key))?;
                String::from_utf8(value.0.clone()).with_context(|| format!("reading {}", source.key))?
            }
            None => variable.value.clone().unwrap_or_default(),
        };
        environment.insert(variable.name.clone(), value);
    }
    Ok(environment)
}

/// Writes a Secret anew where a Pod mounts it.
pub(super) fn refresh(spec: &PodSpec, secret: &Secret, directory: &Path) -> Result<()> {
    let name = secret.metadata.name.as_deref();
    let is_it = |volume: &&Volume| volume.secret.as_ref().is_some_and(|source| source.secret_name.as_deref() == name);
    spec.volumes.iter().flatten().filter(is_it).try_for_each(|volume| write(secret, &own(directory, &volume.name)))
}

fn own(directory: &Path, volume: &str) -> PathBuf {
    directory.join("volumes").join(volume)
}

/// Each file at once, so that no half of one is ever read.
fn write(secret: &Secret, directory: &Path) -> Result<()> {
    made(directory)?;
    for (key, value) in secret.data.iter().flatten() {
        let (half, whole) = (directory.join(format!(".{key}")), directory.join(key));
        fs::write(&half, &value.0)
            .and_then(|()| fs::rename(&half, &whole))
            .with_context(|| format!("writing {key}"))?;
    }
    Ok(())
}
