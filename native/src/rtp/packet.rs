//! RTP packets (RFC 3550 §5.1) and what kind of datagram one socket has received
//! (RFC 5761 §4, RFC 7983 §7).

/// Length of the fixed RTP header, bytes; what [`write_header`] writes.
pub const HEADER_BYTES: usize = 12;

/// The fields of an RTP header that carry information to the far end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RtpHeader {
    /// Set on the first packet of a talkspurt (RFC 3551 §4.1) or of an event (RFC 4733 §2.5.1).
    pub marker: bool,
    /// 0-127, as negotiated.
    pub payload_type: u8,
    /// Counts packets, modulo 2^16.
    pub sequence: u16,
    /// Sampling instant of the first sample, ticks of the payload's clock, modulo 2^32.
    pub timestamp: u32,
    /// The stream's synchronization source.
    pub ssrc: u32,
}

/// One RTP packet, borrowed from its datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RtpPacket<'a> {
    /// The fixed header.
    pub header: RtpHeader,
    /// The payload without padding. May be empty.
    pub payload: &'a [u8],
}

/// Why a datagram is not an RTP packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RtpError {
    /// It ends before the header does (fixed header, CSRC list or extension).
    Truncated,
    /// The version is not 2.
    Version,
    /// The padding count is zero or reaches into the header.
    Padding,
}

/// Read an RTP packet. CSRC list and header extension are checked and skipped.
///
/// # Errors
///
/// [`RtpError`]: the datagram breaks RFC 3550 §5.1, with the checks of appendix A.1.
pub fn parse(datagram: &[u8]) -> Result<RtpPacket<'_>, RtpError> {
    let (fixed, rest) = datagram
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or(RtpError::Truncated)?;
    let [first, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3] = *fixed;
    if first >> 6 != 2 {
        return Err(RtpError::Version);
    }
    let body = rest
        .get(usize::from(first & 0x0f) * 4..)
        .ok_or(RtpError::Truncated)?;
    let body = if first & 0x10 == 0 {
        body
    } else {
        skip_extension(body)?
    };
    let payload = if first & 0x20 == 0 {
        body
    } else {
        strip_padding(body)?
    };
    let header = RtpHeader {
        marker: second & 0x80 != 0,
        payload_type: second & 0x7f,
        sequence: u16::from_be_bytes([s0, s1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        ssrc: u32::from_be_bytes([i0, i1, i2, i3]),
    };
    Ok(RtpPacket { header, payload })
}

/// Skip the header extension: two profile bytes, a length in 32-bit words, the words (§5.3.1).
fn skip_extension(body: &[u8]) -> Result<&[u8], RtpError> {
    let (head, rest) = body.split_first_chunk::<4>().ok_or(RtpError::Truncated)?;
    let words = u16::from_be_bytes([head[2], head[3]]);
    rest.get(usize::from(words) * 4..)
        .ok_or(RtpError::Truncated)
}

/// Cut the padding off. Its last byte counts all of it, that byte included (§5.1).
fn strip_padding(body: &[u8]) -> Result<&[u8], RtpError> {
    let count = usize::from(*body.last().ok_or(RtpError::Padding)?);
    if count == 0 {
        return Err(RtpError::Padding);
    }
    let end = body.len().checked_sub(count).ok_or(RtpError::Padding)?;
    Ok(&body[..end])
}

/// Write a header without CSRC list, extension or padding at the start of `out`.
///
/// Returns [`HEADER_BYTES`], where the payload begins; 0, and `out` untouched, when it is shorter
/// than that. Bits of `payload_type` above the seventh are not sent.
pub fn write_header(header: &RtpHeader, out: &mut [u8]) -> usize {
    let Some(fixed) = out.first_chunk_mut::<HEADER_BYTES>() else {
        return 0;
    };
    fixed[0] = 2 << 6;
    fixed[1] = u8::from(header.marker) << 7 | (header.payload_type & 0x7f);
    fixed[2..4].copy_from_slice(&header.sequence.to_be_bytes());
    fixed[4..8].copy_from_slice(&header.timestamp.to_be_bytes());
    fixed[8..12].copy_from_slice(&header.ssrc.to_be_bytes());
    HEADER_BYTES
}

/// What a datagram is by its first bytes, when one socket serves several protocols.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DatagramKind {
    /// RTP, to be given to [`parse`].
    Rtp,
    /// RTCP, to be given to [`crate::rtp::rtcp::parse`].
    Rtcp,
    /// STUN (RFC 8489).
    Stun,
    /// DTLS (RFC 9147).
    Dtls,
    /// TURN channel data (RFC 8656), ZRTP (RFC 6189), or nothing known: to be dropped.
    Other,
}

/// Tell what `datagram` is (RFC 7983 §7), and RTCP from RTP by its packet type (RFC 5761 §4).
///
/// Looks at two bytes only; the parsers check the rest.
pub fn classify(datagram: &[u8]) -> DatagramKind {
    match *datagram {
        [0..=3, _, ..] => DatagramKind::Stun,
        [20..=63, _, ..] => DatagramKind::Dtls,
        [128..=191, 192..=223, ..] => DatagramKind::Rtcp,
        [128..=191, _, ..] => DatagramKind::Rtp,
        _ => DatagramKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: RtpHeader = RtpHeader {
        marker: true,
        payload_type: 101,
        sequence: 0x1234,
        timestamp: 0x5678_9abc,
        ssrc: 0xdead_beef,
    };

    fn datagram(first: u8, tail: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        write_header(&HEADER, &mut bytes);
        bytes[0] = first;
        bytes.extend_from_slice(tail);
        bytes
    }

    #[test]
    fn the_header_is_laid_out_as_in_rfc_3550() {
        let mut out = [0; 14];
        assert_eq!(write_header(&HEADER, &mut out), 12);
        let wire = [
            0x80, 0xe5, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xad, 0xbe, 0xef, 0, 0,
        ];
        assert_eq!(out, wire);
    }

    #[test]
    fn a_header_is_not_written_where_it_does_not_fit() {
        let mut out = [7; 11];
        assert_eq!(write_header(&HEADER, &mut out), 0);
        assert_eq!(out, [7; 11]);
    }

    #[test]
    fn csrc_list_extension_and_padding_are_not_payload() {
        let tail = [
            1, 1, 1, 1, 2, 2, 2, 2, // two CSRCs
            0xbe, 0xde, 0, 1, 9, 9, 9, 9, // an extension of one word
            b'h', b'i', 0, 0, 3, // payload and three bytes of padding
        ];
        let bytes = datagram(0b1011_0010, &tail);
        let packet = parse(&bytes).unwrap();
        assert_eq!(packet.header, HEADER);
        assert_eq!(packet.payload, b"hi");
    }

    #[test]
    fn an_empty_payload_is_a_packet() {
        assert_eq!(parse(&datagram(0x80, &[])).unwrap().payload, b"");
    }

    #[test]
    fn broken_datagrams_say_what_is_wrong() {
        for (bytes, error) in [
            (vec![], RtpError::Truncated),
            (vec![0x80; 11], RtpError::Truncated),
            (datagram(0x40, &[]), RtpError::Version),
            (datagram(0x8f, &[0; 59]), RtpError::Truncated),
            (datagram(0x90, &[0; 3]), RtpError::Truncated),
            (
                datagram(0x90, &[0, 0, 0, 2, 0, 0, 0, 0]),
                RtpError::Truncated,
            ),
            (datagram(0xa0, &[]), RtpError::Padding),
            (datagram(0xa0, &[1, 2, 0]), RtpError::Padding),
            (datagram(0xa0, &[1, 2, 4]), RtpError::Padding),
        ] {
            assert_eq!(parse(&bytes), Err(error), "{bytes:02x?}");
        }
    }

    #[test]
    fn datagrams_are_told_apart_by_their_first_bytes() {
        for (bytes, kind) in [
            (&[][..], DatagramKind::Other),
            (&[0x80], DatagramKind::Other),
            (&[0, 1], DatagramKind::Stun),
            (&[3, 255], DatagramKind::Stun),
            (&[16, 0], DatagramKind::Other),
            (&[22, 254], DatagramKind::Dtls),
            (&[0x40, 0], DatagramKind::Other),
            (&[0x80, 0], DatagramKind::Rtp),
            (&[0x80, 0x80 | 101], DatagramKind::Rtp),
            (&[0x80, 191], DatagramKind::Rtp),
            (&[0x80, 200], DatagramKind::Rtcp),
            (&[0xbf, 223], DatagramKind::Rtcp),
            (&[0x80, 224], DatagramKind::Rtp),
            (&[0xc0, 200], DatagramKind::Other),
        ] {
            assert_eq!(classify(bytes), kind, "{bytes:?}");
        }
    }

    prop_compose! {
        fn headers()(
            marker: bool, payload_type in 0..128u8, sequence: u16, timestamp: u32, ssrc: u32
        ) -> RtpHeader {
            RtpHeader { marker, payload_type, sequence, timestamp, ssrc }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(
            first in prop_oneof![any::<u8>(), 0x80..=0xbfu8],
            tail in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut bytes = vec![first];
            bytes.extend(tail);
            classify(&bytes);
            if let Ok(packet) = parse(&bytes) {
                prop_assert!(packet.payload.len() + HEADER_BYTES <= bytes.len());
            }
        }

        #[test]
        fn what_is_written_is_read_back(header in headers(), payload: Vec<u8>) {
            let mut bytes = vec![0; HEADER_BYTES];
            prop_assert_eq!(write_header(&header, &mut bytes), HEADER_BYTES);
            bytes.extend_from_slice(&payload);
            prop_assert_eq!(parse(&bytes), Ok(RtpPacket { header, payload: &payload }));
        }
    }
}
