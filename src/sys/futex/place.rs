//! Where a call is to find a word: at one, or at an address without any.

use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::AtomicU32;

use crate::sys::memory::guarded::Guarded;

/// Where a call is to find a word: at one, or at an address without any.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub(super) address: *mut u32,
    of: PhantomData<&'a AtomicU32>,
}

impl<'a> From<&'a AtomicU32> for Place<'a> {
    fn from(word: &'a AtomicU32) -> Self {
        Place { address: word.as_ptr(), of: PhantomData }
    }
}

impl<'a> Place<'a> {
    /// A null pointer, where nothing is ever mapped.
    pub const NULL: Place<'static> = Place { address: ptr::null_mut(), of: PhantomData };

    /// So many bytes (1 to 3) behind the beginning of a word, where no word can be.
    ///
    /// # Panics
    /// It is another number of bytes.
    pub fn unaligned(word: &'a AtomicU32, by: usize) -> Self {
        assert!((1..4).contains(&by), "{by} bytes off is no place between words");
        Place { address: word.as_ptr().wrapping_byte_add(by), of: PhantomData }
    }

    /// The first word of memory that nobody may touch.
    pub fn forbidden(guarded: &'a Guarded) -> Self {
        Place { address: guarded.address(0).cast(), of: PhantomData }
    }

    /// In the half of the address space that no process has.
    pub fn outside() -> Place<'static> {
        Place { address: ptr::without_provenance_mut(usize::MAX & !0xfff), of: PhantomData }
    }
}
