//! Flux's custom resource definitions, which its Go modules carry as files.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::cache::{Cache, Entry};
use super::catalog;
use super::go::Go;

const SOURCE_CONTROLLER: &str = "github.com/fluxcd/source-controller";
const KUSTOMIZE_CONTROLLER: &str = "github.com/fluxcd/kustomize-controller";

/// Folder of ours, module, and the definitions taken from it.
const DEFINITIONS: [(&str, &str, &[&str]); 2] = [
    (
        "flux-crds",
        SOURCE_CONTROLLER,
        &[
            "source.toolkit.fluxcd.io_externalartifacts.yaml",
            "source.toolkit.fluxcd.io_gitrepositories.yaml",
            "source.toolkit.fluxcd.io_ocirepositories.yaml",
            "source.toolkit.fluxcd.io_buckets.yaml",
        ],
    ),
    ("kustomize-controller", KUSTOMIZE_CONTROLLER, &["kustomize.toolkit.fluxcd.io_kustomizations.yaml"]),
];

/// A directory with one file for each definition.
pub(super) fn ensure(cache: &Cache, go: &Go) -> Result<PathBuf> {
    let version = catalog::pinned_version("flux-crds", SOURCE_CONTROLLER)?;
    let folders = DEFINITIONS.map(|(folder, _, _)| folder);
    let files: Vec<&str> = DEFINITIONS.iter().flat_map(|(_, _, files)| files.iter().copied()).collect();
    let key = catalog::key(&folders, &files, go)?;
    let wanted = Entry { name: "flux-crds", version: &version, key: &key, first_time: "10 s" };
    cache.entry(&wanted, |directory, progress| {
        for (folder, module, files) in DEFINITIONS {
            let bases = go.module(folder, module, progress)?.join("config/crd/bases");
            for file in files {
                // Files of the module cache are read-only and a copy would be, too.
                let text = fs::read(bases.join(file)).with_context(|| format!("reading {file} of {module}"))?;
                fs::write(directory.join(file), text).with_context(|| format!("writing {file}"))?;
            }
        }
        Ok(())
    })
}
