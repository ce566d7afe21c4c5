//! Futexes: the system calls themselves, below every C library. A futex word is a word of a [`Mapping`](super::memory::mapping::Mapping).
//!
//! Nothing here waits or wakes in user space, and nothing follows a protocol: what a word holds is the case's business.

mod call;
mod futex2;
mod operation;
mod pi;
mod place;
pub mod robust_list;

pub use call::*;
pub use futex2::*;
pub use operation::*;
pub use pi::*;
pub use place::Place;
