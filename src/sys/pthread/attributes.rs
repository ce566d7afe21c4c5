//! Attributes of `pthread` objects. Values are plain numbers, so that those can be tried that mean nothing.

use std::mem::MaybeUninit;

use libc::c_int;

use crate::sys::Errno;
use crate::sys::point::around;

/// `PTHREAD_PROCESS_PRIVATE`.
pub const PRIVATE: c_int = libc::PTHREAD_PROCESS_PRIVATE;
/// `PTHREAD_PROCESS_SHARED`.
pub const SHARED: c_int = libc::PTHREAD_PROCESS_SHARED;
/// `PTHREAD_MUTEX_NORMAL`.
pub const NORMAL: c_int = libc::PTHREAD_MUTEX_NORMAL;
/// `PTHREAD_MUTEX_ERRORCHECK`.
pub const ERRORCHECK: c_int = libc::PTHREAD_MUTEX_ERRORCHECK;
/// `PTHREAD_MUTEX_RECURSIVE`.
pub const RECURSIVE: c_int = libc::PTHREAD_MUTEX_RECURSIVE;
/// `PTHREAD_MUTEX_STALLED`.
#[cfg(has_robust_mutexes)]
pub const STALLED: c_int = libc::PTHREAD_MUTEX_STALLED;
/// `PTHREAD_MUTEX_ROBUST`.
#[cfg(has_robust_mutexes)]
pub const ROBUST: c_int = libc::PTHREAD_MUTEX_ROBUST;
/// `PTHREAD_RWLOCK_PREFER_READER_NP`.
#[cfg(has_lock_preference)]
pub const PREFER_READERS: c_int = 0;
/// `PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP`.
#[cfg(has_lock_preference)]
pub const PREFER_WRITERS: c_int = 2;
/// `PTHREAD_PRIO_NONE`; the three have the same numbers on Linux, macOS and FreeBSD.
pub const PRIO_NONE: c_int = 0;
/// `PTHREAD_PRIO_INHERIT`.
pub const PRIO_INHERIT: c_int = 1;
/// `PTHREAD_PRIO_PROTECT`.
pub const PRIO_PROTECT: c_int = 2;

// What the libc crate leaves out, or declares otherwise, for some system or for all.
unsafe extern "C" {
    fn pthread_mutexattr_gettype(attributes: *const libc::pthread_mutexattr_t, value: *mut c_int) -> c_int;
    fn pthread_mutexattr_setprotocol(attributes: *mut libc::pthread_mutexattr_t, value: c_int) -> c_int;
    fn pthread_mutexattr_getprotocol(attributes: *const libc::pthread_mutexattr_t, value: *mut c_int) -> c_int;
    #[cfg(has_robust_mutexes)]
    fn pthread_mutexattr_getrobust(attributes: *const libc::pthread_mutexattr_t, value: *mut c_int) -> c_int;
    #[cfg(has_priority_ceilings)]
    fn pthread_mutexattr_setprioceiling(attributes: *mut libc::pthread_mutexattr_t, value: c_int) -> c_int;
    #[cfg(has_priority_ceilings)]
    fn pthread_mutexattr_getprioceiling(attributes: *const libc::pthread_mutexattr_t, value: *mut c_int) -> c_int;
}

/// An initialised attributes object, destroyed when dropped.
macro_rules! attributes {
    ($(#[$doc:meta])* $name:ident($raw:ty), $init:path, $destroy:path;
     $($(#[$item:meta])* $get:ident = $raw_get:path, $set:ident = $raw_set:path;)*) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(Box<$raw>);

        impl $name {
            /// With the values that the system begins with.
            ///
            /// # Errors
            /// What the system answers.
            pub fn new() -> Result<Self, Errno> {
                let mut attributes = Box::new(MaybeUninit::uninit());
                // SAFETY: room for the attributes, which the call initialises.
                Errno::from_pthread(around(|| unsafe { $init(attributes.as_mut_ptr()) }))?;
                // SAFETY: initialised by the call.
                Ok($name(unsafe { attributes.assume_init() }))
            }

            $(
                $(#[$item])*
                #[doc = concat!("`", stringify!($raw_get), "`.")]
                ///
                /// # Errors
                /// What the system answers.
                pub fn $get(&self) -> Result<c_int, Errno> {
                    let mut value = c_int::MIN;
                    // SAFETY: the attributes are initialised, and `value` is the `int` that is written.
                    Errno::from_pthread(around(|| unsafe { $raw_get(&raw const *self.0, &raw mut value) }))?;
                    Ok(value)
                }

                $(#[$item])*
                #[doc = concat!("`", stringify!($raw_set), "`.")]
                ///
                /// # Errors
                /// What the system answers.
                pub fn $set(&mut self, value: c_int) -> Result<(), Errno> {
                    // SAFETY: the attributes are initialised; a value that means nothing is an error code.
                    Errno::from_pthread(around(|| unsafe { $raw_set(&raw mut *self.0, value) }))
                }
            )*

            /// For the call that initialises an object.
            pub(super) fn raw(&self) -> *const $raw {
                &raw const *self.0
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: initialised by `new`, and used no more.
                unsafe { $destroy(&raw mut *self.0) };
            }
        }
    };
}

attributes! {
    /// `pthread_mutexattr_t`.
    MutexAttributes(libc::pthread_mutexattr_t), libc::pthread_mutexattr_init, libc::pthread_mutexattr_destroy;
    shared = libc::pthread_mutexattr_getpshared, set_shared = libc::pthread_mutexattr_setpshared;
    kind = pthread_mutexattr_gettype, set_kind = libc::pthread_mutexattr_settype;
    protocol = pthread_mutexattr_getprotocol, set_protocol = pthread_mutexattr_setprotocol;
    #[cfg(has_robust_mutexes)]
    robust = pthread_mutexattr_getrobust, set_robust = libc::pthread_mutexattr_setrobust;
    #[cfg(has_priority_ceilings)]
    ceiling = pthread_mutexattr_getprioceiling, set_ceiling = pthread_mutexattr_setprioceiling;
}

attributes! {
    /// `pthread_condattr_t`.
    ConditionAttributes(libc::pthread_condattr_t), libc::pthread_condattr_init, libc::pthread_condattr_destroy;
    shared = libc::pthread_condattr_getpshared, set_shared = libc::pthread_condattr_setpshared;
}

#[cfg(has_timed_locks)]
impl ConditionAttributes {
    /// `pthread_condattr_getclock`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn clock(&self) -> Result<libc::clockid_t, Errno> {
        let mut clock = libc::clockid_t::MIN;
        // SAFETY: the attributes are initialised, and `clock` is what is written.
        Errno::from_pthread(around(|| unsafe { libc::pthread_condattr_getclock(self.raw(), &raw mut clock) }))?;
        Ok(clock)
    }

    /// `pthread_condattr_setclock`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn set_clock(&mut self, clock: libc::clockid_t) -> Result<(), Errno> {
        // SAFETY: the attributes are initialised; a clock that does not exist is an error code.
        Errno::from_pthread(around(|| unsafe { libc::pthread_condattr_setclock(&raw mut *self.0, clock) }))
    }
}

attributes! {
    /// `pthread_rwlockattr_t`.
    LockAttributes(libc::pthread_rwlockattr_t), libc::pthread_rwlockattr_init, libc::pthread_rwlockattr_destroy;
    shared = libc::pthread_rwlockattr_getpshared, set_shared = libc::pthread_rwlockattr_setpshared;
    #[cfg(has_lock_preference)]
    preference = libc::pthread_rwlockattr_getkind_np, set_preference = libc::pthread_rwlockattr_setkind_np;
}

#[cfg(has_barriers)]
attributes! {
    /// `pthread_barrierattr_t`.
    BarrierAttributes(libc::pthread_barrierattr_t), libc::pthread_barrierattr_init, libc::pthread_barrierattr_destroy;
    shared = libc::pthread_barrierattr_getpshared, set_shared = libc::pthread_barrierattr_setpshared;
}
