//! What an error of the API server means for a snippet. Pure.

use kube::core::Status;

use super::RequestError;
use super::tenant::AccountError;

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
    /// The account does not exist.
    AccountMissing,
    /// A policy or a webhook of the cluster does not let it pass.
    DeniedByPolicy,
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
        RequestError::Account(error) => match &**error {
            AccountError::Missing(_) => Meaning::AccountMissing,
            AccountError::NoToken(_, error) => meaning(error),
        },
        RequestError::Failed(_) | RequestError::TimedOut | RequestError::NotLeader(_) => Meaning::Transient,
    }
}

fn meaning_of_status(status: &Status) -> Meaning {
    match (status.code, status.reason.as_str()) {
        // Whoever wrote the policy chose the code; a webhook that could not be asked is another matter and answers 500.
        (400..500, _) if is_policy(status) => Meaning::DeniedByPolicy,
        (_, "AlreadyExists") => Meaning::AlreadyExists,
        (409, _) => Meaning::Conflict,
        (401, _) => Meaning::Unauthorized,
        (404, _) if names_no_object(status) => Meaning::KindMissing,
        (404, _) => Meaning::NotFound,
        // Kubernetes also answers 403 for a full quota and for a namespace that is being deleted; both pass.
        (403, _) if is_passing_denial(status) => Meaning::Transient,
        (403, _) if is_missing_right(status) => Meaning::Forbidden,
        (403, _) => Meaning::DeniedByPolicy,
        (400 | 405 | 413 | 422, _) => Meaning::Rejected,
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
    terminating || status.message.contains("exceeded quota")
}

/// What authorizers of whatever kind answer names the user and the verb; admission plugins answer 403, too, in other words.
fn is_missing_right(status: &Status) -> bool {
    status.message.contains("User \"") && status.message.contains(" cannot ")
}

fn is_policy(status: &Status) -> bool {
    let words = ["admission webhook \"", "ValidatingAdmissionPolicy '"];
    words.iter().any(|word| status.message.contains(word)) && status.message.contains(" denied ")
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
        Meaning::DeniedByPolicy => format!(
            "an admission policy of the cluster denied {context} — change what it objects to, or ask whoever runs it. {error}"
        ),
        Meaning::AccountMissing => error.to_string(),
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
    use crate::cluster::tenant::Account;
    use kube::core::response::{StatusCause, StatusDetails};

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
            (
                403,
                "Forbidden",
                "x \"web\" is forbidden: User \"u\" cannot create resource \"x\" in API group \"\" in the namespace \"a\"",
                "web",
                Meaning::Forbidden,
            ),
            (
                403,
                "Forbidden",
                "x \"web\" is forbidden: exceeded quota: q, requested: count/x=1",
                "web",
                Meaning::Transient,
            ),
            (403, "Forbidden", "x \"web\" is forbidden: this plugin objects", "web", Meaning::DeniedByPolicy),
            (403, "Forbidden", "admission webhook \"w\" denied the request: no", "web", Meaning::DeniedByPolicy),
            (400, "BadRequest", "admission webhook \"w\" denied the request: no", "web", Meaning::DeniedByPolicy),
            (
                401,
                "Unauthorized",
                "x \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
                "web",
                Meaning::DeniedByPolicy,
            ),
            (500, "InternalError", "failed calling webhook \"w\": context deadline exceeded", "", Meaning::Transient),
            (413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728", "", Meaning::Rejected),
            (422, "Invalid", "", "web", Meaning::Rejected),
            (429, "TooManyRequests", "", "", Meaning::Transient),
            (500, "InternalError", "", "", Meaning::Transient),
        ];
        for (code, reason, message, name, expected) in cases {
            assert_eq!(meaning(&error(code, reason, message, name)), expected, "{code} {reason} {message}");
        }
        assert_eq!(meaning(&RequestError::TimedOut), Meaning::Transient);
    }

    #[test]
    fn a_namespace_that_is_being_deleted_denies_for_now() {
        let mut refused = error(403, "Forbidden", "unable to create new content in namespace a", "web");
        if let RequestError::Refused(status) = &mut refused
            && let Some(details) = &mut status.details
        {
            let cause = StatusCause {
                reason: "NamespaceTerminating".to_owned(),
                message: String::new(),
                field: "metadata.namespace".to_owned(),
            };
            details.causes.push(cause);
        }
        assert_eq!(meaning(&refused), Meaning::Transient);
    }

    #[test]
    fn what_is_wrong_with_an_account_is_told_through_every_layer() {
        let account = Account { namespace: "a".to_owned(), name: "gone".to_owned() };
        let through = |error: AccountError| RequestError::from(kube::Error::Service(Box::new(error)));
        let missing = through(AccountError::Missing(account.clone()));
        assert_eq!(meaning(&missing), Meaning::AccountMissing);
        assert_eq!(
            denial_message("publishing", &missing),
            "ServiceAccount \"gone\" not found in namespace \"a\"; create it or name another in spec.serviceAccountName"
        );
        let denied =
            error(403, "Forbidden", "User \"operator\" cannot create resource \"serviceaccounts/token\"", "gone");
        assert_eq!(meaning(&through(AccountError::NoToken(account.clone(), denied.into()))), Meaning::Forbidden);
        let away = through(AccountError::NoToken(account, RequestError::TimedOut.into()));
        assert_eq!(meaning(&away), Meaning::Transient);
    }
}
