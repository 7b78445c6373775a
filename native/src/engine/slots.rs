//! The streams of one shard, each in a slot that says in which step of the tick it works.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::events::StreamId;
use crate::io::clock::STEPS_PER_TICK;
use crate::io::sockets::SocketPair;
use crate::stream::session::Session;

/// Steps of a tick, as an index.
const STEPS: usize = STEPS_PER_TICK as usize;

/// A stream at work.
pub struct Live {
    /// The stream.
    pub session: Session,
    /// Where it sends and receives.
    pub sockets: SocketPair,
    /// Its even port.
    pub rtp_port: u16,
    failed: bool,
}

impl Live {
    /// A stream and its sockets.
    pub fn new(session: Session, sockets: SocketPair, rtp_port: u16) -> Self {
        Self {
            session,
            sockets,
            rtp_port,
            failed: false,
        }
    }

    /// Whether the stream panicked.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Do something with the stream. A panic ends this stream and no other: it is marked for
    /// [`Slots::take_failed`], and does nothing more.
    pub fn run(&mut self, action: impl FnOnce(&mut Session, &mut SocketPair)) {
        if self.failed {
            return;
        }
        let Self {
            session, sockets, ..
        } = self;
        let outcome = catch_unwind(AssertUnwindSafe(|| action(session, sockets)));
        self.failed = outcome.is_err();
    }
}

/// Slot n works in step n modulo 4, so that packets leave spread over the tick.
#[derive(Default)]
pub struct Slots {
    slots: Vec<Option<Box<Live>>>,
    /// Empty slots by step.
    free: [Vec<usize>; STEPS],
    index: HashMap<StreamId, usize>,
}

impl Slots {
    /// How many streams there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Put a stream into the step that has the fewest; returns its slot.
    pub fn insert(&mut self, live: Box<Live>) -> usize {
        let emptiest = (0..STEPS).max_by_key(|&step| self.free[step].len());
        let slot = match emptiest.and_then(|step| self.free[step].pop()) {
            Some(slot) => slot,
            None => self.grow(),
        };
        self.index.insert(live.session.id(), slot);
        self.slots[slot] = Some(live);
        slot
    }

    /// Add one slot for each step; returns the first.
    fn grow(&mut self) -> usize {
        let first = self.slots.len();
        for slot in first..first + STEPS {
            self.slots.push(None);
            self.free[slot % STEPS].push(slot);
        }
        self.free[first % STEPS].pop();
        first
    }

    /// Take a stream out.
    pub fn remove(&mut self, id: StreamId) -> Option<Box<Live>> {
        let slot = self.index.remove(&id)?;
        self.free[slot % STEPS].push(slot);
        self.slots[slot].take()
    }

    /// The stream named `id`.
    pub fn get_mut(&mut self, id: StreamId) -> Option<&mut Live> {
        let slot = *self.index.get(&id)?;
        self.slots[slot].as_deref_mut()
    }

    /// The stream in `slot`.
    pub fn at_mut(&mut self, slot: usize) -> Option<&mut Live> {
        self.slots.get_mut(slot)?.as_deref_mut()
    }

    /// The streams that work in `step`.
    pub fn in_step_mut(&mut self, step: u64) -> impl Iterator<Item = &mut Live> {
        let step = (step % STEPS_PER_TICK) as usize;
        self.slots
            .iter_mut()
            .skip(step)
            .step_by(STEPS)
            .filter_map(|slot| slot.as_deref_mut())
    }

    /// All streams.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Live> {
        self.slots.iter_mut().filter_map(|slot| slot.as_deref_mut())
    }

    /// Names of all streams.
    pub fn ids(&self) -> Vec<StreamId> {
        self.index.keys().copied().collect()
    }

    /// Take one stream out that panicked.
    pub fn take_failed(&mut self) -> Option<Box<Live>> {
        let failed = self.iter_mut().find(|live| live.failed)?.session.id();
        self.remove(failed)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::stream::session::Origin;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::Arc;

    /// A stream on ports that the system chose.
    pub(in crate::engine) fn live(id: StreamId) -> Box<Live> {
        let origin = Origin {
            ssrc: 7,
            sequence: 0,
            timestamp: 0,
            seed: 1,
            cname: "name".into(),
        };
        let any = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        let open = || crate::io::sockets::open(any).unwrap();
        let (rtp, rtcp) = (open(), open());
        let session = Session::new(id, Arc::default(), &origin);
        Box::new(Live::new(session, SocketPair { rtp, rtcp }, 4000))
    }

    fn sizes(slots: &mut Slots) -> Vec<usize> {
        (0..STEPS_PER_TICK)
            .map(|step| slots.in_step_mut(step).count())
            .collect()
    }

    #[test]
    fn streams_are_spread_evenly_over_the_steps() {
        let mut slots = Slots::default();
        for id in 0..10 {
            slots.insert(live(id));
        }
        let sizes = sizes(&mut slots);
        assert_eq!(sizes.iter().sum::<usize>(), 10);
        assert!(sizes.iter().all(|size| (2..=3).contains(size)), "{sizes:?}");
    }

    #[test]
    fn new_streams_fill_the_gaps_that_ended_ones_left() {
        let mut slots = Slots::default();
        let by_slot: Vec<usize> = (0..40).map(|id| slots.insert(live(id))).collect();
        for (id, slot) in by_slot.iter().enumerate() {
            if slot % STEPS == 1 {
                slots.remove(id as StreamId);
            }
        }
        for id in 40..50 {
            slots.insert(live(id));
        }
        assert_eq!(sizes(&mut slots), [10; STEPS]);
        assert_eq!(slots.slots.len(), 40);
    }

    #[test]
    fn a_stream_is_found_by_name_and_by_slot_until_it_is_removed() {
        let mut slots = Slots::default();
        let slot = slots.insert(live(8));
        assert_eq!(slots.at_mut(slot).unwrap().session.id(), 8);
        assert!(slots.get_mut(8).is_some() && slots.get_mut(9).is_none());
        assert!(slots.remove(8).is_some() && slots.remove(8).is_none());
        assert!(slots.at_mut(slot).is_none() && slots.is_empty());
        assert!(slots.at_mut(1000).is_none());
    }

    #[test]
    fn a_stream_that_panics_does_nothing_more_and_is_taken_out() {
        let mut slots = Slots::default();
        for id in 0..3 {
            slots.insert(live(id));
        }
        slots
            .get_mut(1)
            .unwrap()
            .run(|_, _| panic!("as the test wants"));
        let mut ran = Vec::new();
        for live in slots.iter_mut() {
            live.run(|session, _| ran.push(session.id()));
        }
        ran.sort_unstable();
        assert_eq!(ran, [0, 2]);
        assert_eq!(slots.take_failed().unwrap().session.id(), 1);
        assert!(slots.take_failed().is_none());
        assert_eq!(slots.len(), 2);
    }
}
