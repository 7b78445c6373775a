//! One RTP conversation: what is decided about it, both directions, its reports.
//!
//! Datagrams, orders and ticks go in; datagrams go out through [`Wire`], events into a batch. No
//! clock and no socket is touched here.

pub mod incoming;
pub mod latch;
pub mod outgoing;
pub mod plan;
pub mod random;
pub mod report;
pub mod reporting;
pub mod session;
pub mod shared;

use std::net::SocketAddr;

use crate::events::{Event, StreamId};
use crate::io::disk::DiskOrders;

/// Which of a stream's two ports.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Port {
    /// The even one, for RTP; with RTCP on it when both are muxed (RFC 5761).
    Rtp,
    /// The odd one, for RTCP.
    Rtcp,
}

/// Takes a stream's datagrams to the network.
pub trait Wire {
    /// Send one datagram from `port`; false when the system refuses it. Never blocks.
    fn send(&mut self, port: Port, datagram: &[u8], destination: SocketAddr) -> bool;
}

/// What surrounds a stream while it works.
pub struct Surroundings<'a, W> {
    /// Monotonic, µs.
    pub now_us: u64,
    /// Since 1970 UTC, ns.
    pub unix_ns: u64,
    /// The stream's own sockets.
    pub wire: &'a mut W,
    /// Takes what the stream reports.
    pub batch: &'a mut Vec<(StreamId, Event)>,
    /// Takes the ends of recordings.
    pub disk: &'a DiskOrders,
}
