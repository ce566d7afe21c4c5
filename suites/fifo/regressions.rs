//! Regression cases: faults that Linux once had with FIFOs, and calls in which a FIFO and a pipe share code.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::path::attributes::{chmod, chown};
use nix::fcntl::{SpliceFFlags, splice, vmsplice};

use super::fixture::Fifo;

/// `splice` from a FIFO into the same FIFO, opened by another hard link, fails with `EINVAL`, and the unread bytes stay in the
/// FIFO.
#[conformance::test(man = "splice(2)")]
fn splice_rejects_one_fifo_by_two_names() -> Outcome {
    let fifo = Fifo::new()?;
    std::fs::hard_link(fifo.path(), fifo.sibling("second"))?;
    let (first, second) = (fifo.read_write()?, open(&fifo.sibling("second"), OFlag::O_RDWR | OFlag::O_NONBLOCK)?);
    write_all(&first, b"data")?;
    let spliced = splice(&first, None, &second, None, 4, SpliceFFlags::empty()).map_err(Errno::from);
    expect_eq!((spliced, read_some(&first, 9)), (Err(EINVAL), Ok(b"data".to_vec())));
    Ok(())
}

/// `vmsplice` of 4 bytes to a FIFO opened with `O_RDWR` returns 4, and `read` then returns these bytes.
#[conformance::test(man = "vmsplice(2)", level = customary)]
fn vmsplice_writes_to_a_read_write_descriptor() -> Outcome {
    let fifo = Fifo::new()?;
    let both = fifo.read_write()?;
    let bytes = std::io::IoSlice::new(b"data");
    expect_eq!(vmsplice(&both, &[bytes], SpliceFFlags::empty()).map_err(Errno::from), Ok(4));
    expect_eq!((unread(&both), read_some(&both, 9)), (Ok(4), Ok(b"data".to_vec())));
    Ok(())
}

/// After `fcntl(F_SETFL)` sets `O_DIRECT` on a descriptor of a FIFO, and two `write` calls through that descriptor, the first
/// `read` returns exactly the bytes of the first `write` and the second `read` those of the second.
#[conformance::test(man = "fcntl(2)", man = "pipe(2)", fixed_in = "Linux 4.5 (0dbf5f206521)")]
fn packet_mode_can_be_set_by_fcntl() -> Outcome {
    let fifo = Fifo::new()?;
    let both = fifo.read_write()?;
    expect_eq!(set_status_flags(&both, OFlag::O_NONBLOCK | OFlag::O_DIRECT), Ok(()));
    expect_eq!([write(&both, b"ab"), write(&both, b"c")], [Ok(2), Ok(1)]);
    expect_eq!([read_some(&both, 9), read_some(&both, 9)], [Ok(b"ab".to_vec()), Ok(b"c".to_vec())]);
    Ok(())
}

/// After one `write` to a FIFO through a descriptor with `O_DIRECT` and two `write` calls through a descriptor without the flag,
/// the first `read` returns exactly the bytes of the first `write`. The second `read` returns the bytes of the other two
/// together.
#[conformance::test(man = "pipe(2)", fixed_in = "Linux 4.5 (0dbf5f206521)")]
fn packet_mode_is_per_description() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, packets) = fifo.ends()?;
    let plain = fifo.writer()?;
    set_status_flags(&packets, OFlag::O_DIRECT)?;
    let written = [write(&packets, b"ab"), write(&plain, b"cd"), write(&plain, b"ef")];
    expect_eq!(written, [Ok(2); 3]);
    expect_eq!([read_some(&reader, 9), read_some(&reader, 9)], [Ok(b"ab".to_vec()), Ok(b"cdef".to_vec())]);
    Ok(())
}

/// `open` with `O_CREAT | O_WRONLY | O_NONBLOCK` of another user's FIFO with a reader, in a sticky, world-writable directory,
/// fails with `EACCES` if `/proc/sys/fs/protected_fifos` is not 0, and returns a descriptor if it is 0. `open` with `O_WRONLY |
/// O_NONBLOCK` returns a descriptor.
#[conformance::test(man = "proc_sys_fs(5)", needs(second_user, file("/proc/sys/fs/protected_fifos")))]
fn o_creat_of_a_foreign_fifo_in_a_sticky_directory() -> Outcome {
    let setting = std::fs::read_to_string("/proc/sys/fs/protected_fifos")?;
    let protected = setting.trim() != "0";
    let fifo = Fifo::new()?;
    let (user, group) = second_user();
    let holder = fifo.read_write()?;
    chown(fifo.path(), user, group)?;
    chmod(fifo.path(), 0o666)?;
    chmod(fifo.directory(), 0o1777)?;
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK;
    let expected = if protected { Err(EACCES) } else { Ok(()) };
    expect_eq!((create(fifo.path(), flags, 0o600).map(drop), fifo.open_and_close(flags)), (expected, Ok(())));
    chmod(fifo.directory(), 0o777)?;
    expect_eq!(create(fifo.path(), flags, 0o600).map(drop), Ok(()));
    drop(holder);
    Ok(())
}

/// `open` of a FIFO for writing returns a descriptor once a reader has opened the FIFO, even if that reader, a child of the
/// caller, exits at once and its `SIGCHLD` runs a handler without `SA_RESTART` in the caller.
#[conformance::test(posix = "open", level = customary, fixed_in = "Linux 3.5 (05d290d66be6)")]
fn open_is_not_interrupted_after_the_reader_opened() -> Outcome {
    let fifo = Fifo::new()?;
    signal::catch(Signal::SIGCHLD, Restart::No)?;
    for _ in 0..20 {
        let reader = Participant::spawn("reader", (), |(), _| open(fifo.path(), OFlag::O_RDONLY).map(drop))?;
        expect_eq!(open(fifo.path(), OFlag::O_WRONLY).map(drop), Ok(()));
        expect_eq!(reader.join()?, Ok(()));
    }
    Ok(())
}
