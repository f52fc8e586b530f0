//! `render`: evaluates a snippet here, as the operator would: the same engine, in a worker with the same limits.

mod input;
#[cfg(target_os = "linux")]
mod work;

use std::collections::BTreeMap;
use std::path::Path;

use jaas_api::{JsonnetLibrary, JsonnetSnippet};
use kube::Api;

use self::input::{Files, Input};
use super::{Error, Invocation, Verdict, find, one};
use crate::cli::RenderArgs;
use crate::operator::Operator;
use crate::session::{Call, Session, Writes};
use crate::snippet::RESOURCE;
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
    let what = "evaluating needs Linux, by whose means the engine's workers are limited".to_owned();
    Err(Error::Refused { what, how: String::new() })
}

/// Everything that decides the result, and the operator where it can be seen.
async fn gather(
    args: &RenderArgs,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<(Input, Option<Operator>), Error> {
    if !input::is_file(&args.source) {
        let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
        report.at(&session.destination);
        let key = one::key(&args.source, &session, "render")?;
        invocation.listener.say(&format!("render {key}; {}", session.destination));
        report.metadata.scope.namespaces = vec![key.namespace.clone()];
        let snippets: Api<JsonnetSnippet> = Api::namespaced(session.client.clone(), &key.namespace);
        let call = Call::new("get", jaas_api::GROUP, RESOURCE, &["get"]).within(Some(&key.namespace)).named(&key.name);
        let snippet = session.call(&call, snippets.get(&key.name)).await?;
        report.metadata.scope.snippets = 1;
        // Without the right to see it, its own variables and limits are not known, which is said.
        let operator = find::operator(&session, &args.operator).await.ok().flatten();
        if operator.is_none() {
            invocation.listener.say("the operator cannot be seen: its own variables and limits are left out");
        }
        let libraries = libraries(&session, &snippet, &BTreeMap::new()).await?;
        return Ok((input::of(snippet, libraries)?, operator));
    }
    let bytes = std::fs::read_to_string(Path::new(&args.source));
    let text = bytes.map_err(|error| Error::File { file: args.source.clone(), cause: error.to_string() })?;
    if args.source.ends_with(".jsonnet") {
        return Ok((input::program(&args.source, text), None));
    }
    let (snippet, present) = input::documents(&args.source, &text)?;
    let is_complete = snippet.spec.libraries.iter().all(|library| present.contains_key(&library.name));
    let libraries = if is_complete {
        input::aliased(&snippet, &present)
    } else {
        let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
        report.at(&session.destination);
        libraries(&session, &snippet, &present).await?
    };
    Ok((input::of(snippet, libraries)?, None))
}

/// The files of each library by alias: from the file, else from the cluster.
async fn libraries(
    session: &Session,
    snippet: &JsonnetSnippet,
    present: &BTreeMap<String, Files>,
) -> Result<BTreeMap<String, Files>, Error> {
    let mut libraries = input::aliased(snippet, present);
    let owner = snippet.metadata.namespace.clone().unwrap_or_else(|| session.namespace.clone());
    for library in &snippet.spec.libraries {
        if libraries.contains_key(library.alias()) {
            continue;
        }
        let namespace = library.namespace_or(&owner);
        let found: Api<JsonnetLibrary> = Api::namespaced(session.client.clone(), namespace);
        let call = Call::new("get", jaas_api::GROUP, "jsonnetlibraries", &["get"]).within(Some(namespace));
        let found = session.call(&call.named(&library.name), found.get(&library.name)).await?;
        let Some(files) = found.spec.files else {
            return Err(input::needs_flux(&format!("library `{namespace}/{}`", library.name)));
        };
        libraries.insert(library.alias().to_owned(), files);
    }
    Ok(libraries)
}
