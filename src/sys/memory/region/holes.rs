//! Which parts of a region have been given up.

use std::ops::Range;

/// Parts of a region that are not its own any more: disjoint, in order, none of them empty, made of whole pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Holes(Vec<Range<usize>>);

impl Holes {
    /// Takes a part away.
    pub(super) fn add(&mut self, part: Range<usize>) {
        self.remove(part.clone());
        if !part.is_empty() {
            self.0.push(part);
            self.0.sort_by_key(|hole| hole.start);
        }
    }

    /// Gives a part back: what is left of a hole on either side stays one.
    pub(super) fn remove(&mut self, part: Range<usize>) {
        if !part.is_empty() {
            let rest = |hole: &Range<usize>| [hole.start..hole.end.min(part.start), hole.start.max(part.end)..hole.end];
            self.0 = self.0.iter().flat_map(rest).filter(|rest| !rest.is_empty()).collect();
        }
    }

    /// Those in front of a place, and those behind it as seen from there.
    pub(super) fn split(&self, at: usize) -> (Holes, Holes) {
        let (mut front, mut back) = (self.clone(), self.clone());
        front.remove(at..usize::MAX);
        back.remove(0..at);
        (front, Holes(back.0.into_iter().map(|hole| hole.start - at..hole.end - at).collect()))
    }

    /// What of a part is given up.
    pub(super) fn within(&self, part: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let common = move |hole: &Range<usize>| hole.start.max(part.start)..hole.end.min(part.end);
        self.0.iter().map(common).filter(|common| !common.is_empty())
    }

    /// What is left of a region of that length.
    pub(super) fn between(&self, length: usize) -> Vec<Range<usize>> {
        let mut from = 0;
        let mut parts = Vec::new();
        for hole in self.0.iter().cloned().chain(std::iter::once(length..length)) {
            if hole.start > from {
                parts.push(from..hole.start.min(length));
            }
            from = from.max(hole.end);
        }
        parts
    }

    pub(super) fn ranges(&self) -> &[Range<usize>] {
        &self.0
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a list of ranges, of which there is one")]
mod tests {
    use super::*;

    fn holes(parts: &[Range<usize>]) -> Holes {
        let mut holes = Holes::default();
        for part in parts {
            holes.add(part.clone());
        }
        holes
    }

    #[test]
    fn what_is_given_back_is_no_hole() {
        let mut some = holes(&[2..6, 8..9]);
        some.remove(3..4);
        assert_eq!(some, holes(&[2..3, 4..6, 8..9]));
        some.remove(0..5);
        assert_eq!(some, holes(&[5..6, 8..9]));
        some.remove(5..5);
        assert_eq!(some.ranges(), [5..6, 8..9]);
    }

    #[test]
    fn what_is_taken_twice_is_one_hole() {
        assert_eq!(holes(&[2..6, 4..8]).between(10), [0..2, 8..10]);
        assert_eq!(holes(&[0..4, 1..2]).between(4), []);
    }

    #[test]
    fn a_hole_over_the_place_of_a_split_becomes_two() {
        assert_eq!(holes(&[1..3, 6..8]).split(2), (holes(&[1..2]), holes(&[0..1, 4..6])));
        assert_eq!(holes(&[1..3]).split(0), (holes(&[]), holes(&[1..3])));
    }

    #[test]
    fn only_what_is_common_is_within() {
        assert_eq!(holes(&[1..3, 6..8]).within(&(2..7)).collect::<Vec<_>>(), [2..3, 6..7]);
        assert_eq!(holes(&[1..3]).within(&(3..7)).count(), 0);
    }
}
