//! Rendering and publishing of snippets.

use jaas_api::Reason;

use super::{Entry, look, nudge};
use crate::code::Area::{Finalizers, Reconcile};
use crate::code::Severity::{Error, Info, Warning};

pub(crate) const UNANSWERED: Entry = Entry::new(Error, Reconcile, "a request to reconcile is not answered")
    .means("Somebody asked for a reconcile more than two minutes ago, and the operator has not answered. `Ready` is as old as the last answer.")
    .because("Nobody leads, the queue is long, or publishing fails. The Go implementation gives no answer when publishing fails, and knows only the annotation of Flux.")
    .type_in(&[
        look("kubectl jaas doctor leader queue", "shows whether somebody works"),
        nudge("kubectl jaas reconcile NAME -n NAMESPACE", "asks again, waits, and says what came of it"),
    ])
    .alerts(&["JaaSControllerWorkqueueDepthHigh"]);

pub(crate) const BACKOFF: Entry = Entry::new(Info, Reconcile, "snippets wait for their next try")
    .means("Reconciles failed several times in a row, or failed for want of a store that answers again. The next try comes by itself, later each time. This operator waits up to 2 minutes, or an hour where only a change helps; the Go implementation up to 16 minutes 40 seconds.")
    .because("Whatever made them fail; other findings say what.")
    .type_in(&[nudge("kubectl jaas reconcile --failed --allow-empty", "tries at once")]);

pub(crate) const SUSPENDED: Entry = Entry::new(Info, Reconcile, "snippets are suspended")
    .means("They are not rendered until somebody resumes them. What they published stays.")
    .because("Their owner set `spec.suspend`.")
    .type_in(&[look("kubectl get jsonnetsnippets -A -o wide", "shows which")])
    .reasons(&[Reason::Suspended]);

pub(crate) const NOT_READY: Entry = Entry::new(Error, Reconcile, "not ready, and why cannot be told here")
    .means("The snippet is not ready. Its reason is a word that this version of the plugin does not know, or the operator's settings, which would tell what it means, could not be read.")
    .because("An operator of another version, another writer of the status, or rights that do not suffice to look at the operator.")
    .type_in(&[
        look("kubectl describe jsonnetsnippet NAME -n NAMESPACE", "shows the condition's message"),
        look("kubectl jaas version", "shows whether plugin and operator fit"),
    ]);

pub(crate) const GENERATION_LAG: Entry = Entry::new(Error, Reconcile, "a change of the spec was not looked at")
    .means("The spec changed more than five minutes ago, and the status still judges the one before.")
    .because(
        "Nobody leads, the queue is long, the operator does not watch this namespace, or publishing fails in silence.",
    )
    .type_in(&[
        nudge("kubectl jaas reconcile --stale", "asks for all of them and says what came of it"),
        look("kubectl jaas doctor leader queue", "shows whether somebody works"),
    ])
    .alerts(&["JaaSReconcileLatencyHigh"]);

pub(crate) const SILENT_FAILURE: Entry = Entry::new(Error, Reconcile, "publishing fails while Ready says True")
    .means("The log tells of failed publishes of snippets that are Ready. Their consumers stay at an old revision, and no condition says so.")
    .because("The Go implementation writes no status when the store refuses. This operator writes one, with a reason of its own.")
    .type_in(&[
        look("kubectl jaas storage doctor", "shows what is wrong with the store"),
        nudge("kubectl jaas reconcile --failed --allow-empty", "asks those for which a request is open or publishing failed"),
    ])
    .alerts(&["JaaSControllerWorkqueueDepthHigh"]);

pub(crate) const NEVER_JUDGED: Entry = Entry::new(Error, Reconcile, "a snippet was never looked at")
    .means("The snippet is more than five minutes old and has no `Ready` condition.")
    .because("Nobody leads, the queue is long, or the operator does not watch this namespace.")
    .type_in(&[
        look("kubectl jaas doctor leader queue", "shows whether somebody works"),
        look("kubectl jaas storage info", "shows which namespaces are watched"),
    ])
    .reasons(&[Reason::Pending]);

pub(crate) const TERMINATING: Entry = Entry::new(Warning, Finalizers, "a deleted snippet does not go")
    .means("The snippet was deleted more than five minutes ago and is still there, because a finalizer holds it.")
    .because("The store refuses, nobody leads, or the finalizer is somebody else's. The operator gives up after `--max-withdraw-wait`, and leaves the files as orphans.")
    .type_in(&[
        look("kubectl jaas storage doctor", "shows what is wrong with the store"),
        look("kubectl jaas events NAME -n NAMESPACE", "shows what the operator tried"),
    ])
    .alerts(&["JaaSForceDropsAccumulating"]);
