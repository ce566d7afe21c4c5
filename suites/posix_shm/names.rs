//! Names: what they may be made of, how long they may be, and that a refused one makes nothing.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use conformance::prelude::*;
use conformance::sys::memory::shm::{shm_open, shm_unlink};
use rstest::rstest;

use super::fixture::{CREATE, CREATE_NEW, Name, size_of_object};

/// Characters that a name may have after its slash.
const LONGEST: usize = 255;

/// A name of so many characters after the slash, which nobody else uses.
fn of_length(length: usize) -> Name {
    let mut text = unique_name("long");
    while text.len() <= length {
        text.push('n');
    }
    Name::of(text)
}

/// What opening for reading, making and unlinking say of a name.
fn tried(name: &str) -> [Result<(), Errno>; 3] {
    [shm_open(name, OFlag::O_RDONLY, 0).map(drop), shm_open(name, CREATE, 0o600).map(drop), shm_unlink(name)]
}

/// A name of the greatest length names one object, from its making to its unlinking; and another one that differs in the last
/// character only.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn may_have_name_max_characters() -> Outcome {
    let name = of_length(LONGEST);
    let other = Name::of(format!("{}m", &name.text()[..LONGEST]));
    let object = name.open(CREATE_NEW, 0o600);
    expect_matches!(object, Ok(_));
    expect_eq!(other.visit(OFlag::O_RDONLY), Err(ENOENT));
    ftruncate_to(&object?, 7)?;
    let found = name.open(OFlag::O_RDONLY, 0);
    expect_eq!(found.and_then(size_of_object), Ok(7));
    expect_eq!((name.unlink(), name.visit(OFlag::O_RDONLY)), (Ok(()), Err(ENOENT)));
    Ok(())
}

fn ftruncate_to(object: &OwnedFd, size: i64) -> Result<(), Errno> {
    conformance::sys::fd::size::ftruncate(object, size)
}

/// A name that is longer by one character is refused as too long, by every call; it is not cut to one that is allowed.
#[conformance::test(posix = "shm_open", posix = "shm_unlink", man = "shm_open(3)")]
fn that_are_too_long_by_one_are_refused() -> Outcome {
    let name = of_length(LONGEST + 1);
    let cut = Name::of(name.text()[..=LONGEST].to_owned());
    let _exists = cut.open(CREATE_NEW, 0o600)?;
    expect_eq!(tried(name.text()), [Err(ENAMETOOLONG); 3]);
    expect_eq!(cut.unlink(), Ok(()));
    Ok(())
}

/// A name that is too long by far is refused, by every call; which of the errors about names it is depends on the C library.
#[rstest]
#[case::by_a_page(LONGEST + 4096)]
#[case::by_far(100_000)]
#[conformance::test(posix = "shm_open", posix = "shm_unlink", man = "shm_open(3)")]
fn that_are_too_long_by_far_are_refused(#[case] length: usize) -> Outcome {
    let name = of_length(length);
    let cut = Name::of(name.text()[..=LONGEST].to_owned());
    let _exists = cut.open(CREATE_NEW, 0o600)?;
    let [opened, made, unlinked] = tried(name.text());
    expect_matches!((opened, made), (Err(ENAMETOOLONG | EINVAL), Err(ENAMETOOLONG | EINVAL)));
    expect_matches!(unlinked, Err(ENAMETOOLONG | EINVAL | ENOENT));
    expect_eq!(cut.unlink(), Ok(()));
    Ok(())
}

/// What cannot be a name in a flat name space is refused as invalid, and no object comes of it: nothing after the slash, or a
/// second slash after the first character.
#[rstest]
#[case::nothing("")]
#[case::slash_only("/")]
#[case::slashes_only("///")]
#[case::slash_within("/no/object")]
#[case::slash_at_the_end("/object/")]
#[case::way_out("/../object")]
#[conformance::test(man = "shm_open(3)")]
fn that_are_invalid_are_refused(#[case] name: &str) -> Outcome {
    let [opened, made, _] = tried(name);
    expect_eq!((opened, made), (Err(EINVAL), Err(EINVAL)));
    Ok(())
}

/// Unlinking by such a name is refused too: as invalid, or as the name of nothing.
#[rstest]
#[case::nothing("")]
#[case::slash_only("/")]
#[case::slash_within("/no/object")]
#[case::slash_at_the_end("/object/")]
#[conformance::test(posix = "shm_unlink", man = "shm_open(3)")]
fn that_are_invalid_unlink_nothing(#[case] name: &str) -> Outcome {
    expect_matches!(shm_unlink(name), Err(EINVAL | ENOENT));
    Ok(())
}

/// Between the first slash and the end of a name every byte is one like any other, in the smallest difference too.
#[rstest]
#[case::upper_case(b"NAME")]
#[case::dot(b".")]
#[case::three_dots(b"...")]
#[case::space(b" ")]
#[case::new_line(b"\n")]
#[case::escape(b"\x1b[0m")]
#[case::multibyte("ñámé".as_bytes())]
#[case::wide("名前".as_bytes())]
#[case::no_text(&[0xff, 0xfe, 0x80])]
#[case::semaphore_prefix(b"sem.x")]
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn may_hold_any_byte(#[case] tail: &[u8]) -> Outcome {
    let plain = Name::new("b");
    let name = OsString::from_vec([plain.text().as_bytes(), tail].concat());
    let near = OsString::from_vec([plain.text().as_bytes(), tail, b"."].concat());
    let object = shm_open(&name, CREATE_NEW, 0o600);
    let seen =
        (shm_open(&name, OFlag::O_RDONLY, 0).is_ok(), shm_open(&near, OFlag::O_RDONLY, 0).err(), plain.visit(OFlag::O_RDONLY));
    let unlinked = (shm_unlink(&near), shm_unlink(&name), shm_unlink(&name));
    expect_matches!(object, Ok(_));
    expect_eq!(seen, (true, Some(ENOENT), Err(ENOENT)));
    expect_eq!(unlinked, (Err(ENOENT), Ok(()), Err(ENOENT)));
    Ok(())
}

/// What names a directory elsewhere may be a name like any other or be refused; a directory is not made, emptied or removed.
#[rstest]
#[case::itself("one-dot", "/.")]
#[case::above("two-dots", "/..")]
#[conformance::test(posix = "shm_open", level = observed)]
fn may_not_be_those_of_directories(#[case] what: &str, #[case] name: &str) -> Outcome {
    let [opened, made, unlinked] = tried(name);
    if made.is_ok() {
        expect_eq!((opened, unlinked), (Err(ENOENT), Ok(())));
    } else {
        expect!(unlinked.is_err());
    }
    observe!(&format!("posix_shm.name-{what}-made"), format!("{made:?}"));
    Ok(())
}

/// A name that begins with a dot is one like any other.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn may_begin_with_dots() -> Outcome {
    for dots in [".", "..", "..."] {
        let name = Name::of(unique_name("dots").replacen('/', &format!("/{dots}"), 1));
        expect_matches!(name.open(CREATE_NEW, 0o600), Ok(_));
        expect_eq!((name.visit(OFlag::O_RDWR), name.unlink(), name.unlink()), (Ok(()), Ok(()), Err(ENOENT)));
    }
    Ok(())
}

/// Whether a name without a slash, or with several, is refused, the same as with one or another is the system's choice.
#[rstest]
#[case::none("without-slash", "")]
#[case::two("with-two-slashes", "//")]
#[case::many("with-many-slashes", "////")]
#[conformance::test(posix = "shm_open", level = observed)]
fn may_have_another_beginning(#[case] what: &str, #[case] beginning: &str) -> Outcome {
    let plain = Name::new("slash");
    let variant = Name::of(plain.text().replacen('/', beginning, 1));
    let choice = match variant.open(CREATE_NEW, 0o600) {
        Ok(_) if plain.visit(OFlag::O_RDONLY).is_ok() => "the same".to_owned(),
        Ok(_) => "another".to_owned(),
        Err(errno) => format!("{errno:?}"),
    };
    // Whatever it is, unlinking takes the same object away as opening has made.
    expect_eq!(variant.unlink().is_ok(), !choice.starts_with('E'));
    expect_eq!(plain.visit(OFlag::O_RDONLY), Err(ENOENT));
    observe!(&format!("posix_shm.name-{what}"), choice);
    Ok(())
}

/// Names in the name space of named semaphores are others: the two kinds of object never meet.
#[conformance::test(man = "sem_overview(7)", man = "shm_overview(7)", level = observed)]
fn may_be_shared_with_semaphores() -> Outcome {
    let name = Name::new("semaphore");
    let _object = name.open(CREATE_NEW, 0o600)?;
    let gone = conformance::sys::semaphore::sem_unlink(name.text());
    observe!("posix_shm.unlinked-by-sem-unlink", gone.is_ok());
    expect_eq!(name.visit(OFlag::O_RDONLY).is_err(), gone.is_ok());
    Ok(())
}
