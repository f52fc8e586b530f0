//! How much waits and runs.

use super::{Entry, look, nudge};
use crate::code::Area::Queue;
use crate::code::Severity::Warning;

pub(crate) const QUEUE_LONG: Entry = Entry::new(Warning, Queue, "many snippets wait for a reconcile")
    .means("More than 50 snippets wait. Changes and requests are answered late.")
    .because("Snippets that fail are tried again and again, a store or API server that is slow, or simply very many snippets. The Go implementation reconciles one at a time.")
    .type_in(&[
        look("kubectl jaas status", "shows how many fail, and of what"),
        look("kubectl jaas doctor storage", "shows whether the store is what is slow"),
    ])
    .alerts(&["JaaSControllerWorkqueueDepthHigh"])
    .metrics(&["workqueue_depth"]);

pub(crate) const RECONCILE_SLOW: Entry = Entry::new(Warning, Queue, "reconciles take long")
    .means("One in a hundred reconciles takes more than 30 seconds.")
    .because("Large programs, a slow store, or an API server that lets the operator wait.")
    .type_in(&[look("kubectl jaas logs", "shows the time of each step")])
    .alerts(&["JaaSReconcileLatencyHigh"])
    .metrics(&["controller_runtime_reconcile_time_seconds", "jaas_reconcile_stage_duration_seconds"]);

pub(crate) const EVALUATIONS_FULL: Entry = Entry::new(Warning, Queue, "all places for evaluations are taken")
    .means("More than nine in ten of the evaluations that may run at once do run. Others wait, or are refused by the Go implementation.")
    .because("Programs that take long, or too small a `--max-concurrent-evals`.")
    .type_in(&[
        look("kubectl get jsonnetsnippets -A -o wide", "shows which end with EvaluationTimeout"),
        nudge("kubectl jaas suspend NAME -n NAMESPACE", "takes one out of the way"),
    ])
    .alerts(&["JaaSEvalSaturation", "JaaSEvalRejected"])
    .metrics(&["jaas_eval_in_flight", "jaas_eval_waiting", "jaas_eval_max_concurrent", "jaas_eval_unavailable_total"]);

pub(crate) const EVALUATIONS_ABANDONED: Entry = Entry::new(Warning, Queue, "evaluations run on with nobody waiting")
    .means("Evaluations that were out of time still run and take up places. Only the Go implementation has such; this one ends them.")
    .because("A program without an end. It goes on until the process ends.")
    .type_in(&[
        look("kubectl get jsonnetsnippets -A -o wide", "shows which end with EvaluationTimeout"),
        super::change("kubectl jaas restart --wait", "ends them, once their snippets are suspended"),
    ])
    .alerts(&["JaaSEvalLeakedGoroutines"])
    .metrics(&["jaas_eval_outstanding_timed_out"]);
