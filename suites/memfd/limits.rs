//! Limits of files in memory: the size that a process may give a file (`RLIMIT_FSIZE`), the size that any file may have, and
//! positions that are none.

use conformance::prelude::*;
use conformance::sys::fd::size::{Allocate, PUNCH, fallocate, pages_of};
use conformance::sys::path::open::reopen;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::Whence;
use rstest::rstest;

use common::memory_file::{content, holding, offset, sealable, size};

/// Lets the calling process make files of so many bytes.
fn limit(bytes: usize) -> Result<(), Errno> {
    let bytes = libc_limit(bytes);
    Ok(setrlimit(Resource::RLIMIT_FSIZE, bytes, bytes)?)
}

#[allow(clippy::unnecessary_cast, reason = "limits have 32 bits on some systems")]
fn libc_limit(bytes: usize) -> nix::sys::resource::rlim_t {
    bytes as _
}

/// A write is cut at the limit of its process, to the byte; at the limit it fails, and the process is sent `SIGXFSZ`, once each time.
#[conformance::test(posix = "write", man = "getrlimit(2)")]
fn cut_a_write() -> Outcome {
    let file = sealable()?;
    signal::catch(Signal::SIGXFSZ, Restart::No)?;
    limit(5000)?;
    expect_eq!((pwrite(&file, &pattern(9000), 100), signal::caught(Signal::SIGXFSZ)), (Ok(4900), 0));
    expect_eq!((pwrite(&file, b"x", 5000), signal::caught(Signal::SIGXFSZ)), (Err(EFBIG), 1));
    expect_eq!((pwrite(&file, b"x", 6000), signal::caught(Signal::SIGXFSZ)), (Err(EFBIG), 2));
    expect_eq!((pwrite(&file, b"last", 4996), size(&file), signal::caught(Signal::SIGXFSZ)), (Ok(4), Ok(5000), 2));
    expect_eq!(content(&file), Ok([vec![0; 100], pattern(4896), b"last".to_vec()].concat()));
    Ok(())
}

/// A size beyond the limit is refused with the signal, one at the limit is not; a file that is longer already can be cut, to any size
/// below, and written where it is allowed.
#[conformance::test(posix = "ftruncate", man = "getrlimit(2)")]
fn bound_a_size() -> Outcome {
    let (file, long) = (sealable()?, holding(&pattern(9000))?);
    signal::catch(Signal::SIGXFSZ, Restart::No)?;
    limit(5000)?;
    expect_eq!((ftruncate(&file, 5001), size(&file), signal::caught(Signal::SIGXFSZ)), (Err(EFBIG), Ok(0), 1));
    expect_eq!((ftruncate(&file, 5000), size(&file), signal::caught(Signal::SIGXFSZ)), (Ok(()), Ok(5000), 1));
    expect_eq!((ftruncate(&long, 8000), size(&long), signal::caught(Signal::SIGXFSZ)), (Ok(()), Ok(8000), 1));
    expect_eq!((ftruncate(&long, 8001), pwrite(&long, b"x", 7000)), (Err(EFBIG), Err(EFBIG)));
    expect_eq!((size(&long), signal::caught(Signal::SIGXFSZ)), (Ok(8000), 3));
    expect_eq!(content(&long), Ok(pattern(8000)));
    Ok(())
}

/// Space is not allocated beyond the limit, with the signal; nothing is then allocated below it either. Holes can be punched anywhere.
#[conformance::test(man = "fallocate(2)", man = "getrlimit(2)")]
fn bound_an_allocation() -> Outcome {
    let file = sealable()?;
    signal::catch(Signal::SIGXFSZ, Restart::No)?;
    limit(5000)?;
    expect_eq!((fallocate(&file, Allocate::empty(), 0, 5001), signal::caught(Signal::SIGXFSZ)), (Err(EFBIG), 1));
    expect_eq!((size(&file), pages_of(&file)), (Ok(0), Ok(0)));
    expect_eq!((fallocate(&file, Allocate::empty(), 0, 5000), size(&file)), (Ok(()), Ok(5000)));
    expect_eq!((fallocate(&file, PUNCH, 0, 100_000), signal::caught(Signal::SIGXFSZ)), (Ok(()), 1));
    expect_eq!((size(&file), pages_of(&file)), (Ok(5000), Ok(0)));
    Ok(())
}

/// By default the signal ends the process, at the call that would pass the limit and with nothing written.
#[conformance::test(posix = "write", man = "signal(7)")]
fn end_a_process() -> Outcome {
    let file = sealable()?;
    let writer = Participant::spawn("writer", dup(&file)?, |file, link| {
        limit(10).expect("a lower limit");
        write(&file, b"0123456789").expect("up to the limit");
        link.reached("the limit");
        write(&file, b"x")
    })?;
    writer.until_reached("the limit")?;
    expect_eq!(writer.end()?, End::Killed(Signal::SIGXFSZ));
    expect_eq!(content(&file), Ok(b"0123456789".to_vec()));
    Ok(())
}

/// With the signal ignored only the error is left; memory that is mapped already is not limited.
#[conformance::test(posix = "write", man = "getrlimit(2)")]
fn do_not_hold_for_mappings() -> Outcome {
    let file = holding(&pattern(page_size()))?;
    let mapping = Mapping::new(&file, page_size(), Access::ReadWrite)?;
    signal::ignore(Signal::SIGXFSZ)?;
    limit(10)?;
    mapping.write(20, b"mapped");
    expect_eq!((write(&file, &[7; 20]), write(&file, b"x")), (Ok(10), Err(EFBIG)));
    expect_eq!(content(&file)?[..26].to_vec(), [vec![7; 10], pattern(20)[10..].to_vec(), b"mapped".to_vec()].concat());
    Ok(())
}

/// The limit is its process's own: what one must not do another may.
#[conformance::test(man = "getrlimit(2)")]
fn are_each_processs_own() -> Outcome {
    let file = sealable()?;
    let limited = Participant::spawn("limited", dup(&file)?, |file, _| {
        signal::ignore(Signal::SIGXFSZ)?;
        limit(10)?;
        Ok::<_, Errno>(ftruncate(&file, 11))
    })?;
    expect_eq!(limited.join()?, Ok(Err(EFBIG)));
    expect_eq!((ftruncate(&file, 11), size(&file)), (Ok(()), Ok(11)));
    Ok(())
}

/// Positions before the first byte are refused, whatever they are counted from, and the position stays; behind the end is fine.
#[conformance::test(posix = "lseek", man = "lseek(2)")]
fn of_a_position_are_zero_and_above() -> Outcome {
    let file = holding(b"0123456789")?;
    lseek(&file, 4, Whence::SeekSet)?;
    for (to, whence) in [(-1, Whence::SeekSet), (-5, Whence::SeekCur), (-11, Whence::SeekEnd), (i64::MIN, Whence::SeekSet)] {
        expect_eq!(lseek(&file, to, whence), Err(EINVAL));
    }
    expect_eq!(read_some(&file, 2), Ok(b"45".to_vec()));
    expect_eq!((lseek(&file, -10, Whence::SeekEnd), lseek(&file, 3, Whence::SeekCur)), (Ok(0), Ok(3)));
    expect_eq!((lseek(&file, 100, Whence::SeekEnd), read(&file, &mut [0; 5]), size(&file)), (Ok(110), Ok(0), Ok(10)));
    Ok(())
}

/// Which is the largest size, and what lies beyond it: a file cannot be longer than offsets can count.
#[conformance::test(man = "ftruncate(2)", level = observed)]
fn of_a_size_are_those_of_offsets() -> Outcome {
    let file = holding(b"abc")?;
    let largest = ftruncate(&file, i64::MAX);
    observe!("posix_shm.largest-size-of-a-file", format!("{largest:?}"));
    expect_matches!(largest, Ok(()) | Err(EFBIG));
    if largest.is_ok() {
        let at_the_end = pwrite(&file, b"x", i64::MAX);
        observe!("posix_shm.write-at-the-largest-offset", format!("{at_the_end:?}"));
        expect_matches!(at_the_end, Err(EFBIG | EINVAL | EOVERFLOW));
        expect_eq!((size(&file).map(offset), pages_of(&file), read_some(&file, 3)), (Ok(i64::MAX), Ok(1), Ok(b"abc".to_vec())));
        ftruncate(&file, 3)?;
    }
    expect_eq!((ftruncate(&file, -1), content(&file)), (Err(EINVAL), Ok(b"abc".to_vec())));
    Ok(())
}

/// What a descriptor may not do fails for its access mode, before anything happens.
#[rstest]
#[case::read_only(OFlag::O_RDONLY)]
#[case::write_only(OFlag::O_WRONLY)]
#[conformance::test(posix = "read", posix = "write", needs(procfs))]
fn of_a_descriptor_are_its_access_mode(#[case] mode: OFlag) -> Outcome {
    let file = holding(b"abc")?;
    let limited = reopen(&file, mode)?;
    let reads = mode == OFlag::O_RDONLY;
    let either = |allowed: bool, count: usize| if allowed { Ok(count) } else { Err(EBADF) };
    expect_eq!((read(&limited, &mut [0; 2]), pread(&limited, &mut [0; 2], 0)), (either(reads, 2), either(reads, 2)));
    expect_eq!((write(&limited, b"x"), pwrite(&limited, b"x", 0)), (either(!reads, 1), either(!reads, 1)));
    expect_eq!(ftruncate(&limited, 3), if reads { Err(EINVAL) } else { Ok(()) });
    expect_eq!(Mapping::new(&limited, 3, Access::Read).map(drop), if reads { Ok(()) } else { Err(EACCES) });
    expect_eq!(Mapping::new(&limited, 3, Access::ReadWrite).map(drop), Err(EACCES));
    let expected = if reads { b"abc" } else { b"xbc" };
    expect_eq!(content(&file), Ok(expected.to_vec()));
    Ok(())
}
