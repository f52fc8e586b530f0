//! Values for the classification of failed calls.

use kube::core::response::StatusDetails;

use super::*;

fn classify(code: u16, message: &str, name: &str, kind: &str) -> Error {
    let call = Call::new("list", "jaas.metio.wtf", "jsonnetsnippets", &["list"]).within(Some("a"));
    let details = StatusDetails {
        name: name.into(),
        group: String::new(),
        kind: kind.into(),
        uid: String::new(),
        causes: Vec::new(),
        retry_after_seconds: 0,
    };
    let status = Status {
        status: None,
        code,
        message: message.into(),
        metadata: None,
        reason: String::new(),
        details: Some(details),
    };
    Error::classify(&call, kube::Error::Api(Box::new(status)), "https://localhost:6443")
}

#[test]
fn each_answer_of_the_server_has_its_exit() {
    let cases = [
        (400, "", Exit::Usage),
        (401, "", Exit::Forbidden),
        (403, "", Exit::Forbidden),
        (404, "web", Exit::NotFound),
        (404, "", Exit::NotFound),
        (429, "", Exit::Unreachable),
        (500, "", Exit::Unexpected),
        (503, "", Exit::Unreachable),
    ];
    for (code, name, exit) in cases {
        assert_eq!(classify(code, "no", name, "").exit(), exit, "{code}");
    }
}

#[test]
fn a_missing_definition_is_told_from_a_missing_object() {
    assert_eq!(
        classify(404, "404 page not found", "", "").to_string(),
        "cannot list jsonnetsnippets in namespace `a`: the cluster does not know the resource \
         jsonnetsnippets.jaas.metio.wtf"
    );
}

#[test]
fn a_refused_impersonation_asks_for_the_right_to_impersonate() {
    for (message, kind) in [
        ("User \"a\" cannot impersonate resource \"users\"", "users"),
        ("User \"a\" cannot impersonate-on:user-info:list resource \"jsonnetsnippets\"", "jsonnetsnippets"),
    ] {
        let hint = classify(403, message, "bob", kind).hint();
        assert!(hint.contains("resources: [\"users\"]\n      verbs: [\"impersonate\"]"), "{hint}");
    }
}

#[test]
fn a_connection_error_shows_its_innermost_cause() {
    let call = Call::new("list", "", "pods", &["list"]);
    let refused = std::io::Error::other(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
    let error = Error::classify(&call, kube::Error::Service(Box::new(refused)), "https://localhost:1");
    assert_eq!(
        error.to_string(),
        "cannot list pods in all namespaces: no answer from https://localhost:1: connection refused"
    );
    assert_eq!(error.exit(), Exit::Unreachable);
}
