//! Making a name: what comes into being, and what is refused. A refusal leaves the directory as it was.

use conformance::prelude::*;
use conformance::sys::path::attributes::{chmod, chown};
use conformance::sys::path::node::{mkfifo_with_bad_path, mknod};
use conformance::sys::path::status::{is_fifo, lstat, path_limit, permissions};
use nix::sys::stat::SFlag;
use nix::unistd::PathconfVar;
use rstest::rstest;

use super::fixture::{Named, names_in, visit};

/// A call that makes a FIFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// `mkfifo`.
    Mkfifo,
    /// `mknod` with the type of a FIFO.
    Mknod,
}

impl Maker {
    /// Makes one.
    pub fn make(self, path: &Path, mode: u32) -> Result<(), Errno> {
        match self {
            Maker::Mkfifo => mkfifo(path, mode),
            Maker::Mknod => mknod(path, SFlag::S_IFIFO, mode, 0),
        }
    }
}

/// A new FIFO has the type of one, a single link, and the process's effective user as its owner; nobody has it open.
#[rstest]
#[conformance::test(posix = "mkfifo", posix = "mknod")]
fn makes_a_fifo(#[values(Maker::Mkfifo, Maker::Mknod)] maker: Maker) -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    expect_eq!(maker.make(&path, 0o600), Ok(()));
    let status = stat(&path)?;
    let seen = (is_fifo(&status), status.st_nlink, status.st_uid);
    expect_eq!(seen, (true, 1, nix::unistd::geteuid().as_raw()));
    expect_eq!(names_in(scratch.path()), Ok(vec!["fifo".to_owned()]));
    expect_eq!(visit(&path, OFlag::O_WRONLY), Err(ENXIO));
    Ok(())
}

/// A new FIFO belongs to the group of its directory or to the process's effective group.
#[rstest]
#[conformance::test(posix = "mkfifo", posix = "mknod")]
fn takes_the_group_of_the_directory_or_the_process(#[values(Maker::Mkfifo, Maker::Mknod)] maker: Maker) -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    expect_eq!(maker.make(&path, 0o600), Ok(()));
    let group = stat(&path)?.st_gid;
    expect!([stat(scratch.path())?.st_gid, nix::unistd::getegid().as_raw()].contains(&group), "it belongs to group {group}");
    Ok(())
}

/// In a directory with the set-group-ID bit a new FIFO belongs to the directory's group, and does not get the bit itself.
#[rstest]
#[conformance::test(man = "mknod(2)", man = "inode(7)", needs(second_user))]
fn inherits_the_group_of_a_set_group_id_directory(#[values(Maker::Mkfifo, Maker::Mknod)] maker: Maker) -> Outcome {
    let scratch = Scratch::new()?;
    let (_, group) = conformance::sandbox::second_user();
    chown(scratch.path(), nix::unistd::geteuid(), group)?;
    chmod(scratch.path(), 0o2755)?;
    let path = scratch.join("fifo");
    expect_eq!(maker.make(&path, 0o640), Ok(()));
    let status = stat(&path)?;
    expect_eq!((status.st_gid, permissions(&status)), (group.as_raw(), 0o640));
    Ok(())
}

/// A FIFO is no directory: it adds no link to the one that it is in.
#[conformance::test(posix = "mkfifo")]
fn adds_no_link_to_the_directory() -> Outcome {
    let scratch = Scratch::new()?;
    let before = stat(scratch.path())?.st_nlink;
    expect_eq!(mkfifo(&scratch.join("fifo"), 0o600), Ok(()));
    expect_eq!(stat(scratch.path())?.st_nlink, before);
    Ok(())
}

/// The device number is of no account for a FIFO: what `mknod` makes with one is like any other, and carries data.
#[conformance::test(man = "mknod(2)")]
fn ignores_the_device_number() -> Outcome {
    let fifo = Named::new()?;
    let path = fifo.beside("numbered");
    expect_eq!(mknod(&path, SFlag::S_IFIFO, 0o600, 0x0103), Ok(()));
    expect_eq!(stat(&path)?.st_rdev, stat(fifo.path())?.st_rdev);
    let reader = open(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
    let writer = open(&path, OFlag::O_WRONLY)?;
    expect_eq!((write(&writer, b"data"), read_some(&reader, 9)), (Ok(4), Ok(b"data".to_vec())));
    Ok(())
}

/// `mknod` refuses a type that is none, and makes nothing.
#[conformance::test(man = "mknod(2)")]
fn refuses_a_type_that_does_not_exist() -> Outcome {
    let scratch = Scratch::new()?;
    expect_eq!(mknod(&scratch.join("fifo"), SFlag::S_IFMT, 0o600, 0), Err(EINVAL));
    expect_eq!(names_in(scratch.path()), Ok(vec![]));
    Ok(())
}

/// A name that exists is refused, whatever it names; a symbolic link is not followed, even if it leads nowhere. What the name
/// stood for is left alone.
#[rstest]
#[case::file(|path: &Path| Ok(std::fs::write(path, "kept")?))]
#[case::directory(|path: &Path| Ok(std::fs::create_dir(path)?))]
#[case::fifo(|path: &Path| mkfifo(path, 0o640))]
#[case::link_to_a_file(|path: &Path| { std::fs::write(path.with_extension("target"), "kept")?; Ok(std::os::unix::fs::symlink("name.target", path)?) })]
#[case::dangling_link(|path: &Path| Ok(std::os::unix::fs::symlink("name.target", path)?))]
#[case::link_to_itself(|path: &Path| Ok(std::os::unix::fs::symlink("name", path)?))]
#[conformance::test(posix = "mkfifo", posix = "mknod")]
fn refuses_a_name_that_exists(#[case] occupy: fn(&Path) -> Result<(), Errno>) -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("name");
    occupy(&path)?;
    let (before, names) = (lstat(&path)?, names_in(scratch.path())?);
    for maker in [Maker::Mkfifo, Maker::Mknod] {
        expect_eq!(maker.make(&path, 0o600), Err(EEXIST), "{maker:?}");
    }
    let after = lstat(&path)?;
    expect_eq!((after.st_ino, after.st_mode, after.st_size), (before.st_ino, before.st_mode, before.st_size));
    expect_eq!(names_in(scratch.path()), Ok(names));
    Ok(())
}

/// The names that every directory has are taken: the directory itself, its parent, and the root.
#[rstest]
#[case::itself(".")]
#[case::parent("..")]
#[case::root("/")]
#[conformance::test(posix = "mkfifo")]
fn refuses_the_name_of_a_directory(#[case] name: &str) -> Outcome {
    let scratch = Scratch::new()?;
    expect_eq!(mkfifo(&scratch.join(name), 0o600), Err(EEXIST));
    Ok(())
}

/// A path is refused if a component before the last is missing, is no directory, or goes in circles, and if it is empty.
#[rstest]
#[case::missing_component(|from: &Path| from.join("missing/name"), ENOENT)]
#[case::empty(|_: &Path| PathBuf::new(), ENOENT)]
#[case::below_a_file(|from: &Path| from.join("file/name"), ENOTDIR)]
#[case::below_a_fifo(|from: &Path| from.join("fifo/name"), ENOTDIR)]
#[case::below_a_dangling_link(|from: &Path| from.join("dangling/name"), ENOENT)]
#[case::below_a_link_to_itself(|from: &Path| from.join("circle/name"), ELOOP)]
#[conformance::test(posix = "mkfifo", posix = "mknod")]
fn refuses_a_path_that_leads_nowhere(#[case] path: fn(&Path) -> PathBuf, #[case] errno: Errno) -> Outcome {
    let fifo = Named::new()?;
    std::fs::write(fifo.beside("file"), "")?;
    std::os::unix::fs::symlink("missing", fifo.beside("dangling"))?;
    std::os::unix::fs::symlink("circle", fifo.beside("circle"))?;
    let before = names_in(fifo.directory())?;
    for maker in [Maker::Mkfifo, Maker::Mknod] {
        expect_eq!(maker.make(&path(fifo.directory()), 0o600), Err(errno), "{maker:?}");
    }
    expect_eq!(names_in(fifo.directory()), Ok(before));
    Ok(())
}

/// A slash after the name asks for a directory, which a FIFO is not: nothing is made, whether or not the name exists.
#[conformance::test(posix = "mkfifo")]
fn refuses_a_trailing_slash() -> Outcome {
    let fifo = Named::new()?;
    expect_matches!(mkfifo(&fifo.beside("new/"), 0o600), Err(ENOENT | ENOTDIR));
    expect_matches!(mkfifo(&fifo.beside("fifo/"), 0o600), Err(EEXIST | ENOTDIR));
    expect_eq!(names_in(fifo.directory()), Ok(vec!["fifo".to_owned()]));
    Ok(())
}

/// A name may be as long as the directory says, and not a byte longer.
#[rstest]
#[conformance::test(posix = "mkfifo", posix = "mknod")]
fn takes_the_longest_name_and_no_longer(#[values(Maker::Mkfifo, Maker::Mknod)] maker: Maker) -> Outcome {
    let scratch = Scratch::new()?;
    let longest = path_limit(scratch.path(), PathconfVar::NAME_MAX)?;
    expect_eq!(maker.make(&scratch.join("n".repeat(longest + 1)), 0o600), Err(ENAMETOOLONG));
    expect_eq!(names_in(scratch.path()), Ok(vec![]));
    expect_eq!(maker.make(&scratch.join("n".repeat(longest)), 0o600), Ok(()));
    expect_eq!(names_in(scratch.path()), Ok(vec!["n".repeat(longest)]));
    Ok(())
}

/// A path may have `PATH_MAX` bytes, its terminator included, and not one more.
#[conformance::test(posix = "mkfifo", posix = "limits.h")]
fn takes_the_longest_path_and_no_longer() -> Outcome {
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

/// A path that cannot be read is an error, also where only its end is missing.
#[rstest]
#[case::not_a_byte(0)]
#[case::no_terminator(5)]
#[conformance::test(man = "mknod(2)")]
fn refuses_a_path_that_cannot_be_read(#[case] good: usize) -> Outcome {
    expect_eq!(mkfifo_with_bad_path(&mut Guarded::new()?, good, 0o600), Err(EFAULT));
    Ok(())
}

/// Of several processes that make one name at the same time, one makes it and all others are told that it exists.
#[conformance::test(posix = "mkfifo")]
fn has_one_winner_among_several_makers() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    let mut makers = Vec::new();
    for name in ["first", "second", "third", "fourth"] {
        makers.push(Participant::spawn(name, (), |(), link| {
            link.meet("ready");
            mkfifo(&path, 0o600)
        })?);
    }
    for maker in &makers {
        maker.until_reached("ready")?;
    }
    for maker in &makers {
        maker.open("ready")?;
    }
    let mut results = makers.into_iter().map(Participant::join).collect::<Result<Vec<_>, _>>()?;
    results.sort();
    expect_eq!(results, vec![Ok(()), Err(EEXIST), Err(EEXIST), Err(EEXIST)]);
    expect_eq!(names_in(scratch.path()), Ok(vec!["fifo".to_owned()]));
    Ok(())
}
