//! Creating a FIFO with `mkfifo` or `mknod`: attributes of the new FIFO, and paths and names that the calls reject. A call that
//! fails leaves the directory as it was.

use conformance::prelude::*;
use conformance::sys::path::attributes::{chmod, chown};
use conformance::sys::path::node::{mkfifo_with_bad_path, mknod};
use conformance::sys::path::status::{is_fifo, lstat, path_limit, permissions};
use nix::sys::stat::SFlag;
use nix::unistd::PathconfVar;
use rstest::rstest;

use super::fixture::{Fifo, names_in, open_and_close};

/// A call that creates a FIFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `mkfifo`.
    Mkfifo,
    /// `mknod` with the type of a FIFO.
    Mknod,
}

impl Call {
    /// Creates a FIFO.
    pub fn create(self, path: &Path, mode: u32) -> Result<(), Errno> {
        match self {
            Call::Mkfifo => mkfifo(path, mode),
            Call::Mknod => mknod(path, SFlag::S_IFIFO, mode, 0),
        }
    }
}

/// `mkfifo` and `mknod` return 0 and create a FIFO for which `stat` reports `st_nlink` 1 and the effective user ID of the caller.
/// `open` of the new FIFO with `O_WRONLY | O_NONBLOCK` fails with `ENXIO`.
#[rstest]
#[conformance::test(posix = "mkfifo", posix = "mknod")]
fn creates_a_fifo_without_readers(#[values(Call::Mkfifo, Call::Mknod)] call: Call) -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    expect_eq!(call.create(&path, 0o600), Ok(()));
    let status = stat(&path)?;
    let seen = (is_fifo(&status), status.st_nlink, status.st_uid);
    expect_eq!(seen, (true, 1, nix::unistd::geteuid().as_raw()));
    expect_eq!(names_in(scratch.path()), Ok(vec!["fifo".to_owned()]));
    expect_eq!(open_and_close(&path, OFlag::O_WRONLY), Err(ENXIO));
    Ok(())
}

/// `stat` of a FIFO created by `mkfifo` or `mknod` reports in `st_gid` the group of the directory that holds the FIFO or the
/// effective group ID of the process that created the FIFO. Each of the two groups is accepted.
#[rstest]
#[conformance::test(posix = "mkfifo", posix = "mknod")]
fn group_is_that_of_the_directory_or_process(#[values(Call::Mkfifo, Call::Mknod)] call: Call) -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    expect_eq!(call.create(&path, 0o600), Ok(()));
    let group = stat(&path)?.st_gid;
    expect!([stat(scratch.path())?.st_gid, nix::unistd::getegid().as_raw()].contains(&group), "the group is {group}");
    Ok(())
}

/// In a directory with the set-group-ID bit, `mkfifo` and `mknod` with mode 0640 create a FIFO for which `stat` reports the group
/// of the directory and the mode bits 0640, without the set-group-ID bit.
#[rstest]
#[conformance::test(man = "mknod(2)", man = "inode(7)", needs(second_user))]
fn inherits_the_group_of_a_set_group_id_directory(#[values(Call::Mkfifo, Call::Mknod)] call: Call) -> Outcome {
    let scratch = Scratch::new()?;
    let (_, group) = conformance::sandbox::second_user();
    chown(scratch.path(), nix::unistd::geteuid(), group)?;
    chmod(scratch.path(), 0o2755)?;
    let path = scratch.join("fifo");
    expect_eq!(call.create(&path, 0o640), Ok(()));
    let status = stat(&path)?;
    expect_eq!((status.st_gid, permissions(&status)), (group.as_raw(), 0o640));
    Ok(())
}

/// `mkfifo` leaves the link count (`st_nlink`) of the directory of the new FIFO as it was.
#[conformance::test(posix = "mkfifo", level = customary)]
fn adds_no_link_to_the_directory() -> Outcome {
    let scratch = Scratch::new()?;
    let before = stat(scratch.path())?.st_nlink;
    expect_eq!(mkfifo(&scratch.join("fifo"), 0o600), Ok(()));
    expect_eq!(stat(scratch.path())?.st_nlink, before);
    Ok(())
}

/// `mknod` with `S_IFIFO` and a device number other than 0 returns 0, and `stat` of the new FIFO reports the same `st_rdev` as
/// for a FIFO created by `mkfifo`. `write` of 4 bytes to the new FIFO returns 4, and `read` returns these bytes.
#[conformance::test(man = "mknod(2)")]
fn ignores_the_device_number() -> Outcome {
    let fifo = Fifo::new()?;
    let path = fifo.sibling("numbered");
    expect_eq!(mknod(&path, SFlag::S_IFIFO, 0o600, 0x0103), Ok(()));
    expect_eq!(stat(&path)?.st_rdev, stat(fifo.path())?.st_rdev);
    let reader = open(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
    let writer = open(&path, OFlag::O_WRONLY)?;
    expect_eq!((write(&writer, b"data"), read_some(&reader, 9)), (Ok(4), Ok(b"data".to_vec())));
    Ok(())
}

/// `mknod` with the undefined file type `S_IFMT` fails with `EINVAL` and creates no name.
#[conformance::test(man = "mknod(2)")]
fn rejects_an_unknown_file_type() -> Outcome {
    let scratch = Scratch::new()?;
    expect_eq!(mknod(&scratch.join("fifo"), SFlag::S_IFMT, 0o600, 0), Err(EINVAL));
    expect_eq!(names_in(scratch.path()), Ok(vec![]));
    Ok(())
}

/// `mkfifo` and `mknod` fail with `EEXIST` if the name is that of a regular file, a directory, a FIFO, or a symbolic link,
/// dangling or not. The existing file keeps its inode, mode and size.
#[rstest]
#[case::file(|path: &Path| Ok(std::fs::write(path, "kept")?))]
#[case::directory(|path: &Path| Ok(std::fs::create_dir(path)?))]
#[case::fifo(|path: &Path| mkfifo(path, 0o640))]
#[case::symbolic_link_to_a_file(|path: &Path| { std::fs::write(path.with_extension("target"), "kept")?; Ok(std::os::unix::fs::symlink("name.target", path)?) })]
#[case::dangling_symbolic_link(|path: &Path| Ok(std::os::unix::fs::symlink("name.target", path)?))]
#[case::symbolic_link_to_itself(|path: &Path| Ok(std::os::unix::fs::symlink("name", path)?))]
#[conformance::test(posix = "mkfifo", posix = "mknod")]
fn rejects_an_existing_name(#[case] create_other: fn(&Path) -> Result<(), Errno>) -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("name");
    create_other(&path)?;
    let (before, names) = (lstat(&path)?, names_in(scratch.path())?);
    for call in [Call::Mkfifo, Call::Mknod] {
        expect_eq!(call.create(&path, 0o600), Err(EEXIST), "{call:?}");
    }
    let after = lstat(&path)?;
    expect_eq!((after.st_ino, after.st_mode, after.st_size), (before.st_ino, before.st_mode, before.st_size));
    expect_eq!(names_in(scratch.path()), Ok(names));
    Ok(())
}

/// `mkfifo` fails with `EEXIST` if the path ends in `.` or `..` or is `/`.
#[rstest]
#[case::dot(".")]
#[case::dot_dot("..")]
#[case::root("/")]
#[conformance::test(posix = "mkfifo")]
fn rejects_a_directory_path(#[case] name: &str) -> Outcome {
    let scratch = Scratch::new()?;
    expect_eq!(mkfifo(&scratch.join(name), 0o600), Err(EEXIST));
    Ok(())
}

/// `mkfifo` and `mknod` fail with `ENOENT` if the path is empty or a directory of it is missing, with `ENOTDIR` below a file that
/// is not a directory, and with `ELOOP` below a symbolic link to itself.
#[rstest]
#[case::missing_component(|from: &Path| from.join("missing/name"), ENOENT)]
#[case::empty_path(|_: &Path| PathBuf::new(), ENOENT)]
#[case::below_a_file(|from: &Path| from.join("file/name"), ENOTDIR)]
#[case::below_a_fifo(|from: &Path| from.join("fifo/name"), ENOTDIR)]
#[case::below_a_dangling_symbolic_link(|from: &Path| from.join("dangling/name"), ENOENT)]
#[case::below_a_symbolic_link_to_itself(|from: &Path| from.join("circle/name"), ELOOP)]
#[conformance::test(posix = "mkfifo", posix = "mknod")]
fn rejects_an_unresolvable_path(#[case] path: fn(&Path) -> PathBuf, #[case] errno: Errno) -> Outcome {
    let fifo = Fifo::new()?;
    std::fs::write(fifo.sibling("file"), "")?;
    std::os::unix::fs::symlink("missing", fifo.sibling("dangling"))?;
    std::os::unix::fs::symlink("circle", fifo.sibling("circle"))?;
    let before = names_in(fifo.directory())?;
    for call in [Call::Mkfifo, Call::Mknod] {
        expect_eq!(call.create(&path(fifo.directory()), 0o600), Err(errno), "{call:?}");
    }
    expect_eq!(names_in(fifo.directory()), Ok(before));
    Ok(())
}

/// `mkfifo` with a trailing slash in the path fails with `ENOENT` or `ENOTDIR`, of which either is accepted, if no file has the
/// name. If the name is that of a FIFO, `mkfifo` fails with `EEXIST` or `ENOTDIR`, of which either is accepted.
#[conformance::test(posix = "mkfifo")]
fn rejects_a_trailing_slash() -> Outcome {
    let fifo = Fifo::new()?;
    expect_matches!(mkfifo(&fifo.sibling("new/"), 0o600), Err(ENOENT | ENOTDIR));
    expect_matches!(mkfifo(&fifo.sibling("fifo/"), 0o600), Err(EEXIST | ENOTDIR));
    expect_eq!(names_in(fifo.directory()), Ok(vec!["fifo".to_owned()]));
    Ok(())
}

/// `mkfifo` and `mknod` return 0 for a name of `NAME_MAX` bytes, and fail with `ENAMETOOLONG` for a name of `NAME_MAX` + 1 bytes.
#[rstest]
#[conformance::test(posix = "mkfifo", posix = "mknod")]
fn limits_names_to_name_max(#[values(Call::Mkfifo, Call::Mknod)] call: Call) -> Outcome {
    let scratch = Scratch::new()?;
    let longest = path_limit(scratch.path(), PathconfVar::NAME_MAX)?;
    expect_eq!(call.create(&scratch.join("n".repeat(longest + 1)), 0o600), Err(ENAMETOOLONG));
    expect_eq!(names_in(scratch.path()), Ok(vec![]));
    expect_eq!(call.create(&scratch.join("n".repeat(longest)), 0o600), Ok(()));
    expect_eq!(names_in(scratch.path()), Ok(vec!["n".repeat(longest)]));
    Ok(())
}

/// `mkfifo` returns 0 for a path of `PATH_MAX` bytes including the terminating null byte, and fails with `ENAMETOOLONG` for a
/// path of `PATH_MAX` + 1 bytes including the terminating null byte.
#[conformance::test(posix = "mkfifo", posix = "limits.h")]
fn limits_paths_to_path_max() -> Outcome {
    let scratch = Scratch::new()?;
    let longest = usize::try_from(libc::PATH_MAX).unwrap_or(1024) - 1;
    let directory = scratch.path().to_str().ok_or(EINVAL)?.to_owned();
    let path = |length: usize| PathBuf::from(format!("{directory}{}fifo", "/".repeat(length - directory.len() - 4)));
    expect_eq!(mkfifo(&path(longest + 1), 0o600), Err(ENAMETOOLONG));
    expect_eq!(names_in(scratch.path()), Ok(vec![]));
    expect_eq!(mkfifo(&path(longest), 0o600), Ok(()));
    expect_eq!(names_in(scratch.path()), Ok(vec!["fifo".to_owned()]));
    Ok(())
}

/// `mkfifo` fails with `EFAULT` if the pointer to the path is invalid, or if the path has no null byte in its first five bytes
/// and inaccessible memory begins after them.
#[rstest]
#[case::first_byte_inaccessible(0)]
#[case::sixth_byte_inaccessible(5)]
#[conformance::test(man = "mknod(2)")]
fn rejects_an_invalid_path_pointer(#[case] accessible: usize) -> Outcome {
    expect_eq!(mkfifo_with_bad_path(&mut Guarded::new()?, accessible, 0o600), Err(EFAULT));
    Ok(())
}

/// If four processes call `mkfifo` for one name at the same time, one call returns 0 and the other three fail with `EEXIST`.
#[conformance::test(posix = "mkfifo")]
fn concurrent_mkfifo_succeeds_once() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    let mut creators = Vec::new();
    for name in ["first", "second", "third", "fourth"] {
        creators.push(Participant::spawn(name, (), |(), link| {
            link.meet("ready");
            mkfifo(&path, 0o600)
        })?);
    }
    let_go(&creators, "ready")?;
    let mut results = creators.into_iter().map(Participant::join).collect::<Result<Vec<_>, _>>()?;
    results.sort();
    expect_eq!(results, vec![Ok(()), Err(EEXIST), Err(EEXIST), Err(EEXIST)]);
    expect_eq!(names_in(scratch.path()), Ok(vec!["fifo".to_owned()]));
    Ok(())
}
