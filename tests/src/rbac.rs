//! Grants, and waiting until the API server heeds them.
//!
//! The authoriser reads roles and bindings from caches of its own, which lag a few milliseconds behind. A program that
//! starts in between would be refused for a reason that has nothing to do with its rules.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::api::PostParams;
use kube::{Api, Client};

use crate::controlplane::Identity;
use crate::wait;

/// How long the authoriser may lag behind.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether an identity may do something, in one namespace or, without one, in all.
///
/// # Errors
/// When the API server does not answer.
pub async fn allowed(
    admin: &Client,
    identity: &Identity,
    namespace: Option<&str>,
    verb: &str,
    (group, resource): (&str, &str),
) -> Result<bool> {
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (resource, None),
    };
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(identity.user()),
            groups: Some(identity.groups()),
            resource_attributes: Some(ResourceAttributes {
                namespace: namespace.map(ToOwned::to_owned),
                verb: Some(verb.to_owned()),
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource,
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let reviews: Api<SubjectAccessReview> = Api::all(admin.clone());
    let answer = reviews
        .create(&PostParams::default(), &review)
        .await
        .with_context(|| format!("asking what {} may do", identity.user()))?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// Waits until the first rule of a role that names resources is in force.
pub(crate) async fn in_force(
    admin: &Client,
    identity: &Identity,
    namespace: Option<&str>,
    rules: &[PolicyRule],
) -> Result<()> {
    let Some((group, resource, verb)) = rules.iter().find_map(question) else {
        return Ok(());
    };
    let what = format!("{} to be allowed to {verb} {resource}", identity.user());
    wait::eventually(what, PATIENCE, async || {
        match allowed(admin, identity, namespace, verb, (group, resource)).await {
            Ok(true) => Ok(()),
            Ok(false) => Err("not allowed".to_owned()),
            Err(error) => Err(format!("{error:#}")),
        }
    })
    .await
}

/// A rule for named objects answers only about those, so it is passed over.
fn question(rule: &PolicyRule) -> Option<(&str, &str, &str)> {
    if rule.resource_names.iter().flatten().next().is_some() {
        return None;
    }
    let group = rule.api_groups.as_ref()?.first()?;
    let resource = rule.resources.as_ref()?.first()?;
    Some((group, resource, rule.verbs.first()?))
}
