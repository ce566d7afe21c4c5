//! FIFOs on kernels without memory: what could not be made has no name, and who could not open is not there for the others.

use conformance::prelude::*;
use conformance::sys::path::status::{is_fifo, lstat};
use rstest::rstest;

const READING: OFlag = OFlag::O_RDONLY.union(OFlag::O_NONBLOCK);
const WRITING: OFlag = OFlag::O_WRONLY.union(OFlag::O_NONBLOCK);

/// A FIFO that cannot be made leaves no name; then it can be made.
#[conformance::test(man = "mkfifo(3)", needs(fault_injection))]
fn of_a_new_fifo_leaves_no_name() -> Outcome {
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

/// A reader whose open failed is no reader: a writer that does not wait is refused. Then it can open.
#[conformance::test(man = "open(2)", man = "fifo(7)", needs(fault_injection))]
fn of_a_reader_leaves_none() -> Outcome {
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

/// A writer whose open failed is no writer: the reader is at end-of-file, and not told that one was there.
#[conformance::test(man = "open(2)", man = "fifo(7)", needs(fault_injection))]
fn of_a_writer_leaves_none() -> Outcome {
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

/// Who could not open for both is neither: nobody is let in by it.
#[conformance::test(man = "open(2)", man = "fifo(7)", needs(fault_injection))]
fn of_an_open_for_both_leaves_neither() -> Outcome {
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

/// A side that waits in its open is not let go by another whose open fails; it is by the next.
#[rstest]
#[case::for_a_writer(OFlag::O_RDONLY, OFlag::O_WRONLY)]
#[case::for_a_reader(OFlag::O_WRONLY, OFlag::O_RDONLY)]
#[conformance::test(man = "open(2)", man = "fifo(7)", needs(fault_injection))]
fn leaves_who_waits_waiting(#[case] waiting: OFlag, #[case] coming: OFlag) -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    mkfifo(&path, 0o600)?;
    failing_allocations(|faults| {
        let name = path.clone();
        let waiter = Participant::spawn("waiter", (), move |(), _| open(&name, waiting).map(drop))?;
        waiter.until_blocked()?;
        if let Err(errno) = faults.during(|| open(&path, coming))?.map(drop) {
            expect_eq!(errno, ENOMEM);
            waiter.expect_still_blocked()?;
            expect_eq!(open(&path, coming).map(drop), Ok(()));
        }
        expect_eq!(waiter.join()?, Ok(()));
        Ok(())
    })
}

/// Names are removed, and other FIFOs opened under the old name, without anything left of what failed.
#[conformance::test(man = "unlink(2)", needs(fault_injection))]
fn of_a_removal_leaves_the_name_or_takes_it() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    failing_allocations(|faults| {
        mkfifo(&path, 0o600)?;
        let reader = open(&path, READING)?;
        if let Err(errno) = faults.during(|| unlink(&path))? {
            expect_eq!(errno, ENOMEM);
            // It is the same FIFO still: its reader is met.
            expect_eq!(open(&path, WRITING).map(drop), Ok(()));
            expect_eq!(unlink(&path), Ok(()));
        }
        expect_eq!(lstat(&path).map(drop), Err(ENOENT));
        expect_eq!(read(&reader, &mut [0]), Ok(0));
        Ok(())
    })
}
