//! Cases while which the kernel complains: in a log that is a file, which the tests of the harness bind over `/dev/kmsg`.

use std::fs::{File, OpenOptions};
use std::io::Write as _;

use conformance::prelude::*;
use conformance::process::Pause;

const LOG: &str = "/dev/kmsg";
const COMPLAINT: &str = "WARNING: made up by a test";
const BESIDE: &str = "is_beside runs";

/// Makes the kernel complain each time it runs, once the other case runs.
#[conformance::test(man = "kmsg(4)")]
fn complains() -> Outcome {
    let mut log = log()?;
    wait_for(BESIDE);
    Ok(say(&mut log, 4, COMPLAINT)?)
}

/// Makes the kernel complain the first time it runs, once the other case runs.
#[conformance::test(man = "kmsg(4)")]
fn complains_once() -> Outcome {
    let mut log = log()?;
    wait_for(BESIDE);
    if !said(COMPLAINT) {
        say(&mut log, 4, COMPLAINT)?;
    }
    Ok(())
}

/// Runs while another case makes the kernel complain.
#[conformance::test(man = "kmsg(4)")]
fn is_beside() -> Outcome {
    say(&mut log()?, 7, BESIDE)?;
    wait_for(COMPLAINT);
    Ok(())
}

/// The log, unless it is the real one.
fn log() -> Result<File, Failure> {
    let log = OpenOptions::new().append(true).open(LOG).ok().filter(|file| file.metadata().is_ok_and(|it| it.is_file()));
    log.ok_or_else(|| Failure::untested("a log of the kernel that is a file"))
}

/// Adds a record, numbered by the length of the log.
fn say(log: &mut File, priority: u32, message: &str) -> Result<(), Errno> {
    let number = log.metadata()?.len();
    Ok(log.write_all(format!("{priority},{number},0,-;{message}\n").as_bytes())?)
}

fn said(message: &str) -> bool {
    std::fs::read_to_string(LOG).is_ok_and(|text| text.contains(message))
}

fn wait_for(message: &str) {
    let mut pause = Pause::default();
    while !said(message) {
        pause.sleep();
    }
}
