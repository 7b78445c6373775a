//! How late packets come, and the playout delay that follows from it.
//!
//! A packet's transit is its arrival minus its timestamp; the two clocks have unrelated origins, so
//! only differences mean something. The least transit of the last seconds is taken as the path
//! without queueing. Lateness is a packet's transit above that.

/// Ticks of the RTP clock in a millisecond, for all codecs this buffer takes.
pub(super) const TICKS_PER_MS: i64 = 8;

/// The least delay, ticks (20 ms): one frame, for the scheduling of both machines. Below it a
/// perfect network would already make gaps.
pub(super) const MIN_TARGET: i64 = 20 * TICKS_PER_MS;
/// Delay until [`SETTLED_AFTER`] packets were seen, ticks (40 ms): what most paths need at most.
const INITIAL_TARGET: i64 = 40 * TICKS_PER_MS;
/// The largest delay, ticks (300 ms): holds jitter of 200 ms and its bursts. With a path of 100 ms it
/// reaches the 400 ms one way beyond which ITU-T G.114 calls a conversation unacceptable.
pub(super) const MAX_TARGET: i64 = 300 * TICKS_PER_MS;

/// Share of packets that shall come in time. One lost packet in a hundred costs about 4 points of
/// E-model rating (G.107 with G.711 and concealment), 20 ms more delay about 0.5: late loss is the
/// dearer by far.
const IN_TIME: f32 = 0.99;
/// Weight of a new packet once that many were seen: a memory of about 10 s at 50 packets/s.
const MEMORY: f32 = 1.0 / 512.0;
/// Packets after which the distribution is trusted to go below [`INITIAL_TARGET`].
const SETTLED_AFTER: u32 = 50;

/// Width of a histogram bin, ticks (5 ms).
const BIN_TICKS: i64 = 5 * TICKS_PER_MS;
const BINS: usize = (MAX_TARGET / BIN_TICKS) as usize;

/// Span of one bucket of the least-transit window, ticks (1 s).
const BUCKET_TICKS: i64 = 1000 * TICKS_PER_MS;
/// Buckets: 10 s. Clocks 100 ppm apart shift by 1 ms in that time.
const BUCKETS: usize = 10;

/// Learns the distribution of lateness.
pub(super) struct DelayEstimate {
    weights: [f32; BINS],
    seen: u32,
    least: [i64; BUCKETS],
    bucket: i64,
    base: i64,
    target: i64,
}

impl DelayEstimate {
    pub(super) fn new() -> Self {
        Self {
            weights: [0.0; BINS],
            seen: 0,
            least: [i64::MAX; BUCKETS],
            bucket: 0,
            base: 0,
            target: INITIAL_TARGET,
        }
    }

    /// Start with timestamps of another origin; what was learnt of lateness stays.
    pub(super) fn rebase(&mut self, transit: i64, arrival: i64) {
        self.least = [i64::MAX; BUCKETS];
        self.bucket = arrival.div_euclid(BUCKET_TICKS);
        self.least[slot(self.bucket)] = transit;
        self.base = transit;
    }

    /// Take one packet.
    pub(super) fn observe(&mut self, transit: i64, arrival: i64) {
        self.follow_base(transit, arrival.div_euclid(BUCKET_TICKS));
        let bin = ((transit - self.base) / BIN_TICKS) as usize;
        // What comes later than the largest delay cannot be saved by any delay.
        if bin < BINS {
            self.count(bin);
            self.retarget();
        }
    }

    /// The least transit of the window, ticks.
    pub(super) fn base(&self) -> i64 {
        self.base
    }

    /// The delay to play at, ticks, above the least transit.
    pub(super) fn target(&self) -> i64 {
        self.target
    }

    fn follow_base(&mut self, transit: i64, bucket: i64) {
        let passed = (bucket - self.bucket).clamp(0, BUCKETS as i64);
        for step in 1..=passed {
            self.least[slot(bucket - passed + step)] = i64::MAX;
        }
        self.bucket = self.bucket.max(bucket);
        let least = &mut self.least[slot(self.bucket)];
        *least = transit.min(*least);
        self.base = self.least.iter().copied().min().unwrap_or(transit);
    }

    fn count(&mut self, bin: usize) {
        self.seen = self.seen.saturating_add(1);
        let weight = MEMORY.max(1.0 / self.seen as f32);
        for share in &mut self.weights {
            *share *= 1.0 - weight;
        }
        self.weights[bin] += weight;
    }

    fn retarget(&mut self) {
        let mut later = 0.0;
        let mut bins = BINS;
        while bins > 0 && later + self.weights[bins - 1] <= 1.0 - IN_TIME {
            bins -= 1;
            later += self.weights[bins];
        }
        let floor = if self.seen < SETTLED_AFTER {
            INITIAL_TARGET
        } else {
            MIN_TARGET
        };
        self.target = (bins as i64 * BIN_TICKS).clamp(floor, MAX_TARGET);
    }
}

fn slot(bucket: i64) -> usize {
    bucket.rem_euclid(BUCKETS as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feed packets 20 ms apart with these latenesses, ms.
    fn fed(estimate: &mut DelayEstimate, latenesses: impl IntoIterator<Item = i64>) {
        let mut sent = estimate.bucket * BUCKET_TICKS;
        for lateness in latenesses {
            sent += 160;
            let transit = 5000 + lateness * TICKS_PER_MS;
            estimate.observe(transit, sent + transit);
        }
    }

    #[test]
    fn a_steady_path_needs_the_least_delay() {
        let mut estimate = DelayEstimate::new();
        assert_eq!(estimate.target(), INITIAL_TARGET);
        fed(&mut estimate, [0; 49]);
        assert_eq!(estimate.target(), INITIAL_TARGET);
        fed(&mut estimate, [0; 10]);
        assert_eq!(estimate.target(), MIN_TARGET);
        assert_eq!(estimate.base(), 5000);
    }

    #[test]
    fn jitter_raises_the_delay_within_a_second() {
        let mut estimate = DelayEstimate::new();
        fed(&mut estimate, (0..50).map(|n| n * 4));
        assert_eq!(estimate.target(), 200 * TICKS_PER_MS);
    }

    #[test]
    fn a_lone_late_packet_is_not_waited_for() {
        let mut estimate = DelayEstimate::new();
        fed(&mut estimate, [0; 500]);
        fed(&mut estimate, [250]);
        assert_eq!(estimate.target(), MIN_TARGET);
    }

    #[test]
    fn the_delay_never_leaves_its_bounds() {
        let mut estimate = DelayEstimate::new();
        fed(&mut estimate, (0..500).map(|n| n % 2 * 299));
        assert_eq!(estimate.target(), MAX_TARGET);
        fed(&mut estimate, (0..500).map(|n| n % 2 * 5000));
        assert_eq!(estimate.target(), MAX_TARGET);
    }

    #[test]
    fn jitter_that_ended_is_forgotten() {
        let mut estimate = DelayEstimate::new();
        fed(&mut estimate, (0..100).map(|n| n % 10 * 20));
        fed(&mut estimate, [0; 3000]);
        assert_eq!(estimate.target(), MIN_TARGET);
    }

    #[test]
    fn a_path_that_became_longer_is_the_new_base_after_ten_seconds() {
        let mut estimate = DelayEstimate::new();
        fed(&mut estimate, [0; 100]);
        fed(&mut estimate, [60; 600]);
        assert_eq!(estimate.base(), 5000 + 60 * TICKS_PER_MS);
    }
}
