//! An eventfd: tells Python's loop that events wait.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io;

/// A descriptor that is readable from [`Wakeup::raise`] to [`Wakeup::clear`].
#[derive(Debug)]
pub struct Wakeup(OwnedFd);

impl Wakeup {
    /// # Errors
    ///
    /// The process has no descriptor left.
    pub fn new() -> io::Result<Self> {
        eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map(Self)
    }

    /// Make the descriptor readable. Never blocks.
    pub fn raise(&self) {
        // Fails only when the counter is full, and then the descriptor is readable already.
        let _ = io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Make the descriptor unreadable.
    pub fn clear(&self) {
        // Fails only when nothing was raised.
        let _ = io::read(&self.0, &mut [0; 8]);
    }
}

impl AsFd for Wakeup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
