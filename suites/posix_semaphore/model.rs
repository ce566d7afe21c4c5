//! The sequential model of named semaphores: names and handles refer to semaphores, which exist while a name or a handle refers to them.

use conformance::fault::model::{Subject, follows_its_model};
use conformance::prelude::*;
use conformance::sys::semaphore::{Semaphore, sem_unlink};
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use super::fixture::{CREATE_NEW, Name};

const NAMES: usize = 2;

/// A call. Handles are numbered in the order in which they were opened, without those that were closed.
#[derive(Clone, Debug)]
enum Step {
    Post { handle: usize },
    Try { handle: usize },
    Open { name: usize },
    Close { handle: usize },
    Make { name: usize, value: u32, exclusive: bool },
    Unlink { name: usize },
}

/// The semaphore that each name and handle refers to, and the value of each semaphore.
#[derive(Clone, Debug, Default)]
struct World {
    values: Vec<u32>,
    names: [Option<usize>; NAMES],
    handles: Vec<usize>,
    answer: Option<Result<(), Errno>>,
}

impl World {
    fn answer(&mut self, step: &Step) -> Result<(), Errno> {
        match *step {
            Step::Post { handle } => self.values[self.handles[handle]] += 1,
            Step::Try { handle } => {
                let value = &mut self.values[self.handles[handle]];
                *value = value.checked_sub(1).ok_or(EAGAIN)?;
            }
            Step::Open { name } => self.handles.push(self.names[name].ok_or(ENOENT)?),
            Step::Close { handle } => drop(self.handles.remove(handle)),
            Step::Make { name, exclusive: true, .. } if self.names[name].is_some() => return Err(EEXIST),
            Step::Make { name, value, .. } => {
                let semaphore = self.names[name].unwrap_or_else(|| {
                    self.values.push(value);
                    self.values.len() - 1
                });
                self.names[name] = Some(semaphore);
                self.handles.push(semaphore);
            }
            Step::Unlink { name } => drop(self.names[name].take().ok_or(ENOENT)?),
        }
        Ok(())
    }
}

impl ReferenceStateMachine for World {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        Just(World::default()).boxed()
    }

    fn transitions(world: &Self) -> BoxedStrategy<Step> {
        let name = 0..NAMES;
        let named = prop_oneof![
            3 => name.clone().prop_map(|name| Step::Open { name }),
            4 => (name.clone(), 0..3_u32, any::<bool>())
                .prop_map(|(name, value, exclusive)| Step::Make { name, value, exclusive }),
            2 => name.prop_map(|name| Step::Unlink { name }),
        ];
        if world.handles.is_empty() {
            return named.boxed();
        }
        let handle = 0..world.handles.len();
        prop_oneof![
            4 => handle.clone().prop_map(|handle| Step::Post { handle }),
            5 => handle.clone().prop_map(|handle| Step::Try { handle }),
            3 => handle.prop_map(|handle| Step::Close { handle }),
            8 => named,
        ]
        .boxed()
    }

    fn preconditions(world: &Self, step: &Step) -> bool {
        match *step {
            Step::Post { handle } | Step::Try { handle } | Step::Close { handle } => handle < world.handles.len(),
            Step::Open { .. } | Step::Make { .. } | Step::Unlink { .. } => true,
        }
    }

    fn apply(mut world: Self, step: &Step) -> Self {
        world.answer = Some(world.answer(step));
        world
    }
}

/// The real names and handles.
struct Real {
    names: [Name; NAMES],
    handles: Vec<Semaphore>,
}

impl Real {
    fn keep(&mut self, opened: Result<Semaphore, Errno>) -> Result<(), Errno> {
        self.handles.push(opened?);
        Ok(())
    }
}

impl Subject for Real {
    type Reference = World;

    fn start(_: &World) -> Result<Self, Failure> {
        Ok(Real { names: std::array::from_fn(|_| Name::new()), handles: Vec::new() })
    }

    fn step(&mut self, after: &World, step: Step) -> Outcome {
        let seen = match step {
            Step::Post { handle } => self.handles[handle].post(),
            Step::Try { handle } => self.handles[handle].try_wait(),
            Step::Open { name } => self.keep(Semaphore::open(&self.names[name])),
            Step::Close { handle } => self.handles.remove(handle).close(),
            Step::Make { name, value, exclusive } => {
                let flags = if exclusive { CREATE_NEW } else { OFlag::O_CREAT };
                self.keep(Semaphore::open_with(&self.names[name], flags, 0o600, value))
            }
            Step::Unlink { name } => sem_unlink(&self.names[name]),
        };
        expect_eq!(Some(seen), after.answer);
        Ok(())
    }

    fn check(&self, world: &World) -> Outcome {
        let named = self.names.each_ref().map(|name| Semaphore::open(name).is_ok());
        expect_eq!(named, world.names.map(|semaphore| semaphore.is_some()));
        // Two handles have the same address exactly where they refer to the same semaphore.
        for (index, handle) in self.handles.iter().enumerate() {
            for (other, second) in self.handles.iter().enumerate().skip(index + 1) {
                expect_eq!(handle.address() == second.address(), world.handles[index] == world.handles[other]);
            }
        }
        Ok(())
    }
}

/// In a random sequence of `sem_open`, `sem_close`, `sem_unlink`, `sem_post` and `sem_trywait` on two names, `sem_close` returns
/// 0, `sem_post` returns 0 and adds 1 to the value, and `sem_trywait` returns 0 and subtracts 1, or fails with `EAGAIN` at
/// value 0. `sem_open` with `O_CREAT | O_EXCL` fails with `EEXIST` exactly if the name exists, and `sem_open` without `O_CREAT`
/// and `sem_unlink` fail with `ENOENT` exactly if it does not. Two `sem_open` calls without `sem_close` return the same address
/// exactly if both have the same name and `sem_unlink` removed it at no time between them.
#[conformance::test(posix = "sem_open", posix = "sem_close", posix = "sem_unlink", man = "sem_overview(7)")]
fn names_and_handles_follow_the_model() -> Outcome {
    follows_its_model::<Real>(1..35)
}
