//! What once went wrong with FIFOs on Linux, or would go wrong easily where a FIFO and a pipe share their code.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::path::attributes::{chmod, chown};
use nix::fcntl::{SpliceFFlags, splice, vmsplice};

use super::fixture::Named;

/// `splice` refuses to move data from a FIFO to itself, also where it comes by two names: it would wait for itself.
#[conformance::test(man = "splice(2)")]
fn of_splicing_to_itself_by_two_names() -> Outcome {
    let fifo = Named::new()?;
    std::fs::hard_link(fifo.path(), fifo.beside("second"))?;
    let (first, second) = (fifo.both()?, open(&fifo.beside("second"), OFlag::O_RDWR | OFlag::O_NONBLOCK)?);
    write_all(&first, b"data")?;
    let spliced = splice(&first, None, &second, None, 4, SpliceFFlags::empty()).map_err(Errno::from);
    expect_eq!((spliced, read_some(&first, 9)), (Err(EINVAL), Ok(b"data".to_vec())));
    Ok(())
}

/// `vmsplice` to a descriptor that is open for both puts bytes in, and does not take any out.
#[conformance::test(man = "vmsplice(2)")]
fn of_memory_spliced_to_one_opened_for_both() -> Outcome {
    let fifo = Named::new()?;
    let both = fifo.both()?;
    let bytes = std::io::IoSlice::new(b"data");
    expect_eq!(vmsplice(&both, &[bytes], SpliceFFlags::empty()).map_err(Errno::from), Ok(4));
    expect_eq!((unread(&both), read_some(&both, 9)), (Ok(4), Ok(b"data".to_vec())));
    Ok(())
}

/// Packet mode can be switched on for an open FIFO: each write is then read by itself.
#[conformance::test(man = "fcntl(2)", man = "pipe(2)", fixed_in = "Linux 4.5 (0dbf5f206521)")]
fn of_packet_mode() -> Outcome {
    let fifo = Named::new()?;
    let both = fifo.both()?;
    expect_eq!(set_status_flags(&both, OFlag::O_NONBLOCK | OFlag::O_DIRECT), Ok(()));
    expect_eq!([write(&both, b"ab"), write(&both, b"c")], [Ok(2), Ok(1)]);
    expect_eq!([read_some(&both, 9), read_some(&both, 9)], [Ok(b"ab".to_vec()), Ok(b"c".to_vec())]);
    Ok(())
}

/// Packet mode is the writer's: one that writes without it is not affected by another that has it.
#[conformance::test(man = "pipe(2)", fixed_in = "Linux 4.5 (0dbf5f206521)")]
fn of_packet_mode_of_one_writer() -> Outcome {
    let fifo = Named::new()?;
    let (reader, packets) = fifo.ends()?;
    let plain = fifo.writer()?;
    set_status_flags(&packets, OFlag::O_DIRECT)?;
    let written = [write(&packets, b"ab"), write(&plain, b"cd"), write(&plain, b"ef")];
    expect_eq!(written, [Ok(2); 3]);
    expect_eq!([read_some(&reader, 9), read_some(&reader, 9)], [Ok(b"ab".to_vec()), Ok(b"cdef".to_vec())]);
    Ok(())
}

/// Where the system protects FIFOs in directories that everybody may write to, `O_CREAT` does not open somebody else's, which may
/// have been planted there for one that thought it made a file; without `O_CREAT` it is opened.
#[conformance::test(man = "proc_sys_fs(5)", needs(second_user, file("/proc/sys/fs/protected_fifos")))]
fn of_somebody_elses_in_a_shared_directory() -> Outcome {
    let setting = std::fs::read_to_string("/proc/sys/fs/protected_fifos")?;
    let protected = setting.trim() != "0";
    let fifo = Named::new()?;
    let (user, group) = second_user();
    let holder = fifo.both()?;
    chown(fifo.path(), user, group)?;
    chmod(fifo.path(), 0o666)?;
    chmod(fifo.directory(), 0o1777)?;
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK;
    let expected = if protected { Err(EACCES) } else { Ok(()) };
    expect_eq!((create(fifo.path(), flags, 0o600).map(drop), fifo.visit(flags)), (expected, Ok(())));
    chmod(fifo.directory(), 0o777)?;
    expect_eq!(create(fifo.path(), flags, 0o600).map(drop), Ok(()));
    drop(holder);
    Ok(())
}

/// An opener that is let in by a partner, whose end then sends a signal, is in: the signal that comes with it does not undo that.
#[conformance::test(posix = "open", fixed_in = "Linux 3.5 (05d290d66be6)")]
fn of_a_signal_that_comes_with_the_partner() -> Outcome {
    let fifo = Named::new()?;
    signal::catch(Signal::SIGCHLD, Restart::No)?;
    for _ in 0..20 {
        let partner = Participant::spawn("partner", (), |(), _| open(fifo.path(), OFlag::O_RDONLY).map(drop))?;
        expect_eq!(open(fifo.path(), OFlag::O_WRONLY).map(drop), Ok(()));
        expect_eq!(partner.join()?, Ok(()));
    }
    Ok(())
}
