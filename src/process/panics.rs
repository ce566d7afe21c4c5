//! Panics as data: message and place, in place of lines on standard error.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;

/// Message and place of a panic.
pub(crate) type Panic = (String, Option<(String, u32)>);

static LAST_PANIC: Mutex<Option<Panic>> = Mutex::new(None);

/// Makes panics silent and remembers what they say; for the case's process and all below it.
pub(crate) fn remember() {
    panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without a message".to_owned());
        let place = info.location().map(|place| (place.file().to_owned(), place.line()));
        *LAST_PANIC.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some((message, place));
    }));
}

/// Runs `body`; a panic becomes its message and place.
pub(crate) fn catch<T>(body: impl FnOnce() -> T) -> Result<T, Panic> {
    panic::catch_unwind(AssertUnwindSafe(body)).map_err(|_| {
        let remembered = LAST_PANIC.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        remembered.unwrap_or_else(|| ("a panic without a message".to_owned(), None))
    })
}
