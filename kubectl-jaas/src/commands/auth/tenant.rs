//! `auth tenant`: what is done in the name of a snippet's ServiceAccount, and whether that account may.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use jaas_api::artifact::FLUX_SOURCE_GROUP;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;

use super::super::{Error, Invocation, Verdict, one};
use super::roles::{Rules, role};
use super::{AT_ONCE, reviews};
use crate::cli::AuthArgs;
use crate::exit::Exit;
use crate::session::{self, Call, Session, Writes};
use crate::snippet::{Key, Reference, Snippet};
use crate::view::{Detail, Report, Right};

/// Resources of the kinds that a snippet's files may come from.
const SOURCES: [(&str, &str, &str); 4] = [
    ("GitRepository", FLUX_SOURCE_GROUP, "gitrepositories"),
    ("OCIRepository", FLUX_SOURCE_GROUP, "ocirepositories"),
    ("Bucket", FLUX_SOURCE_GROUP, "buckets"),
    ("ExternalArtifact", FLUX_SOURCE_GROUP, "externalartifacts"),
];

/// Group, resource and verb that must be there in a namespace.
type Wanted = (String, &'static str, &'static str, &'static str);

/// Asks for each right of the account, or prints the roles that it needs.
pub(super) async fn run(
    name: &str,
    args: &AuthArgs,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<Verdict, Error> {
    let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
    report.at(&session.destination);
    let key = one::key(name, &session, invocation, "auth tenant")?;
    invocation.listener.say(&format!("rights of the ServiceAccount of {key}; {}", session.destination));
    let snippet = one::get(&session, &key, report).await?;
    let Some(account) = snippet.spec.service_account_name.clone().filter(|name| !name.is_empty()) else {
        let what = format!("{key} names no ServiceAccount: the operator's own default decides, or nothing does");
        return Err(Error::Refused { what, how: "set spec.serviceAccountName".to_owned() });
    };
    let wanted = wanted(&key, &snippet);
    if args.yaml {
        report.detail =
            Some(Detail::Rendered(crate::view::Rendered { text: yaml(&key, &account, &wanted), ..Default::default() }));
        return Ok(Verdict { exit: Exit::Done, message: String::new(), hint: None });
    }
    let mut rights: Vec<Right> = wanted.iter().map(right).collect();
    let mut stop = invocation.stop.clone();
    let ask = async {
        let asked = stream::iter(&rights).map(|right| reviews::of_account(&session, &key.namespace, &account, right));
        let answers: Vec<_> = asked.buffered(AT_ONCE).collect().await;
        (answers.into_iter().collect::<Result<Vec<_>, _>>(), exists(&session, &key.namespace, &account).await)
    };
    let (answers, exists) = tokio::select! {
        answers = ask => answers,
        signal = stop.signalled() => return Err(Error::Stopped(signal)),
    };
    let refusal = match answers {
        Ok(answers) => {
            for (right, answer) in rights.iter_mut().zip(answers) {
                right.allowed = Some(answer);
            }
            None
        }
        Err(error @ session::Error::Forbidden { .. }) => Some(error),
        Err(error) => return Err(error.into()),
    };
    let verdict = judge(&key, &account, &rights, exists, refusal.as_ref());
    report.detail = Some(Detail::Rights(rights));
    Ok(verdict)
}

/// Whether the account is there; `None` where that cannot be seen.
async fn exists(session: &Session, namespace: &str, account: &str) -> Option<bool> {
    let accounts: Api<ServiceAccount> = Api::namespaced(session.client.clone(), namespace);
    let call = Call::new("get", "", "serviceaccounts", &["get"]).within(Some(namespace)).named(account);
    Some(session.call(&call, accounts.get_metadata_opt(account)).await.ok()?.is_some())
}

/// Everything that is done in the account's name: the artifact is kept, libraries and sources are read.
fn wanted(key: &Key, snippet: &Snippet) -> Vec<Wanted> {
    let here = |resource, verbs: &[&'static str]| -> Vec<Wanted> {
        verbs.iter().map(|verb| (key.namespace.clone(), FLUX_SOURCE_GROUP, resource, *verb)).collect()
    };
    let mut wanted = here("externalartifacts", &["get", "create", "update", "patch", "delete"]);
    wanted.extend(here("externalartifacts/status", &["get", "patch", "update"]));
    let place = |reference: &Reference| reference.namespace_or(&key.namespace).to_owned();
    for library in &snippet.spec.libraries {
        wanted.push((place(library), jaas_api::GROUP, "jsonnetlibraries", "get"));
    }
    if let Some(source) = &snippet.spec.source_ref
        && let Some((_, group, resource)) = SOURCES.iter().find(|(kind, _, _)| *kind == source.kind)
    {
        wanted.push((place(source), group, resource, "get"));
    }
    wanted.sort();
    wanted.dedup();
    wanted
}

fn right((namespace, group, resource, verb): &Wanted) -> Right {
    Right {
        command: "publish".to_owned(),
        verb: (*verb).to_owned(),
        resource: format!("{resource}.{group}"),
        namespace: namespace.clone(),
        name: String::new(),
        optional: false,
        allowed: None,
    }
}

/// A role and its binding for each namespace.
fn yaml(key: &Key, account: &str, wanted: &[Wanted]) -> String {
    let mut rules: BTreeMap<&str, Rules<'_>> = BTreeMap::new();
    for (namespace, group, resource, verb) in wanted {
        rules.entry(namespace).or_default().entry((group, resource, "")).or_default().insert(verb);
    }
    let name = format!("jaas-tenant-{account}");
    let documents = rules.iter().map(|(namespace, rules)| {
        format!(
            "{}---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n  name: {name}\n  \
             namespace: {namespace}\nroleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: Role\n  name: {name}\n\
             subjects:\n- kind: ServiceAccount\n  name: {account}\n  namespace: {}\n",
            role(&name, Some(namespace), rules),
            key.namespace
        )
    });
    documents.collect::<Vec<_>>().join("---\n")
}

fn judge(
    key: &Key,
    account: &str,
    rights: &[Right],
    exists: Option<bool>,
    refusal: Option<&session::Error>,
) -> Verdict {
    let who = format!("ServiceAccount {}/{account}", key.namespace);
    let roles = format!("kubectl jaas auth tenant {} -n {} --yaml", key.name, key.namespace);
    if exists == Some(false) {
        let message = format!("there is no {who}");
        let hint = format!("make it: kubectl create serviceaccount {account} -n {}, then: {roles}", key.namespace);
        return Verdict { exit: Exit::Forbidden, message, hint: Some(hint) };
    }
    if let Some(error) = refusal {
        let message = format!("nobody could say what {who} may: {error}");
        return Verdict {
            exit: Exit::Partial,
            message,
            hint: Some(format!("{}\nor give it all of: {roles}", error.hint())),
        };
    }
    let missing = rights.iter().filter(|right| right.allowed == Some(false)).count();
    match missing {
        0 => Verdict { exit: Exit::Done, message: format!("{who} may do everything that {key} needs"), hint: None },
        count => Verdict {
            exit: Exit::Forbidden,
            message: format!("{who} lacks {count} of {} rights that {key} needs", rights.len()),
            hint: Some(format!("the role that it needs: {roles}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn snippet() -> (Key, Snippet) {
        let value = json!({"metadata": {"name": "web", "namespace": "a"}, "spec": {"serviceAccountName": "tenant",
            "libraries": [{"kind": "JsonnetLibrary", "name": "x"}, {"kind": "JsonnetLibrary", "name": "y", "namespace": "b"}],
            "sourceRef": {"kind": "GitRepository", "name": "g"}}});
        let snippet: Snippet = serde_json::from_value(value).unwrap();
        (snippet.key(), snippet)
    }

    #[test]
    fn the_role_has_what_is_read_and_what_is_kept() {
        let (key, snippet) = snippet();
        let text = yaml(&key, "tenant", &wanted(&key, &snippet));
        let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&text).unwrap();
        let kinds: Vec<_> = documents
            .iter()
            .map(|it| (it["kind"].as_str().unwrap(), it["metadata"]["namespace"].as_str().unwrap()))
            .collect();
        assert_eq!(kinds, [("Role", "a"), ("RoleBinding", "a"), ("Role", "b"), ("RoleBinding", "b")]);
        assert_eq!(
            documents[2]["rules"],
            json!([{"apiGroups": [jaas_api::GROUP], "resources": ["jsonnetlibraries"], "verbs": ["get"]}])
        );
        assert!(text.contains("resources: [gitrepositories]"), "{text}");
        assert_eq!(documents[3]["subjects"][0]["namespace"], "a", "the account is the snippet's");
    }

    #[test]
    fn the_role_that_the_chart_ships_for_tenants_has_it_all() {
        let (key, snippet) = snippet();
        let shipped: serde_json::Value = serde_saphyr::from_str(
            include_str!("../../../../charts/jaas/files/rbac/tenant.yaml").trim_start_matches("---\n"),
        )
        .unwrap();
        let has = |group: &str, resource: &str, verb: &str| {
            shipped["rules"].as_array().unwrap().iter().any(|rule| {
                let holds = |field: &str, value: &str| rule[field].as_array().unwrap().iter().any(|it| it == value);
                holds("apiGroups", group) && holds("resources", resource) && holds("verbs", verb)
            })
        };
        for (_, group, resource, verb) in wanted(&key, &snippet) {
            assert!(has(group, resource, verb), "{group} {resource} {verb}");
        }
    }

    #[test]
    fn a_missing_account_a_missing_right_and_a_missing_answer_differ() {
        let (key, snippet) = snippet();
        let rights = |allowed| -> Vec<Right> {
            wanted(&key, &snippet).iter().map(|it| Right { allowed, ..right(it) }).collect()
        };
        let exit = |rights: &[Right], exists, refusal| judge(&key, "tenant", rights, exists, refusal).exit;
        assert_eq!(exit(&rights(Some(true)), None, None), Exit::Done);
        assert_eq!(exit(&rights(Some(true)), Some(false), None), Exit::Forbidden);
        assert_eq!(exit(&rights(Some(false)), Some(true), None), Exit::Forbidden);
        let call = Call::new("create", "authorization.k8s.io", "subjectaccessreviews", &["create"]);
        let refusal =
            session::Error::Forbidden { rule: call.missing_rule(), call: Box::new(call), message: "no".to_owned() };
        let told = judge(&key, "tenant", &rights(None), Some(true), Some(&refusal));
        assert_eq!(told.exit, Exit::Partial);
        assert!(told.hint.is_some_and(|hint| hint.contains("subjectaccessreviews") && hint.ends_with("--yaml")));
    }
}
