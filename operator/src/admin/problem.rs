//! Answers that are no success: a status and a sentence. Pure.

use http::header::{ALLOW, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use jaas_api::admin::{AUDIENCE, Problem};
use warp::reply::{Reply, Response};

use crate::cluster::RequestError;
use crate::snippet::outcome::chain;

/// Seconds after which one who came second asks again.
const RETRY_SECONDS: &str = "5";

/// Why a call is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    status: StatusCode,
    problem: Problem,
    field: Option<(HeaderName, &'static str)>,
}

impl Refused {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, problem: Problem { message: message.into(), leader: None }, field: None }
    }

    fn with(self, name: HeaderName, value: &'static str) -> Self {
        Self { field: Some((name, value)), ..self }
    }

    /// The status of the answer.
    #[cfg(test)]
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// The sentence.
    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.problem.message
    }

    /// The caller showed no token that is good here.
    pub(super) fn unknown_caller(why: &str) -> Self {
        let message = format!(
            "the admin endpoint does not know who calls: {why}; show a token for the audience {AUDIENCE}, as from: kubectl create token ACCOUNT --audience {AUDIENCE}"
        );
        Self::new(StatusCode::UNAUTHORIZED, message).with(WWW_AUTHENTICATE, "Bearer")
    }

    /// The caller lacks a right.
    pub(super) fn forbidden(caller: &str, verb: &str, resource: &str, namespace: Option<&str>) -> Self {
        let place = namespace.map_or("in all namespaces".to_owned(), |name| format!("in the namespace {name}"));
        Self::new(
            StatusCode::FORBIDDEN,
            format!(
                "{caller} may not {verb} {resource}.{} {place}; grant it by a role with apiGroups [{}], resources [{resource}], verbs [{verb}]",
                jaas_api::GROUP,
                jaas_api::GROUP
            ),
        )
    }

    /// There is no such call.
    pub(super) fn no_such_call(path: &str) -> Self {
        let path: String = path.chars().take(80).collect();
        Self::new(StatusCode::NOT_FOUND, format!("the admin endpoint has no call {path}"))
    }

    /// The call is made by another method.
    pub(super) fn wrong_method(method: &'static str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("the call is made by {method}")).with(ALLOW, method)
    }

    /// What was sent cannot be understood.
    pub(super) fn bad_request(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why)
    }

    /// Somebody else is at it.
    pub(super) fn one_at_a_time(what: &str) -> Self {
        let message =
            format!("another {what} is under way, and there is one at a time; try again in {RETRY_SECONDS} s");
        Self::new(StatusCode::TOO_MANY_REQUESTS, message).with(RETRY_AFTER, RETRY_SECONDS)
    }

    /// Another replica leads.
    pub(super) fn not_leader(replica: &str, leader: Option<String>) -> Self {
        let who = leader.as_ref().map_or("it does not know who does".to_owned(), |leader| format!("{leader} does"));
        let message = format!("the replica {replica} does not lead: {who}; ask the leader");
        let refused = Self::new(StatusCode::MISDIRECTED_REQUEST, message);
        Self { problem: Problem { leader, ..refused.problem }, ..refused }
    }

    /// The store or the API server does not answer.
    pub(super) fn unavailable(why: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, why).with(RETRY_AFTER, RETRY_SECONDS)
    }

    /// A question to the API server about the caller was not answered.
    pub(super) fn unasked(resource: &str, error: &RequestError) -> Self {
        let refused = matches!(error, RequestError::Refused(status) if status.code == 403);
        let advice =
            if refused { "; bind the ClusterRole jaas-operator-admin to the operator's ServiceAccount" } else { "" };
        Self::unavailable(format!("asking the API server by {resource} about the caller: {}{advice}", chain(error)))
    }

    /// The answer.
    pub(super) fn response(&self) -> Response {
        let mut response = warp::reply::with_status(warp::reply::json(&self.problem), self.status).into_response();
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((name, value)) = &self.field {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_says_who_what_and_what_to_do() {
        let forbidden = Refused::forbidden("kim", "delete", "jsonnetsnippets/storage", Some("team-a"));
        assert_eq!(
            forbidden.message(),
            "kim may not delete jsonnetsnippets/storage.jaas.metio.wtf in the namespace team-a; grant it by a role with apiGroups [jaas.metio.wtf], resources [jsonnetsnippets/storage], verbs [delete]"
        );
        assert_eq!(forbidden.response().status(), 403);
        let elsewhere = Refused::not_leader("pod-a_1", Some("pod-b_2".to_owned()));
        assert_eq!((elsewhere.status().as_u16(), elsewhere.problem.leader.as_deref()), (421, Some("pod-b_2")));
        assert!(elsewhere.message().contains("pod-b_2 does"));
        let busy = Refused::one_at_a_time("inventory").response();
        assert_eq!((busy.status().as_u16(), busy.headers()["retry-after"].to_str().ok()), (429, Some("5")));
        assert!(Refused::unknown_caller("no token").response().headers().contains_key("www-authenticate"));
    }
}
