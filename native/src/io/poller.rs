//! Which sockets have something to read.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{Timespec, epoll};
use rustix::io;

/// Ready sockets taken from the kernel in one call.
pub const BATCH: usize = 512;

/// A level-triggered epoll set. Measured against trying every socket, edge triggering and
/// recvmmsg: equally cheap when every stream has traffic, and free for streams that have none.
#[derive(Debug)]
pub struct Poller {
    set: OwnedFd,
    ready: Vec<u64>,
}

impl Poller {
    /// # Errors
    ///
    /// The process has no descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            set: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            ready: Vec::with_capacity(BATCH),
        })
    }

    /// Watch `socket`; closing it ends that. `key` comes back from [`Self::poll`].
    ///
    /// # Errors
    ///
    /// The kernel's limit of watches is reached.
    pub fn watch(&self, socket: impl AsFd, key: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(key);
        epoll::add(&self.set, socket, data, epoll::EventFlags::IN)
    }

    /// Take the keys of sockets that are readable now, at most one batch; never waits.
    pub fn poll(&mut self) -> &[u64] {
        let mut events = [const { MaybeUninit::uninit() }; BATCH];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        self.ready.clear();
        // The one possible error is a signal; the next step, 5 ms on, asks again.
        if let Ok((ready, _)) = epoll::wait(&self.set, &mut events, Some(&at_once)) {
            self.ready
                .extend(ready.iter().map(|event| event.data.u64()));
        }
        &self.ready
    }
}
