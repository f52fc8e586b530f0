//! After new Pods work: until one of them leads. A Pod that is on its way out no longer counts as one of the Deployment, and may hold the
//! Lease until that has run out.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::super::{Invocation, find};
use crate::age::age;
use crate::cli::OperatorArgs;
use crate::interrupt::Signal;
use crate::lease::{Leadership, Place};
use crate::operator::{self, Operator};
use crate::session::{self, Session};

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// Time between two sentences about the wait.
const TELLING: Duration = Duration::from_secs(10);

/// Who there was, and who led, before anything was changed.
#[derive(Clone, Debug)]
pub(super) struct Before {
    place: Place,
    /// Names of the Pods that are to go.
    pods: BTreeSet<String>,
    lease: Leadership,
}

/// How the wait ended.
pub(super) enum Ended {
    /// A new Pod leads.
    Leads(Leadership),
    /// None does yet.
    Late(Leadership),
    /// The run was stopped before one did.
    Stopped(Signal, Leadership),
    /// The Lease cannot be seen.
    Unseen(session::Error),
}

impl Before {
    /// Looks at Pods and Lease; `None` without an election.
    ///
    /// # Errors
    /// The Lease cannot be seen.
    pub(super) async fn see(
        session: &Session,
        operator: &Operator,
        args: &OperatorArgs,
    ) -> Result<Option<Self>, session::Error> {
        let place = match operator::lease(Some(operator), args) {
            Some(place) if operator.elects() => place,
            _ => return Ok(None),
        };
        let lease = find::lease(session, &place).await?.map(|lease| Leadership::of(&lease)).unwrap_or_default();
        // Without the right to see Pods, the holder is the one that is known to be old.
        let replicas = find::replicas(session, operator).await.unwrap_or_default();
        let pods = replicas.into_iter().map(|replica| replica.name).chain([lease.pod().to_owned()]).collect();
        Ok(Some(Self { place, pods, lease }))
    }

    /// Whether a Pod leads that was not there before, and has written so since.
    fn is_taken(&self, now: &Leadership) -> bool {
        let is_written = now.uid != self.lease.uid || now.renewed != self.lease.renewed;
        !now.holder.is_empty() && !self.pods.contains(now.pod()) && is_written
    }

    /// Who has the Lease meanwhile, in words.
    pub(super) fn words(&self, lease: &Leadership, now: Timestamp) -> String {
        match lease.holder.as_str() {
            "" => format!("nobody holds Lease {}", self.place),
            _ => {
                let (pod, place) = (lease.pod(), &self.place);
                let what = if self.pods.contains(pod) { ", an old Pod, still holds" } else { " holds" };
                format!("{pod}{what} Lease {place}, renewed {} ago", age(lease.renewed, now))
            }
        }
    }

    /// Waits, and tells how it stands.
    pub(super) async fn until_taken(&self, session: &Session, invocation: &Invocation<'_>, deadline: Instant) -> Ended {
        let mut stop = invocation.stop.clone();
        let mut told: Option<Instant> = None;
        loop {
            let now = match find::lease(session, &self.place).await {
                Ok(lease) => lease.map(|lease| Leadership::of(&lease)).unwrap_or_default(),
                Err(error) => return Ended::Unseen(error),
            };
            if self.is_taken(&now) {
                return Ended::Leads(now);
            }
            if told.is_none_or(|told| told.elapsed() >= TELLING) {
                told = Some(Instant::now());
                let words = self.words(&now, Timestamp::now());
                invocation.listener.say(&format!("new Pods work; waiting until one of them leads: {words}"));
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = tokio::time::sleep_until(deadline) => return Ended::Late(now),
                signal = stop.signalled() => return Ended::Stopped(signal, now),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &str, renewed: i64) -> Leadership {
        let renewed = Timestamp::from_second(renewed).ok();
        Leadership { holder: holder.to_owned(), renewed, ..Leadership::default() }
    }

    fn before() -> Before {
        let place = Place { namespace: "ns".to_owned(), name: "l".to_owned() };
        let pods = ["jaas-1", "jaas-2"].map(str::to_owned).into();
        Before { place, pods, lease: lease("jaas-1_x", 100) }
    }

    #[test]
    fn only_a_new_pod_that_wrote_the_lease_has_taken_over() {
        let before = before();
        for (now, is_taken) in [
            (lease("jaas-1_x", 100), false),
            (lease("jaas-1_x", 102), false),
            (lease("jaas-2_y", 120), false),
            (lease("", 120), false),
            (lease("jaas-3_z", 100), false),
            (lease("jaas-3_z", 120), true),
        ] {
            assert_eq!(before.is_taken(&now), is_taken, "{now:?}");
        }
    }

    #[test]
    fn who_still_holds_the_lease_is_named() {
        let now = Timestamp::from_second(289).unwrap();
        let words = before().words(&lease("jaas-1_x", 100), now);
        assert_eq!(words, "jaas-1, an old Pod, still holds Lease ns/l, renewed 3m9s ago");
        assert_eq!(before().words(&lease("", 100), now), "nobody holds Lease ns/l");
        assert!(before().words(&lease("jaas-3_z", 100), now).starts_with("jaas-3 holds Lease"));
    }
}
