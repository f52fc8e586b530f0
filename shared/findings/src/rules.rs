//! The checks, one for each code: facts in, what came of it out. Pure.
//!
//! A check that lacks a fact says so; it never takes what it does not know for fine.

mod answers;
mod artifacts;
mod ask;
mod configuration;
mod failing;
mod garbage;
mod installation;
mod leader;
mod network;
mod outcome;
mod pods;
mod policy;
mod queue;
mod reconcile;
mod storage;
mod volume;
mod webhook;

pub(crate) use failing::not_ready;
pub(crate) use installation::missing_right;
pub(crate) use outcome::{Outcome, Seen, Stop};

use crate::code::Code;
use crate::facts::Facts;

/// Runs the check of a code; `None` for the two that look at what the others found.
pub(crate) fn check(code: Code, facts: &Facts) -> Option<Outcome> {
    Some(match code {
        Code::MissingRight | Code::NotReady => return None,

        Code::OperatorNotFound => installation::operator_not_found(facts),
        Code::SeveralInstallations => installation::several_installations(facts),
        Code::OperatorLacksRights => installation::operator_lacks_rights(facts),
        Code::DefinitionNotServed => installation::definition_not_served(facts),
        Code::EmptyDir => configuration::empty_dir(facts),
        Code::VolumeNotShared => configuration::volume_not_shared(facts),
        Code::KeysInArguments => configuration::keys_in_arguments(facts),
        Code::KeysNewerThanPod => configuration::keys_newer_than_pod(facts),
        Code::NoSizeLimit => configuration::no_size_limit(facts),
        Code::SweepOff => configuration::sweep_off(facts),
        Code::UploadsNeverExpire => configuration::uploads_never_expire(facts),
        Code::NoOwnerMark => configuration::no_owner_mark(facts),
        Code::PrefixExpires => configuration::prefix_expires(facts),
        Code::ForeignOwnerMark => configuration::foreign_owner_mark(facts),
        Code::PodsDiffer => configuration::pods_differ(facts),

        Code::OutOfMemory => pods::out_of_memory(facts),
        Code::CrashLoop => pods::crash_loop(facts),
        Code::PodNotReady => pods::not_ready(facts),
        Code::ImageNotPulled => pods::image_not_pulled(facts),
        Code::PodCannotStart => pods::cannot_start(facts),
        Code::PodEvicted => pods::evicted(facts),
        Code::NoPods => pods::no_pods(facts),
        Code::ScaledToZero => pods::scaled_to_zero(facts),

        Code::NoLeader => leader::no_leader(facts),
        Code::LeaderFlaps => leader::flaps(facts),
        Code::LeaderStuck => leader::stuck(facts),
        Code::TwoLeaders => leader::two_leaders(facts),
        Code::HolderGone => leader::holder_gone(facts),
        Code::StandbyNotReady => leader::standby_not_ready(facts),

        Code::NoRoadAnswers => network::no_road_answers(facts),
        Code::RoadsDiffer => network::roads_differ(facts),
        Code::PolicyBlocks => network::policy_blocks(facts),
        Code::NoReadyEndpoint => network::no_ready_endpoint(facts),
        Code::ConsumersFail => network::consumers_fail(facts),
        Code::PolicyNotEvaluated => network::policy_not_evaluated(facts),
        Code::NoStorageService => network::no_storage_service(facts),

        Code::NoVolume => volume::no_volume(facts),
        Code::VolumeFull => storage::full(facts),
        Code::VolumeNearlyFull => volume::nearly_full(facts),
        Code::NoInodes => storage::no_inodes(facts),
        Code::VolumeReplaced => volume::replaced(facts),
        Code::VolumeDenied => storage::volume_denied(facts),
        Code::KeysRefused => storage::keys_refused(facts),
        Code::ObjectStoreUnreachable => storage::object_store_unreachable(facts),
        Code::BucketMissing => storage::bucket_missing(facts),
        Code::PrefixEmpty => storage::prefix_empty(facts),
        Code::Throttled => storage::throttled(facts),
        Code::ClockSkew => storage::clock_skew(facts),
        Code::AbsenceHidden => storage::absence_hidden(facts),
        Code::VolumeReadOnly => storage::read_only(facts),
        Code::VolumeUnavailable => storage::volume_unavailable(facts),
        Code::ClaimNotBound => volume::claim_not_bound(facts),
        Code::NamespaceFull => storage::namespace_full(facts),

        Code::ArtifactMissing => artifacts::missing(facts),
        Code::HistoryMissing => artifacts::history_missing(facts),
        Code::WrongDigest => artifacts::wrong_digest(facts),
        Code::WrongContent => artifacts::wrong_content(facts),
        Code::WrongSize => artifacts::wrong_size(facts),
        Code::NoTarball => artifacts::no_tarball(facts),
        Code::OtherBase => artifacts::other_base(facts),
        Code::NoArtifactObject => artifacts::no_object(facts),
        Code::SuspendedAndMissing => artifacts::suspended_and_missing(facts),
        Code::RevisionsDisagree => artifacts::revisions_disagree(facts),
        Code::ServerError => artifacts::server_error(facts),

        Code::BeyondHistory => garbage::beyond_history(facts),
        Code::PastGrace => garbage::past_grace(facts),
        Code::Residue => garbage::residue(facts),
        Code::OrphanFiles => garbage::orphan_files(facts),
        Code::OrphanArtifact => garbage::orphan_artifact(facts),
        Code::ForeignFiles => garbage::foreign_files(facts),
        Code::UnfinishedUploads => garbage::unfinished_uploads(facts),
        Code::WithdrawForced => garbage::withdraw_forced(facts),
        Code::SweepFails => garbage::sweep_fails(facts),
        Code::SetAside => garbage::set_aside(facts),

        Code::Unanswered => reconcile::unanswered(facts),
        Code::Backoff => failing::backoff(facts),
        Code::Suspended => reconcile::suspended(facts),
        Code::GenerationLag => reconcile::generation_lag(facts),
        Code::SilentFailure => reconcile::silent_failure(facts),
        Code::NeverJudged => reconcile::never_judged(facts),
        Code::Terminating => reconcile::terminating(facts),
        Code::ArtifactLost
        | Code::ArtifactConflict
        | Code::InvalidSpec
        | Code::LibraryNotFound
        | Code::CrossNamespace
        | Code::VariableConflict
        | Code::AccountMissing
        | Code::AccountDenied
        | Code::EvaluationFailed
        | Code::EvaluationTimeout
        | Code::EvaluationOutOfMemory
        | Code::EvaluationTooDeep
        | Code::ArtifactTooLarge
        | Code::NoManifests
        | Code::InvalidManifests
        | Code::SourceNotSupported
        | Code::SourceNotReady
        | Code::SourceFetchFailed
        | Code::DependencyCycle
        | Code::ApiUnavailable => failing::by_reason(facts, code),

        Code::QueueLong => queue::long(facts),
        Code::ReconcileSlow => queue::slow(facts),
        Code::EvaluationsFull => queue::evaluations_full(facts),
        Code::EvaluationsAbandoned => queue::evaluations_abandoned(facts),

        Code::WebhookCertificate => webhook::certificate(facts),
        Code::WebhookUnanswered => webhook::unanswered(facts),
        Code::WebhookWouldRefuse => webhook::would_refuse(facts),
    })
}
