//! The instructions of a stretch, one after the other, and how to come to one of them without a step.
//!
//! A victim that runs into a trap stops at the *next* visit of the trap's address, so an instruction that is visited once takes one
//! trap. For the n-th visit of a loop or of a function the victim goes by way of instructions in between that are themselves told from
//! their earlier visits. Only an instruction that follows itself (one with a `rep` prefix is stepped as often as it repeats) has
//! nothing in between: there the victim is stepped.

/// What a victim went through: addresses, from the first instruction after the first mark to the second mark's own.
#[derive(Debug)]
pub(in crate::fault::sweep) struct Recording {
    addresses: Vec<usize>,
    /// For each instruction the last visit of its address before.
    previous: Vec<Option<usize>>,
    points: Vec<u32>,
}

/// A part of the way to an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leg {
    /// To the next visit of that address.
    To(usize),
    /// One instruction further.
    Step,
}

impl Recording {
    /// `addresses` has at least one; `points` are the numbers of those to kill at.
    pub(super) fn new(addresses: Vec<usize>, points: Vec<u32>) -> Self {
        let mut last = std::collections::HashMap::new();
        let previous = addresses.iter().enumerate().map(|(number, &address)| last.insert(address, number)).collect();
        Recording { addresses, previous, points }
    }

    /// Number of the last instruction.
    pub(super) fn length(&self) -> u32 {
        u32::try_from(self.addresses.len()).unwrap_or(u32::MAX).saturating_sub(1)
    }

    /// Numbers of the instructions to kill at.
    pub(super) fn points(&self) -> &[u32] {
        &self.points
    }

    /// The first instruction: what a mark returns to.
    pub(super) fn start(&self) -> usize {
        self.addresses[0]
    }

    /// The second mark's.
    pub(super) fn end(&self) -> usize {
        self.addresses[self.addresses.len() - 1]
    }

    /// The way from the first instruction to the one with that number.
    pub(super) fn route(&self, number: u32) -> Vec<Leg> {
        let mut legs = Vec::new();
        let mut goal = (number as usize).min(self.addresses.len() - 1);
        while goal > 0 {
            match self.previous[goal] {
                None => {
                    legs.push(Leg::To(self.addresses[goal]));
                    break;
                }
                Some(before) if before + 1 == goal => {
                    legs.push(Leg::Step);
                    goal = before;
                }
                Some(before) => {
                    legs.push(Leg::To(self.addresses[goal]));
                    // Whose own last visit is longest ago (or never was) leads back farthest.
                    goal = (before + 1..goal).min_by_key(|&between| self.previous[between]).unwrap_or(before);
                }
            }
        }
        legs.reverse();
        legs
    }
}

#[cfg(test)]
mod tests {
    use super::{Leg, Recording};

    /// Goes a route as a victim would: the number of the instruction that it ends at.
    fn go(addresses: &[usize], route: &[Leg]) -> usize {
        let mut number = 0;
        for leg in route {
            number = match *leg {
                Leg::Step => number + 1,
                Leg::To(address) => {
                    assert_ne!(addresses[number], address, "a victim cannot be trapped where it stands");
                    number + 1 + addresses[number + 1..].iter().position(|&visited| visited == address).unwrap()
                }
            };
        }
        number
    }

    fn routes(addresses: &[usize]) -> Vec<Vec<Leg>> {
        let recording = Recording::new(addresses.to_vec(), Vec::new());
        let routes: Vec<_> = (0..=recording.length()).map(|number| recording.route(number)).collect();
        for (number, route) in routes.iter().enumerate() {
            assert_eq!(go(addresses, route), number, "{addresses:?}: {route:?}");
        }
        routes
    }

    #[test]
    fn a_straight_stretch_takes_a_trap_for_each_instruction() {
        let routes = routes(&[10, 11, 12, 13]);
        assert_eq!(routes[0], []);
        assert!(routes[1..].iter().all(|route| route.len() == 1));
    }

    #[test]
    fn a_second_visit_goes_by_way_of_what_is_in_between() {
        // A function at 50 that is called twice.
        let routes = routes(&[10, 50, 51, 11, 50, 51, 12]);
        assert_eq!(routes[5], [Leg::To(11), Leg::To(51)]);
        assert_eq!(routes[6], [Leg::To(12)]);
    }

    #[test]
    fn a_loop_is_gone_through_without_a_step() {
        let mut addresses = vec![10];
        for _ in 0..20 {
            addresses.extend([20, 21, 22]);
        }
        addresses.push(11);
        let routes = routes(&addresses);
        // A leg passes less than a turn, so two of three instructions.
        assert_eq!(routes.iter().map(Vec::len).max(), Some(20 * 3 / 2));
        assert!(routes.iter().flatten().all(|leg| matches!(leg, Leg::To(_))));
    }

    #[test]
    fn an_instruction_that_repeats_is_stepped() {
        let routes = routes(&[10, 11, 12, 12, 12, 13, 12, 12, 14]);
        assert_eq!(routes[4], [Leg::To(12), Leg::Step, Leg::Step]);
        assert_eq!(routes[7], [Leg::To(13), Leg::To(12), Leg::Step]);
        assert_eq!(routes[8], [Leg::To(14)]);
    }

    #[test]
    fn every_instruction_of_any_stretch_is_reached() {
        for seed in 0..200 {
            let mut nemesis = crate::fault::storm::Nemesis::seeded(seed);
            let mut addresses: Vec<usize> = (0..60).map(|_| nemesis.below(1 + usize::try_from(seed).unwrap() / 8)).collect();
            addresses.insert(0, 1000);
            addresses.push(1001);
            routes(&addresses);
        }
    }
}
