//! What arrives: sequence numbers, loss and jitter (RFC 3550 appendices A.1, A.3, A.8).
//!
//! The first packet is believed at once, since its source address was checked. A sequence number
//! far off, or another SSRC, is held until the next packet confirms it; then counting starts anew,
//! and the totals of the stream go on.

use crate::rtp::packet::RtpHeader;
use crate::rtp::rtcp::{NtpTime, ReportBlock};
use crate::rtp::sequence_window::{Order, SequenceWindow};

/// A sequence number this far ahead is a gap, further ahead another stream: a minute of 20 ms
/// packets (RFC 3550 A.1, MAX_DROPOUT).
const MAX_DROPOUT: u16 = 3000;
/// This far behind is disorder, further another stream: two seconds (RFC 3550 A.1, MAX_MISORDER).
const MAX_MISORDER: u16 = 100;
/// Transit that moves by more than this, seconds, is another origin of timestamps and no jitter.
const MAX_TRANSIT_STEP_S: u32 = 2;
/// Jitter is a mean over 16 packets, kept in 16ths of a tick (RFC 3550 A.8).
const JITTER_SHIFT: u32 = 4;

/// What became of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// The next one, or a later one.
    Advanced,
    /// It came after a later one.
    Reordered,
    /// It was here before.
    Duplicate,
    /// It belongs to another stream, if the next packet confirms it; not counted yet.
    Held,
    /// It confirmed that another stream began.
    Restarted,
}

/// Counts from the start, over all streams of the source.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ReceiverCounts {
    /// Packets, duplicates not counted.
    pub packets: u64,
    /// Their payload, bytes.
    pub octets: u64,
    /// Packets expected by sequence number (RFC 3550 A.3).
    pub expected: u64,
    /// Packets expected and never seen.
    pub lost: u64,
    /// Packets seen before.
    pub duplicates: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Times the SSRC changed.
    pub ssrc_changes: u64,
    /// Times the sequence numbers began anew under the same SSRC.
    pub restarts: u64,
}

impl ReceiverCounts {
    /// Packets lost, of those expected, 0.0-1.0.
    pub fn loss(&self) -> f64 {
        self.lost as f64 / self.expected.max(1) as f64
    }
}

/// Follows the packets of one source.
pub struct ReceiverStatistics {
    clock_rate_hz: u32,
    stream: Option<Stream>,
    candidate: Option<Candidate>,
    /// All that is over: earlier streams.
    past: ReceiverCounts,
    last_sender_report: Option<(NtpTime, u64)>,
}

/// The first packet of a stream that may follow.
struct Candidate {
    ssrc: u32,
    sequence: u16,
    octets: u64,
}

impl ReceiverStatistics {
    /// Nothing received yet. `clock_rate_hz` is that of the RTP timestamps, above 0.
    pub fn new(clock_rate_hz: u32) -> Self {
        Self {
            clock_rate_hz,
            stream: None,
            candidate: None,
            past: ReceiverCounts::default(),
            last_sender_report: None,
        }
    }

    /// Take a packet whose timestamp is the moment it was made.
    pub fn receive(
        &mut self,
        header: &RtpHeader,
        payload_bytes: usize,
        arrival_us: u64,
    ) -> Arrival {
        let arrival = self.count(header, payload_bytes);
        let is_new = !matches!(arrival, Arrival::Held | Arrival::Duplicate);
        if let Some(stream) = self.stream.as_mut().filter(|_| is_new) {
            let ticks = u128::from(arrival_us) * u128::from(self.clock_rate_hz) / 1_000_000;
            let transit = (ticks as u32).wrapping_sub(header.timestamp);
            let max_step = self.clock_rate_hz.saturating_mul(MAX_TRANSIT_STEP_S);
            stream.jitter.receive(transit, max_step);
        }
        arrival
    }

    /// Take a packet that repeats the timestamp of an earlier moment, as those of a telephone event
    /// do (RFC 4733 §2.5.1.2): it counts, and says nothing about jitter.
    pub fn receive_untimed(&mut self, header: &RtpHeader, payload_bytes: usize) -> Arrival {
        self.count(header, payload_bytes)
    }

    /// Note a sender report of the source, for the round trip that it computes.
    pub fn receive_sender_report(&mut self, ntp: NtpTime, arrival_us: u64) {
        self.last_sender_report = Some((ntp, arrival_us));
    }

    /// The report block of this moment; the next one counts its fraction lost from here. None
    /// before the first packet.
    pub fn report(&mut self, now_us: u64) -> Option<ReportBlock> {
        let (last_sender_report, delay_since_last) = match self.last_sender_report {
            Some((ntp, at_us)) => (ntp.middle(), delay_units(now_us.saturating_sub(at_us))),
            None => (0, 0),
        };
        let stream = self.stream.as_mut()?;
        Some(ReportBlock {
            ssrc: stream.ssrc,
            fraction_lost: stream.fraction_lost(),
            cumulative_lost: stream.cumulative_lost(),
            highest_sequence: stream.highest as u32,
            jitter: stream.jitter.ticks(),
            last_sender_report,
            delay_since_last,
        })
    }

    /// The figures of this moment.
    pub fn counts(&self) -> ReceiverCounts {
        let mut counts = self.past;
        if let Some(stream) = &self.stream {
            stream.add_to(&mut counts);
        }
        counts
    }

    /// Interarrival jitter of the present stream, ticks (RFC 3550 §6.4.1); 0 before the second
    /// packet.
    pub fn jitter_ticks(&self) -> u32 {
        self.stream
            .as_ref()
            .map_or(0, |stream| stream.jitter.ticks())
    }

    /// The same in milliseconds.
    pub fn jitter_ms(&self) -> f64 {
        f64::from(self.jitter_ticks()) * 1000.0 / f64::from(self.clock_rate_hz.max(1))
    }

    fn count(&mut self, header: &RtpHeader, payload_bytes: usize) -> Arrival {
        let octets = payload_bytes as u64;
        let Some(stream) = &mut self.stream else {
            self.stream = Some(Stream::new(header.ssrc, header.sequence, octets));
            return Arrival::Advanced;
        };
        if stream.ssrc == header.ssrc
            && let Some(arrival) = stream.receive(header.sequence, octets)
        {
            self.candidate = None;
            return arrival;
        }
        self.count_strange(header, octets)
    }

    /// A packet outside the stream: the second in sequence begins another (RFC 3550 A.1).
    fn count_strange(&mut self, header: &RtpHeader, octets: u64) -> Arrival {
        let (ssrc, sequence) = (header.ssrc, header.sequence);
        match self.candidate.take() {
            Some(first) if first.ssrc == ssrc && first.sequence.wrapping_add(1) == sequence => {
                self.restart(&first, octets);
                Arrival::Restarted
            }
            _ => {
                self.candidate = Some(Candidate {
                    ssrc,
                    sequence,
                    octets,
                });
                Arrival::Held
            }
        }
    }

    fn restart(&mut self, first: &Candidate, octets: u64) {
        let mut next = Stream::new(first.ssrc, first.sequence, first.octets);
        next.receive(first.sequence.wrapping_add(1), octets);
        let Some(over) = self.stream.replace(next) else {
            return;
        };
        over.add_to(&mut self.past);
        if over.ssrc == first.ssrc {
            self.past.restarts += 1;
        } else {
            self.past.ssrc_changes += 1;
            self.last_sender_report = None;
        }
    }
}

/// Microseconds in units of 1/65536 s, at most what 32 bits hold (18 hours).
fn delay_units(delay_us: u64) -> u32 {
    let units = (u128::from(delay_us) << 16) / 1_000_000;
    u32::try_from(units).unwrap_or(u32::MAX)
}

/// One run of sequence numbers of one SSRC.
struct Stream {
    ssrc: u32,
    /// Lowest and highest sequence number, extended by the wraps; the lowest may fall below 0.
    lowest: i64,
    highest: i64,
    window: SequenceWindow,
    packets: u64,
    octets: u64,
    duplicates: u64,
    reordered: u64,
    /// Expected and received, duplicates included, at the last report.
    reported: (i64, i64),
    jitter: Jitter,
}

impl Stream {
    fn new(ssrc: u32, sequence: u16, octets: u64) -> Self {
        Self {
            ssrc,
            lowest: i64::from(sequence),
            highest: i64::from(sequence),
            window: SequenceWindow::new(sequence),
            packets: 1,
            octets,
            duplicates: 0,
            reordered: 0,
            reported: (0, 0),
            jitter: Jitter::default(),
        }
    }

    /// Count a packet; None when its sequence number is no part of this run.
    fn receive(&mut self, sequence: u16, octets: u64) -> Option<Arrival> {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        let behind = ahead.wrapping_neg();
        if ahead >= MAX_DROPOUT && behind > MAX_MISORDER {
            return None;
        }
        let arrival = match self.window.insert(sequence) {
            Order::Duplicate => {
                self.duplicates += 1;
                return Some(Arrival::Duplicate);
            }
            Order::Behind => {
                self.reordered += 1;
                self.lowest = self.lowest.min(self.highest - i64::from(behind));
                Arrival::Reordered
            }
            Order::Next | Order::Ahead => {
                self.highest += i64::from(ahead);
                Arrival::Advanced
            }
        };
        self.packets += 1;
        self.octets += octets;
        Some(arrival)
    }

    fn expected(&self) -> i64 {
        self.highest - self.lowest + 1
    }

    /// Packets as RFC 3550 A.3 counts them: as they arrive, duplicates too.
    fn received(&self) -> i64 {
        (self.packets + self.duplicates) as i64
    }

    fn cumulative_lost(&self) -> i32 {
        let lost = self.expected() - self.received();
        lost.clamp(-(1 << 23), (1 << 23) - 1) as i32
    }

    /// 256ths lost since the last report, which this one becomes.
    fn fraction_lost(&mut self) -> u8 {
        let now = (self.expected(), self.received());
        let expected = now.0 - self.reported.0;
        let lost = expected - (now.1 - self.reported.1);
        self.reported = now;
        if expected <= 0 || lost <= 0 {
            return 0;
        }
        ((lost << 8) / expected).min(255) as u8
    }

    fn add_to(&self, counts: &mut ReceiverCounts) {
        let expected = self.expected() as u64;
        counts.packets += self.packets;
        counts.octets += self.octets;
        counts.expected += expected;
        counts.lost += expected.saturating_sub(self.packets);
        counts.duplicates += self.duplicates;
        counts.reordered += self.reordered;
    }
}

/// RFC 3550 A.8.
#[derive(Default)]
struct Jitter {
    transit: Option<u32>,
    /// In 16ths of a tick.
    scaled: u32,
}

impl Jitter {
    /// Take the transit time of a packet, ticks on no particular origin.
    fn receive(&mut self, transit: u32, max_step: u32) {
        if let Some(before) = self.transit.replace(transit) {
            let step = (transit.wrapping_sub(before) as i32).unsigned_abs();
            if step <= max_step {
                let rounded = (self.scaled + (1 << (JITTER_SHIFT - 1))) >> JITTER_SHIFT;
                self.scaled = self.scaled + step - rounded;
            }
        }
    }

    fn ticks(&self) -> u32 {
        self.scaled >> JITTER_SHIFT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FRAME_US: u64 = 20_000;

    fn header(ssrc: u32, sequence: u16) -> RtpHeader {
        RtpHeader {
            marker: false,
            payload_type: 0,
            sequence,
            timestamp: u32::from(sequence) * 160,
            ssrc,
        }
    }

    /// Receive packets of 160 bytes in time with their sequence numbers.
    fn receive(statistics: &mut ReceiverStatistics, sequences: &[u16]) -> Vec<Arrival> {
        let arrive = |&sequence: &u16| {
            let at_us = u64::from(sequence) * FRAME_US;
            statistics.receive(&header(1, sequence), 160, at_us)
        };
        sequences.iter().map(arrive).collect()
    }

    fn received(sequences: &[u16]) -> ReceiverStatistics {
        let mut statistics = ReceiverStatistics::new(8000);
        receive(&mut statistics, sequences);
        statistics
    }

    #[test]
    fn lost_duplicate_and_reordered_packets_are_told_apart() {
        let mut statistics = ReceiverStatistics::new(8000);
        let arrivals = receive(&mut statistics, &[10, 11, 13, 12, 13, 11, 16]);
        assert_eq!(
            arrivals,
            [
                Arrival::Advanced,
                Arrival::Advanced,
                Arrival::Advanced,
                Arrival::Reordered,
                Arrival::Duplicate,
                Arrival::Duplicate,
                Arrival::Advanced,
            ]
        );
        let expected = ReceiverCounts {
            packets: 5,
            octets: 800,
            expected: 7,
            lost: 2,
            duplicates: 2,
            reordered: 1,
            ..ReceiverCounts::default()
        };
        assert_eq!(statistics.counts(), expected);
        assert!((statistics.counts().loss() - 2.0 / 7.0).abs() < 1e-9);
    }

    #[test]
    fn a_packet_from_before_the_first_one_hides_no_loss() {
        let statistics = received(&[10, 9, 12]);
        assert_eq!(statistics.counts().expected, 4);
        assert_eq!(statistics.counts().lost, 1);
    }

    #[test]
    fn a_wrap_extends_the_highest_sequence_number() {
        let mut statistics = received(&[65534, 65535, 1, 0, 65533]);
        let report = statistics.report(0).unwrap();
        assert_eq!(report.highest_sequence, 0x0001_0001);
        assert_eq!(statistics.counts().expected, 5);
        assert_eq!(statistics.counts().lost, 0);
        assert_eq!(statistics.counts().reordered, 2);
    }

    #[test]
    fn a_report_counts_the_fraction_lost_since_the_last_one() {
        let mut statistics = received(&[1, 2, 3, 4, 8]);
        let first = statistics.report(0).unwrap();
        // 3 of 8 in 256ths.
        assert_eq!((first.fraction_lost, first.cumulative_lost), (96, 3));
        receive(&mut statistics, &[9, 10]);
        let second = statistics.report(0).unwrap();
        assert_eq!((second.fraction_lost, second.cumulative_lost), (0, 3));
        let third = statistics.report(0).unwrap();
        assert_eq!((third.fraction_lost, third.cumulative_lost), (0, 3));
    }

    #[test]
    fn duplicates_make_the_reported_loss_negative_and_the_true_one_zero() {
        let mut statistics = received(&[1, 1, 1, 2]);
        let report = statistics.report(0).unwrap();
        assert_eq!((report.fraction_lost, report.cumulative_lost), (0, -2));
        assert_eq!(statistics.counts().lost, 0);
    }

    #[test]
    fn a_report_tells_when_the_last_sender_report_came() {
        let mut statistics = received(&[1]);
        assert_eq!(statistics.report(9).unwrap().last_sender_report, 0);
        statistics.receive_sender_report(NtpTime(0x1111_2222_3333_4444), 1_000_000);
        let report = statistics.report(1_500_000).unwrap();
        assert_eq!(report.last_sender_report, 0x2222_3333);
        assert_eq!(report.delay_since_last, 0x8000);
        let much_later = statistics.report(u64::MAX).unwrap();
        assert_eq!(much_later.delay_since_last, u32::MAX);
    }

    #[test]
    fn a_silent_source_has_no_report() {
        assert_eq!(ReceiverStatistics::new(8000).report(0), None);
    }

    #[test]
    fn a_stray_packet_ends_no_stream() {
        let mut statistics = received(&[1, 2]);
        assert_eq!(receive(&mut statistics, &[9000]), [Arrival::Held]);
        assert_eq!(receive(&mut statistics, &[3]), [Arrival::Advanced]);
        let stranger = statistics.receive(&header(2, 4), 160, 0);
        assert_eq!(stranger, Arrival::Held);
        assert_eq!(receive(&mut statistics, &[4]), [Arrival::Advanced]);
        let counts = statistics.counts();
        assert_eq!((counts.packets, counts.expected, counts.lost), (4, 4, 0));
        assert_eq!((counts.restarts, counts.ssrc_changes), (0, 0));
    }

    #[test]
    fn two_packets_in_sequence_restart_the_count_and_keep_the_totals() {
        let mut statistics = received(&[1, 2, 4]);
        let arrivals = receive(&mut statistics, &[30000, 30001, 30003]);
        let expected = [Arrival::Held, Arrival::Restarted, Arrival::Advanced];
        assert_eq!(arrivals, expected);
        let counts = statistics.counts();
        assert_eq!((counts.packets, counts.octets), (6, 960));
        assert_eq!((counts.expected, counts.lost), (8, 2));
        assert_eq!((counts.restarts, counts.ssrc_changes), (1, 0));
        let report = statistics.report(0).unwrap();
        assert_eq!(
            (report.highest_sequence, report.cumulative_lost),
            (30003, 1)
        );
    }

    #[test]
    fn another_ssrc_is_another_stream_and_forgets_the_sender_report() {
        let mut statistics = received(&[1, 2]);
        statistics.receive_sender_report(NtpTime(u64::MAX), 0);
        assert_eq!(statistics.receive(&header(2, 3), 160, 0), Arrival::Held);
        let confirmed = statistics.receive(&header(2, 4), 160, 0);
        assert_eq!(confirmed, Arrival::Restarted);
        let counts = statistics.counts();
        assert_eq!((counts.packets, counts.expected), (4, 4));
        assert_eq!((counts.restarts, counts.ssrc_changes), (0, 1));
        let report = statistics.report(0).unwrap();
        assert_eq!((report.ssrc, report.last_sender_report), (2, 0));
    }

    /// Jitter after packets that come as much later than evenly as `late_ticks` says.
    fn jitter_of(late_ticks: impl Iterator<Item = u64>) -> u32 {
        let mut statistics = ReceiverStatistics::new(8000);
        for (sequence, late) in late_ticks.enumerate() {
            let at_us = sequence as u64 * FRAME_US + late * 125;
            statistics.receive(&header(1, sequence as u16), 160, at_us);
        }
        statistics.jitter_ticks()
    }

    #[test]
    fn an_even_stream_has_no_jitter_even_when_it_is_delayed() {
        assert_eq!(jitter_of((0..100).map(|_| 800)), 0);
    }

    #[test]
    fn jitter_settles_at_the_mean_change_of_transit() {
        // Transit alternates by 80 ticks: |D| is always 80.
        let jitter = jitter_of((0..200).map(|n| n % 2 * 80));
        assert!((79..=80).contains(&jitter), "{jitter}");
        // After one change of 160, J = 160/16 = 10, then it decays.
        assert_eq!(jitter_of([0, 160].into_iter()), 10);
    }

    #[test]
    fn jitter_is_told_in_milliseconds_of_the_stream_s_clock() {
        let mut statistics = ReceiverStatistics::new(8000);
        statistics.receive(&header(1, 0), 160, 0);
        statistics.receive(&header(1, 1), 160, FRAME_US + 20_000);
        assert!((statistics.jitter_ms() - 1.25).abs() < 1e-9);
    }

    #[test]
    fn events_and_new_origins_of_timestamps_are_no_jitter() {
        let mut statistics = received(&[0, 1]);
        let event = RtpHeader {
            timestamp: 160,
            ..header(1, 2)
        };
        assert_eq!(statistics.receive_untimed(&event, 4), Arrival::Advanced);
        let jump = RtpHeader {
            timestamp: 0x8000_0000,
            ..header(1, 3)
        };
        statistics.receive(&jump, 160, 3 * FRAME_US);
        assert_eq!(statistics.jitter_ticks(), 0);
        assert_eq!(statistics.counts().packets, 4);
    }

    proptest! {
        #[test]
        fn no_packets_make_the_counts_contradict_each_other(
            packets in prop::collection::vec(
                (0..3u32, prop_oneof![0..20u16, 65516..=65535u16, any::<u16>()],
                 any::<u32>(), 0..2000usize, any::<u64>()), 0..200
            ),
        ) {
            let mut statistics = ReceiverStatistics::new(8000);
            for (ssrc, sequence, timestamp, bytes, at_us) in packets {
                let header = RtpHeader { timestamp, ..header(ssrc, sequence) };
                statistics.receive(&header, bytes, at_us);
                let counts = statistics.counts();
                prop_assert!(counts.packets + counts.lost >= counts.expected);
                prop_assert!(counts.lost <= counts.expected);
                prop_assert!((0.0..=1.0).contains(&counts.loss()));
                prop_assert!(statistics.jitter_ms() <= 2000.0);
                statistics.report(at_us);
            }
        }

        #[test]
        fn any_order_of_a_window_of_packets_loses_none(
            start: u16, order in Just((0..60u16).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let mut statistics = ReceiverStatistics::new(8000);
            for step in order {
                statistics.receive_untimed(&header(1, start.wrapping_add(step)), 160);
            }
            let counts = statistics.counts();
            prop_assert_eq!((counts.packets, counts.expected, counts.lost), (60, 60, 0));
            let highest = start.wrapping_add(59);
            prop_assert_eq!(statistics.report(0).unwrap().highest_sequence as u16, highest);
        }
    }
}
