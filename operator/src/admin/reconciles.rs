//! What the leader has tried and not achieved.

use jaas_api::admin::{Attempt, Reconciles};

use crate::snippet::memory::Memory;

/// The snippets whose last try failed, in one namespace or in all.
pub(super) fn reconciles(memory: &Memory, namespace: Option<&str>) -> Reconciles {
    let unfinished = memory.unfinished().into_iter();
    let within = unfinished.filter(|(key, _)| namespace.is_none_or(|namespace| key.namespace() == namespace));
    let attempt = |(key, unfinished): (jaas_storage::Key, crate::snippet::memory::Unfinished)| Attempt {
        snippet: key.to_string(),
        failures: unfinished.failures,
        error: unfinished.error,
        next: unfinished.next,
    };
    Reconciles { attempts: within.map(attempt).collect() }
}
