//! What the operator's ServiceAccount may do: the API server is asked, nothing is tried.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jaas_findings::Known;
use jaas_findings::facts::Flags;
use jaas_findings::facts::operator::Access;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;

use super::IntoKnown as _;
use crate::operator::Operator;
use crate::session::{Call, Error, Session};

/// How many questions are open at once.
const AT_ONCE: usize = 8;
/// What the operator watches, with the group.
const WATCHED: [(&str, &str); 3] = [
    (jaas_api::GROUP, "jsonnetsnippets"),
    (jaas_api::GROUP, "jsonnetlibraries"),
    (jaas_api::artifact::FLUX_SOURCE_GROUP, "externalartifacts"),
];

/// Whether it may watch what it must watch, in each namespace that it watches.
pub(super) async fn of(session: &Session, operator: &Operator, flags: &Flags) -> Known<Vec<Access>> {
    let account = operator.account();
    let user = format!("system:serviceaccount:{}:{account}", operator.namespace());
    let namespaces: Vec<Option<String>> = match flags.watched_namespaces().as_slice() {
        [] => vec![None],
        names => names.iter().map(|name| Some((*name).to_owned())).collect(),
    };
    let questions: Vec<_> = namespaces
        .iter()
        .flat_map(|place| {
            WATCHED.iter().flat_map(move |what| ["list", "watch"].map(|verb| (verb, *what, place.clone())))
        })
        .collect();
    let answers = stream::iter(questions).map(|question| ask(session, &user, question)).buffered(AT_ONCE);
    answers.try_collect().await.into_known()
}

async fn ask(
    session: &Session,
    user: &str,
    (verb, (group, resource), namespace): (&'static str, (&'static str, &'static str), Option<String>),
) -> Result<Access, Error> {
    let reviews: Api<SubjectAccessReview> = Api::all(session.client.clone());
    let attributes = ResourceAttributes {
        verb: Some(verb.to_owned()),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        namespace: namespace.clone(),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec {
        user: Some(user.to_owned()),
        // The groups that the API server itself would see on this account's token.
        groups: Some(vec!["system:serviceaccounts".to_owned(), "system:authenticated".to_owned()]),
        resource_attributes: Some(attributes),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let call = Call::new("create", "authorization.k8s.io", "subjectaccessreviews", &["create"]);
    let told = session.call(&call, reviews.create(&PostParams::default(), &review)).await?;
    let allowed = told.status.is_some_and(|status| status.allowed);
    Ok(Access { verb: verb.to_owned(), resource: format!("{resource}.{group}"), namespace, allowed })
}
