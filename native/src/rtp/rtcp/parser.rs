//! Reading compound packets.

use super::{
    GOODBYE, HEADER_BYTES, NtpTime, RECEIVER_REPORT, REPORT_BLOCK_BYTES, ReportBlock,
    SENDER_INFO_BYTES, SENDER_REPORT, SOURCE_DESCRIPTION, SenderInfo,
};

/// Why a datagram is not a compound packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RtcpError {
    /// A header, or what a header announces, reaches past the end.
    Truncated,
    /// A version is not 2.
    Version,
    /// The first packet is neither a sender nor a receiver report.
    NoReport,
    /// Padding on a packet that is not the last one, or of an impossible length.
    Padding,
}

/// One packet of a compound.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RtcpPacket<'a> {
    /// SR (§6.4.1).
    SenderReport {
        /// Who reports.
        ssrc: u32,
        /// The reporter's own stream.
        sender: SenderInfo,
        /// The streams it receives.
        reports: ReportBlocks<'a>,
    },
    /// RR (§6.4.2).
    ReceiverReport {
        /// Who reports.
        ssrc: u32,
        /// The streams it receives.
        reports: ReportBlocks<'a>,
    },
    /// SDES (§6.5): the canonical name of the first source described, when it has one.
    SourceDescription {
        /// The first source described; None when there is none.
        ssrc: Option<u32>,
        /// Its CNAME as sent, at most 255 bytes.
        cname: Option<&'a [u8]>,
    },
    /// BYE (§6.6).
    Goodbye {
        /// The sources that leave.
        ssrcs: SsrcList<'a>,
        /// Why, as sent, at most 255 bytes.
        reason: Option<&'a [u8]>,
    },
    /// Any other type: to be skipped.
    Other {
        /// Its packet type, 0-255.
        packet_type: u8,
    },
}

/// The packets of a datagram that [`parse`] found valid, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Compound<'a>(&'a [u8]);

/// Report blocks, in order; at most 31.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReportBlocks<'a>(&'a [u8]);

/// Synchronization sources, in order; at most 31.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SsrcList<'a>(&'a [u8]);

/// Check a datagram as RFC 3550 appendix A.2 says and return its packets.
///
/// Reduced-size datagrams (RFC 5506) are not negotiated and not taken.
///
/// # Errors
///
/// [`RtcpError`]: what is wrong; nothing of such a datagram is used.
pub fn parse(datagram: &[u8]) -> Result<Compound<'_>, RtcpError> {
    let mut rest = datagram;
    let mut first = true;
    while first || !rest.is_empty() {
        let packet = Raw::split(rest)?;
        if first && !matches!(packet.packet_type, SENDER_REPORT | RECEIVER_REPORT) {
            return Err(RtcpError::NoReport);
        }
        if packet.padded && !packet.rest.is_empty() {
            return Err(RtcpError::Padding);
        }
        packet.check_body()?;
        rest = packet.rest;
        first = false;
    }
    Ok(Compound(datagram))
}

/// One packet as it lies in the datagram.
struct Raw<'a> {
    count: usize,
    packet_type: u8,
    padded: bool,
    /// After the header, without padding.
    body: &'a [u8],
    /// The packets that follow.
    rest: &'a [u8],
}

impl<'a> Raw<'a> {
    fn split(datagram: &'a [u8]) -> Result<Self, RtcpError> {
        let (header, after) = datagram
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or(RtcpError::Truncated)?;
        let [first, packet_type, high, low] = *header;
        if first >> 6 != 2 {
            return Err(RtcpError::Version);
        }
        let length = usize::from(u16::from_be_bytes([high, low])) * 4;
        let (body, rest) = after.split_at_checked(length).ok_or(RtcpError::Truncated)?;
        let padded = first & 0x20 != 0;
        let body = if padded { strip_padding(body)? } else { body };
        Ok(Self {
            count: usize::from(first & 0x1f),
            packet_type,
            padded,
            body,
            rest,
        })
    }

    /// Check that the body holds what the count in the header announces.
    fn check_body(&self) -> Result<(), RtcpError> {
        let needed = match self.packet_type {
            SENDER_REPORT => 4 + SENDER_INFO_BYTES + self.count * REPORT_BLOCK_BYTES,
            RECEIVER_REPORT => 4 + self.count * REPORT_BLOCK_BYTES,
            GOODBYE => self.count * 4,
            _ => 0,
        };
        if self.body.len() < needed {
            Err(RtcpError::Truncated)
        } else {
            Ok(())
        }
    }

    fn read(&self) -> Option<RtcpPacket<'a>> {
        match self.packet_type {
            SENDER_REPORT => self.sender_report(),
            RECEIVER_REPORT => self.receiver_report(),
            SOURCE_DESCRIPTION => Some(self.source_description()),
            GOODBYE => self.goodbye(),
            packet_type => Some(RtcpPacket::Other { packet_type }),
        }
    }

    fn sender_report(&self) -> Option<RtcpPacket<'a>> {
        let mut words = Words(self.body);
        let ssrc = words.next()?;
        let ntp = NtpTime(u64::from(words.next()?) << 32 | u64::from(words.next()?));
        let rtp_timestamp = words.next()?;
        let sender = SenderInfo {
            ntp,
            rtp_timestamp,
            packets: words.next()?,
            octets: words.next()?,
        };
        let reports = ReportBlocks(words.0.get(..self.count * REPORT_BLOCK_BYTES)?);
        Some(RtcpPacket::SenderReport {
            ssrc,
            sender,
            reports,
        })
    }

    fn receiver_report(&self) -> Option<RtcpPacket<'a>> {
        let mut words = Words(self.body);
        let ssrc = words.next()?;
        let reports = ReportBlocks(words.0.get(..self.count * REPORT_BLOCK_BYTES)?);
        Some(RtcpPacket::ReceiverReport { ssrc, reports })
    }

    /// Items are tolerated to be cut off: nothing depends on a name.
    fn source_description(&self) -> RtcpPacket<'a> {
        let mut words = Words(self.body);
        let ssrc = if self.count == 0 { None } else { words.next() };
        let mut items = if ssrc.is_some() { words.0 } else { &[] };
        // A zero byte ends the items.
        while let [kind @ 1..=255, length, after @ ..] = items {
            let Some((text, rest)) = after.split_at_checked(usize::from(*length)) else {
                break;
            };
            if *kind == super::CNAME {
                return RtcpPacket::SourceDescription {
                    ssrc,
                    cname: Some(text),
                };
            }
            items = rest;
        }
        RtcpPacket::SourceDescription { ssrc, cname: None }
    }

    fn goodbye(&self) -> Option<RtcpPacket<'a>> {
        let (ssrcs, after) = self.body.split_at_checked(self.count * 4)?;
        let reason = match after {
            [length, text @ ..] => text.get(..usize::from(*length)),
            [] => None,
        };
        Some(RtcpPacket::Goodbye {
            ssrcs: SsrcList(ssrcs),
            reason,
        })
    }
}

/// Cut the padding off; it is counted by its last byte, in whole words (§6.4.1).
fn strip_padding(body: &[u8]) -> Result<&[u8], RtcpError> {
    let count = usize::from(*body.last().ok_or(RtcpError::Padding)?);
    if count == 0 || count % 4 != 0 {
        return Err(RtcpError::Padding);
    }
    let end = body.len().checked_sub(count).ok_or(RtcpError::Padding)?;
    Ok(&body[..end])
}

impl<'a> Iterator for Compound<'a> {
    type Item = RtcpPacket<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let packet = Raw::split(self.0).ok()?;
        self.0 = packet.rest;
        packet.read()
    }
}

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let mut words = Words(self.0);
        let ssrc = words.next()?;
        let loss = words.next()?;
        let block = ReportBlock {
            ssrc,
            fraction_lost: (loss >> 24) as u8,
            // Sign-extended from 24 bits.
            cumulative_lost: (loss << 8) as i32 >> 8,
            highest_sequence: words.next()?,
            jitter: words.next()?,
            last_sender_report: words.next()?,
            delay_since_last: words.next()?,
        };
        self.0 = words.0;
        Some(block)
    }
}

impl Iterator for SsrcList<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let mut words = Words(self.0);
        let ssrc = words.next();
        self.0 = words.0;
        ssrc
    }
}

/// Reads 32-bit words in network order.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn next(&mut self) -> Option<u32> {
        let (word, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*word))
    }
}
