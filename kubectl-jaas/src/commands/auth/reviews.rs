//! Asks the API server for a right: one's own, or somebody else's.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SubjectAccessReview,
    SubjectAccessReviewSpec,
};
use kube::Api;
use kube::api::PostParams;

use crate::session::{Call, Error, Session};
use crate::view::Right;

const GROUP: &str = "authorization.k8s.io";

/// Whether whoever runs this has the right.
pub(super) async fn mine(session: &Session, right: &Right) -> Result<bool, Error> {
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes(right)), ..Default::default() };
    let review = SelfSubjectAccessReview { spec, ..Default::default() };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(session.client.clone());
    let call = Call::new("create", GROUP, "selfsubjectaccessreviews", &["create"]);
    let answer = session.call(&call, reviews.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// Whether a ServiceAccount has the right.
pub(super) async fn of_account(
    session: &Session,
    namespace: &str,
    account: &str,
    right: &Right,
) -> Result<bool, Error> {
    let groups = ["system:serviceaccounts", &format!("system:serviceaccounts:{namespace}"), "system:authenticated"];
    let spec = SubjectAccessReviewSpec {
        user: Some(format!("system:serviceaccount:{namespace}:{account}")),
        // Those that the API server itself would see on a token of this account.
        groups: Some(groups.map(str::to_owned).to_vec()),
        resource_attributes: Some(attributes(right)),
        ..Default::default()
    };
    let review = SubjectAccessReview { spec, ..Default::default() };
    let reviews: Api<SubjectAccessReview> = Api::all(session.client.clone());
    let call = Call::new("create", GROUP, "subjectaccessreviews", &["create"]);
    let answer = session.call(&call, reviews.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

fn attributes(right: &Right) -> ResourceAttributes {
    let (resource, group) = right.resource.split_once('.').unwrap_or((&right.resource, ""));
    let (resource, subresource) = resource.split_once('/').map_or((resource, None), |(name, sub)| (name, Some(sub)));
    // `externalartifacts/status.group` carries the group behind the subresource.
    ResourceAttributes {
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource: subresource.map(str::to_owned),
        verb: Some(right.verb.clone()),
        namespace: Some(right.namespace.clone()).filter(|name| !name.is_empty()),
        name: Some(right.name.clone()).filter(|name| !name.is_empty()),
        ..ResourceAttributes::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_asked_for_by_its_parts() {
        let right = |resource: &str, name: &str| Right {
            command: String::new(),
            verb: "get".to_owned(),
            resource: resource.to_owned(),
            namespace: "a".to_owned(),
            name: name.to_owned(),
            optional: false,
            allowed: None,
        };
        let told = |resource, name| {
            let it = attributes(&right(resource, name));
            (it.group.unwrap(), it.resource.unwrap(), it.subresource, it.name)
        };
        let parts = |group: &str, resource: &str, sub: Option<&str>, name: Option<&str>| {
            (group.to_owned(), resource.to_owned(), sub.map(str::to_owned), name.map(str::to_owned))
        };
        assert_eq!(told("pods/log", ""), parts("", "pods", Some("log"), None));
        assert_eq!(told("x/status.g.io", ""), parts("g.io", "x", Some("status"), None));
        assert_eq!(told("serviceaccounts/token", "b"), parts("", "serviceaccounts", Some("token"), Some("b")));
    }
}
