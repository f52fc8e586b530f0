//! The chart as Helm renders it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use jaas_tests::programs;
use jaas_tests::runner::root;
use kube::api::DynamicObject;
use serde_json::Value;
use tempfile::TempDir;

/// Name of every release here.
pub(crate) const RELEASE: &str = "jaas";

/// Helm, with folders of its own instead of the user's.
pub(crate) struct Helm {
    program: PathBuf,
    home: TempDir,
}

impl Helm {
    pub(crate) fn new() -> Self {
        Self { program: programs::helm().unwrap(), home: TempDir::new().unwrap() }
    }

    /// The major version before, which many still run.
    pub(crate) fn three() -> Self {
        Self { program: programs::helm_3().unwrap(), home: TempDir::new().unwrap() }
    }

    /// Runs against a cluster.
    pub(crate) fn against(&self, kubeconfig: &Path, args: &[&str]) -> Output {
        self.run(&[&["--kubeconfig", text_of(kubeconfig)], args].concat())
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        for folder in ["CACHE", "CONFIG", "DATA"] {
            command.env(format!("HELM_{folder}_HOME"), self.home.path().join(folder));
        }
        command.args(args).env_remove("KUBECONFIG").stdin(Stdio::null()).output().unwrap()
    }

    /// `helm lint`.
    pub(crate) fn lint(&self, set: &ValueSet) -> Output {
        self.run(&["lint", "--strict", text_of(&chart()), "-f", text_of(&set.path)])
    }

    /// `helm template` with the operator switched on unless the arguments say otherwise, whatever comes of it.
    pub(crate) fn template(&self, namespace: &str, args: &[&str]) -> Output {
        self.template_as(RELEASE, namespace, args)
    }

    /// The same for a release of another name.
    pub(crate) fn template_as(&self, release: &str, namespace: &str, args: &[&str]) -> Output {
        let (chart, operator) = (chart(), root().join("tests/chart/operator.yaml"));
        self.run(&[&["template", release, text_of(&chart), "-n", namespace, "-f", text_of(&operator)], args].concat())
    }

    /// What a set of values renders to, as text.
    pub(crate) fn manifests(&self, namespace: &str, set: &ValueSet) -> String {
        rendered(self.template(namespace, &["-f", text_of(&set.path)]))
    }

    /// What a set of values renders to.
    pub(crate) fn objects(&self, set: &ValueSet) -> Objects {
        Objects::of(&self.manifests("jaas-system", set))
    }

    /// What settings on the command line render to.
    pub(crate) fn objects_with(&self, settings: &[&str]) -> Objects {
        let set: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        Objects::of(&rendered(self.template("jaas-system", &set)))
    }
}

fn rendered(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn chart() -> PathBuf {
    root().join("charts/jaas")
}

pub(crate) fn text_of(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A file of values that somebody might install with.
pub(crate) struct ValueSet {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

impl ValueSet {
    /// All of them, by name.
    pub(crate) fn all() -> Vec<Self> {
        let entries = fs::read_dir(chart().join("ci")).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let sets =
            paths.into_iter().map(|path| Self { name: path.file_stem().unwrap().to_str().unwrap().into(), path });
        sets.collect()
    }

    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), path: chart().join("ci").join(format!("{name}.yaml")) }
    }
}

/// What was rendered.
pub(crate) struct Objects(Vec<DynamicObject>);

impl Objects {
    fn of(manifests: &str) -> Self {
        Self(jaas_tests::manifests::parse(manifests).unwrap())
    }

    /// Kind, namespace and name of each object of these kinds, sorted.
    pub(crate) fn names(&self, kinds: &[&str]) -> Vec<String> {
        let mut names: Vec<_> = self.of_kinds(kinds).map(shown).collect();
        names.sort();
        names
    }

    pub(crate) fn of_kinds(&self, kinds: &[&str]) -> impl Iterator<Item = &DynamicObject> {
        self.0.iter().filter(move |object| kinds.contains(&object.types.as_ref().unwrap().kind.as_str()))
    }

    /// Part of the one object of a kind; null where it is absent.
    pub(crate) fn part(&self, kind: &str, pointer: &str) -> Value {
        let found: Vec<_> = self.of_kinds(&[kind]).collect();
        assert_eq!(found.len(), 1, "objects of kind {kind}");
        found[0].data.pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    /// Arguments of the operator.
    pub(crate) fn arguments(&self) -> Vec<String> {
        serde_json::from_value(self.part("Deployment", "/spec/template/spec/containers/0/args")).unwrap()
    }

    /// The value of one of them.
    pub(crate) fn argument(&self, flag: &str) -> Option<String> {
        let prefix = format!("--{flag}=");
        self.arguments().iter().find_map(|argument| argument.strip_prefix(&prefix).map(str::to_owned))
    }
}

fn shown(object: &DynamicObject) -> String {
    let kind = &object.types.as_ref().unwrap().kind;
    let name = object.metadata.name.as_deref().unwrap();
    match &object.metadata.namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}
