//! Snippets that this process let go with their files in place, because the store refused for too long. What it left is no mistake of
//! anybody, so no guard needs to think it one.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jaas_storage::Key;
use jaas_storage::store::{Item, ItemKind};

/// The snippets. A restart forgets them; then the guards hold for their files, too.
#[derive(Debug, Default)]
pub struct Forced(Mutex<BTreeSet<Key>>);

impl Forced {
    /// The snippet was let go.
    pub fn add(&self, key: Key) {
        self.lock().insert(key);
    }

    /// All of them.
    pub fn all(&self) -> BTreeSet<Key> {
        self.lock().clone()
    }

    /// Forgets those of `seen` of which a complete listing holds no file any more.
    pub fn tidy(&self, seen: &BTreeSet<Key>, listing: &[Item]) {
        let left: BTreeSet<_> = listing
            .iter()
            .filter(|item| matches!(item.kind, ItemKind::Revision(_)))
            .filter_map(|item| item.key.as_ref())
            .collect();
        self.lock().retain(|key| !seen.contains(key) || left.contains(key));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jaas_storage::Revision;

    #[test]
    fn what_left_nothing_is_forgotten_and_what_came_meanwhile_is_not() {
        let key = |name: &str| Key::new("a", name).unwrap();
        let forced = Forced::default();
        forced.add(key("left"));
        forced.add(key("gone"));
        let seen = forced.all();
        forced.add(key("later"));
        forced.tidy(&seen, &[Item::of(&key("left").path(&Revision::of_document(b"x")), 1)]);
        assert_eq!(forced.all().into_iter().collect::<Vec<_>>(), [key("later"), key("left")]);
    }
}
