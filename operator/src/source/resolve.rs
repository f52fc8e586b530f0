//! From a reference to files: read as the tenant, judged, downloaded or found on the shelf.

use std::sync::Arc;

use bytes::Bytes;
use jaas_api::Reason;
use jaas_api::artifact::{FLUX_SOURCE_GROUP, FLUX_SOURCE_VERSION};
use jaas_api::source::{SourceKind, SourceRef};
use jaas_sources::{Files, Folder, NotUsable, Upstream, upstream};
use jaas_storage::store::ArtifactPath;
use kube::Api;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::reflector::ObjectRef;
use serde_json::Value;

use super::fetch::FetchError;
use super::shelf::SourceError;
use crate::cluster::classify::{Meaning, meaning};
use crate::cluster::{names, request};
use crate::config::Snippets;
use crate::graph::Name;
use crate::snippet::World;
use crate::snippet::gather::Tenant;
use crate::snippet::outcome::{Attempt, Refusal, chain, tenant_request};

/// Files that a source provided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Digest of the artifact that they come from.
    pub digest: String,
    /// The folder of it that was wanted, in its normal form.
    pub folder: Folder,
    /// What the source calls its state.
    pub revision: String,
    /// The files.
    pub files: Arc<Files>,
}

/// A reference that passed the checks which need nothing but itself and the settings.
struct Wanted<'a> {
    kind: SourceKind,
    name: Name,
    version: &'a str,
    folder: Folder,
}

/// Reads, judges and fetches.
///
/// # Errors
/// [`crate::snippet::outcome::Deferred`] for what may pass.
pub async fn resolve(
    world: &World,
    tenant: &Tenant,
    owner: &str,
    reference: &SourceRef,
) -> Attempt<Result<Fetched, Refusal>> {
    let wanted = match check(owner, reference, &world.settings) {
        Ok(wanted) => wanted,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let fetched = fetch(world, tenant, wanted).await;
    let Some(message) = redacted(owner, reference) else { return fetched };
    fetched
        .map(|fetched| fetched.map_err(|refusal| Refusal { message: message.clone(), ..refusal }))
        .map_err(|deferred| deferred.redacted(message))
}

/// What the caches say that a reference leads to: digest of the artifact and folder. `None` where that is not known.
pub fn known(world: &World, owner: &str, reference: &SourceRef) -> Option<(String, Folder)> {
    let (source, folder) = cached(world, owner, reference).ok()?;
    let upstream = upstream::read(&source).ok()?;
    Some((upstream.digest.to_string(), folder))
}

/// The source as the caches have it, and the folder of it that is wanted.
///
/// # Errors
/// Why the reference is refused, or that the source is not there.
pub fn cached(world: &World, owner: &str, reference: &SourceRef) -> Result<(Value, Folder), Refusal> {
    let wanted = check(owner, reference, &world.settings)?;
    let source = match wanted.kind {
        SourceKind::ExternalArtifact => {
            let artifact = world.artifacts.get(&ObjectRef::new(&wanted.name.name).within(&wanted.name.namespace));
            artifact.and_then(|artifact| serde_json::to_value(&*artifact).ok())
        }
        kind => world.sources.get(kind, &wanted.name),
    };
    let source = source.ok_or_else(|| missing(wanted.kind, &wanted.name))?;
    Ok((source, wanted.folder))
}

fn missing(kind: SourceKind, name: &Name) -> Refusal {
    let what = format!("{} {name} not found; create it or correct the sourceRef", kind.as_str());
    Refusal::new(Reason::SourceFetchFailed, what)
}

fn check<'a>(owner: &str, reference: &'a SourceRef, settings: &Snippets) -> Result<Wanted<'a>, Refusal> {
    let namespace = reference.namespace_or(owner);
    if settings.no_cross_namespace_refs && namespace != owner {
        return Err(Refusal::new(
            Reason::CrossNamespaceRefRejected,
            format!("spec.sourceRef points at namespace {namespace:?} but --no-cross-namespace-refs is set"),
        ));
    }
    let version = match reference.api_version.as_deref().unwrap_or_default() {
        "" => FLUX_SOURCE_VERSION,
        text => match text.split_once('/') {
            Some((FLUX_SOURCE_GROUP, version)) if names::is_version(version) => version,
            _ => {
                let what = format!(
                    "spec.sourceRef.apiVersion {text:?} is not of {FLUX_SOURCE_GROUP}; leave it out, or write {FLUX_SOURCE_GROUP}/{FLUX_SOURCE_VERSION}"
                );
                return Err(Refusal::new(Reason::InvalidSpec, what));
            }
        },
    };
    // Each becomes a part of a request's path.
    for (field, name) in [("name", reference.name.as_str()), ("namespace", namespace)] {
        if !names::is_name(name) {
            let what = format!("spec.sourceRef.{field} {name:?} is no name that an object can have; correct it");
            return Err(Refusal::new(Reason::InvalidSpec, what));
        }
    }
    let folder = reference.path.as_deref().unwrap_or_default().parse::<Folder>();
    let folder = folder.map_err(|error| Refusal::new(Reason::InvalidSpec, format!("spec.sourceRef.path: {error}")))?;
    Ok(Wanted { kind: reference.kind, name: Name::new(namespace, &reference.name), version, folder })
}

async fn fetch(world: &World, tenant: &Tenant, wanted: Wanted<'_>) -> Attempt<Result<Fetched, Refusal>> {
    let source = match read(tenant, &wanted).await? {
        Ok(source) => source,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let named = format!("{} {}", wanted.kind.as_str(), wanted.name);
    let upstream = match upstream::read(&source) {
        Ok(upstream) => upstream,
        Err(error) => return Ok(Err(not_usable(&named, &error))),
    };
    let own = local(world, &upstream);
    let files = world.shelf.files(&tenant.account.namespace, &upstream, &wanted.folder, own).await;
    world.graph.fetched(wanted.kind, &wanted.name);
    Ok(files
        .map(|files| Fetched {
            digest: upstream.digest.to_string(),
            folder: wanted.folder,
            revision: upstream.revision,
            files,
        })
        .map_err(|error| not_fetched(wanted.kind, &named, &error)))
}

/// The source as it is now, with the rights of the snippet's account.
async fn read(tenant: &Tenant, wanted: &Wanted<'_>) -> Attempt<Result<Value, Refusal>> {
    let kind = ApiResource {
        group: FLUX_SOURCE_GROUP.to_owned(),
        version: wanted.version.to_owned(),
        api_version: format!("{FLUX_SOURCE_GROUP}/{}", wanted.version),
        kind: wanted.kind.as_str().to_owned(),
        plural: wanted.kind.plural().to_owned(),
    };
    let Name { namespace, name } = &wanted.name;
    let sources: Api<DynamicObject> = Api::namespaced_with(tenant.client.clone(), namespace, &kind);
    match request(sources.get(name)).await {
        Ok(source) => Ok(Ok(source.data)),
        Err(error) if meaning(&error) == Meaning::NotFound => Ok(Err(missing(wanted.kind, &wanted.name))),
        Err(error) => tenant_request("reading the source CR", error).map(Err),
    }
}

fn not_usable(named: &str, error: &NotUsable) -> Refusal {
    match error {
        NotUsable::NotReady(_) => Refusal::new(Reason::SourceNotReady, format!("{named} {error}")),
        NotUsable::NoArtifact => Refusal::new(Reason::SourceNotReady, format!("{named}: {error}")),
        NotUsable::NoDigest | NotUsable::InvalidDigest(_) => {
            Refusal::new(Reason::SourceFetchFailed, format!("{named}: {error}"))
        }
    }
}

/// What is told of files that cannot be had.
pub fn not_fetched(kind: SourceKind, named: &str, error: &SourceError) -> Refusal {
    let message = match error {
        // Whoever may write an ExternalArtifact chooses the address, and would learn what answers where, and with what.
        SourceError::Fetch(cause) if kind == SourceKind::ExternalArtifact && !matches!(cause, FetchError::Host(_)) => {
            tracing::warn!(source = named, error = chain(error), "An ExternalArtifact cannot be fetched");
            format!("{named}: its artifact cannot be fetched from the URL in its status; why, the operator's log tells")
        }
        error => format!("{named}: {error}"),
    };
    Refusal { retry: error.retry(), ..Refusal::new(Reason::SourceFetchFailed, message) }
}

/// What another snippet published here is read from the store: the same bytes, proven against the same digest. `None` where it is not
/// ours; what comes of it is `None` where it is not there, so that it is asked for like any other.
fn local(world: &World, upstream: &Upstream) -> Option<impl Future<Output = Option<Bytes>>> {
    let path = upstream.url.strip_prefix(&world.base_url)?.strip_prefix('/')?;
    let artifact = ArtifactPath::parse(path)?;
    let digest = upstream.digest.to_string().parse().ok()?;
    Some(async move {
        let opened = world.store.open(&artifact.key, &artifact.revision, Some(&digest)).await;
        jaas_storage::store::read::whole(opened.ok()??).await.ok()
    })
}

/// The one place where something of another namespace is kept from a tenant: all that is told is that it cannot be had.
fn redacted(owner: &str, reference: &SourceRef) -> Option<String> {
    let namespace = reference.namespace_or(owner);
    (namespace != owner).then(|| {
        let (kind, name) = (reference.kind.as_str(), &reference.name);
        format!("cross-namespace {kind} {name:?} is not reachable; check the source CR's status in {namespace:?}")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cluster::RequestError;
    use crate::snippet::outcome::Deferred;
    use crate::snippet::report::tests::settings;

    fn reference() -> SourceRef {
        SourceRef {
            api_version: None,
            kind: SourceKind::GitRepository,
            name: "repo".to_owned(),
            namespace: None,
            path: None,
        }
    }

    #[test]
    fn a_reference_is_judged_before_anybody_is_asked() {
        let refused = |change: fn(&mut SourceRef)| {
            let mut reference = reference();
            change(&mut reference);
            let refusal = check("a", &reference, &settings()).err().unwrap();
            (refusal.reason, refusal.message)
        };
        let (reason, message) = refused(|reference| reference.namespace = Some("b".to_owned()));
        assert_eq!(reason, Reason::CrossNamespaceRefRejected);
        assert_eq!(message, "spec.sourceRef points at namespace \"b\" but --no-cross-namespace-refs is set");
        for version in ["v1", "example.com/v1", "source.toolkit.fluxcd.io/"] {
            let mut reference = reference();
            reference.api_version = Some(version.to_owned());
            let refusal = check("a", &reference, &settings()).err().unwrap();
            assert_eq!(refusal.reason, Reason::InvalidSpec);
            assert!(refusal.message.contains("is not of source.toolkit.fluxcd.io"), "{}", refusal.message);
        }
        assert_eq!(refused(|reference| reference.path = Some("a/../b".to_owned())).0, Reason::InvalidSpec);
        let mut own = reference();
        own.namespace = Some("a".to_owned());
        own.api_version = Some("source.toolkit.fluxcd.io/v1beta2".to_owned());
        own.path = Some("./x//y/".to_owned());
        let wanted = check("a", &own, &settings()).ok().unwrap();
        assert_eq!((wanted.version, wanted.folder.to_string()), ("v1beta2", "x/y".to_owned()));
    }

    #[test]
    fn no_part_of_a_reference_leads_the_request_elsewhere() {
        let refused = |change: fn(&mut SourceRef)| {
            let mut reference = reference();
            change(&mut reference);
            let settings = Snippets { no_cross_namespace_refs: false, ..settings() };
            check("a", &reference, &settings).err().map(|refusal| (refusal.reason, refusal.message))
        };
        let version = refused(|reference| {
            let elsewhere = "source.toolkit.fluxcd.io/v1/namespaces/b/gitrepositories/config?x=";
            reference.api_version = Some(elsewhere.to_owned());
        });
        assert!(
            version.is_some_and(|(reason, message)| reason == Reason::InvalidSpec && message.contains("is not of"))
        );
        let name = refused(|reference| reference.name = "../../b/gitrepositories/config".to_owned());
        let told =
            "spec.sourceRef.name \"../../b/gitrepositories/config\" is no name that an object can have; correct it";
        assert_eq!(name, Some((Reason::InvalidSpec, told.to_owned())));
        let namespace = refused(|reference| reference.namespace = Some("b/x".to_owned()));
        assert!(namespace.is_some_and(|(_, message)| message.starts_with("spec.sourceRef.namespace \"b/x\"")));
        assert_eq!(refused(|reference| reference.namespace = Some("b".to_owned())), None);
    }

    #[test]
    fn whoever_chooses_an_address_does_not_learn_what_answers_there() {
        let failures =
            [FetchError::NotFound, FetchError::Permanent(401), FetchError::Broken("connection refused".to_owned())];
        let told = |kind, error: FetchError| not_fetched(kind, "x a/b", &SourceError::Fetch(error)).message;
        for failure in failures {
            assert!(told(SourceKind::GitRepository, failure.clone()).contains(&failure.to_string()));
            assert_eq!(
                told(SourceKind::ExternalArtifact, failure),
                "x a/b: its artifact cannot be fetched from the URL in its status; why, the operator's log tells"
            );
        }
    }

    #[test]
    fn nothing_is_told_of_another_namespace_but_the_reason() {
        let mut far = reference();
        far.namespace = Some("b".to_owned());
        let message = "cross-namespace GitRepository \"repo\" is not reachable; check the source CR's status in \"b\"";
        assert_eq!(redacted("a", &far).as_deref(), Some(message));
        assert_eq!(redacted("b", &far), None);
        // Trouble that may pass is told where it lasts.
        let error =
            kube::Error::Api(Box::new(kube::core::Status::failure("secret words", "Unavailable").with_code(503)));
        let deferred = Deferred::request("reading the source CR", RequestError::from(error));
        assert!(chain(&deferred).contains("secret words"));
        let told = deferred.redacted(message.to_owned());
        assert_eq!((chain(&told).as_str(), told.reason), (message, Reason::ApiUnavailable));
    }
}
