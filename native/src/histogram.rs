//! A histogram of durations that one thread fills and any thread reads, without locks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Linear steps within each power of two: a value is known to 1/8.
const SUBDIVISIONS: u64 = 8;
/// Enough for durations of over an hour in microseconds.
const BUCKETS: usize = 32 * SUBDIVISIONS as usize;

/// Counts durations in microseconds, with an error of at most 12.5 %.
#[derive(Debug)]
pub struct Histogram {
    counts: [AtomicU64; BUCKETS],
    max_us: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            max_us: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    /// Count one duration. For one writing thread.
    pub fn record(&self, us: u64) {
        self.counts[bucket_of(us)].fetch_add(1, Relaxed);
        self.max_us.fetch_max(us, Relaxed);
    }
}

/// Several histograms read as one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Quantiles {
    /// Durations counted.
    pub count: u64,
    /// Median, µs.
    pub p50_us: u64,
    /// 99th percentile, µs.
    pub p99_us: u64,
    /// Worst, µs; exact.
    pub max_us: u64,
}

impl Quantiles {
    /// Read the sum of `histograms`.
    pub fn of<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Self {
        let mut counts = [0; BUCKETS];
        let mut max_us = 0;
        for histogram in histograms {
            max_us = max_us.max(histogram.max_us.load(Relaxed));
            for (sum, count) in counts.iter_mut().zip(&histogram.counts) {
                *sum += count.load(Relaxed);
            }
        }
        let count = counts.iter().sum();
        let quantile = |percent: u64| quantile_us(&counts, count, percent).min(max_us);
        Self {
            count,
            p50_us: quantile(50),
            p99_us: quantile(99),
            max_us,
        }
    }
}

/// The upper end of the bucket that holds the `percent`-th percentile.
fn quantile_us(counts: &[u64], total: u64, percent: u64) -> u64 {
    let rank = (total * percent).div_ceil(100).max(1);
    let mut seen = 0;
    for (bucket, count) in counts.iter().enumerate() {
        seen += count;
        if seen >= rank {
            return upper_end_us(bucket);
        }
    }
    0
}

/// Below 16 µs a bucket is one µs wide; from there each power of two has eight buckets.
fn bucket_of(us: u64) -> usize {
    if us < SUBDIVISIONS {
        return us as usize;
    }
    let octave = u64::from(us.ilog2()) - u64::from(SUBDIVISIONS.ilog2());
    let bucket = (octave + 1) * SUBDIVISIONS + (us >> octave) - SUBDIVISIONS;
    (bucket as usize).min(BUCKETS - 1)
}

fn upper_end_us(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < SUBDIVISIONS {
        return bucket;
    }
    let octave = bucket / SUBDIVISIONS - 1;
    ((bucket % SUBDIVISIONS + SUBDIVISIONS + 1) << octave) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_counted_is_all_zero() {
        assert_eq!(Quantiles::of([].into_iter()), Quantiles::default());
        assert_eq!(
            Quantiles::of([Histogram::default()].iter()),
            Quantiles::default()
        );
    }

    #[test]
    fn several_histograms_are_read_as_one() {
        let (first, second) = (Histogram::default(), Histogram::default());
        (0..98).for_each(|_| first.record(3));
        second.record(5);
        second.record(70_000);
        let read = Quantiles::of([&first, &second].into_iter());
        assert_eq!(
            (read.count, read.p50_us, read.p99_us, read.max_us),
            (100, 3, 5, 70_000)
        );
    }

    proptest! {
        #[test]
        fn a_duration_is_known_to_an_eighth(us in 0..1u64 << 32) {
            let end = upper_end_us(bucket_of(us));
            prop_assert!(us <= end && end - us <= us / 8, "{us} in {end}");
        }
    }
}
