//! Two teams with the documented role and nothing else: what each can do, and what it is told when it tries more.
//!
//! docs/tenants.md shows the tables below; this keeps them true.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use jaas_api::{JsonnetLibrary, JsonnetSnippet};
use jaas_sources::digest::Algorithm;
use jaas_tests::controlplane::{ControlPlane, Identity};
use jaas_tests::manifests;
use jaas_tests::namespace::Namespace;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::runner::root;
use jaas_tests::upstream::{Archives, Reply, Source, condition};
use jaas_tests::wait;
use k8s_openapi::api::authorization::v1::{
    ResourceRule, SelfSubjectRulesReview, SelfSubjectRulesReviewSpec, SubjectRulesReviewStatus,
};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::field::{PATIENCE, message, status, tail};
use crate::meadow::{digest, tarball};

/// A word of everything that only team-b knows.
const SECRET: &str = "hush";

/// Something that team-a tries. `team-a` and `team-b` stand for the names of the namespaces.
struct Attempt {
    what: &'static str,
    name: &'static str,
    spec: Value,
    reason: &'static str,
    message: &'static str,
}

fn attempt(
    what: &'static str,
    name: &'static str,
    spec: Value,
    reason: &'static str,
    message: &'static str,
) -> Attempt {
    Attempt { what, name, spec, reason, message }
}

fn source(kind: &str, name: &str) -> Value {
    json!({"sourceRef": {"kind": kind, "name": name, "namespace": "team-b"}})
}

fn library(name: &str) -> Value {
    let reference = json!({"kind": "JsonnetLibrary", "name": name, "namespace": "team-b"});
    json!({"files": {"main.jsonnet": format!("import '{name}'")}, "libraries": [reference]})
}

fn by(account: &str) -> Value {
    json!({"files": {"main.jsonnet": "1"}, "serviceAccountName": account})
}

/// With the flags that nobody has to set.
fn refused_by_default() -> Vec<Attempt> {
    let rejected = "CrossNamespaceRefRejected";
    let own = |kind: &str, name: &str| json!({"sourceRef": {"kind": kind, "name": name}});
    vec![
        attempt(
            "a source of another namespace",
            "source",
            source("GitRepository", "config"),
            rejected,
            "spec.sourceRef points at namespace \"team-b\" but --no-cross-namespace-refs is set",
        ),
        attempt(
            "an artifact of another namespace",
            "artifact",
            source("ExternalArtifact", "web"),
            rejected,
            "spec.sourceRef points at namespace \"team-b\" but --no-cross-namespace-refs is set",
        ),
        attempt(
            "a library of another namespace",
            "library",
            library("shared"),
            rejected,
            "spec.libraries[shared] points at namespace \"team-b\" but --no-cross-namespace-refs is set",
        ),
        attempt(
            "an account that only the other namespace has",
            "account",
            by("theirs"),
            "ServiceAccountMissing",
            "ServiceAccount \"theirs\" not found in namespace \"team-a\"; create it or name another in spec.serviceAccountName",
        ),
        attempt(
            "the way to an account of another namespace",
            "path",
            by("../../team-b/serviceaccounts/theirs"),
            "ServiceAccountMissing",
            "spec.serviceAccountName \"../../team-b/serviceaccounts/theirs\" is no name of a ServiceAccount; name one of this namespace",
        ),
        attempt(
            "an account without the role",
            "bare",
            by("bare"),
            "RBACDenied",
            "RBAC denied publishing the ExternalArtifact — grant the tenant ServiceAccount the missing verb. externalartifacts.source.toolkit.fluxcd.io is forbidden: User \"system:serviceaccount:team-a:bare\" cannot create resource \"externalartifacts\" in API group \"source.toolkit.fluxcd.io\" in the namespace \"team-a\"",
        ),
        attempt(
            "a source of its own with an account without the role",
            "bare-source",
            json!({"sourceRef": {"kind": "Bucket", "name": "store"}, "serviceAccountName": "bare"}),
            "RBACDenied",
            "RBAC denied reading the source CR — grant the tenant ServiceAccount the missing verb. buckets.source.toolkit.fluxcd.io \"store\" is forbidden: User \"system:serviceaccount:team-a:bare\" cannot get resource \"buckets\" in API group \"source.toolkit.fluxcd.io\" in the namespace \"team-a\"",
        ),
        attempt(
            "the name of an artifact that somebody else made",
            "taken",
            by("tenant"),
            "ArtifactConflict",
            "an ExternalArtifact of this name exists and names HelmChart \"chart\" as its source; it is left alone. Rename the snippet, or delete the artifact if nobody needs it",
        ),
        attempt(
            "a made-up artifact at an address of a cloud's credentials",
            "metadata",
            own("ExternalArtifact", "metadata-forged"),
            "SourceFetchFailed",
            "ExternalArtifact team-a/metadata-forged: 169.254.169.254 leads to 169.254.169.254, which is link-local, where clouds keep credentials; only an address and port listed in --allowed-source-hosts may be such",
        ),
        attempt(
            "a made-up artifact at a service of another namespace",
            "service",
            own("ExternalArtifact", "service-forged"),
            "SourceFetchFailed",
            "ExternalArtifact team-a/service-forged: web.team-b.svc.cluster.local is not among the hosts that may be asked; add it to --allowed-source-hosts",
        ),
    ]
}

/// With `--no-cross-namespace-refs=false`, and no binding in team-b.
fn refused_without_a_binding() -> Vec<Attempt> {
    let denied = "RBACDenied";
    vec![
        attempt(
            "a source that is there",
            "source",
            source("GitRepository", "config"),
            denied,
            "cross-namespace GitRepository \"config\" is not reachable; check the source CR's status in \"team-b\"",
        ),
        attempt(
            "a source that is not there",
            "no-source",
            source("GitRepository", "none"),
            denied,
            "cross-namespace GitRepository \"none\" is not reachable; check the source CR's status in \"team-b\"",
        ),
        attempt(
            "an artifact that is there",
            "artifact",
            source("ExternalArtifact", "web"),
            denied,
            "cross-namespace ExternalArtifact \"web\" is not reachable; check the source CR's status in \"team-b\"",
        ),
        attempt(
            "a library that is there",
            "library",
            library("shared"),
            denied,
            "cross-namespace JsonnetLibrary \"shared\" is not reachable; check the library in \"team-b\"",
        ),
        attempt(
            "a library that is not there",
            "no-library",
            library("none"),
            denied,
            "cross-namespace JsonnetLibrary \"none\" is not reachable; check the library in \"team-b\"",
        ),
    ]
}

/// The same, with the role bound to the account in team-b too.
fn refused_with_a_binding() -> Vec<Attempt> {
    let source_says =
        "cross-namespace GitRepository \"pending\" is not reachable; check the source CR's status in \"team-b\"";
    vec![
        attempt(
            "a source that is not ready",
            "pending",
            source("GitRepository", "pending"),
            "SourceNotReady",
            source_says,
        ),
        attempt(
            "a source that is not there",
            "gone",
            source("GitRepository", "none"),
            "SourceFetchFailed",
            "cross-namespace GitRepository \"none\" is not reachable; check the source CR's status in \"team-b\"",
        ),
        attempt(
            "a source that cannot be fetched",
            "lost",
            source("GitRepository", "lost"),
            "SourceFetchFailed",
            "cross-namespace GitRepository \"lost\" is not reachable; check the source CR's status in \"team-b\"",
        ),
        attempt(
            "a library whose source cannot be fetched",
            "broken",
            library("broken"),
            "SourceFetchFailed",
            "cross-namespace JsonnetLibrary \"broken\" is not reachable; check the library in \"team-b\"",
        ),
        attempt(
            "a library that is not there",
            "no-library",
            library("none"),
            "LibraryNotFound",
            "cross-namespace JsonnetLibrary \"none\" is not reachable; check the library in \"team-b\"",
        ),
    ]
}

/// Two teams, and one operator for both.
struct Estate {
    plane: &'static ControlPlane,
    client: Client,
    archives: Archives,
    operator: Operator,
    a: Namespace,
    b: Namespace,
}

impl Estate {
    /// What team-b has is there: a ready source, one that is not, one that cannot be fetched, libraries, an account, a snippet.
    async fn new(args: &[&str]) -> Self {
        let plane = ControlPlane::shared().await.unwrap();
        let archives = Archives::start().await.unwrap();
        let (a, b) = (plane.namespace("team-a").await.unwrap(), plane.namespace("team-b").await.unwrap());
        let mut options = OperatorOptions::watching([a.name.as_str(), b.name.as_str()]);
        options.args = args.iter().map(|arg| (*arg).to_owned()).chain([archives.flag()]).collect();
        let operator = Operator::ready(plane, options).await.unwrap();
        let client = plane.admin().await.unwrap();
        let estate = Self { plane, client, archives, operator, a, b };
        let config = estate.source("GitRepository", "config").await;
        estate.publish(&config, "ready", &[("main.jsonnet", "'config'"), ("lib/main.libsonnet", "'shared'")]).await;
        let pending = estate.source("GitRepository", "pending").await;
        pending.status(json!({"conditions": [condition("False", "HushFailed", "hush: no")]})).await.unwrap();
        let lost = estate.source("GitRepository", "lost").await;
        let url = estate.archives.url("/hush/gone");
        lost.announces(&url, &digest(Algorithm::Sha256, b"gone"), "hush@1").await.unwrap();
        let objects = [
            estate.object(
                "JsonnetLibrary",
                "team-b",
                "shared",
                json!({"sourceRef": {"kind": "GitRepository", "name": "config", "path": "lib"}}),
            ),
            estate.object(
                "JsonnetLibrary",
                "team-b",
                "broken",
                json!({"sourceRef": {"kind": "GitRepository", "name": "lost", "path": "hush-folder"}}),
            ),
            estate.object("JsonnetSnippet", "team-b", "web", by("tenant")),
            estate.account("team-b", "theirs"),
            estate.account("team-a", "bare"),
        ];
        estate.plane.apply_objects(&objects).await.unwrap();
        estate
            .until("team-b", "web", "is ready", |snippet| status(snippet).ready().is_some_and(|it| it.status == "True"))
            .await;
        estate
    }

    /// The names of the namespaces for the words that stand for them.
    fn named(&self, text: &str) -> String {
        text.replace("team-a", &self.a.name).replace("team-b", &self.b.name)
    }

    /// The other way round.
    fn plain(&self, text: &str) -> String {
        text.replace(&self.a.name, "team-a").replace(&self.b.name, "team-b")
    }

    fn object(&self, kind: &str, namespace: &str, name: &str, mut spec: Value) -> Value {
        if kind == "JsonnetSnippet" && spec.get("serviceAccountName").is_none() {
            spec["serviceAccountName"] = json!("tenant");
        }
        let object = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": kind,
            "metadata": {"name": name, "namespace": namespace}, "spec": spec});
        serde_json::from_str(&self.named(&object.to_string())).unwrap()
    }

    fn account(&self, namespace: &str, name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": self.named(namespace)}})
    }

    /// A source of team-b.
    async fn source(&self, kind: &'static str, name: &str) -> Source {
        Source::create(&self.client, kind, &self.b.name, name).await.unwrap()
    }

    async fn publish(&self, source: &Source, path: &str, files: &[(&str, &str)]) {
        let path = format!("/hush/{path}");
        let bytes = tarball(files);
        let digest = digest(Algorithm::Sha256, &bytes);
        self.archives.set(&path, Reply::Bytes(bytes));
        source.announces(&self.archives.url(&path), &digest, "hush@1").await.unwrap();
    }

    fn snippets(&self, namespace: &str) -> Api<JsonnetSnippet> {
        Api::namespaced(self.client.clone(), &self.named(namespace))
    }

    async fn until(
        &self,
        namespace: &str,
        name: &str,
        what: &str,
        holds: impl Fn(&JsonnetSnippet) -> bool,
    ) -> JsonnetSnippet {
        let found = wait::object(&self.snippets(namespace), name, what, 2 * PATIENCE, holds).await;
        found.unwrap_or_else(|error| panic!("{error:#}\n{}", tail(&self.operator.log())))
    }

    /// Tries everything, compares what is told with what is expected, and answers it as a table.
    async fn refuses(&self, attempts: Vec<Attempt>) -> String {
        let mut table = String::from("| what | reason | message |\n| --- | --- | --- |\n");
        for Attempt { what, name, spec, reason, message: expected } in attempts {
            self.plane.apply_objects(&[self.object("JsonnetSnippet", "team-a", name, spec)]).await.unwrap();
            let told = self
                .until("team-a", name, &format!("is judged {reason}"), |snippet| {
                    status(snippet).observed_generation == snippet.metadata.generation
                        && status(snippet).ready().is_some_and(|ready| ready.reason == reason)
                })
                .await;
            let said = self.plain(&message(&told));
            let (said, _) = said.split_once(" (runbook: ").or(said.split_once(" (kubectl jaas explain ")).unwrap();
            assert_eq!(said, expected, "{what}");
            assert_eq!(status(&told).revision, None, "{what}");
            writeln!(table, "| {what} | `{reason}` | {expected} |").unwrap();
        }
        self.tells_nothing().await;
        table
    }

    /// Nothing that team-a can read holds a word that only team-b knows.
    async fn tells_nothing(&self) {
        let snippets = self.snippets("team-a").list(&ListParams::default()).await.unwrap();
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.a.name);
        let events = events.list(&ListParams::default()).await.unwrap();
        let libraries: Api<JsonnetLibrary> = Api::namespaced(self.client.clone(), &self.a.name);
        let libraries = libraries.list(&ListParams::default()).await.unwrap();
        let seen = [
            serde_json::to_string(&snippets.items).unwrap(),
            serde_json::to_string(&events.items).unwrap(),
            serde_json::to_string(&libraries.items).unwrap(),
        ]
        .concat()
        .to_lowercase();
        assert!(!events.items.is_empty(), "there is something to look at");
        assert!(!seen.contains(SECRET), "{seen}");
        assert!(!seen.contains(&self.archives.url("")), "{seen}");
    }
}

fn page() -> String {
    fs::read_to_string(root().join("docs/tenants.md")).unwrap()
}

fn stands_on_the_page(table: &str) {
    assert!(page().contains(table), "docs/tenants.md does not show this table as it is; it should be\n{table}");
}

#[tokio::test]
async fn what_a_tenant_tries_beyond_its_role_is_refused_with_words_that_tell_nothing() {
    let estate = Estate::new(&[]).await;
    // Somebody else's artifact, and two that a tenant has made up, as its role lets it.
    let chart = json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
        "metadata": {"name": "taken", "namespace": estate.a.name},
        "spec": {"sourceRef": {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmChart", "name": "chart"}}});
    estate.plane.apply_objects(&[chart]).await.unwrap();
    let tenant = estate.plane.client(&estate.a.tenant()).await.unwrap();
    for (name, url) in [
        ("metadata-forged", "http://169.254.169.254/latest"),
        ("service-forged", "http://web.team-b.svc.cluster.local/x"),
    ] {
        Source::create(&estate.client, "ExternalArtifact", &estate.a.name, name).await.unwrap();
        let forged = Source::of(&tenant, "ExternalArtifact", &estate.a.name, name);
        forged.announces(url, &digest(Algorithm::Sha256, b""), "1").await.unwrap();
    }
    let table = estate.refuses(refused_by_default()).await;
    assert_eq!(estate.archives.asked("/hush/gone"), 0);
    stands_on_the_page(&table);
}

#[tokio::test]
async fn another_namespace_needs_a_flag_and_a_binding_and_tells_nothing_of_its_troubles() {
    let estate = Estate::new(&["--no-cross-namespace-refs=false"]).await;
    let table = estate.refuses(refused_without_a_binding()).await;
    assert_eq!(
        estate.archives.asked("/hush/ready") + estate.archives.asked("/hush/gone"),
        0,
        "nothing is fetched for it"
    );
    stands_on_the_page(&table);
    for attempt in refused_without_a_binding() {
        estate.snippets("team-a").delete(attempt.name, &kube::api::DeleteParams::default()).await.unwrap();
        wait::gone(&estate.snippets("team-a"), attempt.name, 2 * PATIENCE).await.unwrap();
    }

    // The role in the other namespace too, as the documentation says.
    let role = manifests::parse(&documented_role()).unwrap().remove(0).metadata.name.unwrap();
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "team-a", "namespace": estate.b.name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "tenant", "namespace": estate.a.name}]});
    estate.plane.apply_objects(&[binding]).await.unwrap();
    let may = async || {
        let what = ("jaas.metio.wtf", "jsonnetlibraries");
        let scope = Some(estate.b.name.as_str());
        jaas_tests::rbac::allowed(&estate.client, &estate.a.tenant(), scope, "get", what)
            .await
            .map_err(|error| error.to_string())?
            .then_some(())
            .ok_or_else(|| "not yet".to_owned())
    };
    wait::eventually("the binding", PATIENCE, may).await.unwrap();
    // A library means its source as its own namespace has it; a source and an artifact are had as well.
    for (name, spec, text) in
        [("library", library("shared"), "\"shared\"\n"), ("source", source("GitRepository", "config"), "\"config\"\n")]
    {
        estate.plane.apply_objects(&[estate.object("JsonnetSnippet", "team-a", name, spec)]).await.unwrap();
        let revision = jaas_storage::Revision::of_document(text.as_bytes()).to_string();
        estate.until("team-a", name, "is ready", |snippet| status(snippet).revision.as_ref() == Some(&revision)).await;
    }
    let mut chained = source("ExternalArtifact", "web");
    chained["entryFile"] = json!("rendered.json");
    estate.plane.apply_objects(&[estate.object("JsonnetSnippet", "team-a", "artifact", chained)]).await.unwrap();
    estate.until("team-a", "artifact", "is ready", |snippet| status(snippet).revision.is_some()).await;
    for name in ["library", "source", "artifact"] {
        estate.snippets("team-a").delete(name, &kube::api::DeleteParams::default()).await.unwrap();
        wait::gone(&estate.snippets("team-a"), name, 2 * PATIENCE).await.unwrap();
    }
    stands_on_the_page(&estate.refuses(refused_with_a_binding()).await);
}

#[tokio::test]
async fn each_of_two_tenants_does_what_the_documentation_says_with_its_role_alone() {
    let estate = Estate::new(&[]).await;
    for (team, namespace) in [("team-a", &estate.a), ("team-b", &estate.b)] {
        let source = Source::create(&estate.client, "OCIRepository", &namespace.name, "own").await.unwrap();
        let path = format!("/hush/{team}");
        let bytes = tarball(&[("main.jsonnet", &format!("'{team}'")), ("lib/main.libsonnet", "'lib'")]);
        estate.archives.set(&path, Reply::Bytes(bytes.clone()));
        source.announces(&estate.archives.url(&path), &digest(Algorithm::Sha256, &bytes), "1").await.unwrap();
        let reference = json!({"kind": "OCIRepository", "name": "own"});
        let objects = [
            ("JsonnetLibrary", "lib", json!({"sourceRef": {"kind": "OCIRepository", "name": "own", "path": "lib"}})),
            ("JsonnetLibrary", "inline", json!({"files": {"main.libsonnet": "'inline'"}})),
            ("JsonnetSnippet", "sourced", json!({"sourceRef": reference})),
            (
                "JsonnetSnippet",
                "chained",
                json!({"sourceRef": {"kind": "ExternalArtifact", "name": "sourced"}, "entryFile": "rendered.json"}),
            ),
            (
                "JsonnetSnippet",
                "imports",
                json!({"files": {"main.jsonnet": "(import 'lib') + import 'inline'"},
                "libraries": [{"kind": "JsonnetLibrary", "name": "lib"}, {"kind": "JsonnetLibrary", "name": "inline"}]}),
            ),
        ];
        let objects = objects.map(|(kind, name, spec)| estate.object(kind, team, name, spec));
        estate.plane.apply_objects(&objects).await.unwrap();
    }
    for team in ["team-a", "team-b"] {
        for (name, text) in [
            ("sourced", format!("\"{team}\"\n")),
            ("chained", format!("\"{team}\"\n")),
            ("imports", "\"libinline\"\n".to_owned()),
        ] {
            let revision = jaas_storage::Revision::of_document(text.as_bytes()).to_string();
            let what = format!("publishes {text}");
            estate.until(team, name, &what, |snippet| status(snippet).revision.as_ref() == Some(&revision)).await;
        }
    }
    // Each may do in its own namespace what the page shows, and nothing in the other's.
    let documented: Vec<PolicyRule> =
        serde_json::from_value(manifests::parse(&documented_role()).unwrap().remove(0).data["rules"].clone()).unwrap();
    let documented: BTreeSet<_> = documented
        .iter()
        .flat_map(|rule| {
            rights(rule.api_groups.as_deref(), rule.resources.as_deref(), &rule.verbs, rule.resource_names.as_deref())
        })
        .collect();
    assert!(documented.len() > 10, "{documented:?}");
    for (own, other) in [(&estate.a, &estate.b), (&estate.b, &estate.a)] {
        assert_eq!(may(&estate, &own.tenant(), &own.name).await, documented, "at home");
        assert_eq!(may(&estate, &own.tenant(), &other.name).await, BTreeSet::new(), "elsewhere");
        assert_eq!(may(&estate, &own.tenant(), "kube-system").await, BTreeSet::new(), "elsewhere");
    }
}

/// The role that docs/install.md shows.
fn documented_role() -> String {
    let page = fs::read_to_string(root().join("docs/install.md")).unwrap();
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| block.contains("kind: ClusterRole")).map(str::to_owned).next().expect("the role of a tenant")
}

/// Verb, group, resource and name, one for each right.
fn rights(
    groups: Option<&[String]>,
    resources: Option<&[String]>,
    verbs: &[String],
    names: Option<&[String]>,
) -> Vec<String> {
    let mut all = Vec::new();
    for group in groups.unwrap_or_default() {
        for resource in resources.unwrap_or_default() {
            for verb in verbs {
                all.push(format!("{verb} {resource}.{group} {}", names.unwrap_or_default().join(",")));
            }
        }
    }
    all
}

/// Everything that an account may do in a namespace, as the API server tells it, but for what everybody may: asking about oneself.
async fn may(estate: &Estate, account: &Identity, namespace: &str) -> BTreeSet<String> {
    let client = estate.plane.client(account).await.unwrap();
    let reviews: Api<SelfSubjectRulesReview> = Api::all(client);
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec { namespace: Some(namespace.to_owned()) },
        ..SelfSubjectRulesReview::default()
    };
    let SubjectRulesReviewStatus { resource_rules, .. } =
        reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap();
    let of = |rule: &ResourceRule| {
        rights(rule.api_groups.as_deref(), rule.resources.as_deref(), &rule.verbs, rule.resource_names.as_deref())
    };
    let everybody = [".authorization.k8s.io ", ".authentication.k8s.io "];
    let all = resource_rules.iter().flat_map(of);
    all.filter(|right| !everybody.iter().any(|group| right.contains(group))).collect()
}
