//! Names for families of systems, once for the harness and the suites: what a system *has*, not what it is called.

fn main() {
    aliases();
}

/// Sets the aliases for the package that is built.
pub fn aliases() {
    // A file that every package has. Cargo watches this script itself.
    println!("cargo::rerun-if-changed=Cargo.toml");
    cfg_aliases::cfg_aliases! {
        linux: { any(target_os = "linux", target_os = "android") },
        apple: { target_vendor = "apple" },
        // `pipe2`, `SOCK_CLOEXEC` and the like.
        has_pipe2: { not(target_vendor = "apple") },
        // The system call `pipe` itself, beside `pipe2`, and with its numbers stored in memory.
        has_old_pipe: { all(target_os = "linux", any(target_arch = "x86_64", target_arch = "x86", target_arch = "arm",
            target_arch = "s390x", target_arch = "powerpc64")) },
        has_mkfifoat: { not(any(target_vendor = "apple", target_os = "android")) },
        has_splice: { any(target_os = "linux", target_os = "android") },
        has_inotify: { any(target_os = "linux", target_os = "android") },
        has_epoll: { any(target_os = "linux", target_os = "android") },
        has_pipe_size: { any(target_os = "linux", target_os = "android") },
        has_ptrace_sweep: { any(target_os = "linux", target_os = "android") },
        // Single steps, and registers in which a mark is recognised.
        has_single_steps: { all(target_os = "linux", target_arch = "x86_64") },
        has_message_queues: { any(target_os = "linux", target_os = "freebsd", target_os = "netbsd") },
        has_unnamed_semaphores: { not(target_vendor = "apple") },
        has_timed_semaphores: { not(target_vendor = "apple") },
        // glibc from 2.30 on.
        has_sem_clockwait: { all(target_os = "linux", target_env = "gnu") },
        has_robust_mutexes: { any(target_os = "linux", target_os = "freebsd") },
        // `pthread_mutex_timedlock`, the timed read-write locks, and clocks for condition variables.
        has_timed_locks: { not(target_vendor = "apple") },
        // `pthread_mutex_clocklock` and its kin.
        has_clock_locks: { all(target_os = "linux", target_env = "gnu") },
        // `PTHREAD_PRIO_PROTECT`.
        has_priority_ceilings: { any(all(target_os = "linux", target_env = "gnu"), target_os = "freebsd") },
        // Barriers and spin locks.
        has_barriers: { not(target_vendor = "apple") },
        // `pthread_rwlockattr_setkind_np`.
        has_lock_preference: { all(target_os = "linux", target_env = "gnu") },
        // `MSG_CMSG_CLOEXEC`.
        has_cmsg_cloexec: { not(target_vendor = "apple") },
        // A removed segment stays visible to `shmctl` and can still be attached by id.
        has_doomed_segments: { any(target_os = "linux", target_os = "android") },
        // Assembly in which an address can be put among those of the functions that run before `main`.
        has_entry_table: { any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64", target_arch = "arm",
            target_arch = "riscv64", target_arch = "riscv32", target_arch = "loongarch64", target_arch = "s390x") },
        has_seqpacket: { not(target_vendor = "apple") },
    }
}
