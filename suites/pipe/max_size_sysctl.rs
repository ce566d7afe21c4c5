//! Writing and reading `/proc/sys/fs/pipe-max-size` (Linux). The setting belongs to the whole system, so no case writes another
//! value than the present one; if a kernel accepts a value that it should reject, the case writes the old value back.
//!
//! Not tested: values below a page (rejected by pipe(7), rounded up to a page since Linux 4.15) and values above an unsigned int
//! that the kernel truncates.

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
            // The case has failed already; an error here cannot be reported.
            let _ = self.set(&self.before);
        }
    }
}

/// `pwrite` of a negative number, the word `much`, a blank and a letter, or a number above 2147483648 to
/// `/proc/sys/fs/pipe-max-size`, with or without a newline, fails with `EINVAL`. `pread` then returns the same value as before.
#[rstest]
#[case::minus_1("-1")]
#[case::minus_4096("-4096")]
#[case::a_word("much")]
#[case::a_blank_and_a_word(" x")]
#[case::above_2_gib("2147483649")]
#[case::uint_max("4294967295")]
#[case::above_uint_max("6442450945")]
#[case::above_long_max("99999999999999999999")]
#[conformance::test(man = "proc_sys_fs(5)", level = customary, needs(writable("/proc/sys/fs/pipe-max-size")), fixed_in = "Linux 4.15 (85c2dd5473b2)")]
fn rejects_invalid_values(#[case] text: &str) -> Outcome {
    let setting = Setting::open()?;
    expect_eq!((setting.set(text), setting.now()), (Err(EINVAL), Ok(setting.before.clone())));
    expect_eq!((setting.set(&format!("{text}\n")), setting.now()), (Err(EINVAL), Ok(setting.before.clone())));
    Ok(())
}

/// `pwrite` of the present value of `/proc/sys/fs/pipe-max-size` followed by the letter x to that file fails with `EINVAL`.
/// `pread` then returns the same value as before.
#[conformance::test(man = "proc_sys_fs(5)", level = customary, needs(writable("/proc/sys/fs/pipe-max-size")))]
fn rejects_text_after_the_number() -> Outcome {
    let setting = Setting::open()?;
    expect_eq!((setting.set(&format!("{}x", setting.before)), setting.now()), (Err(EINVAL), Ok(setting.before.clone())));
    Ok(())
}

/// `pwrite` of the present value to `/proc/sys/fs/pipe-max-size`, with or without a newline or two leading blanks, returns its
/// whole count. `pread` then returns the same value as before.
#[rstest]
#[case::without_newline("", "")]
#[case::with_newline("", "\n")]
#[case::after_two_blanks("  ", "\n")]
#[conformance::test(man = "proc_sys_fs(5)", needs(writable("/proc/sys/fs/pipe-max-size")))]
fn accepts_the_present_value(#[case] before: &str, #[case] after: &str) -> Outcome {
    let setting = Setting::open()?;
    let text = format!("{before}{}{after}", setting.before);
    expect_eq!((setting.set(&text), setting.now()), (Ok(text.len()), Ok(setting.before.clone())));
    Ok(())
}

/// If the value of `/proc/sys/fs/pipe-max-size` is a power of two, `pwrite` to that file of a number below this value and above
/// its half returns its whole count. The number is rounded up: `pread` then returns the same value as before.
#[conformance::test(man = "pipe(7)", needs(writable("/proc/sys/fs/pipe-max-size")))]
fn rounds_up() -> Outcome {
    let setting = Setting::open()?;
    let present = setting.number()?;
    let page = u64::try_from(page_size()).unwrap_or(1);
    // Smaller numbers are rounded up to the present value only if that is a possible size of a pipe.
    if !present.is_power_of_two() || present < 2 * page {
        let why = format!("a setting that is a possible size of a pipe; it is {present}");
        return Err(Failure::untested(why));
    }
    for below in [present - 1, present - page + 1, present / 2 + 1] {
        let text = below.to_string();
        expect_eq!((setting.set(&text), setting.now()), (Ok(text.len()), Ok(setting.before.clone())), "{below}");
    }
    Ok(())
}

/// `read` of `/proc/sys/fs/pipe-max-size` returns a decimal number and a newline, and the next `read` returns 0.
#[conformance::test(man = "proc_sys_fs(5)", needs(file("/proc/sys/fs/pipe-max-size")))]
fn reads_as_one_number() -> Outcome {
    let file = open(Path::new(SETTING), OFlag::O_RDONLY)?;
    let text = String::from_utf8_lossy(&read_some(&file, 64)?).into_owned();
    expect_matches!(text.strip_suffix('\n').map(str::parse::<u32>), Some(Ok(1..)));
    expect_eq!(read_some(&file, 64), Ok(vec![]));
    Ok(())
}

/// `open` of `/proc/sys/fs/pipe-max-size` by an unprivileged user fails with `EACCES` for `O_WRONLY` and `O_RDWR`, and returns a
/// file descriptor for `O_RDONLY`.
#[conformance::test(man = "proc_sys_fs(5)", needs(second_user, file("/proc/sys/fs/pipe-max-size")))]
fn is_read_only_for_unprivileged_users() -> Outcome {
    let user = Participant::spawn("user", (), |(), _| {
        let (user, group) = second_user();
        become_user(user, group).expect("a second user");
        [OFlag::O_WRONLY, OFlag::O_RDWR, OFlag::O_RDONLY].map(|flags| open(Path::new(SETTING), flags).map(drop))
    })?;
    expect_eq!(user.join()?, [Err(EACCES), Err(EACCES), Ok(())]);
    Ok(())
}
