//! Room for a `pthread` object in a mapping of its own, and words of memory behind it.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sys::memory::mapping::Mapping;
use crate::sys::{Errno, errno};

/// Where in its mapping an object is, and where the words are.
const OBJECT: usize = 64;
const WORDS: usize = 512;
/// What the first word is while an object is initialised.
const BEING_FILLED: u32 = u32::MAX;

/// A mapping whose first word says whether an object of that type is initialised in it.
#[derive(Debug)]
pub(super) struct Room<T> {
    mapping: Mapping,
    object: PhantomData<*mut T>,
}

impl<T> Room<T> {
    const FITS: () = assert!(OBJECT + size_of::<T>() <= WORDS && align_of::<T>() <= OBJECT);

    /// Initialises an object.
    ///
    /// # Errors
    /// What `initialise` answers; `EEXIST` where the mapping holds an object already.
    pub(super) fn fill(mapping: Mapping, mark: u32, initialise: impl FnOnce(*mut T) -> Result<(), Errno>) -> Result<Self, Errno> {
        let () = Self::FITS;
        // One of several that try at the same time: an object is initialised once.
        if mapping.word(0).compare_exchange(0, BEING_FILLED, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return Err(errno::EEXIST);
        }
        let room = Room { mapping, object: PhantomData };
        let filled = initialise(room.raw());
        room.mapping.word(0).store(if filled.is_ok() { mark } else { 0 }, Ordering::Release);
        filled.map(|()| room)
    }

    /// The room that another process, or this one, has filled.
    ///
    /// # Errors
    /// `EINVAL` where it has not.
    pub(super) fn enter(mapping: Mapping, mark: u32) -> Result<Self, Errno> {
        let filled = mapping.word(0).load(Ordering::Acquire) == mark;
        if filled { Ok(Room { mapping, object: PhantomData }) } else { Err(errno::EINVAL) }
    }

    /// Gives the mapping back, in which nothing is any more.
    pub(super) fn vacate(self) -> Mapping {
        self.mapping.word(0).store(0, Ordering::Release);
        self.mapping
    }

    /// The object: initialised, for whoever made the room with `fill` or `enter`, and aligned, as it starts at 64 bytes of a page.
    pub(super) fn raw(&self) -> *mut T {
        self.mapping.address(OBJECT)
    }

    /// A word behind the object.
    pub(super) fn word(&self, index: usize) -> &AtomicU32 {
        self.mapping.word(index.saturating_add(WORDS / size_of::<AtomicU32>()))
    }
}
