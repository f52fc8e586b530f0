//! Who talks to the API server, and the kubeconfig that says so.

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::certificates::Pair;

/// Somebody who talks to the API server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// May do everything; not for what is under test.
    Admin,
    /// What RBAC sees when a pod of this service account talks to the API server.
    ServiceAccount {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A person or program, in at most two groups.
    User {
        /// The name that RBAC sees.
        name: String,
        /// The groups, besides `system:authenticated`.
        groups: Vec<String>,
    },
}

impl Identity {
    /// A service account.
    #[must_use]
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self::ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The name that RBAC sees.
    #[must_use]
    pub fn user(&self) -> String {
        match self {
            Self::Admin => "jaas-tests-admin".to_owned(),
            Self::ServiceAccount { namespace, name } => {
                format!("system:serviceaccount:{namespace}:{name}")
            }
            Self::User { name, .. } => name.clone(),
        }
    }

    /// The groups that RBAC sees.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        match self {
            Self::Admin => vec!["system:masters".to_owned()],
            Self::ServiceAccount { namespace, .. } => {
                vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")]
            }
            Self::User { groups, .. } => groups.clone(),
        }
    }
}

/// How an identity is proven.
pub(super) enum Proof {
    /// By a client certificate.
    Certificate(Pair),
    /// By a bearer token.
    Token(String),
}

/// A kubeconfig that needs no other file. JSON is YAML, too.
pub(super) fn kubeconfig(url: &str, authority: &str, user: &str, proof: &Proof) -> Value {
    let proof = match proof {
        Proof::Certificate(pair) => json!({
            "client-certificate-data": bytes(&pair.certificate),
            "client-key-data": bytes(&pair.key),
        }),
        Proof::Token(token) => json!({ "token": token }),
    };
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "jaas-tests",
        "contexts": [{ "name": "jaas-tests", "context": { "cluster": "jaas-tests", "user": user } }],
        "clusters": [{
            "name": "jaas-tests",
            "cluster": { "server": url, "certificate-authority-data": bytes(authority) },
        }],
        "users": [{ "name": user, "user": proof }],
    })
}

/// Serialises as base64.
fn bytes(text: &str) -> ByteString {
    ByteString(text.as_bytes().to_vec())
}
