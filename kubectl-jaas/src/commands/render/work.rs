//! Evaluates in a worker, and measures what came out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jaas_api::snippet::Output;
use jaas_render::worker::{EvaluateError, Limits, Pool, Scene};
use jaas_render::{Request, Variable};
use jaas_storage::Content;
use jaas_storage::artifact::ENTRY_LIMIT;
use serde_json::Value;

use super::super::{Error, Verdict};
use super::input::Input;
use crate::cli::RenderArgs;
use crate::exit::Exit;
use crate::facts::quantity;
use crate::operator::Operator;
use crate::view::{Detail, Entry, Rendered, Report, to_milliseconds};

/// The running program, also after its file was replaced.
const SELF: &str = "/proc/self/exe";
/// Limits of an operator that was told nothing.
const TIMEOUT: Duration = Duration::from_secs(5);
const MEMORY: u64 = 256 << 20;
const STACK: u32 = 500;
/// Entries that `--stats` lists.
const LARGEST: usize = 10;

/// Evaluates as often as wanted.
pub(super) async fn run(
    args: &RenderArgs,
    input: Input,
    operator: Option<&Operator>,
    report: &mut Report,
) -> Result<Verdict, Error> {
    let (pool, request, timeout) = prepared(args, &input, operator)?;
    let runs = if args.time { args.runs } else { 1 };
    let mut seconds = Vec::new();
    let mut last = None;
    for _ in 0..runs {
        let begun = Instant::now();
        match pool.evaluate(&request.label, &request, 0).await {
            Ok(rendered) => last = Some(rendered),
            Err(error) => return Ok(failed(&error)),
        }
        seconds.push(to_milliseconds(begun.elapsed().as_secs_f64()));
    }
    let Some(rendered) = last else {
        return Ok(failed(&EvaluateError::Timeout { limit: timeout, scene: Scene::default() }));
    };
    let is_measured = args.stats || args.time;
    // Whoever measures wants to know what is so large.
    let too_large = too_large(&rendered.bytes, &input, operator);
    if let Some(verdict) = too_large.filter(|_| !is_measured) {
        return Ok(verdict);
    }
    let text = String::from_utf8_lossy(&rendered.bytes).into_owned();
    report.detail = Some(Detail::Rendered(Rendered {
        bytes: rendered.bytes.len(),
        objects: rendered.objects,
        largest: if args.stats { largest(&text) } else { Vec::new() },
        seconds: if args.time { seconds } else { Vec::new() },
        text: if is_measured { String::new() } else { text },
    }));
    let limit = kube::core::Duration::from(timeout);
    let message = match (args.time, input.spec.output) {
        (true, _) => format!("an evaluation may take {limit}"),
        (false, Output::Source) => "it evaluates; with output: source its files are published, not this".to_owned(),
        (false, _) => String::new(),
    };
    Ok(Verdict { exit: Exit::Done, message, hint: None })
}

/// What the operator would publish; or, of what does not evaluate, the verdict.
///
/// # Errors
/// A variable that cannot be read.
pub(super) async fn content(
    args: &RenderArgs,
    input: Input,
    operator: Option<&Operator>,
) -> Result<Result<Content, Verdict>, Error> {
    let (pool, request, _) = prepared(args, &input, operator)?;
    let rendered = match pool.evaluate(&request.label, &request, 0).await {
        Ok(rendered) => rendered.bytes,
        Err(error) => return Ok(Err(failed(&error))),
    };
    if let Some(verdict) = too_large(&rendered, &input, operator) {
        return Ok(Err(verdict));
    }
    Ok(Ok(match input.spec.output {
        Output::Rendered => Content::document("rendered.json", rendered),
        Output::Manifests => Content::document("manifests.yaml", rendered),
        Output::Source => Content::tree(input.files.clone()),
    }))
}

fn prepared(args: &RenderArgs, input: &Input, operator: Option<&Operator>) -> Result<(Pool, Request, Duration), Error> {
    let timeout = args.evaluation_timeout.or_else(|| operator.and_then(self::timeout)).unwrap_or(TIMEOUT);
    let memory_bytes = operator.and_then(self::memory).unwrap_or(MEMORY);
    let limits = Limits { timeout, memory_bytes, output_bytes: 0, max_workers: 1, spare_workers: 0 };
    let request = request(input, variables(args, operator)?, operator);
    Ok((Pool::new(PathBuf::from(SELF), limits), request, timeout))
}

/// The verdict on a text that the operator would not publish.
fn too_large(text: &[u8], input: &Input, operator: Option<&Operator>) -> Option<Verdict> {
    // What it renders to is not published with `output: source`.
    if input.spec.output == Output::Source {
        return None;
    }
    let configured = operator.and_then(|operator| operator.argument("max-artifact-bytes")?.parse().ok());
    let limit = configured.filter(|limit| *limit > 0).map_or(ENTRY_LIMIT, |limit: u64| limit.min(ENTRY_LIMIT));
    let bytes = text.len() as u64;
    (bytes > limit).then(|| Verdict {
        exit: Exit::Findings,
        message: format!("it renders {bytes} bytes, and the operator publishes {limit} at most: ArtifactTooLarge"),
        hint: Some("what to do: kubectl jaas explain ArtifactTooLarge".to_owned()),
    })
}

fn failed(error: &EvaluateError) -> Verdict {
    let exit = match error {
        EvaluateError::Unavailable(_) => Exit::Unexpected,
        _ => Exit::Findings,
    };
    Verdict { exit, message: format!("it does not evaluate: {error}"), hint: None }
}

fn timeout(operator: &Operator) -> Option<Duration> {
    let signed = operator.argument("evaluation-timeout")?.parse::<jiff::SignedDuration>().ok()?;
    Duration::try_from(signed).ok()
}

fn memory(operator: &Operator) -> Option<u64> {
    quantity(operator.argument("evaluation-memory")?)
}

/// The operator's own variables, and those of the command line in their place.
fn variables(args: &RenderArgs, operator: Option<&Operator>) -> Result<BTreeMap<String, String>, Error> {
    let mut variables = operator.map(|operator| operator.external_variables().0).unwrap_or_default();
    for pair in &args.ext_var {
        let Some((name, value)) = pair.split_once('=') else {
            let cause = "it is no KEY=VALUE".to_owned();
            return Err(Error::File { file: format!("--ext-var {pair}"), cause });
        };
        variables.insert(name.to_owned(), value.to_owned());
    }
    Ok(variables)
}

fn request(input: &Input, operators: BTreeMap<String, String>, operator: Option<&Operator>) -> Request {
    let spec = &input.spec;
    let named = |variable: &jaas_api::source::Variable| {
        let value = variable.value.clone().unwrap_or_default();
        let value = if variable.code.unwrap_or_default() { Variable::Code(value) } else { Variable::Text(value) };
        (variable.name.clone(), value)
    };
    let operators = operators.into_iter().map(|(name, value)| (name, Variable::Text(value)));
    let stack = operator.and_then(|operator| operator.argument("max-stack")?.parse().ok());
    Request {
        label: format!("{}/{}", input.label, spec.entry_file),
        entry: spec.entry_file.clone(),
        files: input.files.clone(),
        libraries: input.libraries.clone(),
        external_variables: operators.chain(spec.external_variables.iter().map(named)).collect(),
        top_level_arguments: spec.tlas.iter().map(named).collect(),
        output: match spec.output {
            Output::Rendered | Output::Source => jaas_render::Output::Json,
            Output::Manifests => jaas_render::Output::Manifests { allow_empty: spec.allow_empty.unwrap_or_default() },
        },
        max_stack: stack.unwrap_or(STACK),
    }
}

/// The largest entries of a JSON value; nothing where it is none, such as a stream of manifests.
fn largest(text: &str) -> Vec<Entry> {
    let size = |value: &Value| serde_json::to_string(value).map_or(0, |text| text.len());
    let entries: BTreeMap<String, usize> = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(entries)) => entries.iter().map(|(key, value)| (key.clone(), size(value))).collect(),
        Ok(Value::Array(entries)) => {
            entries.iter().enumerate().map(|(position, value)| (format!("[{position}]"), size(value))).collect()
        }
        Ok(_) | Err(_) => BTreeMap::new(),
    };
    let mut entries: Vec<_> = entries.into_iter().map(|(key, bytes)| Entry { key, bytes }).collect();
    entries.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.key.cmp(&b.key)));
    entries.truncate(LARGEST);
    entries
}

#[cfg(test)]
mod tests {
    use super::super::input::program;
    use super::*;
    use crate::operator::tests::operator;

    #[test]
    fn entries_are_sorted_by_size() {
        let found: Vec<_> =
            largest(r#"{"a": 1, "b": "long text", "c": [1, 2]}"#).into_iter().map(|it| it.key).collect();
        assert_eq!(found, ["b", "c", "a"]);
        assert_eq!(largest("[1, 22]").first().map(|it| it.key.as_str()), Some("[1]"));
        assert_eq!(largest("7"), Vec::new());
    }

    #[test]
    fn what_the_operator_would_not_publish_is_no_success() {
        let mut input = program("x.jsonnet", "1".to_owned());
        let text = vec![b'x'; 101];
        let strict = operator(&["--max-artifact-bytes=100"], |_| ());
        let verdict = too_large(&text, &input, Some(&strict)).unwrap();
        assert_eq!(verdict.exit, Exit::Findings);
        assert_eq!(verdict.message, "it renders 101 bytes, and the operator publishes 100 at most: ArtifactTooLarge");
        assert!(too_large(&text[1..], &input, Some(&strict)).is_none());
        let lax = operator(&["--max-artifact-bytes=0"], |_| ());
        assert!(too_large(&text, &input, Some(&lax)).is_none() && too_large(&text, &input, None).is_none());
        let large = vec![b'x'; 16 << 20 | 1];
        assert!(too_large(&large, &input, Some(&lax)).is_some() && too_large(&large, &input, None).is_some());
        input.spec.output = Output::Source;
        assert!(too_large(&large, &input, None).is_none());
    }

    #[test]
    fn the_operators_variables_and_limits_hold() {
        let flags = ["--ext-var=region=eu", "--max-stack=7", "--evaluation-timeout=1m30s", "--evaluation-memory=160Mi"];
        let operator = operator(&flags, |_| ());
        let asked = request(&program("x.jsonnet", "1".to_owned()), operator.external_variables().0, Some(&operator));
        assert_eq!(asked.external_variables["region"], Variable::Text("eu".to_owned()));
        assert_eq!((asked.max_stack, asked.entry.as_str(), asked.label.as_str()), (7, "x.jsonnet", "file/x.jsonnet"));
        assert_eq!((timeout(&operator), memory(&operator)), (Some(Duration::from_secs(90)), Some(160 << 20)));
    }
}
