//! Does the C library have a function? For cases which assert that a mechanism is absent.

use std::ffi::CStr;

/// Whether `dlsym` finds the symbol in what this executable is linked with.
pub fn exists(name: &CStr) -> bool {
    // SAFETY: the name ends with a NUL; the address is compared and never used.
    !unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }.is_null()
}

/// The symbol of a library that the address is in, and how far, where a library exports one there.
#[cfg(has_single_steps)]
pub(crate) fn containing(address: usize) -> Option<(String, usize)> {
    let found = look_up(address)?;
    if found.dli_sname.is_null() {
        return None;
    }
    // SAFETY: the name is a string inside a library that stays loaded.
    let name = unsafe { CStr::from_ptr(found.dli_sname) }.to_string_lossy().into_owned();
    Some((name, address.wrapping_sub(found.dli_saddr.expose_provenance())))
}

/// Where the library, or the executable, begins that the address is in; `None` where nothing is loaded dynamically.
#[cfg(has_single_steps)]
pub(crate) fn library(address: usize) -> Option<usize> {
    look_up(address).map(|found| found.dli_fbase.expose_provenance())
}

#[cfg(has_single_steps)]
fn look_up(address: usize) -> Option<libc::Dl_info> {
    let mut found = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: an address that is in no library is an answer; where one is found the structure is written.
    if unsafe { libc::dladdr(std::ptr::with_exposed_provenance(address), found.as_mut_ptr()) } == 0 {
        return None;
    }
    // SAFETY: all zeroes are a value too, so that the structure is initialised in any case.
    Some(unsafe { found.assume_init() })
}
