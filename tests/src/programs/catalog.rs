//! Which programs there are and what decides their bytes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::go::Go;

/// How one program is built.
pub(super) struct Recipe {
    /// The executable's name.
    pub(super) name: &'static str,
    /// Folder of its Go module.
    pub(super) folder: &'static str,
    /// The module whose version is the program's.
    pub(super) module: &'static str,
    /// The package to build.
    pub(super) package: &'static str,
    /// What to call the time that a build with empty caches takes on two cores.
    pub(super) first_time: &'static str,
    stamp: Stamp,
    /// Build tags, separated by commas.
    pub(super) tags: &'static str,
}

/// Whether the linker writes the version into the program.
enum Stamp {
    None,
    /// Without it the API server calls itself `v0.0.0-master` and clients that compare versions go wrong.
    Kubernetes,
}

pub(super) const ETCD: Recipe = Recipe {
    name: "etcd",
    folder: "etcd",
    module: "go.etcd.io/etcd/server/v3",
    package: "go.etcd.io/etcd/server/v3",
    first_time: "half a minute",
    stamp: Stamp::None,
    tags: "",
};

pub(super) const KUBE_APISERVER: Recipe = Recipe {
    name: "kube-apiserver",
    folder: "kube",
    module: "k8s.io/kubernetes",
    package: "k8s.io/kubernetes/cmd/kube-apiserver",
    first_time: "3 min",
    stamp: Stamp::Kubernetes,
    tags: "",
};

pub(super) const KUBE_CONTROLLER_MANAGER: Recipe = Recipe {
    name: "kube-controller-manager",
    folder: "kube",
    module: "k8s.io/kubernetes",
    package: "k8s.io/kubernetes/cmd/kube-controller-manager",
    first_time: "1 min",
    stamp: Stamp::Kubernetes,
    tags: "",
};

pub(super) const KUBECTL: Recipe = Recipe {
    name: "kubectl",
    folder: "kube",
    module: "k8s.io/kubernetes",
    package: "k8s.io/kubernetes/cmd/kubectl",
    first_time: "20 s",
    stamp: Stamp::Kubernetes,
    tags: "",
};

pub(super) const KUSTOMIZE_CONTROLLER: Recipe = Recipe {
    name: "kustomize-controller",
    folder: "kustomize-controller",
    module: "github.com/fluxcd/kustomize-controller",
    package: "github.com/fluxcd/kustomize-controller",
    first_time: "2 min",
    stamp: Stamp::None,
    tags: "",
};

pub(super) const VERSITYGW: Recipe = Recipe {
    name: "versitygw",
    folder: "versitygw",
    module: "github.com/versity/versitygw",
    package: "github.com/versity/versitygw/cmd/versitygw",
    first_time: "1 min",
    stamp: Stamp::None,
    tags: "",
};

pub(super) const MINIO: Recipe = Recipe {
    name: "minio",
    folder: "minio",
    module: "github.com/minio/minio",
    package: "github.com/minio/minio",
    first_time: "2 min",
    stamp: Stamp::None,
    tags: "",
};

pub(super) const HELM: Recipe = Recipe {
    name: "helm",
    folder: "helm",
    module: "helm.sh/helm/v4",
    package: "helm.sh/helm/v4/cmd/helm",
    first_time: "2 min",
    stamp: Stamp::None,
    tags: "",
};

pub(super) const HELM_3: Recipe = Recipe {
    name: "helm3",
    folder: "helm3",
    module: "helm.sh/helm/v3",
    package: "helm.sh/helm/v3/cmd/helm",
    first_time: "1 min",
    stamp: Stamp::None,
    tags: "",
};

pub(super) const PROMTOOL: Recipe = Recipe {
    name: "promtool",
    folder: "promtool",
    module: "github.com/prometheus/prometheus",
    package: "github.com/prometheus/prometheus/cmd/promtool",
    first_time: "2 min",
    stamp: Stamp::None,
    // Service discovery is most of the program and no rule needs it.
    tags: "remove_all_sd",
};

pub(super) const JSONNET: Recipe = Recipe {
    name: "go-jsonnet",
    folder: "jsonnet",
    module: GO_JSONNET,
    package: ".",
    first_time: "10 s",
    stamp: Stamp::None,
    tags: "",
};

/// The reference implementation of Jsonnet.
pub(super) const GO_JSONNET: &str = "github.com/google/go-jsonnet";

impl Recipe {
    /// The version that the folder pins.
    pub(super) fn version(&self) -> Result<String> {
        pinned_version(self.folder, self.module)
    }

    /// The linker's flags.
    pub(super) fn ldflags(&self, version: &str) -> Result<String> {
        let mut flags = String::from("-s -w");
        if let Stamp::Kubernetes = self.stamp {
            let mut parts = version.trim_start_matches('v').split('.');
            let (Some(major), Some(minor)) = (parts.next(), parts.next()) else {
                anyhow::bail!("{} has the odd version {version}", self.module);
            };
            for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
                flags.push_str(&format!(
                    " -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor} -X {package}.gitTreeState=clean"
                ));
            }
        }
        Ok(flags)
    }

    /// A hash of all that decides the program's bytes.
    pub(super) fn key(&self, version: &str, go: &Go) -> Result<String> {
        let ldflags = self.ldflags(version)?;
        let mut inputs = vec![ldflags.as_str(), self.package];
        // So that a program without tags keeps the key that it has always had.
        inputs.extend(Some(self.tags).filter(|tags| !tags.is_empty()));
        key(&[self.folder], &inputs, go)
    }
}

/// Folder of a pinned Go module.
pub(super) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("controlplane").join(name)
}

/// The version of `module` that the folder's go.mod requires.
pub(super) fn pinned_version(name: &str, module: &str) -> Result<String> {
    let path = folder(name).join("go.mod");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    text.lines()
        .map(|line| line.trim().trim_start_matches("require "))
        .find_map(|line| line.strip_prefix(module)?.strip_prefix(' '))
        .and_then(|rest| rest.split_whitespace().next())
        .map(ToOwned::to_owned)
        .with_context(|| format!("{} requires no {module}", path.display()))
}

/// A short hash over the module files and the sources of `folders`, further `inputs`, and the toolchain.
pub(super) fn key(folders: &[&str], inputs: &[&str], go: &Go) -> Result<String> {
    let mut hash = Sha256::new();
    for name in folders {
        for file in ["go.mod", "go.sum"] {
            let path = folder(name).join(file);
            hash.update(fs::read(&path).with_context(|| format!("reading {}", path.display()))?);
            hash.update([0]);
        }
        // Only a program of our own has a source beside them.
        if let Ok(source) = fs::read(folder(name).join("main.go")) {
            hash.update(source);
        }
    }
    for input in inputs.iter().chain(Go::SETTINGS.map(|(_, value)| value).iter()) {
        hash.update(input);
        hash.update([0]);
    }
    hash.update(go.version());
    Ok(hex::encode(hash.finalize())[..12].to_owned())
}
