//! `pipe-max-size` (Linux): how large a pipe may be made, and by whom.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::process::identity::become_user;

/// The most that a user without privilege can ask for, by `/proc/sys/fs/pipe-max-size`.
fn most() -> Result<i32, Failure> {
    let text = std::fs::read_to_string("/proc/sys/fs/pipe-max-size")?;
    text.trim().parse().map_err(|_| Failure::from(ERANGE))
}

/// Up to the system's limit anybody may enlarge a pipe; one byte more is refused with `EPERM`, and the pipe stays as it was.
#[conformance::test(man = "fcntl(2)", man = "pipe(7)", needs(second_user, file("/proc/sys/fs/pipe-max-size")))]
fn binds_the_unprivileged() -> Outcome {
    let (reader, writer) = pipe()?;
    let most = most()?;
    let user = Participant::spawn("user", writer, move |end, _| {
        let (user, group) = second_user();
        become_user(user, group).expect("a second user");
        write(&end, b"kept").expect("room");
        let beyond = set_pipe_size(&end, most.saturating_add(1));
        (beyond, pipe_size(&end), set_pipe_size(&end, most), set_pipe_size(&end, 1))
    })?;
    let limit = usize::try_from(most).unwrap_or(0);
    expect_eq!(user.join()?, (Err(EPERM), Ok(16 * page_size()), Ok(limit), Ok(page_size())));
    expect_eq!(read_to_end(&reader), Ok(b"kept".to_vec()));
    Ok(())
}

/// With `CAP_SYS_RESOURCE` a pipe may be larger than the limit, and holds that much.
#[conformance::test(man = "fcntl(2)", man = "pipe(7)", needs(CAP_SYS_RESOURCE, file("/proc/sys/fs/pipe-max-size")))]
fn may_be_passed_with_privilege() -> Outcome {
    let (reader, writer) = pipe()?;
    let most = most()?;
    let twice = usize::try_from(most).unwrap_or(0) * 2;
    expect_eq!(set_pipe_size(&writer, most.saturating_add(1)), Ok(twice));
    expect_eq!((pipe_size(&reader), fill(&writer)), (Ok(twice), Ok(twice)));
    expect_eq!(set_pipe_size(&writer, most), Err(EBUSY));
    Ok(())
}

/// A pipe that privilege made larger than the limit can be shrunk and refused by anybody who holds it, but not enlarged again.
#[conformance::test(man = "fcntl(2)", man = "pipe(7)", needs(CAP_SYS_RESOURCE, second_user, file("/proc/sys/fs/pipe-max-size")))]
fn does_not_keep_the_unprivileged_from_reducing() -> Outcome {
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
