//! The real programs that tests and demo run against: etcd, Kubernetes, Flux's kustomize-controller.
//!
//! They are built from the pinned Go modules beside this crate into a cache outside the tree. The key covers all that
//! decides the result, so whatever is in the cache is right, and a second run finds everything without starting Go.

mod cache;
mod catalog;
mod crds;
mod go;
pub mod packages;
mod progress;

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::environment;
use cache::{Cache, Entry};
use catalog::Recipe;
use go::Go;

/// Where each program is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Programs {
    /// etcd.
    pub etcd: PathBuf,
    /// The API server.
    pub kube_apiserver: PathBuf,
    /// The controller manager.
    pub kube_controller_manager: PathBuf,
    /// kubectl.
    pub kubectl: PathBuf,
    /// Flux's kustomize-controller.
    pub kustomize_controller: PathBuf,
    /// A directory with one YAML file for each custom resource definition of Flux.
    pub flux_crds: PathBuf,
}

impl Programs {
    /// The programs that the runner found or built.
    ///
    /// # Errors
    /// When the tests were not started by the runner.
    pub fn from_env() -> Result<Self> {
        let json = environment::value(environment::PROGRAMS)?;
        serde_json::from_str(&json).with_context(|| format!("reading {}", environment::PROGRAMS))
    }

    /// Builds what is missing, telling progress on standard error.
    ///
    /// etcd, kube-apiserver and kubectl are taken from `KUBEBUILDER_ASSETS` when that is set.
    ///
    /// # Errors
    /// When Go is missing or too old, or a build fails.
    pub fn ensure() -> Result<Self> {
        let go = Go::find()?;
        let cache = Cache::open()?;
        Ok(Self {
            etcd: assets_or(&cache, &go, &catalog::ETCD)?,
            kube_apiserver: assets_or(&cache, &go, &catalog::KUBE_APISERVER)?,
            kube_controller_manager: build(&cache, &go, &catalog::KUBE_CONTROLLER_MANAGER)?,
            kubectl: assets_or(&cache, &go, &catalog::KUBECTL)?,
            kustomize_controller: build(&cache, &go, &catalog::KUSTOMIZE_CONTROLLER)?,
            flux_crds: crds::ensure(&cache, &go)?,
        })
    }

    /// The form in which the runner hands them on.
    ///
    /// # Errors
    /// When a path is not Unicode.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).context("writing the paths of the programs")
    }
}

/// An S3 server, built when it is missing. Only some tests need one, so it is not among the others.
///
/// # Errors
/// As [`Programs::ensure`].
pub fn versitygw() -> Result<PathBuf> {
    build(&Cache::open()?, &Go::find()?, &catalog::VERSITYGW)
}

/// Another S3 server; see [`versitygw`].
///
/// # Errors
/// As [`Programs::ensure`].
pub fn minio() -> Result<PathBuf> {
    build(&Cache::open()?, &Go::find()?, &catalog::MINIO)
}

/// Helm, built when it is missing. Only the tests of the chart need it.
///
/// # Errors
/// As [`Programs::ensure`].
pub fn helm() -> Result<PathBuf> {
    build(&Cache::open()?, &Go::find()?, &catalog::HELM)
}

/// Helm of the major version before; see [`helm`].
///
/// # Errors
/// As [`Programs::ensure`].
pub fn helm_3() -> Result<PathBuf> {
    build(&Cache::open()?, &Go::find()?, &catalog::HELM_3)
}

/// promtool, built when it is missing. Only the tests of the alerts need it.
///
/// # Errors
/// As [`Programs::ensure`].
pub fn promtool() -> Result<PathBuf> {
    build(&Cache::open()?, &Go::find()?, &catalog::PROMTOOL)
}

/// A directory with the definitions of other software that the chart makes objects of.
///
/// # Errors
/// As [`Programs::ensure`].
pub fn chart_crds() -> Result<PathBuf> {
    crds::for_chart(&Cache::open()?, &Go::find()?)
}

/// The program that evaluates with go-jsonnet, built when it is missing; see [`crate::jsonnet`].
///
/// # Errors
/// As [`Programs::ensure`].
pub fn go_jsonnet() -> Result<PathBuf> {
    build(&Cache::open()?, &Go::find()?, &catalog::JSONNET)
}

/// The source of go-jsonnet in the module cache of Go, which holds its test data.
///
/// # Errors
/// As [`Programs::ensure`].
pub fn go_jsonnet_source() -> Result<PathBuf> {
    module("jsonnet", catalog::GO_JSONNET)
}

/// A module that carries a mixin, in the module cache of Go.
///
/// # Errors
/// As [`Programs::ensure`].
pub fn mixin(module_path: &str) -> Result<PathBuf> {
    module("mixins", module_path)
}

fn module(folder: &str, module: &str) -> Result<PathBuf> {
    let progress = progress::Progress::start(format!("finding the Go module {module}"));
    let found = Go::find().and_then(|go| go.module(folder, module, &progress));
    match &found {
        Ok(_) => progress.done(&format!("found {module}")),
        Err(_) => progress.failed(&format!("finding {module}")),
    }
    found
}

fn assets_or(cache: &Cache, go: &Go, recipe: &Recipe) -> Result<PathBuf> {
    let Some(assets) = env::var_os("KUBEBUILDER_ASSETS") else {
        return build(cache, go, recipe);
    };
    let program = PathBuf::from(assets).join(recipe.name);
    ensure!(
        program.is_file(),
        "KUBEBUILDER_ASSETS is set, but {} is not there: put it there or unset the variable",
        program.display()
    );
    Ok(program)
}

fn build(cache: &Cache, go: &Go, recipe: &Recipe) -> Result<PathBuf> {
    let version = recipe.version()?;
    let wanted =
        Entry { name: recipe.name, version: &version, key: &recipe.key(&version, go)?, first_time: recipe.first_time };
    let directory = cache
        .entry(&wanted, |directory, progress| go.build(recipe, &version, &directory.join(recipe.name), progress))?;
    Ok(directory.join(recipe.name))
}
