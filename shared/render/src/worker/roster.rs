//! Which worker is for whom. Knows nothing of processes.
//!
//! A worker that has seen one owner's files is never given to another: what one evaluation may have left in it, by a
//! fault of the engine, would be the next one's to find.

use std::time::{Duration, Instant};

/// Workers that wait.
pub(super) struct Roster<W> {
    /// Those that served nobody yet.
    spare: Vec<W>,
    /// Those that served, the one that rested longest first.
    rested: Vec<Rested<W>>,
    /// The owners of those that have answered and tidy up.
    tidying: Vec<String>,
    /// Spare ones that are being started.
    starting: usize,
}

struct Rested<W> {
    owner: String,
    since: Instant,
    worker: W,
}

impl<W> Default for Roster<W> {
    fn default() -> Self {
        Self { spare: Vec::new(), rested: Vec::new(), tidying: Vec::new(), starting: 0 }
    }
}

impl<W> Roster<W> {
    /// A worker for this owner: the one it used last, else one that served nobody.
    pub(super) fn take(&mut self, owner: &str) -> Option<W> {
        match self.rested.iter().rposition(|rested| rested.owner == owner) {
            Some(position) => Some(self.rested.remove(position).worker),
            None => self.spare.pop(),
        }
    }

    /// A worker of this owner has answered and will rest or leave.
    pub(super) fn answered(&mut self, owner: String) {
        self.tidying.push(owner);
    }

    /// Whether a worker of this owner will rest soon, where none does.
    pub(super) fn is_awaited(&self, owner: &str) -> bool {
        self.tidying.iter().any(|tidying| tidying == owner) && !self.rested.iter().any(|rested| rested.owner == owner)
    }

    /// A worker that has answered is of no further use.
    pub(super) fn left(&mut self, owner: &str) {
        if let Some(position) = self.tidying.iter().position(|tidying| tidying == owner) {
            self.tidying.swap_remove(position);
        }
    }

    /// A worker has tidied up. Answers the one that has to go, where there are more than so many.
    pub(super) fn rest(&mut self, owner: String, worker: W, most: usize) -> Option<W> {
        self.left(&owner);
        self.rested.push(Rested { owner, since: Instant::now(), worker });
        (self.rested.len() > most).then(|| self.rested.remove(0).worker)
    }

    /// Those that have rested for this long.
    pub(super) fn tired(&mut self, rest: Duration) -> Vec<W> {
        let first = self.rested.iter().position(|rested| rested.since.elapsed() < rest).unwrap_or(self.rested.len());
        self.rested.drain(..first).map(|rested| rested.worker).collect()
    }

    /// Whether another spare one has to be started to have so many; if so, it counts as being started.
    pub(super) fn lacks_spare(&mut self, wanted: usize) -> bool {
        let lacks = self.spare.len() + self.starting < wanted;
        self.starting += usize::from(lacks);
        lacks
    }

    /// A spare one was started, or could not be.
    pub(super) fn started(&mut self, worker: Option<W>) {
        self.starting -= 1;
        self.spare.extend(worker);
    }

    /// How many have served and rest.
    pub(super) fn rested(&self) -> usize {
        self.rested.len()
    }

    /// How many have served nobody.
    pub(super) fn spare(&self) -> usize {
        self.spare.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(spare: &[u32], rested: &[(&str, u32)]) -> Roster<u32> {
        let mut roster = Roster { spare: spare.to_vec(), ..Roster::default() };
        for (owner, worker) in rested {
            assert_eq!(roster.rest((*owner).to_owned(), *worker, usize::MAX), None);
        }
        roster
    }

    #[test]
    fn a_worker_is_never_given_to_another_owner() {
        let mut roster = roster(&[], &[("a", 1), ("b", 2), ("a", 3)]);
        assert_eq!(roster.take("c"), None);
        assert_eq!(roster.take("a"), Some(3));
        assert_eq!(roster.take("a"), Some(1));
        assert_eq!(roster.take("a"), None);
        assert_eq!(roster.take("b"), Some(2));
    }

    #[test]
    fn who_tidies_up_is_awaited_until_one_rests() {
        let mut roster = roster(&[], &[]);
        roster.answered("a".to_owned());
        roster.answered("a".to_owned());
        assert!(roster.is_awaited("a") && !roster.is_awaited("b"));
        assert_eq!(roster.rest("a".to_owned(), 1, 2), None);
        assert!(!roster.is_awaited("a"), "one rests");
        assert_eq!(roster.take("a"), Some(1));
        assert!(roster.is_awaited("a"));
        roster.left("a");
        assert!(!roster.is_awaited("a"));
    }

    #[test]
    fn ones_own_worker_comes_before_a_spare_one() {
        let mut roster = roster(&[7], &[("a", 1)]);
        assert_eq!((roster.take("a"), roster.take("a"), roster.take("a")), (Some(1), Some(7), None));
    }

    #[test]
    fn of_too_many_the_one_that_rested_longest_goes() {
        let mut roster = roster(&[], &[("a", 1), ("b", 2)]);
        assert_eq!(roster.rest("c".to_owned(), 3, 2), Some(1));
        assert_eq!(roster.rested(), 2);
        assert_eq!(roster.tired(Duration::from_secs(3600)).len(), 0);
        assert_eq!(roster.tired(Duration::ZERO), [2, 3]);
    }

    #[test]
    fn spare_ones_are_replaced_and_not_started_twice() {
        let mut roster = roster(&[7], &[]);
        assert!(!roster.lacks_spare(1));
        assert!(roster.lacks_spare(2));
        assert!(!roster.lacks_spare(2), "it is being started");
        roster.started(None);
        assert!(roster.lacks_spare(2), "it could not be started");
        roster.started(Some(8));
        assert_eq!(roster.spare(), 2);
    }
}
