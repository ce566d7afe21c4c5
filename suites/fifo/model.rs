//! A FIFO against a sequential model of it: the open ends, a queue of bytes, and for each reader whether a writer was open since
//! the reader opened.

use std::collections::VecDeque;

use conformance::prelude::*;
use proptest::prelude::{Just, Strategy};
use proptest::strategy::{BoxedStrategy, Union};
use proptest_state_machine::ReferenceStateMachine;

use super::fixture::Fifo;

/// How an end was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Read,
    Write,
    Both,
}

impl Mode {
    fn reads(self) -> bool {
        self != Mode::Write
    }

    fn writes(self) -> bool {
        self != Mode::Read
    }
}

/// A step. An end is named by its index in the list of open ends, modulo the length of the list.
#[derive(Clone, Copy, Debug)]
enum Step {
    Open(Mode),
    Close(usize),
    Read(usize, usize),
    Write(usize, usize),
}

/// The result of a step: a count, or an error.
type Seen = Result<usize, Errno>;

/// An open end. `poll` reports `POLLHUP` only if a writer was open since the end was opened.
#[derive(Clone, Copy, Debug)]
struct ModelEnd {
    mode: Mode,
    had_writer: bool,
}

#[derive(Clone, Debug, Default)]
struct Model {
    ends: Vec<ModelEnd>,
    bytes: VecDeque<u8>,
    /// How many bytes were ever written; the value of the next byte follows from it.
    written: usize,
}

fn byte(number: usize) -> u8 {
    u8::try_from(number % 251).unwrap_or(0)
}

impl Model {
    fn readers(&self) -> usize {
        self.ends.iter().filter(|end| end.mode.reads()).count()
    }

    fn writers(&self) -> usize {
        self.ends.iter().filter(|end| end.mode.writes()).count()
    }

    fn at(&self, place: usize) -> (usize, Mode) {
        let place = place % self.ends.len();
        (place, self.ends[place].mode)
    }

    fn readiness(&self, end: ModelEnd) -> PollFlags {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::POLLIN, end.mode.reads() && !self.bytes.is_empty());
        flags.set(PollFlags::POLLHUP, end.mode.reads() && self.writers() == 0 && end.had_writer);
        flags.set(PollFlags::POLLOUT, end.mode.writes());
        flags.set(PollFlags::POLLERR, end.mode.writes() && self.readers() == 0);
        flags
    }

    fn take(&mut self, step: Step) -> Seen {
        match step {
            Step::Open(Mode::Write) if self.readers() == 0 => Err(ENXIO),
            Step::Open(mode) => {
                self.ends.push(ModelEnd { mode, had_writer: false });
                let writers = self.writers();
                for end in &mut self.ends {
                    end.had_writer |= writers > 0;
                }
                Ok(self.ends.len())
            }
            Step::Close(place) => {
                let (place, _) = self.at(place);
                self.ends.remove(place);
                if self.ends.is_empty() {
                    self.bytes.clear();
                }
                Ok(self.ends.len())
            }
            Step::Read(place, _) if !self.at(place).1.reads() => Err(EBADF),
            Step::Read(_, count) if self.bytes.is_empty() && count > 0 && self.writers() > 0 => Err(EAGAIN),
            Step::Read(_, count) => {
                let count = count.min(self.bytes.len());
                self.bytes.drain(..count);
                Ok(count)
            }
            Step::Write(place, _) if !self.at(place).1.writes() => Err(EBADF),
            Step::Write(..) if self.readers() == 0 => Err(EPIPE),
            Step::Write(_, count) => {
                self.bytes.extend((self.written..self.written + count).map(byte));
                self.written += count;
                Ok(count)
            }
        }
    }
}

impl ReferenceStateMachine for Model {
    type State = Model;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Model> {
        Just(Model::default()).boxed()
    }

    fn transitions(model: &Model) -> BoxedStrategy<Step> {
        let open = Union::new([Mode::Read, Mode::Write, Mode::Both].map(|mode| Just(Step::Open(mode)))).boxed();
        if model.ends.is_empty() {
            return open;
        }
        let close = (0_usize..8).prop_map(Step::Close).boxed();
        let read = (0_usize..8, 0_usize..40).prop_map(|(place, count)| Step::Read(place, count)).boxed();
        let write = (0_usize..8, 1_usize..40).prop_map(|(place, count)| Step::Write(place, count)).boxed();
        Union::new_weighted(vec![(3, open), (2, close), (3, read), (3, write)]).boxed()
    }

    fn preconditions(model: &Model, step: &Step) -> bool {
        matches!(step, Step::Open(_)) || !model.ends.is_empty()
    }

    fn apply(mut model: Model, step: &Step) -> Model {
        // The result of the model counts only in comparison with that of the FIFO.
        let _ = model.take(*step);
        model
    }
}

/// The FIFO, and its open ends in the order of the model's.
struct Real {
    fifo: Fifo,
    ends: Vec<OwnedFd>,
    written: usize,
}

impl Real {
    fn take(&mut self, step: Step) -> (Seen, Vec<u8>) {
        let seen = match step {
            Step::Open(mode) => {
                let opened = match mode {
                    Mode::Read => self.fifo.reader(),
                    Mode::Write => self.fifo.writer(),
                    Mode::Both => self.fifo.read_write(),
                };
                opened.map(|end| {
                    self.ends.push(end);
                    self.ends.len()
                })
            }
            Step::Close(place) => {
                drop(self.ends.remove(place % self.ends.len()));
                Ok(self.ends.len())
            }
            Step::Read(place, count) => {
                let some = read_some(&self.ends[place % self.ends.len()], count);
                return (some.as_ref().map(Vec::len).map_err(|errno| *errno), some.unwrap_or_default());
            }
            Step::Write(place, count) => {
                let bytes: Vec<u8> = (self.written..self.written + count).map(byte).collect();
                let seen = write(&self.ends[place % self.ends.len()], &bytes);
                self.written += seen.unwrap_or(0);
                seen
            }
        };
        (seen, Vec::new())
    }
}

/// In a random sequence of `open` with `O_NONBLOCK`, `close`, and `read` and `write` of less than 40 bytes on a FIFO that is
/// never full, without a reader `open` with `O_WRONLY` fails with `ENXIO` and `write` with `EPIPE`; otherwise, `open` returns a
/// descriptor and `write` its length. `read` of n bytes returns min(n, unread) bytes in the order written; if no byte is unread
/// and n is above 0, `read` returns 0 without a writer and fails with `EAGAIN` with one. `read` from a write end and `write` to a
/// read end fail with `EBADF`, and the last `close` discards the unread bytes.
#[conformance::test(posix = "open", posix = "read", posix = "write", posix = "close")]
fn calls_match_the_model() -> Outcome {
    signal::ignore(Signal::SIGPIPE)?;
    property(&Model::sequential_strategy(1..40), |(mut model, steps, seen_steps)| {
        let mut real = Real { fifo: Fifo::new()?, ends: Vec::new(), written: 0 };
        for step in steps {
            if let Some(counter) = &seen_steps {
                counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
            let front: Vec<u8> = model.bytes.iter().copied().collect();
            let expected = model.take(step);
            let (seen, bytes) = real.take(step);
            expect_eq!((seen, &bytes[..]), (expected, &front[..bytes.len()]), "at {step:?}");
            let left: Vec<_> = real.ends.first().map(unread).into_iter().collect();
            expect_eq!(left, model.ends.first().map(|_| Ok(model.bytes.len())).into_iter().collect::<Vec<_>>(), "after {step:?}");
        }
        Ok(())
    })
}

/// After each call of a random sequence of `open` with `O_NONBLOCK`, `close`, `read` and `write` on a FIFO that is never full,
/// `poll` for `POLLIN | POLLOUT` on a read end reports `POLLIN` exactly if bytes are unread, and `POLLHUP` exactly if no writer
/// is open but one was open since that end was opened. On a write end, `poll` reports `POLLOUT`, and also `POLLERR` exactly if no
/// reader is open. On a descriptor opened with `O_RDWR`, `poll` reports `POLLOUT`, and also `POLLIN` exactly if bytes are unread.
#[conformance::test(man = "poll(2)")]
fn poll_matches_the_model() -> Outcome {
    signal::ignore(Signal::SIGPIPE)?;
    property(&Model::sequential_strategy(1..40), |(mut model, steps, seen_steps)| {
        let mut real = Real { fifo: Fifo::new()?, ends: Vec::new(), written: 0 };
        for step in steps {
            if let Some(counter) = &seen_steps {
                counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
            let _ = (model.take(step), real.take(step));
            let seen = real.ends.iter().map(|end| ready(end, PollFlags::POLLIN | PollFlags::POLLOUT)).collect::<Vec<_>>();
            let expected = model.ends.iter().map(|end| Ok(model.readiness(*end))).collect::<Vec<_>>();
            expect_eq!(seen, expected, "after {step:?}");
        }
        Ok(())
    })
}
