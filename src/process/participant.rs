//! [`Participant`]: a process that a case forks and controls, and that owns exactly the descriptors it was given.

use std::convert::Infallible;
use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::ops::Deref;

use super::child::{Child, End};
use super::descriptors::{Descriptors, close_all_but};
use super::exec;
use super::link::Link;
use super::value::Value;
use crate::outcome::Failure;
use crate::sys::Errno;

/// A process forked by a case, whose body returns a `T`. What can be done to it is told of at [`Child`].
pub struct Participant<T> {
    child: Child,
    value: PhantomData<fn() -> T>,
}

impl<T> Debug for Participant<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(&self.child, f)
    }
}

impl<T> Deref for Participant<T> {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.child
    }
}

impl<T: Value> Participant<T> {
    /// Forks a process that runs `body` with `descriptors`, which are moved to it: the parent's copies are closed, and the child
    /// closes everything else but 0, 1, 2 and its link. What the body captures of other descriptors is closed with the rest.
    ///
    /// # Errors
    /// What `fork`, `pipe` or `fcntl` answer.
    pub fn spawn<D: Descriptors>(name: &str, descriptors: D, body: impl FnOnce(D, &Link) -> T) -> Result<Self, Errno> {
        let mut handed = Some((descriptors, body));
        Self::of(name, &mut |link| {
            let Some((descriptors, body)) = handed.take() else { unreachable!("each process takes them once") };
            let mut keep = link.numbers().to_vec();
            descriptors.numbers(&mut keep);
            // SAFETY: the child runs the body and ends; what it owns are the descriptors that are kept.
            unsafe { close_all_but(&keep) };
            link.run(|link| body(descriptors, link))
        })
    }

    /// Forks a process that keeps every descriptor of the case; for cases that are about inheritance.
    ///
    /// # Errors
    /// What `fork`, `pipe` or `fcntl` answer.
    pub fn spawn_inheriting(name: &str, body: impl FnOnce(&Link) -> T) -> Result<Self, Errno> {
        let mut body = Some(body);
        Self::of(name, &mut |link| {
            let Some(body) = body.take() else { unreachable!("each process takes it once") };
            link.run(body)
        })
    }

    /// Starts this executable afresh, as a process unrelated to the case but for its parentage, and runs `body` there with
    /// `argument` and `descriptors`. The body captures nothing: no memory of the case is left to capture.
    ///
    /// # Errors
    /// What `fork`, `pipe` or `fcntl` answer. A failed `exec` shows itself when the participant is joined: so does `ENOSYS`, on a
    /// processor for which there is no table of bodies (see [`super::exec`]).
    pub fn exec<D: Descriptors, A: Value, F>(name: &str, descriptors: D, argument: &A, body: F) -> Result<Self, Errno>
    where
        F: Fn(D, A, &Link) -> T + Copy + 'static,
    {
        Self::exec_with(name, descriptors, argument, true, body)
    }

    /// As [`Participant::exec`], but what the case has open is left to `exec`: descriptors without close-on-exec come along.
    ///
    /// # Errors
    /// As for [`Participant::exec`].
    pub fn exec_inheriting<A: Value, F>(name: &str, argument: &A, body: F) -> Result<Self, Errno>
    where
        F: Fn((), A, &Link) -> T + Copy + 'static,
    {
        Self::exec_with(name, (), argument, false, body)
    }

    fn exec_with<D: Descriptors, A: Value, F>(name: &str, descriptors: D, argument: &A, alone: bool, body: F) -> Result<Self, Errno>
    where
        F: Fn(D, A, &Link) -> T + Copy + 'static,
    {
        let participant = Self::of(name, &mut |link| {
            let mut handed = Vec::new();
            descriptors.numbers(&mut handed);
            if alone {
                // SAFETY: the child runs another program or ends.
                unsafe { close_all_but(&[link.numbers().to_vec(), handed.clone()].concat()) };
            }
            let errno = exec::restart(link, &handed, argument, body);
            panic!("cannot start this executable afresh: {errno:?} ({errno})");
        })?;
        drop(descriptors);
        Ok(participant)
    }

    /// A participant that does as `child` says.
    fn of(name: &str, child: &mut dyn FnMut(&Link) -> Infallible) -> Result<Self, Errno> {
        Ok(Participant { child: Child::fork(name, child)?, value: PhantomData })
    }

    /// Waits for the participant to end, and gives what its body returned.
    ///
    /// # Errors
    /// The case *fails* if the participant panicked, was killed, or exited by itself.
    #[track_caller]
    pub fn join(self) -> Result<T, Failure> {
        let bytes = self.child.returned()?;
        postcard::from_bytes(&bytes).map_err(|error| self.child.broken(&format!("sent a value that cannot be read: {error}")))
    }

    /// Waits for the participant to end, and says how; for cases in which it is meant to be ended by a signal.
    ///
    /// # Errors
    /// `waitpid` failed: the case is unresolved.
    #[track_caller]
    pub fn end(self) -> Result<End, Failure> {
        Ok(self.child.reap()?)
    }
}
