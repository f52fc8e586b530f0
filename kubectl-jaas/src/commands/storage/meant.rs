//! The snippets that a command on stored artifacts means, and what they announce.

use jaas_api::ExternalArtifact;

use super::super::select::{Choice, Selection};
use super::super::{Error, Invocation, Verdict};
use super::ground::Ground;
use crate::cli::{OperatorArgs, RoadArgs};
use crate::exit::Exit;
use crate::facts::{self, Scope};
use crate::session::Writes;
use crate::snippet::Snippet;
use crate::view::Report;

/// What a command line says of it.
pub(super) struct Ask<'a> {
    /// The command, as it is announced.
    pub(super) command: &'static str,
    pub(super) choice: Choice,
    pub(super) labels: Option<&'a str>,
    pub(super) allow_empty: bool,
    pub(super) operator: &'a OperatorArgs,
    pub(super) road: &'a RoadArgs,
    pub(super) writes: Writes,
}

/// What is meant, as it is now.
pub(super) struct Meant {
    pub(super) ground: Ground,
    pub(super) selection: Selection,
    pub(super) snippets: Vec<Snippet>,
    pub(super) artifacts: Vec<ExternalArtifact>,
}

/// Says what is going to be looked at, and lists it; a verdict where nothing matches and that is no failure.
///
/// # Errors
/// There is no session, a list failed, or nothing matches.
pub(super) async fn look(
    ask: Ask<'_>,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<Result<Meant, Verdict>, Error> {
    let ground = Ground::open(invocation, ask.operator, ask.road, ask.writes, report).await?;
    let selection = ask.choice.within(&ground.session.namespace);
    report.metadata.scope = selection.scope();
    invocation.listener.say(&format!("{} of {selection}; {}", ask.command, ground.session.destination));
    let scope = Scope { namespace: selection.namespace.as_deref(), labels: ask.labels };
    let snippets = selection.matching(facts::list_snippets(&ground.session, &scope).await?);
    report.metadata.scope.snippets = snippets.len();
    if let Err(error) = selection.check(&snippets) {
        if ask.allow_empty && snippets.is_empty() {
            return Ok(Err(Verdict { exit: Exit::Done, message: error.to_string(), hint: None }));
        }
        return Err(error.into());
    }
    let artifacts = facts::list_artifacts(&ground.session, &scope).await?;
    Ok(Ok(Meant { ground, selection, snippets, artifacts }))
}
