//! What we send, and what the far end says of it.

use std::time::Duration;

use crate::rtp::rtcp::{NtpTime, ReportBlock, SenderInfo, round_trip};

/// Counts of the stream we send.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SenderStatistics {
    /// Packets sent.
    pub packets: u64,
    /// Their payload, bytes.
    pub octets: u64,
}

impl SenderStatistics {
    /// Count a packet that left.
    pub fn sent(&mut self, payload_bytes: usize) {
        self.packets += 1;
        self.octets += payload_bytes as u64;
    }

    /// What a sender report of this moment says (RFC 3550 §6.4.1); the counts wrap at 2^32.
    ///
    /// `rtp_timestamp` is the moment `ntp` on the stream's RTP clock.
    pub fn info(&self, ntp: NtpTime, rtp_timestamp: u32) -> SenderInfo {
        SenderInfo {
            ntp,
            rtp_timestamp,
            packets: self.packets as u32,
            octets: self.octets as u32,
        }
    }
}

/// What the far end reported last of the stream we send.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RemoteView {
    /// Lost of what we had sent, 0.0-100.0; None before the first report.
    pub loss_percent: Option<f64>,
    /// Interarrival jitter there, ticks of the RTP clock; None before the first report.
    pub jitter_ticks: Option<u32>,
    /// Round trip of the last report that tells one.
    pub round_trip: Option<Duration>,
}

impl RemoteView {
    /// Take a report block on our stream; the caller has matched its SSRC.
    ///
    /// Args: `packets_sent` so far, and the `arrival` of the block on the clock of our sender
    /// reports.
    pub fn receive(&mut self, block: &ReportBlock, packets_sent: u64, arrival: NtpTime) {
        let lost = f64::from(block.cumulative_lost.max(0));
        let share = lost / packets_sent.max(1) as f64;
        self.loss_percent = Some((share * 100.0).min(100.0));
        self.jitter_ticks = Some(block.jitter);
        let trip = round_trip(
            arrival.middle(),
            block.last_sender_report,
            block.delay_since_last,
        );
        self.round_trip = trip.or(self.round_trip);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: ReportBlock = ReportBlock {
        ssrc: 7,
        fraction_lost: 0,
        cumulative_lost: 5,
        highest_sequence: 100,
        jitter: 16,
        last_sender_report: 0x0001_0000,
        delay_since_last: 0x8000,
    };

    #[test]
    fn a_sender_report_counts_packets_and_payload_modulo_2_to_the_32() {
        let mut sent = SenderStatistics {
            packets: u64::from(u32::MAX),
            octets: 0,
        };
        sent.sent(160);
        sent.sent(80);
        assert_eq!((sent.packets, sent.octets), (1 << 32 | 1, 240));
        let info = sent.info(NtpTime(9), 8);
        assert_eq!((info.packets, info.octets, info.rtp_timestamp), (1, 240, 8));
    }

    #[test]
    fn a_report_tells_loss_jitter_and_round_trip() {
        let mut view = RemoteView::default();
        view.receive(&BLOCK, 100, NtpTime(0x0002_0000 << 16));
        assert_eq!(view.loss_percent, Some(5.0));
        assert_eq!(view.jitter_ticks, Some(16));
        assert_eq!(view.round_trip, Some(Duration::from_millis(500)));
    }

    #[test]
    fn a_report_without_a_round_trip_keeps_the_last_one() {
        let mut view = RemoteView::default();
        view.receive(&BLOCK, 100, NtpTime(0x0002_0000 << 16));
        let silent = ReportBlock {
            last_sender_report: 0,
            ..BLOCK
        };
        view.receive(&silent, 100, NtpTime(0x0003_0000 << 16));
        assert_eq!(view.round_trip, Some(Duration::from_millis(500)));
    }

    #[test]
    fn losses_that_cannot_be_are_bounded() {
        let mut view = RemoteView::default();
        let duplicated = ReportBlock {
            cumulative_lost: -3,
            ..BLOCK
        };
        view.receive(&duplicated, 0, NtpTime(0));
        assert_eq!(view.loss_percent, Some(0.0));
        view.receive(&BLOCK, 0, NtpTime(0));
        assert_eq!(view.loss_percent, Some(100.0));
    }
}
