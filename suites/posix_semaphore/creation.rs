//! Creation: a new semaphore has the value, the name and the rights that it was asked to have, from the first moment on, and there is
//! one maker only.

use conformance::prelude::*;
use conformance::sys::semaphore::{Semaphore, largest_value, sem_unlink};
#[cfg(linux)]
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rstest::rstest;

use super::fixture::Kind;
use super::name::{Name, new_only};

/// A semaphore can be taken as often as its first value says, and no more.
#[rstest]
#[case::zero(0)]
#[case::one(1)]
#[case::two(2)]
#[case::more_than_a_byte_holds(300)]
#[conformance::test(posix = "sem_open", posix = "sem_init", man = "sem_open(3)")]
fn gives_the_value_that_was_asked_for(#[case] value: u32, #[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(value)?;
    expect_eq!((semaphore.drain(), semaphore.try_wait()), (Ok(value), Err(EAGAIN)));
    Ok(())
}

/// The largest value is a value like any other: it is shown, and counts down.
#[rstest]
#[conformance::test(posix = "sem_open", posix = "sem_init", man = "sem_getvalue(3)")]
fn takes_the_largest_value(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let largest = i32::try_from(largest_value()).unwrap_or(i32::MAX);
    // What every system has to allow.
    expect!(largest >= 32_767);
    let semaphore = kind.create(largest_value())?;
    expect_eq!((semaphore.value(), semaphore.wait(), semaphore.try_wait()), (Ok(largest), Ok(()), Ok(())));
    expect_eq!(semaphore.value(), Ok(largest - 2));
    Ok(())
}

/// A value beyond the largest is refused, and leaves no name behind.
#[rstest]
#[case::one_more(1)]
#[case::all_bits(u32::MAX - i32::MAX as u32)]
#[conformance::test(posix = "sem_open", man = "sem_open(3)")]
fn refuses_a_value_beyond_the_largest(#[case] beyond: u32) -> Outcome {
    let name = Name::new();
    let value = largest_value().saturating_add(beyond);
    expect_eq!(Semaphore::open_with(&name, new_only(), 0o600, value).map(drop), Err(EINVAL));
    expect_eq!(Semaphore::open_with(&name, OFlag::O_CREAT, 0o600, value).map(drop), Err(EINVAL));
    expect_eq!((Semaphore::open(&name).map(drop), sem_unlink(&name)), (Err(ENOENT), Err(ENOENT)));
    Ok(())
}

/// Where nothing has the name, opening it fails without `O_CREAT`, however often, and makes nothing.
#[rstest]
#[case::no_flags(OFlag::empty())]
#[case::exclusive_alone(OFlag::O_EXCL)]
#[conformance::test(posix = "sem_open", man = "sem_open(3)")]
fn needs_the_flag(#[case] flags: OFlag) -> Outcome {
    let name = Name::new();
    expect_eq!([(); 2].map(|()| Semaphore::open_with(&name, flags, 0o600, 1).map(drop)), [Err(ENOENT); 2]);
    expect_eq!(sem_unlink(&name), Err(ENOENT));
    Ok(())
}

/// With `O_EXCL` a name that exists is refused, and what it names keeps its value.
#[conformance::test(posix = "sem_open", man = "sem_open(3)")]
fn can_be_exclusive() -> Outcome {
    let name = Name::new();
    let semaphore = Semaphore::open_with(&name, new_only(), 0o600, 2)?;
    expect_eq!(Semaphore::open_with(&name, new_only(), 0o600, 9).map(drop), Err(EEXIST));
    drop(semaphore);
    // The name counts, not whether somebody has it open.
    expect_eq!(Semaphore::open_with(&name, new_only(), 0o600, 9).map(drop), Err(EEXIST));
    expect_eq!(Semaphore::open(&name)?.drain(), Ok(2));
    Ok(())
}

/// `O_CREAT` opens what has the name already; value and mode are not looked at.
#[conformance::test(posix = "sem_open", man = "sem_open(3)")]
fn leaves_one_that_exists_as_it_is() -> Outcome {
    let name = Name::new();
    let first = Semaphore::open_with(&name, OFlag::O_CREAT, 0o600, 2)?;
    let again = Semaphore::open_with(&name, OFlag::O_CREAT, 0, 9);
    expect_eq!(again.as_ref().map(Semaphore::post), Ok(Ok(())));
    drop(again);
    expect_eq!((first.drain(), Semaphore::open(&name).map(drop)), (Ok(3), Ok(())));
    Ok(())
}

/// Processes that create a name at the same time, each with a value of its own.
fn race(name: &Name, flags: OFlag, post: bool) -> Result<Vec<Result<(), Errno>>, Failure> {
    let mut makers = Vec::new();
    for number in 0..RACERS {
        makers.push(Participant::spawn(&format!("maker {number}"), (), |(), link| {
            link.meet("start");
            let made = Semaphore::open_with(name, flags, 0o600, STEP * (number + 1))?;
            if post { made.post() } else { Ok(()) }
        })?);
    }
    for maker in &makers {
        maker.until_reached("start")?;
    }
    makers.iter().try_for_each(|maker| maker.open("start"))?;
    makers.into_iter().map(Participant::join).collect()
}

const RACERS: u32 = 6;
const STEP: u32 = 10;

/// Of processes that create one name exclusively at the same time exactly one does, and the value is that one's.
#[conformance::test(posix = "sem_open")]
fn has_one_winner_among_many() -> Outcome {
    for _ in 0..4 {
        let name = Name::new();
        let made = race(&name, new_only(), false)?;
        let winner = made.iter().position(Result::is_ok);
        let refused = made.iter().filter(|&&one| one == Err(EEXIST)).count();
        expect_eq!((winner.is_some(), refused), (true, RACERS as usize - 1));
        let value = winner.and_then(|winner| u32::try_from(winner).ok()).map_or(0, |winner| STEP * (winner + 1));
        expect_eq!(Semaphore::open(&name)?.drain(), Ok(value));
    }
    Ok(())
}

/// Processes that create one name at the same time, not exclusively, all get the same semaphore, whose first value one of them gave:
/// no post is lost to another.
#[conformance::test(posix = "sem_open", fixed_in = "glibc 2.39 (f957f47df7)")]
fn gives_all_who_come_at_once_the_same() -> Outcome {
    for _ in 0..4 {
        let name = Name::new();
        expect_eq!(race(&name, OFlag::O_CREAT, true)?, vec![Ok(()); RACERS as usize]);
        let value = Semaphore::open(&name)?.drain()?;
        let first = value.checked_sub(RACERS);
        expect_matches!(first, Some(STEP | 20 | 30 | 40 | 50 | 60));
    }
    Ok(())
}

/// Neither making nor opening nor closing a semaphore leaves a descriptor open.
#[conformance::test(man = "sem_overview(7)")]
fn keeps_no_descriptor() -> Outcome {
    let name = Name::new();
    let before = open_descriptors();
    let made = Semaphore::open_with(&name, new_only(), 0o600, 1)?;
    let during = open_descriptors();
    let again = Semaphore::open(&name)?;
    let twice = open_descriptors();
    let refused = (Semaphore::open_with(&name, new_only(), 0o600, 1).map(drop), Semaphore::open("/not.there").map(drop));
    expect_eq!((refused, open_descriptors()), ((Err(EEXIST), Err(ENOENT)), before.clone()));
    expect_eq!((made.close(), again.close()), (Ok(()), Ok(())));
    expect_eq!([during, twice, open_descriptors()], [before.clone(), before.clone(), before]);
    Ok(())
}

/// A process without room for a descriptor can neither make nor open a semaphore; nothing is made, and what was there keeps its value.
#[conformance::test(posix = "sem_open", man = "sem_open(3)")]
fn without_room_for_a_descriptor_leaves_nothing() -> Outcome {
    let (new, old) = (Name::new(), Name::new());
    let _kept = Semaphore::open_with(&old, new_only(), 0o600, 2)?;
    let (end, _other) = pipe()?;
    let poor = Participant::spawn("poor process", end, |end, _| {
        leave_room(&end, 0)?;
        let made = Semaphore::open_with(&new, new_only(), 0o600, 1).map(drop);
        let opened = Semaphore::open(&old).map(drop);
        let flagged = Semaphore::open_with(&old, OFlag::O_CREAT, 0o600, 1).map(drop);
        Ok::<_, Errno>((made, opened, flagged))
    })?;
    expect_eq!(poor.join()?, Ok((Err(EMFILE), Err(EMFILE), Err(EMFILE))));
    expect_eq!((Semaphore::open(&new).map(drop), Semaphore::open(&old)?.drain()), (Err(ENOENT), Ok(2)));
    Ok(())
}

/// An access mode among the flags has no meaning that is defined: it is refused, or without any effect.
#[conformance::test(posix = "sem_open", level = observed)]
fn may_refuse_an_access_mode() -> Outcome {
    let name = Name::new();
    let semaphore = Semaphore::open_with(&name, new_only(), 0o600, 2)?;
    let opened = Semaphore::open_with(&name, OFlag::O_RDWR, 0, 0).map(drop);
    expect_matches!(opened, Ok(()) | Err(EINVAL));
    observe!("semaphore.access-mode", format!("{opened:?}"));
    expect_eq!(semaphore.drain(), Ok(2));
    Ok(())
}

/// A process can have as many semaphores open at once as POSIX promises, each with a place and a value of its own.
#[conformance::test(posix = "sem_open", posix = "limits.h", needs(descriptors(300)))]
fn goes_on_to_the_promised_number() -> Outcome {
    const PROMISED: u32 = 256;
    let names: Vec<Name> = (0..PROMISED).map(|_| Name::new()).collect();
    let mut row = Vec::new();
    for (value, name) in (0..PROMISED).zip(&names) {
        let made = Semaphore::open_with(name, new_only(), 0o600, value);
        expect_eq!(made.as_ref().map(drop), Ok(()));
        row.push(made?);
    }
    let mut places: Vec<usize> = row.iter().map(Semaphore::address).collect();
    places.sort_unstable();
    places.dedup();
    expect_eq!(places.len(), row.len());
    expect_eq!(row.iter().map(Semaphore::drain).collect::<Vec<_>>(), (0..PROMISED).map(Ok).collect::<Vec<_>>());
    Ok(())
}

/// A process without room in its address space can neither make nor open a semaphore; nothing is made, and what was there keeps its
/// value.
#[cfg(linux)]
#[conformance::test(posix = "sem_open", man = "sem_open(3)")]
fn without_address_space_leaves_nothing() -> Outcome {
    let (new, old) = (Name::new(), Name::new());
    // Closed again: a child has what its parent has open, and needs no room for it.
    Semaphore::open_with(&old, new_only(), 0o600, 2)?.close()?;
    let poor = Participant::spawn("poor process", (), |(), _| {
        // Something for the library's small needs, so that the semaphore is what there is no room for.
        drop(std::hint::black_box(vec![0_u8; 32 * 1024]));
        let (soft, hard) = getrlimit(Resource::RLIMIT_AS)?;
        setrlimit(Resource::RLIMIT_AS, 0, hard)?;
        let made = Semaphore::open_with(&new, new_only(), 0o600, 1).map(drop);
        let opened = Semaphore::open(&old).map(drop);
        setrlimit(Resource::RLIMIT_AS, soft, hard)?;
        Ok::<_, Errno>((made, opened, Semaphore::open(&old).and_then(|semaphore| semaphore.post())))
    })?;
    expect_eq!(poor.join()?, Ok((Err(ENOMEM), Err(ENOMEM), Ok(()))));
    expect_eq!((Semaphore::open(&new).map(drop), Semaphore::open(&old)?.drain()), (Err(ENOENT), Ok(3)));
    Ok(())
}

/// Where the file system of the semaphores is full, of bytes or of files, making one more fails with `ENOSPC` and leaves neither its
/// name nor a draft of it; with one less, it works.
#[cfg(linux)]
#[rstest]
#[case::of_bytes("nr_blocks=1")]
#[case::of_files("nr_inodes=3")]
#[conformance::test(posix = "sem_open", man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn without_space_leaves_nothing(#[case] limit: &'static str) -> Outcome {
    let maker = Participant::spawn("maker", (), |(), _| {
        small_room(limit)?;
        let make = |name| Semaphore::open_with(name, new_only(), 0o600, 1);
        let first = make("/a")?;
        let refused = (make("/b").map(drop), Semaphore::open("/b").map(drop), std::fs::read_dir("/dev/shm")?.count());
        let usable = (first.post(), first.drain());
        let freed = (sem_unlink("/a"), first.close());
        Ok::<_, Errno>((refused, usable, freed, make("/b").map(drop)))
    })?;
    let (refused, usable, freed) = ((Err(ENOSPC), Err(ENOENT), 1), (Ok(()), Ok(2)), (Ok(()), Ok(())));
    expect_eq!(maker.join()?, Ok((refused, usable, freed, Ok(()))));
    Ok(())
}

/// Gives the calling process a mount namespace of its own, and there a small file system for its semaphores.
#[cfg(linux)]
fn small_room(limit: &str) -> Result<(), Errno> {
    use nix::mount::{MsFlags, mount};
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    mount(Some("tmpfs"), "/dev/shm", Some("tmpfs"), MsFlags::empty(), Some(limit))?;
    Ok(())
}
