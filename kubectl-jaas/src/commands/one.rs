//! One snippet by its name.

use jaas_api::ExternalArtifact;
use jaas_api::artifact::FLUX_SOURCE_GROUP;
use kube::Api;

use super::Error;
use super::select::ArgumentError;
use crate::session::{self, Call, Session};
use crate::snippet::{Key, RESOURCE, Snippet};
use crate::view::Report;

/// The snippet that `name` means.
///
/// # Errors
/// A name with a slash, often meant as `namespace/name`.
pub(super) fn key(name: &str, session: &Session, command: &'static str) -> Result<Key, Error> {
    if name.contains('/') {
        return Err(ArgumentError::Slash { name: name.to_owned(), command }.into());
    }
    Ok(Key { namespace: session.namespace.clone(), name: name.to_owned() })
}

/// The artifact that announces what it published, if there is one.
///
/// # Errors
/// The call failed.
pub(super) async fn artifact(session: &Session, key: &Key) -> Result<Option<ExternalArtifact>, session::Error> {
    let artifacts: Api<ExternalArtifact> = Api::namespaced(session.client.clone(), &key.namespace);
    let call = Call::new("get", FLUX_SOURCE_GROUP, "externalartifacts", &["get"]).within(Some(&key.namespace));
    session.call(&call.named(&key.name), artifacts.get_opt(&key.name)).await
}

/// Gets it, and notes the scope.
///
/// # Errors
/// The call failed.
pub(super) async fn get(session: &Session, key: &Key, report: &mut Report) -> Result<Snippet, Error> {
    report.metadata.scope.namespaces = vec![key.namespace.clone()];
    let snippets: Api<Snippet> = Api::namespaced(session.client.clone(), &key.namespace);
    let call = Call::new("get", jaas_api::GROUP, RESOURCE, &["get"]).within(Some(&key.namespace)).named(&key.name);
    let snippet = session.call(&call, snippets.get(&key.name)).await?;
    report.metadata.scope.snippets = 1;
    Ok(snippet)
}
