//! `memfd_create`: names, flags, the new descriptor, and the lifetime of the memory file in descriptors, mappings, children and
//! messages.

use conformance::prelude::*;
use conformance::sys::fd::size::pages_of;
use conformance::sys::memory::memfd::{EXEC, MemoryFlags, NOEXEC_SEAL, memfd_create, memfd_create_at_the_edge};
use conformance::sys::path::attributes::fchmod;
use conformance::sys::path::open::reopen;
use conformance::sys::path::status::permissions;
use conformance::sys::socket::{recvmsg, sendmsg, socketpair};
use nix::sys::socket::{MsgFlags, SockType};
use nix::sys::stat::SFlag;
use nix::unistd::{AccessFlags, Whence, access, geteuid};
use rstest::rstest;

use common::memory_file::{content, holding, sealable, size, with_flags};

/// No flag.
const PLAIN: MemoryFlags = MemoryFlags::empty();

/// The name of the file in `/proc/self/fd`.
fn shown(file: &OwnedFd) -> Result<Vec<u8>, Errno> {
    use std::os::unix::ffi::OsStringExt;
    Ok(std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?.into_os_string().into_vec())
}

/// `memfd_create` returns a descriptor with `O_RDWR` and file offset 0 of a regular file with size, link count and `st_blocks` 0.
/// `poll` on the descriptor reports `POLLIN` and `POLLOUT`.
#[conformance::test(man = "memfd_create(2)")]
fn creates_an_empty_regular_file() -> Outcome {
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

/// `memfd_create` with a name of 0 to 249 bytes, also with slashes or invalid UTF-8, returns a descriptor. `readlink` on
/// `/proc/self/fd/N` of this descriptor returns `/memfd:`, the name, and ` (deleted)`.
#[rstest]
#[case::empty(b"")]
#[case::one_letter(b"x")]
#[case::two_words(b"two words")]
#[case::slashes(b"/a/../b")]
#[case::invalid_utf_8(b"\xff\xfe")]
#[case::of_249_bytes(&[b'n'; 249])]
#[conformance::test(man = "memfd_create(2)", needs(procfs))]
fn name_is_shown_in_proc(#[case] name: &[u8]) -> Outcome {
    sealable()?;
    let file = memfd_create(name, PLAIN);
    expect_matches!(file, Ok(_));
    let text = [b"/memfd:", name, b" (deleted)"].concat();
    expect_eq!(shown(&file?), Ok(text));
    Ok(())
}

/// `memfd_create` fails with `EINVAL` for a name of 250, 255 or 5000 bytes. The number of open descriptors stays the same.
#[rstest]
#[case::of_250_bytes(250)]
#[case::of_255_bytes(255)]
#[case::of_5000_bytes(5000)]
#[conformance::test(man = "memfd_create(2)")]
fn rejects_names_of_250_bytes(#[case] length: usize) -> Outcome {
    sealable()?;
    let before = open_descriptors();
    expect_eq!(memfd_create(&vec![b'n'; length], PLAIN).map(drop), Err(EINVAL));
    expect_eq!(open_descriptors(), before);
    Ok(())
}

/// `memfd_create` fails with `EFAULT` if memory after the last accessible byte of the name has to be read because no null byte
/// comes before. If the null byte is the last accessible byte, `memfd_create` returns a descriptor for a name of 0 or 249 bytes,
/// and fails with `EINVAL` for 250 bytes.
#[rstest]
#[case::inaccessible(0, b'x', Err(EFAULT))]
#[case::unterminated_at_page_end(10, b'x', Err(EFAULT))]
#[case::unterminated_249_bytes_at_page_end(249, b'x', Err(EFAULT))]
#[case::empty_at_page_end(1, 0, Ok(()))]
#[case::of_249_bytes_at_page_end(250, 0, Ok(()))]
#[case::of_250_bytes_at_page_end(251, 0, Err(EINVAL))]
#[conformance::test(man = "memfd_create(2)")]
fn rejects_inaccessible_names(#[case] good: usize, #[case] last: u8, #[case] expected: Result<(), Errno>) -> Outcome {
    sealable()?;
    let before = open_descriptors();
    let mut memory = conformance::sys::memory::guarded::Guarded::new()?;
    expect_eq!(memfd_create_at_the_edge(&mut memory, good, last).map(drop), expected);
    expect_eq!(open_descriptors(), before);
    Ok(())
}

/// `memfd_create` fails with `EINVAL` for each of the flag bits 12 to 31, alone and with `MFD_CLOEXEC`. The number of open
/// descriptors stays the same.
#[conformance::test(man = "memfd_create(2)")]
fn rejects_unknown_flags() -> Outcome {
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

/// `fstat` shows the execute bits 0111 on a file from `memfd_create` with `MFD_EXEC`, and no execute bit with `MFD_NOEXEC_SEAL`;
/// with both flags `memfd_create` fails with `EINVAL`. `access` with `X_OK` on `/proc/self/fd/N` of a file without execute bits
/// fails with `EACCES`.
#[conformance::test(man = "memfd_create(2)", fixed_in = "Linux 6.3 (105ff5339f49)")]
fn mfd_exec_excludes_noexec_seal() -> Outcome {
    let executable = with_flags(EXEC)?;
    let never = with_flags(NOEXEC_SEAL)?;
    expect_eq!(memfd_create(b"memory", EXEC | NOEXEC_SEAL).map(drop), Err(EINVAL));
    expect_eq!([&executable, &never].map(|file| fstat(file).map(|status| permissions(&status) & 0o111)), [Ok(0o111), Ok(0)]);
    // A privileged process needs an execute bit too.
    let path = format!("/proc/self/fd/{}", never.as_raw_fd());
    expect_eq!(access(path.as_str(), AccessFlags::X_OK).map_err(Errno::from), Err(EACCES));
    Ok(())
}

/// `fcntl(F_GETFD)` returns `FD_CLOEXEC` on a descriptor from `memfd_create` with `MFD_CLOEXEC`, and not without this flag. After
/// `exec`, the descriptor without `FD_CLOEXEC` shows the bytes of its file, and the number of the one with `FD_CLOEXEC` is closed
/// or refers to another file.
#[conformance::test(man = "memfd_create(2)")]
fn close_on_exec_only_with_mfd_cloexec() -> Outcome {
    let passes = holding(b"passed")?;
    let stays = with_flags(MemoryFlags::MFD_CLOEXEC)?;
    expect_eq!((close_on_exec(&passes), close_on_exec(&stays)), (Ok(false), Ok(true)));
    let numbers = (passes.as_raw_fd(), stays.as_raw_fd());
    let program = Participant::exec_inheriting("new program", &numbers, |(), (passes, stays): (i32, i32), _| {
        let file = dup_number(passes)?;
        pwrite(&file, b"P", 0)?;
        // The descriptor number may have been reused.
        let other = dup_number(stays).and_then(|file| fstat(&file)).map_or((0, 0), |status| (status.st_dev, status.st_ino));
        Ok::<_, Errno>((content(&file)?, other))
    })?;
    let (bytes, other) = program.join()??;
    expect_eq!(bytes, b"Passed".to_vec());
    expect!(other != (fstat(&stays)?.st_dev, fstat(&stays)?.st_ino), "the program has the file with close-on-exec, {other:?}");
    expect_eq!(content(&passes), Ok(b"Passed".to_vec()));
    Ok(())
}

/// Two `memfd_create` calls with the same name create two files with different `st_ino`. `ftruncate` of one file leaves the bytes
/// of the other as they were.
#[conformance::test(man = "memfd_create(2)")]
fn each_call_creates_a_file() -> Outcome {
    let (first, second) = (holding(b"first")?, holding(b"the second")?);
    let (one, other) = (fstat(&first)?, fstat(&second)?);
    expect!(one.st_ino != other.st_ino, "both files have st_ino {}", one.st_ino);
    expect_eq!(one.st_dev, other.st_dev);
    ftruncate(&first, 2)?;
    expect_eq!((content(&first), content(&second)), (Ok(b"fi".to_vec()), Ok(b"the second".to_vec())));
    Ok(())
}

/// `memfd_create` returns the lowest free descriptor number, and fails with `EMFILE` if the process has reached its descriptor
/// limit. After one `close` at the limit, `memfd_create` returns the closed number.
#[conformance::test(man = "memfd_create(2)")]
fn takes_the_lowest_free_descriptor() -> Outcome {
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

/// A child created by `fork` shares the file offset of a memory file with its parent, so that `read` in the child moves the
/// offset that `lseek` returns in the parent. Bytes that the child stores through a `MAP_SHARED` mapping or writes with `pwrite`
/// are read by the parent.
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

/// If a process sends a memory file with `SCM_RIGHTS` over a UNIX socket and is killed, `recvmsg` returns a descriptor of the
/// file with the same bytes and the same file offset. `pwrite` on this descriptor returns its count and changes the file.
#[conformance::test(man = "memfd_create(2)", man = "unix(7)")]
fn survives_its_creator_in_a_message() -> Outcome {
    sealable()?;
    let (receiving, sending) = socketpair(SockType::Stream)?;
    let creator = Participant::spawn("creator", sending, |socket, link| -> () {
        let file = memfd_create(b"sent", MemoryFlags::MFD_ALLOW_SEALING).expect("a file");
        write_all(&file, &pattern(5000)).expect("memory");
        lseek(&file, 17, Whence::SeekSet).expect("a position");
        sendmsg(&socket, b"x", &[file.as_fd()]).expect("a message");
        drop(file);
        link.reached("sent");
        link.park()
    })?;
    creator.until_reached("sent")?;
    creator.kill()?;
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

/// After `close` of the last descriptor of a memory file, a `MAP_SHARED` mapping still shows its bytes. A store by a child
/// through the inherited mapping is read by the parent after the child is killed.
#[conformance::test(man = "memfd_create(2)", man = "mmap(2)")]
fn survives_in_a_mapping() -> Outcome {
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

/// `open` of `/proc/self/fd/N` of a memory file creates an open file description with file offset 0 and the requested access
/// mode. `open` of this path with `O_TRUNC` sets size and `st_blocks` of the file to 0.
#[conformance::test(man = "memfd_create(2)", man = "proc(5)", needs(procfs))]
fn proc_open_creates_a_description() -> Outcome {
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

/// `pwrite` of 3 bytes at offset 2^40 of an empty memory file sets the size to 2^40 + 3 and allocates one page. The bytes before
/// the written bytes read as 0, and reading them leaves `st_blocks` as it was.
#[conformance::test(man = "memfd_create(2)", man = "write(2)", man = "tmpfs(5)")]
fn write_beyond_the_end_leaves_a_hole() -> Outcome {
    let file = sealable()?;
    let far = 1 << 40;
    expect_eq!(pwrite(&file, b"far", far), Ok(3));
    expect_eq!((size(&file).map(offset), pages_of(&file)), (Ok(far + 3), Ok(1)));
    let mut bytes = [7; 8];
    expect_eq!((pread(&file, &mut bytes, far - 4), &bytes[..]), (Ok(7), &b"\0\0\0\0far\x07"[..]));
    expect_eq!((pread(&file, &mut bytes, 0), bytes, pages_of(&file)), (Ok(8), [0; 8], Ok(1)));
    Ok(())
}

/// `open` of `/proc/self/fd/N` of a memory file by an unprivileged user who is not the owner fails with `EACCES` unless the
/// permission bits for others, set with `fchmod`, allow the requested access. `write` by this user through an inherited
/// descriptor returns its count.
#[conformance::test(man = "memfd_create(2)", needs(procfs, second_user))]
fn permission_bits_apply_to_proc_open() -> Outcome {
    use conformance::sandbox::second_user;
    use conformance::sys::process::identity::become_user;
    let file = holding(b"secret")?;
    let attempts = |mode| -> Result<_, Failure> {
        fchmod(&file, mode)?;
        let other = Participant::spawn("second user", dup(&file)?, |file, _| {
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
