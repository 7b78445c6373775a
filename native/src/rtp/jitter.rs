//! Adaptive jitter buffer for codecs of one byte per RTP tick (G.711, G.722).
//!
//! Theory of operation. Payloads of any length lie in a ring at their timestamp; every 20 ms
//! [`JitterBuffer::pull`] takes the 160 ticks at the playout point. The playout point moves by one
//! frame per pull, and two things bend that:
//!
//! * *Stretch*: it stays, and the listener hears concealment. Only where that does no harm: where
//!   the frame is missing anyway and may still come within the target delay, where nothing more is
//!   held, or in a pause.
//! * *Drop*: it moves by two. In a pause, or over a frame that is missing anyway, as soon as the
//!   delay is a frame and a half above the target; in speech only far above it, and then seldom.
//!
//! The target delay follows the distribution of lateness: 99 % of the packets shall come in time,
//! at least 20 ms, at most 300 ms, 40 ms before anything is known (the reasons stand with the
//! constants in `delay.rs`).
//!
//! A change of SSRC, or a timestamp that leaves real time by more than two seconds, must be
//! confirmed by a second packet in sequence while the old stream is quiet, so that a stray packet
//! does not end a stream. Timestamps that fall behind for good show as a run of late packets.

use std::ops::Range;

use super::delay::{DelayEstimate, MAX_TARGET, TICKS_PER_MS};
use super::packet::RtpHeader;
use super::sequence_window::{Order, SequenceWindow};
use super::tick_ring::{CAPACITY, Held, TickRing};

/// Ticks, and bytes, of one frame: 20 ms at 8 kHz.
pub const FRAME_TICKS: usize = 160;
/// The longest payload taken, bytes (200 ms): more than an Ethernet frame holds.
pub const MAX_PAYLOAD_BYTES: usize = 1600;

const FRAME: i64 = FRAME_TICKS as i64;
/// How far below the target the delay may be, ticks: half a frame, since it moves by whole ones.
const DEFICIT: i64 = FRAME / 2;
/// How far above the target the delay must be to drop a frame that nobody misses, ticks. With
/// [`DEFICIT`] this leaves a frame of hysteresis.
const EXCESS: i64 = FRAME + FRAME / 2;
/// How far above the target the delay must be to drop a frame of speech, ticks (80 ms).
const EXCESS_IN_SPEECH: i64 = 4 * FRAME;
/// Pulls between two drops of speech (0.5 s), and when the delay is above all bounds (0.1 s).
const PULLS_BETWEEN_DROPS: u32 = 25;
const PULLS_BETWEEN_FORCED_DROPS: u32 = 5;
/// Transit this far from the path's is another origin of timestamps, ticks (2 s): more than the
/// ring holds, and more than a network delays.
const JUMP: i64 = 2000 * TICKS_PER_MS;
/// Late packets in a row after which it is the playout point that is wrong.
const LATE_RUN: u32 = 8;

/// What became of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Push {
    /// What of it is still ahead of the playout point will be played.
    Accepted,
    /// Its sequence number was here before.
    Duplicate,
    /// Its time to be played is over.
    Late,
    /// It lies more than a second ahead of the playout point.
    Overflow,
    /// Its payload is empty or longer than [`MAX_PAYLOAD_BYTES`].
    Unusable,
    /// The first of another stream; it is played if the next one confirms it.
    Held,
    /// It made the buffer start anew with another SSRC or origin of timestamps.
    Resynchronized,
}

/// What to play for 20 ms.
#[derive(Debug, Eq, PartialEq)]
pub enum Pull<'a> {
    /// Audio.
    Frame(Frame<'a>),
    /// The frame was lost: conceal.
    Lost,
    /// Playout pauses, to raise the delay: conceal.
    Stretched,
    /// Nothing more is held: conceal. Concealment ends in silence by itself.
    Underrun,
    /// The sender sent nothing for this time (discontinuous transmission, events): silence.
    Silence,
    /// No stream yet, or its first delay is being built up: silence.
    Waiting,
}

/// 20 ms of payload.
#[derive(Debug, Eq, PartialEq)]
pub struct Frame<'a> {
    /// [`FRAME_TICKS`] bytes.
    pub payload: &'a [u8],
    /// Bytes of `payload` without meaning, to be concealed; empty in a whole frame. They reach its
    /// start or its end.
    pub missing: Range<usize>,
    /// RTP timestamp of the first byte.
    pub timestamp: u32,
    /// Whether it is the first after silence, an underrun or the start.
    pub starts_talkspurt: bool,
    /// Whether a frame was dropped before it, so that it does not join the end of the last one.
    pub spliced: bool,
}

/// Counts since construction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct JitterCounts {
    /// Packets taken.
    pub accepted: u64,
    /// Packets that were here before.
    pub duplicates: u64,
    /// Packets too late to be played.
    pub late: u64,
    /// Packets too far ahead.
    pub overflows: u64,
    /// Packets of no usable length or of no confirmed stream.
    pub discarded: u64,
    /// Frames played, whole or in part.
    pub frames: u64,
    /// Frames lost.
    pub lost: u64,
    /// Frames put in to raise the delay.
    pub stretched: u64,
    /// Frames for which nothing was held.
    pub underruns: u64,
    /// Frames left out to lower the delay.
    pub dropped: u64,
    /// New starts because of another SSRC or origin of timestamps.
    pub resynchronized: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// No packet yet.
    Idle,
    /// The first delay is being built up.
    Filling,
    Playing,
}

/// The first packet of a stream that may follow the present one.
struct Candidate {
    header: Option<RtpHeader>,
    arrival: i64,
    payload: Box<[u8]>,
    length: usize,
}

/// See the module's text. Takes about 13 kB, all of it at construction.
pub struct JitterBuffer {
    is_quiet: fn(&[u8]) -> bool,
    state: State,
    ssrc: u32,
    sequences: SequenceWindow,
    delay: DelayEstimate,
    ring: TickRing,
    /// The highest timestamp so far, extended to 64 bits, as all ticks below are.
    newest: i64,
    /// The next tick to play.
    playout: i64,
    /// The tick after the last one held.
    end: i64,
    talking: bool,
    late_run: u32,
    pulls_since_drop: u32,
    candidate: Candidate,
    frame: [u8; FRAME_TICKS],
    counts: JitterCounts,
}

impl JitterBuffer {
    /// Make an empty buffer.
    ///
    /// `is_quiet` tells whether a frame of payload is a pause, for example
    /// `|payload| Law::Mu.is_quiet(payload)`.
    pub fn new(is_quiet: fn(&[u8]) -> bool) -> Self {
        Self {
            is_quiet,
            state: State::Idle,
            ssrc: 0,
            sequences: SequenceWindow::new(0),
            delay: DelayEstimate::new(),
            ring: TickRing::new(),
            newest: 0,
            playout: 0,
            end: 0,
            talking: false,
            late_run: 0,
            pulls_since_drop: 0,
            candidate: Candidate {
                header: None,
                arrival: 0,
                payload: vec![0; MAX_PAYLOAD_BYTES].into_boxed_slice(),
                length: 0,
            },
            frame: [0; FRAME_TICKS],
            counts: JitterCounts::default(),
        }
    }

    /// Take an audio packet that arrived at `arrival_us` (monotonic microseconds).
    pub fn push(&mut self, header: &RtpHeader, payload: &[u8], arrival_us: u64) -> Push {
        let outcome = self.take(header, payload, ticks(arrival_us));
        let count = match outcome {
            Push::Accepted | Push::Resynchronized => &mut self.counts.accepted,
            Push::Duplicate => &mut self.counts.duplicates,
            Push::Late => &mut self.counts.late,
            Push::Overflow => &mut self.counts.overflows,
            Push::Unusable | Push::Held => &mut self.counts.discarded,
        };
        *count += 1;
        outcome
    }

    /// Note a packet of the same stream that carries no audio (a telephone event, comfort noise),
    /// so that the ticks it stands for do not count as lost.
    pub fn note_non_audio(&mut self, header: &RtpHeader) {
        if self.state != State::Idle && header.ssrc == self.ssrc {
            self.sequences.insert(header.sequence);
        }
    }

    /// Take what to play for the 20 ms from `now_us` on (monotonic microseconds).
    pub fn pull(&mut self, now_us: u64) -> Pull<'_> {
        let now = ticks(now_us);
        if !self.is_playing(now) {
            return Pull::Waiting;
        }
        let spliced = self.drop_if_due(now);
        let held = self.ring.held(self.span());
        if self.shall_wait(&held, now) {
            return self.wait();
        }
        match held {
            Held::All => self.play(0..0, spliced),
            Held::AllBut(missing) => self.play(missing, spliced),
            Held::Silence => self.pass_silence(),
            Held::Nothing => self.pass_loss(),
        }
    }

    /// Forget the stream: the next packet is the first of a new one. What was learnt of the path
    /// and the counts stay.
    pub fn reset(&mut self) {
        self.state = State::Idle;
        self.candidate.header = None;
        self.ring.clear();
    }

    /// Take payload of another codec from now on; the stream begins anew. For `is_quiet` see
    /// [`JitterBuffer::new`].
    pub fn change_payload(&mut self, is_quiet: fn(&[u8]) -> bool) {
        self.is_quiet = is_quiet;
        self.reset();
    }

    /// Counts since construction.
    pub fn counts(&self) -> JitterCounts {
        self.counts
    }

    /// The delay aimed at, above the path's least transit, milliseconds.
    pub fn target_ms(&self) -> u32 {
        (self.delay.target() / TICKS_PER_MS) as u32
    }

    /// The delay at `now_us`, above the path's least transit, milliseconds; 0 without a stream.
    pub fn delay_ms(&self, now_us: u64) -> u32 {
        match self.state {
            State::Idle => 0,
            _ => (self.delay_at(ticks(now_us)).max(0) / TICKS_PER_MS) as u32,
        }
    }

    // Arrivals.

    fn take(&mut self, header: &RtpHeader, payload: &[u8], arrival: i64) -> Push {
        if payload.is_empty() || payload.len() > MAX_PAYLOAD_BYTES {
            return Push::Unusable;
        }
        if self.state == State::Idle {
            self.start(header, arrival);
            return self.hold(self.newest, payload);
        }
        let timestamp = self.extended(header.timestamp);
        let transit = arrival - timestamp;
        if header.ssrc != self.ssrc || (transit - self.delay.base()).abs() > JUMP {
            return self.consider(header, payload, arrival);
        }
        self.candidate.header = None;
        let order = self.sequences.insert(header.sequence);
        if order == Order::Duplicate {
            return Push::Duplicate;
        }
        self.delay.observe(transit, arrival);
        self.newest = self.newest.max(timestamp);
        self.move_playout(timestamp, arrival);
        if order == Order::Next && timestamp > self.end {
            self.ring.mark_silent(self.end.max(self.playout)..timestamp);
        }
        match self.hold(timestamp, payload) {
            Push::Late if self.late_run >= LATE_RUN => {
                self.restart(header, arrival);
                self.hold(self.newest, payload);
                Push::Resynchronized
            }
            outcome => outcome,
        }
    }

    /// Begin with `header`, the first packet of a stream, whatever was before.
    fn start(&mut self, header: &RtpHeader, arrival: i64) {
        let timestamp = i64::from(header.timestamp);
        self.state = State::Filling;
        self.ssrc = header.ssrc;
        self.sequences = SequenceWindow::new(header.sequence);
        self.delay.rebase(arrival - timestamp, arrival);
        self.ring.clear();
        self.newest = timestamp;
        self.playout = timestamp;
        self.end = timestamp;
        self.talking = false;
        self.late_run = 0;
        self.candidate.header = None;
    }

    fn restart(&mut self, header: &RtpHeader, arrival: i64) {
        self.start(header, arrival);
        self.counts.resynchronized += 1;
    }

    /// Take a packet that does not belong to the present stream.
    fn consider(&mut self, header: &RtpHeader, payload: &[u8], arrival: i64) -> Push {
        let (Some(first), first_arrival) = (self.candidate.header, self.candidate.arrival) else {
            return self.keep_candidate(header, payload, arrival);
        };
        let step = i64::from(header.timestamp.wrapping_sub(first.timestamp) as i32);
        let confirms = header.ssrc == first.ssrc
            && header.sequence == first.sequence.wrapping_add(1)
            && (1..=JUMP).contains(&step)
            && arrival - first_arrival <= JUMP;
        if !confirms {
            return self.keep_candidate(header, payload, arrival);
        }
        self.restart(&first, first_arrival);
        self.hold_candidate();
        self.take(header, payload, arrival);
        Push::Resynchronized
    }

    fn keep_candidate(&mut self, header: &RtpHeader, payload: &[u8], arrival: i64) -> Push {
        self.candidate.header = Some(*header);
        self.candidate.arrival = arrival;
        self.candidate.length = payload.len();
        self.candidate.payload[..payload.len()].copy_from_slice(payload);
        Push::Held
    }

    /// Hold the candidate's payload, which was counted as discarded.
    fn hold_candidate(&mut self) {
        self.ring.write(
            self.newest,
            &self.candidate.payload[..self.candidate.length],
        );
        self.end = self.newest + self.candidate.length as i64;
        self.counts.discarded -= 1;
        self.counts.accepted += 1;
    }

    /// Set the playout point where that is free: back to an overtaken packet before the start, or
    /// on to the target delay when nothing is held.
    fn move_playout(&mut self, timestamp: i64, arrival: i64) {
        if self.state == State::Filling {
            if timestamp < self.playout && self.end - timestamp <= CAPACITY as i64 {
                self.playout = timestamp;
            }
        } else if self.end <= self.playout && timestamp > self.playout {
            let ideal = arrival - self.delay.base() - self.delay.target();
            self.playout = ideal.clamp(self.playout, timestamp);
        }
    }

    /// Put a payload into the ring, without what is already over.
    fn hold(&mut self, timestamp: i64, payload: &[u8]) -> Push {
        let end = timestamp + payload.len() as i64;
        if end <= self.playout {
            self.late_run += 1;
            return Push::Late;
        }
        if end > self.playout + CAPACITY as i64 {
            return Push::Overflow;
        }
        let over = (self.playout - timestamp).max(0);
        self.ring.write(timestamp + over, &payload[over as usize..]);
        self.end = self.end.max(end);
        self.late_run = 0;
        Push::Accepted
    }

    // Playout.

    fn is_playing(&mut self, now: i64) -> bool {
        if self.state == State::Filling && self.delay_at(now) >= self.delay.target() - DEFICIT {
            self.state = State::Playing;
        }
        self.state == State::Playing
    }

    /// How long a packet of the least transit waits for its playout, ticks.
    fn delay_at(&self, now: i64) -> i64 {
        now - self.delay.base() - self.playout
    }

    fn span(&self) -> Range<i64> {
        self.playout..self.playout + FRAME
    }

    fn advance(&mut self) {
        self.ring.remove(self.span());
        self.playout += FRAME;
    }

    /// Whether the frame at the playout point is held and is a pause. Leaves it in `self.frame`.
    fn is_pause(&mut self) -> bool {
        self.ring.read(self.playout, &mut self.frame);
        (self.is_quiet)(&self.frame)
    }

    /// Leave one frame out if the delay is too long and this is the place.
    fn drop_if_due(&mut self, now: i64) -> bool {
        self.pulls_since_drop = self.pulls_since_drop.saturating_add(1);
        let delay = self.delay_at(now);
        let excess = delay - self.delay.target();
        if excess < EXCESS {
            return false;
        }
        let next = self
            .ring
            .held(self.playout + FRAME..self.playout + 2 * FRAME);
        let is_place = match (self.ring.held(self.span()), next) {
            (Held::Silence, Held::Silence | Held::All) => true,
            (Held::Nothing | Held::AllBut(_), Held::All) => true,
            (Held::All, Held::All) => self.is_pause() || self.may_drop_speech(delay, excess),
            _ => false,
        };
        if is_place {
            self.advance();
            self.pulls_since_drop = 0;
            self.counts.dropped += 1;
        }
        is_place
    }

    fn may_drop_speech(&self, delay: i64, excess: i64) -> bool {
        let pulls = if delay > MAX_TARGET {
            PULLS_BETWEEN_FORCED_DROPS
        } else {
            PULLS_BETWEEN_DROPS
        };
        excess >= EXCESS_IN_SPEECH && self.pulls_since_drop >= pulls
    }

    /// Whether playout shall pause here, as `held` is what lies at the playout point.
    fn shall_wait(&mut self, held: &Held, now: i64) -> bool {
        let delay = self.delay_at(now);
        let is_short = self.delay.target() - delay >= DEFICIT;
        match held {
            Held::All => is_short && self.is_pause(),
            Held::Silence => is_short,
            Held::Nothing if self.end <= self.playout => delay + FRAME <= MAX_TARGET,
            // The last packet's rest: its continuation is only just due.
            Held::AllBut(_) if self.end < self.playout + FRAME => {
                delay < self.delay.target() + FRAME
            }
            Held::AllBut(_) | Held::Nothing => is_short,
        }
    }

    fn wait(&mut self) -> Pull<'_> {
        if self.end <= self.playout {
            return self.underrun();
        }
        self.counts.stretched += 1;
        Pull::Stretched
    }

    fn play(&mut self, missing: Range<usize>, spliced: bool) -> Pull<'_> {
        self.ring.read(self.playout, &mut self.frame);
        let timestamp = self.playout as u32;
        let starts_talkspurt = !self.talking;
        self.talking = true;
        self.counts.frames += 1;
        self.advance();
        Pull::Frame(Frame {
            payload: &self.frame,
            missing,
            timestamp,
            starts_talkspurt,
            spliced,
        })
    }

    fn pass_silence(&mut self) -> Pull<'_> {
        self.talking = false;
        self.advance();
        Pull::Silence
    }

    fn pass_loss(&mut self) -> Pull<'_> {
        let nothing_more = self.end <= self.playout;
        self.advance();
        if nothing_more {
            return self.underrun();
        }
        self.counts.lost += 1;
        Pull::Lost
    }

    fn underrun(&mut self) -> Pull<'_> {
        self.talking = false;
        self.counts.underruns += 1;
        Pull::Underrun
    }

    /// Extend a 32-bit timestamp by the one of the 2^32 periods that brings it nearest.
    fn extended(&self, timestamp: u32) -> i64 {
        self.newest + i64::from(timestamp.wrapping_sub(self.newest as u32) as i32)
    }
}

/// Microseconds in ticks of 8 kHz.
fn ticks(us: u64) -> i64 {
    (us / 125) as i64
}
