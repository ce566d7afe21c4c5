//! Storms: participants work while a nemesis kills some of them at instants that follow from the case's seed, and starts them again.
//!
//! The nemesis decides *who* and *when*; when is best counted in what the case has seen happen (so many reads), so that a seed
//! means the same on a slow machine. What must hold afterwards is the case's business.

use crate::outcome::Failure;
use crate::process::{Participant, Value, context};
use crate::splitmix::SplitMix64;
use crate::sys::Errno;

/// A source of seeded choices.
#[derive(Clone, Debug)]
pub struct Nemesis(SplitMix64);

impl Nemesis {
    /// The nemesis of this case, by the case's seed.
    pub fn of_this_case() -> Self {
        Self::seeded(context::seed())
    }

    /// One with a seed of its own, for a participant: the case's seed must not be drawn from twice.
    pub fn seeded(seed: u64) -> Self {
        Nemesis(SplitMix64::new(seed))
    }

    /// A number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound)
    }
}

/// Participants that do the same, and a way to start each of them again.
pub struct Crowd<T, S> {
    members: Vec<(Participant<T>, u8)>,
    spawn: S,
}

impl<T: Value, S: FnMut(u8, u8) -> Result<Participant<T>, Errno>> Crowd<T, S> {
    /// Starts `size` participants; `spawn` is given a member's number and its generation, which counts its starts from 0.
    ///
    /// # Errors
    /// What `spawn` answers.
    pub fn gather(size: u8, mut spawn: S) -> Result<Self, Errno> {
        let members = (0..size).map(|number| spawn(number, 0).map(|member| (member, 0))).collect::<Result<_, _>>()?;
        Ok(Crowd { members, spawn })
    }

    /// Kills one at random, wherever it is, and starts it again: its number, and the generation that is gone.
    ///
    /// # Errors
    /// It had ended by itself (`ESRCH` cannot be told from it: the case is unresolved), or cannot be started again.
    pub fn strike(&mut self, nemesis: &mut Nemesis) -> Result<(u8, u8), Errno> {
        let index = nemesis.below(self.members.len());
        let number = u8::try_from(index).unwrap_or(u8::MAX);
        let (victim, generation) = &mut self.members[index];
        victim.kill()?;
        let gone = *generation;
        *generation += 1;
        *victim = (self.spawn)(number, *generation)?;
        Ok((number, gone))
    }

    /// The members as they are now, with their generations; what `spawn` held (descriptors, often) is dropped.
    pub fn disperse(self) -> Vec<(Participant<T>, u8)> {
        self.members
    }

    /// Kills everybody.
    ///
    /// # Errors
    /// What `kill` or `waitpid` answer.
    pub fn kill_all(self) -> Result<(), Failure> {
        for (member, _) in self.disperse() {
            member.kill()?;
        }
        Ok(())
    }
}
