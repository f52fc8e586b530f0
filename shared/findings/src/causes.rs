//! Which finding explains which. Pure.

use std::collections::BTreeSet;

use crate::code::{Code, Severity};
use crate::facts::{Facts, VolumeKind};
use crate::finding::Finding;

/// One finding can explain another.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    /// What explains.
    pub cause: Code,
    /// What is explained.
    pub effect: Code,
    /// When it does, if both were found.
    pub when: When,
}

/// When one finding explains another, if both were found.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// Always.
    Always,
    /// If both concern the same thing.
    Shared,
    /// If the cause is an error at least: what merely drifts breaks nothing yet.
    Severe,
    /// If the store went with the Pod.
    EmptyDir,
}

macro_rules! edges {
    ($($when:ident: [$($cause:ident),+ $(,)?] => [$($effect:ident),+ $(,)?];)+) => {
        /// Every edge.
        pub fn edges() -> Vec<Edge> {
            let mut edges = Vec::new();
            $(
                for cause in [$(Code::$cause),+] {
                    for effect in [$(Code::$effect),+] {
                        edges.push(Edge { cause, effect, when: When::$when });
                    }
                }
            )+
            edges
        }
    };
}

edges! {
    // Pods and what keeps them from running.
    Always: [ClaimNotBound] => [PodCannotStart];
    Shared: [OutOfMemory] => [CrashLoop];
    Shared: [OutOfMemory, CrashLoop, LeaderStuck] => [PodNotReady];
    Shared: [PodEvicted] => [HolderGone];
    Always: [NoPods, ScaledToZero] => [HolderGone];
    Always: [CrashLoop, PodNotReady, ImageNotPulled, PodCannotStart] => [StandbyNotReady];
    Always: [OperatorNotFound, NoPods, ScaledToZero, CrashLoop, ImageNotPulled, PodCannotStart, OperatorLacksRights] => [NoLeader];
    Always: [HolderGone, CrashLoop, OperatorLacksRights] => [LeaderStuck];
    Always: [OperatorNotFound, NoPods, ScaledToZero, CrashLoop, PodNotReady, ImageNotPulled, PodCannotStart]
        => [NoReadyEndpoint, NoRoadAnswers];
    Always: [OperatorNotFound] => [NoStorageService];

    // The way to the storage server.
    Always: [NoStorageService, NoReadyEndpoint, PolicyBlocks] => [RoadsDiffer];
    Always: [NoStorageService, NoReadyEndpoint, PolicyBlocks, NoRoadAnswers] => [ConsumersFail];

    // What the store should hold.
    EmptyDir: [PodEvicted, OutOfMemory] => [VolumeReplaced];
    Always: [PrefixExpires, ForeignOwnerMark] => [PrefixEmpty];
    Always: [
        NoVolume, VolumeNotShared, VolumeReplaced, ClaimNotBound, BucketMissing, PrefixEmpty, PrefixExpires, ForeignOwnerMark,
    ] => [ArtifactMissing, HistoryMissing];
    Shared: [ArtifactLost] => [ArtifactMissing];
    Shared: [ArtifactMissing] => [SuspendedAndMissing];
    Shared: [WrongDigest, WrongContent, WrongSize, NoTarball] => [ArtifactMissing];
    Shared: [
        ArtifactMissing, WrongDigest, WrongContent, WrongSize, NoTarball, OtherBase, NoArtifactObject, ServerError,
    ] => [ConsumersFail];
    Always: [DefinitionNotServed] => [NoArtifactObject, NeverJudged, ApiUnavailable];
    Always: [KeysNewerThanPod] => [KeysRefused];
    Always: [
        VolumeDenied, KeysRefused, ObjectStoreUnreachable, BucketMissing, Throttled, AbsenceHidden, VolumeReadOnly,
        VolumeUnavailable,
    ] => [ServerError];

    Severe: [ClockSkew] => [ServerError];

    // What cannot be written.
    Always: [
        VolumeFull, NoInodes, VolumeDenied, KeysRefused, ObjectStoreUnreachable, BucketMissing, Throttled,         VolumeReadOnly, VolumeUnavailable,
    ] => [SilentFailure];
    Shared: [
        VolumeFull, NoInodes, VolumeDenied, KeysRefused, ObjectStoreUnreachable, BucketMissing, Throttled, ClockSkew,
        VolumeReadOnly, VolumeUnavailable, SilentFailure, NamespaceFull,
    ] => [Unanswered, GenerationLag];
    Always: [VolumeFull, NoInodes, VolumeDenied, VolumeReadOnly, VolumeUnavailable] => [SweepFails];
    Always: [VolumeFull] => [VolumeNearlyFull];
    Always: [SweepOff, SweepFails, OutOfMemory] => [Residue];
    Always: [VolumeDenied, VolumeReadOnly, VolumeUnavailable, KeysRefused] => [PastGrace, BeyondHistory];
    Always: [WithdrawForced] => [OrphanFiles, OrphanArtifact];
    Always: [
        VolumeDenied, KeysRefused, ObjectStoreUnreachable, BucketMissing, Throttled, VolumeReadOnly,
        VolumeUnavailable,
    ] => [Terminating];

    Severe: [ClockSkew] => [SilentFailure, Terminating];

    // Nobody works, or too slowly.
    Always: [OperatorNotFound, NoPods, ScaledToZero, NoLeader, LeaderStuck, HolderGone, OperatorLacksRights]
        => [Unanswered, GenerationLag, NeverJudged, Terminating];
    Always: [QueueLong] => [Unanswered, GenerationLag, NeverJudged];
    Always: [OperatorNotFound, NoPods, ScaledToZero, CrashLoop, PodNotReady, ImageNotPulled, PodCannotStart] => [WebhookUnanswered];
    Always: [EvaluationTimeout] => [EvaluationsAbandoned, EvaluationsFull];
    Always: [EvaluationsAbandoned] => [EvaluationsFull];
    Always: [ObjectStoreUnreachable, Throttled, VolumeUnavailable, EvaluationsFull] => [ReconcileSlow, QueueLong];
    Always: [NoLeader, LeaderStuck] => [QueueLong];

    // A snippet that breaks a rule breaks it for everybody who judges.
    Shared: [InvalidSpec, VariableConflict, DependencyCycle] => [WebhookWouldRefuse];

    // Whatever makes a snippet fail makes it wait for its next try.
    Shared: [
        VolumeFull, NoInodes, VolumeDenied, KeysRefused, ObjectStoreUnreachable, BucketMissing, Throttled, ClockSkew,
        VolumeReadOnly, VolumeUnavailable, SilentFailure, NamespaceFull, ArtifactLost, ArtifactConflict, InvalidSpec, LibraryNotFound,
        CrossNamespace, VariableConflict, AccountMissing, AccountDenied, EvaluationFailed, EvaluationTimeout,
        EvaluationOutOfMemory, EvaluationTooDeep, ArtifactTooLarge, NoManifests, InvalidManifests, SourceNotSupported, SourceNotReady, SourceFetchFailed,
        DependencyCycle, ApiUnavailable,
    ] => [Backoff];
}

/// Gives each finding the codes of those that explain it.
pub(crate) fn link(facts: &Facts, findings: &mut [Finding]) {
    let edges = edges();
    let volume = facts.operator.volume.ok().and_then(Option::as_ref);
    let is_empty_dir = volume.is_some_and(|volume| volume.kind == VolumeKind::EmptyDir);
    let causes_of = |effect: &Finding| -> BTreeSet<Code> {
        let holds = |edge: &&Edge| {
            edge.effect == effect.code
                && findings.iter().any(|cause| {
                    cause.code == edge.cause
                        && match edge.when {
                            When::Always => true,
                            When::Shared => !cause.subjects.is_disjoint(&effect.subjects),
                            When::Severe => cause.severity >= Severity::Error,
                            When::EmptyDir => is_empty_dir,
                        }
                })
        };
        edges.iter().filter(holds).map(|edge| edge.cause).collect()
    };
    let causes: Vec<_> = findings.iter().map(causes_of).collect();
    for (finding, causes) in findings.iter_mut().zip(causes) {
        finding.causes = causes.into_iter().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_explains_itself_not_even_over_others() {
        let edges = edges();
        for code in Code::ALL {
            let mut behind: BTreeSet<Code> = BTreeSet::new();
            let mut open = vec![*code];
            while let Some(effect) = open.pop() {
                for edge in edges.iter().filter(|edge| edge.effect == effect) {
                    assert_ne!(edge.cause, *code, "{code} is behind itself by way of {effect}");
                    if behind.insert(edge.cause) {
                        open.push(edge.cause);
                    }
                }
            }
        }
    }
}
