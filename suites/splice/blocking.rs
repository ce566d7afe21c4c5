//! Transfers that wait: for bytes, for room, and what ends the wait.

use conformance::prelude::*;
use rstest::rstest;

use common::transfer::{Drain, NO_FLAGS, SPLICE_F_NONBLOCK, Supply, drain, full, holding, letters, null};

/// A transfer out of an empty pipe waits for a write, and takes what the first one brings.
#[rstest]
#[conformance::test(man = "splice(2)", man = "vmsplice(2)", fixed_in = "Linux 5.10 (472e5b056f00)")]
fn for_bytes_ends_with_a_write(
    #[values(Drain::SpliceToDevNull, Drain::SpliceToFile, Drain::SpliceToPipe, Drain::Vmsplice)] call: Drain,
) -> Outcome {
    let (source, feed) = pipe()?;
    let kept = dup(&source)?;
    let mover = Participant::spawn("mover", (source, call.sink()?), move |(source, sink), _| call.once(&source, &sink, 9))?;
    mover.until_blocked()?;
    write_all(&feed, b"hi")?;
    expect_eq!(mover.join()?, Ok(2));
    expect_eq!(unread(&kept)?, 0);
    Ok(())
}

/// A transfer out of an empty pipe ends with 0 when the last of its writers has closed, and not before.
#[rstest]
#[conformance::test(man = "splice(2)", man = "vmsplice(2)", fixed_in = "Linux 5.10 (472e5b056f00)")]
fn for_bytes_ends_with_the_last_writer(
    #[values(Drain::SpliceToDevNull, Drain::SpliceToFile, Drain::SpliceToPipe, Drain::Vmsplice)] call: Drain,
) -> Outcome {
    let (source, feed) = pipe()?;
    let second = dup(&feed)?;
    let mover = Participant::spawn("mover", (source, call.sink()?), move |(source, sink), _| call.once(&source, &sink, 9))?;
    mover.until_blocked()?;
    drop(feed);
    mover.expect_still_blocked()?;
    drop(second);
    expect_eq!(mover.join()?, Ok(0));
    Ok(())
}

/// As above where the last writer is killed.
#[conformance::test(man = "splice(2)")]
fn for_bytes_ends_when_the_last_writer_is_killed() -> Outcome {
    let (source, feed) = pipe()?;
    let (sink, target) = pipe()?;
    let writer = Participant::spawn("writer", feed, |_feed, link| -> () { link.park() })?;
    let mover = Participant::spawn("mover", (source, target), |(source, target), _| splice(&source, &target, 9, NO_FLAGS))?;
    mover.until_blocked()?;
    writer.kill()?;
    expect_eq!(mover.join()?, Ok(0));
    expect_eq!(read(&sink, &mut [0; 1]), Ok(0));
    Ok(())
}

/// A copy of an empty pipe waits for a write, and ends with 0 when the last writer has closed.
#[rstest]
#[case::by_a_write(true)]
#[case::by_the_last_writer(false)]
#[conformance::test(man = "tee(2)", fixed_in = "Linux 5.10 (472e5b056f00)")]
fn of_a_copy_for_bytes_is_ended(#[case] by_write: bool) -> Outcome {
    let (source, feed) = pipe()?;
    let (sink, target) = pipe()?;
    let kept = dup(&source)?;
    let copier = Participant::spawn("copier", (source, target), |(source, target), _| tee(&source, &target, 9, NO_FLAGS))?;
    copier.until_blocked()?;
    if by_write {
        write_all(&feed, b"hi")?;
    }
    drop(feed);
    let expected: &[u8] = if by_write { b"hi" } else { b"" };
    expect_eq!(copier.join()?, Ok(expected.len()));
    expect_eq!((read_to_end(&kept)?, read_to_end(&sink)?), (expected.to_vec(), expected.to_vec()));
    Ok(())
}

/// A transfer into a full pipe waits until there is room, and takes nothing from its source before that.
#[rstest]
#[conformance::test(man = "splice(2)", man = "tee(2)", man = "vmsplice(2)", man = "sendfile(2)")]
fn for_room_ends_with_a_read(
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
) -> Outcome {
    let ((reader, writer), count) = full()?;
    let source = call.source(letters())?;
    let kept = source.first().map(dup).transpose()?.into_iter().collect::<Vec<_>>();
    let mover = Participant::spawn("mover", (writer, source), move |(writer, source), _| call.once(&source, letters(), &writer))?;
    mover.until_blocked()?;
    expect_eq!((call.left(&kept, letters())?, unread(&reader)?), (5, count));
    read_exactly(&reader, page_size())?;
    expect_eq!(mover.join()?, Ok(5));
    let after = drain(&reader)?;
    expect_eq!((after.len(), &after[after.len() - 5..]), (count - page_size() + 5, &letters()[..]));
    Ok(())
}

/// Where a pipe counts pages, a read that leaves a byte in each of them makes no room.
#[conformance::test(man = "splice(2)", level = observed)]
fn for_room_goes_on_until_a_whole_page_is_read() -> Outcome {
    let ((reader, writer), _) = full()?;
    let (source, _feed) = holding(b"abc")?;
    let mover = Participant::spawn("mover", (source, writer), |(source, writer), _| splice(&source, &writer, 3, NO_FLAGS))?;
    mover.until_blocked()?;
    read_exactly(&reader, page_size() - 1)?;
    mover.expect_still_blocked()?;
    read_exactly(&reader, 1)?;
    expect_eq!(mover.join()?, Ok(3));
    Ok(())
}

/// A larger capacity is room, too.
#[rstest]
#[conformance::test(man = "splice(2)", man = "fcntl(2)", fixed_in = "Linux 6.8 (e95aada4cb93)")]
fn for_room_ends_with_a_larger_capacity(
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
) -> Outcome {
    let (reader, writer) = pipe()?;
    set_pipe_size(&writer, i32::try_from(page_size()).map_err(|_| ERANGE)?)?;
    let count = fill(&writer)?;
    let mover = Participant::spawn("mover", (writer, call.source(letters())?), move |(writer, source), _| {
        call.once(&source, letters(), &writer)
    })?;
    mover.until_blocked()?;
    set_pipe_size(&reader, i32::try_from(2 * page_size()).map_err(|_| ERANGE)?)?;
    expect_eq!(mover.join()?, Ok(5));
    expect_eq!(unread(&reader)?, count + 5);
    Ok(())
}

/// Both pipes may change their sizes around a sleeping transfer, and the bytes come through in order.
#[conformance::test(man = "splice(2)", man = "fcntl(2)", fixed_in = "Linux 5.5 (8f868d68d335)")]
fn for_bytes_survives_new_capacities() -> Outcome {
    let (source, feed) = pipe()?;
    let (sink, target) = pipe()?;
    let ends = (dup(&source)?, dup(&target)?);
    let mover = Participant::spawn("mover", (source, target), |(source, target), _| splice(&source, &target, 1 << 20, NO_FLAGS))?;
    mover.until_blocked()?;
    for size in [1, 64, 2, 32] {
        let size = i32::try_from(size * page_size()).map_err(|_| ERANGE)?;
        set_pipe_size(&ends.0, size)?;
        set_pipe_size(&ends.1, size)?;
    }
    mover.expect_still_blocked()?;
    write_all(&feed, b"abc")?;
    expect_eq!(mover.join()?, Ok(3));
    expect_eq!(drain(&sink)?, b"abc");
    Ok(())
}

/// Bytes that wait for a sleeping transfer can be taken by somebody else; then it sleeps on.
#[conformance::test(man = "splice(2)")]
fn for_bytes_goes_on_when_somebody_else_takes_them() -> Outcome {
    let (source, feed) = pipe()?;
    let (sink, target) = pipe()?;
    let other = dup(&source)?;
    let mover = Participant::spawn("mover", (source, target), |(source, target), _| splice(&source, &target, 9, NO_FLAGS))?;
    mover.until_blocked()?;
    mover.stop()?;
    write_all(&feed, b"abc")?;
    expect_eq!(read_some(&other, 9)?, b"abc");
    mover.resume()?;
    mover.until_blocked()?;
    write_all(&feed, b"de")?;
    expect_eq!(mover.join()?, Ok(2));
    expect_eq!(drain(&sink)?, b"de");
    Ok(())
}

/// Two sleeping transfers out of one pipe share what comes: one write of enough for both ends both waits.
#[conformance::test(man = "splice(2)")]
fn of_two_for_bytes_is_ended_for_both() -> Outcome {
    let (source, feed) = pipe()?;
    let (sink, target) = pipe()?;
    let spawn = |name| {
        let ends = (dup(&source)?, dup(&target)?);
        Participant::spawn(name, ends, |(source, target), _| splice(&source, &target, 2, NO_FLAGS))
    };
    let movers = [spawn("first")?, spawn("second")?];
    for mover in &movers {
        mover.until_blocked()?;
    }
    write_all(&feed, b"abcd")?;
    for mover in movers {
        expect_eq!(mover.join()?, Ok(2));
    }
    expect_eq!((drain(&sink)?, unread(&source)?), (b"abcd".to_vec(), 0));
    Ok(())
}

/// Opposite transfers between two pipes sleep and wake without standing in each other's way, and lose no byte.
#[conformance::test(man = "splice(2)")]
fn in_both_directions_at_once_is_no_deadlock() -> Outcome {
    const TURNS: usize = 100;
    let ((left, into_left), (right, into_right)) = (holding(b"ab")?, pipe()?);
    let ends = |from: &OwnedFd, to: &OwnedFd| -> Result<_, Errno> { Ok((dup(from)?, dup(to)?)) };
    let pump = |(from, to): (OwnedFd, OwnedFd), _: &Link| (0..TURNS).map(|_| splice(&from, &to, 1, NO_FLAGS)).collect::<Vec<_>>();
    let there = Participant::spawn("there", ends(&left, &into_right)?, pump)?;
    let back = Participant::spawn("back", ends(&right, &into_left)?, pump)?;
    expect_eq!(there.join()?, vec![Ok(1); TURNS]);
    expect_eq!(back.join()?, vec![Ok(1); TURNS]);
    expect_eq!((unread(&left)?, unread(&right)?), (2, 0));
    let mut rest = drain(&left)?;
    rest.sort_unstable();
    expect_eq!(rest, b"ab");
    Ok(())
}

/// A sleeping transfer that is killed has taken nothing, and leaves both pipes usable.
#[rstest]
#[conformance::test(man = "splice(2)", man = "tee(2)", man = "vmsplice(2)", man = "sendfile(2)")]
fn for_room_is_cut_short_by_a_kill_without_a_trace(
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
) -> Outcome {
    let ((reader, writer), count) = full()?;
    let source = call.source(letters())?;
    let kept = source.iter().map(dup).collect::<Result<Vec<_>, _>>()?;
    let own_writer = dup(&writer)?;
    let mover = Participant::spawn("mover", (writer, source), move |(writer, source), _| call.once(&source, letters(), &writer))?;
    mover.until_blocked()?;
    mover.kill()?;
    expect_eq!((call.left(&kept, letters())?, unread(&reader)?), (5, count));
    drain(&reader)?;
    expect_eq!(call.once(&kept, letters(), &own_writer), Ok(5));
    drop(own_writer);
    expect_eq!(read_to_end(&reader)?.as_slice(), letters());
    Ok(())
}

/// A sleeping transfer out of an empty pipe holds nothing that another one would need.
#[conformance::test(man = "splice(2)")]
fn for_bytes_leaves_the_target_to_others() -> Outcome {
    let (source, feed) = pipe()?;
    let (sink, target) = pipe()?;
    let own_target = dup(&target)?;
    let mover = Participant::spawn("mover", (source, target), |(source, target), _| splice(&source, &target, 9, NO_FLAGS))?;
    mover.until_blocked()?;
    write_all(&own_target, b"other")?;
    expect_eq!(drain(&sink)?, b"other");
    expect_eq!(splice(&sink, null()?, 9, SPLICE_F_NONBLOCK), Err(EAGAIN));
    mover.expect_still_blocked()?;
    write_all(&feed, b"x")?;
    expect_eq!((mover.join()?, drain(&sink)?), (Ok(1), b"x".to_vec()));
    Ok(())
}
