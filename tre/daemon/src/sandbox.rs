//! The system calls that `tred` may make once it listens. Any other ends the process.
//!
//! Applied to every thread at once, before the first byte from a peer. No file can be opened, no
//! program started, no thread made, no memory made executable after it.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads,
};
use thiserror::Error;

/// Why the sandbox does not stand; `tred` does not serve without it.
#[derive(Debug, Error)]
pub(crate) enum SandboxError {
    /// The list below makes no filter.
    #[error("seccomp filter: {0}")]
    Filter(#[source] seccompiler::BackendError),
    /// The kernel does not take it.
    #[error("seccomp filter was not installed: {0}")]
    Install(#[source] seccompiler::Error),
}

/// Allowed with any argument, each with its reason.
const ALLOWED: &[(i64, &str)] = &[
    (libc::SYS_read, "TPM device"),
    (libc::SYS_write, "TPM device, console, wake-up of the event loop"),
    (libc::SYS_pread64, "data disk"),
    (libc::SYS_pwrite64, "data disk"),
    (libc::SYS_fsync, "data disk"),
    (libc::SYS_fdatasync, "data disk"),
    (libc::SYS_lseek, "data disk"),
    (libc::SYS_poll, "TPM device"),
    (libc::SYS_ppoll, "TPM device"),
    (libc::SYS_close, "connections"),
    (libc::SYS_accept4, "connections"),
    (libc::SYS_recvfrom, "connections"),
    (libc::SYS_sendto, "connections"),
    (libc::SYS_writev, "connections"),
    (libc::SYS_readv, "connections"),
    (libc::SYS_shutdown, "connections"),
    (libc::SYS_getpeername, "connections"),
    (libc::SYS_getsockname, "connections"),
    (libc::SYS_getsockopt, "connections"),
    (libc::SYS_setsockopt, "connections"),
    (libc::SYS_epoll_wait, "event loop"),
    (libc::SYS_epoll_pwait, "event loop"),
    (libc::SYS_epoll_ctl, "event loop"),
    (libc::SYS_futex, "the TPM thread's queue"),
    (libc::SYS_brk, "memory"),
    (libc::SYS_munmap, "memory"),
    (libc::SYS_mremap, "memory"),
    (libc::SYS_madvise, "memory"),
    (libc::SYS_getrandom, "keys, noise, TLS"),
    (libc::SYS_clock_gettime, "time, where the kernel has no vDSO clock"),
    (libc::SYS_sigaltstack, "end of a thread"),
    (libc::SYS_rt_sigprocmask, "end of a thread"),
    (libc::SYS_rt_sigreturn, "return from a signal"),
    (libc::SYS_restart_syscall, "resumed waits"),
    (libc::SYS_sched_yield, "waiting for the other thread"),
    (libc::SYS_exit, "end of a thread"),
    (libc::SYS_exit_group, "end of the process"),
    (libc::SYS_getpid, "abort"),
    (libc::SYS_gettid, "abort"),
    (libc::SYS_tgkill, "abort"),
];

/// Memory may be mapped and changed, but never made executable: protection is argument 2.
const NEVER_EXECUTABLE: [i64; 2] = [libc::SYS_mmap, libc::SYS_mprotect];

/// Puts the calling process, all threads of it, under the filter for good.
///
/// # Errors
///
/// [`SandboxError`]: the caller must not go on.
pub(crate) fn enter() -> Result<(), SandboxError> {
    let program = program().map_err(SandboxError::Filter)?;
    apply_filter_all_threads(&program).map_err(SandboxError::Install)
}

fn program() -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALLOWED.iter().map(|&(call, _)| (call, Vec::new())).collect();
    let executable = u64::from(libc::PROT_EXEC.unsigned_abs());
    let no_execution =
        SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(executable), 0)?;
    for call in NEVER_EXECUTABLE {
        rules.insert(call, vec![SeccompRule::new(vec![no_execution.clone()])?]);
    }
    // A build with debug assertions asks whether a descriptor is open before it closes it.
    rules.insert(libc::SYS_fcntl, vec![only(1, libc::F_GETFD)?]);
    #[cfg(feature = "hosted")]
    {
        // A software TPM is reached anew for every command, over a unix socket and nothing else.
        rules.insert(libc::SYS_socket, vec![only(0, libc::AF_UNIX)?]);
        rules.insert(libc::SYS_connect, Vec::new());
    }
    let (otherwise, listed) = (SeccompAction::KillProcess, SeccompAction::Allow);
    SeccompFilter::new(rules, otherwise, listed, TargetArch::x86_64)?.try_into()
}

/// Allows a call when its argument `index` is `value`.
fn only(index: u8, value: i32) -> Result<SeccompRule, seccompiler::BackendError> {
    let value = u64::from(value.unsigned_abs());
    let equal = SeccompCondition::new(index, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?;
    SeccompRule::new(vec![equal])
}
