//! What an error of the API server means for a snippet. Pure.

use kube::core::Status;

use super::RequestError;

/// Meaning of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The object is not there.
    NotFound,
    /// The kind itself is not there.
    KindMissing,
    /// It is there already.
    AlreadyExists,
    /// Somebody else wrote first.
    Conflict,
    /// The account lacks a right.
    Forbidden,
    /// The token is not accepted.
    Unauthorized,
    /// The request is wrong and stays so.
    Rejected,
    /// May pass by itself.
    Transient,
}

/// The meaning of a request's error.
pub fn meaning(error: &RequestError) -> Meaning {
    match error {
        RequestError::Refused(status) => meaning_of_status(status),
        RequestError::Failed(_) | RequestError::TimedOut | RequestError::NotLeader(_) => Meaning::Transient,
    }
}

fn meaning_of_status(status: &Status) -> Meaning {
    match (status.code, status.reason.as_str()) {
        (_, "AlreadyExists") => Meaning::AlreadyExists,
        (409, _) => Meaning::Conflict,
        (401, _) => Meaning::Unauthorized,
        (404, _) if names_no_object(status) => Meaning::KindMissing,
        (404, _) => Meaning::NotFound,
        // Kubernetes also answers 403 for a full quota and for a namespace that is being deleted; both pass.
        (403, _) if is_passing_denial(status) => Meaning::Transient,
        (403, _) => Meaning::Forbidden,
        (400 | 405 | 422, _) => Meaning::Rejected,
        _ => Meaning::Transient,
    }
}

/// A path that the server does not know gives a 404 without the name of an object.
fn names_no_object(status: &Status) -> bool {
    status.details.as_ref().is_none_or(|details| details.name.is_empty())
}

fn is_passing_denial(status: &Status) -> bool {
    let terminating = status
        .details
        .as_ref()
        .is_some_and(|details| details.causes.iter().any(|cause| cause.reason == "NamespaceTerminating"));
    terminating || status.message.contains("exceeded quota") || status.message.contains("admission webhook")
}

/// The sentence of a permanent error, as users of the Go implementation know it.
pub fn denial_message(context: &str, error: &RequestError) -> String {
    match meaning(error) {
        Meaning::KindMissing => format!(
            "{context} refers to a kind not registered with the apiserver — install the corresponding CRD. {error}"
        ),
        Meaning::Rejected => format!(
            "apiserver rejected {context} — the payload violates the CRD's validation or an admission webhook's policy; retry won't help. {error}"
        ),
        Meaning::Forbidden
        | Meaning::NotFound
        | Meaning::AlreadyExists
        | Meaning::Conflict
        | Meaning::Unauthorized
        | Meaning::Transient => {
            format!("RBAC denied {context} — grant the tenant ServiceAccount the missing verb. {error}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::response::StatusDetails;

    fn error(code: u16, reason: &str, message: &str, name: &str) -> RequestError {
        let mut status = Status::failure(message, reason);
        status.code = code;
        status.details = Some(StatusDetails {
            name: name.to_owned(),
            group: String::new(),
            kind: String::new(),
            uid: String::new(),
            causes: Vec::new(),
            retry_after_seconds: 0,
        });
        RequestError::Refused(status.boxed())
    }

    #[test]
    fn each_answer_has_its_meaning() {
        let cases = [
            (404, "NotFound", "", "web", Meaning::NotFound),
            (404, "NotFound", "the server could not find the requested resource", "", Meaning::KindMissing),
            (409, "AlreadyExists", "", "web", Meaning::AlreadyExists),
            (409, "Conflict", "", "web", Meaning::Conflict),
            (401, "Unauthorized", "", "", Meaning::Unauthorized),
            (403, "Forbidden", "cannot create resource", "web", Meaning::Forbidden),
            (403, "Forbidden", "exceeded quota: q", "web", Meaning::Transient),
            (422, "Invalid", "", "web", Meaning::Rejected),
            (429, "TooManyRequests", "", "", Meaning::Transient),
            (500, "InternalError", "", "", Meaning::Transient),
        ];
        for (code, reason, message, name, expected) in cases {
            assert_eq!(meaning(&error(code, reason, message, name)), expected, "{code} {reason} {message}");
        }
        assert_eq!(meaning(&RequestError::TimedOut), Meaning::Transient);
    }
}
