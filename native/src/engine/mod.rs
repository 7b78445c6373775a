//! Media threads, ports and streams as one object; what `python` wraps.

mod error;
mod handle;
pub mod metrics;
mod shard;
mod slots;

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder, JoinHandle, Thread};
use std::time::Duration;

use rtrb::{Producer, RingBuffer};
use rustix::io::Errno;

pub use error::{EngineError, Failure};
pub use handle::StreamHandle;

use crate::events::{Event, EventQueue, StreamId};
use crate::graph::prompt::Prompt;
use crate::io::clock::monotonic_ns;
use crate::io::disk::{Disk, DiskOrders};
use crate::io::entropy::random_u64;
use crate::io::ports::PortPool;
use crate::io::prompts::{CAPACITY_BYTES, PromptCache};
use crate::io::sockets::{self, SocketPair};
use crate::stream::session::{Origin, Session};
use crate::stream::shared::StreamShared;
use shard::{Command, Common, Shard, ShardFigures};
use slots::Live;

/// Orders that may wait for a shard. It takes them every 5 ms.
const WAITING_ORDERS: usize = 4096;
/// How long to wait for room among them.
const FULL_RING_PAUSE: Duration = Duration::from_millis(1);

/// The way to one media thread.
struct ShardLink {
    orders: Mutex<Producer<Command>>,
    thread: Thread,
    figures: Arc<ShardFigures>,
}

impl ShardLink {
    /// Give an order and wake the thread. Waits only while thousands of orders wait already.
    fn give(&self, mut command: Command) -> Result<(), EngineError> {
        let mut orders = lock(&self.orders);
        while let Err(rtrb::PushError::Full(returned)) = orders.push(command) {
            if self.figures.failed.load(Relaxed) || orders.is_abandoned() {
                return Err(EngineError::new(
                    Failure::Unavailable,
                    "the media thread has failed",
                ));
            }
            command = returned;
            thread::sleep(FULL_RING_PAUSE);
        }
        self.thread.unpark();
        Ok(())
    }
}

/// What an engine and its streams' handles share.
struct Inner {
    bind_address: IpAddr,
    shards: Vec<ShardLink>,
    ports: Arc<Mutex<PortPool>>,
    events: Arc<EventQueue>,
    prompts: PromptCache,
    /// None once the engine is closed.
    disk: Mutex<Option<DiskOrders>>,
    /// The last number given to a stream, a play or a recording.
    last_number: AtomicU64,
    cname: Arc<str>,
}

impl Inner {
    fn next_number(&self) -> u64 {
        self.last_number.fetch_add(1, Relaxed) + 1
    }

    /// The way to the disk's threads; refused once the engine is closed.
    fn disk(&self) -> Result<DiskOrders, EngineError> {
        lock(&self.disk).clone().ok_or_else(closed)
    }

    fn load(&self, path: &Path) -> Result<Arc<Prompt>, EngineError> {
        self.prompts.load(path).map_err(|error| {
            EngineError::new(Failure::BadPrompt, format!("{}: {error}", path.display()))
        })
    }
}

fn closed() -> EngineError {
    EngineError::new(Failure::Closed, "the media engine is closed")
}

fn unavailable(error: impl std::fmt::Display) -> EngineError {
    EngineError::new(Failure::Unavailable, error)
}

/// Nothing that is locked here can be left half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The threads, until they are joined.
struct Threads {
    shards: Vec<JoinHandle<()>>,
    disk: Disk,
}

/// See the module's text. Dropping it closes it.
pub struct Engine {
    inner: Arc<Inner>,
    threads: Mutex<Option<Threads>>,
}

impl Engine {
    /// Start the threads.
    ///
    /// `ports` are UDP ports of `bind_address`; `shards` is the number of media threads, by default
    /// one per core but one.
    ///
    /// # Errors
    ///
    /// `Unavailable`: no thread or descriptor left, no pair in the range, no such address here.
    pub fn start(
        bind_address: IpAddr,
        ports: RangeInclusive<u16>,
        shards: Option<usize>,
    ) -> Result<Self, EngineError> {
        // Now, not at the first call, is the time to learn that the address is not ours.
        sockets::open(SocketAddr::new(bind_address, 0)).map_err(unavailable)?;
        let mut pool = PortPool::new(ports, random_u64());
        if pool.free(monotonic_ns()) == 0 {
            return Err(unavailable(
                "the port range holds no even port with its odd neighbour",
            ));
        }
        let events = Arc::new(EventQueue::new().map_err(unavailable)?);
        let (disk, disk_orders) = Disk::start(events.clone()).map_err(unavailable)?;
        let common = Common {
            events: events.clone(),
            ports: Arc::new(Mutex::new(pool)),
            disk: disk_orders.clone(),
        };
        let inner = Inner {
            bind_address,
            shards: Vec::new(),
            ports: common.ports.clone(),
            events,
            prompts: PromptCache::new(CAPACITY_BYTES),
            disk: Mutex::new(Some(disk_orders)),
            last_number: AtomicU64::new(0),
            // 96 random bits, as RFC 7022 §4.2 wants them.
            cname: format!("{:016x}{:08x}", random_u64(), random_u64() as u32).into(),
        };
        Self::start_shards(
            inner,
            disk,
            common,
            shards.unwrap_or_else(default_shards).max(1),
        )
    }

    /// Start the media threads; when one cannot be started the others are ended.
    fn start_shards(
        mut inner: Inner,
        disk: Disk,
        common: Common,
        count: usize,
    ) -> Result<Self, EngineError> {
        let mut shards = Vec::with_capacity(count);
        let mut refusal = None;
        for number in 0..count {
            match start_shard(number, common.clone()) {
                Ok((link, handle)) => {
                    inner.shards.push(link);
                    shards.push(handle);
                }
                Err(error) => refusal = Some(error),
            }
        }
        drop(common);
        // Dropping it on the way out ends what was started.
        let engine = Self {
            inner: Arc::new(inner),
            threads: Mutex::new(Some(Threads { shards, disk })),
        };
        refusal.map_or(Ok(engine), Err)
    }

    /// Take a port pair and start a stream on it, silent and deaf until configured.
    ///
    /// # Errors
    ///
    /// `NoPorts`, `Unavailable`, `Closed`.
    pub fn open_stream(&self) -> Result<StreamHandle, EngineError> {
        self.inner.disk()?;
        let link = self.emptiest_shard()?;
        let (rtp_port, sockets) = self.bind_pair()?;
        let id = self.inner.next_number();
        let shared = Arc::new(StreamShared::default());
        let origin = self.origin();
        let session = Session::new(id, shared.clone(), &origin);
        let live = Box::new(Live::new(session, sockets, rtp_port));
        // Shown at once, so that streams opened together are spread.
        self.inner.shards[link]
            .figures
            .streams
            .fetch_add(1, Relaxed);
        self.inner.shards[link].give(Command::Open(live))?;
        Ok(StreamHandle::new(
            self.inner.clone(),
            link,
            id,
            rtp_port,
            shared,
        ))
    }

    /// Read prompts into memory.
    ///
    /// # Errors
    ///
    /// `BadPrompt`, `Closed`.
    pub fn prefetch<'a>(&self, paths: impl Iterator<Item = &'a Path>) -> Result<(), EngineError> {
        self.inner.disk()?;
        for path in paths {
            self.inner.load(path)?;
        }
        Ok(())
    }

    /// What tells that events wait.
    pub fn events(&self) -> &EventQueue {
        &self.inner.events
    }

    /// Take all events, oldest first.
    pub fn take_events(&self) -> Vec<(StreamId, Event)> {
        self.inner.events.take()
    }

    /// End every stream, write every recording to its end, stop the threads. Blocks until that is
    /// done; the events of it are in the queue then. May be called again.
    pub fn close(&self) {
        let Some(threads) = lock(&self.threads).take() else {
            return;
        };
        drop(lock(&self.inner.disk).take());
        for link in &self.inner.shards {
            // A thread that failed has ended its streams already.
            let _ = link.give(Command::Stop);
        }
        for shard in threads.shards {
            // What a panic there did was reported by the thread itself.
            let _ = shard.join();
        }
        threads.disk.join();
    }

    fn emptiest_shard(&self) -> Result<usize, EngineError> {
        let shards = self.inner.shards.iter().enumerate();
        shards
            .filter(|(_, link)| !link.figures.failed.load(Relaxed))
            .min_by_key(|(_, link)| link.figures.streams.load(Relaxed))
            .map(|(number, _)| number)
            .ok_or_else(|| unavailable("every media thread has failed"))
    }

    /// Bind the next free pair; pairs that another program has are tried again later.
    fn bind_pair(&self) -> Result<(u16, SocketPair), EngineError> {
        let mut ports = lock(&self.inner.ports);
        for _ in 0..ports.free(monotonic_ns()) {
            let Some(port) = ports.take(monotonic_ns()) else {
                break;
            };
            match SocketPair::bind(self.inner.bind_address, port) {
                Ok(sockets) => return Ok((port, sockets)),
                Err(Errno::ADDRINUSE) => ports.give_back(port),
                Err(error) => {
                    ports.give_back(port);
                    return Err(unavailable(error));
                }
            }
        }
        Err(EngineError::new(
            Failure::NoPorts,
            "no port pair of the range is free",
        ))
    }

    fn origin(&self) -> Origin {
        let (first, second) = (random_u64(), random_u64());
        Origin {
            ssrc: first as u32,
            sequence: (first >> 32) as u16,
            timestamp: second as u32,
            seed: random_u64(),
            cname: self.inner.cname.clone(),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

fn default_shards() -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    cores.saturating_sub(1)
}

fn start_shard(number: usize, common: Common) -> Result<(ShardLink, JoinHandle<()>), EngineError> {
    let (orders, received) = RingBuffer::new(WAITING_ORDERS);
    let figures = Arc::new(ShardFigures::default());
    let shard = Shard::new(received, figures.clone(), common).map_err(unavailable)?;
    let handle = Builder::new()
        .name(format!("orbit-media-{number}"))
        .spawn(|| shard.run())
        .map_err(unavailable)?;
    let link = ShardLink {
        orders: Mutex::new(orders),
        thread: handle.thread().clone(),
        figures,
    };
    Ok((link, handle))
}
