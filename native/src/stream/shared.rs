//! The little that the media thread and other threads both look at.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::AcqRel, Ordering::Acquire};
use std::sync::{Mutex, PoisonError};

use super::report::StatisticsReport;

/// Orders for digits that may wait in one stream.
const MAX_DIGIT_ORDERS: usize = 32;

/// Shared by a stream, its owner and the disk's threads.
#[derive(Debug, Default)]
pub struct StreamShared {
    statistics: Mutex<StatisticsReport>,
    /// Number of the recording under way; 0: none.
    recording: AtomicU64,
    digit_orders: AtomicUsize,
    closed: AtomicBool,
}

impl StreamShared {
    /// Show `statistics` to readers. Never waits: while one reads, it keeps the figures it has.
    pub fn publish(&self, statistics: &StatisticsReport) {
        if let Ok(mut shown) = self.statistics.try_lock() {
            *shown = *statistics;
        }
    }

    /// The same for the last figures, which must be seen.
    pub fn publish_last(&self, statistics: &StatisticsReport) {
        *self
            .statistics
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = *statistics;
    }

    /// The figures shown last.
    pub fn statistics(&self) -> StatisticsReport {
        *self
            .statistics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Note that the recording `number` begins; false when another is under way.
    pub fn recording_began(&self, number: u64) -> bool {
        self.recording
            .compare_exchange(0, number, AcqRel, Acquire)
            .is_ok()
    }

    /// Note that the recording `number` ended, if it is the one under way.
    pub fn recording_ended(&self, number: u64) {
        let _ = self.recording.compare_exchange(number, 0, AcqRel, Acquire);
    }

    /// Note that the recording under way ends, whichever it is; false when there is none.
    pub fn recording_stops(&self) -> bool {
        self.recording.swap(0, AcqRel) != 0
    }

    /// Take a place in the queue of digits; false when it is full.
    pub fn enter_digits(&self) -> bool {
        self.digit_orders
            .fetch_update(AcqRel, Acquire, |waiting| {
                (waiting < MAX_DIGIT_ORDERS).then_some(waiting + 1)
            })
            .is_ok()
    }

    /// Give the place back.
    pub fn leave_digits(&self) {
        self.digit_orders.fetch_sub(1, AcqRel);
    }

    /// Note the order to close; true the first time.
    pub fn close(&self) -> bool {
        !self.closed.swap(true, AcqRel)
    }

    /// Whether the stream was ordered to close.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_recording_at_a_time_and_a_late_failure_does_not_end_the_next() {
        let shared = StreamShared::default();
        assert!(shared.recording_began(1));
        assert!(!shared.recording_began(2));
        assert!(shared.recording_stops());
        assert!(!shared.recording_stops());
        assert!(shared.recording_began(2));
        shared.recording_ended(1);
        assert!(!shared.recording_began(3));
        shared.recording_ended(2);
        assert!(shared.recording_began(3));
    }

    #[test]
    fn the_queue_of_digits_is_bounded() {
        let shared = StreamShared::default();
        assert!((0..MAX_DIGIT_ORDERS).all(|_| shared.enter_digits()));
        assert!(!shared.enter_digits());
        shared.leave_digits();
        assert!(shared.enter_digits());
    }

    #[test]
    fn a_stream_is_closed_once() {
        let shared = StreamShared::default();
        assert!(shared.close());
        assert!(!shared.close());
        assert!(shared.is_closed());
    }
}
