//! Transfers against a model: two pipes are two queues of bytes, and chains of `splice`, `tee` and `sendfile` of any lengths
//! preserve a stream.

use std::collections::VecDeque;
use std::io::IoSlice;

use conformance::prelude::*;
use proptest::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::transfer::{Backing, NO_FLAGS, SPLICE_F_NONBLOCK, content, drain, every_backing, file, null, position};

/// One step of a walk.
#[derive(Clone, Copy, Debug)]
enum Step {
    Write(usize),
    Read(usize),
    ReadCopy(usize),
    Move(usize),
    Copy(usize),
    Resize(u32),
    Map(usize),
}

/// A size in eighths of a page and single bytes: most sizes end inside a page, some at its end.
fn size() -> impl Strategy<Value = usize> {
    (0_usize..20, 0_usize..4).prop_map(|(eighths, bytes)| (eighths * page_size() / 8 + bytes).max(1))
}

fn step(mapped: bool) -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => size().prop_map(Step::Write),
        2 => size().prop_map(move |size| if mapped { Step::Map(size) } else { Step::Write(size) }),
        2 => size().prop_map(Step::Read),
        2 => size().prop_map(Step::ReadCopy),
        3 => size().prop_map(Step::Move),
        3 => size().prop_map(Step::Copy),
        1 => (0_u32..6).prop_map(Step::Resize),
    ]
}

/// A non-blocking pipe of four pages.
fn small() -> Result<(OwnedFd, OwnedFd), Errno> {
    let ends = pipe2(OFlag::O_NONBLOCK)?;
    set_pipe_size(&ends.1, i32::try_from(4 * page_size()).map_err(|_| ERANGE)?)?;
    Ok(ends)
}

/// Two pipes and the bytes that they should hold.
struct Walk<'a> {
    source: (OwnedFd, OwnedFd),
    sink: (OwnedFd, OwnedFd),
    in_source: VecDeque<u8>,
    in_sink: VecDeque<u8>,
    /// Bytes that are not yet written. Memory given to `vmsplice` is read later, and must not change until the end.
    coming: &'a [u8],
}

impl Walk<'_> {
    /// Makes a step that puts bytes into a pipe. Returns the result of the call and the largest count that it may return.
    fn fill(&mut self, step: Step) -> Option<(Result<usize, Errno>, usize)> {
        Some(match step {
            Step::Write(size) | Step::Map(size) => {
                let bytes = &self.coming[..size.min(self.coming.len())];
                let mapped = matches!(step, Step::Map(_));
                let into = &self.source.1;
                let seen = if mapped { vmsplice(into, &[IoSlice::new(bytes)], SPLICE_F_NONBLOCK) } else { write(into, bytes) };
                let (taken, rest) = self.coming.split_at(seen.unwrap_or(0).min(bytes.len()));
                self.in_source.extend(taken);
                self.coming = rest;
                (seen, bytes.len())
            }
            Step::Move(size) => {
                let seen = splice(&self.source.0, &self.sink.1, size, NO_FLAGS);
                let most = size.min(self.in_source.len());
                self.in_sink.extend(self.in_source.drain(..seen.unwrap_or(0).min(most)));
                (seen, most)
            }
            Step::Copy(size) => {
                let seen = tee(&self.source.0, &self.sink.1, size, NO_FLAGS);
                let most = size.min(self.in_source.len());
                self.in_sink.extend(self.in_source.range(..seen.unwrap_or(0).min(most)));
                (seen, most)
            }
            Step::Read(_) | Step::ReadCopy(_) | Step::Resize(_) => return None,
        })
    }

    /// Makes a step of any kind.
    fn take(&mut self, step: Step) -> Outcome {
        let into_sink = matches!(step, Step::Move(_) | Step::Copy(_));
        let full = ready(if into_sink { &self.sink.1 } else { &self.source.1 }, PollFlags::POLLOUT)?.is_empty();
        if let Some((seen, most)) = self.fill(step) {
            match seen {
                Ok(count) => expect!((1..=most).contains(&count), "{step:?} moved {count} of {most}"),
                Err(errno) => {
                    expect_eq!(errno, EAGAIN, "{step:?}");
                    expect!(most == 0 || full, "{step:?} failed with {most} bytes in the source and free space in the target");
                }
            }
            expect_eq!((unread(&self.source.0)?, unread(&self.sink.0)?), (self.in_source.len(), self.in_sink.len()));
            return Ok(());
        }
        let (end, queue, size) = match step {
            Step::Read(size) => (&self.source.0, &mut self.in_source, size),
            Step::ReadCopy(size) => (&self.sink.0, &mut self.in_sink, size),
            Step::Resize(pages) => {
                let size = i32::try_from(page_size() << pages).map_err(|_| ERANGE)?;
                // Fails with `EBUSY` while the pipe holds more bytes than the new capacity.
                expect_matches!(set_pipe_size(&self.sink.1, size), Ok(_) | Err(EBUSY));
                return Ok(());
            }
            _ => return Ok(()),
        };
        let expected: Vec<u8> = queue.drain(..size.min(queue.len())).collect();
        let seen = read_some(end, size);
        expect_eq!(seen, if expected.is_empty() { Err(EAGAIN) } else { Ok(expected) }, "{step:?}");
        Ok(())
    }
}

/// In a random sequence of non-blocking `write` and `vmsplice` into a source pipe, `splice` and `tee` from the source into a
/// target pipe, and `fcntl(F_SETPIPE_SZ)` of the target, each transfer returns a count from 1 to the smaller of its length and
/// the number of bytes to transfer, or fails with `EAGAIN` if there is none or if `poll` reported no `POLLOUT` on the write end.
/// `read` of n bytes returns min(n, unread) bytes of that pipe in order, or fails with `EAGAIN` if the pipe is empty.
/// `ioctl(FIONREAD)` returns the number of bytes that these counts leave, and `F_SETPIPE_SZ` returns the capacity or fails with
/// `EBUSY`.
#[rstest]
#[case::without_vmsplice(false)]
#[case::with_vmsplice(true)]
#[conformance::test(man = "splice(2)", man = "tee(2)", man = "vmsplice(2)")]
fn two_pipes_are_two_queues(#[case] mapped: bool) -> Outcome {
    const MOST_STEPS: usize = 30;
    let bytes = pattern(MOST_STEPS * 3 * page_size());
    property(&prop::collection::vec(step(mapped), 1..MOST_STEPS), |steps| {
        let (in_source, in_sink) = (VecDeque::new(), VecDeque::new());
        let mut walk = Walk { source: small()?, sink: small()?, in_source, in_sink, coming: &bytes };
        for step in steps {
            walk.take(step)?;
        }
        expect_eq!(Vec::from(walk.in_source), drain(&walk.source.0)?);
        expect_eq!(Vec::from(walk.in_sink), drain(&walk.sink.0)?);
        Ok(())
    })
}

/// `splice` calls of random lengths from a file through two non-blocking pipes into another file are repeated until all bytes
/// have arrived. Each call returns a count or fails with `EAGAIN`, after each call the position of the source is the position of
/// the target plus the unread bytes of both pipes, and at last the content of the target equals that of the source.
#[apply(every_backing)]
#[conformance::test(man = "splice(2)")]
fn splice_chain_copies_a_file(file_type: Backing) -> Outcome {
    let all = pattern(9 * page_size());
    let sizes = || prop::collection::vec(size(), 1..6);
    property(&(size(), 0_usize..4, sizes(), sizes(), sizes()), |(rest, whole, first, second, third)| {
        let bytes = &all[..whole * page_size() + rest];
        let (source, kept) = (file_type.file(bytes)?, file_type.file(b"")?);
        let (near, far) = (small()?, small()?);
        let hops = [(&source, &near.1, first), (&near.0, &far.1, second), (&far.0, &kept, third)];
        let mut turn = 0;
        while position(&kept)? < bytes.len() {
            for (from, to, sizes) in &hops {
                expect_matches!(splice(from, to, sizes[turn % sizes.len()].max(page_size() / 8), NO_FLAGS), Ok(_) | Err(EAGAIN));
                expect_eq!(position(&source)?, position(&kept)? + unread(&near.0)? + unread(&far.0)?);
            }
            turn += 1;
        }
        expect_eq!((content(&kept)?, content(&source)?), (bytes.to_vec(), bytes.to_vec()));
        Ok(())
    })
}

/// If `sendfile` calls of random lengths from a file into a non-blocking pipe alternate with `read` calls of other random lengths
/// from the pipe, each `sendfile` returns a count or fails with `EAGAIN`, and the file position is then the number of bytes read
/// plus the unread bytes of the pipe. `read` returns all bytes of the file in order.
#[conformance::test(man = "sendfile(2)")]
fn sendfile_in_pieces_copies_a_file() -> Outcome {
    let all = pattern(9 * page_size());
    let sizes = || prop::collection::vec(size(), 1..6);
    property(&(size(), 0_usize..6, sizes(), sizes()), |(rest, whole, sent, taken)| {
        let bytes = &all[..whole * page_size() + rest];
        let source = file(bytes)?;
        let (reader, writer) = small()?;
        let mut seen = Vec::new();
        let mut turn = 0;
        while seen.len() < bytes.len() {
            let piece = sent[turn % sent.len()].max(page_size() / 8);
            expect_matches!(sendfile(&writer, &source, None, piece), Ok(_) | Err(EAGAIN));
            expect_eq!(position(&source)?, seen.len() + unread(&reader)?);
            seen.extend(read_some(&reader, taken[turn % taken.len()].max(page_size() / 8))?);
            turn += 1;
        }
        expect_eq!(seen, bytes.to_vec());
        Ok(())
    })
}

/// If the bytes written to a pipe are copied by `tee` of random lengths into a second, empty pipe, each `tee` returns a count of
/// at least 1, and `splice` of this count from the first pipe into a file returns the same count. `read` from the second pipe and
/// the content of the file both give all written bytes in order.
#[conformance::test(man = "tee(2)")]
fn tee_and_splice_both_deliver_the_stream() -> Outcome {
    let all = pattern(20 * page_size());
    property(&(prop::collection::vec(size(), 1..6), prop::collection::vec(size(), 1..4)), |(writes, pieces)| {
        let (source, feed) = small()?;
        let (sink, target) = small()?;
        let kept = file(b"")?;
        let mut copied_bytes = Vec::new();
        let mut written = 0;
        for (turn, size) in writes.into_iter().enumerate() {
            write_all(&feed, &all[written..written + size])?;
            written += size;
            while unread(&source)? > 0 {
                let copied = tee(&source, &target, pieces[turn % pieces.len()].max(page_size() / 8), NO_FLAGS);
                expect_matches!(copied, Ok(1..));
                expect_eq!(splice(&source, &kept, copied.unwrap_or(0), NO_FLAGS), copied);
                copied_bytes.extend(drain(&sink)?);
            }
        }
        expect_eq!(copied_bytes, all[..written].to_vec());
        expect_eq!(content(&kept)?, all[..written].to_vec());
        Ok(())
    })
}

/// A blocking `write` of 40 pages to a pipe returns 40 times the page size after another process has emptied the pipe by three
/// calls in turn: `read`, `splice` into a file, and `tee` followed by `splice` of the same count to `/dev/null`. The bytes that
/// `read` returns, `splice` moves into the file and `tee` copies are together all written bytes, each once and in order.
#[conformance::test(man = "splice(2)", man = "tee(2)")]
fn blocked_write_is_drained_by_read_splice_and_tee() -> Outcome {
    let bytes = pattern(40 * page_size());
    let (reader, writer_end) = pipe()?;
    let (copied, copy) = pipe()?;
    let (kept, dev_null) = (file(b"")?, null()?);
    let whole = bytes.clone();
    let writer = Participant::spawn("writer", writer_end, move |end, _| write(&end, &whole))?;
    let mut seen: Vec<u8> = Vec::new();
    for turn in 0.. {
        if seen.len() == bytes.len() {
            break;
        }
        let piece = page_size() / 2 + 700 * (turn % 11) + 1;
        let (before, kept_before) = (seen.len(), position(&kept)?);
        match turn % 3 {
            0 => seen.extend(read_some(&reader, piece)?),
            1 => {
                let moved = splice(&reader, &kept, piece, NO_FLAGS);
                expect_matches!(moved, Ok(1..));
                seen.extend(&content(&kept)?[kept_before..]);
                expect_eq!(Ok(seen.len() - before), moved);
            }
            _ => {
                let count = tee(&reader, &copy, piece, NO_FLAGS);
                expect_matches!(count, Ok(1..));
                expect_eq!(splice(&reader, &dev_null, count.unwrap_or(0), NO_FLAGS), count);
                seen.extend(drain(&copied)?);
            }
        }
        expect_eq!(seen[before..].to_vec(), bytes[before..seen.len()].to_vec(), "turn {turn}");
    }
    expect_eq!((writer.join()?, unread(&reader)?), (Ok(bytes.len()), 0));
    Ok(())
}
