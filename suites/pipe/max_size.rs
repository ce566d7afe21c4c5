//! `/proc/sys/fs/pipe-max-size` (Linux): the largest size of one pipe that `fcntl(F_SETPIPE_SZ)` sets with and without privilege.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::process::identity::become_user;

/// The value of `/proc/sys/fs/pipe-max-size`.
fn most() -> Result<i32, Failure> {
    let text = std::fs::read_to_string("/proc/sys/fs/pipe-max-size")?;
    text.trim().parse().map_err(|_| Failure::from(ERANGE))
}

/// `fcntl(F_SETPIPE_SZ)` by an unprivileged user returns the requested size for the value of `/proc/sys/fs/pipe-max-size` and
/// fails with `EPERM` for 1 byte more. After the failure `F_GETPIPE_SZ` returns 16 pages, as before.
#[conformance::test(man = "fcntl(2)", man = "pipe(7)", needs(second_user, file("/proc/sys/fs/pipe-max-size")))]
fn limits_unprivileged_users() -> Outcome {
    let (reader, writer) = pipe()?;
    let most = most()?;
    let user = Participant::spawn("user", writer, move |end, _| {
        let (user, group) = second_user();
        become_user(user, group).expect("a second user");
        write(&end, b"kept").expect("free space");
        let beyond = set_pipe_size(&end, most.saturating_add(1));
        (beyond, pipe_size(&end), set_pipe_size(&end, most), set_pipe_size(&end, 1))
    })?;
    let limit = usize::try_from(most).unwrap_or(0);
    expect_eq!(user.join()?, (Err(EPERM), Ok(16 * page_size()), Ok(limit), Ok(page_size())));
    expect_eq!(read_to_end(&reader), Ok(b"kept".to_vec()));
    Ok(())
}

/// With `CAP_SYS_RESOURCE`, `fcntl(F_SETPIPE_SZ)` for 1 byte more than the value of `/proc/sys/fs/pipe-max-size` returns twice
/// that value. `write` then adds exactly that many bytes until the pipe is full.
#[conformance::test(man = "fcntl(2)", man = "pipe(7)", needs(CAP_SYS_RESOURCE, file("/proc/sys/fs/pipe-max-size")))]
fn does_not_limit_cap_sys_resource() -> Outcome {
    let (reader, writer) = pipe()?;
    let most = most()?;
    let twice = usize::try_from(most).unwrap_or(0) * 2;
    expect_eq!(set_pipe_size(&writer, most.saturating_add(1)), Ok(twice));
    expect_eq!((pipe_size(&reader), fill(&writer)), (Ok(twice), Ok(twice)));
    expect_eq!(set_pipe_size(&writer, most), Err(EBUSY));
    Ok(())
}

/// If a pipe has four times the size `/proc/sys/fs/pipe-max-size`, `fcntl(F_SETPIPE_SZ)` by an unprivileged user to half of its
/// size returns the new size. `F_SETPIPE_SZ` back to the first size fails with `EPERM`, and `F_GETPIPE_SZ` still returns the
/// smaller one.
#[conformance::test(man = "fcntl(2)", man = "pipe(7)", needs(CAP_SYS_RESOURCE, second_user, file("/proc/sys/fs/pipe-max-size")))]
fn lets_unprivileged_users_shrink_a_larger_pipe() -> Outcome {
    let (reader, writer) = pipe()?;
    let most = most()?;
    let limit = usize::try_from(most).unwrap_or(0);
    expect_eq!(set_pipe_size(&writer, most.saturating_mul(4)), Ok(4 * limit));
    let user = Participant::spawn("user", writer, move |end, _| {
        let (user, group) = second_user();
        become_user(user, group).expect("a second user");
        let shrunk = set_pipe_size(&end, most.saturating_mul(2));
        (shrunk, set_pipe_size(&end, most.saturating_mul(4)), pipe_size(&end))
    })?;
    expect_eq!(user.join()?, (Ok(2 * limit), Err(EPERM), Ok(2 * limit)));
    expect_eq!(pipe_size(&reader), Ok(2 * limit));
    Ok(())
}
