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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::SILENT_FRAME;
    use crate::graph::prompt::Prompt;
    use crate::rtp::packet::parse;
    use crate::stream::plan::PacketTime;
    use crate::stream::plan::tests::plan;
    use proptest::prelude::*;
    use std::sync::Arc;

    const START: u32 = 1000;

    /// An outgoing side with all it has sent and reported.
    struct Bench {
        outgoing: Outgoing,
        plan: Plan,
        packets: Vec<(RtpHeader, Vec<u8>)>,
        events: Vec<Event>,
        heard: Vec<i16>,
        orders_ended: usize,
    }

    impl Bench {
        fn new(plan: Plan) -> Self {
            Self {
                outgoing: Outgoing::new(7, 65_530, START),
                plan,
                packets: Vec::new(),
                events: Vec::new(),
                heard: Vec::new(),
                orders_ended: 0,
            }
        }

        fn with_packet_time(ms: u32) -> Self {
            let packet_time = PacketTime::from_ms(ms).unwrap();
            Self::new(Plan {
                packet_time,
                ..plan()
            })
        }

        fn run(&mut self, ticks: usize) {
            for _ in 0..ticks {
                let packets = &mut self.packets;
                let mut wire = |datagram: &[u8]| {
                    let packet = parse(datagram).unwrap();
                    packets.push((packet.header, packet.payload.to_vec()));
                    true
                };
                let (mut frame, mut batch) = (SILENT_FRAME, Vec::new());
                let heard = Some(&mut frame);
                self.orders_ended += self
                    .outgoing
                    .tick(&self.plan, heard, &mut wire, 1, &mut batch);
                if self.plan.packet_time.needs_half_ticks() {
                    self.outgoing
                        .half_tick(&self.plan, &mut wire, 1, &mut batch);
                }
                self.heard.extend(frame);
                self.events
                    .extend(batch.into_iter().map(|(_, event)| event));
            }
        }

        fn play(&mut self, id: u64, samples: Vec<i16>) {
            let prompts = vec![Arc::new(Prompt::new(samples).unwrap())];
            let looped = false;
            self.outgoing.play(Play {
                id,
                prompts,
                looped,
            });
        }

        fn send_digits(&mut self, digits: &str) {
            let mut sender = EventSender::new();
            sender.send(digits, 40, 40).unwrap();
            let digits = digits.to_owned();
            self.outgoing.send_digits(DigitOrder { digits, sender });
        }

        fn sizes(&self) -> Vec<usize> {
            self.packets.iter().map(|(_, bytes)| bytes.len()).collect()
        }
    }

    #[test]
    fn silence_leaves_in_step_with_the_ticks() {
        let mut bench = Bench::new(plan());
        bench.run(10);
        for (number, (header, payload)) in bench.packets.iter().enumerate() {
            let expected = RtpHeader {
                marker: number == 0,
                payload_type: 0,
                sequence: 65_530u16.wrapping_add(number as u16),
                timestamp: START + 160 * number as u32,
                ssrc: 7,
            };
            assert_eq!(*header, expected);
            assert_eq!(*payload, [0xff; 160]);
        }
        assert_eq!(bench.packets.len(), 10);
        assert_eq!(bench.outgoing.counts().bytes, 1600);
    }

    #[test]
    fn packets_are_as_long_as_agreed_and_none_of_the_sound_waits_longer_than_one() {
        for (ms, packets) in [(10, 24), (20, 12), (30, 8), (40, 6), (60, 4)] {
            let mut bench = Bench::with_packet_time(ms);
            bench.run(12);
            assert_eq!(bench.sizes(), vec![ms as usize * 8; packets]);
        }
    }

    #[test]
    fn packets_of_30_ms_leave_at_a_tick_and_between_two_by_turns() {
        let mut bench = Bench::with_packet_time(30);
        let counts: Vec<usize> = (0..6)
            .map(|_| {
                let mut at_tick = 0;
                let mut wire = |_: &[u8]| {
                    at_tick += 1;
                    true
                };
                bench
                    .outgoing
                    .tick(&bench.plan, None, &mut wire, 1, &mut Vec::new());
                let before = at_tick;
                let mut later = 0;
                let mut wire = |_: &[u8]| {
                    later += 1;
                    true
                };
                bench
                    .outgoing
                    .half_tick(&bench.plan, &mut wire, 1, &mut Vec::new());
                before * 10 + later
            })
            .collect();
        assert_eq!(counts, [0, 10, 1, 0, 10, 1]);
    }

    #[test]
    fn a_play_is_over_when_its_last_sample_has_left() {
        let mut bench = Bench::with_packet_time(60);
        bench.play(5, vec![1000; 161]);
        bench.run(2);
        assert_eq!(bench.events, []);
        bench.run(1);
        let (play, completed) = (5, true);
        assert_eq!(bench.events, [Event::PlayFinished { play, completed }]);
        assert_eq!(bench.heard[160], 1000);
        assert_eq!(bench.heard[161], 0);
    }

    #[test]
    fn playing_waits_for_digits_and_goes_on_where_it_was() {
        let mut bench = Bench::new(plan());
        bench.play(5, (1..=3200).collect());
        bench.run(2);
        bench.send_digits("1");
        bench.run(20);
        let played: Vec<i16> = bench
            .heard
            .into_iter()
            .filter(|sample| *sample != 0)
            .collect();
        let expected: Vec<i16> = (1..=3200).take(played.len()).collect();
        assert_eq!(played, expected);
        assert!(played.len() < 20 * 160);
        assert_eq!(bench.events, [Event::DtmfSent("1".into())]);
        assert_eq!(bench.orders_ended, 1);
    }

    #[test]
    fn digits_that_can_no_longer_be_sent_are_dropped() {
        let mut bench = Bench::new(plan());
        bench.send_digits("1");
        bench.send_digits("2");
        bench.run(1);
        bench.plan.event_send = None;
        bench.run(10);
        assert_eq!(bench.orders_ended, 2);
        assert_eq!(bench.events, []);
        assert_eq!(bench.packets.last().unwrap().0.payload_type, 0);
    }

    #[test]
    fn time_passes_on_hold_and_nothing_else_does() {
        let mut bench = Bench::new(plan());
        bench.run(1);
        bench.plan.sends = false;
        bench.play(5, vec![1000; 160]);
        bench.run(50);
        assert_eq!(bench.packets.len(), 1);
        bench.plan.sends = true;
        bench.run(1);
        let (header, payload) = &bench.packets[1];
        assert!(header.marker);
        assert_eq!(header.timestamp, START + 51 * 160);
        assert_ne!(payload[0], 0xff);
    }

    #[test]
    fn what_the_system_refuses_is_counted_apart() {
        let mut outgoing = Outgoing::new(7, 0, 0);
        let mut wire = |_: &[u8]| false;
        outgoing.tick(&plan(), None, &mut wire, 1, &mut Vec::new());
        let counts = outgoing.counts();
        assert_eq!((counts.packets, counts.bytes, counts.errors), (0, 0, 1));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Ticks(usize),
        PacketTime(u32),
        Hold(bool),
        Events(bool),
        Play(usize),
        Stop,
        Digits,
        Pass(u32),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (1..20usize).prop_map(Step::Ticks),
            prop::sample::select(vec![10, 20, 30, 40, 60]).prop_map(Step::PacketTime),
            any::<bool>().prop_map(Step::Hold),
            any::<bool>().prop_map(Step::Events),
            (1..2000usize).prop_map(Step::Play),
            Just(Step::Stop),
            Just(Step::Digits),
            (1..10u32).prop_map(Step::Pass),
        ];
        prop::collection::vec(step, 1..40)
    }

    impl Bench {
        fn apply(&mut self, step: Step) {
            let packets = &mut self.packets;
            let mut wire = |datagram: &[u8]| {
                let packet = parse(datagram).unwrap();
                packets.push((packet.header, packet.payload.to_vec()));
                true
            };
            match step {
                Step::Ticks(ticks) => self.run(ticks),
                Step::PacketTime(ms) => {
                    self.outgoing.flush(&self.plan, &mut wire);
                    self.plan.packet_time = PacketTime::from_ms(ms).unwrap();
                }
                Step::Hold(hold) => {
                    self.outgoing.flush(&self.plan, &mut wire);
                    self.plan.sends = !hold;
                }
                Step::Events(agreed) => self.plan.event_send = agreed.then_some(101),
                Step::Play(length) => self.play(9, vec![500; length]),
                Step::Stop => drop(self.outgoing.stop_playing()),
                Step::Digits => self.send_digits("12"),
                Step::Pass(ticks) => {
                    self.outgoing.flush(&self.plan, &mut wire);
                    self.outgoing.pass(ticks);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_ordered_audio_never_overlaps_and_no_sequence_number_is_left_out(
            steps in steps()
        ) {
            let mut bench = Bench::new(plan());
            for step in steps {
                bench.apply(step);
            }
            for pair in bench.packets.windows(2) {
                prop_assert_eq!(pair[1].0.sequence, pair[0].0.sequence.wrapping_add(1));
            }
            let is_audio = |packet: &&(RtpHeader, Vec<u8>)| packet.0.payload_type == 0;
            let audio: Vec<_> = bench.packets.iter().filter(is_audio).collect();
            for pair in audio.windows(2) {
                let end = pair[0].0.timestamp.wrapping_add(pair[0].1.len() as u32);
                let pause = pair[1].0.timestamp.wrapping_sub(end);
                prop_assert!(pause < 1 << 20 && pause % 80 == 0, "{}", pause);
                prop_assert!(pair[1].1.len() <= 480);
            }
        }
    }
}
