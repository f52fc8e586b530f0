//! Bounds what an evaluation writes, while it writes.

use std::cell::Cell;

thread_local! {
    /// Bytes that may still be written on this thread; `None` is no bound.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    static SPENT: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, which may write so many bytes in all; zero is no bound. `None` when it wanted to write more.
pub(crate) fn within<T>(bytes: u64, work: impl FnOnce() -> T) -> Option<T> {
    LEFT.set((bytes > 0).then(|| usize::try_from(bytes).unwrap_or(usize::MAX)));
    SPENT.set(false);
    let done = work();
    LEFT.set(None);
    (!SPENT.replace(false)).then_some(done)
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
        let write = |lengths: &[usize]| {
            within(10, || {
                for length in lengths {
                    if !allows(*length) {
                        return;
                    }
                    finished(*length);
                }
            })
        };
        assert_eq!(write(&[10]), Some(()));
        assert_eq!(write(&[4, 6]), Some(()));
        assert_eq!(write(&[11]), None);
        assert_eq!(write(&[4, 7]), None);
        assert_eq!(write(&[11, 1]), None);
        assert_eq!(write(&[]), Some(()), "each run starts anew");
    }

    #[test]
    fn without_a_budget_everything_goes() {
        assert!(allows(usize::MAX));
        assert_eq!(within(0, || allows(usize::MAX)), Some(true));
    }
}
