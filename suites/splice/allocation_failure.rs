//! Failing memory allocations in `splice`, `tee`, `vmsplice` and `sendfile`: the returned count is that of the bytes that
//! arrived, and all other bytes stay in the source. The cases need a kernel with fault injection.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::transfer::{Drain, NO_FLAGS, Supply, content, drain, every_drain, every_supply, file, holding, position};

fn bytes() -> Vec<u8> {
    pattern(3 * page_size() + 5)
}

/// The count of a transfer, 0 if it failed with `ENOMEM`. Any other errno is a failure.
fn moved(result: Result<usize, Errno>) -> Result<usize, Failure> {
    match result {
        Ok(count) => Ok(count),
        Err(errno) => {
            expect_eq!(errno, ENOMEM);
            Ok(0)
        }
    }
}

/// If a memory allocation fails in `splice`, `tee`, `vmsplice` or `sendfile` into an empty pipe, the call returns the count of
/// bytes that `read` then returns from the pipe, or fails with `ENOMEM` and adds no bytes. After the pipe is read empty, the next
/// call returns the count of all bytes that the source still holds; after `tee` and `vmsplice`, these are all bytes.
#[apply(every_supply)]
#[conformance::test(man = "splice(2)", man = "tee(2)", man = "vmsplice(2)", man = "sendfile(2)", needs(fault_injection))]
fn into_a_pipe_counts_the_arrived_bytes(call: Supply) -> Outcome {
    let bytes = bytes();
    failing_allocations(|faults| {
        let (reader, writer) = pipe()?;
        let source = call.source(&bytes)?;
        let result = faults.during(|| call.once(&source, &bytes, &writer))?;
        expect!(faults.struck() || result == Ok(bytes.len()), "{result:?} although no allocation failed");
        let count = moved(result)?;
        let kept = if matches!(call, Supply::Tee | Supply::Vmsplice) { bytes.len() } else { bytes.len() - count };
        expect_eq!((unread(&reader), call.left(&source, &bytes)), (Ok(count), Ok(kept)));
        expect_eq!(drain(&reader)?, bytes[..count].to_vec());
        let from = bytes.len() - kept;
        if kept > 0 {
            expect_eq!(call.once(&source, &bytes[from..], &writer), Ok(kept));
            expect_eq!(drain(&reader)?, bytes[from..].to_vec());
        }
        Ok(())
    })
}

/// If a memory allocation fails in `splice` or `vmsplice` out of a pipe, the call returns the count of bytes that left the pipe,
/// or fails with `ENOMEM` and removes no bytes. `read` then returns all other bytes in order.
#[apply(every_drain)]
#[conformance::test(man = "splice(2)", man = "vmsplice(2)", needs(fault_injection))]
fn out_of_a_pipe_leaves_the_rest(call: Drain) -> Outcome {
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
                expect_eq!(content(&sink[0])?, bytes[..count].to_vec());
            }
            Drain::SpliceToPipe => expect_eq!(drain(&sink[1])?, bytes[..count].to_vec()),
            Drain::SpliceToDevNull | Drain::Vmsplice => {}
        }
        expect_eq!(drain(&reader)?, bytes[count..].to_vec());
        Ok(())
    })
}

/// If a memory allocation fails in `splice` or `sendfile` from a file at an offset into a pipe, the offset advances by the
/// returned count, or stays as it was after `ENOMEM`. The file position stays 0, and `read` returns that count of bytes from the
/// pipe.
#[rstest]
#[case::splice(false)]
#[case::sendfile(true)]
#[conformance::test(man = "splice(2)", man = "sendfile(2)", needs(fault_injection))]
fn advances_the_offset_by_the_arrived_bytes(#[case] by_sendfile: bool) -> Outcome {
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
        expect_eq!(drain(&reader)?, bytes[7..7 + count].to_vec());
        Ok(())
    })
}

/// If a memory allocation fails in `sendfile` from file to file, both file positions advance by the returned count, or stay 0
/// after `ENOMEM`. A second `sendfile` returns the count of the other bytes, and the target then has the content of the source.
#[conformance::test(man = "sendfile(2)", needs(fault_injection))]
fn sendfile_between_files_loses_no_bytes() -> Outcome {
    let bytes = bytes();
    failing_allocations(|faults| {
        let (source, sink) = (file(&bytes)?, file(b"")?);
        let count = moved(faults.during(|| sendfile(&sink, &source, None, bytes.len()))?)?;
        expect_eq!((position(&source), position(&sink)), (Ok(count), Ok(count)));
        expect_eq!(content(&sink)?, bytes[..count].to_vec());
        expect_eq!(sendfile(&sink, &source, None, bytes.len()), Ok(bytes.len() - count));
        expect_eq!(content(&sink)?, bytes);
        Ok(())
    })
}
