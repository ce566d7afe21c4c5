//! Kill sweeps: a process that transfers bytes by `splice`, `sendfile` or `tee` is killed at each of its system calls. Every byte
//! is afterwards in exactly one of source, pipe and target.

use conformance::prelude::*;
use rstest::rstest;

use common::transfer::{Backing, NO_FLAGS, SPLICE_F_NONBLOCK, content, drain, position};

/// The call that moves bytes from a file into the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Splice,
    Sendfile,
}

/// If a process that copies a file of 250 bytes by `splice` or `sendfile` into a pipe, and by `splice` from the pipe into another
/// file, is killed at the entry or the exit of each of its system calls, the content of the target followed by the unread bytes
/// of the pipe equals the first n bytes of the source, where n is the file position of the source.
#[rstest]
#[conformance::test(man = "splice(2)", man = "sendfile(2)", deadline = 30)]
fn killed_copy_between_files_loses_no_bytes(#[values(Call::Splice, Call::Sendfile)] call: Call) -> Outcome {
    sweep(|run| {
        let bytes = pattern(250);
        let (source, sink) = (Backing::Memfd.file(&bytes)?, Backing::Memfd.file(b"")?);
        let (reader, writer) = pipe()?;
        let ends = [dup(&source)?, dup(&writer)?, dup(&reader)?, dup(&sink)?];
        let victim = run.victim("victim", ends, move |[source, writer, reader, sink], _| {
            let piece = 130;
            loop {
                let taken = match call {
                    Call::Splice => splice(&source, &writer, piece, NO_FLAGS),
                    Call::Sendfile => sendfile(&writer, &source, None, piece),
                };
                if taken? == 0 {
                    return Ok::<_, Errno>(());
                }
                while splice(&reader, &sink, piece / 2, SPLICE_F_NONBLOCK).is_ok() {}
            }
        })?;
        let in_pipe = drain(&reader)?;
        let arrived = [content(&sink)?, in_pipe].concat();
        expect_eq!(position(&source)?, arrived.len());
        expect_eq!(arrived, bytes[..arrived.len()].to_vec());
        if victim.value.is_some() {
            expect_eq!((victim.value, arrived.len(), position(&sink)?), (Some(Ok(())), bytes.len(), bytes.len()));
        }
        Ok(())
    })
}

/// If a process that calls `splice` from one pipe into another four times is killed at the entry or the exit of each of its
/// system calls, `ioctl(FIONREAD)` of the target returns the sum of the counts of the `splice` calls that had returned. `read`
/// from the target and then from the source gives all bytes in order. After all writers close, `read` from each of the two pipes
/// returns 0.
#[conformance::test(man = "splice(2)", deadline = 30, needs(ptrace))]
fn killed_splice_between_pipes_loses_no_bytes() -> Outcome {
    sweep(|run| {
        let bytes = pattern(2 * page_size() + 50);
        let ((source, feed), (sink, target)) = (pipe()?, pipe()?);
        write_all(&feed, &bytes)?;
        let victim = run.victim("victim", (dup(&source)?, dup(&target)?), |(source, target), _| {
            (0..4).map(|_| splice(&source, &target, page_size() - 100, SPLICE_F_NONBLOCK)).collect::<Vec<_>>()
        })?;
        let moved: i64 = victim.returned("splice").into_iter().filter(|&count| count > 0).sum();
        expect_eq!(i64::try_from(unread(&sink)?), Ok(moved));
        expect_eq!([drain(&sink)?, drain(&source)?].concat(), bytes);
        drop((feed, target));
        expect_eq!((read(&source, &mut [0; 1]), read(&sink, &mut [0; 1])), (Ok(0), Ok(0)));
        Ok(())
    })
}

/// If a process that three times calls `tee` of 100 bytes from a source into one pipe, and then `splice` of 100 bytes from the
/// source into a target, is killed at the entry or the exit of each of its system calls, the number of bytes that `tee` has
/// copied equals the number that `splice` has moved or is 100 higher. The copied bytes are the first of the stream, and `read`
/// from the target and then from the source gives all 300 bytes in order.
#[conformance::test(man = "tee(2)", deadline = 30)]
fn killed_tee_is_at_most_one_piece_ahead() -> Outcome {
    sweep(|run| {
        let piece = 100;
        let bytes = pattern(3 * piece);
        let ((source, feed), (copied_to, copy), (sink, target)) = (pipe()?, pipe()?, pipe()?);
        write_all(&feed, &bytes)?;
        let ends = [dup(&source)?, dup(&copy)?, dup(&target)?];
        run.victim("victim", ends, move |[source, copy, target], _| {
            (0..3)
                .map(|_| (tee(&source, &copy, piece, SPLICE_F_NONBLOCK), splice(&source, &target, piece, SPLICE_F_NONBLOCK)))
                .collect::<Vec<_>>()
        })?;
        let (copied, moved) = (drain(&copied_to)?, drain(&sink)?);
        expect!([moved.len(), moved.len() + piece].contains(&copied.len()), "{} copied, {} moved", copied.len(), moved.len());
        expect_eq!(copied, bytes[..copied.len()].to_vec());
        expect_eq!([moved, drain(&source)?].concat(), bytes);
        Ok(())
    })
}
