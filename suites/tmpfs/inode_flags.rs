//! Marks of files in memory, as `chattr` sets them (Linux from 6.0 on): who may set which, what they forbid, and what new files get of
//! them. A file that nobody may remove is never left behind: it has no name, or is in a file system that goes with the case.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::fd::size::{Allocate, fallocate};
use conformance::sys::memory::region::Region;
use conformance::sys::path::attributes::{chmod, fchmod, fchown, set_times, set_times_through, truncate};
use conformance::sys::path::inode_flags::{APPEND, COMPRESSED, IMMUTABLE, NO_ATIME, NO_DUMP, flags, set_flags, status};
use conformance::sys::path::names::{link, mkdir};
use conformance::sys::path::open::reopen;
use conformance::sys::path::status::times;
use conformance::sys::path::xattr::set_attribute;
use conformance::sys::process::identity::become_user;
use nix::sys::mman::{MapFlags, ProtFlags};
use nix::unistd::{Gid, Uid};
use rstest::rstest;

use common::memory_file::{Small, content, holding, sealable};

/// `STATX_ATTR_IMMUTABLE`, `STATX_ATTR_APPEND` and `STATX_ATTR_NODUMP`, which have the numbers of the marks.
const SHOWN: u64 = (IMMUTABLE | APPEND | NO_DUMP) as u64;

/// Leaves systems out whose files in memory have no marks.
fn can_be_set() -> Result<(), Failure> {
    match flags(sealable()?) {
        Err(ENOTTY) => Err(Failure::unsupported("marks of files in memory", "ENOTTY")),
        other => Ok(other.map(drop)?),
    }
}

/// A new file has none; each can be set, shows through every descriptor and in every process, and can be taken back.
#[rstest]
#[case::immutable(IMMUTABLE)]
#[case::append(APPEND)]
#[case::no_dump(NO_DUMP)]
#[case::no_atime(NO_ATIME)]
#[case::two_at_once(NO_DUMP | NO_ATIME)]
#[conformance::test(man = "ioctl_iflags(2)", man = "statx(2)", needs(CAP_LINUX_IMMUTABLE))]
fn show_until_they_are_taken_back(#[case] mark: u32) -> Outcome {
    can_be_set()?;
    let file = holding(b"marked")?;
    let other = reopen(&file, OFlag::O_RDONLY)?;
    let shown =
        |file: &OwnedFd| -> Result<_, Errno> { Ok((flags(file)?, status(file)?.attributes & SHOWN, status(file)?.known & SHOWN)) };
    expect_eq!(shown(&other), Ok((0, 0, SHOWN)));
    expect_eq!(set_flags(&file, mark), Ok(()));
    let marked = Ok((mark, u64::from(mark) & SHOWN, SHOWN));
    let another = Participant::spawn("another", dup(&other)?, |other, _| shown(&other))?;
    expect_eq!((shown(&file), shown(&other), another.join()?), (marked, marked, marked));
    expect_eq!((set_flags(&other, 0), shown(&file), content(&file)), (Ok(()), Ok((0, 0, SHOWN)), Ok(b"marked".to_vec())));
    Ok(())
}

/// What files in memory cannot be is refused, together with what they could be.
#[conformance::test(man = "ioctl_iflags(2)", fixed_in = "Linux 6.18 (4dd5b5ac089b)")]
fn that_make_no_sense_are_refused() -> Outcome {
    can_be_set()?;
    let file = sealable()?;
    expect_eq!((set_flags(&file, NO_DUMP), set_flags(&file, COMPRESSED)), (Ok(()), Err(EOPNOTSUPP)));
    expect_eq!((set_flags(&file, COMPRESSED | NO_ATIME), flags(&file)), (Err(EOPNOTSUPP), Ok(NO_DUMP)));
    Ok(())
}

/// The owner sets those that bind nobody, and nobody else sets any; those that bind even the superuser take a capability, to set as to
/// take back.
#[conformance::test(man = "ioctl_iflags(2)", man = "capabilities(7)", needs(second_user, CAP_LINUX_IMMUTABLE))]
fn are_the_owners_or_need_privilege() -> Outcome {
    can_be_set()?;
    let (own, foreign, bound) = (sealable()?, sealable()?, sealable()?);
    let (user, group) = second_user();
    for file in [&own, &bound] {
        fchown(file, user, group)?;
    }
    set_flags(&bound, APPEND)?;
    let files = (own, foreign, bound);
    let stranger = Participant::spawn("stranger", files, move |(own, foreign, bound), _| {
        become_user(user, group)?;
        let binding = [IMMUTABLE, APPEND, IMMUTABLE | NO_DUMP].map(|mark| set_flags(&own, mark));
        let taken_back = [set_flags(&bound, 0), set_flags(&bound, APPEND | NO_DUMP)];
        Ok::<_, Errno>((
            set_flags(&own, NO_DUMP),
            set_flags(&foreign, NO_DUMP),
            binding,
            taken_back,
            [flags(&own)?, flags(&foreign)?, flags(&bound)?],
        ))
    })?;
    let expected = (Ok(()), Err(EPERM), [Err(EPERM); 3], [Err(EPERM), Ok(())], [NO_DUMP, 0, APPEND | NO_DUMP]);
    expect_eq!(stranger.join()?, Ok(expected));
    Ok(())
}

/// An immutable file can be read, and that is all: neither its bytes nor its status nor its names change, whoever asks. Without the mark
/// everything goes as before.
#[conformance::test(man = "ioctl_iflags(2)", man = "open(2)", needs(CAP_SYS_ADMIN, CAP_LINUX_IMMUTABLE))]
fn of_the_immutable_forbid_every_change() -> Outcome {
    can_be_set()?;
    let small = Small::of_pages(8)?;
    let path = small.join("file");
    let file = small.filled("file", 1)?;
    let before = content(&file)?;
    let changes = || {
        let elsewhere = small.join("elsewhere");
        [
            open(&path, OFlag::O_WRONLY).map(drop),
            open(&path, OFlag::O_RDONLY | OFlag::O_TRUNC).map(drop),
            truncate(&path, 7),
            fallocate(&file, Allocate::empty(), 0, 1),
            chmod(&path, 0o640),
            fchown(&file, Uid::from_raw(0), Gid::from_raw(0)),
            set_times(&path, 1, 1),
            set_attribute(&file, c"trusted.mark", b"x", 0),
            link(&path, &elsewhere),
            rename(&path, &elsewhere),
            unlink(&path),
        ]
    };
    set_flags(&file, IMMUTABLE)?;
    expect_eq!(changes(), [Err(EPERM); 11]);
    expect_eq!((open(&path, OFlag::O_RDONLY).and_then(content), fstat(&file)?.st_nlink), (Ok(before), 1));
    set_flags(&file, 0)?;
    expect_eq!(changes(), [Ok(()); 11]);
    // The name to be renamed to was one for the same file, so that nothing was done and both stayed; then one was taken away.
    expect_eq!((fstat(&file)?.st_nlink, fstat(&file)?.st_size), (1, 7));
    Ok(())
}

/// A file that may only grow takes bytes at its end, through descriptors that are opened for that alone, and loses none.
#[conformance::test(man = "ioctl_iflags(2)", man = "open(2)", needs(CAP_SYS_ADMIN, CAP_LINUX_IMMUTABLE))]
fn of_what_only_grows_forbid_to_lose_anything() -> Outcome {
    can_be_set()?;
    let small = Small::of_pages(8)?;
    let path = small.join("file");
    let file = small.file("file")?;
    write_all(&file, b"old")?;
    set_flags(&file, APPEND)?;
    let losses = [
        open(&path, OFlag::O_RDWR).map(drop),
        open(&path, OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_TRUNC).map(drop),
        truncate(&path, 1),
        conformance::sys::fd::size::ftruncate(&file, 1),
        fallocate(&file, Allocate::FALLOC_FL_PUNCH_HOLE | Allocate::FALLOC_FL_KEEP_SIZE, 0, 1),
        fchmod(&file, 0o640),
        set_times(&path, 1, 1),
        link(&path, &small.join("elsewhere")),
        rename(&path, &small.join("elsewhere")),
        unlink(&path),
    ];
    expect_eq!(losses, [Err(EPERM); 10]);
    let appender = open(&path, OFlag::O_RDWR | OFlag::O_APPEND)?;
    expect_eq!((write(&appender, b", new"), content(&appender)), (Ok(5), Ok(b"old, new".to_vec())));
    // A mapping could change what is there.
    expect_eq!(
        Region::map(&appender, 8, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED, 0).map(drop),
        Err(EACCES)
    );
    let reader = open(&path, OFlag::O_RDONLY)?;
    expect_eq!(
        Region::map(&reader, 8, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, 0).map(|region| region.read(0, 3)),
        Ok(b"old".to_vec())
    );
    Ok(())
}

/// What is made in a marked directory is marked likewise, where the mark binds nobody, and not where it does.
#[conformance::test(man = "ioctl_iflags(2)", needs(CAP_SYS_ADMIN, CAP_LINUX_IMMUTABLE))]
fn are_inherited_from_the_directory() -> Outcome {
    can_be_set()?;
    let small = Small::of_pages(8)?;
    let path = small.join("directory");
    mkdir(&path)?;
    let directory = open(&path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    let before = create(&path.join("before"), OFlag::O_RDWR, 0o600)?;
    let mut seen = Vec::new();
    for mark in [NO_DUMP, NO_ATIME, APPEND, 0] {
        set_flags(&directory, mark)?;
        let (file, below) = (path.join(format!("file {mark}")), path.join(format!("directory {mark}")));
        let file = create(&file, OFlag::O_RDWR, 0o600)?;
        mkdir(&below)?;
        let below = open(&below, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        seen.push([flags(&file)?, flags(&below)?]);
    }
    expect_eq!((seen, flags(&before)), (vec![[NO_DUMP; 2], [NO_ATIME; 2], [0; 2], [0; 2]], Ok(0)));
    Ok(())
}

/// From a directory that only grows nothing is removed, and in one that is immutable nothing is made either.
#[conformance::test(man = "ioctl_iflags(2)", needs(CAP_SYS_ADMIN, CAP_LINUX_IMMUTABLE))]
fn of_directories_bind_their_names() -> Outcome {
    can_be_set()?;
    let small = Small::of_pages(8)?;
    let path = small.join("directory");
    mkdir(&path)?;
    let directory = open(&path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    let file = path.join("file");
    let changes = || {
        let made = create(&path.join("new"), OFlag::O_RDWR | OFlag::O_EXCL, 0o600).map(drop);
        (made, rename(&file, &path.join("renamed")), unlink(&file))
    };
    create(&file, OFlag::O_RDWR, 0o600)?;
    set_flags(&directory, APPEND)?;
    expect_eq!(changes(), (Ok(()), Err(EPERM), Err(EPERM)));
    set_flags(&directory, 0)?;
    unlink(&path.join("new"))?;
    set_flags(&directory, IMMUTABLE)?;
    expect_eq!(changes(), (Err(EPERM), Err(EPERM), Err(EPERM)));
    expect_eq!(open(&file, OFlag::O_RDWR).map(drop), Ok(()));
    Ok(())
}

/// A mark is a change of status; and where reading shall not be marked, it is not.
#[conformance::test(man = "ioctl_iflags(2)", man = "inode(7)", needs(CAP_SYS_ADMIN))]
fn date_the_status_or_keep_reading_undated() -> Outcome {
    can_be_set()?;
    let small = Small::of_pages(8)?;
    let file = small.filled("file", 1)?;
    let accessed = |file: &OwnedFd| -> Result<bool, Errno> {
        set_times_through(file, 1000, 2000)?;
        read_exactly(reopen(file, OFlag::O_RDONLY)?, 1)?;
        Ok(times(&fstat(file)?)[0] != (1000, 0))
    };
    expect_eq!(accessed(&file), Ok(true));
    let changed = times(&fstat(&file)?)[2];
    while times(&fstat(&file)?)[2] == changed {
        set_flags(&file, NO_ATIME)?;
    }
    expect_eq!((accessed(&file), set_flags(&file, 0), accessed(&file)), (Ok(false), Ok(()), Ok(true)));
    Ok(())
}

/// The time of birth is that of the making, and no change moves it.
#[conformance::test(man = "statx(2)", man = "inode(7)")]
fn leave_the_time_of_birth_alone() -> Outcome {
    let file = sealable()?;
    let Some(born) = status(&file)?.born else { unsupported!("the time of birth of files in memory", EOPNOTSUPP) };
    let made = times(&fstat(&file)?)[2];
    expect_eq!((born.0, i64::from(born.1)), made);
    while times(&fstat(&file)?)[2] == made {
        write_all(&file, b"x")?;
        fchmod(&file, 0o600)?;
    }
    set_times_through(&file, 1000, 1000)?;
    expect_eq!(status(&file)?.born, Some(born));
    Ok(())
}
