//! The receiving side of a stream: packets into sound, digits and figures.

use super::plan::{COMFORT_NOISE, Plan};
use super::report::StatisticsReport;
use crate::codec::g711::Law;
use crate::dsp::plc::Concealer;
use crate::events::{Event, StreamId};
use crate::graph::Frame;
use crate::rtp::jitter::{self, JitterBuffer, Pull};
use crate::rtp::packet::{RtpHeader, RtpPacket};
use crate::rtp::rtcp::ReportBlock;
use crate::rtp::statistics::{Codec, Conditions, ReceiverStatistics, mos};
use crate::rtp::telephone_event::{Digit, EventReceiver};

/// Clock of the RTP timestamps of everything we take, Hz.
const CLOCK_RATE_HZ: u32 = 8_000;
/// Ticks for which a stream that ceased is concealed; ITU-T G.711 appendix I is silent after 60 ms.
const CONCEALED_TICKS: u32 = 3;
const TICK_MS: u64 = 20;

/// What a packet is, by its payload type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Content {
    Audio,
    TelephoneEvent,
    ComfortNoise,
}

/// Tell what `payload_type` was agreed to be; None when it was not.
fn content_of(plan: &Plan, payload_type: u8) -> Option<Content> {
    match payload_type {
        pt if pt == plan.receive_payload_type => Some(Content::Audio),
        pt if Some(pt) == plan.event_receive => Some(Content::TelephoneEvent),
        COMFORT_NOISE => Some(Content::ComfortNoise),
        _ => None,
    }
}

/// Whether `packet` is one the plan agreed to: only then may its source be believed.
pub fn is_agreed(plan: &Plan, packet: &RtpPacket<'_>) -> bool {
    content_of(plan, packet.header.payload_type).is_some()
}

/// Takes the packets of one stream.
pub struct Incoming {
    law: Law,
    jitter: JitterBuffer,
    concealer: Concealer,
    digits: EventReceiver,
    statistics: ReceiverStatistics,
    /// The last packet was no audio: what is missing now was never there.
    between_audio: bool,
    /// Ticks in a row for which nothing was held.
    empty_ticks: u32,
    concealed_ticks: u64,
    /// When the peer was heard last, or should have begun to be heard; µs.
    heard_us: u64,
    timed_out: bool,
}

impl Default for Incoming {
    fn default() -> Self {
        Self {
            law: Law::Mu,
            jitter: JitterBuffer::new(quietness(Law::Mu)),
            concealer: Concealer::new(),
            digits: EventReceiver::new(),
            statistics: ReceiverStatistics::new(CLOCK_RATE_HZ),
            between_audio: false,
            empty_ticks: 0,
            concealed_ticks: 0,
            heard_us: 0,
            timed_out: false,
        }
    }
}

impl Incoming {
    /// Go on under another plan, or begin under the first; `new_peer` when its sound comes from
    /// another source from now on.
    pub fn configure(&mut self, before: Option<&Plan>, plan: &Plan, new_peer: bool, now_us: u64) {
        if self.law != plan.law {
            self.law = plan.law;
            self.jitter.change_payload(quietness(plan.law));
        }
        let resumes = plan.receives && !before.is_some_and(|before| before.receives);
        if new_peer || resumes {
            self.jitter.reset();
            self.heard_us = now_us;
            self.timed_out = false;
        }
    }

    /// Take a packet of the plan, from the source we believe.
    pub fn receive(
        &mut self,
        plan: &Plan,
        packet: &RtpPacket<'_>,
        now_us: u64,
        stream: StreamId,
        batch: &mut Vec<(StreamId, Event)>,
    ) {
        let (header, payload) = (&packet.header, packet.payload);
        self.heard_us = now_us;
        self.timed_out = false;
        match content_of(plan, header.payload_type) {
            Some(Content::Audio) => {
                self.statistics.receive(header, payload.len(), now_us);
                self.between_audio = false;
                if plan.receives {
                    self.jitter.push(header, payload, now_us);
                }
            }
            Some(Content::TelephoneEvent) => {
                self.receive_silent(header, payload.len());
                let digits = self.digits.receive(header, payload, now_us);
                batch.extend(digits.map(|digit| (stream, digit.into())));
            }
            Some(Content::ComfortNoise) => self.receive_silent(header, payload.len()),
            None => {}
        }
    }

    fn receive_silent(&mut self, header: &RtpHeader, payload_bytes: usize) {
        self.statistics.receive_untimed(header, payload_bytes);
        self.jitter.note_non_audio(header);
        self.between_audio = true;
    }

    /// Play one tick into `heard`, which holds silence; None when nobody listens.
    pub fn play(&mut self, now_us: u64, heard: Option<&mut Frame>) {
        let pull = self.jitter.pull(now_us);
        let concealable = match &pull {
            Pull::Underrun => !self.between_audio && self.empty_ticks < CONCEALED_TICKS,
            Pull::Lost | Pull::Stretched => true,
            Pull::Frame(_) | Pull::Silence | Pull::Waiting => false,
        };
        self.empty_ticks = match &pull {
            Pull::Underrun => self.empty_ticks.saturating_add(1),
            _ => 0,
        };
        self.concealed_ticks += u64::from(concealable);
        let Some(heard) = heard else {
            return;
        };
        match pull {
            Pull::Frame(frame) => sound(self.law, &mut self.concealer, &frame, heard),
            _ if concealable => self.concealer.lost(heard),
            _ => self.concealer.good(heard),
        }
    }

    /// Report what time alone brings: digits whose end was lost, and silence of the peer.
    pub fn watch(
        &mut self,
        plan: &Plan,
        now_us: u64,
        stream: StreamId,
        batch: &mut Vec<(StreamId, Event)>,
    ) {
        batch.extend(self.digits.tick(now_us).map(|digit| (stream, digit.into())));
        let silent_us = now_us.saturating_sub(self.heard_us);
        let is_over = |timeout_us| plan.receives && silent_us >= timeout_us;
        if !self.timed_out && plan.media_timeout_us.is_some_and(is_over) {
            self.timed_out = true;
            batch.push((stream, Event::MediaTimedOut(silent_us)));
        }
    }

    /// Report the digit that was being pressed when the stream ended.
    pub fn finish(&mut self, stream: StreamId, batch: &mut Vec<(StreamId, Event)>) {
        batch.extend(
            self.digits
                .tick(u64::MAX)
                .map(|digit| (stream, digit.into())),
        );
    }

    /// The figures of arrival, for RTCP.
    pub fn statistics_mut(&mut self) -> &mut ReceiverStatistics {
        &mut self.statistics
    }

    /// What a report of this moment says of the stream.
    pub fn report_block(&mut self, now_us: u64) -> Option<ReportBlock> {
        self.statistics.report(now_us)
    }

    /// Fill in what this side knows; `report.rtt_ms` is known already.
    pub fn fill_in(&self, report: &mut StatisticsReport, now_us: u64) {
        let counts = self.statistics.counts();
        let jitter = self.jitter.counts();
        report.packets_received = counts.packets;
        report.bytes_received = counts.octets;
        report.lost = counts.lost;
        report.loss_percent = counts.loss() * 100.0;
        report.jitter_ms = self.statistics.jitter_ms();
        report.duplicates = counts.duplicates;
        report.reordered = counts.reordered;
        report.late = jitter.late;
        report.ssrc_changes = counts.ssrc_changes;
        report.concealed_ms = self.concealed_ticks * TICK_MS;
        report.jitter_buffer_ms = self.jitter.delay_ms(now_us);
        if counts.packets > 0 {
            let missing = (counts.lost + jitter.late) as f64 / counts.expected.max(1) as f64;
            report.mos = mos(&Conditions {
                loss: missing.min(1.0),
                burst_ratio: 1.0,
                one_way_delay_ms: report.rtt_ms.unwrap_or(0.0) / 2.0
                    + f64::from(self.jitter.target_ms()),
                codec: Codec::G711WithConcealment,
            });
        }
    }
}

/// Decode a frame; what is missing of it, at its start or its end, is made up.
fn sound(law: Law, concealer: &mut Concealer, frame: &jitter::Frame<'_>, heard: &mut Frame) {
    law.decode(frame.payload, heard);
    let (before, rest) = heard.split_at_mut(frame.missing.start);
    let (missing, after) = rest.split_at_mut(frame.missing.len());
    if frame.spliced {
        concealer.spliced(before);
    } else {
        concealer.good(before);
    }
    concealer.lost(missing);
    concealer.good(after);
}

impl From<Digit> for Event {
    fn from(digit: Digit) -> Self {
        Self::DtmfReceived {
            digit: digit.digit,
            duration_ms: digit.duration_ms,
        }
    }
}

fn quietness(law: Law) -> fn(&[u8]) -> bool {
    match law {
        Law::Mu => |payload| Law::Mu.is_quiet(payload),
        Law::A => |payload| Law::A.is_quiet(payload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::tone::Tone;
    use crate::graph::{FRAME_SAMPLES, SILENT_FRAME};
    use crate::stream::plan::tests::plan;
    use proptest::prelude::*;
    use std::ops::Range;

    /// Hear `payload` without the bytes `missing`.
    fn hear(
        concealer: &mut Concealer,
        payload: &[u8],
        missing: Range<usize>,
        spliced: bool,
    ) -> Frame {
        let mut heard = [0; FRAME_SAMPLES];
        let frame = jitter::Frame {
            payload,
            missing,
            timestamp: 0,
            starts_talkspurt: false,
            spliced,
        };
        sound(Law::Mu, concealer, &frame, &mut heard);
        heard
    }

    fn tone_frames() -> impl Iterator<Item = [u8; FRAME_SAMPLES]> {
        let mut tone = Tone::new(400.0, -10.0, CLOCK_RATE_HZ);
        std::iter::from_fn(move || {
            let (mut samples, mut bytes) = ([0; FRAME_SAMPLES], [0; FRAME_SAMPLES]);
            tone.fill(&mut samples);
            Law::Mu.encode(&samples, &mut bytes);
            Some(bytes)
        })
    }

    fn is_near(heard: &[i16], sent: &[u8]) -> bool {
        let mut expected = [0; FRAME_SAMPLES];
        Law::Mu.decode(sent, &mut expected);
        let far = |(one, other): (&i16, &i16)| (one - other).unsigned_abs() > 600;
        !heard.iter().zip(&expected).any(far)
    }

    #[test]
    fn what_is_lost_of_a_tone_is_made_up_from_what_was_heard() {
        for (missing, spliced) in [(0..80, false), (80..160, false), (0..80, true)] {
            let mut concealer = Concealer::new();
            let frames: Vec<_> = tone_frames().take(4).collect();
            for frame in &frames[..3] {
                assert!(is_near(&hear(&mut concealer, frame, 0..0, false), frame));
            }
            let mut torn = frames[3];
            torn[missing.clone()].fill(Law::Mu.silence());
            let heard = hear(&mut concealer, &torn, missing, spliced);
            assert!(is_near(&heard, &frames[3]));
        }
    }

    const TICK_US: u64 = 20_000;

    struct Bench {
        incoming: Incoming,
        plan: Plan,
        now_us: u64,
        batch: Vec<(StreamId, Event)>,
    }

    impl Bench {
        fn new(plan: Plan) -> Self {
            let mut incoming = Incoming::default();
            incoming.configure(None, &plan, true, 0);
            Self {
                incoming,
                plan,
                now_us: 0,
                batch: Vec::new(),
            }
        }

        fn receive(&mut self, payload_type: u8, sequence: u16, timestamp: u32, payload: &[u8]) {
            let header = RtpHeader {
                marker: false,
                payload_type,
                sequence,
                timestamp,
                ssrc: 3,
            };
            let packet = RtpPacket { header, payload };
            self.incoming
                .receive(&self.plan, &packet, self.now_us, 1, &mut self.batch);
        }

        fn tick(&mut self) -> Frame {
            let mut heard = SILENT_FRAME;
            self.incoming.play(self.now_us, Some(&mut heard));
            self.incoming
                .watch(&self.plan, self.now_us, 1, &mut self.batch);
            self.now_us += TICK_US;
            heard
        }

        /// Let time pass in which nothing comes.
        fn pass(&mut self, ticks: usize) {
            for _ in 0..ticks {
                self.tick();
            }
        }

        /// Receive `ticks` packets of a steady voice, but for those in `lost`.
        fn talk(&mut self, ticks: u16, lost: std::ops::Range<u16>) -> Vec<Frame> {
            (0..ticks)
                .map(|number| {
                    if !lost.contains(&number) {
                        let samples: Vec<i16> = (0..160).map(voice).collect();
                        let mut payload = [0; 160];
                        self.plan.law.encode(&samples, &mut payload);
                        self.receive(0, number, u32::from(number) * 160, &payload);
                    }
                    self.tick()
                })
                .collect()
        }

        fn report(&self) -> StatisticsReport {
            let mut report = StatisticsReport::default();
            self.incoming.fill_in(&mut report, self.now_us);
            report
        }

        fn events(&self) -> Vec<&Event> {
            self.batch.iter().map(|(_, event)| event).collect()
        }
    }

    /// 100 Hz: two whole periods a frame.
    fn voice(sample: usize) -> i16 {
        let turns = sample as f64 / 80.0;
        (10_000.0 * (turns * std::f64::consts::TAU).sin()) as i16
    }

    fn power(frame: &Frame) -> f64 {
        frame.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / frame.len() as f64
    }

    #[test]
    fn what_arrives_is_heard_in_either_law() {
        for law in [Law::Mu, Law::A] {
            let mut bench = Bench::new(Plan { law, ..plan() });
            let frames = bench.talk(50, 0..0);
            let last = frames.last().unwrap();
            for (sample, &heard) in last.iter().enumerate() {
                assert!((i32::from(heard) - i32::from(voice(sample))).abs() < 400);
            }
            assert_eq!(bench.report().concealed_ms, 0);
        }
    }

    #[test]
    fn a_lost_packet_is_concealed_and_counted() {
        let mut bench = Bench::new(plan());
        let frames = bench.talk(60, 40..41);
        assert!(frames[10..].iter().all(|frame| power(frame) > 1e7));
        let report = bench.report();
        assert_eq!((report.lost, report.concealed_ms), (1, 20));
        assert!(report.mos < 4.4);
    }

    #[test]
    fn a_stream_that_ceases_is_concealed_for_60_ms_and_then_silent() {
        let mut bench = Bench::new(plan());
        bench.talk(50, 0..0);
        let frames: Vec<Frame> = (0..50).map(|_| bench.tick()).collect();
        assert_eq!(bench.report().concealed_ms, 60);
        assert!(power(&frames[2]) > 0.0);
        assert_eq!(frames[49], SILENT_FRAME);
    }

    #[test]
    fn an_event_in_place_of_audio_is_no_loss() {
        let mut bench = Bench::new(plan());
        bench.talk(50, 0..0);
        for number in 50..60 {
            let duration = (number - 49) * 160u16;
            let [high, low] = duration.to_be_bytes();
            bench.receive(96, number, 50 * 160, &[5, 10, high, low]);
            bench.tick();
        }
        assert_eq!(bench.report().concealed_ms, 0);
        assert_eq!(bench.report().lost, 0);
        bench.now_us += 200_000;
        bench.tick();
        let (digit, duration_ms) = ('5', 200);
        assert_eq!(
            bench.events(),
            [&Event::DtmfReceived { digit, duration_ms }]
        );
    }

    #[test]
    fn a_digit_being_pressed_when_the_stream_ends_is_reported() {
        let mut bench = Bench::new(plan());
        bench.receive(96, 1, 160, &[5, 10, 0, 160]);
        bench.incoming.finish(1, &mut bench.batch);
        assert_eq!(bench.events().len(), 1);
    }

    #[test]
    fn silence_is_told_once_and_again_only_after_packets() {
        let timeout_us = Some(100_000);
        let mut bench = Bench::new(Plan {
            media_timeout_us: timeout_us,
            ..plan()
        });
        bench.pass(20);
        assert_eq!(bench.events(), [&Event::MediaTimedOut(100_000)]);
        bench.receive(0, 1, 160, &[0; 160]);
        bench.pass(20);
        assert_eq!(bench.events().len(), 2);
    }

    #[test]
    fn a_peer_on_hold_is_not_waited_for_nor_heard() {
        let mut bench = Bench::new(Plan {
            receives: false,
            media_timeout_us: Some(100_000),
            ..plan()
        });
        let frames = bench.talk(20, 0..0);
        bench.pass(20);
        assert!(frames.iter().all(|frame| *frame == SILENT_FRAME));
        assert_eq!(bench.events(), [] as [&Event; 0]);
        let resumed = plan();
        let before = bench.plan;
        bench.plan = resumed;
        bench
            .incoming
            .configure(Some(&before), &resumed, false, bench.now_us);
        let frames = bench.talk(20, 0..0);
        assert!(power(frames.last().unwrap()) > 1e7);
    }

    #[test]
    fn nothing_received_is_rated_worst() {
        assert_eq!(Bench::new(plan()).report().mos, 1.0);
    }

    proptest! {
        #[test]
        fn no_packets_make_it_panic_or_its_figures_absurd(
            packets in prop::collection::vec(
                (prop::sample::select(vec![0u8, 96, 13]), any::<u16>(), any::<u32>(),
                 prop::collection::vec(any::<u8>(), 0..400), 0..40_000u64), 0..100),
        ) {
            let mut bench = Bench::new(Plan { media_timeout_us: Some(100_000), ..plan() });
            for (payload_type, sequence, timestamp, payload, later_us) in packets {
                bench.now_us += later_us;
                bench.receive(payload_type, sequence, timestamp, &payload);
                bench.tick();
                let report = bench.report();
                prop_assert!((1.0..=4.5).contains(&report.mos));
                prop_assert!((0.0..=100.0).contains(&report.loss_percent));
            }
        }
    }
}
