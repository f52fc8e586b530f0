//! Slots that are shared fairly between namespaces.
//!
//! A slot goes to the namespace that holds the fewest, and none may hold so many that nothing is left for the next one: at most
//! three times what is free. One busy namespace has three quarters of all slots; with several busy ones a part stays free, so
//! that a quiet one never waits for somebody else's work to end, and the last one goes to a namespace that has none. The rule is that of dynamic thresholds in packet switches: Choudhury
//! and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

/// How many slots a namespace may hold for each that is free.
const SHARE: usize = 3;

/// The slots. Clones share them.
#[derive(Clone, Debug)]
pub struct Slots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// A slot was given back.
    freed: Notify,
}

#[derive(Debug)]
struct State {
    free: usize,
    all: usize,
    tenants: HashMap<String, Tenant>,
    /// Number of the next who waits.
    next: u64,
}

#[derive(Debug, Default)]
struct Tenant {
    held: usize,
    waiting: VecDeque<(u64, oneshot::Sender<Slot>)>,
}

/// A slot that is held until it is dropped.
#[derive(Debug)]
pub struct Slot {
    slots: Slots,
    namespace: String,
}

impl Slots {
    /// So many slots, at least one.
    pub fn new(slots: usize) -> Self {
        let all = slots.max(1);
        let state = State { free: all, all, tenants: HashMap::new(), next: 0 };
        Self(Arc::new(Shared { state: Mutex::new(state), freed: Notify::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a slot.
    pub async fn take(&self, namespace: &str) -> Slot {
        loop {
            let (sender, receiver) = oneshot::channel();
            {
                let mut state = self.state();
                let number = state.next;
                state.next += 1;
                state.tenants.entry(namespace.to_owned()).or_default().waiting.push_back((number, sender));
            }
            self.grant();
            // A sender goes only with what it sends, so this loops but in theory.
            if let Ok(slot) = receiver.await {
                return slot;
            }
        }
    }

    /// Takes a slot at once, if more than `keep` are free. Where nobody at all holds or waits for one it may be the last, so that a
    /// single slot is of use. With `keep` the rule of shares holds too.
    pub fn try_take(&self, namespace: &str, keep: usize) -> Option<Slot> {
        let mut state = self.state();
        let (free, all) = (state.free, state.all);
        let held = state.tenants.get(namespace).map_or(0, |tenant| tenant.held);
        let spare = free > keep && (keep == 0 || held < SHARE * free);
        let idle = free == all && state.tenants.values().all(|tenant| tenant.waiting.is_empty());
        if !spare && !idle {
            return None;
        }
        state.free -= 1;
        state.tenants.entry(namespace.to_owned()).or_default().held += 1;
        Some(Slot { slots: self.clone(), namespace: namespace.to_owned() })
    }

    /// Takes a slot as [`Slots::try_take`] does, as soon as it can. Those who wait here have no turn.
    pub async fn take_spare(&self, namespace: &str, keep: usize) -> Slot {
        loop {
            // From here on, so that none is missed.
            let freed = self.0.freed.notified();
            if let Some(slot) = self.try_take(namespace, keep) {
                return slot;
            }
            freed.await;
        }
    }

    /// Gives free slots to those whose turn it is.
    fn grant(&self) {
        loop {
            let Some((namespace, sender)) = self.state().next() else { return };
            // Whoever left before the turn drops the slot, which is counted again at once.
            drop(sender.send(Slot { slots: self.clone(), namespace }));
        }
    }

    /// How many hold a slot or wait for one.
    pub fn in_demand(&self) -> usize {
        self.state().tenants.values().map(|tenant| tenant.held + tenant.waiting.len()).sum()
    }

    fn give_back(&self, namespace: &str) {
        {
            let mut state = self.state();
            state.free += 1;
            if let Some(tenant) = state.tenants.get_mut(namespace) {
                tenant.held -= 1;
                if tenant.held == 0 && tenant.waiting.is_empty() {
                    state.tenants.remove(namespace);
                }
            }
        }
        self.grant();
        self.0.freed.notify_waiters();
    }
}

impl State {
    /// Takes a slot for the one whose turn it is.
    fn next(&mut self) -> Option<(String, oneshot::Sender<Slot>)> {
        if self.free == 0 {
            return None;
        }
        for tenant in self.tenants.values_mut() {
            tenant.waiting.retain(|(_, sender)| !sender.is_closed());
        }
        let (free, all) = (self.free, self.all);
        // The last one is for whoever has none: nobody then waits for another's work to end.
        let may = |held: usize| held == 0 || (free > 1 && held < SHARE * free) || free == all;
        let waiting = self.tenants.iter().filter_map(|(name, tenant)| {
            let (number, _) = tenant.waiting.front()?;
            may(tenant.held).then_some((tenant.held, *number, name))
        });
        let (_, _, name) = waiting.min()?;
        let name = name.clone();
        let tenant = self.tenants.get_mut(&name)?;
        let (_, sender) = tenant.waiting.pop_front()?;
        tenant.held += 1;
        self.free -= 1;
        Some((name, sender))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.give_back(&self.namespace);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::FutureExt;

    use super::*;

    /// Takes what can be had at once.
    fn grab(slots: &Slots, namespace: &str) -> Vec<Slot> {
        std::iter::from_fn(|| slots.take(namespace).now_or_never()).collect()
    }

    #[test]
    fn one_namespace_alone_has_most_slots_and_never_all() {
        for (all, most) in [(1, 1), (2, 1), (3, 2), (4, 3), (16, 12), (100, 75)] {
            assert_eq!(grab(&Slots::new(all), "a").len(), most, "{all}");
        }
    }

    #[test]
    fn however_many_are_busy_a_quiet_one_finds_a_slot() {
        let slots = Slots::new(16);
        let mut held = Vec::new();
        for busy in ["a", "b", "c", "d"] {
            held.push(grab(&slots, busy));
        }
        let counts: Vec<_> = held.iter().map(Vec::len).collect();
        assert_eq!(counts, [12, 3, 1, 0], "each takes at most three times what it leaves free");
        held.remove(0).truncate(2);
        assert!(slots.take("quiet").now_or_never().is_some());
    }

    #[test]
    fn who_does_not_wait_leaves_the_last_slots_to_others() {
        let grab_now = |slots: &Slots, keep| std::iter::from_fn(|| slots.try_take("x", keep)).collect::<Vec<_>>();
        for (all, most) in [(1, 1), (2, 1), (3, 2), (4, 3), (16, 12)] {
            assert_eq!(grab_now(&Slots::new(all), 1).len(), most, "{all}");
            assert_eq!(grab_now(&Slots::new(all), 0).len(), all, "{all}, alone");
        }
        let slots = Slots::new(3);
        let mut held = grab(&slots, "a");
        assert_eq!((held.len(), grab_now(&slots, 1).len()), (2, 0));
        let last = slots.take("b").now_or_never();
        assert!(last.is_some(), "a reconcile still gets it");
        held.pop();
        assert_eq!(grab_now(&slots, 1).len(), 0, "nor what is then the last one");
        held.pop();
        assert_eq!(grab_now(&slots, 1).len(), 1);
        drop((held, last));
        assert!(slots.state().tenants.is_empty());

        let single = Slots::new(1);
        let busy = single.try_take("x", 1);
        assert!(busy.is_some() && single.try_take("x", 1).is_none());
    }

    #[test]
    fn a_spare_slot_is_taken_once_there_is_one() {
        let slots = Slots::new(2);
        let mut busy = vec![slots.try_take("x", 1)];
        let mut waiting = Box::pin(slots.take_spare("x", 1));
        assert!((&mut waiting).now_or_never().is_none());
        busy.clear();
        assert!((&mut waiting).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_slot_goes_to_whoever_holds_the_fewest_and_then_to_whoever_waits_longest() {
        let slots = Slots::new(4);
        let mut held = grab(&slots, "a");
        let order = Arc::new(Mutex::new(Vec::new()));
        let waiting: Vec<_> = ["a", "a", "b", "c", "b"]
            .into_iter()
            .map(|namespace| {
                let (slots, order) = (slots.clone(), Arc::clone(&order));
                let mut taken = Box::pin(async move {
                    let slot = slots.take(namespace).await;
                    order.lock().unwrap().push(namespace);
                    slot
                });
                // In the queue, in this order.
                assert!(namespace != "a" || taken.as_mut().now_or_never().is_none());
                tokio::spawn(taken)
            })
            .collect();
        tokio::task::yield_now().await;
        assert_eq!(*order.lock().unwrap(), ["b"], "the slot that `a` may not have");
        held.clear();
        for slot in waiting {
            drop(slot.await.unwrap());
        }
        assert_eq!(order.lock().unwrap().len(), 5);
        assert_eq!(slots.state().free, 4);
        assert!(slots.state().tenants.is_empty(), "nobody who is gone is remembered");
    }

    #[tokio::test]
    async fn who_gives_up_waiting_keeps_nobody_waiting() {
        let slots = Slots::new(1);
        let held = slots.take("a").await;
        assert_eq!(slots.in_demand(), 1);
        let gave_up = slots.take("a").now_or_never();
        assert!(gave_up.is_none());
        let next = slots.take("b");
        tokio::pin!(next);
        assert!((&mut next).now_or_never().is_none());
        drop(held);
        assert!(next.now_or_never().is_some());
        assert!(slots.take("a").now_or_never().is_some());
        assert_eq!(slots.in_demand(), 0);
        assert!(slots.state().tenants.is_empty());
    }
}
