//! `render`: evaluates a snippet here, as the operator would: the same engine, in a worker with the same limits.

mod flux;
mod input;
#[cfg(target_os = "linux")]
mod work;

use std::collections::BTreeMap;
use std::path::Path;

use jaas_api::library::LibrarySpec;
use jaas_api::{JsonnetLibrary, JsonnetSnippet};
use jaas_storage::Content;
use kube::Api;

use self::flux::Flux;
use self::input::{Files, Input};
use super::select::ArgumentError;
use super::{Error, Invocation, Verdict, find, one};
use crate::cli::RenderArgs;
use crate::operator::Operator;
use crate::session::{Call, Session, Writes};
use crate::snippet::{Key, RESOURCE};
use crate::view::Report;

/// Gathers, evaluates, and notes what came out.
pub(super) async fn run(args: &RenderArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let mut stop = invocation.stop.clone();
    let work = async {
        let (input, operator) = gather(args, invocation, report).await?;
        evaluate(args, input, operator.as_ref(), report).await
    };
    tokio::select! {
        done = work => done,
        signal = stop.signalled() => Err(Error::Stopped(signal)),
    }
}

#[cfg(target_os = "linux")]
async fn evaluate(
    args: &RenderArgs,
    input: Input,
    operator: Option<&Operator>,
    report: &mut Report,
) -> Result<Verdict, Error> {
    work::run(args, input, operator, report).await
}

#[cfg(not(target_os = "linux"))]
async fn evaluate(_: &RenderArgs, _: Input, _: Option<&Operator>, _: &mut Report) -> Result<Verdict, Error> {
    Err(needs_linux())
}

#[cfg(not(target_os = "linux"))]
fn needs_linux() -> Error {
    let what = "evaluating needs Linux, by whose means the engine's workers are limited".to_owned();
    Error::Refused { what, how: String::new() }
}

/// What the operator would publish of a snippet, as it is in the cluster or, where a path is given, in a file; or, of what does not
/// evaluate, the verdict.
///
/// # Errors
/// It cannot be had, or its files cannot.
#[cfg(target_os = "linux")]
pub(super) async fn content(
    args: &RenderArgs,
    file: Option<&Path>,
    session: &Session,
    operator: Option<&Operator>,
) -> Result<Result<Content, Verdict>, Error> {
    let input = match file {
        None => live(&args.source, session, operator, "diff").await?.1,
        Some(file) => match from_file(file)? {
            Found::Program(input) => *input,
            Found::Snippet { snippet, present } => complete(session, operator, *snippet, &present).await?,
        },
    };
    work::content(args, input, operator).await
}

#[cfg(not(target_os = "linux"))]
pub(super) async fn content(
    _: &RenderArgs,
    _: Option<&Path>,
    _: &Session,
    _: Option<&Operator>,
) -> Result<Result<Content, Verdict>, Error> {
    Err(needs_linux())
}

/// Without the right to see the operator.
const UNSEEN: &str = "the operator cannot be seen: its own variables and limits are left out";

/// Everything that decides the result, and the operator where it can be seen.
async fn gather(
    args: &RenderArgs,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<(Input, Option<Operator>), Error> {
    if !input::is_file(&args.source) {
        let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
        report.at(&session.destination);
        invocation.listener.say(&format!("render `{}`; {}", args.source, session.destination));
        // Without the right to see it, its own variables and limits are not known, which is said.
        let operator = find::operator(&session, &args.operator).await.ok().flatten();
        if operator.is_none() {
            invocation.listener.say(UNSEEN);
        }
        let (key, input) = live(&args.source, &session, operator.as_ref(), "render").await?;
        report.metadata.scope.namespaces = vec![key.namespace];
        report.metadata.scope.snippets = 1;
        return Ok((input, operator));
    }
    let (snippet, present) = match from_file(Path::new(&args.source))? {
        Found::Program(input) => return Ok((*input, None)),
        Found::Snippet { snippet, present } => (snippet, present),
    };
    if let Some(input) = input::whole(&snippet, &present) {
        return Ok((input, None));
    }
    let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
    report.at(&session.destination);
    let operator = find::operator(&session, &args.operator).await.ok().flatten();
    if operator.is_none() {
        invocation.listener.say(UNSEEN);
    }
    let input = complete(&session, operator.as_ref(), *snippet, &present).await?;
    Ok((input, operator))
}

/// A snippet of the cluster with its libraries.
async fn live(
    name: &str,
    session: &Session,
    operator: Option<&Operator>,
    command: &'static str,
) -> Result<(Key, Input), Error> {
    let key = one::meant(name, &session.namespace, None)
        .ok_or_else(|| ArgumentError::Slash { name: name.to_owned(), command })?;
    let snippets: Api<JsonnetSnippet> = Api::namespaced(session.client.clone(), &key.namespace);
    let call = Call::new("get", jaas_api::GROUP, RESOURCE, &["get"]).within(Some(&key.namespace)).named(&key.name);
    let snippet = session.call(&call, snippets.get(&key.name)).await?;
    Ok((key, complete(session, operator, snippet, &BTreeMap::new()).await?))
}

/// A snippet with its own files and those of its libraries, from wherever they come.
async fn complete(
    session: &Session,
    operator: Option<&Operator>,
    snippet: JsonnetSnippet,
    present: &BTreeMap<String, LibrarySpec>,
) -> Result<Input, Error> {
    let flux = Flux::new(session, operator);
    let owner = snippet.metadata.namespace.clone().unwrap_or_else(|| session.namespace.clone());
    let files = match &snippet.spec.source_ref {
        Some(source) => flux.fetch(&owner, source, &format!("snippet `{}`", input::label(&snippet))).await?,
        None => input::bytes(snippet.spec.files.iter().flatten()),
    };
    let libraries = libraries(session, &flux, &snippet, &owner, present).await?;
    Ok(input::of(snippet, files, libraries))
}

/// What a file holds.
enum Found {
    /// A program without any snippet around it.
    Program(Box<Input>),
    /// A snippet, and the libraries that stand beside it, by name.
    Snippet { snippet: Box<JsonnetSnippet>, present: BTreeMap<String, LibrarySpec> },
}

fn from_file(path: &Path) -> Result<Found, Error> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| Error::File { file: file.clone(), cause: error.to_string() })?;
    if file.ends_with(".jsonnet") {
        return Ok(Found::Program(Box::new(input::program(&file, text))));
    }
    let (snippet, present) = input::documents(&file, &text)?;
    Ok(Found::Snippet { snippet: Box::new(snippet), present })
}

/// The files of each library by alias: as the file has it, else the cluster.
async fn libraries(
    session: &Session,
    flux: &Flux<'_>,
    snippet: &JsonnetSnippet,
    owner: &str,
    present: &BTreeMap<String, LibrarySpec>,
) -> Result<BTreeMap<String, Files>, Error> {
    let mut libraries = BTreeMap::new();
    for library in &snippet.spec.libraries {
        let namespace = library.namespace_or(owner);
        let spec = match present.get(&library.name) {
            Some(spec) => spec.clone(),
            None => {
                let found: Api<JsonnetLibrary> = Api::namespaced(session.client.clone(), namespace);
                let call = Call::new("get", jaas_api::GROUP, "jsonnetlibraries", &["get"]).within(Some(namespace));
                session.call(&call.named(&library.name), found.get(&library.name)).await?.spec
            }
        };
        let files = match (&spec.files, &spec.source_ref) {
            (Some(files), _) if !files.is_empty() => input::bytes(files),
            (_, Some(source)) => {
                flux.fetch(namespace, source, &format!("library `{namespace}/{}`", library.name)).await?
            }
            _ => Files::new(),
        };
        libraries.insert(library.alias().to_owned(), files);
    }
    Ok(libraries)
}
