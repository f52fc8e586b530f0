//! Applying manifests the way `kubectl apply --server-side` does.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{self, Scope};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use crate::wait;

/// Who owns the fields that tests apply.
pub const FIELD_MANAGER: &str = "jaas-tests";

/// Namespace of objects that name none, as kubectl has it.
const DEFAULT_NAMESPACE: &str = "default";

/// Collisions with other writers that one apply puts up with.
const COLLISIONS: usize = 5;

/// How long the API server may take to serve a new definition.
const PATIENCE: Duration = Duration::from_secs(20);

/// Applies every document of a YAML text and returns what the API server made of them: first the custom resource
/// definitions, once they are served, then the rest in the order of the text.
///
/// # Errors
/// When the text is no YAML, a kind is unknown, or the API server refuses an object.
pub async fn apply(client: &Client, yaml: &str) -> Result<Vec<DynamicObject>> {
    apply_all(client, parse(yaml)?).await
}

/// Applies objects like the documents of a text; see [`apply`].
///
/// # Errors
/// As [`apply`].
pub async fn apply_objects(client: &Client, objects: Vec<Value>) -> Result<Vec<DynamicObject>> {
    apply_all(client, read(objects)?).await
}

async fn apply_all(client: &Client, objects: Vec<DynamicObject>) -> Result<Vec<DynamicObject>> {
    let (definitions, others): (Vec<_>, Vec<_>) = objects.into_iter().partition(is_definition);
    let definitions = definitions.iter().map(|object| async {
        let applied = apply_one(client, object).await?;
        established(client, &applied.name_any()).await?;
        Ok::<_, anyhow::Error>(applied)
    });
    let mut applied = try_join_all(definitions).await?;
    for object in &others {
        applied.push(apply_one(client, object).await?);
    }
    Ok(applied)
}

/// Applies every file of a directory, all at once.
///
/// # Errors
/// As [`apply`], and when a file cannot be read.
pub async fn apply_directory(client: &Client, directory: &Path) -> Result<()> {
    let mut texts = Vec::new();
    let entries = fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))?;
    for entry in entries {
        let path = entry.context("reading a directory")?.path();
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        texts.push((path, text));
    }
    let applied = texts.iter().map(|(path, text)| async move {
        apply(client, text).await.with_context(|| format!("applying {}", path.display()))
    });
    try_join_all(applied).await.map(drop)
}

/// The documents of a YAML text as objects.
///
/// # Errors
/// When the text is no YAML or a document is no Kubernetes object.
pub fn parse(yaml: &str) -> Result<Vec<DynamicObject>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).context("reading manifests")?;
    read(documents)
}

fn read(documents: Vec<Value>) -> Result<Vec<DynamicObject>> {
    documents.into_iter().map(|document| serde_json::from_value(document).context("reading a manifest")).collect()
}

/// The API of an object's kind and namespace.
///
/// # Errors
/// When the API server does not know the kind.
pub async fn api_of(client: &Client, object: &DynamicObject) -> Result<Api<DynamicObject>> {
    let types = object.types.as_ref().with_context(|| format!("{} has no apiVersion and kind", object.name_any()))?;
    let kind =
        GroupVersionKind::try_from(types).with_context(|| format!("reading the kind of {}", object.name_any()))?;
    let (resource, capabilities) = discovery::pinned_kind(client, &kind)
        .await
        .with_context(|| format!("asking the API server for {} {}", types.api_version, types.kind))?;
    Ok(match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            let namespace = object.namespace();
            let namespace = namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
    })
}

/// The API of a custom resource whose plural is the lower-case kind and an `s`.
#[must_use]
pub fn custom(client: &Client, namespace: &str, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), &plural(kind));
    Api::namespaced_with(client.clone(), namespace, &resource)
}

fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{kind}s"),
    }
}

/// Two tests that apply the same new object at once can collide in the API server; the later one finds it there.
async fn apply_one(client: &Client, object: &DynamicObject) -> Result<DynamicObject> {
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let api = api_of(client, object).await?;
    let name = object.name_any();
    let mut collisions = 0;
    loop {
        match api.patch(&name, &params, &Patch::Apply(object)).await {
            Err(kube::Error::Api(status)) if status.code == 409 && collisions < COLLISIONS => {
                collisions += 1;
            }
            outcome => {
                return outcome.with_context(|| {
                    let kind = object.types.as_ref().map_or("object", |types| &types.kind);
                    format!("applying {kind} {name}")
                });
            }
        }
    }
}

fn is_definition(object: &DynamicObject) -> bool {
    object.types.as_ref().is_some_and(|types| types.kind == "CustomResourceDefinition")
}

async fn established(client: &Client, name: &str) -> Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    wait::object(&api, name, "is served", PATIENCE, |definition| {
        let conditions = definition.status.iter().flat_map(|status| &status.conditions);
        conditions.flatten().any(|condition| condition.type_ == "Established" && condition.status == "True")
    })
    .await
    .map(drop)
}
