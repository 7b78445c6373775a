//! One media thread: its streams, its clock, its orders.
//!
//! Every 5 ms the thread takes its orders and drains the sockets that have something; each stream
//! ticks in one of the four steps of 20 ms, and its packets leave there and then. Without streams
//! the thread sleeps until it is given an order.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rtrb::Consumer;

use super::slots::{Live, Slots};
use crate::events::{Event, EventQueue, StreamId};
use crate::histogram::Histogram;
use crate::io::clock::{
    Beat, Pace, STEPS_PER_TICK, TICK_NS, monotonic_ns, sleep_until, thread_cpu_ns, unix_ns,
};
use crate::io::disk::DiskOrders;
use crate::io::poller::{BATCH, Poller};
use crate::io::ports::PortPool;
use crate::io::sockets::{self, MAX_DATAGRAM_BYTES, SocketPair};
use crate::stream::report::StatisticsReport;
use crate::stream::session::{Order, Session};
use crate::stream::{Port, Surroundings, Wire};

/// Datagrams taken from one socket in one step at most: 1600 a second, eight times what the
/// shortest packet time makes. A flood fills its own receive buffer and nothing else.
const MAX_ROUNDS: usize = 8;
/// Events of one step for which there is room without allocating.
const BATCH_EVENTS: usize = 1024;

/// What a shard is told.
pub enum Command {
    /// Run this stream from now on.
    Open(Box<Live>),
    /// Tell it this.
    Order(StreamId, Order),
    /// End it.
    Close(StreamId),
    /// End all streams and the thread.
    Stop,
}

/// What other threads may look at.
#[derive(Debug, Default)]
pub struct ShardFigures {
    /// How late steps begin.
    pub late: Histogram,
    /// How long they work.
    pub work: Histogram,
    /// Media ticks run.
    pub ticks: AtomicU64,
    /// Media ticks given up.
    pub skipped_ticks: AtomicU64,
    /// Streams at work.
    pub streams: AtomicUsize,
    /// CPU time of the thread, ns.
    pub cpu_ns: AtomicU64,
    /// Streams that ended because of an error of ours.
    pub failures: AtomicU64,
    /// Whether the thread ended because of an error of ours.
    pub failed: AtomicBool,
}

/// What all shards of an engine share.
#[derive(Clone)]
pub struct Common {
    /// Takes events.
    pub events: Arc<EventQueue>,
    /// Gets ports back.
    pub ports: Arc<Mutex<PortPool>>,
    /// Writes recordings.
    pub disk: DiskOrders,
}

/// See the module's text.
pub struct Shard {
    slots: Slots,
    poller: Poller,
    orders: Consumer<Command>,
    figures: Arc<ShardFigures>,
    common: Common,
    batch: Vec<(StreamId, Event)>,
    /// Streams that ended in this step, with their last figures.
    ended: Vec<(StreamId, StatisticsReport)>,
    buffer: Box<[u8; MAX_DATAGRAM_BYTES]>,
    step: u64,
    stopping: bool,
}

impl Wire for SocketPair {
    fn send(&mut self, port: Port, datagram: &[u8], destination: SocketAddr) -> bool {
        let socket = match port {
            Port::Rtp => &self.rtp,
            Port::Rtcp => &self.rtcp,
        };
        sockets::send(socket, datagram, destination)
    }
}

/// A moment on both clocks, ns.
#[derive(Clone, Copy)]
struct Moment {
    monotonic_ns: u64,
    unix_ns: u64,
}

impl Moment {
    fn now() -> Self {
        Self {
            monotonic_ns: monotonic_ns(),
            unix_ns: unix_ns(),
        }
    }

    /// The moment at which the step that began now was due. Ticks run by it, so that one that is
    /// late, or caught up, plays and sends what it would have in time.
    fn due(self, beat: Beat) -> Self {
        let late_ns = beat.late_ns.saturating_sub(beat.skipped_ticks * TICK_NS);
        Self {
            monotonic_ns: self.monotonic_ns - late_ns,
            unix_ns: self.unix_ns.saturating_sub(late_ns),
        }
    }
}

/// What surrounds the stream whose sockets are `wire`.
fn around<'a>(
    at: Moment,
    wire: &'a mut SocketPair,
    batch: &'a mut Vec<(StreamId, Event)>,
    disk: &'a DiskOrders,
) -> Surroundings<'a, SocketPair> {
    Surroundings {
        now_us: at.monotonic_ns / 1000,
        unix_ns: at.unix_ns,
        wire,
        batch,
        disk,
    }
}

impl Shard {
    /// A shard that obeys `orders`.
    ///
    /// # Errors
    ///
    /// The process has no descriptor left.
    pub fn new(
        orders: Consumer<Command>,
        figures: Arc<ShardFigures>,
        common: Common,
    ) -> rustix::io::Result<Self> {
        Ok(Self {
            slots: Slots::default(),
            poller: Poller::new()?,
            orders,
            figures,
            common,
            batch: Vec::with_capacity(BATCH_EVENTS),
            ended: Vec::new(),
            buffer: Box::new([0; MAX_DATAGRAM_BYTES]),
            step: 0,
            stopping: false,
        })
    }

    /// Work until told to stop. A panic ends all streams, which is reported, and the thread.
    pub fn run(mut self) {
        if catch_unwind(AssertUnwindSafe(|| self.work())).is_err() {
            self.figures.failed.store(true, Relaxed);
            self.abandon();
        }
    }

    fn work(&mut self) {
        let mut pace = Pace::new(monotonic_ns());
        loop {
            self.obey_all();
            self.report();
            if self.stopping {
                return;
            }
            if self.slots.is_empty() {
                thread::park();
                pace = Pace::new(monotonic_ns());
                continue;
            }
            sleep_until(pace.next_ns());
            let beat = pace.begin(monotonic_ns());
            self.run_step(beat);
        }
    }

    fn run_step(&mut self, beat: Beat) {
        let now = Moment::now();
        let due = now.due(beat);
        if beat.skipped_ticks > 0 {
            self.skip(beat.skipped_ticks, due);
        }
        self.receive(now);
        self.tick(due);
        self.end_failed();
        self.report();
        self.count(beat, now);
    }

    // Orders.

    fn obey_all(&mut self) {
        let now = Moment::now();
        while let Ok(order) = self.orders.pop() {
            self.obey(order, now);
        }
    }

    fn obey(&mut self, command: Command, now: Moment) {
        match command {
            Command::Open(live) => self.open(live),
            Command::Order(id, order) => {
                let (batch, disk) = (&mut self.batch, &self.common.disk);
                let Some(live) = self.slots.get_mut(id) else {
                    order.abandon(id, disk);
                    return;
                };
                live.run(|session, wire| {
                    session.obey(order, &mut around(now, wire, batch, disk));
                });
                if live.has_failed() {
                    self.end_failed();
                }
            }
            Command::Close(id) => self.close(id, now),
            Command::Stop => {
                self.stopping = true;
                for id in self.slots.ids() {
                    self.close(id, now);
                }
            }
        }
    }

    fn open(&mut self, live: Box<Live>) {
        let slot = self.slots.insert(live);
        let Some(live) = self.slots.at_mut(slot) else {
            return;
        };
        let key = slot as u64 * 2;
        let watched = self
            .poller
            .watch(&live.sockets.rtp, key)
            .and_then(|()| self.poller.watch(&live.sockets.rtcp, key + 1));
        if watched.is_err() {
            // The kernel's limit of watches (epoll(7)): the stream cannot hear, so it ends.
            let id = live.session.id();
            self.slots
                .remove(id)
                .into_iter()
                .for_each(|live| self.abandon_one(*live));
        }
    }

    fn close(&mut self, id: StreamId, now: Moment) {
        let Some(live) = self.slots.remove(id) else {
            return;
        };
        let (batch, disk) = (&mut self.batch, &self.common.disk);
        let Live {
            session,
            mut sockets,
            rtp_port,
            ..
        } = *live;
        let shared = session.shared();
        let last = catch_unwind(AssertUnwindSafe(|| {
            session.close(&mut around(now, &mut sockets, batch, disk))
        }));
        drop(sockets);
        self.release(rtp_port);
        self.ended
            .push((id, last.unwrap_or_else(|_| shared.statistics())));
    }

    fn release(&self, rtp_port: u16) {
        self.common
            .ports
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .release(rtp_port, monotonic_ns());
    }

    // Steps.

    fn skip(&mut self, ticks: u64, now: Moment) {
        let (batch, disk) = (&mut self.batch, &self.common.disk);
        self.figures.skipped_ticks.fetch_add(ticks, Relaxed);
        for live in self.slots.iter_mut() {
            live.run(|session, wire| {
                session.skip(ticks, &mut around(now, wire, batch, disk));
            });
        }
    }

    /// Take what arrived: one datagram of each ready socket, then again, until none is ready.
    fn receive(&mut self, now: Moment) {
        let (batch, disk) = (&mut self.batch, &self.common.disk);
        let batches = 1 + 2 * self.slots.len() / BATCH;
        for _ in 0..MAX_ROUNDS * batches {
            let ready = self.poller.poll();
            if ready.is_empty() {
                return;
            }
            for &key in ready {
                let Some(live) = self.slots.at_mut((key / 2) as usize) else {
                    continue;
                };
                let buffer = &mut self.buffer[..];
                live.run(|session, sockets| {
                    let port = if key % 2 == 0 { Port::Rtp } else { Port::Rtcp };
                    receive_one(
                        session,
                        port,
                        buffer,
                        &mut around(now, sockets, batch, disk),
                    );
                });
            }
        }
    }

    fn tick(&mut self, due: Moment) {
        let (batch, disk) = (&mut self.batch, &self.common.disk);
        self.step += 1;
        for live in self.slots.in_step_mut(self.step) {
            live.run(|session, wire| session.tick(&mut around(due, wire, batch, disk)));
        }
        for live in self.slots.in_step_mut(self.step + STEPS_PER_TICK / 2) {
            if live.session.needs_half_ticks() {
                live.run(|session, wire| session.half_tick(&mut around(due, wire, batch, disk)));
            }
        }
    }

    /// End the streams that panicked.
    fn end_failed(&mut self) {
        while let Some(live) = self.slots.take_failed() {
            self.abandon_one(*live);
        }
    }

    fn abandon_one(&mut self, live: Live) {
        self.figures.failures.fetch_add(1, Relaxed);
        let id = live.session.id();
        let last = live.session.abandon(&self.common.disk);
        drop(live.sockets);
        self.release(live.rtp_port);
        self.ended.push((id, last));
    }

    /// End all streams after a panic outside them, and those that were still to be opened.
    fn abandon(&mut self) {
        while let Ok(command) = self.orders.pop() {
            match command {
                Command::Open(live) => drop(self.slots.insert(live)),
                Command::Order(id, order) => order.abandon(id, &self.common.disk),
                Command::Close(_) | Command::Stop => {}
            }
        }
        for id in self.slots.ids() {
            if let Some(live) = self.slots.remove(id) {
                self.abandon_one(*live);
            }
        }
        self.report();
    }

    /// Pass on what the step brought. That a stream is over goes through the disk's threads, so
    /// that it is told after the end of its recording.
    fn report(&mut self) {
        self.common.events.append(&mut self.batch);
        for (id, last) in self.ended.drain(..) {
            let event = Event::StreamClosed(Box::new(last));
            self.common.disk.report(id, event);
        }
        self.figures.streams.store(self.slots.len(), Relaxed);
    }

    fn count(&self, beat: Beat, start: Moment) {
        let work_ns = monotonic_ns().saturating_sub(start.monotonic_ns);
        self.figures.late.record(beat.late_ns / 1000);
        self.figures.work.record(work_ns / 1000);
        self.figures.cpu_ns.store(thread_cpu_ns(), Relaxed);
        if self.step.is_multiple_of(STEPS_PER_TICK) {
            self.figures.ticks.fetch_add(1, Relaxed);
        }
    }
}

fn receive_one(
    session: &mut Session,
    port: Port,
    buffer: &mut [u8],
    around: &mut Surroundings<'_, SocketPair>,
) {
    let socket = match port {
        Port::Rtp => &around.wire.rtp,
        Port::Rtcp => &around.wire.rtcp,
    };
    let Some((length, source)) = sockets::receive(socket, buffer) else {
        return;
    };
    // What fills the buffer was longer: cut off, it is no packet. An empty datagram is refused.
    let datagram = buffer.get(..length).unwrap_or_default();
    let whole = if length < MAX_DATAGRAM_BYTES {
        datagram
    } else {
        &[]
    };
    session.receive(port, whole, source, around);
}

#[cfg(test)]
mod tests {
    use super::super::slots::tests::live;
    use super::*;
    use crate::graph::recorder::Recorder;
    use crate::io::disk::{Disk, Recording};
    use rtrb::{Producer, RingBuffer};

    struct Bench {
        shard: Shard,
        orders: Producer<Command>,
        disk: Disk,
    }

    impl Bench {
        /// A shard at work on the streams `ids`.
        fn with(ids: std::ops::Range<StreamId>) -> Self {
            let events = Arc::new(EventQueue::new().unwrap());
            let (disk, orders_to_disk) = Disk::start(events.clone()).unwrap();
            let common = Common {
                events,
                ports: Arc::new(Mutex::new(PortPool::new(4000..=4099, 1))),
                disk: orders_to_disk,
            };
            let (mut orders, received) = RingBuffer::new(64);
            for id in ids {
                let opened = orders.push(Command::Open(live(id)));
                assert!(opened.is_ok());
            }
            let mut shard = Shard::new(received, Arc::default(), common).unwrap();
            shard.obey_all();
            Self {
                shard,
                orders,
                disk,
            }
        }

        fn step(&mut self) {
            self.shard.obey_all();
            self.shard.run_step(Beat {
                late_ns: 0,
                skipped_ticks: 0,
            });
        }

        /// End the shard; the streams whose end was told, in order, with all else that was.
        fn end(self) -> Vec<(StreamId, Event)> {
            let events = self.shard.common.events.clone();
            drop(self.shard);
            self.disk.join();
            events.take()
        }
    }

    fn closed(events: &[(StreamId, Event)]) -> Vec<StreamId> {
        let is_end = |event: &Event| matches!(event, Event::StreamClosed(_));
        let mut ids: Vec<StreamId> = events
            .iter()
            .filter(|(_, event)| is_end(event))
            .map(|(id, _)| *id)
            .collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn a_stream_that_panics_ends_and_the_others_go_on() {
        let mut bench = Bench::with(1..4);
        let failing = bench.shard.slots.get_mut(2).unwrap();
        let shared = failing.session.shared();
        failing.run(|_, _| panic!("as the test wants"));
        bench.step();
        assert!(shared.is_closed());
        assert_eq!(bench.shard.slots.len(), 2);
        assert_eq!(bench.shard.figures.failures.load(Relaxed), 1);
        assert_eq!(bench.shard.common.ports.lock().unwrap().resting(0), 1);
        assert_eq!(closed(&bench.end()), [2]);
    }

    #[test]
    fn a_thread_that_panics_tells_the_end_of_all_its_streams_and_of_those_on_their_way() {
        let mut bench = Bench::with(1..4);
        assert!(bench.orders.push(Command::Open(live(4))).is_ok());
        bench.shard.abandon();
        assert!(bench.shard.slots.is_empty());
        assert_eq!(closed(&bench.end()), [1, 2, 3, 4]);
    }

    #[test]
    fn told_to_stop_a_shard_ends_all_its_streams() {
        let mut bench = Bench::with(1..4);
        assert!(bench.orders.push(Command::Stop).is_ok());
        bench.step();
        assert!(bench.shard.stopping);
        assert_eq!(closed(&bench.end()), [1, 2, 3]);
    }

    #[test]
    fn a_recording_ordered_of_a_stream_that_is_gone_ends_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Bench::with(0..0);
        let (recorder, ring) = Recorder::new();
        let path = folder.path().join("a.wav");
        let recording = Recording::create(9, 1, Arc::default(), &path, ring).unwrap();
        bench.shard.common.disk.begin(Box::new(recording));
        let order = Order::StartRecording(1, recorder);
        assert!(bench.orders.push(Command::Order(9, order)).is_ok());
        bench.step();
        let events = bench.end();
        assert!(matches!(
            events[..],
            [(9, Event::RecordingFinished { samples: 0, .. })]
        ));
    }

    #[test]
    fn a_stream_ticks_once_in_four_steps() {
        let mut bench = Bench::with(1..9);
        for _ in 0..STEPS_PER_TICK * 5 {
            bench.step();
        }
        assert_eq!(bench.shard.figures.ticks.load(Relaxed), 5);
        bench.end();
    }
}
