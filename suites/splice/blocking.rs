//! `splice`, `tee`, `vmsplice` and `sendfile` that block on an empty source pipe or a full target pipe, and the events that make
//! them return. Signals are in `signals`.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::transfer::{
    Drain, NO_FLAGS, SPLICE_F_NONBLOCK, Supply, drain, every_drain, every_supply, full, holding, letters, null,
};

/// `splice` and `vmsplice` of 9 bytes out of an empty pipe block until a `write` of 2 bytes to the pipe, and then return 2.
#[apply(every_drain)]
#[conformance::test(man = "splice(2)", man = "vmsplice(2)", fixed_in = "Linux 5.10 (472e5b056f00)")]
fn empty_source_blocks_until_a_write(call: Drain) -> Outcome {
    let (source, feed) = pipe()?;
    let kept = dup(&source)?;
    let caller = Participant::spawn("caller", (source, call.sink()?), move |(source, sink), _| call.once(&source, &sink, 9))?;
    caller.until_blocked()?;
    write_all(&feed, b"hi")?;
    expect_eq!(caller.join()?, Ok(2));
    expect_eq!(unread(&kept)?, 0);
    Ok(())
}

/// `splice` or `vmsplice` blocked on an empty pipe stays blocked while one of two writers is open, and returns 0 when the last
/// writer closes.
#[apply(every_drain)]
#[conformance::test(man = "splice(2)", man = "vmsplice(2)", fixed_in = "Linux 5.10 (472e5b056f00)")]
fn returns_zero_when_the_last_writer_closes(call: Drain) -> Outcome {
    let (source, feed) = pipe()?;
    let second = dup(&feed)?;
    let caller = Participant::spawn("caller", (source, call.sink()?), move |(source, sink), _| call.once(&source, &sink, 9))?;
    caller.until_blocked()?;
    drop(feed);
    caller.expect_still_blocked()?;
    drop(second);
    expect_eq!(caller.join()?, Ok(0));
    Ok(())
}

/// If the last writer of an empty pipe is killed, a `splice` blocked on that pipe returns 0.
#[conformance::test(man = "splice(2)")]
fn returns_zero_when_the_last_writer_is_killed() -> Outcome {
    let (source, feed) = pipe()?;
    let (sink, target) = pipe()?;
    let writer = Participant::spawn("writer", feed, |_feed, link| -> () { link.park() })?;
    let caller = Participant::spawn("caller", (source, target), |(source, target), _| splice(&source, &target, 9, NO_FLAGS))?;
    caller.until_blocked()?;
    writer.kill()?;
    expect_eq!(caller.join()?, Ok(0));
    expect_eq!(read(&sink, &mut [0; 1]), Ok(0));
    Ok(())
}

/// `tee` of 9 bytes blocked on an empty source pipe returns 2 after a `write` of 2 bytes to the source, and returns 0 if the last
/// writer closes without a `write`.
#[rstest]
#[case::write(true)]
#[case::last_close(false)]
#[conformance::test(man = "tee(2)", fixed_in = "Linux 5.10 (472e5b056f00)")]
fn tee_is_woken_by_a_write_or_the_last_close(#[case] by_write: bool) -> Outcome {
    let (source, feed) = pipe()?;
    let (sink, target) = pipe()?;
    let kept = dup(&source)?;
    let caller = Participant::spawn("caller", (source, target), |(source, target), _| tee(&source, &target, 9, NO_FLAGS))?;
    caller.until_blocked()?;
    if by_write {
        write_all(&feed, b"hi")?;
    }
    drop(feed);
    let expected: &[u8] = if by_write { b"hi" } else { b"" };
    expect_eq!(caller.join()?, Ok(expected.len()));
    expect_eq!((read_to_end(&kept)?, read_to_end(&sink)?), (expected.to_vec(), expected.to_vec()));
    Ok(())
}

/// `splice`, `tee`, `vmsplice` and `sendfile` of 5 bytes into a full pipe block, and take no bytes from the source, until a
/// `read` frees a page of the pipe. Each call then returns 5.
#[apply(every_supply)]
#[conformance::test(man = "splice(2)", man = "tee(2)", man = "vmsplice(2)", man = "sendfile(2)")]
fn full_target_blocks_until_a_read(call: Supply) -> Outcome {
    let ((reader, writer), count) = full()?;
    let source = call.source(letters())?;
    let kept = source.first().map(dup).transpose()?.into_iter().collect::<Vec<_>>();
    let caller = Participant::spawn("caller", (writer, source), move |(writer, source), _| call.once(&source, letters(), &writer))?;
    caller.until_blocked()?;
    expect_eq!((call.left(&kept, letters())?, unread(&reader)?), (5, count));
    read_exactly(&reader, page_size())?;
    expect_eq!(caller.join()?, Ok(5));
    let after = drain(&reader)?;
    expect_eq!((after.len(), &after[after.len() - 5..]), (count - page_size() + 5, &letters()[..]));
    Ok(())
}

/// `splice` of 3 bytes blocked on a full target pipe stays blocked after `read` of all but one byte of the first page of that
/// pipe, and returns 3 after `read` of that byte.
#[conformance::test(man = "splice(2)", level = customary)]
fn stays_blocked_until_a_whole_page_is_free() -> Outcome {
    let ((reader, writer), _) = full()?;
    let (source, _feed) = holding(b"abc")?;
    let caller = Participant::spawn("caller", (source, writer), |(source, writer), _| splice(&source, &writer, 3, NO_FLAGS))?;
    caller.until_blocked()?;
    read_exactly(&reader, page_size() - 1)?;
    caller.expect_still_blocked()?;
    read_exactly(&reader, 1)?;
    expect_eq!(caller.join()?, Ok(3));
    Ok(())
}

/// `splice`, `tee`, `vmsplice` and `sendfile` of 5 bytes that are blocked on a full pipe of one page return 5 when
/// `fcntl(F_SETPIPE_SZ)` increases the capacity of that pipe to two pages.
#[apply(every_supply)]
#[conformance::test(man = "splice(2)", man = "fcntl(2)", level = customary, fixed_in = "Linux 6.8 (e95aada4cb93)")]
fn larger_capacity_wakes_a_blocked_transfer(call: Supply) -> Outcome {
    let (reader, writer) = pipe()?;
    set_pipe_size(&writer, i32::try_from(page_size()).map_err(|_| ERANGE)?)?;
    let count = fill(&writer)?;
    let caller = Participant::spawn("caller", (writer, call.source(letters())?), move |(writer, source), _| {
        call.once(&source, letters(), &writer)
    })?;
    caller.until_blocked()?;
    set_pipe_size(&reader, i32::try_from(2 * page_size()).map_err(|_| ERANGE)?)?;
    expect_eq!(caller.join()?, Ok(5));
    expect_eq!(unread(&reader)?, count + 5);
    Ok(())
}

/// `splice` between two pipes that is blocked on the empty source stays blocked while `fcntl(F_SETPIPE_SZ)` changes the capacity
/// of both pipes. After a `write` of 3 bytes to the source, the call returns 3.
#[conformance::test(man = "splice(2)", man = "fcntl(2)", fixed_in = "Linux 5.5 (8f868d68d335)")]
fn capacity_changes_keep_a_blocked_splice_intact() -> Outcome {
    let (source, feed) = pipe()?;
    let (sink, target) = pipe()?;
    let ends = (dup(&source)?, dup(&target)?);
    let caller = Participant::spawn("caller", (source, target), |(source, target), _| splice(&source, &target, 1 << 20, NO_FLAGS))?;
    caller.until_blocked()?;
    for size in [1, 64, 2, 32] {
        let size = i32::try_from(size * page_size()).map_err(|_| ERANGE)?;
        set_pipe_size(&ends.0, size)?;
        set_pipe_size(&ends.1, size)?;
    }
    caller.expect_still_blocked()?;
    write_all(&feed, b"abc")?;
    expect_eq!(caller.join()?, Ok(3));
    expect_eq!(drain(&sink)?, b"abc");
    Ok(())
}

/// If a process blocked in `splice` on an empty source is stopped, and 3 bytes are written to the source and read by another
/// process, `splice` blocks again after `SIGCONT`. After the next `write` of 2 bytes, the call returns 2.
#[conformance::test(man = "splice(2)")]
fn stays_blocked_if_another_reader_takes_the_bytes() -> Outcome {
    let (source, feed) = pipe()?;
    let (sink, target) = pipe()?;
    let other = dup(&source)?;
    let caller = Participant::spawn("caller", (source, target), |(source, target), _| splice(&source, &target, 9, NO_FLAGS))?;
    caller.until_blocked()?;
    caller.stop()?;
    write_all(&feed, b"abc")?;
    expect_eq!(read_some(&other, 9)?, b"abc");
    caller.resume()?;
    caller.until_blocked()?;
    write_all(&feed, b"de")?;
    expect_eq!(caller.join()?, Ok(2));
    expect_eq!(drain(&sink)?, b"de");
    Ok(())
}

/// Two `splice` calls of 2 bytes each that are blocked on one empty pipe both return 2 after one `write` of 4 bytes.
#[conformance::test(man = "splice(2)")]
fn one_write_wakes_two_blocked_splices() -> Outcome {
    let (source, feed) = pipe()?;
    let (sink, target) = pipe()?;
    let spawn = |name| {
        let ends = (dup(&source)?, dup(&target)?);
        Participant::spawn(name, ends, |(source, target), _| splice(&source, &target, 2, NO_FLAGS))
    };
    let callers = [spawn("first")?, spawn("second")?];
    for caller in &callers {
        caller.until_blocked()?;
    }
    write_all(&feed, b"abcd")?;
    for caller in callers {
        expect_eq!(caller.join()?, Ok(2));
    }
    expect_eq!((drain(&sink)?, unread(&source)?), (b"abcd".to_vec(), 0));
    Ok(())
}

/// If two pipes together hold 2 bytes and two processes each call `splice` of 1 byte 100 times between these pipes, in opposite
/// directions, every call returns 1.
#[conformance::test(man = "splice(2)")]
fn opposite_splices_do_not_deadlock() -> Outcome {
    const TURNS: usize = 100;
    let ((left, into_left), (right, into_right)) = (holding(b"ab")?, pipe()?);
    let ends = |from: &OwnedFd, to: &OwnedFd| -> Result<_, Errno> { Ok((dup(from)?, dup(to)?)) };
    let pump = |(from, to): (OwnedFd, OwnedFd), _: &Link| (0..TURNS).map(|_| splice(&from, &to, 1, NO_FLAGS)).collect::<Vec<_>>();
    let forward = Participant::spawn("forward", ends(&left, &into_right)?, pump)?;
    let backward = Participant::spawn("backward", ends(&right, &into_left)?, pump)?;
    expect_eq!(forward.join()?, vec![Ok(1); TURNS]);
    expect_eq!(backward.join()?, vec![Ok(1); TURNS]);
    expect_eq!((unread(&left)?, unread(&right)?), (2, 0));
    let mut rest = drain(&left)?;
    rest.sort_unstable();
    expect_eq!(rest, b"ab");
    Ok(())
}

/// If a process blocked in `splice`, `tee`, `vmsplice` or `sendfile` of 5 bytes into a full pipe is killed, the source and the
/// pipe keep their bytes. After the pipe is read empty, the same call by another process returns 5.
#[apply(every_supply)]
#[conformance::test(man = "splice(2)", man = "tee(2)", man = "vmsplice(2)", man = "sendfile(2)")]
fn killed_transfer_moves_no_bytes(call: Supply) -> Outcome {
    let ((reader, writer), count) = full()?;
    let source = call.source(letters())?;
    let kept = source.iter().map(dup).collect::<Result<Vec<_>, _>>()?;
    let own_writer = dup(&writer)?;
    let caller = Participant::spawn("caller", (writer, source), move |(writer, source), _| call.once(&source, letters(), &writer))?;
    caller.until_blocked()?;
    caller.kill()?;
    expect_eq!((call.left(&kept, letters())?, unread(&reader)?), (5, count));
    drain(&reader)?;
    expect_eq!(call.once(&kept, letters(), &own_writer), Ok(5));
    drop(own_writer);
    expect_eq!(read_to_end(&reader)?.as_slice(), letters());
    Ok(())
}

/// While `splice` is blocked on an empty source pipe, `write` of 5 bytes by another process to the target pipe returns 5, and
/// `read` returns these bytes, both without blocking. The `splice` stays blocked.
#[conformance::test(man = "splice(2)")]
fn blocked_splice_leaves_the_target_usable() -> Outcome {
    let (source, feed) = pipe()?;
    let (sink, target) = pipe()?;
    let own_target = dup(&target)?;
    let caller = Participant::spawn("caller", (source, target), |(source, target), _| splice(&source, &target, 9, NO_FLAGS))?;
    caller.until_blocked()?;
    write_all(&own_target, b"other")?;
    expect_eq!(drain(&sink)?, b"other");
    expect_eq!(splice(&sink, null()?, 9, SPLICE_F_NONBLOCK), Err(EAGAIN));
    caller.expect_still_blocked()?;
    write_all(&feed, b"x")?;
    expect_eq!((caller.join()?, drain(&sink)?), (Ok(1), b"x".to_vec()));
    Ok(())
}
