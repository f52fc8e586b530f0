//! Snippets that are not ready through no fault of the store.

use jaas_api::Reason;

use super::{Advice, Entry, look, nudge};
use crate::code::Area::Reconcile;
use crate::code::Severity::{Error, Warning};

const ALERT: &[&str] = &["JaaSSnippetReconcileErrorsHigh"];
const METRIC: &[&str] = &["jaas_snippet_reconcile_total", "jaas_snippet_ready"];
const EXPLAIN: Advice = look("kubectl jaas explain NAME -n NAMESPACE", "shows the field, the rule and what would do");
const AGAIN: Advice = nudge("kubectl jaas reconcile NAME -n NAMESPACE", "tries at once after the repair");
const RENDER: Advice =
    look("kubectl jaas render NAME -n NAMESPACE", "evaluates it as the operator does, and shows the line");

const fn failing(title: &'static str) -> Entry {
    Entry::new(Error, Reconcile, title).alerts(ALERT).metrics(METRIC)
}

pub(crate) const INVALID_SPEC: Entry = failing("the spec is invalid")
    .means("The spec contradicts itself or its files, so it is not rendered. What was published stays.")
    .because("A mistake in the snippet; the condition names the field.")
    .type_in(&[EXPLAIN])
    .reasons(&[Reason::InvalidSpec]);

pub(crate) const LIBRARY_NOT_FOUND: Entry = failing("a library does not exist")
    .means("A library that the snippet names is not there. Snippet and library may be created in any order; it is rendered once both are.")
    .because("A typing mistake in name or namespace, or a library that was deleted.")
    .type_in(&[EXPLAIN, look("kubectl get jsonnetlibraries -A", "shows which there are")])
    .reasons(&[Reason::LibraryNotFound]);

pub(crate) const CROSS_NAMESPACE: Entry = failing("a reference into another namespace")
    .means("The snippet names something in another namespace, which this installation refuses.")
    .because("`--no-cross-namespace-refs` is on, which is the default.")
    .type_in(&[EXPLAIN])
    .reasons(&[Reason::CrossNamespaceRefRejected]);

pub(crate) const VARIABLE_CONFLICT: Entry = failing("an external variable is the operator's")
    .means("The snippet sets an external variable that the operator sets for all.")
    .because("The same name in `spec.externalVariables` and in `--ext-var` or the operator's environment.")
    .type_in(&[EXPLAIN])
    .reasons(&[Reason::ExternalVariableConflict]);

pub(crate) const ACCOUNT_MISSING: Entry = failing("the ServiceAccount is missing")
    .means(
        "The snippet names no ServiceAccount, or one that does not exist, so nothing can be read or published for it.",
    )
    .because("`spec.serviceAccountName` and `--default-service-account` are empty, or the account was deleted.")
    .type_in(&[EXPLAIN, AGAIN])
    .reasons(&[Reason::ServiceAccountMissing])
    .alerts(&["JaaSTenantTokenMintFailing", "JaaSSnippetReconcileErrorsHigh"])
    .metrics(&["jaas_tenant_token_mint_failures_total"]);

pub(crate) const ACCOUNT_DENIED: Entry = failing("the ServiceAccount lacks a right")
    .means("The snippet's ServiceAccount may not read a library or write the ExternalArtifact; or, where the condition says so, the operator's own may not watch the kind of a source, so that changes of it are found a minute later.")
    .because("The tenant's role is not bound to it in this namespace, or lacks a verb; or the operator's role was changed.")
    .type_in(&[
        look("kubectl jaas auth tenant NAME -n NAMESPACE --yaml", "prints the rules that the account is missing"),
        AGAIN,
        look("kubectl jaas explain JaaSCRDWatchEngagementFailing", "tells what would do where it is the operator's own right"),
    ])
    .reasons(&[Reason::RBACDenied])
    .alerts(&["JaaSPublishFailing", "JaaSTenantTokenMintFailing", "JaaSSnippetReconcileErrorsHigh"])
    .metrics(&["jaas_publish_failures_total", "jaas_tenant_token_mint_failures_total", "jaas_snippet_ready"]);

pub(crate) const EVALUATION_FAILED: Entry = failing("the Jsonnet does not evaluate")
    .means("The program ends with an error. What was published stays.")
    .because("A mistake in the snippet or in a library; the condition has the engine's message with file and line.")
    .type_in(&[RENDER])
    .reasons(&[Reason::EvaluationFailed]);

pub(crate) const EVALUATION_TIMEOUT: Entry = failing("the evaluation takes too long")
    .means("The program did not end within `--evaluation-timeout`. In the Go implementation it goes on in the background and takes up a place.")
    .because("A recursion without an end, a great deal of data, or too little CPU.")
    .type_in(&[
        look("kubectl jaas render NAME -n NAMESPACE --time", "measures it"),
        nudge("kubectl jaas suspend NAME -n NAMESPACE", "keeps it from being tried again"),
    ])
    .reasons(&[Reason::EvaluationTimeout])
    .alerts(&["JaaSEvalSaturation", "JaaSSnippetReconcileErrorsHigh"]);

pub(crate) const EVALUATION_OUT_OF_MEMORY: Entry = failing("the evaluation needs too much memory")
    .means("The program asked for more memory than `--evaluation-memory`, and its worker was ended. What was published stays, and no other snippet noticed.")
    .because("A loop that builds ever larger values, or a program that is simply large. The condition has the limit and the file that was loaded last.")
    .type_in(&[
        look("kubectl jaas render NAME -n NAMESPACE --time", "evaluates it here, with the same limits"),
        nudge("kubectl jaas suspend NAME -n NAMESPACE", "keeps it from being tried again"),
    ])
    .reasons(&[Reason::EvaluationOutOfMemory]);

pub(crate) const EVALUATION_TOO_DEEP: Entry = failing("the evaluation nests too deep")
    .means("Fields, calls or brackets nest deeper than the stack of an evaluation, and its worker was ended. What was published stays, and no other snippet noticed.")
    .because("Most often a field that refers to itself through another object, such as `{ a: ({} + $).a }`, which `--max-stack` does not count; else source text of thousands of brackets.")
    .type_in(&[RENDER, nudge("kubectl jaas suspend NAME -n NAMESPACE", "keeps it from being tried again")])
    .reasons(&[Reason::EvaluationTooDeep]);

pub(crate) const ARTIFACT_TOO_LARGE: Entry = failing("the result is too large")
    .means("What the snippet renders to is larger than `--max-artifact-bytes` or than what consumers take. It is not published.")
    .because("A list that grew, or a limit that is too small for it.")
    .type_in(&[look("kubectl jaas render NAME -n NAMESPACE --stats", "shows which keys take the room")])
    .reasons(&[Reason::ArtifactTooLarge])
    .alerts(&["JaaSSnippetArtifactGrowing", "JaaSSnippetReconcileErrorsHigh"])
    .metrics(&["jaas_snippet_rendered_bytes"]);

pub(crate) const NO_MANIFESTS: Entry = failing("the result holds no Kubernetes object")
    .means("The snippet has `output: manifests`, and what it renders to contains no object.")
    .because("A wrong entry file, or a result of another form.")
    .type_in(&[RENDER])
    .reasons(&[Reason::NoManifests]);

pub(crate) const INVALID_MANIFESTS: Entry = failing("the result holds an invalid object")
    .means("With `output: manifests`: an object without a name, two of one identity, or something that is none.")
    .because("A mistake in the snippet; the condition names the object.")
    .type_in(&[RENDER])
    .reasons(&[Reason::InvalidManifests]);

pub(crate) const SOURCE_NOT_SUPPORTED: Entry = failing("files from a Flux source are not supported")
    .means("The snippet takes its files from a Flux source, which whoever judged it last does not read.")
    .because("Another implementation, or an early version of this one, judged it last.")
    .type_in(&[EXPLAIN])
    .reasons(&[Reason::SourceRefNotYetSupported]);

pub(crate) const SOURCE_NOT_READY: Entry = Entry::new(Warning, Reconcile, "a Flux source has nothing ready")
    .means("The Flux source that the snippet takes its files from has no artifact yet, or is not ready. It is rendered once there is one.")
    .because("The source itself fails; its own condition says why.")
    .type_in(&[look("kubectl jaas tree NAME -n NAMESPACE", "shows the source and its state")])
    .reasons(&[Reason::SourceNotReady])
    .alerts(ALERT)
    .metrics(METRIC);

pub(crate) const SOURCE_FETCH_FAILED: Entry = failing("a Flux source cannot be fetched")
    .means("The source announces an artifact, but the operator could not download or unpack it.")
    .because("source-controller does not answer, a network policy is in the way, or the artifact is broken.")
    .type_in(&[look("kubectl jaas tree NAME -n NAMESPACE", "shows the source and its address"), AGAIN])
    .reasons(&[Reason::SourceFetchFailed]);

pub(crate) const DEPENDENCY_CYCLE: Entry = failing("snippets wait for each other in a circle")
    .means("The snippet takes its files from an artifact that, over some steps, is made from the snippet itself.")
    .because("Two chains of snippets were joined.")
    .type_in(&[look("kubectl jaas tree NAME -n NAMESPACE", "shows the chain")])
    .reasons(&[Reason::DependencyCycle]);

pub(crate) const API_UNAVAILABLE: Entry = failing("the API server did not answer the operator")
    .means("Reading or writing at the API server failed several times in a row with errors that may pass.")
    .because("An overloaded or restarting API server, a webhook that times out, or a network that drops.")
    .type_in(&[
        nudge("kubectl jaas reconcile --failed --allow-empty", "tries at once"),
        look("kubectl jaas logs", "shows the API server's answers"),
    ])
    .alerts(&["JaaSPublishFailing", "JaaSSnippetReconcileErrorsHigh"])
    .metrics(&["jaas_publish_failures_total", "jaas_snippet_ready"])
    .reasons(&[Reason::ApiUnavailable]);
