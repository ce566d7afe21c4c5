//! `F_ADD_SEALS` and `F_GET_SEALS`: the seals of a new memory file, which seals can be added through which descriptor, and whom
//! they bind.

use conformance::prelude::*;
use conformance::sys::memory::memfd::{MemoryFlags, NOEXEC_SEAL, SEAL_EXEC, Seals, add_seals, seals};
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::path::attributes::fchmod;
use conformance::sys::path::open::reopen;
use conformance::sys::path::status::permissions;
use conformance::sys::socket::{recvmsg, sendmsg, socketpair};
use nix::sys::socket::{MsgFlags, SockType};
use rstest::rstest;

use common::memory_file::{UNSEALED, content, holding, sealable, size, with_flags};

const SEAL: Seals = Seals::F_SEAL_SEAL;
const SHRINK: Seals = Seals::F_SEAL_SHRINK;
const GROW: Seals = Seals::F_SEAL_GROW;
const WRITE: Seals = Seals::F_SEAL_WRITE;
const BYTES: usize = 100;

/// `fcntl(F_GET_SEALS)` on a new file returns `F_SEAL_SEAL` if `memfd_create` was called without flags, no seal with
/// `MFD_ALLOW_SEALING`, and `F_SEAL_EXEC` with `MFD_NOEXEC_SEAL`. `fcntl(F_ADD_SEALS)` with `F_SEAL_GROW` fails with `EPERM`
/// exactly if `F_SEAL_SEAL` is set, and otherwise returns 0.
#[rstest]
#[case::no_flag(MemoryFlags::empty(), SEAL)]
#[case::mfd_allow_sealing(MemoryFlags::MFD_ALLOW_SEALING, UNSEALED)]
#[case::mfd_noexec_seal(NOEXEC_SEAL, SEAL_EXEC)]
#[case::mfd_noexec_seal_and_allow_sealing(NOEXEC_SEAL.union(MemoryFlags::MFD_ALLOW_SEALING), SEAL_EXEC)]
#[conformance::test(man = "memfd_create(2)")]
fn initial_seals_depend_on_the_flags(#[case] flags: MemoryFlags, #[case] expected: Seals) -> Outcome {
    let file = with_flags(flags)?;
    expect_eq!(seals(&file), Ok(expected));
    let (added, then) = if expected.contains(SEAL) { (Err(EPERM), SEAL) } else { (Ok(()), expected | GROW) };
    expect_eq!((add_seals(&file, GROW), seals(&file)), (added, Ok(then)));
    expect_eq!(ftruncate(&file, 1).is_ok(), expected.contains(SEAL));
    Ok(())
}

/// Each `fcntl(F_ADD_SEALS)` of a random sequence on a file without `F_SEAL_SEAL` returns 0, and `fcntl(F_GET_SEALS)` then
/// returns the former seals and the added ones. After `F_SEAL_SEAL` is added, each `fcntl(F_ADD_SEALS)` fails with `EPERM`.
#[conformance::test(man = "fcntl(2)")]
fn accumulates_seals() -> Outcome {
    property(&proptest::collection::vec(0..16_i32, 0..6), |steps| {
        let file = sealable()?;
        let mut expected = UNSEALED;
        for bits in steps {
            let added = Seals::from_bits_retain(bits);
            if expected.contains(SEAL) {
                expect_eq!(add_seals(&file, added), Err(EPERM));
            } else {
                expect_eq!(add_seals(&file, added), Ok(()));
                expected |= added;
            }
            expect_eq!(seals(&file), Ok(expected));
        }
        Ok(())
    })
}

/// `fcntl(F_ADD_SEALS)` on a file with `F_SEAL_SEAL` fails with `EPERM`, for a new seal, for a seal that the file already has,
/// and for `F_SEAL_SEAL`. `fcntl(F_GET_SEALS)` returns the same seals as before.
#[rstest]
#[case::new_seal(GROW)]
#[case::existing_seal(SHRINK)]
#[case::f_seal_seal(SEAL)]
#[conformance::test(man = "fcntl(2)")]
fn f_seal_seal_forbids_more_seals(#[case] added: Seals) -> Outcome {
    let file = holding(b"abc")?;
    expect_eq!(add_seals(&file, SHRINK | SEAL), Ok(()));
    expect_eq!((add_seals(&file, added), seals(&file)), (Err(EPERM), Ok(SHRINK | SEAL)));
    expect_eq!((ftruncate(&file, 4), ftruncate(&file, 3)), (Ok(()), Err(EPERM)));
    Ok(())
}

/// `fcntl(F_ADD_SEALS)` with one of the seal bits 12 to 31, which are undefined, alone or with `F_SEAL_GROW`, fails with
/// `EINVAL`. `fcntl(F_GET_SEALS)` returns no seal afterwards.
#[conformance::test(man = "fcntl(2)")]
fn rejects_unknown_seals() -> Outcome {
    let file = sealable()?;
    for bit in 12..32 {
        let unknown = Seals::from_bits_retain(1_i32.wrapping_shl(bit));
        expect_eq!((add_seals(&file, unknown), add_seals(&file, unknown | GROW)), (Err(EINVAL), Err(EINVAL)), "bit {bit}");
    }
    expect_eq!((seals(&file), ftruncate(&file, 1)), (Ok(UNSEALED), Ok(())));
    Ok(())
}

/// `fcntl(F_ADD_SEALS)` fails with `EPERM` on a descriptor of the file opened with `O_RDONLY`, and returns 0 on one opened with
/// `O_WRONLY`. `fcntl(F_GET_SEALS)` returns the seals of the file on both.
#[conformance::test(man = "fcntl(2)", needs(procfs))]
fn requires_a_writable_descriptor() -> Outcome {
    let file = sealable()?;
    let reader = reopen(&file, OFlag::O_RDONLY)?;
    let writer = reopen(&file, OFlag::O_WRONLY)?;
    expect_eq!((add_seals(&reader, GROW), seals(&reader)), (Err(EPERM), Ok(UNSEALED)));
    expect_eq!((add_seals(&writer, GROW), seals(&writer)), (Ok(()), Ok(GROW)));
    expect_eq!((seals(&file), seals(&reader)), (Ok(GROW), Ok(GROW)));
    Ok(())
}

/// `fcntl(F_ADD_SEALS)` and `fcntl(F_GET_SEALS)` fail with `EINVAL` on a pipe, a socket and `/dev/null`.
#[conformance::test(man = "fcntl(2)")]
fn fails_on_other_file_types() -> Outcome {
    sealable()?;
    let (_reader, pipe) = pipe()?;
    let (socket, _peer) = socketpair(SockType::Stream)?;
    let device = open(Path::new("/dev/null"), OFlag::O_RDWR)?;
    for other in [&pipe, &socket, &device] {
        expect_eq!((seals(other), add_seals(other, GROW)), (Err(EINVAL), Err(EINVAL)));
    }
    Ok(())
}

/// `fcntl(F_ADD_SEALS)` with `F_SEAL_GROW` on a shared memory object from `shm_open` fails with `EINVAL` or `EPERM`, and
/// `ftruncate` to a greater size then returns 0. The errno, and the result of `fcntl(F_GET_SEALS)`, of which any is accepted, are
/// recorded.
#[conformance::test(man = "fcntl(2)", level = observed)]
fn fails_on_shared_memory_objects() -> Outcome {
    sealable()?;
    let object = SharedMemory::create(&unique_name("sealed"))?;
    observe!("memfd.seals-of-shm-object", format!("{:?}", seals(&object)));
    let added = add_seals(&object, GROW);
    observe!("memfd.adding-seals-to-shm-object", format!("{added:?}"));
    expect_matches!(added, Err(EINVAL | EPERM));
    expect_eq!((object.set_size(10), object.size()), (Ok(()), Ok(10)));
    Ok(())
}

/// After another process has added `F_SEAL_WRITE | F_SEAL_SHRINK` to a file, `write` fails with `EPERM` on a descriptor opened
/// before, on a duplicate from `dup`, on one from `open` of `/proc/self/fd/N`, on one received with `SCM_RIGHTS`, and in a child.
#[conformance::test(man = "fcntl(2)", needs(procfs))]
fn binds_every_descriptor_and_process() -> Outcome {
    let file = holding(&pattern(BYTES))?;
    let (copy, anew) = (dup(&file)?, reopen(&file, OFlag::O_RDWR)?);
    let (receiving, sending) = socketpair(SockType::Stream)?;
    sendmsg(&sending, b"x", &[file.as_fd()])?;
    let child = Participant::spawn("child", dup(&file)?, |file, link| {
        link.meet("sealed");
        (write(&file, b"x"), ftruncate(&file, 0), content(&file))
    })?;
    child.until_reached("sealed")?;
    // The process that adds the seals has exited before they are checked.
    let sealer = Participant::exec("sealer", dup(&file)?, &(), |file: OwnedFd, (), _| add_seals(&file, WRITE | SHRINK))?;
    expect_eq!(sealer.join()?, Ok(()));
    let received = recvmsg(&receiving, 1, 1, MsgFlags::empty())?.descriptors;
    for descriptor in [&file, &copy, &anew, &received[0]] {
        expect_eq!((write(descriptor, b"x"), seals(descriptor)), (Err(EPERM), Ok(WRITE | SHRINK)));
    }
    child.open("sealed")?;
    expect_eq!(child.join()?, (Err(EPERM), Err(EPERM), Ok(pattern(BYTES))));
    Ok(())
}

/// If a process that adds `F_SEAL_SHRINK`, `F_SEAL_GROW`, `F_SEAL_WRITE` and `F_SEAL_SEAL`, in this order, with four
/// `fcntl(F_ADD_SEALS)` calls, is killed at the entry or the exit of each of its system calls, `fcntl(F_GET_SEALS)` returns
/// exactly the seals of the calls that had returned. Then `ftruncate` to a smaller size fails with `EPERM` exactly if
/// `F_SEAL_SHRINK` is set, `ftruncate` to a greater size if `F_SEAL_GROW` is set, `write` if `F_SEAL_WRITE` is set, and
/// `fcntl(F_ADD_SEALS)` if `F_SEAL_SEAL` is set.
#[conformance::test(man = "fcntl(2)", deadline = 30)]
fn killed_sealer_leaves_the_added_seals() -> Outcome {
    let steps = [SHRINK, GROW, WRITE, SEAL];
    sweep(|run| {
        let file = holding(&pattern(BYTES))?;
        let victim = run.victim("sealer", dup(&file)?, move |file, _| steps.map(|step| add_seals(&file, step)).to_vec())?;
        let added = seals(&file)?;
        // The harness may check a closed descriptor with `fcntl` too.
        let done = victim.returned("fcntl").len().min(steps.len());
        // Where system calls cannot be traced, the seals show how many calls returned.
        let done = if victim.completed.is_empty() { added.bits().count_ones() as usize } else { done };
        let expected = steps[..done].iter().copied().fold(UNSEALED, Seals::union);
        expect_eq!(added, expected);
        let result_under = |seal| if added.contains(seal) { Err(EPERM) } else { Ok(()) };
        expect_eq!(write(&file, b"x").map(drop), result_under(WRITE));
        expect_eq!(ftruncate(&file, offset(BYTES) + 1), result_under(GROW));
        expect_eq!(ftruncate(&file, offset(BYTES) - 1), result_under(SHRINK));
        expect_eq!(add_seals(&file, UNSEALED), result_under(SEAL));
        Ok(())
    })
}

/// On a file with `F_SEAL_EXEC` and without execute bits, `fchmod` that sets an execute bit fails with `EPERM` and leaves the
/// mode as it was. `fchmod` that changes only other bits returns 0, `ftruncate` returns 0, and `pwrite` returns its count.
#[conformance::test(man = "memfd_create(2)", fixed_in = "Linux 6.3 (6fd7353829ca)")]
fn f_seal_exec_fixes_the_execute_bits() -> Outcome {
    let file = with_flags(NOEXEC_SEAL)?;
    let mode = |file: &OwnedFd| fstat(file).map(|status| permissions(&status));
    expect_eq!(fchmod(&file, 0o640), Ok(()));
    for executable in [0o740, 0o650, 0o641, 0o777] {
        expect_eq!((fchmod(&file, executable), mode(&file)), (Err(EPERM), Ok(0o640)));
    }
    expect_eq!((fchmod(&file, 0o444), mode(&file)), (Ok(()), Ok(0o444)));
    expect_eq!((pwrite(&file, b"data", 0), ftruncate(&file, 2), size(&file)), (Ok(4), Ok(()), Ok(2)));
    Ok(())
}

/// After `fcntl(F_ADD_SEALS)` with `F_SEAL_EXEC` on a file with execute bits, `pwrite`, and `fchmod` that clears the execute
/// bits, fail with `EPERM`, and the bytes stay as they were. `fcntl(F_GET_SEALS)` may return any seals; they are recorded.
#[conformance::test(man = "memfd_create(2)", level = customary, fixed_in = "Linux 6.3 (c4f75bc8bd6b)")]
fn f_seal_exec_on_an_executable_seals_its_bytes() -> Outcome {
    use conformance::sys::memory::memfd::EXEC;
    let file = with_flags(EXEC | MemoryFlags::MFD_ALLOW_SEALING)?;
    pwrite(&file, b"program", 0)?;
    expect_eq!(add_seals(&file, SEAL_EXEC), Ok(()));
    observe!("memfd.seals-of-sealed-executable", format!("{:#x}", seals(&file)?.bits()));
    expect_eq!((pwrite(&file, b"P", 0), fchmod(&file, 0o600)), (Err(EPERM), Err(EPERM)));
    expect_eq!(content(&file), Ok(b"program".to_vec()));
    Ok(())
}
