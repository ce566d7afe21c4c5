//! Inode flags of files on a tmpfs (`FS_IOC_SETFLAGS`, as `chattr` sets them; Linux 6.0): who may set which flag, what immutable
//! and append-only forbid, and which flags new files inherit. The creation time from `statx` is here too.
//!
//! A file that cannot be unlinked must not be left behind: it has no name, or lies in a file system that is unmounted with the
//! case.

use conformance::prelude::*;
use conformance::process::Pause;
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

/// `STATX_ATTR_IMMUTABLE`, `STATX_ATTR_APPEND` and `STATX_ATTR_NODUMP`, which have the same numbers as the inode flags.
const SHOWN: u64 = (IMMUTABLE | APPEND | NO_DUMP) as u64;

/// Unsupported on systems without inode flags on memory files.
fn require_inode_flags() -> Result<(), Failure> {
    match flags(sealable()?) {
        Err(ENOTTY) => Err(Failure::unsupported("inode flags of memory files", "ENOTTY")),
        other => Ok(other.map(drop)?),
    }
}

/// After `ioctl(FS_IOC_SETFLAGS)` sets `FS_IMMUTABLE_FL`, `FS_APPEND_FL`, `FS_NODUMP_FL` or `FS_NOATIME_FL` on a memory file,
/// `ioctl(FS_IOC_GETFLAGS)` returns this flag, and `statx` returns in `stx_attributes` `STATX_ATTR_IMMUTABLE`,
/// `STATX_ATTR_APPEND`, `STATX_ATTR_NODUMP` or none of them, in the same order, on every descriptor and in a child. After
/// `ioctl(FS_IOC_SETFLAGS)` with 0, both return none of these flags.
#[rstest]
#[case::immutable(IMMUTABLE)]
#[case::append_only(APPEND)]
#[case::no_dump(NO_DUMP)]
#[case::no_atime(NO_ATIME)]
#[case::no_dump_and_no_atime(NO_DUMP | NO_ATIME)]
#[conformance::test(man = "ioctl_iflags(2)", man = "statx(2)", needs(CAP_LINUX_IMMUTABLE))]
fn set_flag_is_shown_everywhere(#[case] flag: u32) -> Outcome {
    require_inode_flags()?;
    let file = holding(b"flagged")?;
    let other = reopen(&file, OFlag::O_RDONLY)?;
    let shown =
        |file: &OwnedFd| -> Result<_, Errno> { Ok((flags(file)?, status(file)?.attributes & SHOWN, status(file)?.known & SHOWN)) };
    expect_eq!(shown(&other), Ok((0, 0, SHOWN)));
    expect_eq!(set_flags(&file, flag), Ok(()));
    let flagged = Ok((flag, u64::from(flag) & SHOWN, SHOWN));
    let child = Participant::spawn("child", dup(&other)?, |other, _| shown(&other))?;
    expect_eq!((shown(&file), shown(&other), child.join()?), (flagged, flagged, flagged));
    expect_eq!((set_flags(&other, 0), shown(&file), content(&file)), (Ok(()), Ok((0, 0, SHOWN)), Ok(b"flagged".to_vec())));
    Ok(())
}

/// `ioctl(FS_IOC_SETFLAGS)` on a memory file with `FS_COMPR_FL`, alone or with `FS_NOATIME_FL`, fails with `EOPNOTSUPP`.
/// `ioctl(FS_IOC_GETFLAGS)` then returns the same flags as before.
#[conformance::test(man = "ioctl_iflags(2)", fixed_in = "Linux 6.18 (4dd5b5ac089b)")]
fn rejects_unsupported_flags() -> Outcome {
    require_inode_flags()?;
    let file = sealable()?;
    expect_eq!((set_flags(&file, NO_DUMP), set_flags(&file, COMPRESSED)), (Ok(()), Err(EOPNOTSUPP)));
    expect_eq!((set_flags(&file, COMPRESSED | NO_ATIME), flags(&file)), (Err(EOPNOTSUPP), Ok(NO_DUMP)));
    Ok(())
}

/// `ioctl(FS_IOC_SETFLAGS)` with `FS_NODUMP_FL` by an unprivileged process returns 0 on a file that it owns, and fails with
/// `EPERM` on a file of another user. `ioctl(FS_IOC_SETFLAGS)` that sets or clears `FS_IMMUTABLE_FL` or `FS_APPEND_FL` fails with
/// `EPERM` if the owner calls it without `CAP_LINUX_IMMUTABLE`.
#[conformance::test(man = "ioctl_iflags(2)", man = "capabilities(7)", needs(second_user, CAP_LINUX_IMMUTABLE))]
fn setting_requires_owner_or_privilege() -> Outcome {
    require_inode_flags()?;
    let (own, foreign, bound) = (sealable()?, sealable()?, sealable()?);
    let (user, group) = second_user();
    for file in [&own, &bound] {
        fchown(file, user, group)?;
    }
    set_flags(&bound, APPEND)?;
    let files = (own, foreign, bound);
    let unprivileged = Participant::spawn("second user", files, move |(own, foreign, bound), _| {
        become_user(user, group)?;
        let privileged = [IMMUTABLE, APPEND, IMMUTABLE | NO_DUMP].map(|flag| set_flags(&own, flag));
        let cleared = [set_flags(&bound, 0), set_flags(&bound, APPEND | NO_DUMP)];
        Ok::<_, Errno>((
            set_flags(&own, NO_DUMP),
            set_flags(&foreign, NO_DUMP),
            privileged,
            cleared,
            [flags(&own)?, flags(&foreign)?, flags(&bound)?],
        ))
    })?;
    let expected = (Ok(()), Err(EPERM), [Err(EPERM); 3], [Err(EPERM), Ok(())], [NO_DUMP, 0, APPEND | NO_DUMP]);
    expect_eq!(unprivileged.join()?, Ok(expected));
    Ok(())
}

/// On a file with `FS_IMMUTABLE_FL`, `open` for writing or with `O_TRUNC`, `truncate`, `fallocate`, `chmod`, `fchown`,
/// `utimensat`, `fsetxattr`, `link`, `rename` and `unlink` fail with `EPERM`, also for a privileged process. After
/// `ioctl(FS_IOC_SETFLAGS)` with 0, `open` returns a descriptor and the other calls return 0.
#[conformance::test(man = "ioctl_iflags(2)", man = "open(2)", needs(CAP_SYS_ADMIN, CAP_LINUX_IMMUTABLE))]
fn immutable_forbids_every_change() -> Outcome {
    require_inode_flags()?;
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
            set_attribute(&file, c"trusted.name", b"x", 0),
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
    // `rename` between two names of one file does nothing, so that one of two names was unlinked.
    expect_eq!((fstat(&file)?.st_nlink, fstat(&file)?.st_size), (1, 7));
    Ok(())
}

/// On a file with `FS_APPEND_FL`, `write` on a descriptor opened with `O_APPEND` returns its count. `open` for writing without
/// `O_APPEND`, `truncate`, `fallocate` with `FALLOC_FL_PUNCH_HOLE`, `fchmod`, `utimensat`, `link`, `rename` and `unlink` fail
/// with `EPERM`, and `mmap` with `MAP_SHARED` and `PROT_WRITE` fails with `EACCES`.
#[conformance::test(man = "ioctl_iflags(2)", man = "open(2)", needs(CAP_SYS_ADMIN, CAP_LINUX_IMMUTABLE))]
fn append_only_allows_only_appending() -> Outcome {
    require_inode_flags()?;
    let small = Small::of_pages(8)?;
    let path = small.join("file");
    let file = small.file("file")?;
    write_all(&file, b"old")?;
    set_flags(&file, APPEND)?;
    let changes = [
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
    expect_eq!(changes, [Err(EPERM); 10]);
    let appender = open(&path, OFlag::O_RDWR | OFlag::O_APPEND)?;
    expect_eq!((write(&appender, b", new"), content(&appender)), (Ok(5), Ok(b"old, new".to_vec())));
    // A writable mapping could change existing bytes.
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

/// `open` with `O_CREAT`, and `mkdir`, in a directory with `FS_NODUMP_FL` or `FS_NOATIME_FL` create a file or directory on which
/// `ioctl(FS_IOC_GETFLAGS)` returns the same flag. In a directory with `FS_APPEND_FL` or without flags, the new file or directory
/// has no flag.
#[conformance::test(man = "ioctl_iflags(2)", needs(CAP_SYS_ADMIN, CAP_LINUX_IMMUTABLE))]
fn new_files_inherit_nodump_and_noatime() -> Outcome {
    require_inode_flags()?;
    let small = Small::of_pages(8)?;
    let path = small.join("directory");
    mkdir(&path)?;
    let directory = open(&path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    let before = create(&path.join("before"), OFlag::O_RDWR, 0o600)?;
    let mut seen = Vec::new();
    for flag in [NO_DUMP, NO_ATIME, APPEND, 0] {
        set_flags(&directory, flag)?;
        let (file, below) = (path.join(format!("file {flag}")), path.join(format!("directory {flag}")));
        let file = create(&file, OFlag::O_RDWR, 0o600)?;
        mkdir(&below)?;
        let below = open(&below, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        seen.push([flags(&file)?, flags(&below)?]);
    }
    expect_eq!((seen, flags(&before)), (vec![[NO_DUMP; 2], [NO_ATIME; 2], [0; 2], [0; 2]], Ok(0)));
    Ok(())
}

/// In a directory with `FS_APPEND_FL`, `open` with `O_CREAT | O_EXCL` of a new name returns a descriptor, and `rename` and
/// `unlink` of a file fail with `EPERM`, also for a privileged process. In a directory with `FS_IMMUTABLE_FL` all three fail with
/// `EPERM`.
#[conformance::test(man = "ioctl_iflags(2)", needs(CAP_SYS_ADMIN, CAP_LINUX_IMMUTABLE))]
fn directory_flags_protect_names() -> Outcome {
    require_inode_flags()?;
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

/// `ioctl(FS_IOC_SETFLAGS)` updates `st_ctime` of a file. `read` leaves `st_atime` as it was while `FS_NOATIME_FL` is set on the
/// file, and updates `st_atime` before the flag is set and after it is cleared.
#[conformance::test(man = "ioctl_iflags(2)", man = "inode(7)", needs(CAP_SYS_ADMIN))]
fn noatime_keeps_the_access_time() -> Outcome {
    require_inode_flags()?;
    let small = Small::of_pages(8)?;
    let file = small.filled("file", 1)?;
    let accessed = |file: &OwnedFd| -> Result<bool, Errno> {
        set_times_through(file, 1000, 2000)?;
        read_exactly(reopen(file, OFlag::O_RDONLY)?, 1)?;
        Ok(times(&fstat(file)?)[0] != (1000, 0))
    };
    expect_eq!(accessed(&file), Ok(true));
    let changed = times(&fstat(&file)?)[2];
    let mut pause = Pause::default();
    while times(&fstat(&file)?)[2] == changed {
        pause.sleep();
        set_flags(&file, NO_ATIME)?;
    }
    expect_eq!((accessed(&file), set_flags(&file, 0), accessed(&file)), (Ok(false), Ok(()), Ok(true)));
    Ok(())
}

/// `statx` on a memory file returns in `stx_btime` the `st_ctime` that `fstat` returned directly after its creation. After
/// `write`, `fchmod` and `futimens`, `stx_btime` is the same.
#[conformance::test(man = "statx(2)", man = "inode(7)")]
fn creation_time_never_changes() -> Outcome {
    let file = sealable()?;
    let Some(born) = status(&file)?.born else { unsupported!("the creation time of memory files", EOPNOTSUPP) };
    let created = times(&fstat(&file)?)[2];
    expect_eq!((born.0, i64::from(born.1)), created);
    let mut pause = Pause::default();
    while times(&fstat(&file)?)[2] == created {
        pause.sleep();
        write_all(&file, b"x")?;
        fchmod(&file, 0o600)?;
    }
    set_times_through(&file, 1000, 1000)?;
    expect_eq!(status(&file)?.born, Some(born));
    Ok(())
}
