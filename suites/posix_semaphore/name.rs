//! A name: it leads every process to the same semaphore, and differs from every other name in any byte. What it may look like is
//! the system's choice but for a slash at the beginning and no other.

use conformance::prelude::*;
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::semaphore::{Semaphore, sem_unlink};
use nix::sys::stat::Mode;
use rstest::rstest;

/// A name that is unlinked when dropped, by the process that made it up, whoever made a semaphore of it.
#[derive(Debug)]
pub struct Name {
    text: String,
    owner: u32,
}

impl Name {
    /// A name that nobody has.
    pub fn new() -> Self {
        Name::of(unique_name("sem"))
    }

    /// This very name.
    pub fn of(text: String) -> Self {
        Name { text, owner: std::process::id() }
    }
}

impl std::ops::Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            let _ = sem_unlink(&self.text);
        }
    }
}

/// The flags that make a new semaphore and nothing else.
pub fn new_only() -> OFlag {
    OFlag::O_CREAT | OFlag::O_EXCL
}

/// What a stranger finds who opens the name: the value, counted down.
fn found_by_a_stranger(name: &str) -> Result<Result<u32, Errno>, Failure> {
    let name = name.to_owned();
    let stranger = Participant::exec("stranger", (), &name, |(), name: String, _| Semaphore::open(&name)?.drain())?;
    stranger.join()
}

/// A unique name, made as long as asked for (without its slash) by filling it up.
fn of_length(length: usize) -> Name {
    let unique = unique_name("long");
    let filling = "x".repeat(length.saturating_sub(unique.len() - 1));
    Name::of(unique + &filling)
}

/// A slash and some characters make a name, dots and bytes of any language among them; a stranger finds what it names.
#[rstest]
#[case::of_letters("")]
#[case::with_dots("..a.")]
#[case::with_a_space("a b")]
#[case::in_utf_8("ü→")]
#[case::with_a_percent_sign("%s%n")]
#[case::with_a_backslash("\\")]
#[conformance::test(posix = "sem_open", man = "sem_overview(7)")]
fn finds_its_semaphore(#[case] end: &str) -> Outcome {
    let name = Name::of(unique_name("n") + end);
    let made = Semaphore::open_with(&name, new_only(), 0o600, 3);
    expect_eq!(made.map(drop), Ok(()));
    expect_eq!((found_by_a_stranger(&name)?, sem_unlink(&name)), (Ok(3), Ok(())));
    expect_eq!(Semaphore::open(&name).map(drop), Err(ENOENT));
    Ok(())
}

/// A name may begin with a dot behind its slash.
#[rstest]
#[case::one_dot(".")]
#[case::two_dots("..")]
#[conformance::test(man = "sem_overview(7)")]
fn may_begin_with_dots(#[case] dots: &str) -> Outcome {
    let name = Name::of(format!("/{dots}{}", &unique_name("n")[1..]));
    let semaphore = Semaphore::open_with(&name, new_only(), 0o600, 2)?;
    expect_eq!((found_by_a_stranger(&name)?, semaphore.drain()), (Ok(2), Ok(0)));
    Ok(())
}

/// Names that differ in one letter's case, in length, or in the last byte only are names of different semaphores.
#[rstest]
#[case::by_case("a", "A")]
#[case::by_length("a", "aa")]
#[case::by_the_last_letter("aaab", "aaac")]
#[conformance::test(posix = "sem_open")]
fn is_told_from_one_that_differs(#[case] one: &str, #[case] other: &str) -> Outcome {
    let stem = unique_name("n");
    let names = [one, other].map(|end| Name::of(format!("{stem}{end}")));
    let first = Semaphore::open_with(&names[0], new_only(), 0o600, 1)?;
    let second = Semaphore::open_with(&names[1], new_only(), 0o600, 0);
    expect_eq!(second.as_ref().map(Semaphore::post), Ok(Ok(())));
    let second = second?;
    expect_eq!((second.post(), first.drain(), second.drain()), (Ok(()), Ok(1), Ok(2)));
    expect_eq!((sem_unlink(&names[0]), Semaphore::open(&names[1]).map(drop)), (Ok(()), Ok(())));
    Ok(())
}

/// The manual's longest name, of 251 characters behind the slash, works to its last character.
#[conformance::test(man = "sem_overview(7)")]
fn may_be_as_long_as_documented() -> Outcome {
    let name = of_length(251);
    expect_eq!(name.len(), 252);
    let made = Semaphore::open_with(&name, new_only(), 0o600, 4);
    expect_eq!(made.map(drop), Ok(()));
    expect_eq!(found_by_a_stranger(&name)?, Ok(4));
    expect_eq!(Semaphore::open(&name[..name.len() - 1]).map(drop), Err(ENOENT));
    Ok(())
}

/// A name that no directory entry could have is refused by opening, making and unlinking alike, and nothing is made.
#[rstest]
#[case::one_more_than_an_entry_holds(256)]
#[case::longer_than_a_path(5000)]
#[conformance::test(posix = "sem_open", level = observed)]
fn is_refused_where_it_is_too_long(#[case] length: usize) -> Outcome {
    let name = of_length(length);
    let refused = [
        Semaphore::open_with(&name, new_only(), 0o600, 1).map(drop),
        Semaphore::open_with(&name, OFlag::empty(), 0, 0).map(drop),
        sem_unlink(&name),
    ];
    // Which of them: glibc takes some for malformed, and looks for others in vain.
    for one in refused {
        expect_matches!(one, Err(ENAMETOOLONG | EINVAL | ENOENT));
    }
    observe!(&format!("semaphore.name-of-{length}-characters"), format!("{refused:?}"));
    expect!(refused[0] != Err(ENOENT));
    Ok(())
}

/// What is no name at all is refused by opening, making and unlinking, or works like one; never anything in between.
#[rstest]
#[case::empty("", "empty")]
#[case::slash("/", "slash")]
#[case::dot("/.", "dot")]
#[case::parent("/..", "parent")]
#[conformance::test(posix = "sem_open", level = observed)]
fn is_refused_where_it_is_none(#[case] text: &str, #[case] key: &str) -> Outcome {
    let opened = Semaphore::open(text).map(drop);
    let made = Semaphore::open_with(text, new_only(), 0o600, 1).map(drop);
    let unlinked = sem_unlink(text);
    expect_matches!((opened, made, unlinked), (Err(_), Ok(()), Ok(())) | (Err(_), Err(EINVAL | ENOENT | EACCES), Err(_)));
    observe!(&format!("semaphore.name-{key}"), made.is_ok());
    expect_matches!(Semaphore::open(text).map(drop), Err(_));
    Ok(())
}

/// A slash inside a name is the system's choice; whichever it makes, a name with one is refused or leads to what was made, and
/// never to what the name without it has.
#[conformance::test(posix = "sem_open", level = observed)]
fn may_have_a_slash_inside() -> Outcome {
    let plain = Name::new();
    let _semaphore = Semaphore::open_with(&plain, new_only(), 0o600, 7)?;
    let name = Name::of(format!("{}/a", &*plain));
    let made = Semaphore::open_with(&name, new_only(), 0o600, 2);
    expect_matches!(
        made.as_ref().map(Semaphore::drain).map_err(|&errno| errno),
        Ok(Ok(2)) | Err(EINVAL | ENOENT | ENOTDIR | EACCES)
    );
    observe!("semaphore.name-with-a-slash-inside", made.is_ok());
    expect_eq!(found_by_a_stranger(&plain)?, Ok(7));
    Ok(())
}

/// A name without a slash at the beginning is refused, or another one, or the same as with it: the system's choice.
#[conformance::test(posix = "sem_open", level = observed)]
fn may_go_without_its_slash() -> Outcome {
    let name = Name::new();
    let semaphore = Semaphore::open_with(&name, new_only(), 0o600, 3)?;
    let bare = Name::of(name[1..].to_owned());
    let became = match Semaphore::open(&bare) {
        Ok(same) => {
            expect_eq!((same.post(), semaphore.drain()), (Ok(()), Ok(4)));
            "the same"
        }
        Err(ENOENT) => "another",
        Err(_) => "refused",
    };
    observe!("semaphore.name-without-slash", became);
    Ok(())
}

/// More slashes than one at the beginning are the system's choice too: the same name, another, or refused.
#[conformance::test(posix = "sem_open", level = observed)]
fn may_have_more_slashes_in_front() -> Outcome {
    let name = Name::new();
    let semaphore = Semaphore::open_with(&name, new_only(), 0o600, 3)?;
    let became = match Semaphore::open(&format!("//{}", &*name)) {
        Ok(same) => {
            expect_eq!((same.try_wait(), semaphore.drain()), (Ok(()), Ok(2)));
            "the same"
        }
        Err(ENOENT) => "another",
        Err(_) => "refused",
    };
    observe!("semaphore.name-with-more-slashes", became);
    Ok(())
}

/// A shared memory object of the same name is something else, or in the way: the system's choice; neither is ever taken for the
/// other.
#[conformance::test(posix = "sem_open", level = observed)]
fn may_be_that_of_shared_memory_too() -> Outcome {
    let name = Name::new();
    let memory = SharedMemory::create(&name)?;
    memory.set_size(page_size())?;
    let made = Semaphore::open_with(&name, new_only(), 0o600, 5);
    expect_matches!(made.as_ref().map(Semaphore::drain).map_err(|&errno| errno), Ok(Ok(5)) | Err(EEXIST));
    observe!("semaphore.name-of-shared-memory", if made.is_ok() { "apart" } else { "in the way" });
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDWR;
    expect_eq!(nix::sys::mman::shm_open(&*name, flags, Mode::empty()).map(drop).map_err(Errno::from), Err(EEXIST));
    expect_eq!(memory.map(page_size(), Access::Read)?.read(0, page_size()), vec![0; page_size()]);
    Ok(())
}
