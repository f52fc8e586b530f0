//! Has a worker evaluate what was gathered.

use jaas_api::Reason;
use jaas_api::snippet::Output;
use jaas_api::source::Variable as NamedVariable;
use jaas_render::worker::{Ending, EvaluateError};
use jaas_render::{Failure, Request, Variable};
use jaas_storage::artifact::{ENTRY_LIMIT, Entries, TOTAL_LIMIT};

use super::check;
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
    let waiting = world.metrics.evaluation_waits();
    let turn = stopwatch.time(world, Stage::Queue, world.turns.take(seen.key.namespace())).await;
    drop(waiting);
    let _evaluating = world.suspects.evaluating(&seen.key);
    let _running = world.metrics.evaluation_started();
    let request = request(world, seen, gathered);
    let limit = Limit::of(seen.snippet.spec.output, world.settings.max_artifact_bytes);
    let evaluation = world.workers.evaluate_holding(seen.key.namespace(), &request, limit.written(), turn);
    let begun = std::time::Instant::now();
    let answer = stopwatch.time(world, Stage::Evaluate, evaluation).await;
    world.metrics.flow().evaluated(word(&answer), begun.elapsed());
    match answer {
        Ok(rendered) => Ok(Ok(rendered.bytes)),
        Err(error @ EvaluateError::Unavailable(_)) => {
            world.metrics.eval_unavailable(&seen.key);
            Err(Deferred::internal("starting an evaluation worker", Reason::EvaluationFailed, error))
        }
        Err(error) => {
            if let EvaluateError::Timeout { limit, .. } = &error {
                let limit = kube::core::Duration::from(*limit);
                let (namespace, name) = (seen.key.namespace(), seen.key.name());
                tracing::warn!(namespace, name, timeout = %limit, "Jsonnet evaluation timed out");
            }
            Ok(Err(refused(&error, limit)))
        }
    }
}

/// Text beyond the limit that is still written, so that a small excess is told in bytes.
const MARGIN: u64 = 64 << 10;

/// Most bytes of text that are ever written.
pub(crate) const MOST_WRITTEN: u64 = TOTAL_LIMIT + MARGIN;

/// Most bytes that a snippet may render to, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    /// Those who fetch the artifact.
    Consumers(u64),
    /// The administrator.
    Configured(u64),
}

impl Limit {
    fn of(output: Output, configured: Option<u64>) -> Self {
        match (output, configured) {
            // What it renders to is not published.
            (Output::Source, _) => Self::Consumers(TOTAL_LIMIT),
            (Output::Rendered | Output::Manifests, Some(limit)) if limit < ENTRY_LIMIT => Self::Configured(limit),
            (Output::Rendered | Output::Manifests, _) => Self::Consumers(ENTRY_LIMIT),
        }
    }

    /// Most bytes that are written at all.
    fn written(self) -> u64 {
        let (Self::Consumers(limit) | Self::Configured(limit)) = self;
        limit.saturating_add(MARGIN)
    }
}

/// Why there is nothing to publish, of an evaluation that was had.
fn refused(error: &EvaluateError, limit: Limit) -> Refusal {
    let reason = match error {
        EvaluateError::Failed(failure) => return refusal(failure),
        EvaluateError::Timeout { .. } => Reason::EvaluationTimeout,
        EvaluateError::TooLarge { .. } => Reason::EvaluationOutOfMemory,
        EvaluateError::Unavailable(_) => Reason::EvaluationFailed,
        EvaluateError::OutputTooLarge { limit: written } => {
            let allowed = match limit {
                Limit::Consumers(limit) => {
                    format!("consumers cap extraction at {limit} bytes per entry; split the snippet")
                }
                Limit::Configured(limit) => {
                    format!("--max-artifact-bytes allows {limit}; split the snippet or ask the administrator")
                }
            };
            let message =
                format!("the rendered text is more than {written} bytes, where writing it was ended; {allowed}");
            return Refusal::new(Reason::ArtifactTooLarge, message);
        }
        EvaluateError::Died { cause } => match cause.ending {
            Ending::OutOfMemory(_) | Ending::Killed => Reason::EvaluationOutOfMemory,
            Ending::StackOverflow => Reason::EvaluationTooDeep,
            Ending::OutOfTime => Reason::EvaluationTimeout,
            Ending::Forbidden | Ending::Signal(_) | Ending::Exit(_) | Ending::Babble => Reason::EvaluationFailed,
        },
    };
    Refusal::new(reason, super::outcome::chain(error))
}

/// How an evaluation ended, as metrics tell it.
pub(crate) fn word<T>(answer: &Result<T, EvaluateError>) -> &'static str {
    match answer {
        Ok(_) => "rendered",
        Err(EvaluateError::Failed(_)) => "failed",
        Err(EvaluateError::Timeout { .. }) => "timeout",
        Err(EvaluateError::OutputTooLarge { .. }) => "too_large",
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
            if let Some((name, why)) = check::unsafe_entry(entries.keys()) {
                return Err(Refusal::new(
                    Reason::InvalidSpec,
                    format!(
                        "publisher: source entry name would be dropped by consumers: {name:?} ({why}; {})",
                        check::SAFE_ENTRIES
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
    use jaas_render::worker::{Death, Scene};

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

    fn died(ending: Ending) -> EvaluateError {
        let scene = Scene { entry: "team/app/main.jsonnet".to_owned(), ..Scene::default() };
        EvaluateError::Died { cause: Death { ending, last_words: String::new(), scene } }
    }

    #[test]
    fn each_end_of_a_worker_has_its_reason() {
        let reason = |error| refused(&error, Limit::Consumers(ENTRY_LIMIT)).reason;
        for (ending, expected) in [
            (Ending::OutOfMemory(Some(64)), Reason::EvaluationOutOfMemory),
            (Ending::Killed, Reason::EvaluationOutOfMemory),
            (Ending::StackOverflow, Reason::EvaluationTooDeep),
            (Ending::OutOfTime, Reason::EvaluationTimeout),
            (Ending::Forbidden, Reason::EvaluationFailed),
            (Ending::Signal(11), Reason::EvaluationFailed),
            (Ending::Exit(1), Reason::EvaluationFailed),
            (Ending::Babble, Reason::EvaluationFailed),
        ] {
            assert_eq!(reason(died(ending)), expected, "{ending:?}");
        }
        assert_eq!(reason(EvaluateError::TooLarge { bytes: 2, limit: 1 }), Reason::EvaluationOutOfMemory);
        let stack = Failure::Evaluation("stack overflow, try to reduce recursion".to_owned());
        assert_eq!(
            reason(EvaluateError::Failed(stack)),
            Reason::EvaluationFailed,
            "--max-stack is the program's affair"
        );
    }

    #[test]
    fn text_that_was_not_written_to_its_end_is_refused_with_who_says_so() {
        let message = |configured| {
            let limit = Limit::of(Output::Rendered, configured);
            let refusal = refused(&EvaluateError::OutputTooLarge { limit: limit.written() }, limit);
            assert_eq!(refusal.reason, Reason::ArtifactTooLarge);
            refusal.message
        };
        assert_eq!(
            message(Some(100)),
            "the rendered text is more than 65636 bytes, where writing it was ended; --max-artifact-bytes allows 100; split the snippet or ask the administrator"
        );
        let consumers = "the rendered text is more than 16842752 bytes, where writing it was ended; consumers cap extraction at 16777216 bytes per entry; split the snippet";
        assert_eq!(message(None), consumers);
        assert_eq!(message(Some(u64::MAX)), consumers);
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
