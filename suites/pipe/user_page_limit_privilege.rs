//! Processes that `/proc/sys/fs/pipe-user-pages-soft` does not limit (Linux): `CAP_SYS_RESOURCE` and `CAP_SYS_ADMIN` each lift
//! the limit for the process that has the capability.

use conformance::prelude::*;
use conformance::process::context::restart_deadline;
use conformance::sys::process::capability::keep_capabilities;
use nix::unistd::Uid;
use serial_test::file_serial;

use super::user_page_limit::{Limits, account, limits, pages_of, pages_of_another, resized, use_all_pages, with_all_pages_used};

/// The pages of a new pipe, the result of enlarging it to `pipe-max-size`, and the result of enlarging it to twice that size.
type Seen = (Result<usize, Errno>, Result<usize, Errno>, Result<usize, Errno>);

fn another(limits: Limits) -> Result<Seen, Errno> {
    let (reader, writer) = pipe()?;
    Ok((pages_of(&reader), resized(&writer, limits.pipe), resized(&writer, 2 * limits.pipe)))
}

/// Uses all pages of a user: what a process then gets with these capabilities, and what it gets after dropping them.
fn beyond_the_limit_with(names: &'static [&'static str]) -> Result<(Seen, Seen), Failure> {
    let user = with_all_pages_used(names, |limits, _large, _| {
        let with = another(limits)?;
        keep_capabilities(&[])?;
        Ok((with, another(limits)?))
    })?;
    Ok(user.join()??)
}

/// What an unprivileged user gets beyond the limit.
const BOUND: Seen = (Ok(2), Err(EPERM), Err(EPERM));

/// If a process with `CAP_SYS_ADMIN` but without `CAP_SYS_RESOURCE` has used all pages of `pipe-user-pages-soft`,
/// `fcntl(F_GETPIPE_SZ)` on its next new pipe returns 16 pages, and `fcntl(F_SETPIPE_SZ)` to `pipe-max-size` returns that size.
/// `F_SETPIPE_SZ` to twice that size fails with `EPERM`.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(CAP_SYS_ADMIN, second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient,
    fixed_in = "Linux 4.9 (9c87bcf0a31b)"
)]
fn cap_sys_admin_lifts_the_limit() -> Outcome {
    let pages = limits()?.pipe;
    expect_eq!(beyond_the_limit_with(&["CAP_SYS_ADMIN"])?, ((Ok(16), Ok(pages), Err(EPERM)), BOUND));
    Ok(())
}

/// If a process with `CAP_SYS_RESOURCE` has used all pages of `pipe-user-pages-soft`, `fcntl(F_GETPIPE_SZ)` on its next new pipe
/// returns 16 pages. `fcntl(F_SETPIPE_SZ)` on that pipe to `pipe-max-size` and to twice that size returns the requested size.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(CAP_SYS_RESOURCE, second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient,
    fixed_in = "Linux 4.9 (9c87bcf0a31b)"
)]
fn cap_sys_resource_lifts_both_limits() -> Outcome {
    let pages = limits()?.pipe;
    expect_eq!(beyond_the_limit_with(&["CAP_SYS_RESOURCE"])?, ((Ok(16), Ok(pages), Ok(2 * pages)), BOUND));
    Ok(())
}

/// If a process whose only capabilities are `CAP_DAC_OVERRIDE`, `CAP_FOWNER` and `CAP_IPC_OWNER` has used all pages of
/// `pipe-user-pages-soft`, `fcntl(F_GETPIPE_SZ)` on its next new pipe returns 2 pages. `fcntl(F_SETPIPE_SZ)` on that pipe to
/// `pipe-max-size` and to twice that size fails with `EPERM`.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(CAP_DAC_OVERRIDE, second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient
)]
fn other_capabilities_lift_no_limit() -> Outcome {
    expect_eq!(beyond_the_limit_with(&["CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_IPC_OWNER"])?, (BOUND, BOUND));
    Ok(())
}

/// If a process with effective user root and an unprivileged real user has used all pages of `pipe-user-pages-soft`,
/// `fcntl(F_GETPIPE_SZ)` on its next new pipe returns 16 pages. `fcntl(F_SETPIPE_SZ)` on that pipe to `pipe-max-size` and to
/// twice that size returns the requested size.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(CAP_SYS_ADMIN, CAP_SYS_RESOURCE, second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient
)]
fn root_has_no_limit() -> Outcome {
    restart_deadline();
    let limits = limits()?;
    let root = Participant::spawn("root", (), move |(), _| {
        // Pages are charged to the real user, which must not be root: other processes of root create pipes too.
        let root = Uid::from_raw(0);
        nix::unistd::setresuid(account().0, root, root)?;
        let _large = use_all_pages(limits);
        another(limits)
    })?;
    expect_eq!(root.join()?, Ok((Ok(16), Ok(limits.pipe), Ok(2 * limits.pipe))));
    Ok(())
}

/// If a process with `CAP_SYS_ADMIN` has used all pages of `pipe-user-pages-soft`, creates another pipe and then drops the
/// capability, `write` still adds 16 pages of bytes to that pipe. After these have been read, `fcntl(F_SETPIPE_SZ)` fails with
/// `EPERM` for 32 pages, then returns the size for 1 page, and then fails with `EPERM` for 2 pages.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(CAP_SYS_ADMIN, second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient
)]
fn is_checked_at_each_resize() -> Outcome {
    let user = with_all_pages_used(&["CAP_SYS_ADMIN"], |_, _large, _| {
        let (reader, writer) = pipe()?;
        keep_capabilities(&[])?;
        let filled = fill(&writer)? / page_size();
        read_exactly(&reader, filled * page_size())?;
        Ok((filled, resized(&writer, 32), resized(&writer, 1), resized(&writer, 2)))
    })?;
    expect_eq!(user.join()?, Ok((16, Err(EPERM), Ok(1), Err(EPERM))));
    Ok(())
}

/// If a process with `CAP_SYS_ADMIN` has used all pages of `pipe-user-pages-soft`, `fcntl(F_GETPIPE_SZ)` on a new pipe of
/// another, unprivileged process of the same user returns 2 pages. After the first process closes its pipes, `F_GETPIPE_SZ` on
/// such a new pipe returns 16 pages.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(CAP_SYS_ADMIN, second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient
)]
fn privileged_pipes_count_for_the_user() -> Outcome {
    let user = with_all_pages_used(&["CAP_SYS_ADMIN"], |_, large, link| {
        link.meet("all pages used");
        drop(large);
        link.meet("released");
        Ok(())
    })?;
    user.until_reached("all pages used")?;
    expect_eq!(pages_of_another()?, Ok(2));
    user.open("all pages used")?;
    user.until_reached("released")?;
    expect_eq!(pages_of_another()?, Ok(16));
    user.open("released")?;
    expect_eq!(user.join()?, Ok(()));
    Ok(())
}
