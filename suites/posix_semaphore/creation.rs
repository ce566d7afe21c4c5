//! Creation of semaphores: initial value, `O_CREAT` and `O_EXCL`, concurrent creation, and the limits on descriptors, memory and space.

use conformance::prelude::*;
use conformance::sys::semaphore::{Semaphore, largest_value, sem_unlink};
#[cfg(linux)]
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{CREATE_NEW, Kind, Name, create_named, named_and_unnamed};

/// On a semaphore that `sem_open` or `sem_init` creates with value n, exactly n calls of `sem_trywait` return 0. The next
/// `sem_trywait` fails with `EAGAIN`.
#[apply(named_and_unnamed)]
#[case::zero(0)]
#[case::one(1)]
#[case::two(2)]
#[case::three_hundred(300)]
#[conformance::test(posix = "sem_open", posix = "sem_init", man = "sem_open(3)")]
fn starts_with_the_given_value(#[case] value: u32, kind: Kind) -> Outcome {
    let semaphore = kind.create(value)?;
    expect_eq!((semaphore.drain(), semaphore.try_wait()), (Ok(value), Err(EAGAIN)));
    Ok(())
}

/// `sem_open` and `sem_init` create a semaphore with the value `SEM_VALUE_MAX`, which is at least 32767. `sem_getvalue` gives
/// `SEM_VALUE_MAX`, and `SEM_VALUE_MAX` - 2 after one `sem_wait` and one `sem_trywait` that return 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_open", posix = "sem_init", man = "sem_getvalue(3)")]
fn accepts_sem_value_max(kind: Kind) -> Outcome {
    let largest = i32::try_from(largest_value()).unwrap_or(i32::MAX);
    // _POSIX_SEM_VALUE_MAX.
    expect!(largest >= 32_767, "SEM_VALUE_MAX is {largest}");
    let semaphore = kind.create(largest_value())?;
    expect_eq!((semaphore.value(), semaphore.wait(), semaphore.try_wait()), (Ok(largest), Ok(()), Ok(())));
    expect_eq!(semaphore.value(), Ok(largest - 2));
    Ok(())
}

/// `sem_open` with `O_CREAT` on a new name, with or without `O_EXCL`, and a value above `SEM_VALUE_MAX` fails with `EINVAL`.
/// Afterwards `sem_open` without `O_CREAT` and `sem_unlink` of this name fail with `ENOENT`.
#[rstest]
#[case::one_above(1)]
#[case::all_bits(u32::MAX - i32::MAX as u32)]
#[conformance::test(posix = "sem_open", man = "sem_open(3)")]
fn rejects_a_value_above_sem_value_max(#[case] beyond: u32) -> Outcome {
    let name = Name::new();
    let value = largest_value().saturating_add(beyond);
    expect_eq!(create_named(&name, value).map(drop), Err(EINVAL));
    expect_eq!(Semaphore::open_with(&name, OFlag::O_CREAT, 0o600, value).map(drop), Err(EINVAL));
    expect_eq!((Semaphore::open(&name).map(drop), sem_unlink(&name)), (Err(ENOENT), Err(ENOENT)));
    Ok(())
}

/// `sem_open` without `O_CREAT` on a name that does not exist fails with `ENOENT`. `sem_unlink` of this name then fails with
/// `ENOENT` too.
#[conformance::test(posix = "sem_open", man = "sem_open(3)")]
fn missing_name_fails_with_enoent() -> Outcome {
    open_missing(OFlag::empty())
}

/// `sem_open` with `O_EXCL` but without `O_CREAT` on a name that does not exist fails with `ENOENT`. `sem_unlink` of this name
/// then fails with `ENOENT` too.
#[conformance::test(posix = "sem_open", level = customary)]
fn o_excl_without_o_creat_fails_with_enoent() -> Outcome {
    open_missing(OFlag::O_EXCL)
}

fn open_missing(flags: OFlag) -> Outcome {
    let name = Name::new();
    expect_eq!([(); 2].map(|()| Semaphore::open_with(&name, flags, 0o600, 1).map(drop)), [Err(ENOENT); 2]);
    expect_eq!(sem_unlink(&name), Err(ENOENT));
    Ok(())
}

/// `sem_open` with `O_CREAT | O_EXCL` on an existing name fails with `EEXIST`, whether or not a process has the semaphore open.
/// The value of the existing semaphore stays as it was.
#[conformance::test(posix = "sem_open", man = "sem_open(3)")]
fn o_excl_fails_with_eexist() -> Outcome {
    let name = Name::new();
    let semaphore = create_named(&name, 2)?;
    expect_eq!(create_named(&name, 9).map(drop), Err(EEXIST));
    drop(semaphore);
    // Closed by every process, the name still exists.
    expect_eq!(create_named(&name, 9).map(drop), Err(EEXIST));
    expect_eq!(Semaphore::open(&name)?.drain(), Ok(2));
    Ok(())
}

/// `sem_open` with `O_CREAT`, without `O_EXCL`, on an existing name opens the existing semaphore, whatever the mode and value
/// arguments are. The value of the semaphore stays as it was, and a later `sem_open` of the name without `O_CREAT` by its creator
/// returns a semaphore.
#[conformance::test(posix = "sem_open", man = "sem_open(3)")]
fn o_creat_opens_an_existing_semaphore_unchanged() -> Outcome {
    let name = Name::new();
    let first = Semaphore::open_with(&name, OFlag::O_CREAT, 0o600, 2)?;
    let again = Semaphore::open_with(&name, OFlag::O_CREAT, 0, 9);
    expect_eq!(again.as_ref().map(Semaphore::post), Ok(Ok(())));
    drop(again);
    expect_eq!((first.drain(), Semaphore::open(&name).map(drop)), (Ok(3), Ok(())));
    Ok(())
}

/// What processes get that create a name at the same time, each with a value of its own.
fn race(name: &Name, flags: OFlag, post: bool) -> Result<Vec<Result<(), Errno>>, Failure> {
    together("creator", CREATORS, |number| {
        let opened = Semaphore::open_with(name, flags, 0o600, STEP * u32::from(number + 1));
        Ok(opened.and_then(|semaphore| if post { semaphore.post() } else { Ok(()) }))
    })
}

const CREATORS: u8 = 6;
const STEP: u32 = 10;

/// If six processes call `sem_open` with `O_CREAT | O_EXCL` on one name at the same time, each with another initial value,
/// exactly one call returns a semaphore and five fail with `EEXIST`. The value of the semaphore is the initial value of the call
/// that returned it.
#[conformance::test(posix = "sem_open")]
fn concurrent_o_excl_creates_once() -> Outcome {
    for _ in 0..4 {
        let name = Name::new();
        let created = race(&name, CREATE_NEW, false)?;
        let creator = created.iter().position(Result::is_ok);
        let failed = created.iter().filter(|&&result| result == Err(EEXIST)).count();
        expect_eq!((creator.is_some(), failed), (true, usize::from(CREATORS) - 1));
        let value = creator.and_then(|creator| u32::try_from(creator).ok()).map_or(0, |creator| STEP * (creator + 1));
        expect_eq!(Semaphore::open(&name)?.drain(), Ok(value));
    }
    Ok(())
}

/// If six processes call `sem_open` with `O_CREAT` and without `O_EXCL` on one new name at the same time, each with another
/// initial value, and then `sem_post`, every `sem_open` returns a semaphore and every `sem_post` returns 0. The value is then the
/// initial value of one of the calls plus 6.
#[conformance::test(posix = "sem_open", fixed_in = "glibc 2.39 (f957f47df7)")]
fn concurrent_o_creat_opens_one_semaphore() -> Outcome {
    for _ in 0..4 {
        let name = Name::new();
        expect_eq!(race(&name, OFlag::O_CREAT, true)?, vec![Ok(()); usize::from(CREATORS)]);
        let value = Semaphore::open(&name)?.drain()?;
        let first = value.checked_sub(u32::from(CREATORS));
        expect_matches!(first, Some(STEP | 20 | 30 | 40 | 50 | 60));
    }
    Ok(())
}

/// `sem_open` that creates or opens a named semaphore, or fails with `EEXIST` or `ENOENT`, leaves the set of open file
/// descriptors of the process as it was. `sem_close` leaves this set as it was too.
#[conformance::test(man = "sem_overview(7)", level = customary)]
fn leaves_no_file_descriptor_open() -> Outcome {
    let name = Name::new();
    let before = open_descriptors();
    let created = create_named(&name, 1)?;
    let during = open_descriptors();
    let again = Semaphore::open(&name)?;
    let twice = open_descriptors();
    let failed = (create_named(&name, 1).map(drop), Semaphore::open(&Name::new()).map(drop));
    expect_eq!((failed, open_descriptors()), ((Err(EEXIST), Err(ENOENT)), before.clone()));
    expect_eq!((created.close(), again.close()), (Ok(()), Ok(())));
    expect_eq!([during, twice, open_descriptors()], [before.clone(), before.clone(), before]);
    Ok(())
}

/// In a process that has reached its limit of open file descriptors, `sem_open` with `O_CREAT | O_EXCL` of a new name, and
/// `sem_open` of an existing name, fail with `EMFILE`. Afterwards `sem_open` of the new name by another process fails with
/// `ENOENT`, and the value of the existing semaphore is as it was.
#[conformance::test(posix = "sem_open", man = "sem_open(3)")]
fn fails_with_emfile_at_the_descriptor_limit() -> Outcome {
    let (new, old) = (Name::new(), Name::new());
    let _kept = create_named(&old, 2)?;
    let (end, _other) = pipe()?;
    let limited = Participant::spawn("process at its limit", end, |end, _| {
        leave_room(&end, 0)?;
        let created = create_named(&new, 1).map(drop);
        let opened = Semaphore::open(&old).map(drop);
        let with_flag = Semaphore::open_with(&old, OFlag::O_CREAT, 0o600, 1).map(drop);
        Ok::<_, Errno>((created, opened, with_flag))
    })?;
    expect_eq!(limited.join()?, Ok((Err(EMFILE), Err(EMFILE), Err(EMFILE))));
    expect_eq!((Semaphore::open(&new).map(drop), Semaphore::open(&old)?.drain()), (Err(ENOENT), Ok(2)));
    Ok(())
}

/// `sem_open` with `O_RDWR`, a flag that POSIX leaves open, on an existing name returns a semaphore or fails with `EINVAL`; the
/// result is recorded. The value of the semaphore stays as it was.
#[conformance::test(posix = "sem_open", level = observed)]
fn access_mode_flag_is_recorded() -> Outcome {
    let name = Name::new();
    let semaphore = create_named(&name, 2)?;
    let opened = Semaphore::open_with(&name, OFlag::O_RDWR, 0, 0).map(drop);
    expect_matches!(opened, Ok(()) | Err(EINVAL));
    observe!("semaphore.access-mode", format!("{opened:?}"));
    expect_eq!(semaphore.drain(), Ok(2));
    Ok(())
}

/// A process that calls `sem_open` for 256 new names (`_POSIX_SEM_NSEMS_MAX`) without `sem_close` is returned a semaphore by each
/// call. The 256 semaphores have 256 different addresses, and each has the initial value of its own call.
#[conformance::test(posix = "sem_open", posix = "limits.h", needs(descriptors(300)))]
fn opens_256_semaphores_at_the_same_time() -> Outcome {
    const PROMISED: u32 = 256;
    let names: Vec<Name> = (0..PROMISED).map(|_| Name::new()).collect();
    let mut semaphores = Vec::new();
    for (value, name) in (0..PROMISED).zip(&names) {
        let created = create_named(name, value);
        expect_eq!(created.as_ref().map(drop), Ok(()));
        semaphores.push(created?);
    }
    let mut addresses: Vec<usize> = semaphores.iter().map(Semaphore::address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    expect_eq!(addresses.len(), semaphores.len());
    expect_eq!(semaphores.iter().map(Semaphore::drain).collect::<Vec<_>>(), (0..PROMISED).map(Ok).collect::<Vec<_>>());
    Ok(())
}

/// In a process whose address space has reached its limit (`RLIMIT_AS`), `sem_open` with `O_CREAT | O_EXCL` of a new name, and
/// `sem_open` of an existing name that the process does not have open, fail with `ENOMEM`. Afterwards `sem_open` of the new name
/// fails with `ENOENT`, and the value of the existing semaphore is as it was.
#[cfg(linux)]
#[conformance::test(posix = "sem_open", man = "sem_open(3)")]
fn fails_with_enomem_without_address_space() -> Outcome {
    let (new, old) = (Name::new(), Name::new());
    // Closed again: a child has what its parent has open, and would map nothing for it.
    create_named(&old, 2)?.close()?;
    let limited = Participant::spawn("process at its limit", (), |(), _| {
        // Free memory for the small needs of the library, so that only the mapping of the semaphore fails.
        drop(std::hint::black_box(vec![0_u8; 32 * 1024]));
        let (soft, hard) = getrlimit(Resource::RLIMIT_AS)?;
        setrlimit(Resource::RLIMIT_AS, 0, hard)?;
        let created = create_named(&new, 1).map(drop);
        let opened = Semaphore::open(&old).map(drop);
        setrlimit(Resource::RLIMIT_AS, soft, hard)?;
        Ok::<_, Errno>((created, opened, Semaphore::open(&old).and_then(|semaphore| semaphore.post())))
    })?;
    expect_eq!(limited.join()?, Ok((Err(ENOMEM), Err(ENOMEM), Ok(()))));
    expect_eq!((Semaphore::open(&new).map(drop), Semaphore::open(&old)?.drain()), (Err(ENOENT), Ok(3)));
    Ok(())
}

/// If the tmpfs on `/dev/shm` has no free block or no free inode, `sem_open` with `O_CREAT | O_EXCL` fails with `ENOSPC` and
/// leaves no file there. After `sem_unlink` and `sem_close` of the only other semaphore on this tmpfs, `sem_open` with the same
/// arguments returns a semaphore.
#[cfg(linux)]
#[rstest]
#[case::no_free_block("nr_blocks=1")]
#[case::no_free_inode("nr_inodes=3")]
#[conformance::test(posix = "sem_open", man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn fails_with_enospc_on_a_full_file_system(#[case] limit: &'static str) -> Outcome {
    let creator = Participant::spawn("creator", (), |(), _| {
        mount_small_tmpfs(limit)?;
        let first = create_named("/a", 1)?;
        let failed = (create_named("/b", 1).map(drop), Semaphore::open("/b").map(drop), std::fs::read_dir("/dev/shm")?.count());
        let usable = (first.post(), first.drain());
        let freed = (sem_unlink("/a"), first.close());
        Ok::<_, Errno>((failed, usable, freed, create_named("/b", 1).map(drop)))
    })?;
    let (failed, usable, freed) = ((Err(ENOSPC), Err(ENOENT), 1), (Ok(()), Ok(2)), (Ok(()), Ok(())));
    expect_eq!(creator.join()?, Ok((failed, usable, freed, Ok(()))));
    Ok(())
}

/// Gives the calling process a mount namespace of its own, with a small tmpfs on `/dev/shm`.
#[cfg(linux)]
fn mount_small_tmpfs(limit: &str) -> Result<(), Errno> {
    use nix::mount::{MsFlags, mount};
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    mount(Some("tmpfs"), "/dev/shm", Some("tmpfs"), MsFlags::empty(), Some(limit))?;
    Ok(())
}
