//! Adding seals: which a file starts with, who may add which, and whom they bind.

use conformance::prelude::*;
use conformance::sys::memory::memfd::{MemoryFlags, NOEXEC_SEAL, SEAL_EXEC, Seals, add_seals, seals};
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::path::open::reopen;
use conformance::sys::path::status::permissions;
use conformance::sys::socket::{recvmsg, sendmsg, socketpair};
use nix::sys::socket::{MsgFlags, SockType};
use rstest::rstest;

use common::memory_file::{UNSEALED, content, holding, offset, sealable, size, with_flags};

const SEAL: Seals = Seals::F_SEAL_SEAL;
const SHRINK: Seals = Seals::F_SEAL_SHRINK;
const GROW: Seals = Seals::F_SEAL_GROW;
const WRITE: Seals = Seals::F_SEAL_WRITE;
const BYTES: usize = 100;

/// Which seals a file starts with: only the one against seals, unless they were allowed.
#[rstest]
#[case::not_allowed(MemoryFlags::empty(), SEAL)]
#[case::allowed(MemoryFlags::MFD_ALLOW_SEALING, UNSEALED)]
#[case::never_executable(NOEXEC_SEAL, SEAL_EXEC)]
#[case::never_executable_and_allowed(NOEXEC_SEAL.union(MemoryFlags::MFD_ALLOW_SEALING), SEAL_EXEC)]
#[conformance::test(man = "memfd_create(2)")]
fn start_as_the_flags_say(#[case] flags: MemoryFlags, #[case] expected: Seals) -> Outcome {
    let file = with_flags(flags)?;
    expect_eq!(seals(&file), Ok(expected));
    let (added, then) = if expected.contains(SEAL) { (Err(EPERM), SEAL) } else { (Ok(()), expected | GROW) };
    expect_eq!((add_seals(&file, GROW), seals(&file)), (added, Ok(then)));
    expect_eq!(ftruncate(&file, 1).is_ok(), expected.contains(SEAL));
    Ok(())
}

/// Seals add up, in any order and however often; adding none changes none.
#[conformance::test(man = "fcntl(2)")]
fn add_up() -> Outcome {
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

/// Once further seals are sealed off none can be added, not even one that is there.
#[rstest]
#[case::a_new_one(GROW)]
#[case::one_that_is_there(SHRINK)]
#[case::itself(SEAL)]
#[conformance::test(man = "fcntl(2)")]
fn end_with_the_seal_against_seals(#[case] added: Seals) -> Outcome {
    let file = holding(b"abc")?;
    expect_eq!(add_seals(&file, SHRINK | SEAL), Ok(()));
    expect_eq!((add_seals(&file, added), seals(&file)), (Err(EPERM), Ok(SHRINK | SEAL)));
    expect_eq!((ftruncate(&file, 4), ftruncate(&file, 3)), (Ok(()), Err(EPERM)));
    Ok(())
}

/// An unknown seal is refused, alone or beside known ones, of which none is added then.
#[conformance::test(man = "fcntl(2)")]
fn that_are_unknown_are_refused() -> Outcome {
    let file = sealable()?;
    for bit in 12..32 {
        let unknown = Seals::from_bits_retain(1_i32.wrapping_shl(bit));
        expect_eq!((add_seals(&file, unknown), add_seals(&file, unknown | GROW)), (Err(EINVAL), Err(EINVAL)), "bit {bit}");
    }
    expect_eq!((seals(&file), ftruncate(&file, 1)), (Ok(UNSEALED), Ok(())));
    Ok(())
}

/// They are added through a descriptor that may write, and read through any.
#[conformance::test(man = "fcntl(2)", needs(procfs))]
fn need_a_descriptor_that_may_write() -> Outcome {
    let file = sealable()?;
    let reader = reopen(&file, OFlag::O_RDONLY)?;
    let writer = reopen(&file, OFlag::O_WRONLY)?;
    expect_eq!((add_seals(&reader, GROW), seals(&reader)), (Err(EPERM), Ok(UNSEALED)));
    expect_eq!((add_seals(&writer, GROW), seals(&writer)), (Ok(()), Ok(GROW)));
    expect_eq!((seals(&file), seals(&reader)), (Ok(GROW), Ok(GROW)));
    Ok(())
}

/// Other kinds of files have none: pipes, sockets, devices.
#[conformance::test(man = "fcntl(2)")]
fn exist_on_memory_files_only() -> Outcome {
    sealable()?;
    let (_reader, pipe) = pipe()?;
    let (socket, _peer) = socketpair(SockType::Stream)?;
    let device = open(Path::new("/dev/null"), OFlag::O_RDWR)?;
    for other in [&pipe, &socket, &device] {
        expect_eq!((seals(other), add_seals(other, GROW)), (Err(EINVAL), Err(EINVAL)));
    }
    Ok(())
}

/// A shared memory object takes no seals, however the system says so, and changes as before.
#[conformance::test(man = "fcntl(2)", level = observed)]
fn are_refused_by_objects_with_a_name() -> Outcome {
    sealable()?;
    let object = SharedMemory::create(&unique_name("sealed"))?;
    observe!("posix_shm.seals-of-a-named-object", format!("{:?}", seals(&object)));
    let added = add_seals(&object, GROW);
    observe!("posix_shm.sealing-a-named-object", format!("{added:?}"));
    expect_matches!(added, Err(EINVAL | EPERM));
    expect_eq!((object.set_size(10), object.size()), (Ok(()), Ok(10)));
    Ok(())
}

/// They belong to the file: whoever has it open, by whichever descriptor, sees them and is bound by them.
#[conformance::test(man = "fcntl(2)", needs(procfs))]
fn bind_every_descriptor_of_every_process() -> Outcome {
    let file = holding(&pattern(BYTES))?;
    let (copy, anew) = (dup(&file)?, reopen(&file, OFlag::O_RDWR)?);
    let (receiving, sending) = socketpair(SockType::Stream)?;
    sendmsg(&sending, b"x", &[file.as_fd()])?;
    let child = Participant::spawn("child", dup(&file)?, |file, link| {
        link.meet("sealed");
        (write(&file, b"x"), ftruncate(&file, 0), content(&file))
    })?;
    child.until_reached("sealed")?;
    // The one that seals is a process of its own, and gone before anybody looks.
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

/// A process that is killed between its calls leaves exactly the seals that it had added, and a file that is bound by those.
#[conformance::test(man = "fcntl(2)", deadline = 30)]
fn stay_as_a_killed_sealer_left_them() -> Outcome {
    let steps = [SHRINK, GROW, WRITE, SEAL];
    sweep(|run| {
        let file = holding(&pattern(BYTES))?;
        let victim = run.victim("sealer", dup(&file)?, move |file, _| steps.map(|step| add_seals(&file, step)).to_vec())?;
        let added = seals(&file)?;
        // Closing a descriptor may be checked by a call of the same name.
        let done = victim.returned("fcntl").len().min(steps.len());
        // On a system that shows no calls the seals themselves must tell.
        let done = if victim.completed.is_empty() { added.bits().count_ones() as usize } else { done };
        let expected = steps[..done].iter().copied().fold(UNSEALED, Seals::union);
        expect_eq!(added, expected);
        let refused = |seal| if added.contains(seal) { Err(EPERM) } else { Ok(()) };
        expect_eq!(write(&file, b"x").map(drop), refused(WRITE));
        expect_eq!(ftruncate(&file, offset(BYTES) + 1), refused(GROW));
        expect_eq!(ftruncate(&file, offset(BYTES) - 1), refused(SHRINK));
        expect_eq!(add_seals(&file, UNSEALED), refused(SEAL));
        Ok(())
    })
}

/// The seal on the executable bits keeps those, set or clear, and nothing else of the mode.
#[conformance::test(man = "memfd_create(2)", fixed_in = "Linux 6.3 (6fd7353829ca)")]
fn against_executing_keep_those_bits() -> Outcome {
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

/// Sealing the executable bits of a file that has them seals its content as well, so that nobody can exchange a program.
#[conformance::test(man = "memfd_create(2)", level = observed, fixed_in = "Linux 6.3 (c4f75bc8bd6b)")]
fn against_executing_fix_a_program() -> Outcome {
    use conformance::sys::memory::memfd::EXEC;
    let file = with_flags(EXEC | MemoryFlags::MFD_ALLOW_SEALING)?;
    pwrite(&file, b"program", 0)?;
    expect_eq!(add_seals(&file, SEAL_EXEC), Ok(()));
    observe!("posix_shm.seals-of-a-program", format!("{:#x}", seals(&file)?.bits()));
    expect_eq!((pwrite(&file, b"P", 0), fchmod(&file, 0o600)), (Err(EPERM), Err(EPERM)));
    expect_eq!(content(&file), Ok(b"program".to_vec()));
    Ok(())
}
