//! The right to change anything outside this process.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::Poll;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::Epoch;
use super::clock::{Boot, Clock, Machine};
use super::decide::Tenure;

/// Longest that one who lets go waits for writes that were started under its permits.
pub(super) const GRACE: Duration = Duration::from_millis(500);

/// There is no right to write now; somebody else may have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the leader")]
pub struct NotLeader;

/// Hands out permits. One authority exists in the process; every write to the API server and to the store asks it first.
#[derive(Clone, Debug)]
pub struct Authority {
    clock: Arc<dyn Clock>,
    term: Arc<RwLock<Option<Arc<Term>>>>,
    /// The permits that are out. Closed from the start: waiting for it is waiting for them.
    pending: TaskTracker,
    changes: Arc<Mutex<Changes>>,
}

/// The changes of [`Permit::during`].
#[derive(Debug, Default)]
struct Changes {
    /// How many wait for an answer.
    under_way: usize,
    /// When one was last given up while it was under way, so that a part of it may still come to pass.
    cut_short: Option<Boot>,
}

/// Proof that the process may write now. It cannot be made outside this module, so a write without one does not compile.
///
/// It ends by itself, also while the process is suspended, and at once when leadership is lost or given up: a write that comes
/// some time after the permit was handed out asks [`Permit::check`] first. As long as it is held, a leader that steps down waits
/// for it, for a moment.
pub struct Permit {
    clock: Arc<dyn Clock>,
    term: Arc<Term>,
    changes: Arc<Mutex<Changes>>,
    _pending: TaskTrackerToken,
}

/// Counts a change while it is under way, and notes one that is dropped then, whoever drops it.
struct UnderWay<'a> {
    permit: &'a Permit,
    waits: bool,
}

impl UnderWay<'_> {
    fn polled(&mut self, waits: bool) {
        let mut changes = self.permit.changes.lock().unwrap_or_else(PoisonError::into_inner);
        match (std::mem::replace(&mut self.waits, waits), waits) {
            (false, true) => changes.under_way += 1,
            (true, false) => changes.under_way -= 1,
            _ => {}
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if self.waits {
            let mut changes = self.permit.changes.lock().unwrap_or_else(PoisonError::into_inner);
            changes.under_way -= 1;
            changes.cut_short = Some(self.permit.clock.now());
        }
    }
}

#[derive(Debug)]
struct Term {
    epoch: Epoch,
    span: RwLock<Span>,
    ended: CancellationToken,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    from: Boot,
    until: Boot,
}

impl Authority {
    /// The authority of a process that is the only writer. Its permits do not end.
    pub fn sole_writer() -> Self {
        let authority = Self::nobody(Arc::new(Machine));
        let always = Span { from: Boot::default(), until: Boot::NEVER };
        authority.replace(Some(Arc::new(Term::new(Epoch::default(), always))));
        authority
    }

    /// The authority of a process that does not lead yet.
    pub(super) fn nobody(clock: Arc<dyn Clock>) -> Self {
        let pending = TaskTracker::new();
        pending.close();
        Self { clock, term: Arc::default(), pending, changes: Arc::default() }
    }

    /// A permit for the writes that follow at once.
    ///
    /// # Errors
    /// Where the process does not lead.
    pub fn permit(&self) -> Result<Permit, NotLeader> {
        let term = self.current().ok_or(NotLeader)?;
        // Counted first and judged then, so that one who steps down in between either waits for it or sees it refused.
        let pending = self.pending.token();
        let (clock, changes) = (Arc::clone(&self.clock), Arc::clone(&self.changes));
        let permit = Permit { clock, term, changes, _pending: pending };
        permit.check()?;
        Ok(permit)
    }

    /// Makes the authority follow the tenure: a longer one lengthens the permits that are out, another or none ends them.
    pub(super) fn follow(&self, tenure: Option<&Tenure>) {
        let Some(tenure) = tenure else { return self.replace(None) };
        let span = Span { from: tenure.from, until: tenure.until };
        match self.current().filter(|term| term.epoch == tenure.epoch) {
            Some(term) => *term.span.write().unwrap_or_else(PoisonError::into_inner) = span,
            None => self.replace(Some(Arc::new(Term::new(tenure.epoch.clone(), span)))),
        }
    }

    /// Resolves once no permit is out, valid or not.
    pub(super) async fn drained(&self) {
        self.pending.wait().await;
    }

    /// How long ago a change was last given up in [`Permit::during`], by it or because its task was. One that is still under way counts
    /// as given up now.
    pub(super) fn cut_short_since(&self) -> Option<Duration> {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if changes.under_way > 0 {
            return Some(Duration::ZERO);
        }
        changes.cut_short.map(|at| self.clock.now().since(at))
    }

    fn replace(&self, next: Option<Arc<Term>>) {
        let mut term = self.term.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = std::mem::replace(&mut *term, next) {
            last.ended.cancel();
        }
    }

    fn current(&self) -> Option<Arc<Term>> {
        self.term.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Permit {
    /// The term in which the permit was given.
    pub fn epoch(&self) -> &Epoch {
        &self.term.epoch
    }

    /// The moment at which the permit ends unless leadership is renewed, and for how long from now.
    pub fn deadline(&self) -> (Boot, Duration) {
        let until = self.term.span().until;
        (until, until.since(self.clock.now()))
    }

    /// Whether a write may start now.
    ///
    /// # Errors
    /// Where leadership has ended since the permit was handed out.
    pub fn check(&self) -> Result<(), NotLeader> {
        (self.is_in_time() && !self.term.ended.is_cancelled()).then_some(()).ok_or(NotLeader)
    }

    /// Whether the last renewal still keeps others away, with some time to spare.
    fn is_in_time(&self) -> bool {
        let (now, span) = (self.clock.now(), self.term.span());
        span.from <= now && now < span.until
    }

    /// Goes on with a change for as long as the permit lasts: each of its steps is asked for anew, so that one of many steps does not
    /// outlive the term in which it began. Where leadership is given up meanwhile, it has a moment more, for which whoever leads next
    /// waits; a step that is under way then, or when a term ends by its time, is given up.
    ///
    /// # Errors
    /// Where leadership had ended before, or ended before the change was over; how much of it was done is unknown then.
    pub async fn during<T>(&self, change: impl Future<Output = T>) -> Result<T, NotLeader> {
        self.check()?;
        let let_go = async {
            self.ended().await;
            tokio::time::sleep(GRACE).await;
        };
        let (mut change, mut let_go) = (pin!(change), pin!(let_go));
        let mut under_way = UnderWay { permit: self, waits: false };
        poll_fn(|context| {
            if !self.is_in_time() || let_go.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(NotLeader));
            }
            let polled = change.as_mut().poll(context);
            under_way.polled(polled.is_pending());
            polled.map(Ok)
        })
        .await
    }

    /// Resolves when leadership is lost or given up. A suspended process learns it here later than from [`Permit::check`].
    pub async fn ended(&self) {
        self.term.ended.cancelled().await;
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Permit").field("epoch", self.epoch()).field("deadline", &self.deadline().0).finish()
    }
}

impl Term {
    fn new(epoch: Epoch, span: Span) -> Self {
        Self { epoch, span: RwLock::new(span), ended: CancellationToken::new() }
    }

    fn span(&self) -> Span {
        *self.span.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::clock::tests::Hand;
    use super::*;
    use jiff::Timestamp;

    fn tenure(transitions: i32, from: u64, until: u64) -> Tenure {
        let at = |seconds| Boot::at(Duration::from_secs(seconds));
        let epoch = Epoch { uid: "u".to_owned(), transitions };
        Tenure { epoch, acquired: Timestamp::UNIX_EPOCH, from: at(from), until: at(until) }
    }

    #[test]
    fn a_permit_is_given_and_lasts_only_within_the_tenure() {
        let clock = Hand::default();
        let authority = Authority::nobody(Arc::new(clock.clone()));
        assert!(authority.permit().is_err());
        authority.follow(Some(&tenure(1, 10, 20)));
        assert!(authority.permit().is_err());
        clock.set(10);
        let permit = authority.permit().unwrap();
        assert_eq!((permit.epoch().transitions, permit.deadline().1), (1, Duration::from_secs(10)));
        clock.set(19);
        authority.follow(Some(&tenure(1, 10, 30)));
        clock.set(29);
        assert!(permit.check().is_ok());
        clock.set(30);
        assert!(permit.check().is_err());
        assert!(authority.permit().is_err());
    }

    #[test]
    fn another_term_ends_the_permits_of_the_last_one() {
        let authority = Authority::nobody(Arc::new(Hand::default()));
        authority.follow(Some(&tenure(1, 0, 20)));
        let permit = authority.permit().unwrap();
        authority.follow(Some(&tenure(2, 0, 20)));
        assert!(permit.check().is_err());
        assert_eq!(authority.permit().unwrap().epoch().transitions, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_of_many_steps_ends_with_the_permit() {
        let clock = Hand::default();
        let authority = Authority::nobody(Arc::new(clock.clone()));
        authority.follow(Some(&tenure(1, 0, 20)));
        let permit = authority.permit().unwrap();
        assert_eq!(permit.during(async { 7 }).await, Ok(7));
        let steps = std::cell::Cell::new(0);
        let change = async {
            for at in [10, 30, 40] {
                steps.set(steps.get() + 1);
                clock.set(at);
                tokio::task::yield_now().await;
            }
        };
        assert_eq!(permit.during(change).await, Err(NotLeader));
        assert_eq!(steps.get(), 2, "the clock has passed the end when the third is due");

        assert_eq!(authority.cut_short_since(), Some(Duration::ZERO), "one of many steps");
        clock.set(33);
        assert_eq!(authority.cut_short_since(), Some(Duration::from_secs(3)));

        authority.follow(Some(&tenure(2, 0, 100)));
        let permit = authority.permit().unwrap();
        let dropped = tokio::time::timeout(GRACE / 2, permit.during(std::future::pending::<()>())).await;
        assert!(dropped.is_err());
        assert_eq!(authority.cut_short_since(), Some(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_leadership_lets_a_change_end_and_begins_none() {
        let clock = Hand::default();
        let authority = Authority::nobody(Arc::new(clock.clone()));
        let given_up = |change: Duration| {
            authority.follow(Some(&tenure(2, 0, 100)));
            let permit = authority.permit().unwrap();
            let authority = authority.clone();
            async move {
                let giving_up = async {
                    tokio::task::yield_now().await;
                    authority.follow(None);
                    assert_eq!(authority.cut_short_since(), Some(Duration::ZERO), "it is under way");
                };
                let (done, ()) = tokio::join!(permit.during(tokio::time::sleep(change)), giving_up);
                assert_eq!(permit.during(std::future::ready(())).await, Err(NotLeader), "none begins");
                done
            }
        };
        assert_eq!(given_up(GRACE / 2).await, Ok(()), "whoever leads next waits for it");
        assert_eq!(authority.cut_short_since(), None);
        clock.set(50);
        assert_eq!(given_up(GRACE * 2).await, Err(NotLeader));
        clock.set(53);
        assert_eq!(authority.cut_short_since(), Some(Duration::from_secs(3)));
    }

    #[tokio::test]
    async fn giving_up_ends_permits_at_once_and_waits_for_what_they_started() {
        let authority = Authority::sole_writer();
        let permit = authority.permit().unwrap();
        authority.follow(None);
        assert!(permit.check().is_err());
        assert!(authority.permit().is_err());
        permit.ended().await;
        let waiting = tokio::spawn(async move { authority.drained().await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(permit);
        waiting.await.unwrap();
    }
}
