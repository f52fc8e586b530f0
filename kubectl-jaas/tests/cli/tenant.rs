//! `auth tenant`, against a server that allows everything but `patch`.

use serde_json::json;

use super::installation::Installation;

const SNIPPET: &str = "/apis/jaas.metio.wtf/v1/namespaces/team-a/jsonnetsnippets/web";
const ACCOUNT: &str = "/api/v1/namespaces/team-a/serviceaccounts/tenant";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

fn made() -> Installation {
    let made = Installation::of(&["web"]);
    let snippet = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
        "metadata": {"namespace": "team-a", "name": "web"}, "spec": {"serviceAccountName": "tenant",
        "libraries": [{"kind": "JsonnetLibrary", "name": "lib", "namespace": "shared"}]}});
    made.server.answer_with(SNIPPET, snippet);
    made.server.answer_with(ACCOUNT, json!({"metadata": {"namespace": "team-a", "name": "tenant"}}));
    made
}

#[test]
fn what_the_account_lacks_is_7_with_the_role() {
    let made = made();
    let ran = made.plugin.run("auth tenant web");
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(
        ran.stderr.contains("ServiceAccount team-a/tenant lacks 2 of 9 rights that team-a/web needs"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("kubectl jaas auth tenant web -n team-a --yaml"), "{}", ran.stderr);
    assert!(ran.stdout.contains("publish  get     jsonnetlibraries.jaas.metio.wtf"), "{}", ran.stdout);
    let yaml = made.plugin.run("auth tenant web --yaml");
    assert_eq!(yaml.code, 0, "{yaml:?}");
    assert!(
        yaml.stdout.contains("kind: RoleBinding\n") && yaml.stdout.contains("  namespace: shared\n"),
        "{}",
        yaml.stdout
    );
}

#[test]
fn nobody_who_may_ask_no_account_and_no_snippet_are_told_apart() {
    let made = made();
    let refused =
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "message": "forbidden: ann"});
    made.server.take(REVIEWS, 403, refused);
    let blind = made.plugin.run("auth tenant web");
    assert_eq!((blind.code, blind.stderr.contains("subjectaccessreviews")), (3, true), "{blind:?}");
    assert!(blind.stdout.contains("unknown"), "{}", blind.stdout);
    made.server.answer_with(
        SNIPPET,
        json!({"metadata": {"namespace": "team-a", "name": "web"}, "spec": {"serviceAccountName": "gone"}}),
    );
    let gone = made.plugin.run("auth tenant web");
    assert_eq!((gone.code, gone.stderr.contains("there is no ServiceAccount team-a/gone")), (7, true), "{gone:?}");
    assert_eq!(made.plugin.run("auth tenant nobody").code, 6);
    assert_eq!(made.plugin.run("auth tenant").code, 2);
    made.server.answer_with(SNIPPET, json!({"metadata": {"namespace": "team-a", "name": "web"}, "spec": {}}));
    assert_eq!(made.plugin.run("auth tenant web").code, 5);
}
