//! Which descriptors a process owns: [`Descriptors`], and closing all others.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Something made of owned descriptors, which can be handed to a participant.
pub trait Descriptors: Sized {
    /// The numbers, in a fixed order.
    fn numbers(&self, into: &mut Vec<RawFd>);

    /// The same value around descriptors that arrived over `exec`, taken from `from` in that order.
    ///
    /// # Panics
    /// `from` has too few.
    #[doc(hidden)]
    fn adopt(from: &mut dyn Iterator<Item = OwnedFd>) -> Self;
}

impl Descriptors for () {
    fn numbers(&self, _: &mut Vec<RawFd>) {}

    fn adopt(_: &mut dyn Iterator<Item = OwnedFd>) -> Self {}
}

impl Descriptors for OwnedFd {
    fn numbers(&self, into: &mut Vec<RawFd>) {
        into.push(self.as_raw_fd());
    }

    fn adopt(from: &mut dyn Iterator<Item = OwnedFd>) -> Self {
        from.next().expect("one descriptor for each that was handed over")
    }
}

impl Descriptors for Vec<OwnedFd> {
    fn numbers(&self, into: &mut Vec<RawFd>) {
        into.extend(self.iter().map(AsRawFd::as_raw_fd));
    }

    fn adopt(from: &mut dyn Iterator<Item = OwnedFd>) -> Self {
        from.collect()
    }
}

impl<const N: usize> Descriptors for [OwnedFd; N] {
    fn numbers(&self, into: &mut Vec<RawFd>) {
        into.extend(self.iter().map(AsRawFd::as_raw_fd));
    }

    fn adopt(from: &mut dyn Iterator<Item = OwnedFd>) -> Self {
        std::array::from_fn(|_| OwnedFd::adopt(from))
    }
}

macro_rules! tuples {
    ($(($($part:ident)+))*) => {$(
        impl<$($part: Descriptors),+> Descriptors for ($($part,)+) {
            #[allow(non_snake_case, reason = "the names of the types serve as the names of the parts")]
            fn numbers(&self, into: &mut Vec<RawFd>) {
                let ($($part,)+) = self;
                $($part.numbers(into);)+
            }

            fn adopt(from: &mut dyn Iterator<Item = OwnedFd>) -> Self {
                ($($part::adopt(from),)+)
            }
        }
    )*};
}

tuples! { (A) (A B) (A B C) (A B C D) }

/// Takes over a descriptor that came with `exec`.
///
/// # Safety
/// The number must be an open descriptor that nobody else in this process owns.
pub(crate) unsafe fn take(number: RawFd) -> OwnedFd {
    // SAFETY: as the caller promises.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Closes a child's copies of descriptors that are its parent's business. Only for a child that never returns.
pub(crate) fn close_copies(numbers: impl Iterator<Item = RawFd>) {
    for number in numbers {
        // SAFETY: the owners of these numbers, in the memory copied from the parent, are never used or dropped in this process.
        unsafe { libc::close(number) };
    }
}

/// Closes every descriptor but 0, 1, 2 and those in `keep`. Only for a process that will not use any owner of the others again:
/// a child that never returns.
pub(crate) fn close_all_but(keep: &[RawFd]) {
    let mut keep: Vec<RawFd> = keep.iter().copied().filter(|&number| number > 2).collect();
    keep.sort_unstable();
    let mut first = 3;
    for number in keep {
        close_range(first, number - 1);
        first = number + 1;
    }
    close_range(first, RawFd::MAX);
}

/// Closes the descriptors `first..=last`.
fn close_range(first: RawFd, last: RawFd) {
    if first > last {
        return;
    }
    #[cfg(linux)]
    {
        // SAFETY: plain integers. The owners of these descriptors are never used again, as `close_all_but` demands.
        if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0 {
            return;
        }
    }
    for number in first..=last.min(highest()) {
        // SAFETY: as above.
        unsafe { libc::close(number) };
    }
}

/// An upper bound of the numbers in use: the limit, within reason.
fn highest() -> RawFd {
    const ENOUGH: RawFd = 65_536;
    nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
        .ok()
        .and_then(|(soft, _)| RawFd::try_from(soft).ok())
        .map_or(ENOUGH, |soft| soft.min(ENOUGH))
}
