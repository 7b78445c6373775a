//! Writing compound packets.

use super::{
    CNAME, GOODBYE, HEADER_BYTES, RECEIVER_REPORT, REPORT_BLOCK_BYTES, ReportBlock,
    SENDER_INFO_BYTES, SENDER_REPORT, SOURCE_DESCRIPTION, SenderInfo,
};

/// The longest CNAME or reason that is sent, bytes (RFC 3550 §6.5): its length is one byte. More is
/// cut off.
pub const MAX_TEXT_BYTES: usize = 255;

/// Leaving the session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bye<'a> {
    /// Why, for the peer's log; may be empty.
    pub reason: &'a str,
}

/// What one compound packet says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Report<'a> {
    /// Our own source.
    pub ssrc: u32,
    /// Canonical name: the same for all streams of an endpoint, and no personal data (RFC 7022).
    pub cname: &'a str,
    /// Our own stream; None makes it a receiver report.
    pub sender: Option<SenderInfo>,
    /// The stream we receive.
    pub block: Option<ReportBlock>,
    /// Whether this is the last one.
    pub bye: Option<Bye<'a>>,
}

/// Write SR or RR, SDES with the CNAME and, if asked for, BYE (RFC 3550 §6.1) at the start of `out`.
///
/// Returns how many bytes were written, or None when they do not fit; 600 bytes always suffice.
pub fn write_compound(report: &Report<'_>, out: &mut [u8]) -> Option<usize> {
    let mut writer = Writer { out, length: 0 };
    writer.report(report)?;
    writer.source_description(report.ssrc, report.cname)?;
    if let Some(bye) = report.bye {
        writer.goodbye(report.ssrc, bye.reason)?;
    }
    Some(writer.length)
}

struct Writer<'a> {
    out: &'a mut [u8],
    length: usize,
}

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.length + bytes.len();
        self.out.get_mut(self.length..end)?.copy_from_slice(bytes);
        self.length = end;
        Some(())
    }

    fn word(&mut self, word: u32) -> Option<()> {
        self.bytes(&word.to_be_bytes())
    }

    /// Begin a packet whose body is `body_bytes` long, a multiple of four.
    fn header(&mut self, count: usize, packet_type: u8, body_bytes: usize) -> Option<()> {
        let words = ((HEADER_BYTES + body_bytes) / 4 - 1) as u16;
        let [high, low] = words.to_be_bytes();
        self.bytes(&[2 << 6 | count as u8, packet_type, high, low])
    }

    fn report(&mut self, report: &Report<'_>) -> Option<()> {
        let blocks = usize::from(report.block.is_some());
        let body = 4 + blocks * REPORT_BLOCK_BYTES;
        match report.sender {
            Some(sender) => {
                self.header(blocks, SENDER_REPORT, body + SENDER_INFO_BYTES)?;
                self.word(report.ssrc)?;
                self.sender(&sender)?;
            }
            None => {
                self.header(blocks, RECEIVER_REPORT, body)?;
                self.word(report.ssrc)?;
            }
        }
        report.block.map_or(Some(()), |block| self.block(&block))
    }

    fn sender(&mut self, sender: &SenderInfo) -> Option<()> {
        self.bytes(&sender.ntp.0.to_be_bytes())?;
        self.word(sender.rtp_timestamp)?;
        self.word(sender.packets)?;
        self.word(sender.octets)
    }

    fn block(&mut self, block: &ReportBlock) -> Option<()> {
        let lost = block.cumulative_lost.clamp(-(1 << 23), (1 << 23) - 1) as u32 & 0x00ff_ffff;
        self.word(block.ssrc)?;
        self.word(u32::from(block.fraction_lost) << 24 | lost)?;
        self.word(block.highest_sequence)?;
        self.word(block.jitter)?;
        self.word(block.last_sender_report)?;
        self.word(block.delay_since_last)
    }

    /// One chunk with one item; at least one zero byte ends the items (§6.5).
    fn source_description(&mut self, ssrc: u32, cname: &str) -> Option<()> {
        let text = cut(cname);
        let items = (2 + text.len() + 1).next_multiple_of(4);
        self.header(1, SOURCE_DESCRIPTION, 4 + items)?;
        self.word(ssrc)?;
        self.bytes(&[CNAME, text.len() as u8])?;
        self.bytes(text)?;
        self.zeros(items - 2 - text.len())
    }

    fn goodbye(&mut self, ssrc: u32, reason: &str) -> Option<()> {
        let text = cut(reason);
        let tail = if text.is_empty() {
            0
        } else {
            (1 + text.len()).next_multiple_of(4)
        };
        self.header(1, GOODBYE, 4 + tail)?;
        self.word(ssrc)?;
        if tail > 0 {
            self.bytes(&[text.len() as u8])?;
            self.bytes(text)?;
            self.zeros(tail - 1 - text.len())?;
        }
        Some(())
    }

    fn zeros(&mut self, count: usize) -> Option<()> {
        self.bytes(&[0; 4][..count])
    }
}

/// At most [`MAX_TEXT_BYTES`] of a text, whole characters.
fn cut(text: &str) -> &[u8] {
    &text.as_bytes()[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::rtcp::{NtpTime, RtcpError, RtcpPacket, parse};
    use proptest::prelude::*;

    const BLOCK: ReportBlock = ReportBlock {
        ssrc: 0x0a0b_0c0d,
        fraction_lost: 25,
        cumulative_lost: -2,
        highest_sequence: 0x0001_ffff,
        jitter: 7,
        last_sender_report: 0x1234_5678,
        delay_since_last: 65536,
    };
    const SENDER: SenderInfo = SenderInfo {
        ntp: NtpTime(0x0102_0304_0506_0708),
        rtp_timestamp: 9,
        packets: 10,
        octets: 11,
    };

    fn written(report: &Report<'_>) -> Vec<u8> {
        let mut out = [0; 600];
        let length = write_compound(report, &mut out).unwrap();
        out[..length].to_vec()
    }

    #[test]
    fn a_receiver_report_is_laid_out_as_in_rfc_3550() {
        let report = Report {
            ssrc: 1,
            cname: "ab",
            sender: None,
            block: Some(BLOCK),
            bye: None,
        };
        #[rustfmt::skip]
        let wire = [
            0x81, 201, 0, 7, 0, 0, 0, 1,
            0x0a, 0x0b, 0x0c, 0x0d, 25, 0xff, 0xff, 0xfe, 0, 1, 0xff, 0xff, 0, 0, 0, 7,
            0x12, 0x34, 0x56, 0x78, 0, 1, 0, 0,
            0x81, 202, 0, 3, 0, 0, 0, 1, 1, 2, b'a', b'b', 0, 0, 0, 0,
        ];
        assert_eq!(written(&report), wire);
    }

    #[test]
    fn a_sender_report_and_a_goodbye_are_read_back() {
        let report = Report {
            ssrc: 1,
            cname: "x",
            sender: Some(SENDER),
            block: None,
            bye: Some(Bye { reason: "done" }),
        };
        let bytes = written(&report);
        let packets: Vec<_> = parse(&bytes).unwrap().collect();
        let [first, second, third] = &packets[..] else {
            panic!("{packets:?}")
        };
        assert!(matches!(
            first,
            RtcpPacket::SenderReport {
                ssrc: 1,
                sender: SENDER,
                ..
            }
        ));
        assert_eq!(
            *second,
            RtcpPacket::SourceDescription {
                ssrc: Some(1),
                cname: Some(b"x")
            }
        );
        let RtcpPacket::Goodbye { ssrcs, reason } = third else {
            panic!("{third:?}")
        };
        assert_eq!(ssrcs.clone().collect::<Vec<_>>(), [1]);
        assert_eq!(*reason, Some(&b"done"[..]));
    }

    #[test]
    fn the_longest_report_fits_600_bytes_and_no_fewer_panic() {
        let text = "é".repeat(400);
        let report = Report {
            ssrc: 1,
            cname: &text,
            sender: Some(SENDER),
            block: Some(BLOCK),
            bye: Some(Bye { reason: &text }),
        };
        let bytes = written(&report);
        assert_eq!(parse(&bytes).unwrap().count(), 3);
        for length in 0..bytes.len() {
            assert_eq!(write_compound(&report, &mut vec![0; length]), None);
        }
    }

    #[test]
    fn unknown_packets_are_skipped_and_broken_datagrams_refused() {
        let report = Report {
            ssrc: 1,
            cname: "a",
            sender: None,
            block: None,
            bye: None,
        };
        let good = written(&report);
        let with = |tail: &[u8]| [&good, tail].concat();
        let feedback = with(&[0x81, 205, 0, 1, 0, 0, 0, 1]);
        let kinds: Vec<_> = parse(&feedback).unwrap().collect();
        assert_eq!(kinds[2], RtcpPacket::Other { packet_type: 205 });
        let padded = with(&[0xa0, 204, 0, 1, 0, 0, 0, 4]);
        assert_eq!(parse(&padded).unwrap().count(), 3);
        for (bytes, error) in [
            (vec![], RtcpError::Truncated),
            (good[8..].to_vec(), RtcpError::NoReport),
            (with(&[0x80]), RtcpError::Truncated),
            (with(&[0x40, 200, 0, 0]), RtcpError::Version),
            (with(&[0x80, 204, 0, 1]), RtcpError::Truncated),
            (with(&[0x81, 201, 0, 1, 0, 0, 0, 1]), RtcpError::Truncated),
            (with(&[0x80, 200, 0, 1, 0, 0, 0, 1]), RtcpError::Truncated),
            (with(&[0x82, 203, 0, 1, 0, 0, 0, 1]), RtcpError::Truncated),
            (with(&[0xa0, 204, 0, 1, 0, 0, 0, 3]), RtcpError::Padding),
            (with(&[0xa0, 204, 0, 1, 0, 0, 0, 8]), RtcpError::Padding),
            (
                with(&[0xa0, 204, 0, 1, 0, 0, 0, 4, 0x80, 204, 0, 0]),
                RtcpError::Padding,
            ),
        ] {
            assert_eq!(parse(&bytes), Err(error), "{bytes:?}");
        }
    }

    prop_compose! {
        fn blocks()(
            ssrc: u32, fraction_lost: u8, cumulative_lost in -(1 << 23)..1 << 23,
            highest_sequence: u32, jitter: u32, last_sender_report: u32, delay_since_last: u32,
        ) -> ReportBlock {
            ReportBlock {
                ssrc, fraction_lost, cumulative_lost, highest_sequence, jitter,
                last_sender_report, delay_since_last,
            }
        }
    }

    prop_compose! {
        fn senders()(ntp: u64, rtp_timestamp: u32, packets: u32, octets: u32) -> SenderInfo {
            SenderInfo { ntp: NtpTime(ntp), rtp_timestamp, packets, octets }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(
            packets in prop::collection::vec(
                (0x80..=0xbfu8, 198..208u8, prop::collection::vec(any::<[u8; 4]>(), 0..20)), 0..6
            ),
            cut: prop::sample::Index,
            noise: Vec<u8>,
        ) {
            let mut bytes = Vec::new();
            for (first, packet_type, body) in packets {
                bytes.extend([first, packet_type, 0, body.len() as u8]);
                bytes.extend(body.concat());
            }
            let part = bytes[..cut.index(bytes.len() + 1)].to_vec();
            for datagram in [bytes, part, noise] {
                for packet in parse(&datagram).into_iter().flatten() {
                    match packet {
                        RtcpPacket::SenderReport { reports, .. }
                        | RtcpPacket::ReceiverReport { reports, .. } => reports.for_each(drop),
                        RtcpPacket::Goodbye { ssrcs, .. } => ssrcs.for_each(drop),
                        _ => {}
                    }
                }
            }
        }

        #[test]
        fn what_is_written_is_read_back(
            ssrc: u32, sender in prop::option::of(senders()), block in prop::option::of(blocks()),
            cname in "[a-zé@.]{0,60}", reason in prop::option::of("[a-zé ]{1,60}"),
        ) {
            let bye = reason.as_deref().map(|reason| Bye { reason });
            let bytes = written(&Report { ssrc, cname: &cname, sender, block, bye });
            prop_assert_eq!(bytes.len() % 4, 0);
            let mut packets = parse(&bytes).unwrap();
            let (from, reports) = match packets.next() {
                Some(RtcpPacket::SenderReport { ssrc, sender: read, reports }) => {
                    prop_assert_eq!(Some(read), sender);
                    (ssrc, reports)
                }
                Some(RtcpPacket::ReceiverReport { ssrc, reports }) => {
                    prop_assert_eq!(None, sender);
                    (ssrc, reports)
                }
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(from, ssrc);
            prop_assert_eq!(reports.collect::<Vec<_>>(), Vec::from_iter(block));
            let described =
                RtcpPacket::SourceDescription { ssrc: Some(ssrc), cname: Some(cname.as_bytes()) };
            prop_assert_eq!(packets.next(), Some(described));
            match (packets.next(), reason) {
                (Some(RtcpPacket::Goodbye { ssrcs, reason: read }), Some(reason)) => {
                    prop_assert_eq!(ssrcs.collect::<Vec<_>>(), vec![ssrc]);
                    prop_assert_eq!(read, Some(reason.as_bytes()));
                }
                (None, None) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}
