//! `AdmissionReview` of `admission.k8s.io/v1`, as far as it is read and written here. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What the API server asks.
#[derive(Debug, Deserialize)]
pub struct Review {
    /// The question.
    pub request: Option<Request>,
}

/// A question about one object.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Repeated in the answer.
    pub uid: String,
    /// `CREATE`, `UPDATE`, `DELETE` or `CONNECT`.
    pub operation: String,
    /// Namespace of the object.
    #[serde(default)]
    pub namespace: String,
    /// The object as it shall be.
    #[serde(default)]
    pub object: Value,
    /// The object as it is.
    #[serde(default)]
    pub old_object: Value,
}

/// What is thought of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why it is refused.
    pub denial: Option<Denial>,
    /// What whoever sent it should know.
    pub warnings: Vec<String>,
}

/// Why an object is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// HTTP status that the API server answers with.
    pub code: u16,
    /// The sentence.
    pub message: String,
}

impl Verdict {
    /// Nothing to say.
    pub fn fine() -> Self {
        Self::default()
    }

    /// It breaks a rule.
    pub fn denied(message: impl Into<String>) -> Self {
        Self { denial: Some(Denial { code: 403, message: message.into() }), warnings: Vec::new() }
    }

    /// Nothing can be said of it yet; the same request may pass in a moment.
    pub fn not_now(message: impl Into<String>) -> Self {
        Self { denial: Some(Denial { code: 503, message: message.into() }), warnings: Vec::new() }
    }

    /// The word for metrics.
    pub fn word(&self) -> &'static str {
        match &self.denial {
            None => "allowed",
            Some(Denial { code: 503, .. }) => "unavailable",
            Some(_) => "denied",
        }
    }

    /// The answer.
    pub fn answer(self, uid: &str) -> Answer {
        let mut response = json!({"uid": uid, "allowed": self.denial.is_none()});
        if let Some(Denial { code, message }) = self.denial {
            let reason = if code == 503 { "ServiceUnavailable" } else { "Forbidden" };
            response["status"] = json!({"code": code, "message": message, "reason": reason});
        }
        if !self.warnings.is_empty() {
            response["warnings"] = json!(self.warnings);
        }
        Answer { api_version: "admission.k8s.io/v1", kind: "AdmissionReview", response }
    }
}

/// What is answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    api_version: &'static str,
    kind: &'static str,
    response: Value,
}
