//! A ring of payload bytes, one per RTP tick, that knows which ticks it holds.
//!
//! For codecs of one byte per tick (G.711; G.722, whose RTP clock is 8 kHz too) this makes the
//! sender's packet size irrelevant: packets go in at their timestamp, frames come out at theirs.

use std::ops::Range;

/// Ticks the ring spans: 1.024 s at 8 kHz, a multiple of 64. Twice the longest playout delay and
/// the longest packet fit.
pub(super) const CAPACITY: usize = 8192;
const WORDS: usize = CAPACITY / 64;

/// A set of ticks, modulo [`CAPACITY`].
#[derive(Clone)]
struct TickSet([u64; WORDS]);

impl TickSet {
    /// Visit the words that `ticks` touches, with a mask of the bits it covers in each.
    fn visit(ticks: Range<i64>, mut visitor: impl FnMut(usize, u64)) {
        let mut tick = ticks.start;
        let end = ticks.end.min(ticks.start.saturating_add(CAPACITY as i64));
        while tick < end {
            let bit = tick.rem_euclid(64);
            let count = (64 - bit).min(end - tick);
            visitor(position(tick) / 64, (u64::MAX >> (64 - count)) << bit);
            tick += count;
        }
    }

    fn insert(&mut self, ticks: Range<i64>) {
        Self::visit(ticks, |word, mask| self.0[word] |= mask);
    }

    fn remove(&mut self, ticks: Range<i64>) {
        Self::visit(ticks, |word, mask| self.0[word] &= !mask);
    }

    fn count(&self, ticks: Range<i64>) -> usize {
        let mut count = 0;
        Self::visit(ticks, |word, mask| {
            count += (self.0[word] & mask).count_ones() as usize
        });
        count
    }

    fn contains(&self, tick: i64) -> bool {
        self.0[position(tick) / 64] >> tick.rem_euclid(64) & 1 == 1
    }
}

fn position(tick: i64) -> usize {
    tick.rem_euclid(CAPACITY as i64) as usize
}

/// What the ring holds of a span of ticks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Held {
    /// Every tick.
    All,
    /// All but these, counted from the start of the span. They reach one of its ends.
    AllBut(Range<usize>),
    /// Nothing, and the sender meant it so: it sent nothing for these ticks.
    Silence,
    /// Nothing, or nothing of use.
    Nothing,
}

/// See the module's text. Whoever owns the ring keeps all its ticks within [`CAPACITY`].
pub(super) struct TickRing {
    bytes: Box<[u8]>,
    present: TickSet,
    silent: TickSet,
}

impl TickRing {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; CAPACITY].into_boxed_slice(),
            present: TickSet([0; WORDS]),
            silent: TickSet([0; WORDS]),
        }
    }

    /// Forget everything.
    pub(super) fn clear(&mut self) {
        self.present.0.fill(0);
        self.silent.0.fill(0);
    }

    /// Store `bytes` from `tick` on; at most [`CAPACITY`] of them.
    pub(super) fn write(&mut self, tick: i64, bytes: &[u8]) {
        let start = position(tick);
        let first = bytes.len().min(CAPACITY - start);
        let (head, tail) = bytes.split_at(first);
        self.bytes[start..start + first].copy_from_slice(head);
        self.bytes[..tail.len()].copy_from_slice(tail);
        self.present.insert(tick..tick + bytes.len() as i64);
    }

    /// Note that the sender sent nothing for `ticks`.
    pub(super) fn mark_silent(&mut self, ticks: Range<i64>) {
        self.silent.insert(ticks);
    }

    /// Copy what lies from `tick` on into `out`; ticks not present leave bytes of no meaning.
    pub(super) fn read(&self, tick: i64, out: &mut [u8]) {
        let start = position(tick);
        let first = out.len().min(CAPACITY - start);
        let (head, tail) = out.split_at_mut(first);
        head.copy_from_slice(&self.bytes[start..start + first]);
        let wrapped = tail.len();
        tail.copy_from_slice(&self.bytes[..wrapped]);
    }

    /// Forget `ticks`.
    pub(super) fn remove(&mut self, ticks: Range<i64>) {
        self.present.remove(ticks.clone());
        self.silent.remove(ticks);
    }

    /// Tell what is held of `ticks`.
    pub(super) fn held(&self, ticks: Range<i64>) -> Held {
        let length = (ticks.end - ticks.start) as usize;
        let count = self.present.count(ticks.clone());
        if count == length {
            return Held::All;
        }
        if count == 0 {
            let silent = self.silent.count(ticks) == length;
            return if silent { Held::Silence } else { Held::Nothing };
        }
        let missing = |tick: &i64| !self.present.contains(*tick);
        let first = ticks.clone().find(missing).unwrap_or(ticks.end);
        let last = ticks.clone().rev().find(missing).unwrap_or(ticks.start);
        let hull = (first - ticks.start) as usize..(last + 1 - ticks.start) as usize;
        if hull.len() == length {
            Held::Nothing
        } else {
            Held::AllBut(hull)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_across_the_wrap() {
        let mut ring = TickRing::new();
        let bytes: Vec<u8> = (0..200).collect();
        for tick in [0, 63, CAPACITY as i64 - 77, -300, 1 << 33] {
            ring.clear();
            ring.write(tick, &bytes);
            let mut out = [0; 200];
            ring.read(tick, &mut out);
            assert_eq!(out[..], bytes[..]);
            assert_eq!(ring.held(tick..tick + 200), Held::All);
            assert_eq!(ring.held(tick + 200..tick + 300), Held::Nothing);
            assert_eq!(ring.held(tick - 1..tick), Held::Nothing);
        }
    }

    #[test]
    fn holes_are_told_at_either_end_of_a_span() {
        let mut ring = TickRing::new();
        ring.write(100, &[1; 80]);
        assert_eq!(ring.held(100..260), Held::AllBut(80..160));
        assert_eq!(ring.held(20..180), Held::AllBut(0..80));
        assert_eq!(ring.held(60..220), Held::Nothing);
    }

    #[test]
    fn silence_is_not_loss() {
        let mut ring = TickRing::new();
        ring.mark_silent(0..320);
        assert_eq!(ring.held(0..160), Held::Silence);
        assert_eq!(ring.held(300..460), Held::Nothing);
        ring.remove(0..160);
        assert_eq!(ring.held(0..160), Held::Nothing);
        assert_eq!(ring.held(160..320), Held::Silence);
    }

    #[test]
    fn what_is_removed_is_gone() {
        let mut ring = TickRing::new();
        ring.write(0, &[1; 480]);
        ring.remove(160..320);
        assert_eq!(ring.held(0..160), Held::All);
        assert_eq!(ring.held(160..320), Held::Nothing);
        assert_eq!(ring.held(320..480), Held::All);
    }
}
