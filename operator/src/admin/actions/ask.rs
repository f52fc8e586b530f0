//! What the API server says of a snippet just now, whatever the caches hold.

use std::collections::HashMap;
use std::fmt::Debug;

use jaas_storage::Key;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::judge::Facts;
use crate::cluster::classify::{Meaning, meaning};
use crate::cluster::request;
use crate::snippet::outcome::chain;

/// Asks for one request of a caller.
pub(super) struct Asking {
    client: Client,
    /// Whether a namespace is being deleted, as it was when this request first came to it.
    terminating: HashMap<String, bool>,
}

impl Asking {
    pub(super) fn new(client: Client) -> Self {
        Self { client, terminating: HashMap::new() }
    }

    /// The facts about a snippet, or what could not be asked and why.
    pub(super) async fn facts(&mut self, key: &Key) -> Result<Facts, String> {
        let terminating = self.is_terminating(key.namespace()).await?;
        let (snippet, artifact) = tokio::try_join!(get(&self.client, key), get(&self.client, key))?;
        Ok(Facts { terminating, snippet, artifact })
    }

    async fn is_terminating(&mut self, name: &str) -> Result<bool, String> {
        if let Some(known) = self.terminating.get(name) {
            return Ok(*known);
        }
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let terminating = match request(namespaces.get(name)).await {
            Ok(namespace) => namespace.metadata.deletion_timestamp.is_some(),
            Err(error) if meaning(&error) == Meaning::NotFound => false,
            Err(error) => return Err(format!("asking the API server for the namespace {name}: {}", chain(&error))),
        };
        self.terminating.insert(name.to_owned(), terminating);
        Ok(terminating)
    }
}

/// An object, or `None` where the server knows the kind and says that there is no such object.
async fn get<K>(client: &Client, key: &Key) -> Result<Option<K>, String>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let objects: Api<K> = Api::namespaced(client.clone(), key.namespace());
    match request(objects.get(key.name())).await {
        Ok(object) => Ok(Some(object)),
        Err(error) if meaning(&error) == Meaning::NotFound => Ok(None),
        Err(error) => Err(format!("asking the API server for the {} {key}: {}", K::kind(&()), chain(&error))),
    }
}
