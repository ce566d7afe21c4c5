//! What every case about bytes needs and no single call does: reading until end-of-file, writing everything, bytes that show
//! where they belong.

use std::os::fd::AsFd;

use super::io::{read, write};
use crate::sys::{Errno, errno};

/// One `read` of at most `size` bytes: the bytes.
///
/// # Errors
/// What the system answers.
pub fn read_some(from: impl AsFd, size: usize) -> Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; size];
    let count = read(from, &mut buffer)?;
    buffer.truncate(count);
    Ok(buffer)
}

/// Reads until end-of-file.
///
/// # Errors
/// What `read` answers, `EINTR` and `EAGAIN` included.
pub fn read_to_end(from: impl AsFd) -> Result<Vec<u8>, Errno> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match read(from.as_fd(), &mut buffer)? {
            0 => return Ok(all),
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Reads exactly `size` bytes, or as many as come before end-of-file.
///
/// # Errors
/// What `read` answers.
pub fn read_exactly(from: impl AsFd, size: usize) -> Result<Vec<u8>, Errno> {
    let mut all = Vec::with_capacity(size);
    while all.len() < size {
        let some = read_some(from.as_fd(), size - all.len())?;
        if some.is_empty() {
            break;
        }
        all.extend_from_slice(&some);
    }
    Ok(all)
}

/// Writes everything, in as many calls as it takes; the descriptor may be handed in by value, and is closed then.
///
/// # Errors
/// What `write` answers; `EIO` if it accepts nothing.
pub fn write_all(to: impl AsFd, bytes: &[u8]) -> Result<(), Errno> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match write(to.as_fd(), rest)? {
            0 => return Err(errno::EIO),
            count => rest = &rest[count..],
        }
    }
    Ok(())
}

/// Bytes that show where they belong: no two stretches of a page's length are alike.
pub fn pattern(size: usize) -> Vec<u8> {
    // The period, 251 × 256, is coprime to every page size.
    (0..size).map(|index| u8::try_from((index + index / 251) % 256).unwrap_or(0)).collect()
}

/// A number of bytes as an offset or length of the calls on files.
pub fn offset(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
