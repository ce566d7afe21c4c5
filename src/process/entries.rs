//! The bodies that can be run after `exec`: a table of entry functions, filled by the linker.
//!
//! A body is a closure, and so a type without a name: no list of them can be written down. But each type that [`index_of`] is compiled
//! for brings along the address of a function that registers it, among those that run before `main`. So every process of this
//! executable has the same table, an entry is a place in it, and no number ever becomes an address.

use std::any::TypeId;
use std::sync::{Mutex, PoisonError};

use super::arrival::{Arrival, enter};
use super::descriptors::Descriptors;
use super::link::Link;
use super::value::Value;

/// What a process runs that was started afresh.
pub(super) type Entry = fn(&Arrival) -> !;

struct Registered {
    body: TypeId,
    name: &'static str,
    entry: Entry,
}

static TABLE: Mutex<Vec<Registered>> = Mutex::new(Vec::new());

/// A body's place in the table, so that another process can be asked for it. The name tells executables apart, as their tables have
/// others at that place.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Index {
    place: usize,
    of: usize,
    name: String,
}

/// Puts the address of a function among those that run before `main`. The crates `ctor` and `inventory` do the same by a static,
/// which cannot have the types of the function around it.
#[cfg(all(has_entry_table, not(miri)))]
macro_rules! register_before_main {
    ($function:expr) => {{
        #[cfg(apple)]
        macro_rules! section {
            () => {
                ".pushsection __DATA,__mod_init_func,mod_init_funcs"
            };
        }
        #[cfg(not(apple))]
        macro_rules! section {
            () => {
                ".pushsection .init_array,\"aw\",%init_array"
            };
        }
        #[cfg(target_pointer_width = "64")]
        macro_rules! address {
            () => {
                ".p2align 3\n.quad {function}"
            };
        }
        #[cfg(target_pointer_width = "32")]
        macro_rules! address {
            () => {
                ".p2align 2\n.long {function}"
            };
        }
        // SAFETY: no instruction is added here. What is added to the other section is the address of a function of the type that the
        // C library calls there; it takes no arguments, and those that it is given are not looked at.
        unsafe {
            std::arch::asm!(
                section!(),
                address!(),
                ".popsection",
                function = sym $function,
                options(nomem, nostack, preserves_flags)
            )
        };
    }};
}
/// The place of a body, which stands in the table because this function is compiled for its type; `None` where this processor has no
/// table.
#[inline(never)]
pub(super) fn index_of<D: Descriptors, A: Value, T: Value, F: Fn(D, A, &Link) -> T + Copy + 'static>() -> Option<Index> {
    #[cfg(all(has_entry_table, not(miri)))]
    register_before_main!(register::<D, A, T, F>);
    let table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    // By the type: the entry function may have several addresses.
    let place = table.iter().position(|entry| entry.body == TypeId::of::<F>())?;
    Some(Index { place, of: table.len(), name: table[place].name.to_owned() })
}

/// The entry function at that place; `None` if this is another executable than the one that was asked for it.
pub(super) fn entry_at(index: &Index) -> Option<Entry> {
    let table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    let found = table.get(index.place).filter(|found| found.name == index.name && table.len() == index.of)?;
    Some(found.entry)
}

/// Runs before `main`, when there is nothing but the allocator and no other thread.
#[cfg(has_entry_table)]
extern "C" fn register<D: Descriptors, A: Value, T: Value, F: Fn(D, A, &Link) -> T + Copy + 'static>() {
    let registered =
        Registered { body: TypeId::of::<F>(), name: std::any::type_name::<(D, A, T, F)>(), entry: enter::<D, A, T, F> };
    TABLE.lock().unwrap_or_else(PoisonError::into_inner).push(registered);
}

#[cfg(test)]
#[cfg(has_entry_table)]
mod tests {
    use super::*;

    /// Miri has no assembly, and so nothing that runs before `main`.
    fn prepare<A: Value, T: Value, F: Fn((), A, &Link) -> T + Copy + 'static>(_: F) {
        #[cfg(miri)]
        register::<(), A, T, F>();
    }

    fn place<A: Value, T: Value, F: Fn((), A, &Link) -> T + Copy + 'static>(_: F) -> Index {
        index_of::<(), A, T, F>().unwrap()
    }

    #[test]
    fn each_body_has_a_place_of_its_own_and_no_other_executable_has_it() {
        let (one, other) = (|(), number: u32, _: &Link| number, |(), number: u32, _: &Link| number + 1);
        prepare(one);
        prepare(other);
        let (index, other) = (place(one), place(other));
        assert_ne!(index.place, other.place);
        let refused = |change: &dyn Fn(&mut Index)| {
            let mut index = index.clone();
            change(&mut index);
            entry_at(&index).is_none()
        };
        assert!(!refused(&|_| {}));
        assert!(refused(&|index| index.place = usize::MAX));
        assert!(refused(&|index| index.place = index.of));
        assert!(refused(&|index| index.of += 1));
        assert!(refused(&|index| index.name.push('x')));
    }
}
