//! Every write to the API server. Each carries the resourceVersion that it was decided upon, needs a permit, and names the term of
//! that permit as its user agent, by which the API server's audit log tells whose decision it was.

use http::HeaderValue;
use http::header::USER_AGENT;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::request::{Error as BuildError, Request};
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use jaas_api::{ExternalArtifact, FIELD_MANAGER, JsonnetSnippet};

use super::{RequestError, request};
use crate::leadership::{Epoch, Permit};

/// Changes metadata or spec of an object that is still in the state of `resource_version`.
///
/// # Errors
/// A conflict where somebody else wrote first; whatever the API server answers.
pub async fn patch<K>(permit: &Permit, client: &Client, object: &K, mut patch: Value) -> Result<K, RequestError>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let (requests, name) = address(object);
    patch["metadata"]["resourceVersion"] = json!(object.meta().resource_version);
    send(permit, client, requests.patch(name, &PatchParams::apply(FIELD_MANAGER), &Patch::Merge(&patch))).await
}

/// Changes fields of the status of an object that is still in the state of `resource_version`.
///
/// # Errors
/// A conflict where somebody else wrote first; whatever the API server answers.
pub async fn patch_status<K>(
    permit: &Permit,
    client: &Client,
    object: &K,
    status: serde_json::Map<String, Value>,
) -> Result<K, RequestError>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let (requests, name) = address(object);
    let patch = json!({"metadata": {"resourceVersion": object.meta().resource_version}, "status": status});
    let patched = requests.patch_subresource("status", name, &PatchParams::apply(FIELD_MANAGER), &Patch::Merge(&patch));
    send(permit, client, patched).await
}

/// Creates an artifact.
///
/// # Errors
/// Whatever the API server answers, such as that it is there already.
pub async fn create_artifact(
    permit: &Permit,
    client: &Client,
    artifact: &ExternalArtifact,
) -> Result<ExternalArtifact, RequestError> {
    let (requests, _) = address(artifact);
    let body = serde_json::to_vec(artifact).map_err(BuildError::SerializeBody);
    send(permit, client, body.and_then(|body| requests.create(&ours(), body))).await
}

/// Deletes the very artifact that was looked at, in the state that was looked at: not a later one of the same name, and not one that
/// has been taken over meanwhile.
///
/// # Errors
/// Whatever the API server answers.
pub async fn delete_artifact(
    permit: &Permit,
    client: &Client,
    artifact: &ExternalArtifact,
) -> Result<(), RequestError> {
    let (requests, name) = address(artifact);
    let (uid, resource_version) = (artifact.metadata.uid.clone(), artifact.metadata.resource_version.clone());
    let params =
        DeleteParams { preconditions: Some(Preconditions { uid, resource_version }), ..DeleteParams::default() };
    // The answer is the artifact or a status.
    send::<Value>(permit, client, requests.delete(name, &params)).await.map(drop)
}

/// Annotates a Lease that is still in the state that was read. Its holder's renewals change that state, so a conflict is likely and
/// the next look tries again.
///
/// # Errors
/// A conflict where the holder renewed in between; whatever the API server answers.
pub async fn annotate_lease(
    permit: &Permit,
    client: &Client,
    mut lease: Lease,
    key: &str,
    value: &str,
) -> Result<(), RequestError> {
    lease.annotations_mut().insert(key.to_owned(), value.to_owned());
    replace(permit, client, &lease).await.map(drop)
}

/// Replaces a Secret that is still in the state that was read. Answers its new state.
///
/// # Errors
/// A conflict where somebody else wrote first; whatever the API server answers.
pub async fn replace_secret(permit: &Permit, client: &Client, secret: &Secret) -> Result<Secret, RequestError> {
    replace(permit, client, secret).await
}

/// Replaces a configuration of webhooks that is still in the state that was read.
///
/// # Errors
/// A conflict where somebody else wrote first; whatever the API server answers.
pub async fn replace_webhooks(
    permit: &Permit,
    client: &Client,
    configuration: &ValidatingWebhookConfiguration,
) -> Result<(), RequestError> {
    replace(permit, client, configuration).await.map(drop)
}

/// Adds or removes our finalizer, leaving those of others alone.
///
/// # Errors
/// A conflict where somebody else wrote first; whatever the API server answers.
pub async fn patch_finalizers(
    permit: &Permit,
    client: &Client,
    snippet: &JsonnetSnippet,
    finalizers: &impl Serialize,
) -> Result<JsonnetSnippet, RequestError> {
    patch(permit, client, snippet, json!({"metadata": {"finalizers": finalizers}})).await
}

async fn replace<K>(permit: &Permit, client: &Client, object: &K) -> Result<K, RequestError>
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned,
{
    let (requests, name) = address(object);
    let body = serde_json::to_vec(object).map_err(BuildError::SerializeBody);
    send(permit, client, body.and_then(|body| requests.replace(name, &ours(), body))).await
}

/// Sends what `permit` allows.
async fn send<T: DeserializeOwned>(
    permit: &Permit,
    client: &Client,
    built: Result<http::Request<Vec<u8>>, BuildError>,
) -> Result<T, RequestError> {
    let mut built = built.map_err(kube::Error::BuildRequest)?;
    let agent =
        HeaderValue::try_from(user_agent(permit.epoch())).map_err(|error| kube::Error::HttpError(error.into()))?;
    built.headers_mut().insert(USER_AGENT, agent);
    permit.check()?;
    request(client.request(built)).await
}

/// This program, and the term in which a write was decided, if there are terms.
fn user_agent(epoch: &Epoch) -> String {
    let program = concat!("jaas-operator/", env!("CARGO_PKG_VERSION"));
    if epoch.uid.is_empty() { program.to_owned() } else { format!("{program} (term {epoch})") }
}

fn ours() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

/// Where requests about an object go, and its name.
fn address<K: Resource<DynamicType = ()>>(object: &K) -> (Request, &str) {
    let meta = object.meta();
    (Request::new(K::url_path(&(), meta.namespace.as_deref())), meta.name.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_names_its_term_where_there_are_terms() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(user_agent(&Epoch::default()), format!("jaas-operator/{version}"));
        let epoch = Epoch { uid: "u-1".to_owned(), transitions: 3 };
        assert_eq!(user_agent(&epoch), format!("jaas-operator/{version} (term u-1/3)"));
    }
}
