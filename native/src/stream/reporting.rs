//! RTCP of one stream: when to report, what to say, what the peer says (RFC 3550 §6).

use std::sync::Arc;
use std::time::Duration;

use super::random::Random;
use crate::rtp::rtcp::{
    Bye, Compound, IntervalInput, NtpTime, Report, ReportBlock, ReportBlocks, RtcpPacket,
    minimum_interval, report_interval, write_compound,
};
use crate::rtp::statistics::{ReceiverStatistics, RemoteView, SenderStatistics};

/// Room for any compound packet of ours, bytes.
pub const MAX_COMPOUND_BYTES: usize = 600;
/// G.711 in frames of 20 ms with IPv4, UDP and RTP headers.
const SESSION_BITS_PER_S: f64 = 80_000.0;
/// IPv4 and UDP, which count into the size of a report (RFC 3550 §6.2).
const LOWER_HEADERS_BYTES: f64 = 28.0;
/// Size of a report before any was seen: SR with one block and SDES.
const FIRST_ESTIMATE_BYTES: f64 = 120.0;
/// Weight of a new size in the mean (RFC 3550 §6.3.3).
const SIZE_WEIGHT: f64 = 1.0 / 16.0;

/// The moment of a report, on all its clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Monotonic, µs.
    pub now_us: u64,
    /// Since 1970 UTC, ns.
    pub unix_ns: u64,
    /// On the RTP clock of the stream we send.
    pub rtp_timestamp: u32,
}

impl Moment {
    fn ntp(&self) -> NtpTime {
        NtpTime::from_unix(Duration::from_nanos(self.unix_ns))
    }
}

/// The stream we send, as far as reports speak of it.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Our source.
    pub ssrc: u32,
    /// What left so far.
    pub counts: SenderStatistics,
}

/// See the module's text.
#[derive(Debug)]
pub struct Reporting {
    cname: Arc<str>,
    random: Random,
    /// When the last report left, or the stream was configured (tp of RFC 3550 §6.3).
    last_us: u64,
    /// When the timer expires (tn); None until the stream is configured.
    next_us: Option<u64>,
    sent_any: bool,
    average_bytes: f64,
    /// Packets we had sent at the report before the last one, and at the last one.
    packets_at_reports: [u64; 2],
    peer_sends: bool,
    remote: RemoteView,
}

impl Reporting {
    /// Reports under the name `cname`, at random moments that follow from `seed`.
    pub fn new(cname: Arc<str>, seed: u64) -> Self {
        Self {
            cname,
            random: Random::new(seed),
            last_us: 0,
            next_us: None,
            sent_any: false,
            average_bytes: FIRST_ESTIMATE_BYTES,
            packets_at_reports: [0; 2],
            peer_sends: false,
            remote: RemoteView::default(),
        }
    }

    /// Start the timer; nothing happens when it runs.
    pub fn start(&mut self, now_us: u64) {
        if self.next_us.is_none() {
            self.last_us = now_us;
            self.next_us = Some(now_us + self.interval_us(0));
        }
    }

    /// What the peer told.
    pub fn remote(&self) -> RemoteView {
        self.remote
    }

    /// Whether a report of ours was sent.
    pub fn sent_any(&self) -> bool {
        self.sent_any
    }

    /// Whether a report is due; `packets_sent` are ours so far.
    ///
    /// The interval is drawn anew when the timer expires, and the report waits if the new one is
    /// longer (timer reconsideration, RFC 3550 §6.3.3).
    pub fn is_due(&mut self, now_us: u64, packets_sent: u64) -> bool {
        if self.next_us.is_none_or(|next_us| now_us < next_us) {
            return false;
        }
        let earliest_us = self.last_us + self.interval_us(packets_sent);
        self.next_us = Some(earliest_us);
        earliest_us <= now_us
    }

    /// Write a report, the last one with `bye`, and set the timer for the next.
    ///
    /// Returns its length; None cannot happen with [`MAX_COMPOUND_BYTES`] of room.
    pub fn write(
        &mut self,
        sent: &Sent,
        block: Option<ReportBlock>,
        bye: bool,
        moment: &Moment,
        out: &mut [u8],
    ) -> Option<usize> {
        let packets = sent.counts.packets;
        let info = || sent.counts.info(moment.ntp(), moment.rtp_timestamp);
        let report = Report {
            ssrc: sent.ssrc,
            cname: &self.cname,
            sender: self.we_sent(packets).then(info),
            block,
            bye: bye.then_some(Bye { reason: "" }),
        };
        let length = write_compound(&report, out)?;
        self.observe_size(length);
        self.sent_any = true;
        self.packets_at_reports = [self.packets_at_reports[1], packets];
        self.last_us = moment.now_us;
        self.next_us = Some(moment.now_us + self.interval_us(packets));
        Some(length)
    }

    /// Take a compound packet of the peer, `length` bytes long.
    pub fn receive(
        &mut self,
        compound: Compound<'_>,
        length: usize,
        sent: &Sent,
        moment: &Moment,
        receiver: &mut ReceiverStatistics,
    ) {
        self.observe_size(length);
        for packet in compound {
            match packet {
                RtcpPacket::SenderReport {
                    sender, reports, ..
                } => {
                    self.peer_sends = true;
                    receiver.receive_sender_report(sender.ntp, moment.now_us);
                    self.take_blocks(reports, sent, moment);
                }
                RtcpPacket::ReceiverReport { reports, .. } => {
                    self.peer_sends = false;
                    self.take_blocks(reports, sent, moment);
                }
                RtcpPacket::Goodbye { .. } => self.peer_sends = false,
                RtcpPacket::SourceDescription { .. } | RtcpPacket::Other { .. } => {}
            }
        }
    }

    fn take_blocks(&mut self, mut blocks: ReportBlocks<'_>, sent: &Sent, moment: &Moment) {
        if let Some(block) = blocks.find(|block| block.ssrc == sent.ssrc) {
            self.remote
                .receive(&block, sent.counts.packets, moment.ntp());
        }
    }

    fn observe_size(&mut self, length: usize) {
        let size = length as f64 + LOWER_HEADERS_BYTES;
        self.average_bytes += (size - self.average_bytes) * SIZE_WEIGHT;
    }

    /// Whether we sent since the report before the last one (RFC 3550 §6.4).
    fn we_sent(&self, packets: u64) -> bool {
        packets > self.packets_at_reports[0]
    }

    fn interval_us(&mut self, packets_sent: u64) -> u64 {
        let we_sent = self.we_sent(packets_sent);
        let input = IntervalInput {
            members: 2,
            senders: u32::from(we_sent) + u32::from(self.peer_sends),
            session_bits_per_s: SESSION_BITS_PER_S,
            we_sent,
            average_bytes: self.average_bytes,
            initial: !self.sent_any,
            minimum: minimum_interval(SESSION_BITS_PER_S),
        };
        report_interval(&input, self.random.next_unit()).as_micros() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::packet::RtpHeader;
    use crate::rtp::rtcp::{SenderInfo, parse};
    use proptest::prelude::*;

    const SECOND_US: u64 = 1_000_000;

    fn sent(packets: u64) -> Sent {
        let octets = packets * 160;
        Sent {
            ssrc: 7,
            counts: SenderStatistics { packets, octets },
        }
    }

    fn at(now_us: u64) -> Moment {
        Moment {
            now_us,
            unix_ns: 1_700_000_000_000_000_000 + now_us * 1000,
            rtp_timestamp: (now_us / 125) as u32,
        }
    }

    fn reporting(seed: u64) -> Reporting {
        Reporting::new("name".into(), seed)
    }

    fn receiver_with_packets() -> ReceiverStatistics {
        let mut receiver = ReceiverStatistics::new(8000);
        for sequence in [1, 2, 4] {
            let header = RtpHeader {
                marker: false,
                payload_type: 0,
                sequence,
                timestamp: 0,
                ssrc: 9,
            };
            receiver.receive_untimed(&header, 160);
        }
        receiver
    }

    /// Run a stream that sends 50 packets a second; returns the moments of its reports, s.
    fn moments(reporting: &mut Reporting, seconds: u64) -> Vec<f64> {
        let mut out = [0; MAX_COMPOUND_BYTES];
        let mut moments = Vec::new();
        reporting.start(0);
        for tick in 0..seconds * 50 {
            let now_us = tick * 20_000;
            if reporting.is_due(now_us, tick) {
                reporting
                    .write(&sent(tick), None, false, &at(now_us), &mut out)
                    .unwrap();
                moments.push(now_us as f64 / SECOND_US as f64);
            }
        }
        moments
    }

    #[test]
    fn nothing_is_reported_before_the_stream_is_configured() {
        assert!(!reporting(1).is_due(u64::MAX, 0));
    }

    #[test]
    fn a_report_names_us_says_what_we_sent_and_what_we_received() {
        let mut out = [0; MAX_COMPOUND_BYTES];
        let block = receiver_with_packets().report(0);
        let length = reporting(1)
            .write(&sent(5), block, true, &at(SECOND_US), &mut out)
            .unwrap();
        let packets: Vec<RtcpPacket> = parse(&out[..length]).unwrap().collect();
        let [
            RtcpPacket::SenderReport {
                ssrc: 7,
                sender,
                reports,
            },
            RtcpPacket::SourceDescription { cname, .. },
            RtcpPacket::Goodbye { .. },
        ] = &packets[..]
        else {
            panic!("{packets:?}");
        };
        let expected = SenderInfo {
            ntp: at(SECOND_US).ntp(),
            rtp_timestamp: 8000,
            packets: 5,
            octets: 800,
        };
        assert_eq!(*sender, expected);
        assert_eq!(reports.clone().collect::<Vec<_>>(), [block.unwrap()]);
        assert_eq!(*cname, Some(&b"name"[..]));
    }

    #[test]
    fn a_stream_that_ceased_to_send_writes_receiver_reports_from_the_second_on() {
        let mut reporting = reporting(1);
        let mut out = [0; MAX_COMPOUND_BYTES];
        let mut is_sender = || {
            let length = reporting
                .write(&sent(5), None, false, &at(0), &mut out)
                .unwrap();
            let mut compound = parse(&out[..length]).unwrap();
            matches!(compound.next(), Some(RtcpPacket::SenderReport { .. }))
        };
        assert_eq!([is_sender(), is_sender(), is_sender()], [true, true, false]);
    }

    #[test]
    fn two_parties_learn_loss_and_round_trip_from_each_other() {
        let (mut near, mut far) = (reporting(1), reporting(2));
        let mut received_far = receiver_with_packets();
        let mut out = [0; MAX_COMPOUND_BYTES];
        // We are 9, the peer 7: our report takes 100 ms, the answer leaves 300 ms later.
        let ours = Sent { ssrc: 9, ..sent(4) };
        let length = near.write(&ours, None, false, &at(0), &mut out).unwrap();
        let report = parse(&out[..length]).unwrap();
        let arrival = at(100_000);
        far.receive(report, length, &sent(0), &arrival, &mut received_far);
        let block = received_far.report(400_000);
        let length = far
            .write(&sent(0), block, false, &at(400_000), &mut out)
            .unwrap();
        let answer = parse(&out[..length]).unwrap();
        let mut received_near = ReceiverStatistics::new(8000);
        near.receive(answer, length, &ours, &at(500_000), &mut received_near);
        let view = near.remote();
        assert_eq!(view.loss_percent, Some(25.0));
        let trip = view.round_trip.unwrap();
        assert!(trip.abs_diff(Duration::from_millis(200)) < Duration::from_millis(1));
    }

    #[test]
    fn a_block_on_another_stream_says_nothing_of_ours() {
        let mut out = [0; MAX_COMPOUND_BYTES];
        let block = receiver_with_packets().report(0);
        let length = reporting(1)
            .write(&sent(5), block, false, &at(0), &mut out)
            .unwrap();
        let mut other = reporting(2);
        let compound = parse(&out[..length]).unwrap();
        let mut receiver = ReceiverStatistics::new(8000);
        other.receive(compound, length, &sent(1), &at(0), &mut receiver);
        assert_eq!(other.remote(), RemoteView::default());
    }

    proptest! {
        #[test]
        fn reports_come_at_random_intervals_around_the_minimum(seed: u64) {
            let moments = moments(&mut reporting(seed), 120);
            // Reduced minimum 4.5 s, times 0.41 to 1.24; the first after half of that.
            prop_assert!((0.9..=3.0).contains(&moments[0]), "{:?}", moments);
            for pair in moments.windows(2) {
                let interval_s = pair[1] - pair[0];
                prop_assert!((1.8..=5.7).contains(&interval_s), "{:?}", moments);
            }
        }
    }
}
