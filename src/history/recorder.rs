//! Recording: each participant writes down that it is about to call, and what the call returned, into one pipe that outlives it.
//!
//! A record is written in one piece, as it is shorter than what a pipe takes whole, so that a kill leaves whole records only. An
//! operation with a beginning and no return is one that *may* have happened.

use std::fmt::Debug;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::time::{ClockId, clock_gettime};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::sys::fd::bytes::read_exactly;
use crate::sys::fd::io::{unread, write};
use crate::sys::fd::pipe::pipe;
use crate::sys::{Errno, errno};

/// One operation of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation<O, R> {
    /// Whose it is. One participant's operations follow one another.
    pub who: u32,
    /// What was called for.
    pub call: O,
    /// When it began, at the latest: nanoseconds on the monotonic clock, which all processes share.
    pub invoked: u64,
    /// When it had returned, and what; `None` where nobody saw that.
    pub returned: Option<(u64, R)>,
}

#[derive(Serialize, Deserialize)]
enum Record {
    Invoked { who: u32, at: u64, call: Vec<u8> },
    Returned { who: u32, at: u64, answer: Vec<u8> },
}

/// The case's side. What is recorded has to fit into a pipe, as nobody reads before the end: some hundred operations do.
#[derive(Debug)]
pub struct Recorder {
    records: OwnedFd,
    record: OwnedFd,
}

impl Recorder {
    /// A recorder without any operation.
    ///
    /// # Errors
    /// What `pipe` answers.
    pub fn new() -> Result<Self, Errno> {
        let (records, record) = pipe()?;
        Ok(Recorder { records, record })
    }

    /// A pen for a participant that was forked with every descriptor. No two participants have the same number; one that is
    /// started again is another.
    pub fn pen(&self, who: u32) -> Pen<'_> {
        Pen { to: self.record.as_fd(), who }
    }

    /// The descriptor to hand to a participant that owns nothing else, which makes a [`Pen`] of it.
    ///
    /// # Errors
    /// What `dup` answers.
    pub fn descriptor(&self) -> Result<OwnedFd, Errno> {
        crate::sys::fd::descriptor::dup(&self.record)
    }

    /// What was recorded, in the order of the beginnings. Call it once everybody has ended.
    ///
    /// # Errors
    /// What `read` answers; `EIO` for records that are of other types.
    pub fn history<O: DeserializeOwned, R: DeserializeOwned>(&self) -> Result<Vec<Operation<O, R>>, Errno> {
        let bytes = read_exactly(&self.records, unread(&self.records)?)?;
        let mut rest = &bytes[..];
        let mut history: Vec<Operation<O, R>> = Vec::new();
        while !rest.is_empty() {
            let (record, left) = postcard::take_from_bytes(rest).map_err(|_| errno::EIO)?;
            rest = left;
            match record {
                Record::Invoked { who, at, call } => {
                    let call = postcard::from_bytes(&call).map_err(|_| errno::EIO)?;
                    history.push(Operation { who, call, invoked: at, returned: None });
                }
                Record::Returned { who, at, answer } => {
                    let answer = postcard::from_bytes(&answer).map_err(|_| errno::EIO)?;
                    let open = history.iter_mut().rev().find(|operation| operation.who == who).ok_or(errno::EIO)?;
                    open.returned = Some((at, answer));
                }
            }
        }
        history.sort_by_key(|operation| operation.invoked);
        Ok(history)
    }
}

/// A participant's side.
#[derive(Clone, Copy, Debug)]
pub struct Pen<'a> {
    to: BorrowedFd<'a>,
    who: u32,
}

impl<'a> Pen<'a> {
    /// A pen that writes to what [`Recorder::descriptor`] gave.
    pub fn new(to: &'a OwnedFd, who: u32) -> Self {
        Pen { to: to.as_fd(), who }
    }

    /// Makes a call between its two records, and gives what it returned.
    ///
    /// # Panics
    /// The records cannot be written: a history with holes would prove nothing.
    pub fn record<O: Serialize, R: Serialize>(self, call: &O, body: impl FnOnce() -> R) -> R {
        let who = self.who;
        // The clock is read outside of the call on either side, and never between the call and its own record's other side.
        self.put(&Record::Invoked { who, at: now(), call: encoded(call) });
        let answer = body();
        self.put(&Record::Returned { who, at: now(), answer: encoded(&answer) });
        answer
    }

    fn put(self, record: &Record) {
        let bytes = encoded(record);
        // The least that POSIX lets a pipe take in one piece.
        assert!(bytes.len() <= 512, "a record of {} bytes could be torn", bytes.len());
        assert_eq!(write(self.to, &bytes), Ok(bytes.len()), "a record is lost");
    }
}

fn encoded(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("plain data can be encoded")
}

/// Nanoseconds on the monotonic clock.
fn now() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(std::time::Duration::from).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_come_back_with_their_answers_and_in_order() {
        let recorder = Recorder::new().unwrap();
        assert_eq!(recorder.pen(1).record(&"first".to_owned(), || 10_i32), 10);
        let interrupted = Record::Invoked { who: 2, at: now(), call: encoded(&"killed") };
        recorder.pen(2).put(&interrupted);
        recorder.pen(1).record(&"last".to_owned(), || -1_i32);
        let history: Vec<Operation<String, i32>> = recorder.history().unwrap();
        let seen: Vec<_> = history.iter().map(|one| (one.who, one.call.as_str(), one.returned.map(|(_, answer)| answer))).collect();
        assert_eq!(seen, [(1, "first", Some(10)), (2, "killed", None), (1, "last", Some(-1))]);
        assert!(history.iter().all(|one| one.returned.is_none_or(|(at, _)| one.invoked <= at)));
        assert_eq!(recorder.history::<String, i32>(), Ok(Vec::new()));
    }
}
