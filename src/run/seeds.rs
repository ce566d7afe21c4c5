//! Seeds: one for the run, and from it one for each case, so that a case runs alike alone and among others.

use crate::splitmix::mixed;

/// The seed under which repetition `iteration` of a run with `seed` can be run as a first one.
pub(crate) fn of_iteration(seed: u64, iteration: u32) -> u64 {
    seed.wrapping_add(u64::from(iteration))
}

/// The seed of a case's random choices.
pub(crate) fn of_case(seed: u64, iteration: u32, case: &str) -> u64 {
    // FNV-1a over the name: any function that mixes well does, but it has to stay the same.
    let name = case.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    mixed(of_iteration(seed, iteration).wrapping_add(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repetition_can_be_run_as_a_first_one() {
        assert_eq!(of_case(7, 3, "pipe::eof::x"), of_case(of_iteration(7, 3), 0, "pipe::eof::x"));
        assert_ne!(of_case(7, 0, "pipe::eof::x"), of_case(7, 0, "pipe::eof::y"));
    }
}
