//! `storage …`: what lies in the store, whether it is right, and what may go.
//!
//! A command says what it needs of a road; nothing here knows how the bytes come.

mod act;
mod advise;
pub(super) mod fetch;
pub(super) mod ground;
mod info;
mod keep;
mod list;
mod meant;
mod orphans;
pub(super) mod prove;
mod prune;
mod repair;
mod scope;
mod share;
mod space;
mod sweep;
mod verify;
pub(super) mod ways;

pub(super) use self::orphans::run as find_orphans;
pub(super) use self::prune::run as prune;
use super::{Error, Invocation, Verdict, doctor};
use crate::cli::StorageCommand;
use crate::view::{Kind, Report};

/// Runs one of them.
pub(super) async fn run(
    command: &StorageCommand,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<Verdict, Error> {
    match command {
        StorageCommand::Doctor(args) => doctor::storage(args, invocation, report).await,
        StorageCommand::Info(args) => info::run(args, invocation, report).await,
        StorageCommand::Df(args) => space::df(args, invocation, report).await,
        StorageCommand::Du(args) => space::du(args, invocation, report).await,
        StorageCommand::Ls(args) => list::run(args, invocation, report).await,
        StorageCommand::Verify(args) => verify::run(args, invocation, report).await,
        StorageCommand::Fetch(args) => fetch::run(args, invocation, report).await,
        StorageCommand::Prune(args) => prune::run(args, invocation, report).await,
        StorageCommand::Sweep(args) => sweep::run(args, invocation, report).await,
        StorageCommand::FindOrphans(args) => orphans::run(args, invocation, report).await,
        StorageCommand::Repair(args) => repair::run(args, invocation, report).await,
        StorageCommand::Advise(args) => advise::run(args, invocation, report).await,
    }
}

/// What the document of a command is called.
pub(super) fn kind(command: &StorageCommand) -> Kind {
    match command {
        StorageCommand::Doctor(_) => Kind::DoctorReport,
        StorageCommand::Info(_) => Kind::StorageInfoReport,
        StorageCommand::Df(_) => Kind::SpaceReport,
        StorageCommand::Du(_) => Kind::UsageReport,
        StorageCommand::Ls(_) => Kind::ListReport,
        StorageCommand::Verify(_) => Kind::VerifyReport,
        StorageCommand::Fetch(_) => Kind::FetchReport,
        StorageCommand::Prune(_) => Kind::PruneReport,
        StorageCommand::Sweep(_) => Kind::SweepReport,
        StorageCommand::FindOrphans(_) => Kind::OrphansReport,
        StorageCommand::Repair(_) => Kind::RepairReport,
        StorageCommand::Advise(_) => Kind::AdviceReport,
    }
}

/// Whether it is about snippets that `-o name` can list.
pub(super) fn has_names(command: &StorageCommand) -> bool {
    use StorageCommand::{Doctor, Du, FindOrphans, Prune, Repair, Verify};
    matches!(command, Doctor(_) | Du(_) | Verify(_) | Prune(_) | FindOrphans(_) | Repair(_))
}
