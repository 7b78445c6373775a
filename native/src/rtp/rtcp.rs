//! RTCP: compound packets, read and written (RFC 3550 §6).

mod interval;
mod ntp;
mod parser;
mod writer;

pub use interval::{IntervalInput, minimum_interval, report_interval};
pub use ntp::{NtpTime, round_trip};
pub use parser::{Compound, ReportBlocks, RtcpError, RtcpPacket, SsrcList, parse};
pub use writer::{Bye, MAX_TEXT_BYTES, Report, write_compound};

/// Packet types (RFC 3550 §12.1).
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
/// The SDES item that names the source for good (RFC 3550 §6.5.1).
const CNAME: u8 = 1;

const HEADER_BYTES: usize = 4;
const SENDER_INFO_BYTES: usize = 20;
const REPORT_BLOCK_BYTES: usize = 24;

/// What a sender says of its own stream (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SenderInfo {
    /// The moment of the report.
    pub ntp: NtpTime,
    /// The same moment on the stream's RTP clock.
    pub rtp_timestamp: u32,
    /// Packets sent so far.
    pub packets: u32,
    /// Payload bytes sent so far.
    pub octets: u32,
}

/// What a receiver says of one stream (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReportBlock {
    /// The stream reported on.
    pub ssrc: u32,
    /// Share of packets lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost so far, -2^23 to 2^23 - 1; duplicates can make it negative.
    pub cumulative_lost: i32,
    /// Highest sequence number received, with the number of wraps in the upper 16 bits.
    pub highest_sequence: u32,
    /// Interarrival jitter, ticks of the RTP clock.
    pub jitter: u32,
    /// [`NtpTime::middle`] of the last sender report received; 0 when there was none.
    pub last_sender_report: u32,
    /// Time since then, in units of 1/65536 s.
    pub delay_since_last: u32,
}
