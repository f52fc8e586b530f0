//! What every test here stands on: an operator with its admin endpoint, and people with tokens.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use jaas_api::admin::{
    AUDIENCE, Action, ActionDone, ActionEnd, ActionItem, ActionLine, ActionOutcome, ActionRequest, File, InventoryEnd,
    InventoryLine, Problem,
};
use jaas_api::{ExternalArtifact, JsonnetSnippet, admin as wire};
use jaas_storage::{Key, Revision};
use jaas_tests::controlplane::{ControlPlane, Identity};
use jaas_tests::http::{self, Answer};
use jaas_tests::namespace::Namespace;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::{rbac, wait};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Longest that anything ordinary may take here; a debug build on a busy machine needs a part of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The group and resource that rights are about.
pub(crate) const STORAGE: (&str, &str) = ("jaas.metio.wtf", "jsonnetsnippets/storage");
/// The operator itself changes nothing of the store that no reconcile needs.
pub(crate) const STILL: [&str; 4] = [
    "--storage-scrub-period=0",
    "--storage-check-interval=0",
    "--storage-orphan-interval=0",
    "--storage-sweep-interval=0",
];

pub(crate) struct Bench {
    pub(crate) plane: &'static ControlPlane,
    pub(crate) namespace: Namespace,
    pub(crate) operator: Operator,
    pub(crate) client: Client,
    pub(crate) snippets: Api<JsonnetSnippet>,
    pub(crate) artifacts: Api<ExternalArtifact>,
    /// A token of somebody who may do everything here.
    pub(crate) token: String,
}

impl Bench {
    /// A fresh namespace, an operator for it that leaves the store alone, and somebody on call.
    pub(crate) async fn new(prefix: &str, args: &[&str]) -> Self {
        Self::beside(prefix, args, &[]).await
    }

    /// The same with further namespaces that the operator watches.
    pub(crate) async fn beside(prefix: &str, args: &[&str], others: &[&Namespace]) -> Self {
        let plane = ControlPlane::shared().await.unwrap();
        let namespace = plane.namespace(prefix).await.unwrap();
        let watched = [&namespace].into_iter().chain(others.iter().copied()).map(|it| it.name.clone()).collect();
        let args = STILL.iter().chain(args).map(|arg| (*arg).to_owned()).collect();
        let options = OperatorOptions { watch_namespaces: watched, args, admin: true, ..OperatorOptions::default() };
        let operator = Operator::ready(plane, options).await.unwrap();
        Self::of(plane, namespace, operator).await
    }

    /// An operator that runs already.
    pub(crate) async fn of(plane: &'static ControlPlane, namespace: Namespace, operator: Operator) -> Self {
        let client = plane.admin().await.unwrap();
        let token = on_call(plane, &namespace).await;
        Self {
            snippets: Api::namespaced(client.clone(), &namespace.name),
            artifacts: Api::namespaced(client.clone(), &namespace.name),
            plane,
            namespace,
            operator,
            client,
            token,
        }
    }

    pub(crate) async fn create(&self, name: &str, code: &str, history: i32) {
        let object = json!({
            "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
            "metadata": {"name": name, "namespace": self.namespace.name},
            "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": code}, "history": history},
        });
        self.snippets.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
        self.synced(name).await;
    }

    /// Changes the snippet's spec, and waits until that is published.
    pub(crate) async fn change(&self, name: &str, spec: Value) {
        let patch = Patch::Merge(json!({ "spec": spec }));
        self.snippets.patch(name, &PatchParams::default(), &patch).await.unwrap();
        self.synced(name).await;
    }

    pub(crate) async fn synced(&self, name: &str) -> JsonnetSnippet {
        wait::object(&self.snippets, name, "is synced", PATIENCE, |snippet: &JsonnetSnippet| {
            let status = snippet.status.clone().unwrap_or_default();
            status.observed_generation == snippet.metadata.generation
                && status.ready().is_some_and(|ready| ready.status == "True")
        })
        .await
        .unwrap_or_else(|error| panic!("{error:#}\n{}", self.operator.log()))
    }

    /// Path of what the snippet announces.
    pub(crate) async fn announced(&self, name: &str) -> String {
        let revision = self.synced(name).await.status.unwrap().revision.unwrap();
        let revision: Revision = revision.parse().unwrap();
        Key::new(&self.namespace.name, name).unwrap().path(&revision)
    }

    /// Takes the snippet and its artifact away behind the operator's back.
    pub(crate) async fn vanish(&mut self, name: &str) {
        self.operator.kill().await.unwrap();
        let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        self.snippets.patch(name, &PatchParams::default(), &patch).await.unwrap();
        self.snippets.delete(name, &DeleteParams::default()).await.unwrap();
        wait::gone(&self.snippets, name, PATIENCE).await.unwrap();
        let _ = self.artifacts.delete(name, &DeleteParams::default()).await;
        wait::gone(&self.artifacts, name, PATIENCE).await.unwrap();
        self.operator.restart().await.unwrap();
        self.operator.wait_ready().await.unwrap();
    }

    /// Lets the artifact of a snippet that the operator leaves alone announce another file.
    pub(crate) async fn announce_another(&self, name: &str, path: &str, revision: &str) {
        let announce = Patch::Merge(json!({"status": {"artifact": {"path": path, "revision": revision}}}));
        self.artifacts.patch_status(name, &PatchParams::default(), &announce).await.unwrap();
    }

    /// Puts a file where an artifact of the snippet would be, and answers its path.
    pub(crate) fn plant(&self, name: &str, text: &str) -> String {
        let key = Key::new(&self.namespace.name, name).unwrap();
        let path = key.path(&Revision::of_document(text.as_bytes()));
        self.write(&path, text.as_bytes());
        path
    }

    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.operator.storage_path().join(path)
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let file = self.file(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        let request = http::client().unwrap().get(self.operator.admin_url(path)).bearer_auth(token);
        http::read(request).await.unwrap()
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        let request = http::client().unwrap().post(self.operator.admin_url(path)).bearer_auth(token);
        http::read(request.body(body.to_string())).await.unwrap()
    }

    /// What the store holds, by the endpoint.
    pub(crate) async fn inventory(&self, token: &str, query: &str) -> (Vec<File>, InventoryEnd) {
        let answer = self.get(token, &format!("{}{query}", wire::INVENTORY)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.headers["content-type"], "application/x-ndjson");
        let (mut files, mut end) = (Vec::new(), None);
        for line in lines(&answer) {
            match line {
                InventoryLine::File(file) => files.push(file),
                InventoryLine::End(last) => assert_eq!(end.replace(last), None),
            }
        }
        (files, end.expect("a last line"))
    }

    /// One file of the inventory.
    pub(crate) async fn listed(&self, path: &str) -> File {
        let (files, _) = self.inventory(&self.token, "").await;
        files.into_iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{path} is not listed"))
    }

    /// Asks for an action on files as they are listed now, once no reconcile that was under way holds them any more.
    pub(crate) async fn act(&self, action: Action, paths: &[&str], dry_run: bool) -> (Vec<ActionDone>, ActionEnd) {
        wait::eventually("the end of reconciles", PATIENCE, async || {
            let (done, _) = self.act_at_once(action, paths, true).await;
            if done.iter().any(|done| done.why.contains("being rendered")) { Err(format!("{done:?}")) } else { Ok(()) }
        })
        .await
        .unwrap();
        self.act_at_once(action, paths, dry_run).await
    }

    /// Asks for an action on files as they are listed now, whatever the operator is at.
    pub(crate) async fn act_at_once(
        &self,
        action: Action,
        paths: &[&str],
        dry_run: bool,
    ) -> (Vec<ActionDone>, ActionEnd) {
        let (files, _) = self.inventory(&self.token, "").await;
        let version = |path: &str| {
            files.iter().find(|file| file.path == path).map(|file| file.version.clone()).unwrap_or_default()
        };
        let items = paths.iter().map(|path| ActionItem { path: (*path).to_owned(), version: version(path) }).collect();
        self.ask(ActionRequest { action, items, older_than: None, dry_run, reason: "a test".to_owned() }).await
    }

    pub(crate) async fn ask(&self, request: ActionRequest) -> (Vec<ActionDone>, ActionEnd) {
        let answer = self.post(&self.token, wire::ACTIONS, serde_json::to_value(request).unwrap()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let (mut all, mut end) = (Vec::new(), None);
        for line in lines(&answer) {
            match line {
                ActionLine::Item(done) => all.push(done),
                ActionLine::End(last) => assert_eq!(end.replace(last), None),
            }
        }
        (all, end.expect("a last line"))
    }

    /// What became of one file.
    pub(crate) async fn act_on(&self, action: Action, path: &str) -> ActionDone {
        let (mut all, end) = self.act(action, &[path], false).await;
        assert_eq!(end.stopped, None);
        assert_eq!(all.len(), 1);
        let done = all.remove(0);
        let gone = [ActionOutcome::Removed].contains(&done.outcome);
        assert_eq!((end.removed, end.bytes), if gone { (1, done.bytes) } else { (0, 0) });
        done
    }

    /// Waits until the operator knows that the store is its own.
    pub(crate) async fn owned(&self) {
        wait::eventually("the store to be ours", PATIENCE, async || {
            let answer = self.get(&self.token, wire::STATS).await;
            let stats: wire::Stats = serde_json::from_slice(&answer.body).map_err(|_| answer.text())?;
            stats.guarded.map_or(Ok(()), Err)
        })
        .await
        .unwrap();
    }

    /// Waits until the operator has logged this.
    pub(crate) async fn logged(&self, words: &str) {
        wait::eventually(words, PATIENCE, async || {
            if self.operator.log().contains(words) { Ok(()) } else { Err(self.operator.log()) }
        })
        .await
        .unwrap();
    }
}

/// The documents of an answer, one a line.
pub(crate) fn lines<T: DeserializeOwned>(answer: &Answer) -> Vec<T> {
    answer
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The sentence of an answer that is no success.
pub(crate) fn problem(answer: &Answer) -> Problem {
    let problem: Problem = serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", answer.text()));
    assert!(!problem.message.is_empty());
    problem
}

/// In a namespace or in all: verbs on a resource of a group.
pub(crate) type Right<'a> = (Option<&'a str>, &'a [&'a str], (&'a str, &'a str));

/// A ServiceAccount in the namespace with these rights: each in a namespace, or in all.
pub(crate) async fn account(plane: &ControlPlane, namespace: &Namespace, name: &str, rights: &[Right<'_>]) {
    let home = &namespace.name;
    let subjects = json!([{"kind": "ServiceAccount", "name": name, "namespace": home}]);
    let mut objects = vec![json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": home},
    })];
    for (at, (place, verbs, (group, resource))) in rights.iter().enumerate() {
        let (role, binding) =
            if place.is_some() { ("Role", "RoleBinding") } else { ("ClusterRole", "ClusterRoleBinding") };
        let metadata = json!({"name": format!("{home}-{name}-{at}"), "namespace": place});
        let api = "rbac.authorization.k8s.io";
        let rules = json!([{"apiGroups": [group], "resources": [resource], "verbs": verbs}]);
        let reference = json!({"apiGroup": api, "kind": role, "name": metadata["name"]});
        objects.push(json!({"apiVersion": format!("{api}/v1"), "kind": role, "metadata": metadata, "rules": rules}));
        objects.push(json!({
            "apiVersion": format!("{api}/v1"), "kind": binding, "metadata": metadata,
            "roleRef": reference, "subjects": subjects,
        }));
    }
    plane.apply_objects(&objects).await.unwrap();
    let admin = plane.admin().await.unwrap();
    let identity = Identity::service_account(home, name);
    for (place, verbs, on) in rights {
        for verb in *verbs {
            wait::eventually("the right to be in force", PATIENCE, async || {
                match rbac::allowed(&admin, &identity, *place, verb, *on).await {
                    Ok(true) => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            })
            .await
            .unwrap();
        }
    }
}

/// A token of a ServiceAccount.
pub(crate) async fn token(plane: &ControlPlane, namespace: &Namespace, name: &str, audience: &str) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(plane.admin().await.unwrap(), &namespace.name);
    let spec = TokenRequestSpec {
        audiences: Some(vec![audience.to_owned()]),
        expiration_seconds: Some(600),
        ..Default::default()
    };
    let asked = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let minted = accounts.create_token_request(name, &PostParams::default(), &asked).await.unwrap();
    minted.status.unwrap().token.unwrap()
}

/// A token of somebody with all rights on the storage of all namespaces.
pub(crate) async fn on_call(plane: &ControlPlane, namespace: &Namespace) -> String {
    let rights: [Right<'_>; 2] =
        [(None, &["get", "list", "delete"], STORAGE), (None, &["list"], ("jaas.metio.wtf", "jsonnetsnippets"))];
    account(plane, namespace, "on-call", &rights).await;
    token(plane, namespace, "on-call", AUDIENCE).await
}
