//! [`Semaphore`]: opening and making one, and giving it up.

use std::ffi::CString;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::OFlag;

use super::posting::forget;
use crate::sys::memory::mapping::Mapping;
use crate::sys::point::around;
use crate::sys::{Errno, errno};

#[cfg(not(apple))]
use libc::{sem_destroy, sem_init};

// In the C library, where they answer ENOSYS; the libc crate leaves them out.
#[cfg(apple)]
unsafe extern "C" {
    fn sem_init(semaphore: *mut libc::sem_t, shared: libc::c_int, value: libc::c_uint) -> libc::c_int;
    fn sem_destroy(semaphore: *mut libc::sem_t) -> libc::c_int;
}

/// A semaphore, open in this process. A forked child may use its copy.
#[derive(Debug)]
pub struct Semaphore {
    pub(super) handle: NonNull<libc::sem_t>,
    home: Home,
    /// A handler has been told to post to it.
    pub(super) posted: AtomicBool,
}

#[derive(Debug)]
enum Home {
    /// Opened by name; the process that removes the name, 0 for none.
    Name { name: CString, owner: u32 },
    /// In a mapping, which lives as long as the semaphore; made by this owner, which destroys it, or by somebody else.
    Memory { mapping: Rc<Mapping>, made: bool },
    /// Closed or destroyed.
    Gone,
}

// SAFETY: what a shared reference allows are calls of the C library that any thread may make at any time; the count of the mapping's
// owners is touched only by who owns the semaphore. What lies in the memory are numbers, so that what others write there
// (the mapping can be written to, by its other owners) is never followed anywhere.
unsafe impl Sync for Semaphore {}

/// Room that a semaphore takes: two at this distance are neighbours.
pub const ROOM: usize = size_of::<libc::sem_t>();

/// `SEM_VALUE_MAX` of this system.
pub fn largest_value() -> u32 {
    // SAFETY: `sysconf` has no preconditions.
    let value = unsafe { libc::sysconf(libc::_SC_SEM_VALUE_MAX) };
    // The least that POSIX allows, where the system does not say.
    u32::try_from(value).ok().filter(|&value| value > 0).unwrap_or(32_767)
}

impl Semaphore {
    fn of(handle: NonNull<libc::sem_t>, home: Home) -> Self {
        Semaphore { handle, home, posted: AtomicBool::new(false) }
    }

    /// No handler posts to it any more: it is about to be given up.
    fn forget(&self) {
        if self.posted.load(Ordering::SeqCst) {
            forget(self.handle);
        }
    }

    /// `sem_open` of a new semaphore (`O_CREAT | O_EXCL`, mode 0600). Its name is removed on drop by this process only.
    ///
    /// # Errors
    /// What the system answers.
    pub fn create(name: &str, value: u32) -> Result<Self, Errno> {
        let name = c_string(name)?;
        let (flags, mode): (libc::c_int, libc::c_uint) = (libc::O_CREAT | libc::O_EXCL, 0o600);
        // SAFETY: the name ends with a NUL, and with O_CREAT the call takes a mode and a value, promoted as C does.
        let handle = around(|| opened(unsafe { libc::sem_open(name.as_ptr(), flags, mode, value) }))?;
        Ok(Semaphore::of(handle, Home::Name { name, owner: std::process::id() }))
    }

    /// `sem_open` of a semaphore that exists.
    ///
    /// # Errors
    /// What the system answers.
    pub fn open(name: &str) -> Result<Self, Errno> {
        let name = c_string(name)?;
        // SAFETY: the name ends with a NUL; without O_CREAT the call takes no more arguments.
        let handle = around(|| opened(unsafe { libc::sem_open(name.as_ptr(), 0) }))?;
        Ok(Semaphore::of(handle, Home::Name { name, owner: 0 }))
    }

    /// `sem_open` with these flags, mode and value. Nobody's name: it is not removed on drop.
    ///
    /// # Errors
    /// What the system answers.
    pub fn open_with(name: &str, flags: OFlag, mode: u32, value: u32) -> Result<Self, Errno> {
        let name = c_string(name)?;
        let mode: libc::c_uint = mode;
        // SAFETY: the name ends with a NUL; arguments that the flags do not ask for are passed and not looked at.
        let handle = around(|| opened(unsafe { libc::sem_open(name.as_ptr(), flags.bits(), mode, value) }))?;
        Ok(Semaphore::of(handle, Home::Name { name, owner: 0 }))
    }

    /// As [`Semaphore::open`], and removes the name when dropped: the maker is gone.
    ///
    /// # Errors
    /// What the system answers.
    pub fn adopt(name: &str) -> Result<Self, Errno> {
        let mut semaphore = Semaphore::open(name)?;
        if let Home::Name { owner, .. } = &mut semaphore.home {
            *owner = std::process::id();
        }
        Ok(semaphore)
    }

    /// `sem_init` of an unnamed, process-shared semaphore at the beginning of a mapping.
    ///
    /// # Errors
    /// What the system answers.
    pub fn unnamed(mapping: Mapping, value: u32) -> Result<Self, Errno> {
        Semaphore::placed(&Rc::new(mapping), 0, true, value)
    }

    /// `sem_init` of an unnamed semaphore at a place of a mapping that holds others too; shared with other processes or not.
    ///
    /// # Errors
    /// What the system answers.
    pub fn placed(mapping: &Rc<Mapping>, offset: usize, shared: bool, value: u32) -> Result<Self, Errno> {
        let handle = place(mapping, offset)?;
        // SAFETY: room for a semaphore, aligned, which this owner alone hands out.
        Errno::result(around(|| unsafe { sem_init(handle.as_ptr(), i32::from(shared), value) }))?;
        Ok(Semaphore::of(handle, Home::Memory { mapping: Rc::clone(mapping), made: true }))
    }

    /// A semaphore that has been made by somebody else at that place of what is mapped. Memory of zeroes is taken for one too.
    ///
    /// # Errors
    /// `EINVAL` where none can be.
    pub fn attach(mapping: &Rc<Mapping>, offset: usize) -> Result<Self, Errno> {
        Ok(Semaphore::of(place(mapping, offset)?, Home::Memory { mapping: Rc::clone(mapping), made: false }))
    }

    /// `sem_destroy`: gives the mapping back; `None` for a named one, which is not destroyed.
    ///
    /// # Errors
    /// What the system answers.
    pub fn destroy(mut self) -> Result<Option<Rc<Mapping>>, Errno> {
        self.forget();
        match std::mem::replace(&mut self.home, Home::Gone) {
            Home::Memory { mapping, .. } => {
                // SAFETY: the semaphore is in a mapping that is held here, and nothing borrowed from it is left.
                Errno::result(around(|| unsafe { sem_destroy(self.handle.as_ptr()) }))?;
                Ok(Some(mapping))
            }
            other => {
                self.home = other;
                Ok(None)
            }
        }
    }

    /// `sem_close`; the name stays, whoever made it.
    ///
    /// # Errors
    /// What the system answers.
    pub fn close(mut self) -> Result<(), Errno> {
        self.forget();
        self.home = Home::Gone;
        // SAFETY: opened by the constructor, and never used again.
        Errno::result(around(|| unsafe { libc::sem_close(self.handle.as_ptr()) })).map(drop)
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        self.forget();
        // SAFETY: nothing borrowed from the handle is left. A semaphore in memory is destroyed only as far as this process is
        // concerned: on the systems that have them that changes nothing in the memory.
        unsafe {
            match &self.home {
                Home::Name { name, owner } => {
                    libc::sem_close(self.handle.as_ptr());
                    if *owner == std::process::id() {
                        // It may have been unlinked already, which is what a case may be about.
                        libc::sem_unlink(name.as_ptr());
                    }
                }
                Home::Memory { made: true, .. } => {
                    sem_destroy(self.handle.as_ptr());
                }
                Home::Memory { made: false, .. } | Home::Gone => {}
            }
        }
    }
}

/// Room for a semaphore at a place of a mapping.
fn place(mapping: &Mapping, offset: usize) -> Result<NonNull<libc::sem_t>, Errno> {
    let place = NonNull::new(mapping.address::<libc::sem_t>(offset)).ok_or(errno::EINVAL)?;
    if place.is_aligned() { Ok(place) } else { Err(errno::EINVAL) }
}

/// `sem_unlink`.
///
/// # Errors
/// What the system answers.
pub fn sem_unlink(name: &str) -> Result<(), Errno> {
    let name = c_string(name)?;
    // SAFETY: the name ends with a NUL.
    Errno::result(around(|| unsafe { libc::sem_unlink(name.as_ptr()) })).map(drop)
}

fn opened(handle: *mut libc::sem_t) -> Result<NonNull<libc::sem_t>, Errno> {
    if handle == libc::SEM_FAILED { Err(Errno::last()) } else { NonNull::new(handle).ok_or(errno::EIO) }
}

fn c_string(name: &str) -> Result<CString, Errno> {
    CString::new(name).map_err(|_| errno::EINVAL)
}
