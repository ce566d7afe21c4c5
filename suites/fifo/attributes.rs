//! What a FIFO is as a file: its status by name and by descriptor, its limits, and the calls on files that have no use for it.

use conformance::prelude::*;
use conformance::sys::fd::size::{fsync, ftruncate};
use conformance::sys::path::attributes::{chmod, chown, fchmod, fchown, set_times, set_times_through, truncate};
use conformance::sys::path::status::{data_times, is_fifo, path_limit, permissions};
use nix::unistd::{PathconfVar, Whence};
use rstest::rstest;

use super::fixture::Named;

/// Both ends and the name have one status: a FIFO with the same inode on the same device.
#[conformance::test(posix = "fstat", posix = "stat")]
fn are_the_same_by_name_and_by_either_end() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    let named = stat(fifo.path())?;
    for end in [fstat(&reader)?, fstat(&writer)?] {
        expect!(is_fifo(&end));
        expect_eq!((end.st_dev, end.st_ino, end.st_mode), (named.st_dev, named.st_ino, named.st_mode));
        expect_eq!((end.st_uid, end.st_gid, end.st_nlink), (named.st_uid, named.st_gid, named.st_nlink));
    }
    Ok(())
}

/// What size a FIFO shows is left to the system; an empty one is empty.
#[conformance::test(posix = "sys_stat.h", level = observed)]
fn may_show_the_unread_bytes_as_size() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    expect_eq!(fstat(&reader)?.st_size, 0);
    write_all(&writer, b"data")?;
    let sizes = [fstat(&reader)?.st_size, fstat(&writer)?.st_size, stat(fifo.path())?.st_size];
    expect_matches!(sizes, [0 | 4, 0 | 4, 0 | 4]);
    observe!("fifo.size-with-4-unread", sizes);
    Ok(())
}

/// Permissions that are set through either end are those of the name, and the reverse.
#[conformance::test(posix = "fchmod", posix = "chmod")]
fn take_permissions_from_name_and_ends() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    for (end, mode) in [(&reader, 0o640), (&writer, 0o604)] {
        expect_eq!(fchmod(end, mode), Ok(()));
        expect_eq!(permissions(&stat(fifo.path())?), mode);
    }
    expect_eq!(chmod(fifo.path(), 0o666), Ok(()));
    expect_eq!([permissions(&fstat(&reader)?), permissions(&fstat(&writer)?)], [0o666; 2]);
    Ok(())
}

/// Owner and group that are set through an end are those of the name, and the reverse; who has it open keeps it open.
#[conformance::test(posix = "fchown", posix = "chown", needs(second_user, CAP_CHOWN))]
fn take_the_owner_from_name_and_ends() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    let (user, group) = conformance::sandbox::second_user();
    let status = stat(fifo.path())?;
    expect_eq!(fchown(&reader, user, group), Ok(()));
    let named = stat(fifo.path())?;
    expect_eq!((named.st_uid, named.st_gid), (user.as_raw(), group.as_raw()));
    expect_eq!(chown(fifo.path(), status.st_uid.into(), status.st_gid.into()), Ok(()));
    let end = fstat(&writer)?;
    expect_eq!((end.st_uid, end.st_gid), (status.st_uid, status.st_gid));
    expect_eq!((write(&writer, b"x"), read(&reader, &mut [0; 9])), (Ok(1), Ok(1)));
    Ok(())
}

/// Times that are set by name or through an end are shown by the other.
#[conformance::test(posix = "utimensat", posix = "futimens")]
fn take_times_from_name_and_ends() -> Outcome {
    let fifo = Named::new()?;
    let reader = fifo.reader()?;
    expect_eq!(set_times(fifo.path(), 1000, 2000), Ok(()));
    expect_eq!(data_times(&fstat(&reader)?), [(1000, 0), (2000, 0)]);
    expect_eq!(set_times_through(&reader, 3000, 4000), Ok(()));
    expect_eq!(data_times(&stat(fifo.path())?), [(3000, 0), (4000, 0)]);
    Ok(())
}

/// The size of a record that is written as a whole is at least 512 bytes, and the same by either end and by name.
#[conformance::test(posix = "fpathconf", posix = "limits.h")]
fn agree_on_pipe_buf() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    let record = pipe_buf(&writer)?;
    expect!(record >= 512, "it is {record}");
    expect_eq!((pipe_buf(&reader), path_limit(fifo.path(), PathconfVar::PIPE_BUF)), (Ok(record), Ok(record)));
    Ok(())
}

/// Asked about a directory, the limit is that of any FIFO in it.
#[conformance::test(posix = "fpathconf")]
fn agree_with_the_directory_on_pipe_buf() -> Outcome {
    let fifo = Named::new()?;
    let (_reader, writer) = fifo.ends()?;
    expect_eq!(path_limit(fifo.directory(), PathconfVar::PIPE_BUF), pipe_buf(&writer));
    Ok(())
}

/// A FIFO has no position: it cannot be moved, whatever to and whatever is in it.
#[rstest]
#[case::start(Whence::SeekSet)]
#[case::position(Whence::SeekCur)]
#[case::end(Whence::SeekEnd)]
#[conformance::test(posix = "lseek")]
fn have_no_position(#[case] whence: Whence) -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"data")?;
    expect_eq!((lseek(&reader, 0, whence), lseek(&writer, 1, whence)), (Err(ESPIPE), Err(ESPIPE)));
    expect_eq!(read_some(&reader, 9), Ok(b"data".to_vec()));
    Ok(())
}

/// Reading and writing at a position are errors, and move nothing.
#[conformance::test(posix = "pread", posix = "pwrite")]
fn cannot_be_read_or_written_at_a_position() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"data")?;
    let read_at = nix::sys::uio::pread(&reader, &mut [0; 4], 0).map_err(Errno::from);
    let written_at = nix::sys::uio::pwrite(&writer, b"x", 0).map_err(Errno::from);
    expect_eq!((read_at, written_at, unread(&reader)), (Err(ESPIPE), Err(ESPIPE), Ok(4)));
    Ok(())
}

/// What cutting a FIFO to a length does is left to the system; it never takes away what is in it.
#[conformance::test(posix = "truncate", posix = "ftruncate", level = observed)]
fn keep_the_data_whatever_length_is_set() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"data")?;
    let results = [truncate(fifo.path(), 0), ftruncate(&writer, 0), ftruncate(&reader, 2)];
    observe!("fifo.truncate", results.map(|result| format!("{result:?}")));
    expect_eq!((unread(&reader), read_some(&reader, 9)), (Ok(4), Ok(b"data".to_vec())));
    Ok(())
}

/// There is nothing to bring to a disk: the call is refused.
#[conformance::test(man = "fsync(2)")]
fn cannot_be_synchronised() -> Outcome {
    let fifo = Named::new()?;
    let both = fifo.both()?;
    write_all(&both, b"data")?;
    expect_eq!((fsync(&both), unread(&both)), (Err(EINVAL), Ok(4)));
    Ok(())
}
