//! The setting `pipe-max-size` (Linux): what it refuses to be set to, and that a refusal changes nothing. No case asks for another
//! value than the present one; if a kernel takes what it should refuse, the old value is put back.
//!
//! The setting is the whole system's, so nothing is tried here that a kernel in use takes: less than a page, which pipe(7) says is
//! refused, becomes a page since Linux 4.15, and what is beyond an unsigned int is cut to its lower half.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::process::identity::become_user;
use rstest::rstest;

const SETTING: &str = "/proc/sys/fs/pipe-max-size";

/// The setting, as it was when the case began and will be when it ends.
struct Setting {
    file: OwnedFd,
    before: String,
}

impl Setting {
    fn open() -> Result<Self, Errno> {
        let file = open(Path::new(SETTING), OFlag::O_RDWR)?;
        let mut setting = Setting { file, before: String::new() };
        setting.before = setting.now()?;
        Ok(setting)
    }

    fn now(&self) -> Result<String, Errno> {
        let mut text = [0; 32];
        let count = pread(&self.file, &mut text, 0)?;
        Ok(String::from_utf8_lossy(&text[..count]).trim().to_owned())
    }

    fn set(&self, text: &str) -> Result<usize, Errno> {
        pwrite(&self.file, text.as_bytes(), 0)
    }

    fn number(&self) -> Result<u64, Failure> {
        self.before.parse().map_err(|_| Failure::from(ERANGE))
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        if self.now().as_ref() != Ok(&self.before) {
            // What else could be done where it cannot be put back? The case has failed already.
            let _ = self.set(&self.before);
        }
    }
}

/// What is no size that a pipe can have is refused, and the setting stays.
#[rstest]
#[case::a_negative_number("-1")]
#[case::a_large_negative_number("-4096")]
#[case::no_number("much")]
#[case::a_word_after_a_blank(" x")]
#[case::beyond_the_largest_power_of_two("2147483649")]
#[case::the_largest_unsigned_int("4294967295")]
#[case::beyond_an_unsigned_int("6442450945")]
#[case::beyond_a_long("99999999999999999999")]
#[conformance::test(man = "proc_sys_fs(5)", needs(writable("/proc/sys/fs/pipe-max-size")), fixed_in = "Linux 4.15 (85c2dd5473b2)")]
fn refuses(#[case] text: &str) -> Outcome {
    let setting = Setting::open()?;
    expect_eq!((setting.set(text), setting.now()), (Err(EINVAL), Ok(setting.before.clone())));
    expect_eq!((setting.set(&format!("{text}\n")), setting.now()), (Err(EINVAL), Ok(setting.before.clone())));
    Ok(())
}

/// A number with something behind it is refused even where the number is the present one.
#[conformance::test(man = "proc_sys_fs(5)", needs(writable("/proc/sys/fs/pipe-max-size")))]
fn refuses_what_follows_a_number() -> Outcome {
    let setting = Setting::open()?;
    expect_eq!((setting.set(&format!("{}x", setting.before)), setting.now()), (Err(EINVAL), Ok(setting.before.clone())));
    Ok(())
}

/// The present value can be written, with or without a line end or blanks before it, and is the same then.
#[rstest]
#[case::bare("", "")]
#[case::with_a_line_end("", "\n")]
#[case::after_blanks("  ", "\n")]
#[conformance::test(man = "proc_sys_fs(5)", needs(writable("/proc/sys/fs/pipe-max-size")))]
fn accepts_its_present_value(#[case] before: &str, #[case] after: &str) -> Outcome {
    let setting = Setting::open()?;
    let text = format!("{before}{}{after}", setting.before);
    expect_eq!((setting.set(&text), setting.now()), (Ok(text.len()), Ok(setting.before.clone())));
    Ok(())
}

/// A value is rounded up to what a pipe can have: just below the present one it is the present one.
#[conformance::test(man = "proc_sys_fs(5)", needs(writable("/proc/sys/fs/pipe-max-size")))]
fn is_rounded_up() -> Outcome {
    let setting = Setting::open()?;
    let present = setting.number()?;
    let page = u64::try_from(page_size()).unwrap_or(1);
    // Rounded up to the present value only if that is a size that a pipe can have.
    if !present.is_power_of_two() || present < 2 * page {
        let why = format!("a setting that a pipe can have; it is {present}");
        return Err(Failure::untested(why));
    }
    for below in [present - 1, present - page + 1, present / 2 + 1] {
        let text = below.to_string();
        expect_eq!((setting.set(&text), setting.now()), (Ok(text.len()), Ok(setting.before.clone())), "{below}");
    }
    Ok(())
}

/// It shows as a single number and a line end, and the whole of it is read once.
#[conformance::test(man = "proc_sys_fs(5)", needs(file("/proc/sys/fs/pipe-max-size")))]
fn shows_as_a_number() -> Outcome {
    let file = open(Path::new(SETTING), OFlag::O_RDONLY)?;
    let text = String::from_utf8_lossy(&read_some(&file, 64)?).into_owned();
    expect_matches!(text.strip_suffix('\n').map(str::parse::<u32>), Some(Ok(1..)));
    expect_eq!(read_some(&file, 64), Ok(vec![]));
    Ok(())
}

/// Who is not privileged may read the setting and not write it.
#[conformance::test(man = "proc_sys_fs(5)", needs(second_user, file("/proc/sys/fs/pipe-max-size")))]
fn is_not_for_the_unprivileged_to_change() -> Outcome {
    let user = Participant::spawn("user", (), |(), _| {
        let (user, group) = second_user();
        become_user(user, group).expect("a second user");
        [OFlag::O_WRONLY, OFlag::O_RDWR, OFlag::O_RDONLY].map(|flags| open(Path::new(SETTING), flags).map(drop))
    })?;
    expect_eq!(user.join()?, [Err(EACCES), Err(EACCES), Ok(())]);
    Ok(())
}
