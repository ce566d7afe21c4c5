//! Who is not bound by what one user may take up in pipes (Linux): `CAP_SYS_RESOURCE` and `CAP_SYS_ADMIN` each lift the limit, for the
//! process that has it and not for the user.

use conformance::prelude::*;
use conformance::process::context::restart_deadline;
use conformance::sys::process::capability::keep_capabilities;
use nix::unistd::Uid;
use serial_test::file_serial;

use super::quota::{Limits, account, grown, limits, pages_of, pages_of_another, take_up, with_all_taken_up};

/// Pages of a new pipe, what comes of enlarging it to the most that the limit on one pipe allows, and of going beyond that.
type Seen = (Result<usize, Errno>, Result<usize, Errno>, Result<usize, Errno>);

fn another(limits: Limits) -> Result<Seen, Errno> {
    let (reader, writer) = pipe()?;
    Ok((pages_of(&reader), grown(&writer, limits.pipe), grown(&writer, 2 * limits.pipe)))
}

/// Takes up all of a user's pages, with these capabilities: what they give it then, and what is left when they are gone.
fn beyond_the_limit_with(names: &'static [&'static str]) -> Result<(Seen, Seen), Failure> {
    let user = with_all_taken_up(names, |limits, _large, _| {
        let with = another(limits)?;
        keep_capabilities(&[])?;
        Ok((with, another(limits)?))
    })?;
    Ok(user.join()??)
}

/// What a user without any privilege gets beyond the limit.
const BOUND: Seen = (Ok(2), Err(EPERM), Err(EPERM));

/// `CAP_SYS_ADMIN` lifts the limit on a user's pages, though not the one on a single pipe. Without it the user is bound again, by what
/// was taken up with it.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(CAP_SYS_ADMIN, second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient,
    fixed_in = "Linux 4.9 (9c87bcf0a31b)"
)]
fn of_an_administrator_is_the_usual_size() -> Outcome {
    let pages = limits()?.pipe;
    expect_eq!(beyond_the_limit_with(&["CAP_SYS_ADMIN"])?, ((Ok(16), Ok(pages), Err(EPERM)), BOUND));
    Ok(())
}

/// `CAP_SYS_RESOURCE` lifts both limits.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(CAP_SYS_RESOURCE, second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient,
    fixed_in = "Linux 4.9 (9c87bcf0a31b)"
)]
fn of_who_commands_resources_is_without_limit() -> Outcome {
    let pages = limits()?.pipe;
    expect_eq!(beyond_the_limit_with(&["CAP_SYS_RESOURCE"])?, ((Ok(16), Ok(pages), Ok(2 * pages)), BOUND));
    Ok(())
}

/// Another privilege, for files, lifts none.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(CAP_DAC_OVERRIDE, second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient
)]
fn of_another_kind_is_none_here() -> Outcome {
    expect_eq!(beyond_the_limit_with(&["CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_IPC_OWNER"])?, (BOUND, BOUND));
    Ok(())
}

/// The superuser gets pipes of the usual size, and may enlarge them, whatever it has taken up.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(CAP_SYS_ADMIN, CAP_SYS_RESOURCE, second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient
)]
fn of_the_superuser_is_without_limit() -> Outcome {
    restart_deadline();
    let limits = limits()?;
    let root = Participant::spawn("root", (), move |(), _| {
        // Not the superuser's own account, which is everybody's who makes pipes as root: that is the real user's.
        let root = Uid::from_raw(0);
        nix::unistd::setresuid(account().0, root, root)?;
        let _large = take_up(limits);
        another(limits)
    })?;
    expect_eq!(root.join()?, Ok((Ok(16), Ok(limits.pipe), Ok(2 * limits.pipe))));
    Ok(())
}

/// A pipe that privilege made keeps its size with the unprivileged who hold it then; it is theirs to reduce, and not to enlarge again.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(CAP_SYS_ADMIN, second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient
)]
fn is_asked_for_at_each_change() -> Outcome {
    let user = with_all_taken_up(&["CAP_SYS_ADMIN"], |_, _large, _| {
        let (reader, writer) = pipe()?;
        keep_capabilities(&[])?;
        let room = fill(&writer)? / page_size();
        read_exactly(&reader, room * page_size())?;
        Ok((room, grown(&writer, 32), grown(&writer, 1), grown(&writer, 2)))
    })?;
    expect_eq!(user.join()?, Ok((16, Err(EPERM), Ok(1), Err(EPERM))));
    Ok(())
}

/// The account is the user's: what it took up with privilege binds its other processes, and those of nobody else.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(CAP_SYS_ADMIN, second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient
)]
fn does_not_hide_what_was_taken_up() -> Outcome {
    let hog = with_all_taken_up(&["CAP_SYS_ADMIN"], |_, large, link| {
        link.meet("exhausted");
        drop(large);
        link.meet("released");
        Ok(())
    })?;
    hog.until_reached("exhausted")?;
    expect_eq!(pages_of_another()?, Ok(2));
    hog.open("exhausted")?;
    hog.until_reached("released")?;
    expect_eq!(pages_of_another()?, Ok(16));
    hog.open("released")?;
    expect_eq!(hog.join()?, Ok(()));
    Ok(())
}
