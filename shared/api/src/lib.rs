//! The vocabulary that the operator and the plugin share: resources, reasons, annotations. Pure.
//!
//! It describes what goes over the wire to a Kubernetes API server and holds no client: whoever wants to
//! read or write these objects brings its own.

// The schema derive repeats each struct inside a private item, where `pub` reaches nobody.
#![allow(unreachable_pub)]
// Printer columns repeat `type_` and `priority` by their nature.
#![allow(clippy::duplicated_attributes)]

pub mod admin;
pub mod artifact;
pub mod crd;
pub mod flux;
pub mod library;
pub mod reason;
mod resource;
pub mod selector;
pub mod snippet;
pub mod source;
pub mod status;
pub mod truncate;

pub use artifact::ExternalArtifact;
pub use library::JsonnetLibrary;
pub use reason::Reason;
pub use snippet::JsonnetSnippet;

/// API group of the resources.
pub const GROUP: &str = "jaas.metio.wtf";
/// API version of the resources, without the group.
pub const VERSION: &str = "v1";
/// `group/version`, as it stands in `apiVersion`.
pub const API_VERSION: &str = "jaas.metio.wtf/v1";
/// Keeps a deleted snippet until its artifact and its files are gone.
pub const FINALIZER: &str = "jaas.metio.wtf/finalizer";
/// Flux's annotation for "reconcile now"; a changed value starts a reconcile that answers in
/// `status.lastHandledReconcileAt`. Source: <https://fluxcd.io/flux/components/source/gitrepositories/#triggering-a-reconcile>
pub const RECONCILE_REQUEST: &str = "reconcile.fluxcd.io/requestedAt";
/// Our own spelling of the same, as runbooks of the Go implementation use it; answered in
/// `status.lastHandledJaasReconcileAt`.
pub const JAAS_RECONCILE_REQUEST: &str = "jaas.metio.wtf/reconcile-at";
/// Name under which our writers appear in `managedFields` and events.
pub const FIELD_MANAGER: &str = "jaas-operator";
/// Annotation of a leader's Lease: the token of a request that its holder lets go. Any text that differs from the last one.
pub const STEP_DOWN: &str = "jaas.metio.wtf/step-down";
/// Annotation of a leader's Lease: the token of the last request that was answered. The holder has let go, or is another one.
pub const STEP_DOWN_ANSWERED: &str = "jaas.metio.wtf/step-down-answered";
