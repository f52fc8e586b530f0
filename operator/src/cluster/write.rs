//! Every write to the API server. Each carries the resourceVersion that it was decided upon, and needs a permit.

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use jaas_api::{ExternalArtifact, FIELD_MANAGER, JsonnetSnippet};

use super::{RequestError, request};
use crate::leadership::Permit;

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
    permit.check()?;
    let (api, name) = address(client, object);
    patch["metadata"]["resourceVersion"] = json!(object.meta().resource_version);
    request(api.patch(name, &PatchParams::apply(FIELD_MANAGER), &Patch::Merge(&patch))).await
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
    permit.check()?;
    let (api, name) = address(client, object);
    let patch = json!({"metadata": {"resourceVersion": object.meta().resource_version}, "status": status});
    request(api.patch_status(name, &PatchParams::apply(FIELD_MANAGER), &Patch::Merge(&patch))).await
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
    permit.check()?;
    let api = Api::namespaced(client.clone(), artifact.metadata.namespace.as_deref().unwrap_or_default());
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    request(api.create(&params, artifact)).await
}

/// Deletes the very artifact that was looked at, not a later one of the same name.
///
/// # Errors
/// Whatever the API server answers.
pub async fn delete_artifact(
    permit: &Permit,
    client: &Client,
    artifact: &ExternalArtifact,
) -> Result<(), RequestError> {
    permit.check()?;
    let (api, name) = address(client, artifact);
    let params = DeleteParams {
        preconditions: Some(Preconditions { uid: artifact.metadata.uid.clone(), resource_version: None }),
        ..DeleteParams::default()
    };
    request(api.delete(name, &params)).await.map(drop)
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
    permit.check()?;
    lease.annotations_mut().insert(key.to_owned(), value.to_owned());
    let (api, name) = address(client, &lease);
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    request(api.replace(name, &params, &lease)).await.map(drop)
}

/// Replaces a Secret that is still in the state that was read. Answers its new state.
///
/// # Errors
/// A conflict where somebody else wrote first; whatever the API server answers.
pub async fn replace_secret(permit: &Permit, client: &Client, secret: &Secret) -> Result<Secret, RequestError> {
    permit.check()?;
    let (api, name) = address(client, secret);
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    request(api.replace(name, &params, secret)).await
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
    permit.check()?;
    let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    request(api.replace(&configuration.name_any(), &params, configuration)).await.map(drop)
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

fn address<'a, K>(client: &Client, object: &'a K) -> (Api<K>, &'a str)
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    let meta = object.meta();
    let api = Api::namespaced(client.clone(), meta.namespace.as_deref().unwrap_or_default());
    (api, meta.name.as_deref().unwrap_or_default())
}
