//! Which descriptors a process owns: [`Descriptors`], and closing all others.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Something made of owned descriptors, which can be handed to a participant.
pub trait Descriptors: sealed::Sealed + Sized {
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
        impl<$($part: Descriptors),+> sealed::Sealed for ($($part,)+) {}

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

mod sealed {
    /// Which numbers a value names must be true: they are kept open, handed on, and taken over by them.
    pub trait Sealed {}

    impl Sealed for () {}
    impl Sealed for std::os::fd::OwnedFd {}
    impl Sealed for Vec<std::os::fd::OwnedFd> {}
    impl<const N: usize> Sealed for [std::os::fd::OwnedFd; N] {}
}

/// Takes over descriptors that came with `exec`; `None` where one of the numbers is not open, or comes twice.
///
/// # Safety
/// Nobody else in this process owns an open descriptor of these numbers.
pub(crate) unsafe fn take_all(numbers: &[RawFd]) -> Option<Vec<OwnedFd>> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    // SAFETY: the call takes plain integers and changes nothing.
    let open = |&number: &RawFd| number >= 0 && unsafe { libc::fcntl(number, libc::F_GETFD) } != -1;
    if sorted.len() != numbers.len() || !numbers.iter().all(open) {
        return None;
    }
    // SAFETY: they are open and all different, and nobody else's, as the caller promises.
    Some(numbers.iter().map(|&number| unsafe { OwnedFd::from_raw_fd(number) }).collect())
}

/// Closes every descriptor but 0, 1, 2 and those in `keep`.
///
/// # Safety
/// This is a forked child that never returns to its parent's frames, and uses no owner of the others again. What its body has captured
/// besides is left with numbers of nothing, or of something else: no type of this crate, and none of the standard library, rests the safety
/// of memory on what a descriptor refers to.
pub(crate) unsafe fn close_all_but(keep: &[RawFd]) {
    let mut keep: Vec<RawFd> = keep.iter().copied().filter(|&number| number > 2).collect();
    keep.sort_unstable();
    keep.dedup();
    let mut first = 3;
    for number in keep {
        // SAFETY: as the caller promises.
        unsafe { close_range(first, number - 1) };
        first = number + 1;
    }
    // SAFETY: as above.
    unsafe { close_range(first, RawFd::MAX) };
}

/// Closes the descriptors `first..=last`.
///
/// # Safety
/// As for [`close_all_but`].
unsafe fn close_range(first: RawFd, last: RawFd) {
    if first > last {
        return;
    }
    #[cfg(linux)]
    {
        // SAFETY: plain integers; the owners are the caller's promise.
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

#[cfg(test)]
mod tests {
    use std::os::fd::IntoRawFd;

    use super::*;

    #[test]
    fn only_open_numbers_are_taken_over_and_each_once() {
        let (one, other) = std::io::pipe().unwrap();
        let numbers = [OwnedFd::from(one).into_raw_fd(), OwnedFd::from(other).into_raw_fd()];
        // SAFETY: nobody owns the two, and the others are not open or refused.
        unsafe {
            assert!(take_all(&[numbers[0], numbers[0]]).is_none());
            assert!(take_all(&[numbers[0], -1]).is_none());
            assert!(take_all(&[numbers[0], RawFd::MAX]).is_none());
            let taken = take_all(&numbers).unwrap();
            assert_eq!(taken.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>(), numbers);
        }
    }
}
