//! Names of shared memory objects: accepted and rejected names in `shm_open` and `shm_unlink`, their length and their bytes.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use conformance::prelude::*;
use conformance::sys::memory::shm::{shm_open, shm_unlink};
use rstest::rstest;

use super::fixture::{CREATE, CREATE_NEW, Name, size_of_object};

/// The longest name, without its slash.
const LONGEST: usize = 255;

/// A unique name with `length` characters after the slash.
fn of_length(length: usize) -> Name {
    let mut text = unique_name("long");
    while text.len() <= length {
        text.push('n');
    }
    Name::of(text)
}

/// Results of `shm_open` with `O_RDONLY`, `shm_open` with `O_CREAT`, and `shm_unlink`.
fn results_for(name: &str) -> [Result<(), Errno>; 3] {
    [shm_open(name, OFlag::O_RDONLY, 0).map(drop), shm_open(name, CREATE, 0o600).map(drop), shm_unlink(name)]
}

/// `shm_open` with `O_CREAT` creates an object for a name of 255 characters after the slash, `shm_open` without `O_CREAT` opens
/// it, and `shm_unlink` of the name returns 0. `shm_open` without `O_CREAT` of a name that differs in the last character only
/// fails with `ENOENT`.
#[conformance::test(posix = "shm_open", man = "shm_open(3)", level = documented)]
fn accepts_255_characters() -> Outcome {
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

/// `shm_open`, with and without `O_CREAT`, and `shm_unlink` fail with `ENAMETOOLONG` for a name of 256 characters after the
/// slash. An object whose name consists of the first 255 of these characters still exists afterwards.
#[conformance::test(posix = "shm_open", posix = "shm_unlink", man = "shm_open(3)", level = documented)]
fn rejects_256_characters() -> Outcome {
    let name = of_length(LONGEST + 1);
    let cut = Name::of(name.text()[..=LONGEST].to_owned());
    let _exists = cut.open(CREATE_NEW, 0o600)?;
    expect_eq!(results_for(name.text()), [Err(ENAMETOOLONG); 3]);
    expect_eq!(cut.unlink(), Ok(()));
    Ok(())
}

/// `shm_open` with a name of 4351 or 100000 characters fails with `ENAMETOOLONG` or `EINVAL`, and `shm_unlink` with
/// `ENAMETOOLONG`, `EINVAL` or `ENOENT`. An object whose name consists of the first 255 of these characters still exists
/// afterwards.
#[rstest]
#[case::one_page_longer(LONGEST + 4096)]
#[case::of_100000_characters(100_000)]
#[conformance::test(posix = "shm_open", posix = "shm_unlink", man = "shm_open(3)", level = customary)]
fn rejects_very_long_names(#[case] length: usize) -> Outcome {
    let name = of_length(length);
    let cut = Name::of(name.text()[..=LONGEST].to_owned());
    let _exists = cut.open(CREATE_NEW, 0o600)?;
    let [opened, created, unlinked] = results_for(name.text());
    expect_matches!((opened, created), (Err(ENAMETOOLONG | EINVAL), Err(ENAMETOOLONG | EINVAL)));
    expect_matches!(unlinked, Err(ENAMETOOLONG | EINVAL | ENOENT));
    expect_eq!(cut.unlink(), Ok(()));
    Ok(())
}

/// `shm_open`, with and without `O_CREAT`, fails with `EINVAL` for an empty name, for a name of slashes only, and for a name with
/// a slash after its first other character.
#[rstest]
#[case::empty("")]
#[case::slash_only("/")]
#[case::slashes_only("///")]
#[case::slash_within("/no/object")]
#[case::slash_at_the_end("/object/")]
#[case::parent_directory("/../object")]
#[conformance::test(man = "shm_open(3)")]
fn shm_open_rejects_invalid_names(#[case] name: &str) -> Outcome {
    let [opened, created, _] = results_for(name);
    expect_eq!((opened, created), (Err(EINVAL), Err(EINVAL)));
    Ok(())
}

/// `shm_unlink` fails with `EINVAL` or `ENOENT` for an empty name, for the name `/`, and for a name with a slash after its first
/// other character.
#[rstest]
#[case::empty("")]
#[case::slash_only("/")]
#[case::slash_within("/no/object")]
#[case::slash_at_the_end("/object/")]
#[conformance::test(posix = "shm_unlink", man = "shm_open(3)")]
fn shm_unlink_rejects_invalid_names(#[case] name: &str) -> Outcome {
    expect_matches!(shm_unlink(name), Err(EINVAL | ENOENT));
    Ok(())
}

/// `shm_open` with `O_CREAT` creates an object for a name that contains bytes other than slash and null after its slash, such as
/// a space, an escape character or invalid UTF-8, and `shm_unlink` of the name returns 0. `shm_open` without `O_CREAT` of the
/// name with one character more fails with `ENOENT`.
#[rstest]
#[case::upper_case(b"NAME")]
#[case::dot(b".")]
#[case::three_dots(b"...")]
#[case::space(b" ")]
#[case::new_line(b"\n")]
#[case::escape(b"\x1b[0m")]
#[case::multibyte("ñámé".as_bytes())]
#[case::wide("名前".as_bytes())]
#[case::invalid_utf_8(&[0xff, 0xfe, 0x80])]
#[case::semaphore_prefix(b"sem.x")]
#[conformance::test(posix = "shm_open", man = "shm_open(3)", level = documented)]
fn accepts_any_byte(#[case] tail: &[u8]) -> Outcome {
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

/// `shm_open` with `O_CREAT` and the name `/.` or `/..` creates an object or fails with any error; the result is recorded.
/// `shm_unlink` with this name then returns 0 if the object was created, and fails with any error if not.
#[rstest]
#[case::dot("dot", "/.")]
#[case::dot_dot("dot-dot", "/..")]
#[conformance::test(posix = "shm_open", level = observed)]
fn may_accept_dot_and_dot_dot(#[case] what: &str, #[case] name: &str) -> Outcome {
    let [opened, created, unlinked] = results_for(name);
    if created.is_ok() {
        expect_eq!((opened, unlinked), (Err(ENOENT), Ok(())));
    } else {
        expect_matches!(unlinked, Err(_));
    }
    observe!(&format!("posix_shm.creating-name-{what}"), format!("{created:?}"));
    Ok(())
}

/// `shm_open` with `O_CREAT` creates an object for a name with one, two or three dots directly after the slash and letters after
/// them, and `shm_unlink` of the name returns 0. A second `shm_unlink` fails with `ENOENT`.
#[conformance::test(posix = "shm_open", man = "shm_open(3)", level = documented)]
fn accepts_leading_dots() -> Outcome {
    for dots in [".", "..", "..."] {
        let name = Name::of(unique_name("dots").replacen('/', &format!("/{dots}"), 1));
        expect_matches!(name.open(CREATE_NEW, 0o600), Ok(_));
        expect_eq!((name.visit(OFlag::O_RDWR), name.unlink(), name.unlink()), (Ok(()), Ok(()), Err(ENOENT)));
    }
    Ok(())
}

/// `shm_open` with `O_CREAT | O_EXCL` and the name `NAME`, `//NAME` or `////NAME` fails with any error, creates the object that
/// `/NAME` opens, or creates another object; the result is recorded. `shm_unlink` with the same name returns 0 exactly if an
/// object was created.
#[rstest]
#[case::no_slash("without-slash", "")]
#[case::two_slashes("with-two-slashes", "//")]
#[case::four_slashes("with-four-slashes", "////")]
#[conformance::test(posix = "shm_open", level = observed)]
fn may_accept_other_leading_slashes(#[case] what: &str, #[case] beginning: &str) -> Outcome {
    let plain = Name::new("slash");
    let variant = Name::of(plain.text().replacen('/', beginning, 1));
    let choice = match variant.open(CREATE_NEW, 0o600) {
        Ok(_) if plain.visit(OFlag::O_RDONLY).is_ok() => "same object".to_owned(),
        Ok(_) => "other object".to_owned(),
        Err(errno) => format!("{errno:?}"),
    };
    // `shm_unlink` removes the object that `shm_open` has created with the same name.
    expect_eq!(variant.unlink().is_ok(), !choice.starts_with('E'));
    expect_eq!(plain.visit(OFlag::O_RDONLY), Err(ENOENT));
    observe!(&format!("posix_shm.name-{what}"), choice);
    Ok(())
}

/// `sem_unlink` with the name of a shared memory object fails with any error, and `shm_open` still opens the object, or returns
/// 0, and `shm_open` fails with any error. Both results are accepted and recorded.
#[conformance::test(man = "sem_overview(7)", man = "shm_overview(7)", level = observed)]
fn may_be_shared_with_named_semaphores() -> Outcome {
    let name = Name::new("semaphore");
    let _object = name.open(CREATE_NEW, 0o600)?;
    let removed = conformance::sys::semaphore::sem_unlink(name.text());
    observe!("posix_shm.removed-by-sem_unlink", removed.is_ok());
    expect_eq!(name.visit(OFlag::O_RDONLY).is_err(), removed.is_ok());
    Ok(())
}
