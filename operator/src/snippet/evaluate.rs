//! Has a worker evaluate what was gathered.

use jaas_api::Reason;
use jaas_api::snippet::Output;
use jaas_api::source::Variable as NamedVariable;
use jaas_render::worker::EvaluateError;
use jaas_render::{Failure, Request, Variable};
use jaas_storage::artifact::{ENTRY_LIMIT, Entries, TOTAL_LIMIT, path};

use super::gather::Gathered;
use super::inputs::Tree;
use super::observe::Seen;
use super::outcome::{Attempt, Deferred, Refusal};
use super::stopwatch::Stopwatch;
use super::world::World;
use crate::telemetry::metrics::Stage;

/// What is to be published.
pub struct Content {
    /// Files and identity.
    pub content: jaas_storage::Content,
    /// Size of what was rendered, in bytes.
    pub rendered_bytes: usize,
    /// Number of the snippet's own files.
    pub files: usize,
    /// Fingerprint of the inputs.
    pub inputs_digest: String,
    /// Mounted libraries that decided it, by alias.
    pub mounted: Vec<String>,
    /// What the snippet's source calls the state that was rendered.
    pub source_revision: Option<String>,
}

/// Evaluates, and checks what came out.
///
/// # Errors
/// [`Deferred`] where no worker could be had.
pub async fn evaluate(
    world: &World,
    seen: &Seen,
    gathered: &Gathered<'_>,
    stopwatch: &mut Stopwatch,
) -> Attempt<Result<Content, Refusal>> {
    let rendered = run(world, seen, gathered, stopwatch).await?;
    let judged = rendered.and_then(|bytes| {
        let content = content_of(seen, gathered, bytes)?;
        within_limits(&content.content, world.settings.max_artifact_bytes)?;
        Ok(content)
    });
    Ok(judged.map_err(|refusal| {
        let refusal = Refusal { inputs_digest: Some(gathered.inputs_digest.clone()), ..refusal };
        world.memory.failed(&seen.key, &refusal);
        refusal
    }))
}

async fn run(
    world: &World,
    seen: &Seen,
    gathered: &Gathered<'_>,
    stopwatch: &mut Stopwatch,
) -> Attempt<Result<Vec<u8>, Refusal>> {
    // The request is made once it is its turn: a thousand that wait should not hold a thousand copies of their files.
    let _turn = stopwatch.time(world, Stage::Queue, world.turns.take(seen.key.namespace())).await;
    let _running = world.metrics.evaluation_started();
    let request = request(world, seen, gathered);
    let begun = std::time::Instant::now();
    let answer = stopwatch.time(world, Stage::Evaluate, world.workers.evaluate(&request)).await;
    world.metrics.flow().evaluated(word(&answer), begun.elapsed());
    Ok(match answer {
        Ok(rendered) => Ok(rendered.bytes),
        Err(EvaluateError::Failed(failure)) => Err(refusal(&failure)),
        Err(EvaluateError::Timeout(limit)) => {
            let limit = kube::core::Duration::from(limit);
            let (namespace, name) = (seen.key.namespace(), seen.key.name());
            tracing::warn!(namespace, name, timeout = %limit, "Jsonnet evaluation timed out");
            Err(Refusal::new(Reason::EvaluationTimeout, format!("evaluation exceeded {limit}")))
        }
        Err(error @ (EvaluateError::Died { .. } | EvaluateError::TooLarge { .. })) => {
            Err(Refusal::new(Reason::EvaluationFailed, super::outcome::chain(&error)))
        }
        Err(error @ EvaluateError::Unavailable(_)) => {
            world.metrics.eval_unavailable(&seen.key);
            return Err(Deferred::internal("starting an evaluation worker", Reason::EvaluationFailed, error));
        }
    })
}

/// How an evaluation ended, as metrics tell it.
fn word<T>(answer: &Result<T, EvaluateError>) -> &'static str {
    match answer {
        Ok(_) => "rendered",
        Err(EvaluateError::Failed(_)) => "failed",
        Err(EvaluateError::Timeout(_)) => "timeout",
        Err(EvaluateError::Died { .. } | EvaluateError::TooLarge { .. }) => "killed",
        Err(EvaluateError::Unavailable(_)) => "unavailable",
    }
}

fn request(world: &World, seen: &Seen, gathered: &Gathered<'_>) -> Request {
    let spec = &seen.snippet.spec;
    let operator = world.settings.external_variables.iter();
    let operator = operator.map(|(name, value)| (name.clone(), Variable::Text(value.clone())));
    Request {
        label: format!("{}/{}", seen.key, spec.entry_file),
        entry: spec.entry_file.clone(),
        files: gathered.files.to_bytes(),
        libraries: gathered.libraries.iter().map(|(alias, files)| (alias.clone(), files.to_bytes())).collect(),
        external_variables: operator.chain(spec.external_variables.iter().map(named)).collect(),
        top_level_arguments: spec.tlas.iter().map(named).collect(),
        output: match spec.output {
            Output::Rendered | Output::Source => jaas_render::Output::Json,
            Output::Manifests => jaas_render::Output::Manifests { allow_empty: spec.allow_empty.unwrap_or_default() },
        },
        max_stack: world.max_stack,
    }
}

fn named(variable: &NamedVariable) -> (String, Variable) {
    let value = variable.value.clone().unwrap_or_default();
    let value = if variable.code.unwrap_or_default() { Variable::Code(value) } else { Variable::Text(value) };
    (variable.name.clone(), value)
}

fn refusal(failure: &Failure) -> Refusal {
    let message = failure.to_string();
    match failure {
        Failure::Evaluation(_) => Refusal::new(Reason::EvaluationFailed, message),
        Failure::NoManifests => Refusal::new(
            Reason::NoManifests,
            format!(
                "{message}; a Kustomization with prune: true would delete everything that it had applied. Set spec.allowEmpty: true to publish nothing on purpose, or spec.output: rendered to publish the JSON"
            ),
        ),
        Failure::InvalidManifests(_) => Refusal::new(Reason::InvalidManifests, message),
    }
}

fn content_of(seen: &Seen, gathered: &Gathered<'_>, rendered: Vec<u8>) -> Result<Content, Refusal> {
    let rendered_bytes = rendered.len();
    let content = match seen.snippet.spec.output {
        Output::Rendered => jaas_storage::Content::document("rendered.json", rendered),
        Output::Manifests => jaas_storage::Content::document("manifests.yaml", rendered),
        Output::Source => {
            let entries: Entries = gathered.files.to_bytes();
            if let Some((name, why)) = entries.keys().find_map(|name| Some((name, path::unsafe_name(name)?))) {
                return Err(Refusal::new(
                    Reason::InvalidSpec,
                    format!(
                        "publisher: source entry name would be dropped by consumers: {name:?} ({why}; allowed: relative paths of [A-Za-z0-9._/-] without hidden or empty segments)"
                    ),
                ));
            }
            jaas_storage::Content::tree(entries)
        }
    };
    let source_revision = match &gathered.files {
        Tree::Fetched(fetched) => Some(fetched.revision.clone()).filter(|revision| !revision.is_empty()),
        Tree::Inline(_) | Tree::Mounted(_) => None,
    };
    let inputs_digest = gathered.inputs_digest.clone();
    let mounted = gathered.mounted.clone();
    Ok(Content { content, rendered_bytes, files: gathered.files.len(), inputs_digest, mounted, source_revision })
}

/// What consumers extract, and what the administrator allows.
fn within_limits(content: &jaas_storage::Content, configured: Option<u64>) -> Result<(), Refusal> {
    let too_large = |message| Err(Refusal::new(Reason::ArtifactTooLarge, message));
    for (name, bytes) in content.entries() {
        let size = bytes.len() as u64;
        if size > ENTRY_LIMIT {
            return too_large(format!(
                "entry {name:?} is {size} bytes; consumers cap extraction at {ENTRY_LIMIT} bytes per entry; split the snippet"
            ));
        }
    }
    let size = content.size();
    if size > TOTAL_LIMIT {
        return too_large(format!(
            "the artifact is {size} bytes; consumers cap extraction at {TOTAL_LIMIT} bytes; split the snippet"
        ));
    }
    match configured {
        Some(limit) if size > limit => too_large(format!(
            "the artifact is {size} bytes; --max-artifact-bytes allows {limit}; split the snippet or ask the administrator"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn document(size: u64) -> jaas_storage::Content {
        jaas_storage::Content::document("rendered.json", vec![b' '; usize::try_from(size).unwrap()])
    }

    fn tree(sizes: &[u64]) -> jaas_storage::Content {
        let entries = sizes.iter().enumerate();
        jaas_storage::Content::tree(
            entries.map(|(n, size)| (format!("f{n}"), vec![b' '; usize::try_from(*size).unwrap()])).collect(),
        )
    }

    #[test]
    fn exactly_the_limit_passes() {
        assert_eq!(within_limits(&document(ENTRY_LIMIT), None), Ok(()));
        assert_eq!(within_limits(&tree(&[ENTRY_LIMIT; 4]), None), Ok(()));
        assert_eq!(within_limits(&document(100), Some(100)), Ok(()));
    }

    #[test]
    fn one_byte_more_is_refused_with_both_numbers() {
        let message = |content, limit| within_limits(&content, limit).unwrap_err().message;
        assert_eq!(
            message(document(ENTRY_LIMIT + 1), None),
            "entry \"rendered.json\" is 16777217 bytes; consumers cap extraction at 16777216 bytes per entry; split the snippet"
        );
        assert_eq!(
            message(tree(&[ENTRY_LIMIT, ENTRY_LIMIT, ENTRY_LIMIT, ENTRY_LIMIT, 1]), None),
            "the artifact is 67108865 bytes; consumers cap extraction at 67108864 bytes; split the snippet"
        );
        assert_eq!(
            message(document(101), Some(100)),
            "the artifact is 101 bytes; --max-artifact-bytes allows 100; split the snippet or ask the administrator"
        );
    }
}
