//! The proof that another replica leads: what the Lease shows, in the order in which it was written.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::time::Instant;

use super::super::ending::Ending;
use super::super::{Error, Invocation, find};
use crate::lease::{Leadership, Place};
use crate::session::Session;
use crate::view::{Step, StepState, to_milliseconds};

/// How far the proof is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nobody else leads yet, or has not renewed yet.
    Waiting,
    /// The same one leads again.
    Again,
    /// Another leads, and has renewed.
    Proven,
}

/// What was seen of the Lease, by the run's clock.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    before: Leadership,
    /// The last sign of life of the old leader.
    last_sign: Option<Duration>,
    released: Option<Duration>,
    taken: Option<(Leadership, Duration)>,
    renewed: Option<Duration>,
    is_again: bool,
}

impl Proof {
    /// Nothing seen yet.
    pub(super) fn new(before: Leadership) -> Self {
        Self { before, last_sign: None, released: None, taken: None, renewed: None, is_again: false }
    }

    /// The Lease as it is at that moment.
    pub(super) fn seen(&mut self, now_says: &Leadership, at: Duration) {
        if now_says.follows(&self.before) {
            match &self.taken {
                Some((taken, _)) if taken.holder == now_says.holder && taken.uid == now_says.uid => {
                    if taken.renewed != now_says.renewed {
                        self.renewed.get_or_insert(at);
                    }
                }
                _ => {
                    self.taken = Some((now_says.clone(), at));
                    self.renewed = None;
                }
            }
        } else if now_says.is_again(&self.before) {
            self.is_again = true;
        } else if now_says.holder.is_empty() {
            self.released.get_or_insert(at);
        } else {
            self.last_sign = Some(at);
        }
    }

    /// The Lease is gone at that moment.
    pub(super) fn gone(&mut self, at: Duration) {
        self.released.get_or_insert(at);
    }

    /// How far the proof is.
    pub(super) fn stage(&self) -> Stage {
        match (&self.taken, self.renewed) {
            (Some(_), Some(_)) => Stage::Proven,
            (None, _) if self.is_again => Stage::Again,
            _ => Stage::Waiting,
        }
    }

    /// The time in which nobody led: from letting go, or the last sign of life, until another took over.
    pub(super) fn gap(&self) -> Option<Duration> {
        let (_, taken) = self.taken.as_ref()?;
        Some(taken.saturating_sub(self.released.or(self.last_sign)?))
    }

    /// One sentence.
    pub(super) fn words(&self) -> String {
        match (&self.taken, self.is_again) {
            (Some((taken, _)), _) => {
                // Either moment is when this program heard of it.
                let gap = self.gap().map(|gap| match self.released {
                    Some(_) => format!(", {:.1}s after {} let go", gap.as_secs_f64(), self.before.pod()),
                    None => format!(", {:.1}s after {} last renewed", gap.as_secs_f64(), self.before.pod()),
                });
                format!("handed over to {}{}", taken.pod(), gap.unwrap_or_default())
            }
            (None, true) => format!("{} leads again", self.before.pod()),
            (None, false) if self.released.is_some() => format!("{} let go, and nobody leads yet", self.before.pod()),
            (None, false) => format!("{} still leads", self.before.pod()),
        }
    }

    /// What was proven, with seconds since `begun`.
    pub(super) fn steps(&self, begun: Duration) -> Vec<Step> {
        let seconds = |at: Duration| Some(to_milliseconds(at.saturating_sub(begun).as_secs_f64()));
        let mut steps = Vec::new();
        if let Some(at) = self.released {
            let what = format!("{} let go of the lease", self.before.pod());
            steps.push(Step { seconds: seconds(at), ..Step::new("release", StepState::Ok, what) });
        }
        if self.taken.is_none() {
            let state = if self.is_again { StepState::Failed } else { StepState::Unknown };
            steps.push(Step::new("leader", state, self.words()));
        }
        if let Some((taken, at)) = &self.taken {
            let what = format!("{} took it over, transition {}", taken.holder, taken.transitions);
            steps.push(Step { seconds: seconds(*at), ..Step::new("leader", StepState::Ok, what) });
            steps.push(match self.renewed {
                Some(at) => {
                    Step { seconds: seconds(at), ..Step::new("renewal", StepState::Ok, "it renewed the lease") }
                }
                None => Step::new("renewal", StepState::Failed, "it has not renewed the lease yet"),
            });
        }
        steps
    }
}

/// The Lease as it changes.
pub(super) type Watch = BoxStream<'static, watcher::Result<watcher::Event<Lease>>>;

/// Prepares the watch; nothing is sent before it is read.
pub(super) fn open(session: &Session, place: &Place) -> Watch {
    let leases: Api<Lease> = Api::namespaced(session.client.clone(), &place.namespace);
    let one = watcher::Config::default().fields(&format!("metadata.name={}", place.name));
    watcher(leases, one).default_backoff().boxed()
}

/// Reads until the Lease was seen once.
pub(super) async fn first(
    session: &Session,
    place: &Place,
    watch: &mut Watch,
    proof: &mut Proof,
    invocation: &Invocation<'_>,
    deadline: Instant,
) -> Result<(), Error> {
    let mut stop = invocation.stop.clone();
    loop {
        let event = tokio::select! {
            event = watch.next() => event,
            () = tokio::time::sleep_until(deadline) => return Err(Error::NoLease(place.to_string())),
            signal = stop.signalled() => return Err(Error::Stopped(signal)),
        };
        match event {
            Some(Ok(watcher::Event::InitDone)) => return Ok(()),
            Some(Ok(event)) => note(proof, event, invocation.run.elapsed()),
            Some(Err(watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error))) => {
                let call = find::lease_call(place).watching();
                return Err(session.classify(&call, error).into());
            }
            // Anything else passes, and the watch begins anew.
            Some(Err(_)) | None => {}
        }
    }
}

/// Follows the Lease until the proof is there, or shows that there will be none.
pub(super) async fn follow(
    watch: &mut Watch,
    proof: &mut Proof,
    invocation: &Invocation<'_>,
    deadline: Instant,
) -> Ending {
    let mut stop = invocation.stop.clone();
    while proof.stage() == Stage::Waiting {
        tokio::select! {
            event = watch.next() => match event {
                Some(Ok(event)) => note(proof, event, invocation.run.elapsed()),
                Some(Err(error)) => invocation.listener.say(&format!("the watch was interrupted and goes on: {error}")),
                None => return Ending::Deadline,
            },
            () = tokio::time::sleep_until(deadline) => return Ending::Deadline,
            signal = stop.signalled() => return Ending::Stopped(signal),
        }
    }
    Ending::Complete
}

fn note(proof: &mut Proof, event: watcher::Event<Lease>, at: Duration) {
    match event {
        watcher::Event::Apply(lease) | watcher::Event::InitApply(lease) => proof.seen(&Leadership::of(&lease), at),
        watcher::Event::Delete(_) => proof.gone(at),
        watcher::Event::Init | watcher::Event::InitDone => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(holder: &str, transitions: i32, renewed: i64) -> Leadership {
        Leadership {
            uid: "u".to_owned(),
            holder: holder.to_owned(),
            transitions,
            renewed: jiff::Timestamp::from_second(renewed).ok(),
            ..Leadership::default()
        }
    }

    fn proof(seen: &[(Leadership, u64)]) -> Proof {
        let mut proof = Proof::new(says("a_1", 3, 0));
        for (says, at) in seen {
            proof.seen(says, Duration::from_secs(*at));
        }
        proof
    }

    #[test]
    fn another_holder_that_renews_is_the_proof() {
        let taken = [(says("a_1", 3, 1), 1), (says("", 3, 2), 2), (says("b_1", 4, 5), 5)];
        assert_eq!(proof(&taken).stage(), Stage::Waiting);
        let renewed = [taken.to_vec(), vec![(says("b_1", 4, 7), 7)]].concat();
        let proof = proof(&renewed);
        assert_eq!((proof.stage(), proof.gap()), (Stage::Proven, Some(Duration::from_secs(3))));
        assert_eq!(proof.words(), "handed over to b, 3.0s after a let go");
        let names: Vec<_> = proof.steps(Duration::from_secs(1)).into_iter().map(|it| (it.name, it.seconds)).collect();
        assert_eq!(names, [("release", Some(1.0)), ("leader", Some(4.0)), ("renewal", Some(6.0))]);
    }

    #[test]
    fn without_a_release_the_last_sign_of_life_counts() {
        let proof = proof(&[(says("a_1", 3, 1), 1), (says("b_1", 4, 5), 16)]);
        assert_eq!(proof.gap(), Some(Duration::from_secs(15)));
    }

    #[test]
    fn the_same_holder_in_a_later_term_is_no_handover() {
        let proof = proof(&[(says("", 3, 2), 2), (says("a_1", 4, 5), 5)]);
        assert_eq!((proof.stage(), proof.gap(), proof.words().as_str()), (Stage::Again, None, "a leads again"));
    }

    #[test]
    fn a_lease_that_was_made_anew_counts_as_a_later_term() {
        let anew = Leadership { uid: "v".to_owned(), ..says("b_1", 0, 5) };
        let mut proof = proof(&[]);
        proof.gone(Duration::from_secs(1));
        proof.seen(&anew, Duration::from_secs(3));
        proof.seen(&Leadership { renewed: jiff::Timestamp::from_second(6).ok(), ..anew }, Duration::from_secs(4));
        assert_eq!((proof.stage(), proof.gap()), (Stage::Proven, Some(Duration::from_secs(2))));
    }

    #[test]
    fn one_who_still_leads_is_waited_for() {
        assert_eq!(proof(&[(says("a_1", 3, 1), 1)]).words(), "a still leads");
        assert_eq!(proof(&[(says("", 3, 1), 1)]).words(), "a let go, and nobody leads yet");
    }
}
