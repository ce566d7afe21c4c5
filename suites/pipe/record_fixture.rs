//! Fixture: records for cases in which several processes write to one pipe. Each record says who wrote it, how long it is, and
//! which number it has.
//!
//! Layout: length (2 bytes, least significant first), writer, generation of the writer, number (4 bytes), and fill bytes computed
//! from these.

use std::collections::BTreeMap;

use conformance::outcome::{CaseResult, Cause};
use conformance::prelude::*;

const HEAD: usize = 8;

/// One record, without its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    writer: u8,
    generation: u8,
    number: u32,
}

impl Record {
    /// A record of a writer and its generation (how often it was started again), with a number that counts from 0.
    pub fn new(writer: u8, generation: u8, number: u32) -> Self {
        Record { writer, generation, number }
    }

    /// The bytes of the record as written to the pipe: `size` bytes, at least eight.
    pub fn bytes(self, size: usize) -> Vec<u8> {
        let size = size.max(HEAD);
        let mut bytes = Vec::with_capacity(size);
        bytes.extend(u16::try_from(size).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend([self.writer, self.generation]);
        bytes.extend(self.number.to_le_bytes());
        bytes.resize(size, self.filling());
        bytes
    }

    fn filling(self) -> u8 {
        (self.writer ^ self.generation.wrapping_mul(16)).wrapping_add(self.number.to_le_bytes()[0]) | 0x80
    }
}

/// The records that a reader has got so far.
#[derive(Debug, Default)]
pub struct Seen {
    rest: Vec<u8>,
    /// The number of records, by writer and generation.
    next: BTreeMap<(u8, u8), u32>,
}

impl Seen {
    /// Adds bytes in the order in which they were read.
    ///
    /// # Errors
    /// The case *fails* if a record is torn, missing, repeated or out of order.
    #[track_caller]
    pub fn take(&mut self, bytes: &[u8]) -> Outcome {
        self.rest.extend_from_slice(bytes);
        let mut at = 0;
        while self.rest.len() - at >= HEAD {
            let head = &self.rest[at..at + HEAD];
            let size = usize::from(u16::from_le_bytes([head[0], head[1]]));
            let record = Record::new(head[2], head[3], u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
            if size < HEAD {
                return Err(corrupt(format!("a record claims a length of {size} bytes: the record before it was torn")));
            }
            if self.rest.len() - at < size {
                break;
            }
            let filling = &self.rest[at + HEAD..at + size];
            if filling != vec![record.filling(); filling.len()] {
                let place = filling.iter().position(|&byte| byte != record.filling()).unwrap_or(0);
                return Err(corrupt(format!("{record:?} of {size} bytes is torn after {} bytes", HEAD + place)));
            }
            let next = self.next.entry((record.writer, record.generation)).or_default();
            if record.number != *next {
                return Err(corrupt(format!("{record:?} was read where number {next} was expected")));
            }
            *next += 1;
            at += size;
        }
        self.rest.drain(..at);
        Ok(())
    }

    /// Expects that the last record is whole.
    ///
    /// # Errors
    /// The case *fails* if it is not.
    #[track_caller]
    pub fn expect_ended(&self) -> Outcome {
        if self.rest.is_empty() { Ok(()) } else { Err(corrupt(format!("the last record is torn after {} bytes", self.rest.len()))) }
    }

    /// The number of records of each writer and generation, in the order of these.
    pub fn counts(&self) -> Vec<u32> {
        self.next.values().copied().collect()
    }

    /// The number of records of one writer and generation.
    pub fn count(&self, writer: u8, generation: u8) -> u32 {
        self.next.get(&(writer, generation)).copied().unwrap_or(0)
    }
}

#[track_caller]
fn corrupt(how: String) -> Failure {
    Failure::new(CaseResult::Fail, Cause::Expectation, how)
}
