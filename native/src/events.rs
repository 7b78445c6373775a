//! What streams report, in one ordered queue per engine.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::io::wakeup::Wakeup;
use crate::stream::report::StatisticsReport;

/// Names a stream for as long as the engine lives; never used twice.
pub type StreamId = u64;

/// Digits are dropped from here on; a peer can make no more than this wait in memory. Everything
/// else is bounded by the orders it answers.
const MAX_QUEUED: usize = 65_536;

/// Something a stream reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The first packet of a source was accepted.
    MediaStarted(SocketAddr),
    /// Nothing came for so long, µs.
    MediaTimedOut(u64),
    /// A play is over.
    PlayFinished {
        /// Which.
        play: u64,
        /// Whether it was heard to its end.
        completed: bool,
    },
    /// A key was pressed.
    DtmfReceived {
        /// One of `0-9*#A-D`.
        digit: char,
        /// How long, ms.
        duration_ms: u32,
    },
    /// All digits of an order were sent.
    DtmfSent(String),
    /// A recording is whole and durable.
    RecordingFinished {
        /// Where it lies.
        path: PathBuf,
        /// Its length.
        samples: u64,
        /// Of the whole file.
        size_bytes: u64,
        /// Of the whole file, hex.
        sha256: String,
        /// Samples of silence in place of sound.
        lost_samples: u64,
    },
    /// A recording could not be written on.
    RecordingFailed {
        /// Where it should lie.
        path: PathBuf,
        /// Why.
        reason: String,
        /// Where the part lies that was written.
        kept: Option<PathBuf>,
    },
    /// The stream is over.
    StreamClosed(Box<StatisticsReport>),
}

/// What waits for Python.
#[derive(Debug)]
pub struct EventQueue {
    state: Mutex<Queued>,
    wakeup: Wakeup,
}

#[derive(Debug, Default)]
struct Queued {
    events: Vec<(StreamId, Event)>,
    dropped: u64,
}

impl EventQueue {
    /// # Errors
    ///
    /// The process has no descriptor left.
    pub fn new() -> rustix::io::Result<Self> {
        Ok(Self {
            state: Mutex::default(),
            wakeup: Wakeup::new()?,
        })
    }

    /// Add what one tick brought, and wake the reader once. `batch` is empty afterwards.
    pub fn append(&self, batch: &mut Vec<(StreamId, Event)>) {
        if batch.is_empty() {
            return;
        }
        let mut queued = self.lock();
        let was_empty = queued.events.is_empty();
        for (stream, event) in batch.drain(..) {
            let droppable = matches!(event, Event::DtmfReceived { .. });
            if droppable && queued.events.len() >= MAX_QUEUED {
                queued.dropped += 1;
            } else {
                queued.events.push((stream, event));
            }
        }
        if was_empty {
            self.wakeup.raise();
        }
    }

    /// Take all events, oldest first.
    pub fn take(&self) -> Vec<(StreamId, Event)> {
        let mut queued = self.lock();
        self.wakeup.clear();
        std::mem::take(&mut queued.events)
    }

    /// How many wait, and how many were dropped so far.
    pub fn depth(&self) -> (usize, u64) {
        let queued = self.lock();
        (queued.events.len(), queued.dropped)
    }

    /// A panic elsewhere leaves the queue whole: every change is one push.
    fn lock(&self) -> MutexGuard<'_, Queued> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for EventQueue {
    /// Readable while events wait.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wakeup.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    const DIGIT: Event = Event::DtmfReceived {
        digit: '5',
        duration_ms: 100,
    };

    fn is_readable(queue: &EventQueue) -> bool {
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut [PollFd::new(queue, PollFlags::IN)], Some(&at_once)) == Ok(1)
    }

    #[test]
    fn the_descriptor_is_readable_exactly_while_events_wait() {
        let queue = EventQueue::new().unwrap();
        assert!(!is_readable(&queue));
        queue.append(&mut vec![]);
        assert!(!is_readable(&queue));
        queue.append(&mut vec![(1, DIGIT)]);
        queue.append(&mut vec![(2, DIGIT)]);
        assert!(is_readable(&queue));
        let taken = queue.take();
        assert_eq!(taken.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2]);
        assert!(!is_readable(&queue));
    }

    #[test]
    fn a_flood_of_digits_is_bounded_and_loses_nothing_else() {
        let queue = EventQueue::new().unwrap();
        queue.append(&mut vec![(1, DIGIT); MAX_QUEUED + 5]);
        let finished = Event::PlayFinished {
            play: 1,
            completed: true,
        };
        queue.append(&mut vec![(1, finished.clone())]);
        assert_eq!(queue.depth(), (MAX_QUEUED + 1, 5));
        assert_eq!(queue.take().pop(), Some((1, finished)));
    }
}
