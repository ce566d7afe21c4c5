//! The names of semaphores: which characters and lengths are allowed, which names are the same, and names that POSIX leaves to the
//! implementation.

use conformance::prelude::*;
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::semaphore::{Semaphore, sem_unlink};
use nix::sys::stat::Mode;
use rstest::rstest;

use super::fixture::{Name, create_named};

/// The value that an unrelated process finds under the name, decremented to 0.
fn found_by_an_unrelated_process(name: &str) -> Result<Result<u32, Errno>, Failure> {
    let name = name.to_owned();
    let unrelated = Participant::exec("unrelated process", (), &name, |(), name: String, _| Semaphore::open(&name)?.drain())?;
    unrelated.join()
}

/// A unique name of so many characters after its slash.
fn of_length(length: usize) -> Name {
    let unique = unique_name("long");
    let filling = "x".repeat(length.saturating_sub(unique.len() - 1));
    Name::of(unique + &filling)
}

/// `sem_open` with `O_CREAT` accepts a slash followed by letters, dots, spaces, UTF-8, percent signs or backslashes as the name,
/// and `sem_open` in an unrelated process then opens the same semaphore. After `sem_unlink`, `sem_open` of the name without
/// `O_CREAT` fails with `ENOENT`.
#[rstest]
#[case::letters("")]
#[case::dots("..a.")]
#[case::space("a b")]
#[case::utf_8("ü→")]
#[case::percent_sign("%s%n")]
#[case::backslash("\\")]
#[conformance::test(posix = "sem_open", man = "sem_overview(7)")]
fn leads_an_unrelated_process_to_the_semaphore(#[case] end: &str) -> Outcome {
    let name = Name::of(unique_name("n") + end);
    let created = create_named(&name, 3);
    expect_eq!(created.map(drop), Ok(()));
    expect_eq!((found_by_an_unrelated_process(&name)?, sem_unlink(&name)), (Ok(3), Ok(())));
    expect_eq!(Semaphore::open(&name).map(drop), Err(ENOENT));
    Ok(())
}

/// `sem_open` with `O_CREAT` creates a semaphore under a name with one or two dots between its slash and its first letter.
/// `sem_open` of this name in an unrelated process opens the same semaphore.
#[rstest]
#[case::one_dot(".")]
#[case::two_dots("..")]
#[conformance::test(man = "sem_overview(7)")]
fn may_have_dots_after_the_slash(#[case] dots: &str) -> Outcome {
    let name = Name::of(format!("/{dots}{}", &unique_name("n")[1..]));
    let semaphore = create_named(&name, 2)?;
    expect_eq!((found_by_an_unrelated_process(&name)?, semaphore.drain()), (Ok(2), Ok(0)));
    Ok(())
}

/// `sem_open` with `O_CREAT | O_EXCL` creates two semaphores under two names that differ only in upper and lower case, in length,
/// or in the last letter, and `sem_post` on one leaves the value of the other. After `sem_unlink` of one name, `sem_open` of the
/// other name returns a semaphore.
#[rstest]
#[case::upper_and_lower_case("a", "A")]
#[case::length("a", "aa")]
#[case::last_letter("aaab", "aaac")]
#[conformance::test(posix = "sem_open")]
fn different_names_lead_to_different_semaphores(#[case] one: &str, #[case] other: &str) -> Outcome {
    let stem = unique_name("n");
    let names = [one, other].map(|end| Name::of(format!("{stem}{end}")));
    let first = create_named(&names[0], 1)?;
    let second = create_named(&names[1], 0);
    expect_eq!(second.as_ref().map(Semaphore::post), Ok(Ok(())));
    let second = second?;
    expect_eq!((second.post(), first.drain(), second.drain()), (Ok(()), Ok(1), Ok(2)));
    expect_eq!((sem_unlink(&names[0]), Semaphore::open(&names[1]).map(drop)), (Ok(()), Ok(())));
    Ok(())
}

/// `sem_open` with `O_CREAT` creates a semaphore under a name of 251 characters after the slash, and `sem_open` of this name in
/// an unrelated process opens the same semaphore. `sem_open` without `O_CREAT` of the name without its last character fails with
/// `ENOENT`.
#[conformance::test(man = "sem_overview(7)")]
fn may_have_251_characters() -> Outcome {
    let name = of_length(251);
    expect_eq!(name.len(), 252);
    let created = create_named(&name, 4);
    expect_eq!(created.map(drop), Ok(()));
    expect_eq!(found_by_an_unrelated_process(&name)?, Ok(4));
    expect_eq!(Semaphore::open(&name[..name.len() - 1]).map(drop), Err(ENOENT));
    Ok(())
}

/// For a name of 256 or 5000 characters after the slash, `sem_open` with `O_CREAT` fails with `ENAMETOOLONG` or `EINVAL`;
/// `sem_open` without `O_CREAT`, and `sem_unlink`, fail with `ENAMETOOLONG`, `EINVAL` or `ENOENT`. The errors are recorded.
#[rstest]
#[case::above_name_max(256)]
#[case::above_path_max(5000)]
#[conformance::test(posix = "sem_open", level = observed)]
fn too_long_name_fails(#[case] length: usize) -> Outcome {
    let name = of_length(length);
    let failed = [create_named(&name, 1).map(drop), Semaphore::open_with(&name, OFlag::empty(), 0, 0).map(drop), sem_unlink(&name)];
    // Creating cannot fail because the name is missing.
    expect_matches!(failed[0], Err(ENAMETOOLONG | EINVAL));
    for result in failed {
        expect_matches!(result, Err(ENAMETOOLONG | EINVAL | ENOENT));
    }
    observe!(&format!("semaphore.name-of-{length}-characters"), format!("{failed:?}"));
    Ok(())
}

/// For each of the names `""`, `"/"`, `"/."` and `"/.."`, `sem_open` with `O_CREAT | O_EXCL` returns a semaphore, whose name
/// `sem_unlink` removes, or fails with `EINVAL`, `ENOENT` or `EACCES`. Each result is accepted, and whether the semaphore was
/// created is recorded.
#[rstest]
#[case::empty("", "empty")]
#[case::slash("/", "slash")]
#[case::dot("/.", "dot")]
#[case::parent("/..", "parent")]
#[conformance::test(posix = "sem_open", level = observed)]
fn empty_and_dot_names_are_recorded(#[case] text: &str, #[case] key: &str) -> Outcome {
    let opened = Semaphore::open(text).map(drop);
    let created = create_named(text, 1).map(drop);
    let unlinked = sem_unlink(text);
    expect_matches!((opened, created, unlinked), (Err(_), Ok(()), Ok(())) | (Err(_), Err(EINVAL | ENOENT | EACCES), Err(_)));
    observe!(&format!("semaphore.name-{key}-can-be-created"), created.is_ok());
    expect_matches!(Semaphore::open(text).map(drop), Err(_));
    Ok(())
}

/// `sem_open` with `O_CREAT | O_EXCL` and the name `/NAME/a`, where `/NAME` is an existing semaphore, creates a new semaphore, or
/// fails with `EINVAL`, `ENOENT`, `ENOTDIR` or `EACCES`. Each result is accepted, and whether the semaphore was created is
/// recorded.
#[conformance::test(posix = "sem_open", level = observed)]
fn slash_inside_a_name_is_recorded() -> Outcome {
    let plain = Name::new();
    let _semaphore = create_named(&plain, 7)?;
    let name = Name::of(format!("{}/a", &*plain));
    let created = create_named(&name, 2);
    expect_matches!(
        created.as_ref().map(Semaphore::drain).map_err(|&errno| errno),
        Ok(Ok(2)) | Err(EINVAL | ENOENT | ENOTDIR | EACCES)
    );
    observe!("semaphore.name-with-a-slash-inside-can-be-created", created.is_ok());
    expect_eq!(found_by_an_unrelated_process(&plain)?, Ok(7));
    Ok(())
}

/// If a semaphore `/NAME` exists, `sem_open` without `O_CREAT` and with the name `NAME` returns that semaphore, fails with
/// `ENOENT`, or fails with any other error. Each of the three results is accepted and recorded.
#[conformance::test(posix = "sem_open", level = observed)]
fn name_without_a_leading_slash_is_recorded() -> Outcome {
    let name = Name::new();
    let semaphore = create_named(&name, 3)?;
    let bare = Name::of(name[1..].to_owned());
    let opened = match Semaphore::open(&bare) {
        Ok(same) => {
            expect_eq!((same.post(), semaphore.drain()), (Ok(()), Ok(4)));
            "same semaphore"
        }
        Err(ENOENT) => "ENOENT",
        Err(_) => "another error",
    };
    observe!("semaphore.name-without-leading-slash", opened);
    Ok(())
}

/// If a semaphore `/NAME` exists, `sem_open` without `O_CREAT` and with the name `///NAME` returns that semaphore, fails with
/// `ENOENT`, or fails with any other error. Each of the three results is accepted and recorded.
#[conformance::test(posix = "sem_open", level = observed)]
fn name_with_three_leading_slashes_is_recorded() -> Outcome {
    let name = Name::new();
    let semaphore = create_named(&name, 3)?;
    let opened = match Semaphore::open(&format!("//{}", &*name)) {
        Ok(same) => {
            expect_eq!((same.try_wait(), semaphore.drain()), (Ok(()), Ok(2)));
            "same semaphore"
        }
        Err(ENOENT) => "ENOENT",
        Err(_) => "another error",
    };
    observe!("semaphore.name-with-three-leading-slashes", opened);
    Ok(())
}

/// `sem_open` with `O_CREAT | O_EXCL` and the name of an existing shared memory object creates a semaphore or fails with
/// `EEXIST`; the result is recorded. The shared memory object and its bytes stay as they were.
#[conformance::test(posix = "sem_open", level = observed)]
fn name_of_a_shared_memory_object_is_recorded() -> Outcome {
    let name = Name::new();
    let memory = SharedMemory::create(&name)?;
    memory.set_size(page_size())?;
    let created = create_named(&name, 5);
    expect_matches!(created.as_ref().map(Semaphore::drain).map_err(|&errno| errno), Ok(Ok(5)) | Err(EEXIST));
    observe!("semaphore.name-of-a-shared-memory-object", if created.is_ok() { "can be created" } else { "EEXIST" });
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDWR;
    expect_eq!(nix::sys::mman::shm_open(&*name, flags, Mode::empty()).map(drop).map_err(Errno::from), Err(EEXIST));
    expect_eq!(memory.map(page_size(), Access::Read)?.read(0, page_size()), vec![0; page_size()]);
    Ok(())
}
