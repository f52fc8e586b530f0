//! Effects on the API server. Nothing outside this folder opens a client or sends a write.

pub mod classify;
pub mod connect;
pub mod events;
pub mod health;
pub mod merge;
pub mod names;
pub mod observe;
pub mod tenant;
pub mod watch;
pub mod write;

use std::time::Duration;

use kube::core::Status;

use self::tenant::AccountError;
use crate::leadership::NotLeader;

/// Longest that one request to the API server may take. Requests here are small; a server that needs longer is in trouble.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// What can go wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The process may not write: it does not lead, or leads no more.
    #[error(transparent)]
    NotLeader(#[from] NotLeader),
    /// No answer in time.
    #[error("the API server did not answer within {}s", REQUEST_TIMEOUT.as_secs())]
    TimedOut,
    /// The server answered that it will not, in its own words.
    #[error("{}", .0.message)]
    Refused(Box<Status>),
    /// Nothing can be done as the account.
    #[error(transparent)]
    Account(Box<AccountError>),
    /// The connection failed, or what came over it made no sense.
    #[error("talking to the API server")]
    Failed(#[source] kube::Error),
}

impl From<kube::Error> for RequestError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Refused(status),
            kube::Error::Service(error) => match error.downcast::<AccountError>() {
                Ok(error) => Self::Account(error),
                Err(error) => Self::Failed(kube::Error::Service(error)),
            },
            other => Self::Failed(other),
        }
    }
}

/// Runs one request under its deadline.
///
/// # Errors
/// What the request answers, or [`RequestError::TimedOut`].
pub async fn request<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, RequestError> {
    match tokio::time::timeout(REQUEST_TIMEOUT, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(RequestError::TimedOut),
    }
}
