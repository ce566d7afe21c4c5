//! System V IPC, which some kernels are configured without, and some containers and jails deny.

use conformance::prelude::*;
use conformance::sandbox::names::unique_key;
use rstest::rstest;

use common::sysv::Kind;

/// For each of segment, semaphore set and message queue, `shmget`, `semget` or `msgget` with `IPC_CREAT` returns an id. `shmctl`
/// with `IPC_STAT`, `semctl` with `GETVAL` or `msgctl` with `IPC_STAT` on that id returns no error.
#[rstest]
#[conformance::test(posix = "sys/ipc.h", man = "sysvipc(7)", ambient)]
fn objects_can_be_created(#[values(Kind::SharedMemory, Kind::SemaphoreSet, Kind::MessageQueue)] kind: Kind) -> Outcome {
    let object = kind.create(unique_key());
    if let Err(errno @ (ENOSYS | EPERM | EACCES)) = object {
        let what = format!("System V IPC ({kind:?}; the kernel is configured without it, or a seccomp filter denies it)");
        unsupported!(what, errno);
    }
    expect_eq!(object.and_then(|object| object.state()), Ok(()));
    Ok(())
}

/// The first, third and fourth number in `/proc/sys/kernel/sem` are at least 10 (semaphores in a set), 5 (operations in a
/// `semop`) and 10 (sets). In the same directory, `msgmni` is at least 10 queues, `msgmnb` 2048 bytes, `msgmax` 512 bytes,
/// `shmmni` 32 segments, and `shmmax` 4 MiB. The values are recorded.
#[cfg(linux)]
#[conformance::test(man = "proc(5)", level = observed, needs(file("/proc/sys/kernel/sem")), ambient)]
fn limits_allow_what_the_suites_use() -> Outcome {
    let [per_set, _all, per_call, sets] = numbers("/proc/sys/kernel/sem")?;
    let [queue_bytes] = numbers("/proc/sys/kernel/msgmnb")?;
    let [message_bytes] = numbers("/proc/sys/kernel/msgmax")?;
    let [queues] = numbers("/proc/sys/kernel/msgmni")?;
    let [segments] = numbers("/proc/sys/kernel/shmmni")?;
    let [segment_bytes] = numbers("/proc/sys/kernel/shmmax")?;
    observe!("environment.system_v.semaphores_in_a_set", per_set);
    observe!("environment.system_v.operations_in_a_call", per_call);
    observe!("environment.system_v.sets", sets);
    observe!("environment.system_v.queues", queues);
    observe!("environment.system_v.bytes_in_a_queue", queue_bytes);
    observe!("environment.system_v.bytes_in_a_message", message_bytes);
    observe!("environment.system_v.segments", segments);
    observe!("environment.system_v.bytes_in_a_segment", segment_bytes);
    // The largest numbers that the suites use, and some reserve.
    let seen = [per_set, per_call, sets, queues, queue_bytes, message_bytes, segments, segment_bytes];
    let least = [10, 5, 10, 10, 2048, 512, 32, 4 << 20];
    let too_low: Vec<_> = seen.iter().zip(least).filter(|&(&seen, least)| seen < least).collect();
    expect_eq!(too_low, vec![]);
    Ok(())
}

/// The numbers in a file, exactly as many as it is documented to have.
#[cfg(linux)]
fn numbers<const N: usize>(path: &str) -> Result<[u64; N], Errno> {
    let text = std::fs::read_to_string(path)?;
    let numbers: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    numbers.try_into().map_err(|_| ERANGE)
}
