//! Random sequences of calls on shared memory objects against a model: byte strings that are resized, stored into and read
//! through several mappings and descriptors, and one name that refers to at most one object.

use conformance::fault::model::{Subject, follows_its_model};
use conformance::prelude::*;
use conformance::sys::memory::region::Region;
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use super::fixture::{CREATE, Name, RW, SHARED};

/// Pages of the largest object.
const MOST_PAGES: usize = 4;

/// One step. Numbers select among the existing descriptors and mappings, and places are offsets into the selected one.
#[derive(Clone, Debug)]
enum Step {
    Resize {
        descriptor: usize,
        size: usize,
    },
    Store {
        mapping: usize,
        place: usize,
        length: usize,
        byte: u8,
    },
    #[cfg(linux)]
    Write {
        descriptor: usize,
        place: usize,
        length: usize,
        byte: u8,
    },
    Map {
        descriptor: usize,
        page: usize,
        count: usize,
    },
    Unmap {
        mapping: usize,
    },
    Open,
    OpenEmptied,
    Close {
        descriptor: usize,
    },
    Unlink,
    /// A child stores the byte through an inherited mapping and exits.
    StoreInChild {
        mapping: usize,
        place: usize,
        byte: u8,
    },
}

/// A mapping: its object, its first page, its number of pages.
#[derive(Clone, Copy, Debug)]
struct Mapped {
    object: usize,
    page: usize,
    count: usize,
}

/// All objects created so far with their bytes, the object that the name refers to, and the objects of descriptors and mappings.
#[derive(Clone, Debug)]
struct World {
    objects: Vec<Vec<u8>>,
    named: Option<usize>,
    descriptors: Vec<usize>,
    mappings: Vec<Mapped>,
}

impl World {
    /// The object and the byte that a store into that mapping reaches, if it reaches one.
    fn target(&self, mapping: usize, place: usize) -> Option<(usize, usize)> {
        let mapped = self.mappings[mapping % self.mappings.len()];
        let (start, size) = (mapped.page * page_size(), self.objects[mapped.object].len());
        let accessible = size.saturating_sub(start).min(mapped.count * page_size());
        (accessible > 0).then(|| (mapped.object, start + place % accessible))
    }

    /// Number of bytes of a store of that length that lie inside both mapping and object.
    fn fitting(&self, mapping: usize, at: usize, length: usize) -> usize {
        let mapped = self.mappings[mapping % self.mappings.len()];
        let end = ((mapped.page + mapped.count) * page_size()).min(self.objects[mapped.object].len());
        length.min(end - at)
    }

    fn opened(&mut self, emptied: bool) {
        let object = self.named.unwrap_or_else(|| {
            self.objects.push(Vec::new());
            self.objects.len() - 1
        });
        self.named = Some(object);
        if emptied {
            self.objects[object].clear();
        }
        self.descriptors.push(object);
    }
}

impl ReferenceStateMachine for World {
    type State = World;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<World> {
        Just(World { objects: vec![vec![]], named: Some(0), descriptors: vec![0], mappings: vec![] }).boxed()
    }

    fn transitions(_: &World) -> BoxedStrategy<Step> {
        let (which, page) = (|| 0..12_usize, page_size());
        let size = move || {
            prop_oneof![
                2 => 0..MOST_PAGES * page,
                2 => (0..=MOST_PAGES).prop_map(move |count| count * page),
                1 => (1..=MOST_PAGES).prop_map(move |count| count * page - 1),
                1 => (0..MOST_PAGES).prop_map(move |count| count * page + 1),
            ]
        };
        let place = move || 0..MOST_PAGES * page;
        let store = (which(), place(), 1..2 * page, any::<u8>());
        let usual = prop_oneof![
            6 => store.prop_map(|(mapping, place, length, byte)| Step::Store { mapping, place, length, byte }),
            6 => (which(), size()).prop_map(|(descriptor, size)| Step::Resize { descriptor, size }),
            5 => (which(), 0..MOST_PAGES, 1..=MOST_PAGES).prop_map(|(descriptor, page, count)| Step::Map { descriptor, page, count }),
            2 => which().prop_map(|mapping| Step::Unmap { mapping }),
            2 => Just(Step::Open),
            1 => Just(Step::OpenEmptied),
            2 => which().prop_map(|descriptor| Step::Close { descriptor }),
            1 => Just(Step::Unlink),
            1 => (which(), place(), any::<u8>()).prop_map(|(mapping, place, byte)| Step::StoreInChild { mapping, place, byte }),
        ];
        #[cfg(linux)]
        let usual = prop_oneof![
            5 => usual,
            1 => (which(), place(), 1..page, any::<u8>())
                .prop_map(|(descriptor, place, length, byte)| Step::Write { descriptor, place, length, byte }),
        ];
        usual.boxed()
    }

    fn preconditions(world: &World, step: &Step) -> bool {
        match step {
            Step::Resize { .. } => !world.descriptors.is_empty(),
            #[cfg(linux)]
            Step::Write { .. } => !world.descriptors.is_empty(),
            Step::Map { .. } => !world.descriptors.is_empty() && world.mappings.len() < 4,
            Step::Store { mapping, place, .. } | Step::StoreInChild { mapping, place, .. } => {
                !world.mappings.is_empty() && world.target(*mapping, *place).is_some()
            }
            Step::Unmap { .. } => !world.mappings.is_empty(),
            Step::Open | Step::OpenEmptied => world.descriptors.len() < 4 && world.objects.len() < 5,
            Step::Close { .. } => !world.descriptors.is_empty(),
            Step::Unlink => world.named.is_some(),
        }
    }

    fn apply(mut world: World, step: &Step) -> World {
        match *step {
            Step::Resize { descriptor, size } => {
                let object = world.descriptors[descriptor % world.descriptors.len()];
                world.objects[object].resize(size, 0);
            }
            Step::Store { mapping, place, length, byte } => {
                if let Some((object, at)) = world.target(mapping, place) {
                    let length = world.fitting(mapping, at, length);
                    world.objects[object][at..at + length].fill(byte);
                }
            }
            Step::StoreInChild { mapping, place, byte } => {
                if let Some((object, at)) = world.target(mapping, place) {
                    world.objects[object][at] = byte;
                }
            }
            #[cfg(linux)]
            Step::Write { descriptor, place, length, byte } => {
                let bytes = &mut world.objects[world.descriptors[descriptor % world.descriptors.len()]];
                let end = place + length;
                bytes.resize(bytes.len().max(end), 0);
                bytes[place..end].fill(byte);
            }
            Step::Map { descriptor, page, count } => {
                let object = world.descriptors[descriptor % world.descriptors.len()];
                world.mappings.push(Mapped { object, page, count });
            }
            Step::Unmap { mapping } => drop(world.mappings.remove(mapping % world.mappings.len())),
            Step::Open => world.opened(false),
            Step::OpenEmptied => world.opened(true),
            Step::Close { descriptor } => drop(world.descriptors.remove(descriptor % world.descriptors.len())),
            Step::Unlink => world.named = None,
        }
        world
    }
}

/// The real name, descriptors and mappings, in the model's order, and a pipe: `write` from a mapping fails where a load would fault.
struct Real {
    name: Name,
    descriptors: Vec<OwnedFd>,
    /// With the first page of each.
    mappings: Vec<(usize, Region)>,
    pipe: (OwnedFd, OwnedFd),
}

impl Real {
    /// The first bytes of a region, as `write` reads them.
    fn bytes(&self, region: &Region, length: usize) -> Result<Vec<u8>, Errno> {
        /// Fits into every pipe, also if the user has reached the limit for pipes.
        const PIECE: usize = 4096;
        let (reader, writer) = &self.pipe;
        let mut bytes = Vec::new();
        while bytes.len() < length {
            match region.write_out(bytes.len(), PIECE.min(length - bytes.len()), writer) {
                Ok(count) => bytes.extend(read_exactly(reader, count)?),
                Err(EFAULT) if !bytes.is_empty() => break,
                Err(other) => return Err(other),
            }
        }
        Ok(bytes)
    }
}

impl Subject for Real {
    type Reference = World;

    fn start(_: &World) -> Result<Self, Failure> {
        let name = Name::new("model");
        let descriptors = vec![name.open(CREATE, 0o600)?];
        Ok(Real { name, descriptors, mappings: vec![], pipe: pipe()? })
    }

    fn step(&mut self, after: &World, step: Step) -> Outcome {
        let (descriptors, mappings) = (self.descriptors.len(), self.mappings.len());
        match step {
            Step::Resize { descriptor, size } => {
                let resized = conformance::sys::fd::size::ftruncate(&self.descriptors[descriptor % descriptors], offset(size));
                expect_eq!(resized, Ok(()));
            }
            Step::Store { mapping, place, length, byte } => {
                if let Some((_, at)) = after.target(mapping, place) {
                    let (page, region) = &self.mappings[mapping % mappings];
                    region.write(at - page * page_size(), &vec![byte; after.fitting(mapping, at, length)]);
                }
            }
            Step::StoreInChild { mapping, place, byte } => {
                if let Some((_, at)) = after.target(mapping, place) {
                    let (page, region) = &self.mappings[mapping % mappings];
                    let child = Participant::spawn("child", (), |(), _| region.write(at - page * page_size(), &[byte]))?;
                    child.join()?;
                }
            }
            #[cfg(linux)]
            Step::Write { descriptor, place, length, byte } => {
                let written = pwrite(&self.descriptors[descriptor % descriptors], &vec![byte; length], offset(place));
                expect_eq!(written, Ok(length));
            }
            Step::Map { descriptor, page, count } => {
                let size = count * page_size();
                let region = Region::map(&self.descriptors[descriptor % descriptors], size, RW, SHARED, offset(page * page_size()));
                expect_matches!(region, Ok(_));
                self.mappings.push((page, region?));
            }
            Step::Unmap { mapping } => drop(self.mappings.remove(mapping % mappings)),
            Step::Open | Step::OpenEmptied => {
                let more = if matches!(step, Step::Open) { OFlag::empty() } else { OFlag::O_TRUNC };
                let opened = self.name.open(CREATE | more, 0o600);
                expect_matches!(opened, Ok(_));
                self.descriptors.push(opened?);
            }
            Step::Close { descriptor } => expect_eq!(close(self.descriptors.remove(descriptor % descriptors)), Ok(())),
            Step::Unlink => expect_eq!(self.name.unlink(), Ok(())),
        }
        Ok(())
    }

    fn check(&self, world: &World) -> Outcome {
        expect_eq!((self.descriptors.len(), self.mappings.len()), (world.descriptors.len(), world.mappings.len()));
        for (descriptor, &object) in self.descriptors.iter().zip(&world.descriptors) {
            let bytes = &world.objects[object];
            expect_eq!(super::fixture::size_of_object(descriptor), Ok(bytes.len()));
            if !bytes.is_empty() {
                let fresh = Region::map(descriptor, bytes.len(), RW, SHARED, 0)?;
                expect_eq!(self.bytes(&fresh, bytes.len()).as_ref(), Ok(bytes));
            }
        }
        for ((_, region), mapped) in self.mappings.iter().zip(&world.mappings) {
            let bytes = world.objects[mapped.object].get(mapped.page * page_size()..).unwrap_or_default();
            let there = bytes.len().min(mapped.count * page_size());
            // The rest of the last page is 0, and the next page cannot be accessed.
            let end = bytes.len().next_multiple_of(page_size()).min(mapped.count * page_size());
            if end > 0 {
                let expected = [&bytes[..there], &vec![0; end - there]].concat();
                expect_eq!(self.bytes(region, end), Ok(expected));
            }
            if end < mapped.count * page_size() {
                expect_eq!(region.write_out(end, 1, &self.pipe.1), Err(EFAULT));
            }
        }
        let found = self.name.open(OFlag::O_RDONLY, 0).and_then(super::fixture::size_of_object);
        expect_eq!(found, world.named.map(|object| world.objects[object].len()).ok_or(ENOENT));
        Ok(())
    }
}

/// In a random sequence of `shm_open` with `O_CREAT`, with or without `O_TRUNC`, `shm_unlink`, `ftruncate`, `pwrite`, `mmap` with
/// `MAP_SHARED`, `munmap`, `close`, and stores by a process or its child, no call fails, and `fstat` on each descriptor then
/// returns the size set by the last `ftruncate`, `O_TRUNC` or `pwrite` beyond the end. Each descriptor and mapping of an object
/// shows at each offset the byte stored or written last, or 0 if the object has ended before this offset since then. `shm_open`
/// without `O_CREAT` opens the object that `shm_open` with `O_CREAT` opened last, and fails with `ENOENT` after `shm_unlink`.
#[conformance::test(posix = "mmap", posix = "ftruncate", posix = "shm_open", posix = "shm_unlink")]
fn random_calls_follow_the_model() -> Outcome {
    follows_its_model::<Real>(1..20)
}
