//! The operators of a cluster, by the label of their Deployments.

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::ListParams;

use crate::operator::{LABEL, Operator};
use crate::session::{Call, Error, Session};

/// Namespace of the operator where nobody says otherwise: the one that the documentation installs it into.
pub(crate) const USUAL_NAMESPACE: &str = "jaas-system";
/// What helps whoever may not look everywhere.
pub(crate) const NAME_IT: &str = "name the operator's namespace with --operator-namespace or JAAS_OPERATOR_NAMESPACE";

/// Every operator in that namespace, or in all.
///
/// # Errors
/// The list failed.
pub(crate) async fn list(session: &Session, namespace: Option<&str>) -> Result<Vec<Operator>, Error> {
    let deployments: Api<Deployment> = match namespace {
        Some(namespace) => Api::namespaced(session.client.clone(), namespace),
        None => Api::all(session.client.clone()),
    };
    let call = Call::new("list", "apps", "deployments", &["list"]).within(namespace);
    let call = if namespace.is_none() { call.or_else(NAME_IT) } else { call };
    let listed = session.call(&call, deployments.list(&ListParams::default().labels(LABEL))).await?;
    Ok(listed.items.into_iter().map(Operator).collect())
}

/// Every operator that can be seen: in that namespace, or in all; without the right to list all of them, where one most likely is.
///
/// # Errors
/// The list failed, and where all namespaces were meant and must not be listed, none is in sight.
pub(crate) async fn in_sight(session: &Session, namespace: Option<&str>) -> Result<Vec<Operator>, Error> {
    match list(session, namespace).await {
        Err(error @ Error::Forbidden { .. }) if namespace.is_none() => {
            let near = nearby(session).await;
            if near.is_empty() { Err(error) } else { Ok(near) }
        }
        listed => listed,
    }
}

/// Operators in the namespace of the context and in the usual one, as far as they can be seen: roles for people name namespaces.
pub(crate) async fn nearby(session: &Session) -> Vec<Operator> {
    let mut near = list(session, Some(USUAL_NAMESPACE)).await.unwrap_or_default();
    if session.namespace != USUAL_NAMESPACE {
        near.extend(list(session, Some(&session.namespace)).await.unwrap_or_default());
    }
    near
}
