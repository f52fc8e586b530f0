//! Takes every right from this process that an evaluation does not need.
//!
//! Each layer is enough to keep a program from files, networks and other processes; both are there because kernels and
//! container runtimes differ in what they offer. What cannot be had is told, not an error: an evaluation without them
//! still has its limits.

use std::collections::BTreeMap;
use std::os::fd::RawFd;
use std::{fmt, fs, io};

use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus, Scope};
use rustix::process::{Resource, Rlimit, Signal, getpid, getppid, set_parent_process_death_signal, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use serde::{Deserialize, Serialize};

/// How far the operator goes before its workers where both want a processor.
const NICE: i32 = 10;

/// What the kernel enforces on a worker beside its limits; an empty text is in force, any other says why it is not.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Isolation {
    /// Landlock: no files, no network, no signals.
    pub landlock: String,
    /// Seccomp: no system calls but those that computing needs.
    pub seccomp: String,
}

impl Isolation {
    /// Whether all of it is in force.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.landlock.is_empty() && self.seccomp.is_empty()
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |why: &str| if why.is_empty() { "in force".to_owned() } else { why.to_owned() };
        write!(formatter, "Landlock: {}; seccomp: {}", word(&self.landlock), word(&self.seccomp))
    }
}

/// Ties this process to its parent and gives up core dumps, inherited descriptors, and its place before others.
///
/// # Errors
/// Where the parent has ended or the system refuses.
pub(super) fn limits(parent: Option<u64>) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // A parent that ended before the call above sends no signal.
    let now = getppid().and_then(|parent| u64::try_from(parent.as_raw_nonzero().get()).ok());
    if parent.is_some() && parent != now {
        return Err(io::Error::other("the parent process has ended"));
    }
    limit(Resource::Core, 0, Some(0))?;
    close_inherited()?;
    // Where a group of processes runs out of memory, the worker goes and not the operator. Both calls are courtesies.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    let _ = rustix::process::setpriority_process(None, NICE);
    Ok(())
}

/// Sets a limit of this process; `most` is what it can be raised to again.
pub(super) fn limit(resource: Resource, current: u64, most: Option<u64>) -> io::Result<()> {
    Ok(setrlimit(resource, Rlimit { current: Some(current), maximum: most })?)
}

/// Closes whatever descriptor came along beside the three standard ones.
fn close_inherited() -> io::Result<()> {
    let names: Vec<_> = fs::read_dir("/proc/self/fd")?.flatten().map(|entry| entry.file_name()).collect();
    let inherited = names.iter().filter_map(|name| name.to_str()?.parse::<RawFd>().ok()).filter(|number| *number > 2);
    for number in inherited {
        // The one that listed the folder is closed already, and nothing in this process owns any of the others yet.
        let _ = nix::unistd::close(number);
    }
    Ok(())
}

/// Gives up every right that is left. Threads started later have none either.
pub(super) fn isolate() -> Isolation {
    Isolation {
        landlock: match landlock() {
            Ok(RulesetStatus::FullyEnforced) => String::new(),
            Ok(RulesetStatus::PartiallyEnforced) => "partly in force: the kernel is older than Linux 6.12".to_owned(),
            Ok(RulesetStatus::NotEnforced) => "missing: the kernel has no Landlock".to_owned(),
            Err(error) => format!("missing: {error}"),
        },
        seccomp: seccomp().map_or_else(|error| format!("missing: {error}"), |()| String::new()),
    }
}

fn landlock() -> Result<RulesetStatus, landlock::RulesetError> {
    let abi = ABI::V6;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .restrict_self()?;
    Ok(status.ruleset)
}

/// Calls that computing needs, whatever their arguments.
const ALLOWED: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_read,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
];

/// Calls that no evaluation and no library under it makes by accident: who tries has taken the process over.
const DEADLY: &[i64] = &[
    libc::SYS_bind,
    libc::SYS_bpf,
    libc::SYS_connect,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_io_uring_setup,
    libc::SYS_kill,
    libc::SYS_mount,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_socket,
    libc::SYS_tkill,
];

/// Everything else answers that there is no such call, which the C library knows how to live with.
fn seccomp() -> Result<(), Box<dyn std::error::Error>> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let missing = SeccompAction::Errno(u32::try_from(libc::ENOSYS)?);
    let allowed: BpfProgram = SeccompFilter::new(rules()?, missing, SeccompAction::Allow, arch)?.try_into()?;
    let deadly = DEADLY.iter().map(|call| (*call, Vec::new())).collect();
    let deadly: BpfProgram =
        SeccompFilter::new(deadly, SeccompAction::Allow, SeccompAction::KillProcess, arch)?.try_into()?;
    // In this order: the second one forbids the call that would install another.
    seccompiler::apply_filter(&deadly)?;
    seccompiler::apply_filter(&allowed)?;
    Ok(())
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
    let masked = |argument, mask: i32, value: i32| {
        let (mask, value) = (u64::from(mask.unsigned_abs()), u64::from(value.unsigned_abs()));
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)
    };
    let is = |argument, value: i32| {
        let value = u64::from(value.unsigned_abs());
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
    };
    let mut rules: BTreeMap<_, _> = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    // Threads, not processes.
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![masked(0, libc::CLONE_THREAD, libc::CLONE_THREAD)?])?]);
    // Memory for data, not for code.
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![SeccompRule::new(vec![masked(2, libc::PROT_EXEC, 0)?])?]);
    }
    // The end of this very process.
    let own = getpid().as_raw_nonzero().get();
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![is(0, own)?, is(2, libc::SIGABRT)?])?]);
    // Limits of this very process, which have been set by then but for the soft ones.
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![is(0, 0)?])?]);
    // Names of threads and of memory.
    let names = [libc::PR_SET_NAME, libc::PR_SET_VMA];
    let names = names.into_iter().map(|option| SeccompRule::new(vec![is(0, option)?])).collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_prctl, names);
    Ok(rules)
}
