//! Finds the operator of a cluster: its Deployment, its Pods, its Lease.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;

use super::Error;
use crate::cli::OperatorArgs;
use crate::deployments;
use crate::lease::Place;
use crate::operator::{self, Operator, Replica};
use crate::session::{self, Call, Session};

/// The one operator that is meant; `None` where there is none.
///
/// # Errors
/// The list failed, or there are several and nothing says which.
pub(super) async fn operator(session: &Session, args: &OperatorArgs) -> Result<Option<Operator>, Error> {
    let mut found = deployments::in_sight(session, args.operator_namespace.as_deref()).await?;
    if found.len() > 1 {
        return Err(Error::ManyOperators(found.iter().map(Operator::path).collect()));
    }
    Ok(found.pop())
}

/// As [`operator()`], but there must be one.
///
/// # Errors
/// As [`operator()`], and where there is none.
pub(super) async fn the_operator(session: &Session, args: &OperatorArgs) -> Result<Operator, Error> {
    operator(session, args).await?.ok_or_else(|| none(args))
}

/// That there is no operator.
pub(super) fn none(args: &OperatorArgs) -> Error {
    Error::NoOperator(place(args))
}

/// The operator, if it can be seen, and where its Lease is.
///
/// # Errors
/// Where neither the operator nor flags tell.
pub(super) async fn lease_place(session: &Session, args: &OperatorArgs) -> Result<(Option<Operator>, Place), Error> {
    let operator = match operator(session, args).await {
        Err(Error::Session(session::Error::Forbidden { .. })) if args.operator_namespace.is_some() => None,
        found => found?,
    };
    if operator.as_ref().is_some_and(|operator| !operator.elects()) {
        return Err(Error::NoElection(operator.map(|operator| operator.path()).unwrap_or_default()));
    }
    let place = operator::lease(operator.as_ref(), args).ok_or_else(|| Error::NoOperator(place(args)))?;
    Ok((operator, place))
}

/// The Lease; `None` where there is none.
///
/// # Errors
/// The call failed.
pub(super) async fn lease(session: &Session, place: &Place) -> Result<Option<Lease>, session::Error> {
    let leases: Api<Lease> = Api::namespaced(session.client.clone(), &place.namespace);
    session.call(&lease_call(place), leases.get_opt(&place.name)).await
}

/// Getting the Lease, as messages name it.
pub(super) fn lease_call(place: &Place) -> Call {
    Call::new("get", "coordination.k8s.io", "leases", &["get"]).within(Some(&place.namespace)).named(&place.name)
}

/// The operator's Pods.
///
/// # Errors
/// The list failed.
pub(super) async fn replicas(session: &Session, operator: &Operator) -> Result<Vec<Replica>, session::Error> {
    let pods: Api<Pod> = Api::namespaced(session.client.clone(), operator.namespace());
    let call = Call::new("list", "", "pods", &["list"]).within(Some(operator.namespace()));
    let listed = session.call(&call, pods.list(&ListParams::default().labels(&operator.selector()))).await?;
    Ok(listed.items.iter().map(Replica::of).collect())
}

fn place(args: &OperatorArgs) -> String {
    args.operator_namespace.as_ref().map_or("any namespace".to_owned(), |name| format!("namespace `{name}`"))
}
