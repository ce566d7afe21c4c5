//! Failing memory allocations: what a failed `mkfifo`, `open` or `unlink` of a FIFO leaves behind. The cases need a kernel with
//! fault injection.

use conformance::prelude::*;
use conformance::sys::path::status::{is_fifo, lstat};
use rstest::rstest;

const READING: OFlag = OFlag::O_RDONLY.union(OFlag::O_NONBLOCK);
const WRITING: OFlag = OFlag::O_WRONLY.union(OFlag::O_NONBLOCK);

/// If a memory allocation fails in `mkfifo`, the call fails with `ENOMEM` or `ENOSPC` and creates no name. The next `mkfifo` of
/// that name returns 0.
#[conformance::test(man = "mkfifo(3)", needs(fault_injection))]
fn failed_mkfifo_leaves_no_name() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    failing_allocations(|faults| {
        if let Err(errno) = faults.during(|| mkfifo(&path, 0o600))? {
            expect_matches!(errno, ENOMEM | ENOSPC);
            expect_eq!((lstat(&path).map(drop), std::fs::read_dir(scratch.path())?.count()), (Err(ENOENT), 0));
            expect_eq!(mkfifo(&path, 0o600), Ok(()));
        }
        expect_eq!(lstat(&path).map(|status| is_fifo(&status)), Ok(true));
        expect_eq!(unlink(&path), Ok(()));
        Ok(())
    })
}

/// If a memory allocation fails in `open` with `O_RDONLY | O_NONBLOCK` of a FIFO that no process has open, the call fails with
/// `ENOMEM` and opens no descriptor. `open` with `O_WRONLY | O_NONBLOCK` then fails with `ENXIO`.
#[conformance::test(man = "open(2)", man = "fifo(7)", needs(fault_injection))]
fn failed_open_for_reading_leaves_no_reader() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    mkfifo(&path, 0o600)?;
    failing_allocations(|faults| {
        let before = open_descriptors();
        let reader = match faults.during(|| open(&path, READING))? {
            Ok(reader) => reader,
            Err(errno) => {
                expect_eq!((errno, open_descriptors()), (ENOMEM, before));
                expect_eq!(open(&path, WRITING).map(drop), Err(ENXIO));
                open(&path, READING)?
            }
        };
        let writer = open(&path, WRITING);
        expect_eq!(writer.as_ref().map(|writer| write(writer, b"x")), Ok(Ok(1)));
        expect_eq!((read_some(&reader, 9), read_some(&reader, 9)), (Ok(b"x".to_vec()), Err(EAGAIN)));
        Ok(())
    })
}

/// If a memory allocation fails in `open` with `O_WRONLY | O_NONBLOCK` of a FIFO with one reader and no writer, the call fails
/// with `ENOMEM`. `read` by that reader then returns 0, and `poll` for `POLLIN` on the read end reports no event.
#[conformance::test(man = "open(2)", man = "fifo(7)", needs(fault_injection))]
fn failed_open_for_writing_leaves_no_writer() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    mkfifo(&path, 0o600)?;
    failing_allocations(|faults| {
        let reader = open(&path, READING)?;
        if let Err(errno) = faults.during(|| open(&path, WRITING))?.map(drop) {
            expect_eq!(errno, ENOMEM);
            expect_eq!((read(&reader, &mut [0]), ready(&reader, PollFlags::POLLIN)), (Ok(0), Ok(PollFlags::empty())));
            expect_eq!(open(&path, WRITING).map(drop), Ok(()));
        }
        expect_eq!((read(&reader, &mut [0]), ready(&reader, PollFlags::POLLIN)), (Ok(0), Ok(PollFlags::POLLHUP)));
        Ok(())
    })
}

/// If a memory allocation fails in `open` with `O_RDWR` of a FIFO that no process has open, the call fails with `ENOMEM`. `open`
/// with `O_WRONLY | O_NONBLOCK` then fails with `ENXIO`, and `read` by a new reader returns 0.
#[conformance::test(man = "open(2)", man = "fifo(7)", needs(fault_injection))]
fn failed_open_read_write_leaves_no_end() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    mkfifo(&path, 0o600)?;
    failing_allocations(|faults| {
        match faults.during(|| open(&path, OFlag::O_RDWR | OFlag::O_NONBLOCK))? {
            Ok(both) => expect_eq!((write(&both, b"x"), read_some(&both, 9)), (Ok(1), Ok(b"x".to_vec()))),
            Err(errno) => expect_eq!(errno, ENOMEM),
        }
        expect_eq!(open(&path, WRITING).map(drop), Err(ENXIO));
        let reader = open(&path, READING)?;
        expect_eq!(read(&reader, &mut [0]), Ok(0));
        Ok(())
    })
}

/// If a process is blocked in `open` of one end of a FIFO and a memory allocation fails in `open` of the opposite end by another
/// process, the second call fails with `ENOMEM` and the first stays blocked. When the second process calls `open` again and no
/// allocation fails, both `open` calls return a descriptor.
#[rstest]
#[case::blocked_reader(OFlag::O_RDONLY, OFlag::O_WRONLY)]
#[case::blocked_writer(OFlag::O_WRONLY, OFlag::O_RDONLY)]
#[conformance::test(man = "open(2)", man = "fifo(7)", needs(fault_injection))]
fn failed_open_wakes_no_blocked_open(#[case] blocked: OFlag, #[case] opposite: OFlag) -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    mkfifo(&path, 0o600)?;
    failing_allocations(|faults| {
        let name = path.clone();
        let waiter = Participant::spawn("waiter", (), move |(), _| open(&name, blocked).map(drop))?;
        waiter.until_blocked()?;
        if let Err(errno) = faults.during(|| open(&path, opposite))?.map(drop) {
            expect_eq!(errno, ENOMEM);
            waiter.expect_still_blocked()?;
            expect_eq!(open(&path, opposite).map(drop), Ok(()));
        }
        expect_eq!(waiter.join()?, Ok(()));
        Ok(())
    })
}

/// If a memory allocation fails in `unlink` of a FIFO with a reader, the call fails with `ENOMEM`, and `open` of the name with
/// `O_WRONLY | O_NONBLOCK` still returns a descriptor. A second `unlink` returns 0, and `lstat` of the name then fails with
/// `ENOENT`.
#[conformance::test(man = "unlink(2)", needs(fault_injection))]
fn failed_unlink_keeps_the_name() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    failing_allocations(|faults| {
        mkfifo(&path, 0o600)?;
        let reader = open(&path, READING)?;
        if let Err(errno) = faults.during(|| unlink(&path))? {
            expect_eq!(errno, ENOMEM);
            // The name still leads to the same FIFO: the reader lets the writer in.
            expect_eq!(open(&path, WRITING).map(drop), Ok(()));
            expect_eq!(unlink(&path), Ok(()));
        }
        expect_eq!(lstat(&path).map(drop), Err(ENOENT));
        expect_eq!(read(&reader, &mut [0]), Ok(0));
        Ok(())
    })
}
