//! `doctor` and `storage doctor`: gather, judge, say where to begin.

mod choice;
pub(super) mod judge;

use jaas_findings::{Area, Document, evaluate};

use self::choice::Choices;
use super::select::{Choice, Selection, States};
use super::{Error, Invocation, Verdict};
use crate::cli::{CheckArgs, Depth, DoctorArgs, Format, LookArgs, Targets};
use crate::facts::{Ask, Gathered, Scope, Stopped, gather};
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
    let eye = Eye::open(args, areas, command, invocation, report).await?;
    let mut stop = invocation.stop.clone();
    let seen = tokio::select! {
        seen = eye.look(invocation) => seen?,
        signal = stop.signalled() => return Err(Error::Stopped(signal)),
    };
    if invocation.format.is_document()
        && let Some(uid) = eye.session.cluster_uid().await
    {
        report.metadata.cluster.uid = uid;
    }
    Ok(eye.note(seen, invocation, report))
}

/// What looks: as often as it is wanted, at the same.
pub(super) struct Eye<'a> {
    pub(super) session: Session,
    selection: Selection,
    args: &'a LookArgs,
    areas: &'a [Area],
}

impl<'a> Eye<'a> {
    /// Opens a session, and says what is going to be looked at.
    ///
    /// # Errors
    /// The arguments contradict themselves, or there is no session.
    pub(super) async fn open(
        args: &'a LookArgs,
        areas: &'a [Area],
        command: &'static str,
        invocation: &Invocation<'_>,
        report: &mut Report,
    ) -> Result<Self, Error> {
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
        let eye = Self { session, selection, args, areas };
        invocation.listener.say(&format!(
            "{command} of {}, depth {}, route {}; {}",
            eye.selection,
            args.depth.word(),
            eye.route(),
            eye.session.destination
        ));
        Ok(eye)
    }

    fn route(&self) -> &'static str {
        if self.args.depth == Depth::Quick { "none" } else { self.args.road.route.word() }
    }

    /// Takes one look.
    ///
    /// # Errors
    /// Nothing at all could be learned, or there are several operators.
    pub(super) async fn look(&self, invocation: &Invocation<'_>) -> Result<Gathered, Error> {
        let args = self.args;
        let scope = Scope { namespace: self.selection.namespace.as_deref(), labels: args.selector.as_deref() };
        let ask = Ask { scope, operator: &args.operator, depth: args.depth, road: &args.road, run: invocation.run };
        gather(&self.session, &ask).await.map_err(|stopped| match stopped {
            Stopped::Session(error) => Error::Session(error),
            Stopped::Several(all) => Error::ManyOperators(all),
        })
    }

    /// Judges what was seen and notes it in the report.
    pub(super) fn note(&self, gathered: Gathered, invocation: &Invocation<'_>, report: &mut Report) -> Verdict {
        report.metadata.scope.snippets = gathered.facts.snippets.ok().map_or(0, |snippets| snippets.items.len());
        let choices = Choices { areas: self.areas, skip: &self.args.skip, suppress: &self.args.suppress };
        let document = Document::new(gathered.facts.at, choices.apply(evaluate(&gathered.facts)));
        report.result.counts = judge::counts(&document);
        report.figures.insert("seconds", crate::view::to_milliseconds(invocation.run.elapsed().as_secs_f64()));
        // What this version does not take stays in the document, and is not proposed.
        let commands = document.triage.commands.iter().filter(|command| crate::cli::takes(&command.command));
        report.next = commands.map(|it| Next { command: it.command.clone(), why: it.why.clone() }).collect();
        let mut verdict = judge::verdict(&document, self.args.fail_on);
        if matches!(invocation.format, Format::Table | Format::Short) && judge::hides(&document) {
            verdict.message.push_str("; -o wide shows each");
        }
        report.detail = Some(Detail::Diagnosis(Box::new(Diagnosis {
            operator: gathered.operator.as_ref().map(describe),
            store: gathered.operator.as_ref().map(|operator| operator.store().to_string()),
            depth: self.args.depth.word(),
            route: self.route(),
            document,
        })));
        verdict
    }
}

fn describe(operator: &crate::operator::Operator) -> String {
    let (ready, wanted) = operator.ready();
    let version = operator.version().map(|version| format!(" {version}")).unwrap_or_default();
    format!("{}{version}   {ready}/{wanted} ready", operator.path())
}
