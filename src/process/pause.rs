//! [`Pause`]: the time between two looks of a poll.

use std::time::Duration;

/// A pause between two looks: short at first, and longer while nothing changes.
///
/// It sleeps, as some guests' clocks hardly move while a process computes.
#[derive(Debug)]
pub struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Pause(Duration::from_micros(20))
    }
}

impl Pause {
    const LONGEST: Duration = Duration::from_millis(1);

    /// Sleeps once. Orders nothing: it only spaces the looks of a poll.
    pub fn sleep(&mut self) {
        std::thread::sleep(self.0);
        self.0 = (self.0 * 3 / 2).min(Self::LONGEST);
    }
}
