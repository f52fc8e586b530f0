//! What a caller may: the API server's own rules, asked for each namespace.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use jaas_api::admin::RESOURCE;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};

use super::auth::Caller;
use super::problem::Refused;
use crate::cluster::request;

/// Questions at a time.
const ASKING: usize = 8;

/// What a right is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// The files of snippets.
    Storage,
    /// The snippets.
    Snippets,
}

impl On {
    fn name(self) -> String {
        match self {
            Self::Storage => format!("{}/{}", RESOURCE.0, RESOURCE.1),
            Self::Snippets => RESOURCE.0.to_owned(),
        }
    }

    fn attributes(self, verb: &str, namespace: Option<&str>) -> ResourceAttributes {
        ResourceAttributes {
            group: Some(jaas_api::GROUP.to_owned()),
            resource: Some(RESOURCE.0.to_owned()),
            subresource: (self == Self::Storage).then(|| RESOURCE.1.to_owned()),
            verb: Some(verb.to_owned()),
            namespace: namespace.map(str::to_owned),
            ..ResourceAttributes::default()
        }
    }
}

/// The namespaces for which a caller has a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All of them, and what is in none.
    All,
    /// These.
    Some(BTreeSet<String>),
}

impl Scope {
    /// Whether it covers something in this namespace, or in none.
    pub(super) fn covers(&self, namespace: Option<&str>) -> bool {
        match self {
            Self::All => true,
            Self::Some(names) => namespace.is_some_and(|name| names.contains(name)),
        }
    }
}

/// Asks what callers may.
pub(super) struct Rights {
    client: Client,
}

impl Rights {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Refuses unless the caller may, in the namespace or, without one, in all.
    pub(super) async fn demand(
        &self,
        caller: &Caller,
        verb: &str,
        on: On,
        namespace: Option<&str>,
    ) -> Result<(), Refused> {
        match self.allows(caller, verb, on, namespace).await? {
            true => Ok(()),
            false => Err(Refused::forbidden(&caller.user, verb, &on.name(), namespace)),
        }
    }

    /// In which of the namespaces the caller may. Refuses where there are some, and it may in none.
    pub(super) async fn scope(
        &self,
        caller: &Caller,
        verb: &str,
        on: On,
        namespaces: BTreeSet<String>,
    ) -> Result<Scope, Refused> {
        if self.allows(caller, verb, on, None).await? {
            return Ok(Scope::All);
        }
        let first = namespaces.first().cloned();
        let covered: BTreeSet<String> = stream::iter(namespaces)
            .map(|name| async move { Ok(self.allows(caller, verb, on, Some(&name)).await?.then_some(name)) })
            .buffer_unordered(ASKING)
            .try_filter_map(|name| std::future::ready(Ok(name)))
            .try_collect()
            .await?;
        match first {
            Some(first) if covered.is_empty() => Err(Refused::forbidden(&caller.user, verb, &on.name(), Some(&first))),
            _ => Ok(Scope::Some(covered)),
        }
    }

    async fn allows(&self, caller: &Caller, verb: &str, on: On, namespace: Option<&str>) -> Result<bool, Refused> {
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(caller.user.clone()),
                uid: caller.uid.clone(),
                groups: caller.groups.clone(),
                extra: caller.extra.clone(),
                resource_attributes: Some(on.attributes(verb, namespace)),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let reviews: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let answer = request(reviews.create(&PostParams::default(), &review)).await;
        let answer = answer.map_err(|error| Refused::unasked("SubjectAccessReview", &error))?;
        Ok(answer.status.is_some_and(|status| status.allowed && !status.denied.unwrap_or_default()))
    }
}
