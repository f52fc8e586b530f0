//! What is done to a call, which cases there are, and which are drawn. Pure.

use std::collections::BTreeSet;
use std::fmt;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::trace::Call;
use super::workload::Step;
use crate::tally::{Plan, Scale};

/// Cases of a sample.
const SAMPLE: usize = 60;
/// Errors that any call may have.
const ERRORS: [Errno; 4] = [Errno::NoSpace, Errno::Io, Errno::ReadOnly, Errno::Denied];

/// An error of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Errno {
    NoSpace,
    Quota,
    Io,
    ReadOnly,
    Denied,
}

impl Errno {
    fn name(self) -> &'static str {
        match self {
            Self::NoSpace => "ENOSPC",
            Self::Quota => "EDQUOT",
            Self::Io => "EIO",
            Self::ReadOnly => "EROFS",
            Self::Denied => "EACCES",
        }
    }

    /// The class that the store must tell.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::NoSpace | Self::Quota => "full",
            Self::Io => "unavailable",
            Self::ReadOnly => "read-only",
            Self::Denied => "denied",
        }
    }
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// The process is killed as it enters the call.
    Kill,
    /// The call fails.
    Fail(Errno),
    /// This call and all later ones of its name fail.
    FailOn(Errno),
    /// Half of the bytes are written, and the call says so.
    Short,
    /// Nothing is written, but the call says that so many bytes are.
    Lost(u64),
}

/// One call, and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Case {
    /// Index of the call in the trace.
    pub(super) call: usize,
    /// Name of the system call.
    pub(super) name: String,
    /// Its number.
    pub(super) nth: usize,
    /// Index of the step that it belongs to.
    pub(super) step: usize,
    /// What happens.
    pub(super) fault: Fault,
}

impl Case {
    /// The expression by which strace does it. A short write takes more than that.
    pub(super) fn expression(&self) -> String {
        let Self { name, nth, .. } = self;
        match self.fault {
            Fault::Kill => format!("{name}:signal=SIGKILL:when={nth}"),
            Fault::Fail(errno) => format!("{name}:error={}:when={nth}", errno.name()),
            Fault::FailOn(errno) => format!("{name}:error={}:when={nth}+", errno.name()),
            Fault::Short => format!("{name}:signal=SIGSTOP:when={nth}"),
            Fault::Lost(bytes) => format!("{name}:retval={bytes}:when={nth}"),
        }
    }

    /// The case in words that repeat it.
    pub(super) fn shown(&self, steps: &[Step]) -> String {
        let step = steps.get(self.step).map_or("", |step| step.name);
        let how = if self.fault == Fault::Short { " (short write)" } else { "" };
        format!("{step}: strace -e inject={self}{how}")
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expression())
    }
}

/// Every case of a trace.
pub(super) fn all(calls: &[Call]) -> Vec<Case> {
    let of = |(index, call): (usize, &Call)| {
        let (name, nth, step) = (call.name.clone(), call.nth, call.step);
        let case = move |fault| Case { call: index, name: name.clone(), nth, step, fault };
        faults(call).into_iter().map(case)
    };
    calls.iter().enumerate().flat_map(of).collect()
}

fn faults(call: &Call) -> Vec<Fault> {
    let mut faults = vec![Fault::Kill];
    faults.extend(ERRORS.map(Fault::Fail));
    if call.may_grow() {
        faults.push(Fault::Fail(Errno::Quota));
    }
    match call.name.as_str() {
        "fsync" | "fdatasync" => faults.push(Fault::FailOn(Errno::Io)),
        "write" => faults.push(Fault::FailOn(Errno::NoSpace)),
        name if ["mkdir", "rename", "link"].iter().any(|part| name.contains(part)) => {
            faults.push(Fault::FailOn(Errno::ReadOnly));
        }
        _ => {}
    }
    if let Some(bytes) = call.returned().filter(|bytes| *bytes > 1 && call.name == "write") {
        faults.extend([Fault::Short, Fault::Lost(1), Fault::Lost(bytes / 2)]);
    }
    faults
}

/// The cases of a plan: all, or a sample with a kill and an error in every step and every kind of fault.
pub(super) fn planned(plan: &Plan, mut cases: Vec<Case>) -> Vec<Case> {
    if plan.scale == Scale::Full {
        return cases;
    }
    cases.shuffle(&mut StdRng::seed_from_u64(plan.seed));
    let (mut steps, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    let (mut drawn, rest): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| {
        let kind = match case.fault {
            Fault::Lost(_) => Fault::Lost(0),
            other => other,
        };
        let new = kinds.insert(kind);
        let first = match case.fault {
            Fault::Kill => steps.insert((case.step, true)),
            Fault::Fail(_) => steps.insert((case.step, false)),
            _ => false,
        };
        new || first
    });
    let more = SAMPLE.saturating_sub(drawn.len());
    drawn.extend(rest.into_iter().take(more));
    drawn
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use indicatif::ProgressBar;

    use super::*;

    fn call(name: &str, step: usize, shown: &str) -> Call {
        Call { name: name.to_owned(), nth: 2, step, shown: shown.to_owned() }
    }

    #[test]
    fn a_write_meets_every_fault() {
        let expressions: Vec<_> = all(&[call("write", 0, "write(3, \"x\", 300) = 300")])
            .iter()
            .map(|case| case.expression().replace("write:", "").replace(":when=2", " "))
            .collect();
        let errors = ["ENOSPC", "EIO", "EROFS", "EACCES", "EDQUOT"].map(|errno| format!("error={errno} "));
        let mut expected = vec!["signal=SIGKILL ".to_owned()];
        expected.extend(errors);
        expected.extend(["error=ENOSPC +", "signal=SIGSTOP ", "retval=1 ", "retval=150 "].map(str::to_owned));
        assert_eq!(expressions, expected);
    }

    #[test]
    fn a_sample_hits_every_step_in_both_ways_and_is_the_same_for_the_same_seed() {
        let calls: Vec<_> = (0..60).map(|step| call("fsync", step / 3, "fsync(3) = 0")).collect();
        let plan = |seed| {
            let driver = "faults".into();
            Plan { seed, scale: Scale::Sample, progress: ProgressBar::hidden(), driver }
        };
        let drawn = planned(&plan(7), all(&calls));
        assert!(drawn.len() >= 40);
        for step in 0..20 {
            assert!(drawn.iter().any(|case| case.step == step && case.fault == Fault::Kill));
            assert!(drawn.iter().any(|case| case.step == step && matches!(case.fault, Fault::Fail(_))));
        }
        assert_eq!(drawn, planned(&plan(7), all(&calls)));
        assert_ne!(drawn, planned(&plan(8), all(&calls)));
    }
}
