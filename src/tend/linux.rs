//! What only the kernel can promise: a worker dies with its host, nobody is orphaned, groups are ended whole.
//!
//! The only module with `unsafe`. What it reads about processes comes from `proc`.

use std::sync::OnceLock;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigHandler, Signal, kill, killpg, signal};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getpid, getppid};

/// The soft limit of descriptors this process was started with, once it has been raised.
static DESCRIPTORS_AT_START: OnceLock<(u64, u64)> = OnceLock::new();

/// Lets this process have as many descriptors as it is allowed to. Its workers keep the limit it was started with.
///
/// Returns how many there may be now.
pub(crate) fn raise_descriptor_limit() -> std::io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    DESCRIPTORS_AT_START.get_or_init(|| (soft, hard));
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

/// Makes the command's process die with the thread that starts it.
///
/// The kernel ties the signal to the *thread* that forks, so this is for the one thread that lives as long as the host.
pub(super) fn die_with_parent(command: &mut tokio::process::Command) {
    let host = getpid();
    let descriptors = DESCRIPTORS_AT_START.get().copied();
    let before_exec = move || {
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The host may have ended between the fork and the line above; then nobody would ever send the signal.
        if getppid() != host {
            return Err(Errno::ESRCH.into());
        }
        // Many programs walk or allocate all descriptors they may have: a limit of a million makes them crawl.
        if let Some((soft, hard)) = descriptors {
            setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
        }
        Ok(())
    };
    #[expect(unsafe_code, reason = "runs between fork and exec")]
    // SAFETY: prctl, getppid and setrlimit are single system calls; nothing allocates, locks or touches other memory.
    unsafe {
        command.pre_exec(before_exec);
    }
}

/// Makes processes whose parent has ended children of this one, so that they are found and reaped.
pub(super) fn adopt_orphans() -> std::io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

/// The keeper outlives what ends the host: Ctrl-C in the terminal, a hang-up, a polite request.
pub(super) fn ignore_polite_signals() {
    for polite in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE] {
        #[expect(unsafe_code, reason = "the disposition is process-wide")]
        // SAFETY: SIG_IGN installs no handler; nothing of ours runs in signal context.
        let outcome = unsafe { signal(polite, SigHandler::SigIgn) };
        // These signals exist and may be ignored; there is no other failure.
        let _ = outcome;
    }
}

/// Asks every process of a group to end.
pub(super) fn ask_group(group: u32) {
    send_group(group, Signal::SIGTERM);
}

/// Ends every process of a group.
pub(super) fn kill_group(group: u32) {
    send_group(group, Signal::SIGKILL);
}

fn send_group(group: u32, what: Signal) {
    // 0 and 1 would mean our own group and everybody.
    if let Some(group) = pid(group) {
        // It fails when nobody is left, which is what we want.
        let _ = killpg(group, what);
    }
}

pub(super) fn ask_process(process: u32) {
    send(process, Signal::SIGTERM);
}

pub(super) fn kill_process(process: u32) {
    send(process, Signal::SIGKILL);
}

fn send(process: u32, what: Signal) {
    if let Some(process) = pid(process) {
        // It fails when the process is gone, which is what we want.
        let _ = kill(process, what);
    }
}

/// Frees the place of an ended child in the table of processes.
pub(super) fn reap(process: u32) {
    if let Some(process) = pid(process) {
        // Somebody else may have reaped it; then there is nothing to do.
        let _ = waitpid(process, Some(WaitPidFlag::WNOHANG));
    }
}

fn pid(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().filter(|&number| number > 1).map(Pid::from_raw)
}

/// Asks the scheduler for short turns of this thread: a thread that passes requests on does so within microseconds, and
/// should not wait for the full turn of a worker that computes. Its share of the processor stays what it is.
///
/// Linux 6.12 and later know of it; elsewhere nothing happens.
#[expect(unsafe_code, reason = "neither nix nor rustix has sched_setattr")]
pub(crate) fn take_short_turns() {
    /// `struct sched_attr` as of its first version, which every kernel understands.
    #[repr(C)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime_ns: u64,
        deadline_ns: u64,
        period_ns: u64,
    }
    /// The least the kernel allows.
    const TURN_NS: u64 = 100_000;
    let mut attributes = Attributes {
        size: size_of::<Attributes>() as u32,
        policy: 0,
        flags: 0,
        nice: 0,
        priority: 0,
        runtime_ns: 0,
        deadline_ns: 0,
        period_ns: 0,
    };
    // SAFETY: both calls are given a struct of the size it says it has, which lives longer than the call; they concern
    // the calling thread only.
    unsafe {
        if nix::libc::syscall(nix::libc::SYS_sched_getattr, 0, &raw mut attributes, attributes.size, 0) != 0 {
            return;
        }
        attributes.runtime_ns = TURN_NS;
        attributes.flags = 0;
        // A refusal leaves the thread as it was.
        nix::libc::syscall(nix::libc::SYS_sched_setattr, 0, &raw const attributes, 0);
    }
}
