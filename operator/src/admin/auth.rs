//! Who calls: a token for our audience, which the API server knows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use jaas_api::admin::{AUDIENCE, TOKEN_HEADER};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::problem::Refused;
use crate::cluster::request;

/// How long an answer of the API server is believed: a token that was revoked works no longer than this.
const BELIEVED: Duration = Duration::from_secs(60);
/// Callers that are remembered.
const REMEMBERED: u64 = 1_000;
/// Questions to the API server at a time, so that whoever guesses tokens costs it little.
const ASKING: usize = 8;
/// A longer token is none.
const LONGEST: usize = 16 << 10;

/// Somebody whom the API server knows, in its words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) user: String,
    pub(super) uid: Option<String>,
    pub(super) groups: Option<Vec<String>>,
    pub(super) extra: Option<BTreeMap<String, Vec<String>>>,
}

/// Finds out who calls.
pub(super) struct Callers {
    client: Client,
    known: Cache<[u8; 32], Arc<Caller>>,
    asking: Semaphore,
}

impl Callers {
    pub(super) fn new(client: Client) -> Self {
        let known = Cache::builder().max_capacity(REMEMBERED).time_to_live(BELIEVED).build();
        Self { client, known, asking: Semaphore::new(ASKING) }
    }

    /// The caller who sent these fields.
    pub(super) async fn caller(&self, headers: &HeaderMap) -> Result<Arc<Caller>, Refused> {
        let token = token(headers).map_err(Refused::unknown_caller)?;
        // The token itself is not kept.
        let name: [u8; 32] = Sha256::digest(token).into();
        if let Some(caller) = self.known.get(&name) {
            return Ok(caller);
        }
        let caller = Arc::new(self.review(token).await?);
        self.known.insert(name, Arc::clone(&caller));
        Ok(caller)
    }

    async fn review(&self, token: &str) -> Result<Caller, Refused> {
        let spec = TokenReviewSpec { audiences: Some(vec![AUDIENCE.to_owned()]), token: token.to_owned() };
        let review = TokenReview { spec, ..TokenReview::default() };
        let _turn = self.asking.acquire().await;
        let reviews: Api<TokenReview> = Api::all(self.client.clone());
        let answer = request(reviews.create(&PostParams::default(), &review)).await;
        caller(answer.map_err(|error| Refused::unasked("TokenReview", &error))?)
    }
}

/// The token among the fields of a request, or why there is none.
fn token(headers: &HeaderMap) -> Result<&str, &'static str> {
    let plain = headers.get(TOKEN_HEADER);
    let bearer = headers.get(AUTHORIZATION);
    let token = match (plain, bearer) {
        (Some(plain), _) => plain.to_str().ok(),
        (None, Some(bearer)) => {
            let words = bearer.to_str().ok().and_then(|text| text.split_once(' '));
            words.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer")).map(|(_, token)| token)
        }
        (None, None) => return Err("it sent no token"),
    };
    let token = token.map(str::trim).ok_or("what it sent is no bearer token")?;
    match token.len() {
        0 => Err("it sent an empty token"),
        length if length > LONGEST => Err("what it sent is longer than any token"),
        _ => Ok(token),
    }
}

/// What a review says.
fn caller(review: TokenReview) -> Result<Caller, Refused> {
    let status = review.status.unwrap_or_default();
    // A server that knows nothing of audiences names none: then the token is one for itself.
    let ours = status.audiences.iter().flatten().any(|audience| audience == AUDIENCE);
    let user = status.user.unwrap_or_default();
    match (status.authenticated.unwrap_or_default() && ours, user.username.filter(|name| !name.is_empty())) {
        (true, Some(name)) => Ok(Caller { user: name, uid: user.uid, groups: user.groups, extra: user.extra }),
        _ => {
            Err(Refused::unknown_caller("its token is not accepted: it is for another audience, has ended, or is none"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::HeaderName;
    use serde_json::json;

    #[test]
    fn a_token_comes_in_either_field() {
        let found = |fields: &[(&str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.insert(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
            }
            token(&headers).map(str::to_owned)
        };
        let token = |text: &str| Ok(text.to_owned());
        assert_eq!(found(&[("authorization", "Bearer abc")]), token("abc"));
        assert_eq!(found(&[("authorization", "bearer  abc")]), token("abc"));
        assert_eq!(found(&[("x-jaas-token", "def"), ("authorization", "Basic x")]), token("def"));
        for none in
            [&[][..], &[("authorization", "Basic abc")], &[("authorization", "Bearer")], &[("x-jaas-token", " ")]]
        {
            assert!(found(none).is_err(), "{none:?}");
        }
        assert!(found(&[("x-jaas-token", &"a".repeat(LONGEST + 1))]).is_err());
    }

    #[test]
    fn only_who_is_authenticated_for_our_audience_is_known() {
        let judged = |status: serde_json::Value| {
            let review = json!({"spec": {"token": "x"}, "status": status});
            caller(serde_json::from_value(review).unwrap()).map(|caller| caller.user)
        };
        let kim = json!({"username": "kim"});
        let known = json!({"authenticated": true, "audiences": ["x", AUDIENCE], "user": kim});
        assert_eq!(judged(known), Ok("kim".to_owned()));
        for status in [
            json!({"authenticated": false, "audiences": [AUDIENCE], "user": kim}),
            json!({"authenticated": true, "audiences": ["other"], "user": kim}),
            json!({"authenticated": true, "user": kim}),
            json!({"authenticated": true, "audiences": [AUDIENCE], "user": {"username": ""}}),
            json!({"authenticated": true, "audiences": [AUDIENCE]}),
            json!({}),
        ] {
            assert_eq!(judged(status.clone()).unwrap_err().status(), 401, "{status}");
        }
    }
}
