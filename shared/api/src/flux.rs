//! Flux's sources, as far as they are read here. Pure.
//!
//! Source of the schema: <https://fluxcd.io/flux/components/source/>. A status is kept as it came: kinds and versions differ in what
//! surrounds the artifact.

use std::borrow::Cow;
use std::marker::PhantomData;

use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::artifact::{FLUX_SOURCE_GROUP, FLUX_SOURCE_VERSION};
use crate::source::SourceKind;

/// Tells one kind of source from another.
pub trait Kind: Clone + std::fmt::Debug + Send + Sync + 'static {
    /// The kind.
    const KIND: SourceKind;
}

/// A Git repository.
#[derive(Clone, Debug)]
pub struct GitRepository;
/// An OCI artifact.
#[derive(Clone, Debug)]
pub struct OciRepository;
/// An object storage bucket.
#[derive(Clone, Debug)]
pub struct Bucket;

impl Kind for GitRepository {
    const KIND: SourceKind = SourceKind::GitRepository;
}
impl Kind for OciRepository {
    const KIND: SourceKind = SourceKind::OCIRepository;
}
impl Kind for Bucket {
    const KIND: SourceKind = SourceKind::Bucket;
}

/// A source.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(bound = "")]
pub struct Source<K> {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// What is read of its status.
    #[serde(default)]
    pub status: SourceStatus,
    #[serde(skip)]
    kind: PhantomData<K>,
}

/// What is read of a source's status, as it came.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct SourceStatus {
    /// Standard conditions.
    #[serde(default)]
    pub conditions: Value,
    /// What consumers fetch.
    #[serde(default)]
    pub artifact: Value,
}

impl<K: Kind> Resource for Source<K> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        K::KIND.as_str().into()
    }
    fn group((): &()) -> Cow<'_, str> {
        FLUX_SOURCE_GROUP.into()
    }
    fn version((): &()) -> Cow<'_, str> {
        FLUX_SOURCE_VERSION.into()
    }
    fn plural((): &()) -> Cow<'_, str> {
        K::KIND.plural().into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
