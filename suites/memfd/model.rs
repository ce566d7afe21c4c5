//! Random sequences of writes, stores, sizes, holes and allocations on a memory file against a model of its bytes, its size and
//! its allocated pages.

use std::collections::BTreeSet;

use conformance::fault::model::{Subject, follows_its_model};
use conformance::prelude::*;
use conformance::sys::fd::size::{Allocate, PUNCH, fallocate, pages_of};
use nix::unistd::Whence;
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use common::memory_file::{content, sealable, size};

/// Number of pages that the steps use.
const PAGES: usize = 5;

/// Offsets and lengths are multiples of these parts of a page, so that ranges often share a boundary.
const PARTS: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Step {
    Write { at: usize, count: usize, byte: u8 },
    WriteThroughMemory { at: usize, count: usize, byte: u8 },
    Resize { size: usize },
    Punch { at: usize, count: usize },
    Remove { page: usize, count: usize },
    Allocate { at: usize, count: usize, keep: bool },
}

/// Every step is possible at any time.
struct Steps;

impl ReferenceStateMachine for Steps {
    type State = ();
    type Transition = Step;

    fn init_state() -> BoxedStrategy<()> {
        Just(()).boxed()
    }

    fn transitions((): &()) -> BoxedStrategy<Step> {
        let part = page_size() / PARTS;
        // At a boundary of a part, or one byte before or after.
        let at = move || (0..PAGES * PARTS, 0..3_usize).prop_map(move |(index, near)| (index * part + near).saturating_sub(1));
        let count = move || (1..2 * PARTS, 0..3_usize).prop_map(move |(index, near)| index * part + near - 1);
        prop_oneof![
            (at(), count(), 1..=255_u8).prop_map(|(at, count, byte)| Step::Write { at, count, byte }),
            (at(), count(), 1..=255_u8).prop_map(|(at, count, byte)| Step::WriteThroughMemory { at, count, byte }),
            at().prop_map(|size| Step::Resize { size }),
            (at(), count()).prop_map(|(at, count)| Step::Punch { at, count }),
            (0..PAGES, 1..3_usize).prop_map(|(page, count)| Step::Remove { page, count }),
            (at(), count(), any::<bool>()).prop_map(|(at, count, keep)| Step::Allocate { at, count, keep }),
        ]
        .boxed()
    }

    fn apply((): (), _: &Step) {}
}

/// A file, and its expected state.
struct Modelled {
    file: OwnedFd,
    mapping: Mapping,
    bytes: Vec<u8>,
    /// Allocated pages.
    present: BTreeSet<usize>,
    /// Allocated pages that were written.
    written: BTreeSet<usize>,
}

fn touched(at: usize, count: usize) -> std::ops::Range<usize> {
    at / page_size()..(at + count).div_ceil(page_size())
}

impl Modelled {
    fn put(&mut self, at: usize, count: usize, byte: u8) {
        let end = self.bytes.len().max(at + count);
        self.bytes.resize(end, 0);
        self.bytes[at..at + count].fill(byte);
        self.present.extend(touched(at, count));
        self.written.extend(touched(at, count));
    }

    fn clear(&mut self, at: usize, count: usize) {
        let end = self.bytes.len();
        self.bytes[at.min(end)..(at + count).min(end)].fill(0);
        let inside = |page: &usize| at <= page * page_size() && (page + 1) * page_size() <= at + count;
        self.present.retain(|page| !inside(page));
        self.written.retain(|page| !inside(page));
    }
}

impl Subject for Modelled {
    type Reference = Steps;

    fn start((): &()) -> Result<Self, Failure> {
        let file = sealable()?;
        // Longer than the file ever is; pages beyond its end are never accessed.
        let mapping = Mapping::new(&file, 2 * PAGES * page_size(), Access::ReadWrite)?;
        Ok(Modelled { file, mapping, bytes: Vec::new(), present: BTreeSet::new(), written: BTreeSet::new() })
    }

    fn step(&mut self, (): &(), step: Step) -> Outcome {
        let page = page_size();
        match step {
            Step::Write { at, count, byte } => {
                expect_eq!(pwrite(&self.file, &vec![byte; count], offset(at)), Ok(count));
                self.put(at, count, byte);
            }
            Step::WriteThroughMemory { at, count, byte } => {
                let end = (at + count).min(self.bytes.len());
                if at < end {
                    self.mapping.write(at, &vec![byte; end - at]);
                    self.put(at, end - at, byte);
                }
            }
            Step::Resize { size } => {
                // `ftruncate` to the same size may free pages beyond the end or not.
                if size != self.bytes.len() {
                    expect_eq!(ftruncate(&self.file, offset(size)), Ok(()));
                }
                if size < self.bytes.len() {
                    self.present.retain(|index| index * page < size);
                    self.written.retain(|index| index * page < size);
                }
                self.bytes.resize(size, 0);
            }
            Step::Punch { at, count } => {
                expect_eq!(fallocate(&self.file, PUNCH, offset(at), offset(count)), Ok(()));
                self.clear(at, count);
            }
            Step::Remove { page: index, count } => {
                expect_eq!(self.mapping.remove(index * page, count * page), Ok(()));
                self.clear(index * page, count * page);
            }
            Step::Allocate { at, count, keep } => {
                let mode = if keep { Allocate::FALLOC_FL_KEEP_SIZE } else { Allocate::empty() };
                expect_eq!(fallocate(&self.file, mode, offset(at), offset(count)), Ok(()));
                self.present.extend(touched(at, count));
                if !keep {
                    self.bytes.resize(self.bytes.len().max(at + count), 0);
                }
            }
        }
        Ok(())
    }

    fn check(&self, (): &()) -> Outcome {
        expect_eq!((size(&self.file), pages_of(&self.file)), (Ok(self.bytes.len()), Ok(self.present.len())));
        expect_eq!(content(&self.file)?, self.bytes);
        for &index in &self.written {
            // The mapping shows the same bytes; a load from an allocated page allocates no other.
            let (start, end) = (index * page_size(), self.bytes.len().min((index + 1) * page_size()));
            if start < end {
                expect_eq!(self.mapping.read(start, end - start), self.bytes[start..end].to_vec(), "page {index} of the mapping");
                expect_eq!(lseek(&self.file, offset(start), Whence::SeekData), Ok(offset(start)));
            }
        }
        // A page that is not allocated is a hole.
        for index in (0..PAGES).filter(|index| !self.present.contains(index) && index * page_size() < self.bytes.len()) {
            let start = offset(index * page_size());
            expect_eq!(lseek(&self.file, start, Whence::SeekHole), Ok(start));
        }
        expect_eq!(pages_of(&self.file), Ok(self.present.len()));
        Ok(())
    }
}

/// In a random sequence of `pwrite`, stores through a `MAP_SHARED` mapping, `ftruncate`, `fallocate` with mode 0,
/// `FALLOC_FL_KEEP_SIZE` or `FALLOC_FL_PUNCH_HOLE`, and `madvise` with `MADV_REMOVE` on a memory file, no call fails, and each
/// offset shows the byte written or stored last, or 0 if a hole was punched there or the file has ended before this offset since
/// then. `fstat` returns in `st_size` the last size from `ftruncate`, or the greatest end of a later `pwrite` or `fallocate` with
/// mode 0, if greater. In `st_blocks` it returns, in units of 512 bytes, the size of all pages that were written, stored into or
/// allocated and not wholly punched, removed or cut off since.
#[conformance::test(man = "tmpfs(5)", man = "fallocate(2)", deadline = 30)]
fn random_calls_follow_the_model() -> Outcome {
    follows_its_model::<Modelled>(1..24)
}
