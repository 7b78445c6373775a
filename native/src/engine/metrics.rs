//! An engine in figures.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Engine, lock};
use crate::histogram::Quantiles;
use crate::io::clock::monotonic_ns;

/// The figures of one moment, over all threads. The Python class `EngineMetrics` has the same
/// fields and says what each means.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug)]
pub struct Metrics {
    pub shards: usize,
    pub shards_failed: usize,
    pub streams: usize,
    pub stream_failures: u64,
    pub recordings: usize,
    pub ports_free: usize,
    pub ports_quarantined: usize,
    pub ticks: u64,
    pub ticks_skipped: u64,
    pub tick_late: Quantiles,
    pub tick_work: Quantiles,
    pub media_thread_cpu_ns: u64,
    pub events_queued: usize,
    pub events_dropped: u64,
    pub prompt_cache_bytes: usize,
}

impl Engine {
    /// The figures of this moment.
    pub fn metrics(&self) -> Metrics {
        let inner = &self.inner;
        let figures = || inner.shards.iter().map(|link| &*link.figures);
        let sum = |of: fn(&super::ShardFigures) -> &AtomicU64| {
            figures().map(|figures| of(figures).load(Relaxed)).sum()
        };
        let now_ns = monotonic_ns();
        let (ports_free, ports_quarantined) = {
            let mut ports = lock(&inner.ports);
            (ports.free(now_ns), ports.resting(now_ns))
        };
        let (events_queued, events_dropped) = inner.events.depth();
        Metrics {
            shards: inner.shards.len(),
            shards_failed: figures().filter(|shard| shard.failed.load(Relaxed)).count(),
            streams: figures().map(|shard| shard.streams.load(Relaxed)).sum(),
            stream_failures: sum(|shard| &shard.failures),
            recordings: lock(&inner.disk)
                .as_ref()
                .map_or(0, |disk| disk.recordings()),
            ports_free,
            ports_quarantined,
            ticks: sum(|shard| &shard.ticks),
            ticks_skipped: sum(|shard| &shard.skipped_ticks),
            tick_late: Quantiles::of(figures().map(|shard| &shard.late)),
            tick_work: Quantiles::of(figures().map(|shard| &shard.work)),
            media_thread_cpu_ns: sum(|shard| &shard.cpu_ns),
            events_queued,
            events_dropped,
            prompt_cache_bytes: inner.prompts.memory_bytes(),
        }
    }
}
