//! The C library that this executable runs with.

/// The release of the C library, where it can be asked.
pub fn release() -> Option<String> {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: the function has no preconditions, and gives a string that lives as long as the process.
        let text = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
        Some(text.to_string_lossy().into_owned())
    }
    #[cfg(not(target_env = "gnu"))]
    None
}
