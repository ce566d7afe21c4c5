//! Size limits of memory files: `RLIMIT_FSIZE` for `write`, `ftruncate` and `fallocate`, and the largest size that `off_t` can
//! represent.

use conformance::prelude::*;
use conformance::sys::fd::size::{Allocate, PUNCH, fallocate, pages_of};
use nix::sys::resource::{Resource, setrlimit};

use common::memory_file::{content, holding, sealable, size};

/// Sets `RLIMIT_FSIZE` of the calling process.
fn limit(bytes: usize) -> Result<(), Errno> {
    let bytes = libc_limit(bytes);
    Ok(setrlimit(Resource::RLIMIT_FSIZE, bytes, bytes)?)
}

#[allow(clippy::unnecessary_cast, reason = "limits have 32 bits on some systems")]
fn libc_limit(bytes: usize) -> nix::sys::resource::rlim_t {
    bytes as _
}

/// `pwrite` that begins below `RLIMIT_FSIZE` and ends beyond it writes the bytes up to the limit and returns their number,
/// without a signal. `pwrite` at or beyond the limit fails with `EFBIG` and raises one `SIGXFSZ`.
#[conformance::test(posix = "write", man = "getrlimit(2)")]
fn write_stops_at_the_limit() -> Outcome {
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

/// `ftruncate` to a size that is greater than the current size and greater than `RLIMIT_FSIZE` fails with `EFBIG` and raises one
/// `SIGXFSZ`. `ftruncate` of a file that is longer than the limit to a smaller size, which may still be greater than the limit,
/// returns 0 without a signal.
#[conformance::test(posix = "ftruncate", man = "getrlimit(2)")]
fn ftruncate_beyond_the_limit_fails() -> Outcome {
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

/// `fallocate` with mode 0 of a range that ends beyond `RLIMIT_FSIZE` fails with `EFBIG`, raises one `SIGXFSZ`, and leaves size
/// and `st_blocks` as they were. `fallocate` with `FALLOC_FL_PUNCH_HOLE` of a range that ends beyond the limit returns 0 without
/// a signal.
#[conformance::test(man = "fallocate(2)", man = "getrlimit(2)")]
fn fallocate_beyond_the_limit_fails() -> Outcome {
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

/// A process without a `SIGXFSZ` handler that calls `write` with the file offset at `RLIMIT_FSIZE` is killed by `SIGXFSZ`. The
/// file contains the bytes that were written before.
#[conformance::test(posix = "write", man = "signal(7)")]
fn sigxfsz_without_handler_kills() -> Outcome {
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

/// With `SIGXFSZ` ignored, `write` with the file offset at `RLIMIT_FSIZE` fails with `EFBIG`. A store through a `MAP_SHARED`
/// mapping beyond the limit raises no signal and changes the file.
#[conformance::test(posix = "write", man = "getrlimit(2)")]
fn mapped_stores_ignore_the_limit() -> Outcome {
    let file = holding(&pattern(page_size()))?;
    let mapping = Mapping::new(&file, page_size(), Access::ReadWrite)?;
    signal::ignore(Signal::SIGXFSZ)?;
    limit(10)?;
    mapping.write(20, b"mapped");
    expect_eq!((write(&file, &[7; 20]), write(&file, b"x")), (Ok(10), Err(EFBIG)));
    expect_eq!(content(&file)?[..26].to_vec(), [vec![7; 10], pattern(20)[10..].to_vec(), b"mapped".to_vec()].concat());
    Ok(())
}

/// With `SIGXFSZ` ignored, `ftruncate` of an empty file to 11 by a process with `RLIMIT_FSIZE` 10 fails with `EFBIG`. `ftruncate`
/// of the same file to 11 by a process without this limit returns 0.
#[conformance::test(man = "getrlimit(2)")]
fn limit_binds_only_its_process() -> Outcome {
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

/// `ftruncate` of a memory file to the largest `off_t` returns 0 or fails with `EFBIG`; both are accepted and recorded.
/// `ftruncate` to -1 fails with `EINVAL`.
#[conformance::test(man = "ftruncate(2)", level = observed)]
fn largest_size_is_recorded() -> Outcome {
    let file = holding(b"abc")?;
    let largest = ftruncate(&file, i64::MAX);
    observe!("memfd.ftruncate-to-largest-off_t", format!("{largest:?}"));
    expect_matches!(largest, Ok(()) | Err(EFBIG));
    if largest.is_ok() {
        let at_the_end = pwrite(&file, b"x", i64::MAX);
        observe!("memfd.write-at-largest-off_t", format!("{at_the_end:?}"));
        expect_matches!(at_the_end, Err(EFBIG | EINVAL | EOVERFLOW));
        expect_eq!((size(&file).map(offset), pages_of(&file), read_some(&file, 3)), (Ok(i64::MAX), Ok(1), Ok(b"abc".to_vec())));
        ftruncate(&file, 3)?;
    }
    expect_eq!((ftruncate(&file, -1), content(&file)), (Err(EINVAL), Ok(b"abc".to_vec())));
    Ok(())
}
