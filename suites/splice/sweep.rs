//! A process that pumps bytes, killed at every system call: what it took from the source is in the pipe or in the sink, once.

use conformance::prelude::*;
use rstest::rstest;

use common::transfer::{Backing, NO_FLAGS, SPLICE_F_NONBLOCK, content, drain, position};

/// The way from a file into the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Splice,
    Sendfile,
}

/// Wherever a pump from file to file dies, the source's position is the length of the sink and of what the pipe holds, and both
/// together are the beginning of the source.
#[rstest]
#[conformance::test(man = "splice(2)", man = "sendfile(2)", deadline = 30)]
fn from_file_to_file_loses_nothing(#[values(Way::Splice, Way::Sendfile)] way: Way) -> Outcome {
    sweep(|run| {
        let bytes = pattern(250);
        let (source, sink) = (Backing::Memfd.file(&bytes)?, Backing::Memfd.file(b"")?);
        let (reader, writer) = pipe()?;
        let ends = [dup(&source)?, dup(&writer)?, dup(&reader)?, dup(&sink)?];
        let victim = run.victim("pump", ends, move |[source, writer, reader, sink], _| {
            let piece = 130;
            loop {
                let taken = match way {
                    Way::Splice => splice(&source, &writer, piece, NO_FLAGS),
                    Way::Sendfile => sendfile(&writer, &source, None, piece),
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
        expect!(arrived == bytes[..arrived.len()]);
        if victim.value.is_some() {
            expect_eq!((victim.value, arrived.len(), position(&sink)?), (Some(Ok(())), bytes.len(), bytes.len()));
        }
        Ok(())
    })
}

/// Wherever a pump from pipe to pipe dies, both pipes together hold every byte, in order, and can be used and closed.
#[conformance::test(man = "splice(2)", deadline = 30, needs(ptrace))]
fn from_pipe_to_pipe_loses_nothing() -> Outcome {
    sweep(|run| {
        let bytes = pattern(2 * page_size() + 50);
        let ((source, feed), (sink, target)) = (pipe()?, pipe()?);
        write_all(&feed, &bytes)?;
        let victim = run.victim("pump", (dup(&source)?, dup(&target)?), |(source, target), _| {
            (0..4).map(|_| splice(&source, &target, page_size() - 100, SPLICE_F_NONBLOCK)).collect::<Vec<_>>()
        })?;
        let moved: i64 = victim.returned("splice").into_iter().filter(|&count| count > 0).sum();
        expect_eq!(i64::try_from(unread(&sink)?), Ok(moved));
        expect!([drain(&sink)?, drain(&source)?].concat() == bytes);
        drop((feed, target));
        expect_eq!((read(&source, &mut [0; 1]), read(&sink, &mut [0; 1])), (Ok(0), Ok(0)));
        Ok(())
    })
}

/// Wherever a tap dies between copying and moving, the stream is whole: the copy is at most one piece ahead of what was moved.
#[conformance::test(man = "tee(2)", deadline = 30)]
fn of_a_tap_leaves_the_copy_at_most_one_piece_ahead() -> Outcome {
    sweep(|run| {
        let piece = 100;
        let bytes = pattern(3 * piece);
        let ((source, feed), (tapped, tap), (sink, target)) = (pipe()?, pipe()?, pipe()?);
        write_all(&feed, &bytes)?;
        let ends = [dup(&source)?, dup(&tap)?, dup(&target)?];
        run.victim("tap", ends, move |[source, tap, target], _| {
            (0..3)
                .map(|_| (tee(&source, &tap, piece, SPLICE_F_NONBLOCK), splice(&source, &target, piece, SPLICE_F_NONBLOCK)))
                .collect::<Vec<_>>()
        })?;
        let (heard, moved) = (drain(&tapped)?, drain(&sink)?);
        expect!(heard.len() == moved.len() || heard.len() == moved.len() + piece, "{} and {}", heard.len(), moved.len());
        expect!(heard == bytes[..heard.len()]);
        expect_eq!([moved, drain(&source)?].concat(), bytes);
        Ok(())
    })
}
