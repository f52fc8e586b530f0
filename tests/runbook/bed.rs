//! An installation to be broken, and `kubectl jaas` beside it.

use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use jaas_api::{ExternalArtifact, JsonnetSnippet};
use jaas_storage::{S3Credentials, S3Options, S3Store};
use jaas_tests::cluster::{self, Addressing, Installation, Keys, LEASE, Settings, Store};
use jaas_tests::controlplane::{ControlPlane, Identity};
use jaas_tests::kubectl::{self, document, text};
use jaas_tests::namespace::Namespace;
use jaas_tests::s3::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Server};
use jaas_tests::wait::{self, eventually};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

/// Longest that anything ordinary may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// An operator that is installed, with its snippets in the same namespace.
pub(crate) struct Bed {
    pub(crate) plane: &'static ControlPlane,
    pub(crate) namespace: Namespace,
    pub(crate) installation: Installation,
    pub(crate) client: Client,
    /// Variables of the person's environment.
    pub(crate) env: Vec<(&'static str, &'static str)>,
}

/// What a run of `doctor` found.
pub(crate) struct Found {
    /// All findings.
    pub(crate) findings: Vec<Value>,
    /// Codes of the causes, the worst first.
    pub(crate) roots: Vec<String>,
    /// What it could not look at, and why.
    pub(crate) blind: Vec<Value>,
    /// Its exit code.
    pub(crate) code: i32,
}

impl Found {
    /// The finding of this code.
    pub(crate) fn get(&self, code: &str) -> Option<&Value> {
        self.findings.iter().find(|finding| finding["code"] == code)
    }

    /// The finding of this code tells to type this.
    #[track_caller]
    pub(crate) fn proposes(&self, code: &str, command: &str) {
        let commands = self.get(code).map(|finding| finding["commands"].to_string()).unwrap_or_default();
        assert!(commands.contains(command), "{code}: {commands}");
    }

    /// All of it.
    fn words(&self) -> String {
        let Self { roots, blind, code, .. } = self;
        format!("{:?}, roots {roots:?}, exit code {code}, blind: {}", self.codes(), json!(blind))
    }

    /// Code and severity of each finding.
    pub(crate) fn codes(&self) -> Vec<String> {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.findings.iter().map(|it| format!("{} {}", word(&it["code"]), word(&it["severity"]))).collect()
    }
}

impl Bed {
    /// Installs an operator.
    pub(crate) async fn new(settings: Settings) -> Self {
        let plane = cluster::plane_in_network().await.unwrap();
        let namespace = plane.namespace("bed").await.unwrap();
        let client = plane.admin().await.unwrap();
        let installation = Installation::start(
            plane,
            &namespace.name,
            Settings { admin: true, addressing: Addressing::Network, ..settings },
        )
        .await
        .unwrap();
        Self { plane, namespace, installation, client, env: Vec::new() }
    }

    /// Installs an operator with its store on a volume, and two snippets.
    pub(crate) async fn on_volume(settings: Settings) -> Self {
        let bed = Self::new(Settings { store: Store::Claim, ..settings }).await;
        bed.publish(&[("a", "1"), ("b", "2")]).await;
        bed
    }

    /// Installs an operator with its store in the bucket of a server, and two snippets.
    pub(crate) async fn on_bucket(server: &Server, settings: Settings) -> Self {
        let bed = Self::new(Settings { store: bucket(server, &[]), ..settings }).await;
        bed.publish(&[("a", "1"), ("b", "2")]).await;
        bed
    }

    /// Makes snippets and waits until each is published.
    pub(crate) async fn publish(&self, programs: &[(&str, &str)]) {
        self.write(programs).await;
        let names: Vec<_> = programs.iter().map(|(name, _)| *name).collect();
        self.exits(&[&["wait", "ready"][..], &names].concat(), 0).await;
    }

    /// Makes or changes snippets.
    pub(crate) async fn write(&self, programs: &[(&str, &str)]) {
        let snippet = |(name, program): &(&str, &str)| {
            json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
                "metadata": {"name": name, "namespace": self.namespace.name},
                "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": program}}})
        };
        let snippets: Vec<_> = programs.iter().map(snippet).collect();
        self.plane.apply_objects(&snippets).await.unwrap();
    }

    pub(crate) fn snippets(&self) -> Api<JsonnetSnippet> {
        Api::namespaced(self.client.clone(), &self.namespace.name)
    }

    pub(crate) fn artifacts(&self) -> Api<ExternalArtifact> {
        Api::namespaced(self.client.clone(), &self.namespace.name)
    }

    /// Waits until a snippet is judged with this reason.
    pub(crate) async fn judged(&self, name: &str, reason: &str) -> JsonnetSnippet {
        let is_judged = |snippet: &JsonnetSnippet| {
            let status = snippet.status.clone().unwrap_or_default();
            status.observed_generation == snippet.metadata.generation
                && status.ready().is_some_and(|ready| ready.reason == reason)
        };
        wait::object(&self.snippets(), name, format!("is judged {reason}"), PATIENCE, is_judged).await.unwrap()
    }

    /// Path of the announced artifact, below the store's root.
    pub(crate) async fn path(&self, name: &str) -> String {
        self.artifacts().get(name).await.unwrap().published().unwrap().path.clone()
    }

    /// Changes a snippet with a merge patch.
    pub(crate) async fn patch(&self, name: &str, patch: Value) {
        self.snippets().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Runs plain kubectl as admin in the namespace.
    pub(crate) async fn kubectl(&self, args: &[&str]) -> Output {
        let args = [args, &["-n", &self.namespace.name]].concat();
        let path = kubectl::plugin_folder().unwrap();
        kubectl::run_with(self.plane, &Identity::Admin, &args, &path, &self.env).await.unwrap()
    }

    /// Runs `kubectl jaas …` as admin in the namespace, for commands that look at snippets only.
    pub(crate) async fn jaas(&self, args: &[&str]) -> Output {
        self.kubectl(&[&["jaas"], args].concat()).await
    }

    /// The same over all namespaces, of which other tests own most.
    pub(crate) async fn everywhere(&self, args: &[&str]) -> Output {
        let args = [&["jaas"], args, &["--operator-namespace", &self.namespace.name]].concat();
        let path = kubectl::plugin_folder().unwrap();
        kubectl::run_with(self.plane, &Identity::Admin, &args, &path, &self.env).await.unwrap()
    }

    /// Runs such a command, which must end with this code, and answers what it printed.
    pub(crate) async fn exits(&self, args: &[&str], code: i32) -> String {
        let output = self.jaas(args).await;
        let said = format!("{}\n{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "kubectl jaas {}\n{said}", args.join(" "));
        text(&output.stdout)
    }

    /// The same for commands that look for the operator.
    pub(crate) async fn operator(&self, args: &[&str], code: i32) -> String {
        self.exits(&[args, &["--operator-namespace", &self.namespace.name]].concat(), code).await
    }

    /// Runs the command of a row of the page, and what a test must add: an answer to its question, another format, a shorter wait.
    /// The page's snippet `web` is `a` here, its namespaces are this one.
    pub(crate) async fn row(&self, command: &str, more: &[&str], code: i32) -> String {
        self.row_of(command, "a", more, code).await
    }

    /// The same where the page's snippet is another one.
    pub(crate) async fn row_of(&self, command: &str, name: &str, more: &[&str], code: i32) -> String {
        self.exits(
            &[&self.words(command, name).iter().map(String::as_str).collect::<Vec<_>>()[..], more].concat(),
            code,
        )
        .await
    }

    /// Runs the command of a row that wants words, with those that its dry run shows.
    pub(crate) async fn row_confirmed(&self, command: &str, more: &[&str]) {
        let words = self.words(command, "a");
        self.confirmed(&[&words.iter().map(String::as_str).collect::<Vec<_>>()[..], more].concat()).await;
    }

    /// Runs a command that wants words, with those that its dry run shows.
    pub(crate) async fn confirmed(&self, args: &[&str]) {
        let place = ["--operator-namespace", &self.namespace.name];
        let args = if args.contains(&place[0]) { args.to_vec() } else { [args, &place].concat() };
        let output = self.jaas(&[&args[..], &["--dry-run"]].concat()).await;
        let said = format!("{}\n{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{said}");
        let words = said.split("--confirm '").nth(1).and_then(|rest| rest.split('\'').next());
        let words = words.unwrap_or_else(|| panic!("no words to confirm in {said}")).to_owned();
        self.exits(&[&args[..], &["--confirm", &words]].concat(), 0).await;
    }

    /// What `doctor` finds now, by the command of a row.
    pub(crate) async fn row_finds(&self, command: &str, code: &str, severity: &str) -> Found {
        let words = self.words(command, "a");
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        self.finds(&words, code, severity).await
    }

    /// The words of a row's command after `kubectl jaas`, for this installation.
    fn words(&self, command: &str, name: &str) -> Vec<String> {
        let words = command.strip_prefix("kubectl jaas ").unwrap_or_else(|| panic!("`{command}` is not ours"));
        let place = &self.namespace.name;
        // Every command is run in this namespace anyway.
        let words = words.replace(" -n team-a", "");
        let here = |word: &str| match word {
            "web" => name.to_owned(),
            "web.tar.gz" => self.plane.work().join(format!("{place}.tar.gz")).display().to_string(),
            other => other.to_owned(),
        };
        let mut words: Vec<_> = words.split_whitespace().map(here).collect();
        let asks_no_operator = ["events", "explain", "resume", "suspend"].contains(&words[0].as_str());
        if !asks_no_operator {
            words.extend(["--operator-namespace".to_owned(), place.clone()]);
        }
        words
    }

    /// What `doctor` finds now, by the words of a command such as `storage doctor`.
    pub(crate) async fn doctor(&self, words: &[&str]) -> Found {
        let mut place = vec!["-o", "json"];
        if !words.contains(&"--operator-namespace") {
            place.extend(["--operator-namespace", &self.namespace.name]);
        }
        let output = self.jaas(&[words, &place].concat()).await;
        let document = document(&output).unwrap();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let diagnosis = &document["diagnosis"];
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Found {
            findings: list(&diagnosis["findings"]),
            roots: list(&diagnosis["triage"]["roots"]).iter().map(|root| word(&root["code"])).collect(),
            blind: list(&diagnosis["checks"]).into_iter().filter(|check| check["state"] == "unknown").collect(),
            code: output.status.code().unwrap_or_default(),
        }
    }

    /// Waits until `doctor` finds this, as bad as this.
    pub(crate) async fn finds(&self, words: &[&str], code: &str, severity: &str) -> Found {
        let looks = async || {
            let found = self.doctor(words).await;
            match found.get(code) {
                Some(finding) if finding["severity"] == severity => Ok(found),
                _ => Err(found.words()),
            }
        };
        let found = eventually(format!("{code} {severity}"), PATIENCE, looks).await;
        let found = found.unwrap_or_else(|error| panic!("{error:#}\n{}", self.logs()));
        let is_bad = ["critical", "error"].contains(&severity);
        assert!(!is_bad || found.code == 4, "{:?} and exit code {}", found.codes(), found.code);
        found
    }

    /// Waits until `doctor` finds nothing bad, with every byte proven, and returns what it does find.
    pub(crate) async fn is_well(&self) -> Found {
        let looks = async || {
            let found = self.doctor(&["doctor", "--depth", "full"]).await;
            if found.code == 0 { Ok(found) } else { Err(found.words()) }
        };
        let found = eventually("an installation that is well", PATIENCE, looks).await;
        found.unwrap_or_else(|error| panic!("{error:#}\n{}", self.logs()))
    }

    fn logs(&self) -> String {
        let tail = |log: String| log.lines().rev().take(20).map(|line| format!("{line}\n")).collect::<String>();
        self.installation
            .pods()
            .iter()
            .map(|pod| format!("--- {}, last line first ---\n{}", pod.name, tail(pod.log())))
            .collect()
    }

    /// Waits until a Pod has logged this.
    pub(crate) async fn logged(&self, words: &str) {
        let look = async || {
            let logs: String = self.installation.pods().iter().map(|pod| pod.log()).collect();
            if logs.contains(words) { Ok(()) } else { Err(logs) }
        };
        eventually(format!("{words:?} in a log"), PATIENCE, look).await.unwrap();
    }

    /// Has somebody hold the Lease who does nothing: the operator serves, and may not write until [`Bed::release`].
    pub(crate) async fn hold(&self) {
        self.plane.apply_objects(&[self.held()]).await.unwrap();
        self.logged("\"holder\":\"nobody_1\"").await;
    }

    /// The Lease, held by somebody who does nothing, for as long as a test may take.
    pub(crate) fn held(&self) -> Value {
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": LEASE, "namespace": self.namespace.name},
            "spec": {"holderIdentity": "nobody_1", "leaseDurationSeconds": 3600, "renewTime": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()}})
    }

    /// Frees the Lease.
    pub(crate) async fn release(&self) {
        let free = r#"{"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}}"#;
        let freed = self.kubectl(&["patch", "lease", LEASE, "--type=merge", "-p", free]).await;
        assert!(freed.status.success(), "{}", text(&freed.stderr));
    }

    /// Starts the only Pod's process anew, so that nothing is in memory.
    pub(crate) async fn forget(&self) {
        self.installation.pod().unwrap().kill().await.unwrap();
        self.installation.wait_done().await.unwrap();
    }
}

/// A bucket of a server, with the keys that may do everything.
pub(crate) fn bucket(server: &Server, more: &[&str]) -> Store {
    let keys = [format!("--s3-access-key={ACCESS_KEY}"), format!("--s3-secret-key={SECRET_KEY}")];
    let Store::Bucket(mut args, _) = keyless(server, Keys::Arguments) else { unreachable!("a bucket") };
    args.extend(keys);
    args.extend(more.iter().map(|it| (*it).to_owned()));
    Store::Bucket(args, Keys::Arguments)
}

/// A bucket of a server, with keys from elsewhere.
pub(crate) fn keyless(server: &Server, keys: Keys) -> Store {
    let args = vec![
        format!("--s3-endpoint={}", server.endpoint()),
        format!("--s3-bucket={BUCKET}"),
        format!("--s3-region={REGION}"),
        "--s3-use-ssl=false".to_owned(),
    ];
    Store::Bucket(args, keys)
}

/// The bucket itself, with the keys that may do everything.
pub(crate) async fn opened(server: &Server) -> S3Store {
    let credentials = S3Credentials::Static {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        session_token: None,
    };
    let region = Some(REGION.to_owned());
    let options = S3Options { use_ssl: false, region, credentials, ..S3Options::new(server.endpoint(), BUCKET) };
    S3Store::open(options).await.unwrap()
}

/// Removes everything below a directory.
pub(crate) fn empty(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }
}

/// Jsonnet whose output hardly compresses: half a byte of hash for each byte, 32 of them for each step.
pub(crate) fn noise(seed: u32, steps: u32) -> String {
    format!("[std.md5(std.toString([n, {seed}])) for n in std.range(1, {steps})]")
}

/// Whether each of some values is among others, or all of them are shown.
#[track_caller]
pub(crate) fn holds<T: PartialEq + Debug>(all: &[T], some: &[T]) {
    assert!(some.iter().all(|it| all.contains(it)), "{some:?} are not all in {all:?}");
}

/// Waits for the next second: times of the API server have whole ones.
pub(crate) async fn next_second() {
    let second = Timestamp::now().as_second();
    let later = async || (Timestamp::now().as_second() > second).then_some(());
    eventually("the next second", PATIENCE, later).await.unwrap();
}
