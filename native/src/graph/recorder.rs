//! The media thread's end of a recording: one frame each tick, whatever the disk does.

use rtrb::{Consumer, Producer, RingBuffer};

use super::{FRAME_SAMPLES, Frame, SILENT_FRAME};

/// How long the disk may stall before sound is lost, samples (4 s).
const RING_SAMPLES: usize = 4 * 8_000;

/// What a recording came to, for the thread that writes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tally {
    /// Samples the recording must have: 160 for each tick.
    pub samples: u64,
    /// How many of them are silence because the disk was too slow.
    pub lost: u64,
}

/// Takes the frames of one recording.
///
/// When the ring is full the frames become a debt of silence, paid when there is room again, so
/// that sample n of the file is always the n-th since the start.
#[derive(Debug)]
pub struct Recorder {
    ring: Producer<i16>,
    owed: u64,
    tally: Tally,
}

impl Recorder {
    /// A recorder, and the end of the ring that the disk's thread reads.
    pub fn new() -> (Self, Consumer<i16>) {
        let (ring, consumer) = RingBuffer::new(RING_SAMPLES);
        let tally = Tally {
            samples: 0,
            lost: 0,
        };
        (
            Self {
                ring,
                owed: 0,
                tally,
            },
            consumer,
        )
    }

    /// Take one tick of sound.
    pub fn push(&mut self, frame: &Frame) {
        self.tally.samples += FRAME_SAMPLES as u64;
        self.pay();
        if self.owed > 0 || self.ring.push_entire_slice(frame).is_err() {
            self.owed += FRAME_SAMPLES as u64;
            self.tally.lost += FRAME_SAMPLES as u64;
        }
    }

    /// Take silence for ticks that were given up.
    pub fn skip(&mut self, ticks: u64) {
        self.tally.samples += ticks * FRAME_SAMPLES as u64;
        self.owed += ticks * FRAME_SAMPLES as u64;
        self.pay();
    }

    /// Whether nobody writes any more: the disk failed.
    pub fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }

    /// End it. What the ring holds is shorter than the tally by the silence still owed.
    pub fn finish(self) -> Tally {
        self.tally
    }

    fn pay(&mut self) {
        while self.owed > 0 {
            let part = self.owed.min(FRAME_SAMPLES as u64);
            if self
                .ring
                .push_entire_slice(&SILENT_FRAME[..part as usize])
                .is_err()
            {
                return;
            }
            self.owed -= part;
        }
    }
}

/// Add two sides into one, saturating.
pub fn mix(local: &Frame, remote: &Frame) -> Frame {
    std::array::from_fn(|index| local[index].saturating_add(remote[index]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RING_FRAMES: usize = RING_SAMPLES / FRAME_SAMPLES;

    fn drain(ring: &mut Consumer<i16>, frames: usize) -> Vec<i16> {
        let take = ring.slots().min(frames * FRAME_SAMPLES);
        let chunk = ring.read_chunk(take).unwrap();
        let (first, second) = chunk.as_slices();
        let samples = [first, second].concat();
        chunk.commit_all();
        samples
    }

    /// What the disk's thread does at the end.
    fn complete(mut samples: Vec<i16>, tally: Tally) -> Vec<i16> {
        samples.resize(tally.samples as usize, 0);
        samples
    }

    #[test]
    fn both_sides_are_heard_and_loud_ones_saturate() {
        let (mut local, mut remote) = (SILENT_FRAME, SILENT_FRAME);
        (local[0], remote[0]) = (1_000, -300);
        (local[1], remote[1]) = (30_000, 30_000);
        (local[2], remote[2]) = (i16::MIN, -1);
        assert_eq!(mix(&local, &remote)[..4], [700, i16::MAX, i16::MIN, 0]);
    }

    #[test]
    fn a_stalled_disk_costs_sound_but_never_time() {
        let (mut recorder, mut ring) = Recorder::new();
        for number in 0..RING_FRAMES + 10 {
            recorder.push(&[number as i16 + 1; FRAME_SAMPLES]);
        }
        let mut written = drain(&mut ring, usize::MAX / FRAME_SAMPLES);
        recorder.push(&[-1; FRAME_SAMPLES]);
        written.extend(drain(&mut ring, usize::MAX / FRAME_SAMPLES));
        let tally = recorder.finish();
        assert_eq!(tally.lost, 10 * FRAME_SAMPLES as u64);
        let samples = complete(written, tally);
        let frame = |number: usize| samples[number * FRAME_SAMPLES];
        assert_eq!(frame(RING_FRAMES - 1), RING_FRAMES as i16);
        assert_eq!(frame(RING_FRAMES), 0);
        assert_eq!(frame(RING_FRAMES + 10), -1);
        assert_eq!(samples.len(), (RING_FRAMES + 11) * FRAME_SAMPLES);
    }

    #[test]
    fn skipped_ticks_are_silence_but_not_lost_sound() {
        let (mut recorder, mut ring) = Recorder::new();
        recorder.push(&[5; FRAME_SAMPLES]);
        recorder.skip(3);
        recorder.push(&[6; FRAME_SAMPLES]);
        let written = drain(&mut ring, usize::MAX / FRAME_SAMPLES);
        assert_eq!(recorder.finish().lost, 0);
        assert_eq!(written.len(), 5 * FRAME_SAMPLES);
        assert_eq!((written[FRAME_SAMPLES], written[4 * FRAME_SAMPLES]), (0, 6));
    }

    #[test]
    fn a_recorder_knows_when_nobody_writes() {
        let (recorder, ring) = Recorder::new();
        assert!(!recorder.is_abandoned());
        drop(ring);
        assert!(recorder.is_abandoned());
    }

    proptest! {
        #[test]
        fn every_frame_lies_at_its_place_or_is_silence(
            steps in prop::collection::vec((1..80usize, 0..3u64, 0..120usize), 1..20)
        ) {
            let (mut recorder, mut ring) = Recorder::new();
            let (mut expected, mut written) = (Vec::new(), Vec::new());
            for (pushes, skips, drained) in steps {
                for _ in 0..pushes {
                    let value = expected.len() as i16 / 7 + 1;
                    expected.extend([value; FRAME_SAMPLES]);
                    recorder.push(&[value; FRAME_SAMPLES]);
                }
                expected.resize(expected.len() + skips as usize * FRAME_SAMPLES, 0);
                recorder.skip(skips);
                written.extend(drain(&mut ring, drained));
            }
            written.extend(drain(&mut ring, RING_FRAMES));
            let samples = complete(written, recorder.finish());
            prop_assert_eq!(samples.len(), expected.len());
            for (sample, expected) in samples.iter().zip(&expected) {
                prop_assert!(*sample == *expected || *sample == 0);
            }
        }
    }
}
