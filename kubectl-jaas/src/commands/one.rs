//! One snippet by its name.

use jaas_api::ExternalArtifact;
use jaas_api::artifact::FLUX_SOURCE_GROUP;
use kube::Api;

use super::select::ArgumentError;
use super::{Error, Invocation};
use crate::session::{self, Call, Session};
use crate::snippet::{Key, RESOURCE, Snippet};
use crate::view::Report;

/// The snippet that `name` means: one of the namespace in use, or `namespace/name`.
///
/// # Errors
/// More than one slash, or another namespace than `-n` names.
pub(super) fn key(
    name: &str,
    session: &Session,
    invocation: &Invocation<'_>,
    command: &'static str,
) -> Result<Key, Error> {
    let said = invocation.connection.namespace.as_deref();
    meant(name, &session.namespace, said).ok_or_else(|| ArgumentError::Slash { name: name.to_owned(), command }.into())
}

/// Refuses a name that cannot be meant, before anybody is asked.
///
/// # Errors
/// As [`key`].
pub(super) fn check(name: &str, invocation: &Invocation<'_>, command: &'static str) -> Result<(), Error> {
    let slash = || ArgumentError::Slash { name: name.to_owned(), command };
    // Which namespace is in use does not matter here.
    meant(name, "default", invocation.connection.namespace.as_deref()).map(drop).ok_or_else(|| slash().into())
}

/// The same without a session: `said` is what `-n` names.
pub(super) fn meant(name: &str, namespace: &str, said: Option<&str>) -> Option<Key> {
    let (namespace, name) = match name.split_once('/') {
        None => (namespace, name),
        Some((place, name)) if said.is_none_or(|said| said == place) => (place, name),
        Some(_) => return None,
    };
    let is_whole = !namespace.is_empty() && !name.is_empty() && !name.contains('/');
    is_whole.then(|| Key { namespace: namespace.to_owned(), name: name.to_owned() })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_say_its_namespace_unless_a_flag_says_another() {
        let key = |name: &str, said| meant(name, "here", said).map(|key| key.to_string());
        assert_eq!(key("web", None).as_deref(), Some("here/web"));
        assert_eq!(key("team-a/web", None).as_deref(), Some("team-a/web"));
        assert_eq!(key("team-a/web", Some("team-a")).as_deref(), Some("team-a/web"));
        assert_eq!((key("team-a/web", Some("here")), key("a/b/c", None), key("/web", None)), (None, None, None));
    }
}
