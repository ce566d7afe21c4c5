//! Transfers on kernels without memory: what `splice` and its relatives report as moved is what arrived, and what the source is
//! rid of; a failure moves nothing.

use conformance::prelude::*;
use rstest::rstest;

use common::transfer::{Drain, NO_FLAGS, Supply, content, drain, file, holding, position};

fn bytes() -> Vec<u8> {
    pattern(3 * page_size() + 5)
}

/// The count of a transfer that may have failed for want of memory, and in no other way.
fn moved(result: Result<usize, Errno>) -> Result<usize, Failure> {
    match result {
        Ok(count) => Ok(count),
        Err(errno) => {
            expect_eq!(errno, ENOMEM);
            Ok(0)
        }
    }
}

/// Into a pipe: what arrived is a beginning as long as was said, and the source has just the rest; then the rest follows.
#[rstest]
#[conformance::test(man = "splice(2)", man = "tee(2)", man = "vmsplice(2)", man = "sendfile(2)", needs(fault_injection))]
fn is_answered_with_what_arrived(
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
) -> Outcome {
    let bytes = bytes();
    failing_allocations(|faults| {
        let (reader, writer) = pipe()?;
        let source = call.source(&bytes)?;
        let result = faults.during(|| call.once(&source, &bytes, &writer))?;
        expect!(faults.struck() || result == Ok(bytes.len()), "{result:?} although no allocation failed");
        let count = moved(result)?;
        let kept = if matches!(call, Supply::Tee | Supply::Vmsplice) { bytes.len() } else { bytes.len() - count };
        expect_eq!((unread(&reader), call.left(&source, &bytes)), (Ok(count), Ok(kept)));
        expect!(drain(&reader)? == bytes[..count], "other bytes came than were sent");
        let from = bytes.len() - kept;
        if kept > 0 {
            expect_eq!(call.once(&source, &bytes[from..], &writer), Ok(kept));
            expect!(drain(&reader)? == bytes[from..], "the rest is not what followed");
        }
        Ok(())
    })
}

/// Out of a pipe: nothing is lost between what was taken and what is left.
#[rstest]
#[conformance::test(man = "splice(2)", man = "vmsplice(2)", needs(fault_injection))]
fn leaves_the_rest_in_the_pipe(
    #[values(Drain::SpliceToDevNull, Drain::SpliceToFile, Drain::SpliceToPipe, Drain::Vmsplice)] call: Drain,
) -> Outcome {
    let bytes = bytes();
    failing_allocations(|faults| {
        let (reader, _writer) = holding(&bytes)?;
        let sink = call.sink()?;
        let count = moved(faults.during(|| call.once(&reader, &sink, bytes.len()))?)?;
        expect!(faults.struck() || count == bytes.len(), "{count} bytes moved although no allocation failed");
        expect_eq!(unread(&reader), Ok(bytes.len() - count));
        match call {
            Drain::SpliceToFile => {
                expect_eq!(position(&sink[0]), Ok(count));
                expect!(content(&sink[0])? == bytes[..count], "the file holds something else");
            }
            Drain::SpliceToPipe => expect!(drain(&sink[1])? == bytes[..count], "the other pipe holds something else"),
            Drain::SpliceToDevNull | Drain::Vmsplice => {}
        }
        expect!(drain(&reader)? == bytes[count..], "the rest is something else");
        Ok(())
    })
}

/// An offset that is handed in counts what arrived, and the file's own position stays.
#[rstest]
#[case::of_splice(false)]
#[case::of_sendfile(true)]
#[conformance::test(man = "splice(2)", man = "sendfile(2)", needs(fault_injection))]
fn moves_an_offset_by_what_arrived(#[case] by_sendfile: bool) -> Outcome {
    let bytes = bytes();
    failing_allocations(|faults| {
        let (reader, writer) = pipe()?;
        let source = file(&bytes)?;
        let mut offset = 7;
        let wanted = bytes.len() - 7;
        let result = faults.during(|| {
            if by_sendfile {
                sendfile(&writer, &source, Some(&mut offset), wanted)
            } else {
                splice_at((&source, Some(&mut offset)), (&writer, None), wanted, NO_FLAGS)
            }
        })?;
        let count = moved(result)?;
        expect_eq!((usize::try_from(offset), position(&source)), (Ok(7 + count), Ok(0)));
        expect!(drain(&reader)? == bytes[7..7 + count], "other bytes came than were sent");
        Ok(())
    })
}

/// A file that is sent to a file goes through a pipe of the kernel's own: what arrived is what the source is rid of.
#[conformance::test(man = "sendfile(2)", needs(fault_injection))]
fn of_the_pipe_between_two_files_loses_nothing() -> Outcome {
    let bytes = bytes();
    failing_allocations(|faults| {
        let (source, sink) = (file(&bytes)?, file(b"")?);
        let count = moved(faults.during(|| sendfile(&sink, &source, None, bytes.len()))?)?;
        expect_eq!((position(&source), position(&sink)), (Ok(count), Ok(count)));
        expect!(content(&sink)? == bytes[..count], "the file holds something else");
        expect_eq!(sendfile(&sink, &source, None, bytes.len()), Ok(bytes.len() - count));
        expect!(content(&sink)? == bytes, "the whole is something else");
        Ok(())
    })
}
