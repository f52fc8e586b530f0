//! Bounds what an evaluation writes, while it writes.

use std::cell::Cell;

thread_local! {
    /// Bytes that may still be written on this thread; `None` is no bound.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    static SPENT: Cell<bool> = const { Cell::new(false) };
}

/// From now on this thread may write so many bytes in all; zero is no bound.
pub(crate) fn set(bytes: u64) {
    LEFT.set((bytes > 0).then(|| usize::try_from(bytes).unwrap_or(usize::MAX)));
    SPENT.set(false);
}

/// Whether more was to be written.
pub(crate) fn is_spent() -> bool {
    SPENT.get()
}

/// Whether a text may grow to this length. What was finished before counts too; once it was not so, it never is.
pub(crate) fn allows(length: usize) -> bool {
    let allowed = !SPENT.get() && LEFT.get().is_none_or(|left| length <= left);
    if !allowed {
        SPENT.set(true);
    }
    allowed
}

/// A text of this length is finished.
pub(crate) fn finished(length: usize) {
    LEFT.set(LEFT.get().map(|left| left.saturating_sub(length)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_texts_share_the_budget() {
        let fits = |lengths: &[usize]| {
            set(10);
            for length in lengths {
                if allows(*length) {
                    finished(*length);
                }
            }
            !is_spent()
        };
        assert!(fits(&[10]));
        assert!(fits(&[4, 6]));
        assert!(!fits(&[11]));
        assert!(!fits(&[4, 7]));
        assert!(!fits(&[11, 1]));
        assert!(fits(&[]), "each run starts anew");
    }

    #[test]
    fn without_a_budget_everything_goes() {
        assert!(allows(usize::MAX));
        set(0);
        assert!(allows(usize::MAX) && !is_spent());
    }
}
