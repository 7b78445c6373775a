//! The media clock: steps of 5 ms at absolute moments, so that nothing drifts.

use rustix::thread::{ClockId as SleepClock, clock_nanosleep_absolute};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// One step of the clock, ns: how often sockets are drained.
pub const STEP_NS: u64 = 5_000_000;
/// One media tick, ns: how often each stream plays, records and sends.
pub const TICK_NS: u64 = 20_000_000;
/// Steps in a tick. A stream ticks in one of them, so that packets leave spread over the 20 ms.
pub const STEPS_PER_TICK: u64 = TICK_NS / STEP_NS;
/// How far behind the clock may run before ticks are given up, ns. Up to here they are caught up
/// back to back, which a jitter buffer at the far end hides.
const MAX_BEHIND_NS: u64 = 100_000_000;

const NS_PER_S: u64 = 1_000_000_000;

fn read(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec as u64 * NS_PER_S + now.tv_nsec as u64
}

/// Nanoseconds of CLOCK_MONOTONIC.
pub fn monotonic_ns() -> u64 {
    read(ClockId::Monotonic)
}

/// Nanoseconds since 1970-01-01 UTC, for the NTP timestamps of RTCP.
pub fn unix_ns() -> u64 {
    read(ClockId::Realtime)
}

/// CPU time of the calling thread, ns.
pub fn thread_cpu_ns() -> u64 {
    read(ClockId::ThreadCPUTime)
}

/// What [`Pace::begin`] found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Beat {
    /// How long after its moment the step begins, ns.
    pub late_ns: u64,
    /// Whole media ticks given up before this step.
    pub skipped_ticks: u64,
}

/// The moments of the steps.
#[derive(Debug)]
pub struct Pace {
    next_ns: u64,
}

impl Pace {
    /// A pace whose first step is one step after `now_ns`.
    pub fn new(now_ns: u64) -> Self {
        Self {
            next_ns: now_ns + STEP_NS,
        }
    }

    /// The moment of the next step.
    pub fn next_ns(&self) -> u64 {
        self.next_ns
    }

    /// Begin the step that is due and set the moment of the next.
    ///
    /// Skips whole ticks only, so that every stream keeps its step within the tick.
    pub fn begin(&mut self, now_ns: u64) -> Beat {
        let late_ns = now_ns.saturating_sub(self.next_ns);
        let skipped_ticks = if late_ns > MAX_BEHIND_NS {
            late_ns / TICK_NS
        } else {
            0
        };
        self.next_ns += skipped_ticks * TICK_NS + STEP_NS;
        Beat {
            late_ns,
            skipped_ticks,
        }
    }
}

/// Sleep until CLOCK_MONOTONIC shows `moment_ns`; at once when it has passed.
pub fn sleep_until(moment_ns: u64) {
    let moment = Timespec {
        tv_sec: (moment_ns / NS_PER_S) as i64,
        tv_nsec: (moment_ns % NS_PER_S) as _,
    };
    // A signal (EINTR) wakes us early; absolute time makes the second try exact.
    while clock_nanosleep_absolute(SleepClock::Monotonic, &moment).is_err() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_stand_at_absolute_moments() {
        let mut pace = Pace::new(0);
        for step in 1..100 {
            assert_eq!(pace.next_ns(), step * STEP_NS);
            let beat = pace.begin(step * STEP_NS + 700);
            assert_eq!(
                beat,
                Beat {
                    late_ns: 700,
                    skipped_ticks: 0
                }
            );
        }
    }

    #[test]
    fn a_short_delay_is_caught_up_step_by_step() {
        let mut pace = Pace::new(0);
        let late = STEP_NS + MAX_BEHIND_NS;
        assert_eq!(pace.begin(late).skipped_ticks, 0);
        assert_eq!(pace.next_ns(), 2 * STEP_NS);
    }

    #[test]
    fn a_long_delay_skips_whole_ticks_and_keeps_the_phase() {
        let mut pace = Pace::new(0);
        let beat = pace.begin(STEP_NS + 3_600 * NS_PER_S + 7);
        assert_eq!(beat.skipped_ticks, 3_600 * 50);
        assert_eq!(pace.next_ns() % TICK_NS, 2 * STEP_NS);
        assert_eq!(
            pace.begin(pace.next_ns()),
            Beat {
                late_ns: 0,
                skipped_ticks: 0
            }
        );
    }

    #[test]
    fn sleeping_until_a_past_moment_returns_at_once_and_a_future_one_not_early() {
        let now = monotonic_ns();
        sleep_until(now - 1);
        sleep_until(now + 2_000_000);
        assert!(monotonic_ns() >= now + 2_000_000);
    }
}
