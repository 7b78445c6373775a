//! The port range: which RTP/RTCP pairs are free, in use, or resting.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// How long a pair rests after use, ns. Packets of the old call that are still on their way find a
/// closed port instead of a new call.
pub const QUARANTINE_NS: u64 = 2_000_000_000;

/// Even ports of a range, each standing for itself and the odd port after it (RFC 3550 §11).
///
/// Pairs are handed out longest-unused first.
#[derive(Debug)]
pub struct PortPool {
    free: VecDeque<u16>,
    resting: VecDeque<(u16, u64)>,
}

impl PortPool {
    /// All pairs of `range`, in an order drawn with `seed`: a port that can be guessed invites
    /// injected packets (RFC 6056 §1).
    pub fn new(range: RangeInclusive<u16>, seed: u64) -> Self {
        let mut ports: Vec<u16> = range
            .clone()
            .filter(|port| port % 2 == 0 && *port > 0 && *port < *range.end())
            .collect();
        shuffle(&mut ports, seed);
        Self {
            free: ports.into(),
            resting: VecDeque::new(),
        }
    }

    /// Take a pair; None when all are in use or resting.
    pub fn take(&mut self, now_ns: u64) -> Option<u16> {
        self.end_rests(now_ns);
        self.free.pop_front()
    }

    /// Give a pair back after use.
    pub fn release(&mut self, port: u16, now_ns: u64) {
        self.resting.push_back((port, now_ns + QUARANTINE_NS));
    }

    /// Give a pair back that could not be bound; it is tried again after all others.
    pub fn give_back(&mut self, port: u16) {
        self.free.push_back(port);
    }

    /// How many pairs [`Self::take`] could give now.
    pub fn free(&mut self, now_ns: u64) -> usize {
        self.end_rests(now_ns);
        self.free.len()
    }

    /// How many pairs rest.
    pub fn resting(&mut self, now_ns: u64) -> usize {
        self.end_rests(now_ns);
        self.resting.len()
    }

    fn end_rests(&mut self, now_ns: u64) {
        while let Some(&(port, until_ns)) = self.resting.front() {
            if until_ns > now_ns {
                break;
            }
            self.resting.pop_front();
            self.free.push_back(port);
        }
    }
}

/// Fisher-Yates with xorshift64*.
fn shuffle(ports: &mut [u16], seed: u64) {
    let mut state = seed | 1;
    for last in (1..ports.len()).rev() {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let random = state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        ports.swap(last, random as usize % (last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_even_ports_with_their_odd_neighbour_in_the_range_are_given() {
        let mut pool = PortPool::new(4001..=4008, 7);
        let mut taken: Vec<u16> = std::iter::from_fn(|| pool.take(0)).collect();
        taken.sort_unstable();
        assert_eq!(taken, [4002, 4004, 4006]);
    }

    #[test]
    fn the_last_ports_of_all_are_a_pair() {
        let mut pool = PortPool::new(65534..=65535, 7);
        assert_eq!(pool.take(0), Some(65534));
        assert_eq!(PortPool::new(0..=1, 7).take(0), None);
    }

    #[test]
    fn a_released_pair_rests_before_it_is_given_again() {
        let mut pool = PortPool::new(4000..=4001, 7);
        assert_eq!(pool.take(0), Some(4000));
        pool.release(4000, 10);
        assert_eq!((pool.take(10), pool.resting(10)), (None, 1));
        assert_eq!(pool.take(9 + QUARANTINE_NS), None);
        assert_eq!(pool.free(10 + QUARANTINE_NS), 1);
        assert_eq!(pool.take(10 + QUARANTINE_NS), Some(4000));
    }

    #[test]
    fn a_pair_taken_by_another_program_is_tried_last() {
        let mut pool = PortPool::new(4000..=4003, 7);
        let taken = pool.take(0).unwrap();
        pool.give_back(taken);
        assert_ne!(pool.take(0), Some(taken));
        assert_eq!(pool.take(0), Some(taken));
    }

    #[test]
    fn the_order_of_ports_depends_on_the_seed_and_holds_each_once() {
        let order = |seed| -> Vec<u16> {
            let mut pool = PortPool::new(4000..=4999, seed);
            std::iter::from_fn(|| pool.take(0)).collect()
        };
        let mut sorted = order(1);
        assert_ne!(sorted, order(2));
        sorted.sort_unstable();
        assert_eq!(sorted, (4000..5000).step_by(2).collect::<Vec<u16>>());
    }
}
