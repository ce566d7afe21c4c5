//! Attributes of a FIFO as a file, by name and by descriptor: `stat`, `chmod`, `chown`, `utimensat`, `pathconf`; and calls on
//! files that a FIFO does not support: `lseek`, `pread`, `pwrite`, `truncate`, `fsync`.

use conformance::prelude::*;
use conformance::sys::fd::size::{fsync, ftruncate};
use conformance::sys::path::attributes::{chmod, chown, fchmod, fchown, set_times, set_times_through, truncate};
use conformance::sys::path::status::{data_times, is_fifo, path_limit, permissions};
use nix::unistd::{PathconfVar, Whence};
use rstest::rstest;

use super::fixture::Fifo;

/// `fstat` of the read end and of the write end of a FIFO reports the file type FIFO and the same device, inode, mode, owner,
/// group and link count as `stat` of its name.
#[conformance::test(posix = "fstat", posix = "stat")]
fn stat_and_fstat_agree() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    let named = stat(fifo.path())?;
    for end in [fstat(&reader)?, fstat(&writer)?] {
        expect!(is_fifo(&end));
        expect_eq!((end.st_dev, end.st_ino, end.st_mode), (named.st_dev, named.st_ino, named.st_mode));
        expect_eq!((end.st_uid, end.st_gid, end.st_nlink), (named.st_uid, named.st_gid, named.st_nlink));
    }
    Ok(())
}

/// `fstat` of an empty FIFO reports `st_size` 0. With 4 unread bytes, `stat` and `fstat` report `st_size` 0 or 4, both are
/// accepted, and the values are recorded.
#[conformance::test(posix = "sys_stat.h", level = observed)]
fn st_size_with_unread_bytes() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    expect_eq!(fstat(&reader)?.st_size, 0);
    write_all(&writer, b"data")?;
    let sizes = [fstat(&reader)?.st_size, fstat(&writer)?.st_size, stat(fifo.path())?.st_size];
    expect_matches!(sizes, [0 | 4, 0 | 4, 0 | 4]);
    observe!("fifo.st-size-with-4-unread-bytes", sizes);
    Ok(())
}

/// Permissions set by `fchmod` through either end of a FIFO are reported by `stat` of its name, and permissions set by `chmod` of
/// the name are reported by `fstat` of both ends.
#[conformance::test(posix = "fchmod", posix = "chmod")]
fn chmod_and_fchmod_set_one_mode() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    for (end, mode) in [(&reader, 0o640), (&writer, 0o604)] {
        expect_eq!(fchmod(end, mode), Ok(()));
        expect_eq!(permissions(&stat(fifo.path())?), mode);
    }
    expect_eq!(chmod(fifo.path(), 0o666), Ok(()));
    expect_eq!([permissions(&fstat(&reader)?), permissions(&fstat(&writer)?)], [0o666; 2]);
    Ok(())
}

/// Owner and group set by `fchown` of the read end of a FIFO are reported by `stat` of its name, and those set by `chown` of the
/// name are reported by `fstat` of the write end. `write` of 1 byte to the write end then returns 1, and `read` from the read end
/// returns 1.
#[conformance::test(posix = "fchown", posix = "chown", needs(second_user, CAP_CHOWN))]
fn chown_and_fchown_set_one_owner() -> Outcome {
    let fifo = Fifo::new()?;
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

/// `fstat` of an end of a FIFO reports the timestamps that `utimensat` set on the name. `stat` of the name reports the timestamps
/// that `futimens` set through that end.
#[conformance::test(posix = "utimensat", posix = "futimens")]
fn utimensat_and_futimens_set_the_same_timestamps() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    expect_eq!(set_times(fifo.path(), 1000, 2000), Ok(()));
    expect_eq!(data_times(&fstat(&reader)?), [(1000, 0), (2000, 0)]);
    expect_eq!(set_times_through(&reader, 3000, 4000), Ok(()));
    expect_eq!(data_times(&stat(fifo.path())?), [(3000, 0), (4000, 0)]);
    Ok(())
}

/// `fpathconf(_PC_PIPE_BUF)` of the write end of a FIFO returns at least 512. `fpathconf` of the read end and `pathconf` of the
/// name return the same value.
#[conformance::test(posix = "fpathconf", posix = "limits.h")]
fn pipe_buf_is_at_least_512() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    let record = pipe_buf(&writer)?;
    expect!(record >= 512, "PIPE_BUF is {record}");
    expect_eq!((pipe_buf(&reader), path_limit(fifo.path(), PathconfVar::PIPE_BUF)), (Ok(record), Ok(record)));
    Ok(())
}

/// `pathconf(_PC_PIPE_BUF)` of a directory returns the same value as `fpathconf(_PC_PIPE_BUF)` of a FIFO in that directory.
#[conformance::test(posix = "fpathconf")]
fn pipe_buf_of_the_directory() -> Outcome {
    let fifo = Fifo::new()?;
    let (_reader, writer) = fifo.ends()?;
    expect_eq!(path_limit(fifo.directory(), PathconfVar::PIPE_BUF), pipe_buf(&writer));
    Ok(())
}

/// `lseek` on either end of a FIFO, with `SEEK_SET`, `SEEK_CUR` or `SEEK_END`, fails with `ESPIPE`. `read` then returns all bytes
/// that were unread before.
#[rstest]
#[case::seek_set(Whence::SeekSet)]
#[case::seek_cur(Whence::SeekCur)]
#[case::seek_end(Whence::SeekEnd)]
#[conformance::test(posix = "lseek")]
fn lseek_fails(#[case] whence: Whence) -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"data")?;
    expect_eq!((lseek(&reader, 0, whence), lseek(&writer, 1, whence)), (Err(ESPIPE), Err(ESPIPE)));
    expect_eq!(read_some(&reader, 9), Ok(b"data".to_vec()));
    Ok(())
}

/// `pread` from the read end of a FIFO with 4 unread bytes and `pwrite` to the write end fail with `ESPIPE`, and
/// `ioctl(FIONREAD)` still returns 4.
#[conformance::test(posix = "pread", posix = "pwrite")]
fn pread_and_pwrite_fail() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"data")?;
    let read_at = nix::sys::uio::pread(&reader, &mut [0; 4], 0).map_err(Errno::from);
    let written_at = nix::sys::uio::pwrite(&writer, b"x", 0).map_err(Errno::from);
    expect_eq!((read_at, written_at, unread(&reader)), (Err(ESPIPE), Err(ESPIPE), Ok(4)));
    Ok(())
}

/// After `truncate` of a FIFO with 4 unread bytes to length 0, and `ftruncate` of both ends, `read` returns the 4 bytes. The
/// results of these calls, which POSIX leaves unspecified, are recorded, and any result is allowed.
#[conformance::test(posix = "truncate", posix = "ftruncate", level = observed)]
fn truncate_keeps_the_data() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"data")?;
    let results = [truncate(fifo.path(), 0), ftruncate(&writer, 0), ftruncate(&reader, 2)];
    observe!("fifo.truncate", results.map(|result| format!("{result:?}")));
    expect_eq!((unread(&reader), read_some(&reader, 9)), (Ok(4), Ok(b"data".to_vec())));
    Ok(())
}

/// `fsync` of a descriptor of a FIFO with 4 unread bytes fails with `EINVAL`, and `ioctl(FIONREAD)` still returns 4.
#[conformance::test(man = "fsync(2)")]
fn fsync_fails() -> Outcome {
    let fifo = Fifo::new()?;
    let both = fifo.read_write()?;
    write_all(&both, b"data")?;
    expect_eq!((fsync(&both), unread(&both)), (Err(EINVAL), Ok(4)));
    Ok(())
}
