//! Making files without a name (`memfd_create`): what they are called where a name is shown, and that they are otherwise files like
//! any other, of whoever has them open or mapped.

use conformance::prelude::*;
use conformance::sys::fd::size::pages_of;
use conformance::sys::memory::memfd::{EXEC, MemoryFlags, NOEXEC_SEAL, memfd_create, memfd_create_at_the_edge};
use conformance::sys::path::open::reopen;
use conformance::sys::path::status::permissions;
use conformance::sys::socket::{recvmsg, sendmsg, socketpair};
use nix::sys::socket::{MsgFlags, SockType};
use nix::sys::stat::SFlag;
use nix::unistd::{AccessFlags, Whence, access, geteuid};
use rstest::rstest;

use common::memory_file::{content, holding, offset, sealable, size, with_flags};

const PLAIN: MemoryFlags = MemoryFlags::empty();

/// The file's name as `/proc` shows it.
fn shown(file: &OwnedFd) -> Result<Vec<u8>, Errno> {
    use std::os::unix::ffi::OsStringExt;
    Ok(std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?.into_os_string().into_vec())
}

/// A new file is a regular file of the caller without names, bytes and blocks, open for both ways at position 0, and always ready.
#[conformance::test(man = "memfd_create(2)")]
fn starts_empty_and_open_for_both_ways() -> Outcome {
    let file = sealable()?;
    let status = fstat(&file)?;
    expect_eq!(SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT, SFlag::S_IFREG);
    expect_eq!((status.st_size, status.st_nlink, status.st_blocks, status.st_uid), (0, 0, 0, geteuid().as_raw()));
    expect_eq!(status_flags(&file)? & (OFlag::O_ACCMODE | OFlag::O_APPEND | OFlag::O_NONBLOCK), OFlag::O_RDWR);
    expect_eq!(lseek(&file, 0, Whence::SeekCur), Ok(0));
    expect_eq!(ready(&file, PollFlags::POLLIN | PollFlags::POLLOUT)?, PollFlags::POLLIN | PollFlags::POLLOUT);
    expect_eq!((read(&file, &mut [0; 1]), write(&file, b"abc"), read(&file, &mut [0; 1])), (Ok(0), Ok(3), Ok(0)));
    expect_eq!((content(&file), lseek(&file, 0, Whence::SeekCur)), (Ok(b"abc".to_vec()), Ok(3)));
    Ok(())
}

/// Any bytes will do as a name, none too, and they are shown behind `memfd:`; a file without a name in a directory counts as deleted.
#[rstest]
#[case::empty(b"")]
#[case::one_letter(b"x")]
#[case::two_words(b"two words")]
#[case::slashes(b"/a/../b")]
#[case::not_utf_8(b"\xff\xfe")]
#[case::longest(&[b'n'; 249])]
#[conformance::test(man = "memfd_create(2)", needs(procfs))]
fn shows_its_name(#[case] name: &[u8]) -> Outcome {
    sealable()?;
    let file = memfd_create(name, PLAIN);
    expect_matches!(file, Ok(_));
    let text = [b"/memfd:", name, b" (deleted)"].concat();
    expect_eq!(shown(&file?), Ok(text));
    Ok(())
}

/// A name of 250 bytes or more is refused, and no descriptor is lost by it.
#[rstest]
#[case::one_too_many(250)]
#[case::a_full_component(255)]
#[case::more_than_a_page(5000)]
#[conformance::test(man = "memfd_create(2)")]
fn has_no_longer_name(#[case] length: usize) -> Outcome {
    sealable()?;
    let before = open_descriptors();
    expect_eq!(memfd_create(&vec![b'n'; length], PLAIN).map(drop), Err(EINVAL));
    expect_eq!(open_descriptors(), before);
    Ok(())
}

/// A name that cannot be read to its end is a bad address; one whose terminator is the last byte that can be read is not.
#[rstest]
#[case::not_one_byte(0, b'x', Err(EFAULT))]
#[case::no_terminator(10, b'x', Err(EFAULT))]
#[case::longest_without_terminator(249, b'x', Err(EFAULT))]
#[case::empty_at_the_edge(1, 0, Ok(()))]
#[case::longest_at_the_edge(250, 0, Ok(()))]
#[case::too_long_at_the_edge(251, 0, Err(EINVAL))]
#[conformance::test(man = "memfd_create(2)")]
fn needs_a_name_that_can_be_read(#[case] good: usize, #[case] last: u8, #[case] expected: Result<(), Errno>) -> Outcome {
    sealable()?;
    let before = open_descriptors();
    let mut memory = conformance::sys::memory::guarded::Guarded::new()?;
    expect_eq!(memfd_create_at_the_edge(&mut memory, good, last).map(drop), expected);
    expect_eq!(open_descriptors(), before);
    Ok(())
}

/// Flags that nobody has given a meaning are refused one by one, also beside known ones, and so is a huge-page size without
/// huge pages; no descriptor is lost.
#[conformance::test(man = "memfd_create(2)")]
fn refuses_unknown_flags() -> Outcome {
    sealable()?;
    let before = open_descriptors();
    for bit in 12..32 {
        let flag = MemoryFlags::from_bits_retain(1 << bit);
        expect_eq!(memfd_create(b"memory", flag).map(drop), Err(EINVAL), "bit {bit}");
        expect_eq!(memfd_create(b"memory", flag | MemoryFlags::MFD_CLOEXEC).map(drop), Err(EINVAL), "bit {bit}");
    }
    expect_eq!(open_descriptors(), before);
    Ok(())
}

/// A file cannot be asked to be executable and never executable.
#[conformance::test(man = "memfd_create(2)", fixed_in = "Linux 6.3 (105ff5339f49)")]
fn is_executable_or_sealed_against_it() -> Outcome {
    let executable = with_flags(EXEC)?;
    let never = with_flags(NOEXEC_SEAL)?;
    expect_eq!(memfd_create(b"memory", EXEC | NOEXEC_SEAL).map(drop), Err(EINVAL));
    expect_eq!([&executable, &never].map(|file| fstat(file).map(|status| permissions(&status) & 0o111)), [Ok(0o111), Ok(0)]);
    // Not even a privileged process can execute what nobody may.
    let path = format!("/proc/self/fd/{}", never.as_raw_fd());
    expect_eq!(access(path.as_str(), AccessFlags::X_OK).map_err(Errno::from), Err(EACCES));
    Ok(())
}

/// Close-on-exec is set where asked for and nowhere else, and `exec` acts on it.
#[conformance::test(man = "memfd_create(2)")]
fn passes_exec_unless_told_otherwise() -> Outcome {
    let passes = holding(b"passed")?;
    let stays = with_flags(MemoryFlags::MFD_CLOEXEC)?;
    expect_eq!((close_on_exec(&passes), close_on_exec(&stays)), (Ok(false), Ok(true)));
    let numbers = (passes.as_raw_fd(), stays.as_raw_fd());
    let stranger = Participant::exec_inheriting("stranger", &numbers, |(), (passes, stays): (i32, i32), _| {
        let file = dup_number(passes)?;
        pwrite(&file, b"P", 0)?;
        // The number itself may have another meaning by now.
        let other = dup_number(stays).and_then(|file| fstat(&file)).map_or((0, 0), |status| (status.st_dev, status.st_ino));
        Ok::<_, Errno>((content(&file)?, other))
    })?;
    let (bytes, other) = stranger.join()??;
    expect_eq!(bytes, b"Passed".to_vec());
    expect!(other != (fstat(&stays)?.st_dev, fstat(&stays)?.st_ino));
    expect_eq!(content(&passes), Ok(b"Passed".to_vec()));
    Ok(())
}

/// Two files of one name have nothing in common.
#[conformance::test(man = "memfd_create(2)")]
fn is_another_file_each_time() -> Outcome {
    let (first, second) = (holding(b"first")?, holding(b"the second")?);
    let (one, other) = (fstat(&first)?, fstat(&second)?);
    expect!(one.st_ino != other.st_ino);
    expect_eq!(one.st_dev, other.st_dev);
    ftruncate(&first, 2)?;
    expect_eq!((content(&first), content(&second)), (Ok(b"fi".to_vec()), Ok(b"the second".to_vec())));
    Ok(())
}

/// The new descriptor is the lowest that is free; without a free one the call fails, and works again as soon as there is room.
#[conformance::test(man = "memfd_create(2)")]
fn takes_the_lowest_free_number() -> Outcome {
    let held = sealable()?;
    let free = dup(&held)?;
    let lowest = free.as_raw_fd();
    leave_room(&free, 0)?;
    expect_eq!(memfd_create(b"memory", PLAIN).map(drop), Err(EMFILE));
    drop(free);
    let file = memfd_create(b"memory", PLAIN);
    expect_eq!(file.as_ref().map(AsRawFd::as_raw_fd), Ok(lowest));
    expect_eq!(memfd_create(b"memory", PLAIN).map(drop), Err(EMFILE));
    Ok(())
}

/// Children share the file and its position; a mapping shows to either side what the other wrote, by calls or through memory.
#[conformance::test(man = "memfd_create(2)")]
fn is_shared_with_children() -> Outcome {
    let file = holding(&pattern(page_size()))?;
    let mapping = Mapping::new(&file, page_size(), Access::ReadWrite)?;
    let child = Participant::spawn("child", dup(&file)?, |file, _| {
        let seen = read_some(&file, 3);
        mapping.write(10, b"by the child");
        (seen, pwrite(&file, b"!", 22))
    })?;
    expect_eq!(child.join()?, (Ok(pattern(3)), Ok(1)));
    expect_eq!((lseek(&file, 0, Whence::SeekCur), mapping.read(10, 13)), (Ok(3), b"by the child!".to_vec()));
    expect_eq!(content(&file)?[10..23].to_vec(), b"by the child!".to_vec());
    Ok(())
}

/// A file that was sent over a socket is the same open file, and outlives the process that made it, killed after sending.
#[conformance::test(man = "memfd_create(2)", man = "unix(7)")]
fn outlives_its_maker_in_a_message() -> Outcome {
    sealable()?;
    let (receiving, sending) = socketpair(SockType::Stream)?;
    let maker = Participant::spawn("maker", sending, |socket, link| -> () {
        let file = memfd_create(b"sent", MemoryFlags::MFD_ALLOW_SEALING).expect("a file");
        write_all(&file, &pattern(5000)).expect("memory");
        lseek(&file, 17, Whence::SeekSet).expect("a position");
        sendmsg(&socket, b"x", &[file.as_fd()]).expect("a message");
        drop(file);
        link.reached("sent");
        link.park()
    })?;
    maker.until_reached("sent")?;
    maker.kill()?;
    let message = recvmsg(&receiving, 1, 1, MsgFlags::empty())?;
    expect_eq!(message.descriptors.len(), 1);
    let file = &message.descriptors[0];
    expect_eq!((lseek(file, 0, Whence::SeekCur), content(file)), (Ok(17), Ok(pattern(5000))));
    expect_eq!(
        (pwrite(file, b"mine", 0), content(file).map(|bytes| bytes[..6].to_vec())),
        (Ok(4), Ok([b"mine", &pattern(6)[4..]].concat()))
    );
    Ok(())
}

/// A mapping alone keeps the file's bytes, also when whoever made the file has closed it and was killed.
#[conformance::test(man = "memfd_create(2)", man = "mmap(2)")]
fn lives_on_in_a_mapping() -> Outcome {
    let file = holding(&pattern(2 * page_size()))?;
    let mapping = Mapping::new(&file, 2 * page_size(), Access::ReadWrite)?;
    drop(file);
    let child = Participant::spawn("child", (), |(), link| -> () {
        mapping.write(page_size(), b"child");
        link.reached("written");
        link.park()
    })?;
    child.until_reached("written")?;
    child.kill()?;
    let page = page_size();
    expect_eq!(mapping.read(0, 2 * page), [&pattern(page)[..], b"child", &pattern(2 * page)[page + 5..]].concat());
    Ok(())
}

/// Opening the file anew through `/proc` gives an open description of its own, with the access asked for, of the same file.
#[conformance::test(man = "memfd_create(2)", man = "proc(5)", needs(procfs))]
fn can_be_opened_anew() -> Outcome {
    let file = holding(b"0123456789")?;
    lseek(&file, 4, Whence::SeekSet)?;
    let reader = reopen(&file, OFlag::O_RDONLY)?;
    let writer = reopen(&file, OFlag::O_WRONLY | OFlag::O_APPEND)?;
    expect_eq!((fstat(&reader)?.st_ino, lseek(&reader, 0, Whence::SeekCur)), (fstat(&file)?.st_ino, Ok(0)));
    expect_eq!((read_some(&reader, 3), read_some(&file, 2)), (Ok(b"012".to_vec()), Ok(b"45".to_vec())));
    expect_eq!((write(&reader, b"x"), read(&writer, &mut [0; 1])), (Err(EBADF), Err(EBADF)));
    expect_eq!((ftruncate(&reader, 0), write(&writer, b"ab")), (Err(EINVAL), Ok(2)));
    expect_eq!(
        (content(&file), Mapping::new(&reader, 1, Access::ReadWrite).map(drop)),
        (Ok(b"0123456789ab".to_vec()), Err(EACCES))
    );
    drop(reopen(&file, OFlag::O_WRONLY | OFlag::O_TRUNC)?);
    expect_eq!((size(&file), pages_of(&file), read(&file, &mut [0; 1])), (Ok(0), Ok(0), Ok(0)));
    Ok(())
}

/// A write behind the end leaves a hole of zeros that takes up no memory; bytes and blocks are where they were put.
#[conformance::test(man = "memfd_create(2)", posix = "write")]
fn grows_by_what_is_written_behind_its_end() -> Outcome {
    let file = sealable()?;
    let far = 1 << 40;
    expect_eq!(pwrite(&file, b"far", far), Ok(3));
    expect_eq!((size(&file).map(offset), pages_of(&file)), (Ok(far + 3), Ok(1)));
    let mut bytes = [7; 8];
    expect_eq!((pread(&file, &mut bytes, far - 4), &bytes[..]), (Ok(7), &b"\0\0\0\0far\x07"[..]));
    expect_eq!((pread(&file, &mut bytes, 0), bytes, pages_of(&file)), (Ok(8), [0; 8], Ok(1)));
    Ok(())
}

/// The permission bits can be changed, and hold for those who open the file anew.
#[conformance::test(man = "memfd_create(2)", needs(procfs, second_user))]
fn is_opened_by_others_as_its_mode_says() -> Outcome {
    use conformance::sandbox::second_user;
    use conformance::sys::process::identity::become_user;
    let file = holding(b"secret")?;
    let attempts = |mode| -> Result<_, Failure> {
        fchmod(&file, mode)?;
        let other = Participant::spawn("other", dup(&file)?, |file, _| {
            let (user, group) = second_user();
            become_user(user, group).expect("a second user");
            (reopen(&file, OFlag::O_RDONLY).map(drop), reopen(&file, OFlag::O_RDWR).map(drop), write(&file, b"S"))
        })?;
        other.join()
    };
    expect_eq!(attempts(0o600)?, (Err(EACCES), Err(EACCES), Ok(1)));
    expect_eq!(attempts(0o604)?, (Ok(()), Err(EACCES), Ok(1)));
    expect_eq!(attempts(0o606)?, (Ok(()), Ok(()), Ok(1)));
    expect_eq!(content(&file), Ok(b"SSSret".to_vec()));
    Ok(())
}
