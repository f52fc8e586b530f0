//! Reads everything that an evaluation needs, with the rights of the snippet's account.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jaas_api::source::{LibraryRef, SourceRef};
use jaas_api::{JsonnetLibrary, Reason};
use jaas_render::worker::EvaluateError;
use kube::{Api, Client};
use tracing::Instrument;

use super::check::{self, Checked};
use super::inputs::{Inputs, Own, Tree};
use super::observe::Seen;
use super::outcome::{Attempt, Refusal, chain, tenant_request};
use super::stopwatch::Stopwatch;
use super::world::World;
use crate::cluster::classify::{Meaning, meaning};
use crate::cluster::request;
use crate::cluster::tenant::Account;
use crate::graph::Name;
use crate::mounted::uses::{self, Uses};
use crate::source;
use crate::telemetry::metrics::Stage;
use crate::telemetry::trace;

/// A client that acts as the snippet's account.
#[derive(Clone)]
pub struct Tenant {
    /// The account.
    pub account: Account,
    /// The client.
    pub client: Client,
}

/// Everything that an evaluation needs.
pub struct Gathered<'a> {
    /// Who asks.
    pub tenant: Tenant,
    /// The snippet's own files.
    pub files: Tree<'a>,
    /// Files of the libraries by alias.
    pub libraries: BTreeMap<String, Tree<'static>>,
    /// Fingerprint of what was read.
    pub inputs_digest: String,
    /// Names of the mounted libraries that decide what is imported.
    pub mounted: Vec<String>,
}

/// Reads. The snippet's own files were checked before; their problem is told only after the account's, as the contract has it.
///
/// # Errors
/// [`super::outcome::Deferred`] for what may pass.
pub async fn gather<'a>(
    world: &World,
    seen: &'a Seen,
    checked: &Checked,
    files: Result<Own<'a>, Refusal>,
    stopwatch: &mut Stopwatch,
) -> Attempt<Result<Gathered<'a>, Refusal>> {
    let reading = async {
        let tenant = match tenant(world, &checked.account).await? {
            Ok(tenant) => tenant,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let files = match own(world, &tenant, seen, files).await? {
            Ok(files) => files,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let libraries = match libraries(world, &tenant, seen, files.bytes()).await? {
            Ok(libraries) => libraries,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(Ok((tenant, files, libraries)))
    };
    let (tenant, files, mut libraries) = match stopwatch.time(world, Stage::Gather, reading).await? {
        Ok(gathered) => gathered,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let state = world.mounted.state();
    let uses = match world.mounted.is_off() {
        true => Uses::default(),
        false => uses::of(&state, &seen.snippet.spec, &files, &libraries),
    };
    world.graph.note_mounted(&Name::new(seen.key.namespace(), seen.key.name()), &uses.names);
    if let Some((alias, why)) = &uses.refused {
        return Ok(Err(check::mounted(alias, why)));
    }
    let inputs = Inputs {
        snippet: &seen.snippet,
        files: files.identity(),
        libraries: libraries.iter().map(|(alias, files)| (alias.as_str(), files.identity())).collect(),
        mounted: state.identity(&uses.names),
        settings: &world.settings,
        max_stack: world.max_stack,
    };
    let inputs_digest = inputs.digest();
    libraries.extend(uses.libraries.into_iter().map(|(alias, library)| (alias, Tree::Mounted(library))));
    Ok(Ok(Gathered { tenant, files, libraries, inputs_digest, mounted: uses.names }))
}

/// The snippet's own files.
async fn own<'a>(
    world: &World,
    tenant: &Tenant,
    seen: &Seen,
    files: Result<Own<'a>, Refusal>,
) -> Attempt<Result<Tree<'a>, Refusal>> {
    let span = trace::resolve_source(if seen.snippet.spec.source_ref.is_some() { "sourceRef" } else { "inline" });
    let read = async {
        match files {
            Ok(Own::Inline(files)) => Ok(Ok(Tree::Inline(Cow::Borrowed(files)))),
            Ok(Own::Source(reference)) => fetched(world, tenant, seen, reference).await,
            Err(refusal) => Ok(Err(refusal)),
        }
    };
    let read = read.instrument(span.clone()).await;
    trace::ended(&span, &read, false);
    if let Ok(Ok(files)) = &read {
        span.record("jaas.source.fileCount", trace::count(files.len()));
    }
    read
}

/// The snippet's libraries by alias, beside so many bytes of its own files. They are given up as soon as all of it together is more than an
/// evaluation takes: any number of libraries may be named, and each alias is a copy.
async fn libraries(
    world: &World,
    tenant: &Tenant,
    seen: &Seen,
    mut bytes: u64,
) -> Attempt<Result<BTreeMap<String, Tree<'static>>, Refusal>> {
    let span = trace::resolve_libraries();
    let read = async {
        let mut libraries = BTreeMap::new();
        for reference in &seen.snippet.spec.libraries {
            match library(world, tenant, seen.key.namespace(), reference).await? {
                Ok(found) => {
                    bytes = bytes.saturating_add(found.bytes());
                    libraries.insert(reference.alias().to_owned(), found);
                }
                Err(refusal) => return Ok(Err(refusal)),
            }
            let limit = world.workers.limits().input_bytes();
            if bytes > limit {
                let reason = Reason::EvaluationOutOfMemory;
                return Ok(Err(Refusal::new(reason, chain(&EvaluateError::TooLarge { bytes, limit }))));
            }
        }
        Ok(Ok(libraries))
    };
    let read = read.instrument(span.clone()).await;
    trace::ended(&span, &read, false);
    match &read {
        Ok(Ok(libraries)) => {
            span.record("jaas.library.count", trace::count(libraries.len()));
        }
        Ok(Err(_)) => {}
        Err(deferred) => {
            let (namespace, name, error) = (seen.key.namespace(), seen.key.name(), chain(deferred));
            tracing::error!(namespace, name, error, "Library resolution errored");
        }
    }
    read
}

/// A client for the account.
///
/// # Errors
/// [`super::outcome::Deferred`] for what may pass.
pub async fn tenant(world: &World, account: &Account) -> Attempt<Result<Tenant, Refusal>> {
    match world.tenants.client(account).await {
        Ok(client) => Ok(Ok(Tenant { account: account.clone(), client })),
        Err(error) => {
            let refused = tenant_request("minting the tenant SA token", error);
            if let Err(deferred) = &refused {
                let (namespace, account, error) = (&account.namespace, &account.name, chain(deferred));
                tracing::error!(namespace, account, error, "Cannot build impersonation client");
            }
            refused.map(Err)
        }
    }
}

async fn fetched(
    world: &World,
    tenant: &Tenant,
    seen: &Seen,
    reference: &SourceRef,
) -> Attempt<Result<Tree<'static>, Refusal>> {
    let fetched = match source::resolve(world, tenant, seen.key.namespace(), reference).await? {
        Ok(fetched) => Tree::Fetched(Arc::new(fetched)),
        Err(refusal) => return Ok(Err(refusal)),
    };
    Ok(check::fetched(&seen.snippet, &fetched).map(|()| fetched))
}

async fn library(
    world: &World,
    tenant: &Tenant,
    owner: &str,
    reference: &LibraryRef,
) -> Attempt<Result<Tree<'static>, Refusal>> {
    if let Err(refusal) = check::library_namespace(reference, owner, &world.settings) {
        return Ok(Err(refusal));
    }
    let namespace = reference.namespace_or(owner);
    let foreign = namespace != owner;
    let libraries: Api<JsonnetLibrary> = Api::namespaced(tenant.client.clone(), namespace);
    let library = match request(libraries.get(&reference.name)).await {
        Ok(library) => library,
        Err(error) => {
            if meaning(&error) == Meaning::NotFound {
                let what = if foreign {
                    unreachable(reference, namespace)
                } else {
                    format!("JsonnetLibrary {:?} in {namespace:?} not found", reference.name)
                };
                return Ok(Err(Refusal::new(Reason::LibraryNotFound, what)));
            }
            let context = format!("reading JsonnetLibrary {namespace}/{}", reference.name);
            let refusal = tenant_request(&context, error);
            let refusal = refusal.map_err(|deferred| {
                if foreign { deferred.redacted(unreachable(reference, namespace)) } else { deferred }
            })?;
            return Ok(Err(if foreign && refusal.reason != Reason::ServiceAccountMissing {
                Refusal::new(refusal.reason, unreachable(reference, namespace))
            } else {
                refusal
            }));
        }
    };
    if let Some(files) = library.spec.files.filter(|files| !files.is_empty()) {
        return Ok(Ok(Tree::Inline(Cow::Owned(files))));
    }
    let refuse = |refusal: Refusal| {
        let message = if foreign {
            unreachable(reference, namespace)
        } else {
            format!("JsonnetLibrary {:?} in {namespace:?}: {}", reference.name, refusal.message)
        };
        Refusal { message, ..refusal }
    };
    let Some(source) = library.spec.source_ref else {
        let what = "neither spec.files nor spec.sourceRef is set; admission should have caught this";
        return Ok(Err(refuse(Refusal::new(Reason::InvalidSpec, what))));
    };
    // The library's own namespace decides what its reference means; the rights are those of the snippet.
    let resolved = source::resolve(world, tenant, namespace, &source).await;
    let resolved = resolved
        .map_err(|deferred| if foreign { deferred.redacted(unreachable(reference, namespace)) } else { deferred });
    let files = match resolved? {
        Ok(fetched) => fetched,
        Err(refusal) => return Ok(Err(refuse(refusal))),
    };
    if files.files.is_empty() {
        let what = "its source contains no files; check spec.sourceRef.path and the upstream artifact";
        return Ok(Err(refuse(Refusal::new(Reason::InvalidSpec, what))));
    }
    Ok(Ok(Tree::Fetched(Arc::new(files))))
}

/// All that is told of a library in another namespace that cannot be used: what is wrong with it is its owner's business.
fn unreachable(reference: &LibraryRef, namespace: &str) -> String {
    format!("cross-namespace JsonnetLibrary {:?} is not reachable; check the library in {namespace:?}", reference.name)
}
