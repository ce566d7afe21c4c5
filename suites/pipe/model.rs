//! A pipe compared with a model: a bounded queue of bytes, and ends that are duplicated and closed.
//!
//! How many bytes of a long `write` fit, and when a short one does, is the system's choice. So the model follows the returned
//! counts and expects only what POSIX and the manual pages promise about them.

use std::io::{IoSlice, IoSliceMut};
use std::sync::OnceLock;

use conformance::fault::model::{Subject, follows_its_model};
use conformance::prelude::*;
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use common::pipe::Kind;

/// The size of the longest `read` or `write`: more than the capacity.
const LONGEST: usize = 80_000;

/// The bytes that are written: a part of an endless stream in which every byte depends on its position.
fn stream(from: usize, size: usize) -> &'static [u8] {
    /// Length after which `pattern` repeats itself.
    const PERIOD: usize = 251 * 256;
    static STREAM: OnceLock<Vec<u8>> = OnceLock::new();
    &STREAM.get_or_init(|| pattern(PERIOD).repeat(4))[from % PERIOD..][..size]
}

/// One call on the pipe.
#[derive(Clone, Debug)]
enum Step {
    Read(usize),
    Write(usize),
    ReadScattered(usize, usize),
    WriteGathered(usize, usize, usize),
    /// A call without `O_NONBLOCK`, made only if it must not block.
    ReadBlocking(usize),
    WriteBlocking(usize),
    CopyReader,
    CloseReader,
    CopyWriter,
    CloseWriter,
    #[cfg(has_pipe_size)]
    Resize(usize),
}

/// The number of descriptors of each end.
#[derive(Clone, Debug)]
struct Ends {
    readers: usize,
    writers: usize,
}

/// Generates the steps, for a pipe or a FIFO.
struct Steps<const FIFO: bool>;

impl<const FIFO: bool> ReferenceStateMachine for Steps<FIFO> {
    type State = Ends;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Ends> {
        Just(Ends { readers: 1, writers: 1 }).boxed()
    }

    fn transitions(_: &Ends) -> BoxedStrategy<Step> {
        let size = || prop_oneof![3 => 1..20_usize, 3 => 20..5000_usize, 2 => 4090..4100_usize, 1 => 5000..LONGEST];
        let piece = || 0..3000_usize;
        let usual = prop_oneof![
            8 => size().prop_map(Step::Read),
            10 => size().prop_map(Step::Write),
            2 => (piece(), piece()).prop_map(|(a, b)| Step::ReadScattered(a, b)),
            3 => (piece(), piece(), 1..3000_usize).prop_map(|(a, b, c)| Step::WriteGathered(a, b, c)),
            2 => size().prop_map(Step::ReadBlocking),
            3 => size().prop_map(Step::WriteBlocking),
            1 => Just(Step::CopyReader),
            1 => Just(Step::CloseReader),
            1 => Just(Step::CopyWriter),
            1 => Just(Step::CloseWriter),
        ];
        #[cfg(has_pipe_size)]
        let usual = prop_oneof![12 => usual, 1 => (0..6_u32).prop_map(|power| Step::Resize(1 << power))];
        usual.boxed()
    }

    fn preconditions(ends: &Ends, step: &Step) -> bool {
        match step {
            Step::Read(_) | Step::ReadScattered(..) | Step::ReadBlocking(_) => ends.readers > 0,
            Step::Write(_) | Step::WriteGathered(..) | Step::WriteBlocking(_) => ends.writers > 0,
            Step::CopyReader => (1..4).contains(&ends.readers),
            Step::CopyWriter => (1..4).contains(&ends.writers),
            // At least one descriptor stays open for the checks.
            Step::CloseReader => ends.readers > 0 && ends.readers + ends.writers > 1,
            Step::CloseWriter => ends.writers > 0 && ends.readers + ends.writers > 1,
            #[cfg(has_pipe_size)]
            Step::Resize(_) => true,
        }
    }

    fn apply(mut ends: Ends, step: &Step) -> Ends {
        match step {
            Step::CopyReader => ends.readers += 1,
            Step::CloseReader => ends.readers -= 1,
            Step::CopyWriter => ends.writers += 1,
            Step::CloseWriter => ends.writers -= 1,
            _ => {}
        }
        ends
    }
}

/// The real pipe, and the bytes that must be in it according to the returned counts.
struct Real<const FIFO: bool> {
    readers: Vec<OwnedFd>,
    writers: Vec<OwnedFd>,
    written: usize,
    taken: usize,
    limit: usize,
}

impl<const FIFO: bool> Real<FIFO> {
    /// The number of unread bytes.
    fn held(&self) -> usize {
        self.written - self.taken
    }

    /// Whether `poll` reports `POLLOUT`.
    fn write_is_promised(&self) -> Result<bool, Errno> {
        Ok(ready(&self.writers[0], PollFlags::POLLOUT)?.contains(PollFlags::POLLOUT))
    }

    /// Expects a `read` of `asked` bytes to have returned as many of the unread bytes, and removes them from the model.
    fn read_returned(&mut self, asked: usize, got: &Result<Vec<u8>, Errno>) -> Outcome {
        let there = asked.min(self.held());
        let expected = if there > 0 || asked == 0 || self.writers.is_empty() { Ok(stream(self.taken, there)) } else { Err(EAGAIN) };
        expect_eq!(got.as_deref(), expected.as_deref());
        self.taken += there;
        Ok(())
    }

    /// Expects a `write` of `bytes` to have returned an allowed result, and adds the counted bytes to the model.
    fn write_returned(&mut self, bytes: &[u8], promised: bool, returned: Result<usize, Errno>) -> Outcome {
        if self.readers.is_empty() {
            expect_eq!((returned, signal::pending(Signal::SIGPIPE)), (Err(EPIPE), Ok(true)));
            signal::take_pending(Signal::SIGPIPE)?;
            return Ok(());
        }
        let least = if bytes.len() <= self.limit {
            bytes.len()
        } else if self.held() == 0 {
            self.limit
        } else {
            1
        };
        match returned {
            Ok(count) => {
                expect!(
                    (least..=bytes.len()).contains(&count),
                    "write returned {count} for {} bytes, expected at least {least}",
                    bytes.len()
                );
                self.written += count;
            }
            Err(errno) => expect_eq!((errno, promised), (EAGAIN, false)),
        }
        Ok(())
    }

    fn write_step(&mut self, size: usize, call: impl FnOnce(&OwnedFd, &[u8]) -> Result<usize, Errno>) -> Outcome {
        let (bytes, promised) = (stream(self.written, size), self.write_is_promised()?);
        let returned = call(&self.writers[0], bytes);
        self.write_returned(bytes, promised, returned)
    }
}

impl<const FIFO: bool> Subject for Real<FIFO> {
    type Reference = Steps<FIFO>;

    fn start(_: &Ends) -> Result<Self, Failure> {
        signal::block(Signal::SIGPIPE)?;
        let (reader, writer) = if FIFO { Kind::Fifo } else { Kind::Pipe }.open()?;
        set_nonblocking(&reader, true)?;
        set_nonblocking(&writer, true)?;
        let limit = pipe_buf(&writer)?;
        Ok(Real { readers: vec![reader], writers: vec![writer], written: 0, taken: 0, limit })
    }

    fn step(&mut self, _: &Ends, step: Step) -> Outcome {
        match step {
            Step::Read(size) => {
                let got = read_some(&self.readers[0], size);
                self.read_returned(size, &got)?;
            }
            Step::ReadScattered(one, two) => {
                let (mut first, mut second) = (vec![0; one], vec![0; two]);
                let count = readv(&self.readers[0], &mut [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)]);
                let got = count.map(|count| [first, second].concat()[..count].to_vec());
                self.read_returned(one + two, &got)?;
            }
            Step::ReadBlocking(size) if self.held() > 0 || self.writers.is_empty() => {
                set_nonblocking(&self.readers[0], false)?;
                let got = read_some(&self.readers[0], size);
                set_nonblocking(&self.readers[0], true)?;
                self.read_returned(size, &got)?;
            }
            Step::Write(size) => self.write_step(size, |end, bytes| write(end, bytes))?,
            Step::WriteGathered(one, two, three) => self.write_step(one + two + three, |end, bytes| {
                let (first, rest) = bytes.split_at(one);
                let (second, third) = rest.split_at(two);
                writev(end, &[IoSlice::new(first), IoSlice::new(second), IoSlice::new(third)])
            })?,
            Step::WriteBlocking(size) if size <= self.limit && self.write_is_promised()? => {
                self.write_step(size, |end, bytes| {
                    set_nonblocking(end, false)?;
                    let returned = write(end, bytes);
                    set_nonblocking(end, true)?;
                    returned
                })?;
            }
            Step::ReadBlocking(_) | Step::WriteBlocking(_) => {}
            Step::CopyReader => self.readers.push(dup(&self.readers[0])?),
            Step::CopyWriter => self.writers.push(dup(&self.writers[0])?),
            Step::CloseReader => drop(self.readers.remove(0)),
            Step::CloseWriter => drop(self.writers.remove(0)),
            #[cfg(has_pipe_size)]
            Step::Resize(pages) => {
                let end = self.readers.iter().chain(&self.writers).next().ok_or(EBADF)?;
                let (before, size) = (pipe_size(end)?, pages * page_size());
                match set_pipe_size(end, i32::try_from(size).unwrap_or(1)) {
                    Err(errno) => expect_eq!((errno, self.held() == 0, pipe_size(end)), (EBUSY, false, Ok(before))),
                    other => {
                        expect_eq!((other, pipe_size(end)), (Ok(size), Ok(size)));
                        expect!(self.held() <= size, "{} bytes are unread in a pipe of {size}", self.held());
                    }
                }
            }
        }
        Ok(())
    }

    fn check(&self, ends: &Ends) -> Outcome {
        expect_eq!((self.readers.len(), self.writers.len()), (ends.readers, ends.writers));
        if let Some(reader) = self.readers.first() {
            expect_eq!(unread(reader), Ok(self.held()));
            let seen = ready(reader, PollFlags::POLLIN | PollFlags::POLLOUT)?;
            expect_eq!(seen.contains(PollFlags::POLLHUP), self.writers.is_empty());
            if self.held() > 0 || !self.writers.is_empty() {
                expect_eq!(seen - PollFlags::POLLHUP, if self.held() == 0 { PollFlags::empty() } else { PollFlags::POLLIN });
            }
        }
        if let Some(writer) = self.writers.first() {
            let seen = ready(writer, PollFlags::POLLIN | PollFlags::POLLOUT)?;
            let broken = PollFlags::POLLERR | PollFlags::POLLHUP;
            expect_eq!(seen.intersects(broken), self.readers.is_empty());
            if self.held() == 0 && !self.readers.is_empty() {
                expect_eq!(seen, PollFlags::POLLOUT);
            }
        }
        Ok(())
    }
}

/// In a random sequence of calls on a non-blocking pipe, including `dup`, `close` and `fcntl(F_SETPIPE_SZ)`, each `read` or
/// `readv` returns min(requested, unread) bytes, in the order written; if no byte is unread, the call fails with `EAGAIN` while a
/// writer is open and returns 0 otherwise. `write` or `writev` of n bytes returns n for n ≤ `PIPE_BUF` and 1 to n for larger n,
/// or fails with `EAGAIN` if `poll` did not report `POLLOUT` before, and fails with `EPIPE` if there is no reader. After each
/// call, `ioctl(FIONREAD)` gives the number of unread bytes, and `poll` reports `POLLIN` if this number is not 0.
#[conformance::test(posix = "read", posix = "write", posix = "poll")]
fn pipe_behaves_as_a_bounded_byte_queue() -> Outcome {
    follows_its_model::<Real<false>>(1..20)
}

/// In a random sequence of calls on a non-blocking FIFO, including `dup`, `close` and `fcntl(F_SETPIPE_SZ)`, each `read` or
/// `readv` returns min(requested, unread) bytes, in the order written; if no byte is unread, the call fails with `EAGAIN` while a
/// writer is open and returns 0 otherwise. `write` or `writev` of n bytes returns n for n ≤ `PIPE_BUF` and 1 to n for larger n,
/// or fails with `EAGAIN` if `poll` did not report `POLLOUT` before, and fails with `EPIPE` if there is no reader. After each
/// call, `ioctl(FIONREAD)` gives the number of unread bytes, and `poll` reports `POLLIN` if this number is not 0.
#[conformance::test(posix = "read", posix = "write", posix = "poll")]
fn fifo_behaves_as_a_bounded_byte_queue() -> Outcome {
    follows_its_model::<Real<true>>(1..20)
}
