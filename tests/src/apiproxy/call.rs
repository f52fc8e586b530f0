//! What a client asks for. Pure.

use http::request::Parts;
use http::{Method, StatusCode};

/// What a call does to its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It changes nothing.
    Read,
    /// It has the form of a write, but changes nothing that is kept: it asks for a token or for a right.
    Ask,
    /// It changes something.
    Write,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Its path, as it was sent.
    pub path: String,
    /// What follows the path; empty where nothing does.
    pub query: String,
    /// What it does.
    pub verb: Verb,
    /// What the server answered; `None` while it has not.
    pub status: Option<StatusCode>,
}

impl Call {
    pub(super) fn of(head: &Parts) -> Self {
        let path = head.uri.path().to_owned();
        let verb = verb(&head.method, &path);
        let query = head.uri.query().unwrap_or_default().to_owned();
        Self { method: head.method.clone(), path, query, verb, status: None }
    }

    /// Whether it changes something below a path of which this is a part, such as `/namespaces/team-a/`.
    #[must_use]
    pub fn writes_in(&self, part: &str) -> bool {
        self.verb == Verb::Write && self.path.contains(part)
    }
}

fn verb(method: &Method, path: &str) -> Verb {
    let question = path.ends_with("/token")
        || path.starts_with("/apis/authorization.k8s.io/")
        || path.starts_with("/apis/authentication.k8s.io/");
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => Verb::Read,
        Method::POST if question => Verb::Ask,
        _ => Verb::Write,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_that_are_posted_are_no_writes() {
        for (method, path, expected) in [
            (Method::GET, "/api/v1/namespaces/a/secrets", Verb::Read),
            (Method::HEAD, "/bucket/a/web/x.tar.gz", Verb::Read),
            (Method::POST, "/api/v1/namespaces/a/serviceaccounts/tenant/token", Verb::Ask),
            (Method::POST, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", Verb::Ask),
            (Method::POST, "/apis/events.k8s.io/v1/namespaces/a/events", Verb::Write),
            (Method::PATCH, "/apis/jaas.metio.wtf/v1/namespaces/a/jsonnetsnippets/token", Verb::Write),
            (Method::PUT, "/bucket/a/web/x.tar.gz", Verb::Write),
            (Method::DELETE, "/bucket/a/web/x.tar.gz", Verb::Write),
        ] {
            assert_eq!(verb(&method, path), expected, "{method} {path}");
        }
    }
}
