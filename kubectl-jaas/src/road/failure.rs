//! Why a road does not lead to the store. Pure.

use jaas_findings::Why;
use jaas_findings::known::Obstacle;
use schemars::JsonSchema;
use serde::Serialize;

use crate::session::Error;

/// Why a road does not lead to the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, thiserror::Error)]
#[error("{road}: {cause}")]
pub(crate) struct Failure {
    /// The road, as `--route` has it.
    pub(crate) road: &'static str,
    /// What kind of obstacle.
    #[serde(rename = "why")]
    pub(crate) obstacle: Obstacle,
    /// What stood in the way.
    pub(crate) cause: String,
    /// What would help; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) how: String,
}

impl Failure {
    /// A failure without a remedy.
    pub(crate) fn new(road: &'static str, obstacle: Obstacle, cause: impl Into<String>) -> Self {
        Self { road, obstacle, cause: cause.into(), how: String::new() }
    }

    /// The same with what would help.
    pub(crate) fn help(mut self, how: impl Into<String>) -> Self {
        self.how = how.into();
        self
    }

    /// The failure of a call to the API server.
    pub(crate) fn of(road: &'static str, error: &Error) -> Self {
        let why = crate::facts::why(error);
        let how = match error {
            Error::Forbidden { rule, .. } => rule.clone(),
            _ => String::new(),
        };
        Self { road, obstacle: why.why, cause: error.to_string(), how }
    }

    /// As the reason for a fact that is not known.
    pub(crate) fn why(&self) -> Why {
        Why::new(self.obstacle, self.to_string().replace('`', ""))
    }

    /// Whether a right is missing.
    pub(crate) fn is_missing_right(&self) -> bool {
        self.obstacle == Obstacle::NoRight
    }
}
