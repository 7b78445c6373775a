//! The sending side of a stream: sound, events and silence into packets on one timestamp.
//!
//! The timestamp advances by 160 at every tick, whether something is sent or not, so that what the
//! far end hears is in time with what happened here. While the plan says so, packets never cease:
//! where nothing plays, silence is sent, because carriers end calls whose media stops.

use std::collections::VecDeque;

use super::plan::Plan;
use crate::events::{Event, StreamId};
use crate::graph::player::{Play, Player};
use crate::graph::{FRAME_SAMPLES, Frame};
use crate::rtp::packet::{HEADER_BYTES, RtpHeader, write_header};
use crate::rtp::telephone_event::{EventSender, REPORT_BYTES, Step};

/// The longest packet: the rest of one, and the longest packet time.
const MAX_PAYLOAD_BYTES: usize = FRAME_SAMPLES + 480;

/// Takes packets to the wire; false when the system refused one.
pub trait Transmit {
    /// Send one RTP datagram to where the stream's RTP goes.
    fn transmit(&mut self, datagram: &[u8]) -> bool;
}

impl<F: FnMut(&[u8]) -> bool> Transmit for F {
    fn transmit(&mut self, datagram: &[u8]) -> bool {
        self(datagram)
    }
}

/// An order for digits, with a sender that holds them.
pub struct DigitOrder {
    /// As ordered, for the report.
    pub digits: String,
    /// Loaded with the digits.
    pub sender: EventSender,
}

/// Counts of the sending side.
#[derive(Clone, Copy, Debug, Default)]
pub struct SentCounts {
    /// RTP packets that left.
    pub packets: u64,
    /// Their payload, bytes.
    pub bytes: u64,
    /// Packets the system refused.
    pub errors: u64,
}

/// Builds and paces the packets of one stream.
pub struct Outgoing {
    ssrc: u32,
    sequence: u16,
    /// Of the next sample to be made.
    timestamp: u32,
    /// The next packet: header and payload. The payload grows in place until it is whole.
    packet: [u8; HEADER_BYTES + MAX_PAYLOAD_BYTES],
    payload_bytes: usize,
    /// The moment of the present tick, half ticks since the start.
    halves: u64,
    /// Before this moment no packet of audio leaves.
    due_halves: u64,
    /// The next audio packet is the first after a pause.
    marker: bool,
    player: Player,
    /// Plays whose last sample is not sent yet: id, and timestamp after that sample.
    leaving: VecDeque<(u64, u32)>,
    digits: VecDeque<DigitOrder>,
    counts: SentCounts,
}

impl Outgoing {
    /// A sender. `ssrc`, `sequence` and `timestamp` are random (RFC 3550 §5.1).
    pub fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Self {
            ssrc,
            sequence,
            timestamp,
            packet: [0; HEADER_BYTES + MAX_PAYLOAD_BYTES],
            payload_bytes: 0,
            halves: 0,
            due_halves: 0,
            marker: true,
            player: Player::default(),
            leaving: VecDeque::with_capacity(4),
            digits: VecDeque::with_capacity(4),
            counts: SentCounts::default(),
        }
    }

    /// Our synchronization source.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The timestamp of this moment's tick, for sender reports.
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// What was sent so far.
    pub fn counts(&self) -> SentCounts {
        self.counts
    }

    /// Play `play` from the next tick on; returns the id of the play it replaces.
    pub fn play(&mut self, play: Play) -> Option<u64> {
        self.player.start(play)
    }

    /// Stop playing; returns the id of what was playing.
    pub fn stop_playing(&mut self) -> Option<u64> {
        self.player.stop()
    }

    /// Send digits after those ordered before.
    pub fn send_digits(&mut self, order: DigitOrder) {
        self.digits.push_back(order);
    }

    /// Make one tick of sound and send what is due.
    ///
    /// Playing and digits wait while the plan does not send. `heard` gets the samples for a
    /// recording; the caller has filled it with silence. Returns how many orders for digits came to
    /// their end.
    pub fn tick(
        &mut self,
        plan: &Plan,
        heard: Option<&mut Frame>,
        wire: &mut impl Transmit,
        stream: StreamId,
        batch: &mut Vec<(StreamId, Event)>,
    ) -> usize {
        self.halves += 2;
        if !plan.sends {
            self.pass(1);
            return 0;
        }
        let dropped = self.drop_unsendable_digits(plan);
        let step = match self.digits.front_mut() {
            Some(order) => order.sender.next(self.timestamp),
            None => Step::Audio,
        };
        match (step, plan.event_send) {
            (
                Step::Event {
                    payload,
                    timestamp,
                    marker,
                },
                Some(payload_type),
            ) => {
                self.flush(plan, wire);
                self.send_event(payload_type, &payload, timestamp, marker, wire);
            }
            _ => self.add_frame(plan, heard),
        }
        self.timestamp = self.timestamp.wrapping_add(FRAME_SAMPLES as u32);
        self.send_due(plan, 0, wire);
        self.report_plays(stream, batch);
        dropped + self.report_digits(stream, batch)
    }

    /// Send what is due 10 ms after a tick; for packet times that are no multiple of 20 ms.
    pub fn half_tick(
        &mut self,
        plan: &Plan,
        wire: &mut impl Transmit,
        stream: StreamId,
        batch: &mut Vec<(StreamId, Event)>,
    ) {
        self.send_due(plan, 1, wire);
        self.report_plays(stream, batch);
    }

    /// Let the time of `ticks` pass in silence.
    pub fn pass(&mut self, ticks: u32) {
        let samples = ticks.wrapping_mul(FRAME_SAMPLES as u32);
        self.timestamp = self.timestamp.wrapping_add(samples);
        self.marker = true;
    }

    /// Send the sound that waits for a packet to fill, as a shorter packet: before the plan changes,
    /// before a pause and at the end.
    pub fn flush(&mut self, plan: &Plan, wire: &mut impl Transmit) {
        if self.payload_bytes > 0 && plan.sends {
            self.send_audio(plan, self.payload_bytes, wire);
        }
        self.payload_bytes = 0;
    }

    /// End everything; returns the plays that were heard to their end, and the one that was not.
    pub fn finish(&mut self) -> (impl Iterator<Item = u64> + '_, Option<u64>) {
        let interrupted = self.player.stop();
        (self.leaving.drain(..).map(|(id, _)| id), interrupted)
    }

    /// Report plays whose last packet has left.
    pub fn report_plays(&mut self, stream: StreamId, batch: &mut Vec<(StreamId, Event)>) {
        let sent = self.timestamp.wrapping_sub(self.payload_bytes as u32);
        while let Some(&(play, end)) = self.leaving.front() {
            if (end.wrapping_sub(sent) as i32) > 0 {
                return;
            }
            self.leaving.pop_front();
            let completed = true;
            batch.push((stream, Event::PlayFinished { play, completed }));
        }
    }

    /// Drop the orders for digits when the peer no longer agrees to events; returns how many.
    fn drop_unsendable_digits(&mut self, plan: &Plan) -> usize {
        if plan.event_send.is_some() {
            return 0;
        }
        self.digits.drain(..).count()
    }

    fn report_digits(&mut self, stream: StreamId, batch: &mut Vec<(StreamId, Event)>) -> usize {
        let Some(order) = self.digits.front_mut() else {
            return 0;
        };
        if order.sender.completed() > 0 && !order.digits.is_empty() {
            let digits = std::mem::take(&mut order.digits);
            batch.push((stream, Event::DtmfSent(digits)));
        }
        if !order.sender.is_idle() {
            return 0;
        }
        self.digits.pop_front();
        1
    }

    /// Append one tick of sound to the packet: what plays, or silence between digits and otherwise.
    fn add_frame(&mut self, plan: &Plan, heard: Option<&mut Frame>) {
        let start = HEADER_BYTES + self.payload_bytes;
        let Some(frame) = self.packet[start..].first_chunk_mut::<FRAME_SAMPLES>() else {
            return;
        };
        frame.fill(plan.law.silence());
        if self.digits.is_empty() {
            let finished = self.player.fill(plan.law, frame, heard);
            let end = self.timestamp.wrapping_add(FRAME_SAMPLES as u32);
            self.leaving.extend(finished.map(|id| (id, end)));
        }
        self.payload_bytes += FRAME_SAMPLES;
    }

    /// Send the packets that are full and due, `late_halves` after the present tick.
    fn send_due(&mut self, plan: &Plan, late_halves: u64, wire: &mut impl Transmit) {
        let now = self.halves + late_halves;
        while self.payload_bytes >= plan.packet_time.samples() && now >= self.due_halves {
            self.send_audio(plan, plan.packet_time.samples(), wire);
            self.due_halves = now + u64::from(plan.packet_time.half_ticks());
        }
    }

    /// Send the first `length` bytes of the sound that waits.
    fn send_audio(&mut self, plan: &Plan, length: usize, wire: &mut impl Transmit) {
        let header = RtpHeader {
            marker: std::mem::take(&mut self.marker),
            payload_type: plan.send_payload_type,
            sequence: self.next_sequence(),
            timestamp: self.timestamp.wrapping_sub(self.payload_bytes as u32),
            ssrc: self.ssrc,
        };
        write_header(&header, &mut self.packet);
        let sent = wire.transmit(&self.packet[..HEADER_BYTES + length]);
        self.count(sent, length);
        let waiting = HEADER_BYTES + length..HEADER_BYTES + self.payload_bytes;
        self.packet.copy_within(waiting, HEADER_BYTES);
        self.payload_bytes -= length;
    }

    fn send_event(
        &mut self,
        payload_type: u8,
        payload: &[u8; REPORT_BYTES],
        timestamp: u32,
        marker: bool,
        wire: &mut impl Transmit,
    ) {
        let header = RtpHeader {
            marker,
            payload_type,
            sequence: self.next_sequence(),
            timestamp,
            ssrc: self.ssrc,
        };
        let mut packet = [0; HEADER_BYTES + REPORT_BYTES];
        write_header(&header, &mut packet);
        packet[HEADER_BYTES..].copy_from_slice(payload);
        let sent = wire.transmit(&packet);
        self.count(sent, REPORT_BYTES);
    }

    fn next_sequence(&mut self) -> u16 {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        sequence
    }

    fn count(&mut self, sent: bool, payload_bytes: usize) {
        if sent {
            self.counts.packets += 1;
            self.counts.bytes += payload_bytes as u64;
        } else {
            self.counts.errors += 1;
        }
    }
}
