//! `doctor` and `storage doctor`: gather, judge, say where to begin.

mod choice;
mod judge;

use jaas_findings::{Area, Document, evaluate};

use self::choice::Choices;
use super::select::{Choice, States};
use super::{Error, Invocation, Verdict};
use crate::cli::{CheckArgs, Depth, DoctorArgs, LookArgs, Targets};
use crate::facts::{Ask, Scope, Stopped, gather};
use crate::session::{Session, Writes};
use crate::view::{Detail, Diagnosis, Next, Report};

/// What `storage doctor` looks at: the store, the way to it, the settings of both, and what snippets say of it.
const STORAGE: [Area; 5] = [Area::Configuration, Area::Network, Area::Storage, Area::Reconcile, Area::Finalizers];

/// Looks at everything, or at some areas.
pub(super) async fn run(args: &DoctorArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let areas = if args.areas.is_empty() { &args.look.only } else { &args.areas };
    look(&args.look, areas, "doctor", invocation, report).await
}

/// Looks at the store.
pub(super) async fn storage(
    args: &CheckArgs,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<Verdict, Error> {
    let areas = if args.look.only.is_empty() { &STORAGE[..] } else { &args.look.only };
    look(&args.look, areas, "storage doctor", invocation, report).await
}

async fn look(
    args: &LookArgs,
    areas: &[Area],
    command: &'static str,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<Verdict, Error> {
    let targets = Targets {
        selector: args.selector.clone(),
        all: args.selector.is_none(),
        all_namespaces: args.all_namespaces,
        ..Targets::default()
    };
    let choice = Choice::new(&targets, States::default(), invocation.connection.namespace.as_deref(), command)?;
    let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
    report.at(&session.destination);
    let selection = choice.within(&session.namespace);
    report.metadata.scope = selection.scope();
    let (depth, route) = (args.depth, if args.depth == Depth::Quick { "none" } else { args.route.word() });
    invocation.listener.say(&format!(
        "{command} of {selection}, depth {}, route {route}; {}",
        depth.word(),
        session.destination
    ));
    let scope = Scope { namespace: selection.namespace.as_deref(), labels: args.selector.as_deref() };
    let ask = Ask { scope, operator: &args.operator, depth, route: args.route };
    let mut stop = invocation.stop.clone();
    let gathered = tokio::select! {
        gathered = gather(&session, &ask) => gathered,
        signal = stop.signalled() => return Err(Error::Stopped(signal)),
    };
    let gathered = gathered.map_err(|stopped| match stopped {
        Stopped::Session(error) => Error::Session(error),
        Stopped::Several(all) => Error::ManyOperators(all),
    })?;
    report.metadata.scope.snippets = gathered.facts.snippets.ok().map_or(0, |snippets| snippets.items.len());
    if invocation.format.is_document()
        && let Some(uid) = session.cluster_uid().await
    {
        report.metadata.cluster.uid = uid;
    }
    let choices = Choices { areas, skip: &args.skip, suppress: &args.suppress };
    let document = Document::new(gathered.facts.at, choices.apply(evaluate(&gathered.facts)));
    report.result.counts = judge::counts(&document);
    report.figures.insert("seconds", crate::view::to_milliseconds(invocation.run.elapsed().as_secs_f64()));
    // What this version does not take stays in the document, and is not proposed.
    let commands = document.triage.commands.iter().filter(|command| crate::cli::takes(&command.command));
    report.next = commands.map(|it| Next { command: it.command.clone(), why: it.why.clone() }).collect();
    let verdict = judge::verdict(&document, args.fail_on);
    report.detail = Some(Detail::Diagnosis(Box::new(Diagnosis {
        operator: gathered.operator.as_ref().map(describe),
        store: gathered.operator.as_ref().map(|operator| operator.store().to_string()),
        depth: depth.word(),
        route,
        document,
    })));
    Ok(verdict)
}

fn describe(operator: &crate::operator::Operator) -> String {
    let (ready, wanted) = operator.ready();
    let version = operator.version().map(|version| format!(" {version}")).unwrap_or_default();
    format!("{}{version}   {ready}/{wanted} ready", operator.path())
}
