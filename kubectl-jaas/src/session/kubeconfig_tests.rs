//! Values for the folding of flags into a kubeconfig.

use super::*;

const FILE: &str = r#"
apiVersion: v1
kind: Config
current-context: prod
contexts:
- {name: prod, context: {cluster: eu, user: ann, namespace: team-a}}
- {name: test, context: {cluster: lab, user: bob}}
clusters:
- {name: eu, cluster: {server: "https://eu:6443", certificate-authority-data: QQ==}}
- {name: lab, cluster: {server: "https://lab:6443"}}
users:
- {name: ann, user: {exec: {command: sign-in, apiVersion: v1}}}
- {name: bob, user: {token: secret}}
"#;

fn resolved(connection: &Connection) -> Result<(Context, Cluster, AuthInfo, String), Error> {
    let (mut file, chosen) = resolve(Kubeconfig::from_yaml(FILE).unwrap(), connection)?;
    let context = file.contexts.remove(0).context.unwrap();
    let cluster = file.clusters.remove(0).cluster.unwrap();
    Ok((context, cluster, file.auth_infos.remove(0).auth_info.unwrap(), chosen))
}

#[test]
fn the_current_context_holds_without_flags() {
    let (context, cluster, user, chosen) = resolved(&Connection::default()).unwrap();
    assert_eq!(chosen, "prod");
    assert_eq!(context.namespace.as_deref(), Some("team-a"));
    assert_eq!(cluster.server.as_deref(), Some("https://eu:6443"));
    assert!(user.exec.is_some());
}

#[test]
fn flags_win_over_the_file() {
    let connection = Connection {
        namespace: Some("team-b".into()),
        cluster: Some("lab".into()),
        server: Some("localhost:1".into()),
        token: Some("mine".into()),
        certificate_authority: Some("/ca.pem".into()),
        impersonate: Some("carl".into()),
        impersonate_groups: vec!["ops".into()],
        impersonate_extra: [("scopes", "view"), ("scopes", "edit")]
            .map(|(key, value)| (key.into(), value.into()))
            .into(),
        ..Connection::default()
    };
    let (context, cluster, user, _) = resolved(&connection).unwrap();
    assert_eq!(context.namespace.as_deref(), Some("team-b"));
    assert_eq!(cluster.server.as_deref(), Some("https://localhost:1"));
    assert_eq!((cluster.certificate_authority.as_deref(), cluster.certificate_authority_data), (Some("/ca.pem"), None));
    assert!(user.token.is_some() && user.exec.is_none());
    assert_eq!((user.impersonate.as_deref(), user.impersonate_groups), (Some("carl"), Some(vec!["ops".to_owned()])));
    assert_eq!(user.impersonate_user_extra.unwrap()["scopes"], ["view", "edit"]);

    let connection =
        Connection { username: Some("dora".into()), password: Some("secret".into()), ..Connection::default() };
    let (_, _, user, _) = resolved(&connection).unwrap();
    assert!(user.username.as_deref() == Some("dora") && user.password.is_some());
    assert!(user.token.is_none() && user.exec.is_none());
}

#[test]
fn unknown_names_list_the_known_ones() {
    let connection = Connection { context: Some("prdo".into()), ..Connection::default() };
    let error = resolved(&connection).unwrap_err();
    assert_eq!(error.to_string(), "the kubeconfig has no context `prdo`");
    assert_eq!(error.hint(), "choose one with --context: prod, test");
    let connection = Connection { user: Some("eve".into()), ..Connection::default() };
    assert_eq!(resolved(&connection).unwrap_err().to_string(), "the kubeconfig has no user `eve`");
}
