//! A gate in front of the network: what a dry run must not send cannot leave the program.

use std::task::{Context, Poll};

use futures::future::{Either, Ready, ready};
use http::{Method, Request, Uri};
use tower::{BoxError, Layer, Service};

use crate::cli::DryRun;

/// Which requests may change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// Any.
    Allowed,
    /// Those that the API server checks and then drops.
    Tried,
    /// None.
    Refused,
}

impl Writes {
    /// What a run may write.
    pub(crate) fn of(dry_run: Option<DryRun>) -> Self {
        match dry_run {
            None => Self::Allowed,
            Some(DryRun::Server) => Self::Tried,
            Some(DryRun::Client) => Self::Refused,
        }
    }

    /// Whether a request may leave. Reviews ask a question with POST and keep nothing, and neither does a request for a token.
    fn admits(self, method: &Method, uri: &Uri) -> bool {
        let is_read = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        let is_review = *method == Method::POST
            && (uri.path().starts_with("/apis/authorization.k8s.io/")
                || uri.path().starts_with("/apis/authentication.k8s.io/")
                || (uri.path().contains("/serviceaccounts/") && uri.path().ends_with("/token")));
        let is_tried = uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "dryRun=All"));
        is_read
            || is_review
            || match self {
                Self::Allowed => true,
                Self::Tried => is_tried,
                Self::Refused => false,
            }
    }
}

/// A request that a dry run must not send.
#[derive(Debug, thiserror::Error)]
#[error("a dry run does not send {method} {path}")]
struct Stopped {
    method: Method,
    path: String,
}

/// The gate, as a layer and as the service it makes.
#[derive(Clone, Debug)]
pub(super) struct Gate<S = ()> {
    inner: S,
    writes: Writes,
}

impl Gate {
    /// A gate that admits these writes.
    pub(super) fn new(writes: Writes) -> Self {
        Self { inner: (), writes }
    }
}

impl<S> Layer<S> for Gate {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate { inner, writes: self.writes }
    }
}

impl<S, B> Service<Request<B>> for Gate<S>
where
    S: Service<Request<B>, Error = BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Either<Ready<Result<S::Response, BoxError>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.writes.admits(request.method(), request.uri()) {
            return Either::Right(self.inner.call(request));
        }
        let stopped = Stopped { method: request.method().clone(), path: request.uri().path().to_owned() };
        Either::Left(ready(Err(stopped.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_sends_no_write() {
        let cases = [
            (Method::GET, "/apis/x", [true, true, true]),
            (Method::PATCH, "/apis/x", [true, false, false]),
            (Method::PATCH, "/apis/x?fieldManager=m&dryRun=All", [true, true, false]),
            (Method::DELETE, "/api/v1/pods/x", [true, false, false]),
            (Method::POST, "/api/v1/events", [true, false, false]),
            (Method::POST, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", [true, true, true]),
            (Method::POST, "/api/v1/namespaces/a/serviceaccounts/b/token", [true, true, true]),
            (Method::POST, "/api/v1/namespaces/a/serviceaccounts", [true, false, false]),
        ];
        for (method, uri, expected) in cases {
            let uri = uri.parse().unwrap();
            let answers = [Writes::Allowed, Writes::Tried, Writes::Refused].map(|it| it.admits(&method, &uri));
            assert_eq!(answers, expected, "{method} {uri}");
        }
    }
}
