//! Reads what strace wrote. Pure.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::driver::MARKER;
use super::workload::Step;

/// One system call of the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Name of the system call.
    pub(super) name: String,
    /// It is the so-many-th of that name in its thread, from 1.
    pub(super) nth: usize,
    /// Index of the step that it belongs to.
    pub(super) step: usize,
    /// The call as strace shows it.
    pub(super) shown: String,
}

impl Call {
    /// What it returned, where that is a number.
    pub(super) fn returned(&self) -> Option<u64> {
        self.shown.rsplit_once(" = ")?.1.split(' ').next()?.parse().ok()
    }

    /// Whether the call may need room.
    pub(super) fn may_grow(&self) -> bool {
        const GROWING: [&str; 6] = ["write", "mkdir", "rename", "link", "sync", "allocate"];
        GROWING.iter().any(|part| self.name.contains(part) && !self.name.starts_with("unlink"))
            || self.shown.contains("O_CREAT")
    }
}

/// The calls of the steps, in order. Where memory comes from is not among them, as it differs from run to run.
///
/// # Errors
/// When a line cannot be read, or belongs to no step.
pub(super) fn read(log: &str, steps: &[Step]) -> Result<Vec<Call>> {
    let mut counts = BTreeMap::<&str, usize>::new();
    let mut calls = Vec::new();
    let mut current = None;
    for line in log.lines().filter(|line| !is_remark(line)) {
        let (name, _) = line.split_once('(').with_context(|| format!("reading `{line}`"))?;
        let count = counts.entry(name).or_default();
        *count += 1;
        if let Some((_, rest)) = line.split_once(MARKER) {
            let step = rest.split('"').next().unwrap_or_default();
            current = Some(steps.iter().position(|known| known.name == step).context("an unknown step")?);
            continue;
        }
        if name == "mmap" {
            continue;
        }
        let step = current.with_context(|| format!("`{line}` comes before all steps"))?;
        calls.push(Call { name: name.to_owned(), nth: *count, step, shown: line.to_owned() });
    }
    Ok(calls)
}

/// Whether strace speaks of itself or of the whole process.
fn is_remark(line: &str) -> bool {
    ["strace: ", "+++ ", "--- "].iter().any(|begin| line.starts_with(begin))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::syscalls::workload::steps;

    #[test]
    fn calls_are_counted_by_name_and_belong_to_the_step_before_them() {
        let log = "\
strace: Process 7 attached
statx(AT_FDCWD, \"/jaas-step/open\", AT_SYMLINK_NOFOLLOW, STATX_ALL, 0x1) = -1 ENOENT (No such file or directory)
mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f
openat(3, \"a\", O_RDONLY|O_CREAT, 0644) = 9
statx(AT_FDCWD, \"/jaas-step/claim\", AT_SYMLINK_NOFOLLOW, STATX_ALL, 0x1) = -1 ENOENT (No such file or directory)
statx(9, \"\", AT_EMPTY_PATH, STATX_ALL, {stx_mask=STATX_ALL}) = 0
write(9, \"x\", 300) = 300
+++ exited with 0 +++
";
        let calls = read(log, &steps().unwrap()).unwrap();
        let seen: Vec<_> =
            calls.iter().map(|call| (call.name.as_str(), call.nth, call.step, call.returned())).collect();
        assert_eq!(seen, [("openat", 1, 0, Some(9)), ("statx", 3, 1, Some(0)), ("write", 1, 1, Some(300))]);
        assert_eq!(calls.iter().map(Call::may_grow).collect::<Vec<_>>(), [true, false, true]);
    }
}
