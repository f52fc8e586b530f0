//! Problem documents (RFC 9457). Clients rely on the codes; none is ever renamed. Pure.

use std::time::Duration;

use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use jaas_render::worker::{Ending, EvaluateError};
use serde::Serialize;
use warp::reply::{Reply, Response};

use super::quote::Quoted;

/// What the codes' types begin with.
const TYPES: &str = "https://jaas.projects.metio.wtf/errors/";
/// Seconds after which a client asks again that was refused: about as long as an evaluation takes.
const RETRY_SECONDS: &str = "1";

/// Why there is no document.
#[derive(Debug)]
pub(super) struct Problem {
    code: &'static str,
    title: &'static str,
    status: StatusCode,
    detail: String,
    snippet: String,
    /// For the log alone.
    diagnostic: String,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    snippet: &'a str,
}

impl Problem {
    fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
        snippet: &str,
    ) -> Self {
        Self { code, title, status, detail: detail.into(), snippet: snippet.to_owned(), diagnostic: String::new() }
    }

    fn because(self, diagnostic: impl Into<String>) -> Self {
        Self { diagnostic: diagnostic.into(), ..self }
    }

    /// Another method than GET.
    pub(super) fn method_not_allowed() -> Self {
        let (code, title) = ("method_not_allowed", "Method not allowed");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, code, title, "only GET is supported", "")
    }

    /// There is no such snippet.
    pub(super) fn not_found(snippet: &str) -> Self {
        let detail = format!("snippet {} not found", Quoted(snippet));
        Self::new(StatusCode::NOT_FOUND, "snippet_not_found", "Snippet not found", detail, snippet)
    }

    /// As many evaluations run as may.
    pub(super) fn unavailable(snippet: &str) -> Self {
        let detail = "concurrent-eval cap is full; retry after backoff";
        let (code, title) = ("evaluation_unavailable", "Evaluation unavailable");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, title, detail, snippet).because(detail)
    }

    /// It took too long.
    pub(super) fn timeout(snippet: &str, limit: Duration, diagnostic: impl Into<String>) -> Self {
        let detail = format!("evaluation exceeded {}", kube::core::Duration::from(limit));
        let (code, title) = ("evaluation_timeout", "Evaluation timed out");
        Self::new(StatusCode::GATEWAY_TIMEOUT, code, title, detail, snippet).because(diagnostic)
    }

    /// The program does not evaluate.
    pub(super) fn failed(snippet: &str, diagnostic: &str) -> Self {
        let (code, title) = ("evaluation_failed", "Jsonnet evaluation failed");
        Self::new(StatusCode::BAD_REQUEST, code, title, "evaluation failed", snippet).because(diagnostic)
    }

    /// What the workers answered instead of a document.
    pub(super) fn of(snippet: &str, error: &EvaluateError, diagnostic: String) -> Self {
        let bad = |code, title, detail: String| {
            Self::new(StatusCode::BAD_REQUEST, code, title, detail, snippet).because(diagnostic.as_str())
        };
        let memory = || {
            let detail = "evaluation ran out of memory".to_owned();
            bad("evaluation_out_of_memory", "Jsonnet evaluation ran out of memory", detail)
        };
        match error {
            EvaluateError::Unavailable(_) => Self::unavailable(snippet).because(diagnostic),
            EvaluateError::Timeout { limit, .. } => Self::timeout(snippet, *limit, diagnostic),
            EvaluateError::OutputTooLarge { limit } => {
                bad("document_too_large", "Document too large", format!("the document is larger than {limit} bytes"))
            }
            EvaluateError::TooLarge { .. } => memory(),
            EvaluateError::Died { cause } => match cause.ending {
                Ending::OutOfMemory(_) | Ending::Killed => memory(),
                Ending::StackOverflow => {
                    let detail = "evaluation nests too deep".to_owned();
                    bad("evaluation_too_deep", "Jsonnet evaluation nests too deep", detail)
                }
                _ => Self::failed(snippet, &diagnostic),
            },
            EvaluateError::Failed(_) => Self::failed(snippet, &diagnostic),
        }
    }

    /// The status of the answer.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// What the log says besides.
    pub(super) fn diagnostic(&self) -> &str {
        &self.diagnostic
    }

    /// The answer.
    pub(super) fn into_response(self) -> Response {
        let document = Document {
            r#type: format!("{TYPES}{}", self.code),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            snippet: &self.snippet,
        };
        let mut response = warp::reply::with_status(warp::reply::json(&document), self.status).into_response();
        let fields = response.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.status {
            StatusCode::METHOD_NOT_ALLOWED => drop(fields.insert(ALLOW, HeaderValue::from_static("GET"))),
            StatusCode::SERVICE_UNAVAILABLE => {
                drop(fields.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS)));
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http_body_util::BodyExt;
    use jaas_render::Failure;
    use jaas_render::worker::{Death, Scene};

    use super::*;

    async fn told(problem: Problem) -> (u16, String) {
        let response = problem.into_response();
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn each_problem_is_written_as_it_always_was() {
        assert_eq!(
            told(Problem::method_not_allowed()).await,
            (405, r#"{"type":"https://jaas.projects.metio.wtf/errors/method_not_allowed","title":"Method not allowed","status":405,"detail":"only GET is supported","code":"method_not_allowed"}"#.to_owned())
        );
        assert_eq!(
            told(Problem::not_found("a\"b")).await,
            (404, r#"{"type":"https://jaas.projects.metio.wtf/errors/snippet_not_found","title":"Snippet not found","status":404,"detail":"snippet \"a\\\"b\" not found","code":"snippet_not_found","snippet":"a\"b"}"#.to_owned())
        );
        assert_eq!(
            told(Problem::not_found("")).await.1,
            r#"{"type":"https://jaas.projects.metio.wtf/errors/snippet_not_found","title":"Snippet not found","status":404,"detail":"snippet \"\" not found","code":"snippet_not_found"}"#
        );
        assert_eq!(
            told(Problem::timeout("app", Duration::from_millis(1500), "")).await,
            (504, r#"{"type":"https://jaas.projects.metio.wtf/errors/evaluation_timeout","title":"Evaluation timed out","status":504,"detail":"evaluation exceeded 1.5s","code":"evaluation_timeout","snippet":"app"}"#.to_owned())
        );
        assert_eq!(
            told(Problem::failed("app", "secret: RUNTIME ERROR")).await,
            (400, r#"{"type":"https://jaas.projects.metio.wtf/errors/evaluation_failed","title":"Jsonnet evaluation failed","status":400,"detail":"evaluation failed","code":"evaluation_failed","snippet":"app"}"#.to_owned())
        );
        let full = Problem::unavailable("app").into_response();
        assert_eq!((full.status().as_u16(), &full.headers()[RETRY_AFTER]), (503, &HeaderValue::from_static("1")));
        assert_eq!(
            told(Problem::unavailable("app")).await.1,
            r#"{"type":"https://jaas.projects.metio.wtf/errors/evaluation_unavailable","title":"Evaluation unavailable","status":503,"detail":"concurrent-eval cap is full; retry after backoff","code":"evaluation_unavailable","snippet":"app"}"#
        );
    }

    #[test]
    fn each_end_of_an_evaluation_has_a_code_and_tells_no_more() {
        let died = |ending| EvaluateError::Died {
            cause: Death { ending, last_words: "secret".to_owned(), scene: Scene::default() },
        };
        let limit = Duration::from_secs(5);
        for (error, status, code) in [
            (EvaluateError::Failed(Failure::Evaluation("secret".to_owned())), 400, "evaluation_failed"),
            (EvaluateError::Timeout { limit, scene: Scene::default() }, 504, "evaluation_timeout"),
            (EvaluateError::OutputTooLarge { limit: 7 }, 400, "document_too_large"),
            (EvaluateError::TooLarge { bytes: 2, limit: 1 }, 400, "evaluation_out_of_memory"),
            (EvaluateError::Unavailable(std::io::Error::other("secret")), 503, "evaluation_unavailable"),
            (died(Ending::OutOfMemory(None)), 400, "evaluation_out_of_memory"),
            (died(Ending::StackOverflow), 400, "evaluation_too_deep"),
            (died(Ending::Signal(11)), 400, "evaluation_failed"),
        ] {
            let problem = Problem::of("app", &error, "secret".to_owned());
            assert_eq!((problem.status().as_u16(), problem.code, problem.diagnostic()), (status, code, "secret"));
            assert!(!problem.detail.contains("secret"));
        }
    }
}
