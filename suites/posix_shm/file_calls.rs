//! An object as a file, which it is where objects live in a file system of memory: offsets, reads and writes, and readiness.

use std::io::{IoSlice, IoSliceMut};

use conformance::prelude::*;
use conformance::sys::fd::lock::flock_now;
use conformance::sys::fd::size::{fsync, ftruncate};
use conformance::sys::memory::region::Region;
use conformance::sys::memory::shm::{SharedMemory, shm_open};
use nix::sys::resource::Resource;
use nix::unistd::Whence;
use rstest::rstest;

use super::fixture::{R, RW, SHARED, contents, offset, page_of, pages, size_of_object, sized};

/// Where a descriptor stands.
fn position(of: impl AsFd) -> Result<i64, Errno> {
    lseek(of, 0, Whence::SeekCur)
}

/// An object of `before` bytes, opened, standing at that offset.
fn standing_at(size: usize, at: usize) -> Result<SharedMemory, Errno> {
    let object = sized(size)?;
    lseek(&object, offset(at), Whence::SeekSet)?;
    Ok(object)
}

/// A read gives the bytes from the offset on, as many as there are, and moves on by them; at the end and beyond it gives nothing.
#[conformance::test(posix = "read", man = "tmpfs(5)")]
fn read_up_to_the_end() -> Outcome {
    let page = page_size();
    let object = standing_at(page + 100, page - 10)?;
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

/// Calls with an offset of their own leave the descriptor's alone; far beyond the end they read nothing, and none is negative.
#[conformance::test(posix = "pread", man = "pread(2)")]
fn with_an_offset_leave_the_other() -> Outcome {
    let object = standing_at(100, 7)?;
    let mut buffer = [0; 9];
    expect_eq!((pread(&object, &mut buffer, 95), &buffer[..5]), (Ok(5), &pattern(100)[95..]));
    expect_eq!((pread(&object, &mut buffer, 100), pread(&object, &mut buffer, 1 << 62)), (Ok(0), Ok(0)));
    expect_eq!((pread(&object, &mut buffer, -1), pwrite(&object, b"x", -1)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!((pwrite(&object, b"in place", 50), position(&object)), (Ok(8), Ok(7)));
    expect_eq!(contents(&object), Ok([&pattern(50)[..], b"in place", &pattern(100)[58..]].concat()));
    Ok(())
}

/// A write behind the end makes the object longer, to the byte; what lies between is zeroes, in mappings too.
#[conformance::test(posix = "write", man = "tmpfs(5)")]
fn write_behind_the_end() -> Outcome {
    let page = page_size();
    let object = standing_at(100, 100)?;
    let mapping = object.map(3 * page, Access::Read)?;
    expect_eq!((write(&object, b"appended"), object.size(), position(&object)), (Ok(8), Ok(108), Ok(108)));
    expect_eq!((pwrite(&object, b"far", offset(2 * page + 5)), object.size()), (Ok(3), Ok(2 * page + 8)));
    let expected = [&pattern(100)[..], b"appended", &vec![0; 2 * page + 5 - 108], b"far"].concat();
    expect_eq!((mapping.read(0, 2 * page + 8), contents(&object)), (expected.clone(), Ok(expected)));
    Ok(())
}

/// Nothing written makes nothing longer, wherever the offset is.
#[conformance::test(posix = "write", man = "write(2)")]
fn write_nothing() -> Outcome {
    let object = standing_at(10, 500)?;
    expect_eq!((write(&object, b""), pwrite(&object, b"", 9000)), (Ok(0), Ok(0)));
    expect_eq!((object.size(), position(&object)), (Ok(10), Ok(500)));
    Ok(())
}

/// Reading where nothing was written gives zeroes and takes no space.
#[conformance::test(posix = "read", man = "tmpfs(5)")]
fn read_zeroes_without_taking_space() -> Outcome {
    let object = SharedMemory::create(&unique_name("hole"))?;
    object.set_size(3 * page_size())?;
    pwrite(&object, b"x", offset(2 * page_size()))?;
    let before = fstat(&object)?.st_blocks;
    let expected = [page_of(0), page_of(0), [b"x", &page_of(0)[1..]].concat()].concat();
    expect_eq!((read_to_end(&object), fstat(&object)?.st_blocks), (Ok(expected), before));
    Ok(())
}

/// Any stretch can be read from anywhere: what was written, zeroes where nothing was, and no more than there is; into a pipe too.
#[conformance::test(posix = "pread", man = "tmpfs(5)", man = "splice(2)")]
fn give_any_stretch() -> Outcome {
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
        expect!(buffer[there.len()..].iter().all(|&byte| byte == b'?'));
        let mut from = offset(at);
        let sent = splice_at((&object, Some(&mut from)), (&writer, None), length, SpliceFlags::empty())?;
        expect!(sent <= there.len() && (sent > 0 || there.is_empty()), "{sent} of {} bytes were sent", there.len());
        expect_eq!((from, read_exactly(&reader, sent)), (offset(at + sent), Ok(there[..sent].to_vec())));
        Ok(())
    })
}

/// A descriptor for one direction refuses the other, and nothing moves.
#[conformance::test(posix = "read", posix = "write")]
fn refuse_the_other_direction() -> Outcome {
    let object = pages(1)?;
    let (reader, writer) = (shm_open(object.name(), OFlag::O_RDONLY, 0)?, shm_open(object.name(), OFlag::O_WRONLY, 0)?);
    expect_eq!((write(&reader, b"x"), pwrite(&reader, b"x", 0)), (Err(EBADF), Err(EBADF)));
    expect_eq!((read_some(&writer, 1), pread(&writer, &mut [0; 1], 0)), (Err(EBADF), Err(EBADF)));
    expect_eq!((position(&reader), position(&writer), contents(&object)), (Ok(0), Ok(0), Ok(pattern(page_size()))));
    Ok(())
}

/// The offset is moved from the beginning, from itself and from the end, also beyond the end, but never before the beginning.
#[conformance::test(posix = "lseek", man = "lseek(2)")]
fn seek_from_three_places() -> Outcome {
    let object = standing_at(100, 40)?;
    expect_eq!((lseek(&object, -15, Whence::SeekCur), lseek(&object, -1, Whence::SeekEnd)), (Ok(25), Ok(99)));
    expect_eq!((lseek(&object, 900, Whence::SeekEnd), object.size()), (Ok(1000), Ok(100)));
    expect_eq!((lseek(&object, -1, Whence::SeekSet), lseek(&object, -1001, Whence::SeekCur)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!(position(&object), Ok(1000));
    Ok(())
}

/// Each opening stands at an offset of its own; a duplicate, and a child's copy, share it.
#[conformance::test(posix = "shm_open", posix = "dup", posix = "fork")]
fn share_an_offset_with_copies_only() -> Outcome {
    let object = standing_at(100, 10)?;
    let (copy, other) = (dup(&object)?, shm_open(object.name(), OFlag::O_RDWR, 0)?);
    let child = Participant::spawn("child", dup(&object)?, |inherited, _| read_some(&inherited, 20).map(|bytes| bytes.len()))?;
    expect_eq!(child.join()?, Ok(20));
    expect_eq!((position(&object), position(&copy), position(&other)), (Ok(30), Ok(30), Ok(0)));
    Ok(())
}

/// With `O_APPEND` set later every write goes to the end, whatever offset the descriptor had, also after somebody else's.
#[conformance::test(posix = "write", posix = "fcntl")]
fn append_where_asked_to() -> Outcome {
    let object = standing_at(10, 3)?;
    let other = shm_open(object.name(), OFlag::O_RDWR, 0)?;
    set_status_flags(&object, OFlag::O_APPEND)?;
    expect_eq!((write(&object, b"one"), position(&object)), (Ok(3), Ok(13)));
    ftruncate(&other, 20)?;
    expect_eq!((write(&object, b"two"), position(&object)), (Ok(3), Ok(23)));
    expect_eq!(contents(&object), Ok([&pattern(10)[..], b"one", &[0; 7], b"two"].concat()));
    Ok(())
}

/// Several buffers are one stretch of bytes, across pages as well.
#[conformance::test(posix = "readv", posix = "writev")]
fn move_several_buffers_as_one() -> Outcome {
    let page = page_size();
    let object = standing_at(3 * page, page - 3)?;
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

/// A write from an object's own memory into the object, even onto the very bytes, comes to an end and moves them; so does a read.
/// The pages are not in the page tables yet, so that each call has to fault them in while it holds what it writes to.
#[conformance::test(posix = "write", posix = "read", man = "mmap(2)")]
fn move_an_objects_own_memory() -> Outcome {
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

/// A bad pointer, reached after some bytes, ends a call with the count of those or with an error; the object and the offset have
/// changed by exactly what was counted.
#[rstest]
#[case::within_a_page(5)]
#[case::at_the_end_of_a_page(100)]
#[conformance::test(man = "write(2)")]
fn count_what_precedes_a_bad_pointer(#[case] good: usize) -> Outcome {
    let page = page_size();
    let object = standing_at(3 * page, page - 100)?;
    let mut memory = Guarded::new()?;
    memory.bytes().fill(b'g');
    let count = memory.write_across(&object, good, 50);
    expect_matches!(count, Ok(_) | Err(EFAULT));
    let moved = count.unwrap_or(0);
    expect!(moved <= good);
    let mut expected = pattern(3 * page);
    expected[page - 100..][..moved].fill(b'g');
    expect_eq!((contents(&object), position(&object)), (Ok(expected), Ok(offset(page - 100 + moved))));
    Ok(())
}

/// A write that fails for its pointer changes nothing: no size, no space, no offset.
#[rstest]
#[case::in_an_empty_object(0, 0)]
#[case::behind_the_end(100, 200)]
#[case::far_behind_the_end(100, 1 << 20)]
#[conformance::test(posix = "write", man = "write(2)")]
fn change_nothing_for_a_bad_pointer(#[case] size: usize, #[case] at: usize) -> Outcome {
    let object = SharedMemory::create(&unique_name("bad"))?;
    object.set_size(size)?;
    lseek(&object, offset(at), Whence::SeekSet)?;
    let memory = Guarded::new()?;
    expect_eq!((memory.write_across(&object, 0, 10), position(&object)), (Err(EFAULT), Ok(offset(at))));
    let status = fstat(&object)?;
    expect_eq!((status.st_size, status.st_blocks), (offset(size), 0));
    Ok(())
}

/// A read into bad memory moves nothing, and the next one gets the bytes.
#[conformance::test(man = "read(2)")]
fn keep_what_cannot_be_delivered() -> Outcome {
    let object = standing_at(100, 0)?;
    let mut memory = Guarded::new()?;
    expect_eq!((memory.read_across(&object, 0, 10), position(&object)), (Err(EFAULT), Ok(0)));
    expect_eq!(read_some(&object, 10), Ok(pattern(10)));
    Ok(())
}

/// A write stops at the file size limit with what fits; the next one is refused with `EFBIG` and one `SIGXFSZ`.
#[conformance::test(posix = "write", man = "getrlimit(2)")]
fn stop_at_the_file_size_limit() -> Outcome {
    let object = standing_at(10, 10)?;
    signal::catch(Signal::SIGXFSZ, Restart::Yes)?;
    super::fixture::limit(Resource::RLIMIT_FSIZE, 15)?;
    expect_eq!((write(&object, b"0123456789"), signal::caught(Signal::SIGXFSZ)), (Ok(5), 0));
    expect_eq!((write(&object, b"x"), signal::caught(Signal::SIGXFSZ)), (Err(EFBIG), 1));
    expect_eq!((contents(&object), position(&object)), (Ok([&pattern(10)[..], b"01234"].concat()), Ok(15)));
    expect_eq!((pwrite(&object, b"within", 9), signal::caught(Signal::SIGXFSZ)), (Ok(6), 1));
    Ok(())
}

/// What is written is what is mapped, and the other way round, in a process that shares nothing but the name.
#[conformance::test(man = "mmap(2)", man = "tmpfs(5)")]
fn agree_with_mappings_elsewhere() -> Outcome {
    let object = pages(1)?;
    let mapping = object.map(page_size(), Access::ReadWrite)?;
    mapping.write(0, b"mapped");
    let name = object.name().to_owned();
    let stranger = Participant::exec("stranger", (), &name, |(), name: String, _| {
        let object = SharedMemory::open(&name, Access::ReadWrite)?;
        Ok::<_, Errno>((read_some(&object, 6)?, pwrite(&object, b"written", 20)))
    })?;
    expect_eq!((stranger.join()?, mapping.read(20, 7)), (Ok((b"mapped".to_vec(), Ok(7))), b"written".to_vec()));
    Ok(())
}

/// An object is always ready, for reading and for writing, with a size or without one, through any descriptor.
#[conformance::test(posix = "poll", posix = "select")]
fn are_always_ready() -> Outcome {
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

/// What is always ready is no matter for `epoll`.
#[conformance::test(man = "epoll_ctl(2)")]
fn are_refused_by_epoll() -> Outcome {
    let (object, list) = (pages(1)?, epoll()?);
    expect_eq!(epoll_add(&list, &object, EpollFlags::EPOLLIN, 0), Err(EPERM));
    Ok(())
}

/// A lock on an object excludes others that open it, by name or otherwise, until its holder is killed.
#[conformance::test(man = "flock(2)")]
fn lock_until_the_holder_is_killed() -> Outcome {
    let object = pages(1)?;
    let holder = Participant::spawn("holder", (), |(), link| -> () {
        let own = shm_open(object.name(), OFlag::O_RDWR, 0).expect("the object by its name");
        flock_now(&own).expect("the first lock");
        link.reached("locked");
        link.park()
    })?;
    holder.until_reached("locked")?;
    expect_eq!(flock_now(&object), Err(EAGAIN));
    holder.kill()?;
    expect_eq!(flock_now(&object), Ok(()));
    Ok(())
}

/// There is nothing behind an object that it could be written to, and to ask for that succeeds.
#[conformance::test(posix = "fsync")]
fn synchronise_with_nothing() -> Outcome {
    let object = pages(1)?;
    expect_eq!((fsync(&object), fdatasync(&object), contents(&object)), (Ok(()), Ok(()), Ok(pattern(page_size()))));
    Ok(())
}

/// From an object into a pipe go its bytes up to its end, and stay what they were in the pipe's hands; later stores into another
/// page do not reach them.
#[conformance::test(man = "sendfile(2)", man = "splice(2)")]
fn send_up_to_the_end() -> Outcome {
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

/// Where nothing was written a pipe is sent zeroes, which nobody can change through the pipe.
#[conformance::test(man = "splice(2)")]
fn send_zeroes_for_nothing() -> Outcome {
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

/// Out of a pipe into an object: at the offset, and longer where need be; a mapping shows it.
#[conformance::test(man = "splice(2)")]
fn receive_from_a_pipe() -> Outcome {
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
