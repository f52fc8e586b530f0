//! The token that the endpoint is shown, and who asks for it.

use jaas_api::admin::AUDIENCE;
use jaas_findings::known::Obstacle;
use k8s_openapi::api::authentication::v1::{SelfSubjectReview, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;

use crate::cli::Account;
use crate::road::Failure;
use crate::session::{Call, Error, Session};

/// How long a token holds: the shortest that an API server gives.
const SECONDS: i64 = 600;

/// A token of that account that only the endpoint takes.
pub(super) async fn request(session: &Session, account: &Account) -> Result<String, Failure> {
    let Account { namespace, name } = account;
    let accounts: Api<ServiceAccount> = Api::namespaced(session.client.clone(), namespace);
    let call = Call::new("create", "", "serviceaccounts/token", &["create"]).within(Some(namespace)).named(name);
    let spec = TokenRequestSpec {
        audiences: Some(vec![AUDIENCE.to_owned()]),
        expiration_seconds: Some(SECONDS),
        ..Default::default()
    };
    let wanted = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let given = session.call(&call, accounts.create_token_request(name, &PostParams::default(), &wanted)).await;
    match given {
        Ok(given) => {
            let token = given.status.and_then(|status| status.token).filter(|token| !token.is_empty());
            token.ok_or_else(|| Failure::new("admin", Obstacle::Failed, format!("{namespace}/{name} got no token")))
        }
        Err(Error::NotFound { .. }) => {
            let cause = format!("there is no ServiceAccount {namespace}/{name} to get a token for");
            let how = "the chart makes it with operator.admin.enabled=true; or name another with --admin-account";
            Err(Failure::new("admin", Obstacle::NotOffered, cause).help(how))
        }
        Err(error) => Err(Failure::of("admin", &error)),
    }
}

/// Who runs this, as the API server says; nothing where it does not.
pub(super) async fn actor(session: &Session) -> String {
    let reviews: Api<SelfSubjectReview> = Api::all(session.client.clone());
    let call = Call::new("create", "authentication.k8s.io", "selfsubjectreviews", &["create"]);
    let told = session.call(&call, reviews.create(&PostParams::default(), &SelfSubjectReview::default())).await;
    let name = told.ok().and_then(|told| told.status?.user_info?.username).unwrap_or_default();
    // It goes into a header.
    name.chars().filter(|character| character.is_ascii_graphic()).collect()
}
