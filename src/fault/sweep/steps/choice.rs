//! Which of many instructions to kill at.

use crate::fault::storm::Nemesis;

/// All of them; of more than `most` one at random out of each of so many rows of the same length, in order.
pub(super) fn spread(points: &[u32], most: u32, seed: u64) -> Vec<u32> {
    let all = points.len();
    let count = usize::try_from(most).unwrap_or(usize::MAX).clamp(1, all.max(1));
    let mut nemesis = Nemesis::seeded(seed);
    let mut choice = |row: usize| {
        let (first, end) = (row * all / count, (row + 1) * all / count);
        points.get(first + nemesis.below(end - first)).copied()
    };
    (0..count).filter_map(&mut choice).collect()
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn few_instructions_are_all_chosen() {
        assert_eq!(spread(&[0, 1, 2, 7, 8], 5, 1), [0, 1, 2, 7, 8]);
        assert_eq!(spread(&[0], 500, 1), [0]);
        assert_eq!(spread(&[], 500, 1), Vec::<u32>::new());
    }

    #[test]
    fn many_instructions_are_sampled_in_order_and_by_the_seed() {
        let all: Vec<u32> = (0..=400).collect();
        let numbers = spread(&all, 16, 1);
        assert_eq!(numbers.len(), 16, "{numbers:?}");
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
        assert_eq!(numbers, spread(&all, 16, 1));
        assert_ne!(numbers, spread(&all, 16, 2));
    }

    #[test]
    fn at_least_one_is_chosen() {
        assert_eq!(spread(&[3, 4], 0, 1).len(), 1);
    }
}
