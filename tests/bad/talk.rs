//! Cases that say more than they should: on their output, and into the control channel.

use std::os::fd::BorrowedFd;

use conformance::prelude::*;

/// Writes 10 MB to standard output, and fails.
#[conformance::test(man = "stdout(3)")]
fn ten_megabytes() -> Outcome {
    for _ in 0..10 * 256 {
        write_all(std::io::stdout(), &[b'x'; 4096])?;
    }
    println!("the last line");
    expect!(false);
    Ok(())
}

/// Writes bytes to standard error that are no text, and fails.
#[conformance::test(man = "stdin(3)")]
fn no_text() -> Outcome {
    write_all(std::io::stderr(), b"before \xff\x00\x1b[31m after\n")?;
    expect!(false);
    Ok(())
}

/// Closes every descriptor from 3 on, and with them the control channel.
#[conformance::test(man = "close(2)")]
fn closes_the_channel() -> Outcome {
    for number in 3..1024 {
        // SAFETY: no owner of these is used again but the channel's, which is to meet just this.
        unsafe { libc::close(number) };
    }
    Ok(())
}

/// Writes a frame into the control channel that means nothing, and exits.
#[conformance::test(man = "pipe(7)")]
fn a_senseless_frame() -> Outcome {
    into_the_channel(&[3, 0, 0, 0, 0xff, 0xff, 0xff])
}

/// Writes half a frame into the control channel, and exits.
#[conformance::test(man = "pipe(7)")]
fn half_a_frame() -> Outcome {
    into_the_channel(b"nothing")
}

/// Writes half a frame into the control channel and returns, so that its result is taken for the other half.
#[conformance::test(man = "pipe(7)")]
fn half_a_frame_before_its_result() -> Outcome {
    channel(|channel| write_all(channel, b"nothing"))?;
    Ok(())
}

fn into_the_channel(bytes: &[u8]) -> Outcome {
    channel(|channel| write_all(channel, bytes))?;
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(0) }
}

fn channel(body: impl Fn(BorrowedFd<'_>) -> Result<(), Errno>) -> Result<(), Errno> {
    // SAFETY: `fcntl` says that the number is open.
    let is_open = |&number: &i32| unsafe { libc::fcntl(number, libc::F_GETFD) != -1 };
    let number = (200..1024).find(is_open).ok_or(EBADF)?;
    // SAFETY: it is open, and stays so: its owner is never dropped.
    body(unsafe { BorrowedFd::borrow_raw(number) })
}
