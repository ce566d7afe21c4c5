//! File operations on descriptors from `shm_open` (Linux, where a shared memory object is a file of a tmpfs): `read`, `write`,
//! `lseek`, `poll`, `flock`, `fsync`, `sendfile` and `splice`. POSIX leaves `read`, `write` and `lseek` on a shared memory object
//! unspecified; on Linux the manual pages of regular files apply.

use std::io::{IoSlice, IoSliceMut};

use conformance::prelude::*;
use conformance::sys::fd::lock::flock_now;
use conformance::sys::fd::size::{fsync, ftruncate};
use conformance::sys::memory::region::Region;
use conformance::sys::memory::shm::{SharedMemory, shm_open};
use nix::sys::resource::Resource;
use nix::unistd::Whence;
use rstest::rstest;

use super::fixture::{R, RW, SHARED, contents, page_of, pages, size_of_object, sized};

/// The file offset.
fn position(of: impl AsFd) -> Result<i64, Errno> {
    lseek(of, 0, Whence::SeekCur)
}

/// An open object of `size` bytes, with the file offset `at`.
fn object_at_offset(size: usize, at: usize) -> Result<SharedMemory, Errno> {
    let object = sized(size)?;
    lseek(&object, offset(at), Whence::SeekSet)?;
    Ok(object)
}

/// `read` on a shared memory object returns the smaller of the requested number of bytes and the number of bytes from the file
/// offset to the end, and advances the file offset by the returned count. With the file offset at or beyond the end, `read`
/// returns 0.
#[conformance::test(man = "read(2)", man = "tmpfs(5)")]
fn read_stops_at_the_end() -> Outcome {
    let page = page_size();
    let object = object_at_offset(page + 100, page - 10)?;
    expect_eq!(read_some(&object, 20), Ok(pattern(page + 10)[page - 10..].to_vec()));
    expect_eq!(
        (read_some(&object, page), position(&object)),
        (Ok(pattern(page + 100)[page + 10..].to_vec()), Ok(offset(page + 100)))
    );
    expect_eq!((read_some(&object, 1), position(&object)), (Ok(vec![]), Ok(offset(page + 100))));
    lseek(&object, offset(5 * page), Whence::SeekSet)?;
    expect_eq!((read_some(&object, 1), position(&object)), (Ok(vec![]), Ok(offset(5 * page))));
    Ok(())
}

/// `pread` and `pwrite` on a shared memory object leave the file offset as it was, and `pread` at or beyond the end returns 0.
/// With a negative offset `pread` and `pwrite` fail with `EINVAL`.
#[conformance::test(man = "pread(2)")]
fn pread_and_pwrite_keep_the_file_offset() -> Outcome {
    let object = object_at_offset(100, 7)?;
    let mut buffer = [0; 9];
    expect_eq!((pread(&object, &mut buffer, 95), &buffer[..5]), (Ok(5), &pattern(100)[95..]));
    expect_eq!((pread(&object, &mut buffer, 100), pread(&object, &mut buffer, 1 << 62)), (Ok(0), Ok(0)));
    expect_eq!((pread(&object, &mut buffer, -1), pwrite(&object, b"x", -1)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!((pwrite(&object, b"in place", 50), position(&object)), (Ok(8), Ok(7)));
    expect_eq!(contents(&object), Ok([&pattern(50)[..], b"in place", &pattern(100)[58..]].concat()));
    Ok(())
}

/// `write` and `pwrite` that end beyond the end of a shared memory object set its size to the end of the written bytes. The bytes
/// between the old end and the written bytes are 0, also in existing mappings.
#[conformance::test(man = "write(2)", man = "tmpfs(5)")]
fn write_beyond_the_end_enlarges() -> Outcome {
    let page = page_size();
    let object = object_at_offset(100, 100)?;
    let mapping = object.map(3 * page, Access::Read)?;
    expect_eq!((write(&object, b"appended"), object.size(), position(&object)), (Ok(8), Ok(108), Ok(108)));
    expect_eq!((pwrite(&object, b"far", offset(2 * page + 5)), object.size()), (Ok(3), Ok(2 * page + 8)));
    let expected = [&pattern(100)[..], b"appended", &vec![0; 2 * page + 5 - 108], b"far"].concat();
    expect_eq!((mapping.read(0, 2 * page + 8), contents(&object)), (expected.clone(), Ok(expected)));
    Ok(())
}

/// `write` and `pwrite` of 0 bytes beyond the end of a shared memory object return 0. Size and file offset stay as they were.
#[conformance::test(man = "write(2)")]
fn write_of_zero_bytes_keeps_the_size() -> Outcome {
    let object = object_at_offset(10, 500)?;
    expect_eq!((write(&object, b""), pwrite(&object, b"", 9000)), (Ok(0), Ok(0)));
    expect_eq!((object.size(), position(&object)), (Ok(10), Ok(500)));
    Ok(())
}

/// `read` from pages of a shared memory object that were never written returns zeros and leaves `st_blocks` as it was.
#[conformance::test(man = "read(2)", man = "tmpfs(5)")]
fn reading_holes_allocates_no_pages() -> Outcome {
    let object = SharedMemory::create(&unique_name("hole"))?;
    object.set_size(3 * page_size())?;
    pwrite(&object, b"x", offset(2 * page_size()))?;
    let before = fstat(&object)?.st_blocks;
    let expected = [page_of(0), page_of(0), [b"x", &page_of(0)[1..]].concat()].concat();
    expect_eq!((read_to_end(&object), fstat(&object)?.st_blocks), (Ok(expected), before));
    Ok(())
}

/// For random offsets and lengths, `pread` on a shared memory object returns the number of bytes of the range that lie before the
/// end of the object, and these bytes, which are 0 where no byte was written. `splice` of the same range into an empty pipe moves
/// the first n of these bytes, returns n and advances the given offset by n, where n is at least 1, or 0 if the range lies beyond
/// the end.
#[conformance::test(man = "pread(2)", man = "tmpfs(5)", man = "splice(2)")]
fn pread_and_splice_return_any_range() -> Outcome {
    let page = page_size();
    let object = SharedMemory::create(&unique_name("sparse"))?;
    let mut expected = vec![0; 4 * page + 77];
    expected[page - 9..page + 9].fill(b'a');
    expected[3 * page..3 * page + 500].fill(b'b');
    object.set_size(expected.len())?;
    pwrite(&object, &[b'a'; 18], offset(page - 9))?;
    pwrite(&object, &[b'b'; 500], offset(3 * page))?;
    let (reader, writer) = pipe()?;
    property(&(0..5 * page, 1..3 * page), |(at, length)| {
        let there = &expected[at.min(expected.len())..(at + length).min(expected.len())];
        let mut buffer = vec![b'?'; length];
        let count = pread(&object, &mut buffer, offset(at));
        expect_eq!((count, &buffer[..there.len()]), (Ok(there.len()), there));
        expect_eq!(buffer[there.len()..].to_vec(), vec![b'?'; length - there.len()]);
        let mut from = offset(at);
        let sent = splice_at((&object, Some(&mut from)), (&writer, None), length, SpliceFlags::empty())?;
        expect!(sent <= there.len() && (sent > 0 || there.is_empty()), "{sent} of {} bytes were sent", there.len());
        expect_eq!((from, read_exactly(&reader, sent)), (offset(at + sent), Ok(there[..sent].to_vec())));
        Ok(())
    })
}

/// On a shared memory object opened with `O_RDONLY`, `write` and `pwrite` fail with `EBADF`; opened with `O_WRONLY`, `read` and
/// `pread` fail with `EBADF`. Bytes and file offsets stay as they were.
#[conformance::test(man = "read(2)", man = "write(2)")]
fn access_mode_is_enforced() -> Outcome {
    let object = pages(1)?;
    let (reader, writer) = (shm_open(object.name(), OFlag::O_RDONLY, 0)?, shm_open(object.name(), OFlag::O_WRONLY, 0)?);
    expect_eq!((write(&reader, b"x"), pwrite(&reader, b"x", 0)), (Err(EBADF), Err(EBADF)));
    expect_eq!((read_some(&writer, 1), pread(&writer, &mut [0; 1], 0)), (Err(EBADF), Err(EBADF)));
    expect_eq!((position(&reader), position(&writer), contents(&object)), (Ok(0), Ok(0), Ok(pattern(page_size()))));
    Ok(())
}

/// `lseek` on a shared memory object with `SEEK_SET`, `SEEK_CUR` or `SEEK_END` returns the new file offset, which may lie beyond
/// the end. If the new file offset would be negative, `lseek` fails with `EINVAL` and leaves the file offset as it was.
#[conformance::test(man = "lseek(2)")]
fn lseek_moves_the_offset() -> Outcome {
    let object = object_at_offset(100, 40)?;
    expect_eq!((lseek(&object, -15, Whence::SeekCur), lseek(&object, -1, Whence::SeekEnd)), (Ok(25), Ok(99)));
    expect_eq!((lseek(&object, 900, Whence::SeekEnd), object.size()), (Ok(1000), Ok(100)));
    expect_eq!((lseek(&object, -1, Whence::SeekSet), lseek(&object, -1001, Whence::SeekCur)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!(position(&object), Ok(1000));
    Ok(())
}

/// Each `shm_open` creates an open file description with its own file offset. A descriptor from `dup`, and the copy in a child
/// after `fork`, share the file offset with the original descriptor.
#[conformance::test(man = "shm_open(3)", man = "dup(2)", man = "fork(2)")]
fn each_shm_open_has_its_own_offset() -> Outcome {
    let object = object_at_offset(100, 10)?;
    let (copy, other) = (dup(&object)?, shm_open(object.name(), OFlag::O_RDWR, 0)?);
    let child = Participant::spawn("child", dup(&object)?, |inherited, _| read_some(&inherited, 20).map(|bytes| bytes.len()))?;
    expect_eq!(child.join()?, Ok(20));
    expect_eq!((position(&object), position(&copy), position(&other)), (Ok(30), Ok(30), Ok(0)));
    Ok(())
}

/// After `O_APPEND` is set with `fcntl(F_SETFL)`, `write` on a shared memory object appends at its current end, also after
/// `ftruncate` to a greater size through another descriptor. After the `write`, the file offset is the new end.
#[conformance::test(man = "write(2)", man = "open(2)")]
fn append_mode_writes_at_the_end() -> Outcome {
    let object = object_at_offset(10, 3)?;
    let other = shm_open(object.name(), OFlag::O_RDWR, 0)?;
    set_status_flags(&object, OFlag::O_APPEND)?;
    expect_eq!((write(&object, b"one"), position(&object)), (Ok(3), Ok(13)));
    ftruncate(&other, 20)?;
    expect_eq!((write(&object, b"two"), position(&object)), (Ok(3), Ok(23)));
    expect_eq!(contents(&object), Ok([&pattern(10)[..], b"one", &[0; 7], b"two"].concat()));
    Ok(())
}

/// `writev` on a shared memory object writes the bytes of all buffers in order and returns the sum of their lengths. `readv`
/// fills its buffers in order with the same bytes, also across page boundaries.
#[conformance::test(man = "readv(2)")]
fn readv_and_writev_use_all_buffers() -> Outcome {
    let page = page_size();
    let object = object_at_offset(3 * page, page - 3)?;
    expect_eq!(writev(&object, &[IoSlice::new(b"abcde"), IoSlice::new(b""), IoSlice::new(&page_of(b'f'))]), Ok(page + 5));
    lseek(&object, offset(page - 4), Whence::SeekSet)?;
    let (mut first, mut second) = (vec![0; 4], vec![0; page + 4]);
    expect_eq!(readv(&object, &mut [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)]), Ok(page + 8));
    let whole = pattern(3 * page);
    expect_eq!(
        [first, second].concat(),
        [&whole[page - 4..page - 3], b"abcde", &page_of(b'f'), &whole[2 * page + 2..2 * page + 4]].concat()
    );
    Ok(())
}

/// `write` to, and `read` from, a shared memory object, with a buffer in a fresh mapping of the same object whose pages were
/// never accessed, return the full count and copy the bytes.
#[conformance::test(man = "write(2)", man = "read(2)")]
fn accepts_buffers_mapped_from_the_same_object() -> Outcome {
    let page = page_size();
    let object = pages(3)?;
    let fresh = || Region::map(&object, 3 * page, RW, SHARED, 0);
    expect_eq!((fresh()?.write_out(0, page, &object), contents(&object)), (Ok(page), Ok(pattern(3 * page))));
    expect_eq!(fresh()?.write_out(0, page, &object), Ok(page));
    let whole = pattern(3 * page);
    expect_eq!(contents(&object), Ok([&whole[..page], &whole[..page], &whole[2 * page..]].concat()));
    expect_eq!(fresh()?.read_in(0, page, &object), Ok(page));
    expect_eq!(contents(&object), Ok([&whole[2 * page..], &whole[..page], &whole[2 * page..]].concat()));
    Ok(())
}

/// `write` of n + 50 bytes to a shared memory object from a buffer of which only the first n bytes (n is 5 or 100) are accessible
/// returns at most n, or fails with `EFAULT`. The bytes of the object and the file offset change by exactly the returned count.
#[rstest]
#[case::within_a_page(5)]
#[case::at_the_end_of_a_page(100)]
#[conformance::test(man = "write(2)")]
fn write_stops_at_an_invalid_page(#[case] good: usize) -> Outcome {
    let page = page_size();
    let object = object_at_offset(3 * page, page - 100)?;
    let mut memory = Guarded::new()?;
    memory.bytes().fill(b'g');
    let count = memory.write_across(&object, good, 50);
    expect_matches!(count, Ok(_) | Err(EFAULT));
    let moved = count.unwrap_or(0);
    expect!(moved <= good, "{moved} bytes were written, and {good} are accessible");
    let mut expected = pattern(3 * page);
    expected[page - 100..][..moved].fill(b'g');
    expect_eq!((contents(&object), position(&object)), (Ok(expected), Ok(offset(page - 100 + moved))));
    Ok(())
}

/// `write` from an invalid pointer to a shared memory object without allocated pages fails with `EFAULT`, with a file offset at
/// or beyond the end. File offset, `st_size` and `st_blocks` stay as they were.
#[rstest]
#[case::empty_object(0, 0)]
#[case::beyond_the_end(100, 200)]
#[case::far_beyond_the_end(100, 1 << 20)]
#[conformance::test(man = "write(2)")]
fn failed_write_changes_nothing(#[case] size: usize, #[case] at: usize) -> Outcome {
    let object = SharedMemory::create(&unique_name("bad"))?;
    object.set_size(size)?;
    lseek(&object, offset(at), Whence::SeekSet)?;
    let memory = Guarded::new()?;
    expect_eq!((memory.write_across(&object, 0, 10), position(&object)), (Err(EFAULT), Ok(offset(at))));
    let status = fstat(&object)?;
    expect_eq!((status.st_size, status.st_blocks), (offset(size), 0));
    Ok(())
}

/// `read` of 10 bytes into an invalid pointer fails with `EFAULT` and leaves the file offset of the shared memory object as it
/// was. The next `read` into a valid buffer returns the bytes from this offset on.
#[conformance::test(man = "read(2)")]
fn failed_read_keeps_the_offset() -> Outcome {
    let object = object_at_offset(100, 0)?;
    let mut memory = Guarded::new()?;
    expect_eq!((memory.read_across(&object, 0, 10), position(&object)), (Err(EFAULT), Ok(0)));
    expect_eq!(read_some(&object, 10), Ok(pattern(10)));
    Ok(())
}

/// `write` that begins below `RLIMIT_FSIZE` and ends beyond it writes the bytes up to the limit and returns their number, without
/// a signal. The next `write`, at the limit, fails with `EFBIG` and raises one `SIGXFSZ`.
#[conformance::test(man = "write(2)", man = "getrlimit(2)")]
fn write_stops_at_the_file_size_limit() -> Outcome {
    let object = object_at_offset(10, 10)?;
    signal::catch(Signal::SIGXFSZ, Restart::Yes)?;
    super::fixture::limit(Resource::RLIMIT_FSIZE, 15)?;
    expect_eq!((write(&object, b"0123456789"), signal::caught(Signal::SIGXFSZ)), (Ok(5), 0));
    expect_eq!((write(&object, b"x"), signal::caught(Signal::SIGXFSZ)), (Err(EFBIG), 1));
    expect_eq!((contents(&object), position(&object)), (Ok([&pattern(10)[..], b"01234"].concat()), Ok(15)));
    expect_eq!((pwrite(&object, b"within", 9), signal::caught(Signal::SIGXFSZ)), (Ok(6), 1));
    Ok(())
}

/// `read` on a shared memory object by an unrelated process returns the bytes that were stored through a `MAP_SHARED` mapping
/// before. Bytes that the unrelated process writes with `pwrite` are read through the mapping afterwards.
#[conformance::test(man = "mmap(2)", man = "tmpfs(5)")]
fn read_and_write_agree_with_mappings() -> Outcome {
    let object = pages(1)?;
    let mapping = object.map(page_size(), Access::ReadWrite)?;
    mapping.write(0, b"mapped");
    let name = object.name().to_owned();
    let unrelated = Participant::exec("unrelated process", (), &name, |(), name: String, _| {
        let object = SharedMemory::open(&name, Access::ReadWrite)?;
        Ok::<_, Errno>((read_some(&object, 6)?, pwrite(&object, b"written", 20)))
    })?;
    expect_eq!((unrelated.join()?, mapping.read(20, 7)), (Ok((b"mapped".to_vec(), Ok(7))), b"written".to_vec()));
    Ok(())
}

/// `poll` on a shared memory object reports both `POLLIN` and `POLLOUT`, with size 0 and with the size of a page. `select`
/// reports the descriptor as readable and writable.
#[conformance::test(man = "poll(2)", man = "select(2)", level = customary)]
fn poll_and_select_report_ready() -> Outcome {
    let object = SharedMemory::create(&unique_name("ready"))?;
    let reader = shm_open(object.name(), OFlag::O_RDONLY, 0)?;
    let both = PollFlags::POLLIN | PollFlags::POLLOUT;
    for size in [0, page_size()] {
        object.set_size(size)?;
        expect_eq!((ready(&object, both), ready(&reader, PollFlags::POLLIN)), (Ok(both), Ok(PollFlags::POLLIN)));
        expect_matches!(selected(&object), Ok((true, true, _)));
    }
    Ok(())
}

/// `epoll_ctl` with `EPOLL_CTL_ADD` on a shared memory object fails with `EPERM`.
#[conformance::test(man = "epoll_ctl(2)")]
fn epoll_ctl_fails_with_eperm() -> Outcome {
    let (object, list) = (pages(1)?, epoll()?);
    expect_eq!(epoll_add(&list, &object, EpollFlags::EPOLLIN, 0), Err(EPERM));
    Ok(())
}

/// While a process holds a `flock` lock with `LOCK_EX` on a shared memory object, `flock` with `LOCK_EX | LOCK_NB` through
/// another open file description fails with `EAGAIN`. After the process that holds the lock is killed, the same `flock`
/// returns 0.
#[conformance::test(man = "flock(2)")]
fn flock_is_released_when_the_owner_is_killed() -> Outcome {
    let object = pages(1)?;
    let owner = Participant::spawn("owner", (), |(), link| -> () {
        let own = shm_open(object.name(), OFlag::O_RDWR, 0).expect("the object by its name");
        flock_now(&own).expect("the first lock");
        link.reached("locked");
        link.park()
    })?;
    owner.until_reached("locked")?;
    expect_eq!(flock_now(&object), Err(EAGAIN));
    owner.kill()?;
    expect_eq!(flock_now(&object), Ok(()));
    Ok(())
}

/// `fsync` and `fdatasync` on a shared memory object return 0. The bytes of the object stay as they were.
#[conformance::test(man = "fsync(2)", level = customary)]
fn fsync_and_fdatasync_succeed() -> Outcome {
    let object = pages(1)?;
    expect_eq!((fsync(&object), fdatasync(&object), contents(&object)), (Ok(()), Ok(()), Ok(pattern(page_size()))));
    Ok(())
}

/// `sendfile` of 100 bytes into an empty pipe, from a given offset 15 bytes before the end of a shared memory object, returns 15
/// and advances the given offset to the end, and a second `sendfile` returns 0. `splice` of 20 bytes into the empty pipe, from a
/// given offset 3 inside the object, returns 20 and advances the given offset to 23. `read` from the pipe returns the bytes of
/// the object from the first given offset on.
#[conformance::test(man = "sendfile(2)", man = "splice(2)")]
fn sendfile_and_splice_advance_the_given_offset() -> Outcome {
    let page = page_size();
    let object = sized(page + 10)?;
    let (reader, writer) = pipe()?;
    let mut at = offset(page) - 5;
    expect_eq!((sendfile(&writer, &object, Some(&mut at), 100), at), (Ok(15), offset(page + 10)));
    expect_eq!((read_some(&reader, 100), position(&object)), (Ok(pattern(page + 10)[page - 5..].to_vec()), Ok(0)));
    expect_eq!((sendfile(&writer, &object, Some(&mut at), 100), unread(&reader)), (Ok(0), Ok(0)));
    let mut from = 3;
    expect_eq!(splice_at((&object, Some(&mut from)), (&writer, None), 20, SpliceFlags::empty()), Ok(20));
    expect_eq!((from, read_some(&reader, 100)), (23, Ok(pattern(23)[3..].to_vec())));
    Ok(())
}

/// `splice` of 10 bytes from a page of a shared memory object that was never written into an empty pipe returns 10, and `read`
/// from the pipe returns bytes of value 0. A `write` to the pipe between the two calls leaves the bytes of the object 0.
#[conformance::test(man = "splice(2)")]
fn splice_of_a_hole_moves_zeros() -> Outcome {
    let object = SharedMemory::create(&unique_name("hole"))?;
    object.set_size(page_size())?;
    let (reader, writer) = pipe()?;
    let mut at = 100;
    expect_eq!(splice_at((&object, Some(&mut at)), (&writer, None), 10, SpliceFlags::empty()), Ok(10));
    write_all(&writer, b"after")?;
    expect_eq!(read_some(&reader, 100), Ok([&[0; 10][..], b"after"].concat()));
    expect_eq!((contents(&object), object.map(page_size(), Access::Read)?.read(0, 200)), (Ok(page_of(0)), vec![0; 200]));
    Ok(())
}

/// `splice` of 100 bytes from a pipe with 13 unread bytes, to the given offset 15 of a shared memory object of 20 bytes, returns
/// 13 and advances the given offset to 28. `fstat` then returns `st_size` 28, and an existing mapping shows the 13 bytes from
/// byte 15 on.
#[conformance::test(man = "splice(2)")]
fn splice_from_a_pipe_enlarges() -> Outcome {
    let object = sized(20)?;
    let mapping = Region::map(&object, page_size(), R, SHARED, 0)?;
    let (reader, writer) = pipe()?;
    write_all(&writer, b"from the pipe")?;
    let mut at = 15;
    expect_eq!(splice_at((&reader, None), (&object, Some(&mut at)), 100, SpliceFlags::empty()), Ok(13));
    expect_eq!((at, size_of_object(&object)), (28, Ok(28)));
    expect_eq!(mapping.read(0, 28), [&pattern(15)[..], b"from the pipe"].concat());
    Ok(())
}
