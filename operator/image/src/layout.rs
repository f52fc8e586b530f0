//! The image as an OCI image layout: <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md>.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use oci_spec::image::{
    Arch, ConfigBuilder, Descriptor, DescriptorBuilder, ImageConfigurationBuilder, ImageIndexBuilder,
    ImageManifestBuilder, MediaType, OciLayoutBuilder, Os, PlatformBuilder, RootFsBuilder, Sha256Digest,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::layer::Layer;
use crate::{PROGRAM, USER};

/// What an image is called, beside its digest.
#[derive(Clone, Debug)]
pub struct Labels {
    /// Version of the operator.
    pub version: String,
    /// Commit that it was made of, where that is known.
    pub revision: Option<String>,
}

/// Writes the layout into an empty or missing folder and answers the digest of the manifest, `sha256:…`.
///
/// # Errors
/// When the folder holds something, or cannot be written.
pub fn write(folder: &Path, layer: &Layer, labels: &Labels) -> Result<String> {
    let blobs = folder.join("blobs/sha256");
    let taken = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    anyhow::ensure!(!taken, "{} is not empty; remove it or name another folder with --out", folder.display());
    fs::create_dir_all(&blobs).with_context(|| format!("making {}", blobs.display()))?;

    let stored = blob(&blobs, MediaType::ImageLayerGzip, &layer.compressed)?;
    let config = blob(&blobs, MediaType::ImageConfig, &sorted(&configuration(layer, labels)?)?)?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers(vec![stored])
        .build()?;
    let mut manifest = blob(&blobs, MediaType::ImageManifest, &serde_json::to_vec(&manifest)?)?;
    let digest = manifest.digest().to_string();
    manifest.set_platform(Some(PlatformBuilder::default().os(Os::Linux).architecture(Arch::Amd64).build()?));
    let index = ImageIndexBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageIndex)
        .manifests(vec![manifest])
        .build()?;
    put(&folder.join("index.json"), &serde_json::to_vec(&index)?)?;
    let marker = OciLayoutBuilder::default().image_layout_version("1.0.0").build()?;
    put(&folder.join("oci-layout"), &serde_json::to_vec(&marker)?)?;
    Ok(digest)
}

/// How the program is run. No time: it would differ with each build.
fn configuration(layer: &Layer, labels: &Labels) -> Result<oci_spec::image::ImageConfiguration> {
    let mut annotations = std::collections::HashMap::from([
        ("org.opencontainers.image.title".to_owned(), "jaas-operator".to_owned()),
        ("org.opencontainers.image.version".to_owned(), labels.version.clone()),
    ]);
    if let Some(revision) = &labels.revision {
        annotations.insert("org.opencontainers.image.revision".to_owned(), revision.clone());
    }
    let config = ConfigBuilder::default()
        .user(format!("{USER}:{USER}"))
        .entrypoint(vec![format!("/{PROGRAM}")])
        .working_dir("/")
        .env(vec!["PATH=/usr/bin".to_owned()])
        .build()?;
    let root = RootFsBuilder::default().typ("layers").diff_ids(vec![format!("sha256:{}", layer.diff_id)]).build()?;
    let mut configuration = ImageConfigurationBuilder::default()
        .architecture(Arch::Amd64)
        .os(Os::Linux)
        .config(config)
        .rootfs(root)
        .history(Vec::new())
        .build()?;
    let mut config = configuration.config().clone().unwrap_or_default();
    config.set_labels(Some(annotations));
    configuration.set_config(Some(config));
    Ok(configuration)
}

/// The JSON with its labels by name. The library keeps them in a map whose order is another one in each map.
fn sorted(configuration: &oci_spec::image::ImageConfiguration) -> Result<Vec<u8>> {
    let mut document = serde_json::to_value(configuration)?;
    if let Some(Value::Object(labels)) = document.pointer_mut("/config/Labels") {
        let by_name: BTreeMap<_, _> = std::mem::take(labels).into_iter().collect();
        labels.extend(by_name);
    }
    Ok(serde_json::to_vec(&document)?)
}

fn blob(blobs: &Path, media_type: MediaType, bytes: &[u8]) -> Result<Descriptor> {
    let digest = hex::encode(Sha256::digest(bytes));
    put(&blobs.join(&digest), bytes)?;
    let size: u64 = bytes.len().try_into()?;
    let digest: Sha256Digest = digest.parse()?;
    Ok(DescriptorBuilder::default().media_type(media_type).size(size).digest(digest).build()?)
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn labels_have_one_order() {
        let layer = Layer { compressed: Vec::new(), diff_id: "0".repeat(64) };
        let labels = Labels { version: "1".to_owned(), revision: Some("abc".to_owned()) };
        let written: BTreeSet<_> = (0..64).map(|_| sorted(&configuration(&layer, &labels).unwrap()).unwrap()).collect();
        assert_eq!(written.len(), 1);
    }
}
