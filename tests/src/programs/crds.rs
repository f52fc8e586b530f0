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

const PROMETHEUS_OPERATOR: &str = "github.com/prometheus-operator/prometheus-operator";
const CERT_MANAGER: &str = "github.com/cert-manager/cert-manager";

/// Of each file the folder inside its module.
const FOR_CHART: [(&str, &str, &str, &str); 4] = [
    (
        "chart-crds",
        PROMETHEUS_OPERATOR,
        "example/prometheus-operator-crd",
        "monitoring.coreos.com_prometheusrules.yaml",
    ),
    (
        "chart-crds",
        PROMETHEUS_OPERATOR,
        "example/prometheus-operator-crd",
        "monitoring.coreos.com_servicemonitors.yaml",
    ),
    ("chart-crds", CERT_MANAGER, "deploy/crds", "cert-manager.io_certificates.yaml"),
    ("chart-crds", CERT_MANAGER, "deploy/crds", "cert-manager.io_issuers.yaml"),
];

/// A directory with one file for each definition of Flux.
pub(super) fn ensure(cache: &Cache, go: &Go) -> Result<PathBuf> {
    let files = DEFINITIONS
        .iter()
        .flat_map(|(folder, module, files)| files.iter().map(|file| (*folder, *module, "config/crd/bases", *file)));
    let version = catalog::pinned_version("flux-crds", SOURCE_CONTROLLER)?;
    copied(cache, go, "flux-crds", &version, &files.collect::<Vec<_>>())
}

/// A directory with one file for each definition of what a chart's objects may be besides.
pub(super) fn for_chart(cache: &Cache, go: &Go) -> Result<PathBuf> {
    let version = catalog::pinned_version("chart-crds", PROMETHEUS_OPERATOR)?;
    copied(cache, go, "chart-crds", &version, &FOR_CHART)
}

fn copied(cache: &Cache, go: &Go, name: &str, version: &str, files: &[(&str, &str, &str, &str)]) -> Result<PathBuf> {
    let mut folders: Vec<_> = files.iter().map(|(folder, ..)| *folder).collect();
    folders.dedup();
    let names: Vec<_> = files.iter().map(|(.., file)| *file).collect();
    let key = catalog::key(&folders, &names, go)?;
    let wanted = Entry { name, version, key: &key, first_time: "10 s" };
    cache.entry(&wanted, |directory, progress| {
        for (folder, module, inside, file) in files {
            let path = go.module(folder, module, progress)?.join(inside).join(file);
            // Files of the module cache are read-only and a copy would be, too.
            let text = fs::read(&path).with_context(|| format!("reading {file} of {module}"))?;
            fs::write(directory.join(file), text).with_context(|| format!("writing {file}"))?;
        }
        Ok(())
    })
}
