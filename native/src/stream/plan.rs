//! What signalling decided about a stream.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::codec::g711::Law;
use crate::graph::FRAME_SAMPLES;

/// Payload type of comfort noise (RFC 3389 §4), accepted from peers that pause instead of sending
/// silence.
pub const COMFORT_NOISE: u8 = 13;
/// Bounds of the media timeout, s.
const MEDIA_TIMEOUT_S: std::ops::RangeInclusive<f64> = 0.1..=86_400.0;

/// How much sound a packet of ours holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PacketTime {
    ms: u8,
}

impl PacketTime {
    /// 20 ms, what RFC 3551 §4.2 recommends.
    pub const DEFAULT: Self = Self { ms: 20 };

    /// A packet time of 10, 20, 30, 40 or 60 ms; None for others.
    pub fn from_ms(ms: u32) -> Option<Self> {
        match ms {
            10 | 20 | 30 | 40 | 60 => Some(Self { ms: ms as u8 }),
            _ => None,
        }
    }

    /// Samples of a packet.
    pub fn samples(self) -> usize {
        FRAME_SAMPLES / 20 * usize::from(self.ms)
    }

    /// Half ticks (10 ms) from one packet to the next.
    pub fn half_ticks(self) -> u8 {
        self.ms / 10
    }

    /// Whether packets also leave between two ticks.
    pub fn needs_half_ticks(self) -> bool {
        !self.ms.is_multiple_of(20)
    }
}

/// Why a plan cannot be served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PlanError {
    /// The remote address is of another family than ours.
    AddressFamily,
    /// Neither `PCMU` nor `PCMA`.
    Codec,
    /// A payload type above 127, or the same for two things.
    PayloadType,
    /// Neither 10, 20, 30, 40 nor 60 ms.
    PacketTime,
    /// Outside 0.1-86400 s.
    MediaTimeout,
}

impl fmt::Display for PlanError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::AddressFamily => "the remote address is not of the engine's address family",
            Self::Codec => "the codec is neither PCMU nor PCMA",
            Self::PayloadType => "a payload type is above 127 or used twice",
            Self::PacketTime => "the packet time is not 10, 20, 30, 40 or 60 ms",
            Self::MediaTimeout => "the media timeout is outside 0.1-86400 s",
        })
    }
}

/// A checked plan: everything the media thread needs to know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Plan {
    /// Where the peer says it receives RTP.
    pub remote_rtp: SocketAddr,
    /// Where the peer says it receives RTCP.
    pub remote_rtcp: SocketAddr,
    /// RTP and RTCP share a port (RFC 5761).
    pub rtcp_mux: bool,
    /// The codec, both ways.
    pub law: Law,
    /// Of audio we send.
    pub send_payload_type: u8,
    /// Of audio we receive.
    pub receive_payload_type: u8,
    /// Of telephone events we send.
    pub event_send: Option<u8>,
    /// Of telephone events we receive.
    pub event_receive: Option<u8>,
    /// Of packets we send.
    pub packet_time: PacketTime,
    /// Whether we send.
    pub sends: bool,
    /// Whether the peer should send.
    pub receives: bool,
    /// Whether the source of the first packet is trusted (NAT).
    pub symmetric: bool,
    /// Silence of the peer that is reported, µs.
    pub media_timeout_us: Option<u64>,
}

impl Plan {
    /// Check what the types alone do not say. `local` is the address our sockets are bound to.
    ///
    /// A plan that names nowhere to send to (RFC 3264 §8.4) does not send.
    ///
    /// # Errors
    ///
    /// [`PlanError`].
    pub fn check(mut self, local: IpAddr) -> Result<Self, PlanError> {
        if self.remote_rtp.is_ipv4() != local.is_ipv4() {
            return Err(PlanError::AddressFamily);
        }
        let receive = [Some(self.receive_payload_type), self.event_receive];
        let send = [Some(self.send_payload_type), self.event_send];
        let all_types = receive.iter().chain(&send).flatten();
        if receive[0] == receive[1] || send[0] == send[1] || all_types.max() > Some(&127) {
            return Err(PlanError::PayloadType);
        }
        self.sends &= !self.remote_rtp.ip().is_unspecified() && self.remote_rtp.port() != 0;
        Ok(self)
    }
}

/// Read a media timeout.
///
/// # Errors
///
/// [`PlanError::MediaTimeout`].
pub fn media_timeout_us(seconds: f64) -> Result<u64, PlanError> {
    if MEDIA_TIMEOUT_S.contains(&seconds) {
        Ok((seconds * 1e6) as u64)
    } else {
        Err(PlanError::MediaTimeout)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A plan towards 127.0.0.1:4000 that sends and receives µ-law and events.
    pub(crate) fn plan() -> Plan {
        Plan {
            remote_rtp: "127.0.0.1:4000".parse().unwrap(),
            remote_rtcp: "127.0.0.1:4001".parse().unwrap(),
            rtcp_mux: false,
            law: Law::Mu,
            send_payload_type: 0,
            receive_payload_type: 0,
            event_send: Some(101),
            event_receive: Some(96),
            packet_time: PacketTime::DEFAULT,
            sends: true,
            receives: true,
            symmetric: false,
            media_timeout_us: None,
        }
    }

    const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_plan_of_the_other_address_family_is_refused() {
        let local = "::1".parse().unwrap();
        assert_eq!(plan().check(local), Err(PlanError::AddressFamily));
        assert_eq!(plan().check(LOCAL), Ok(plan()));
    }

    #[test]
    fn payload_types_must_be_seven_bits_and_differ() {
        for broken in [
            Plan {
                send_payload_type: 128,
                ..plan()
            },
            Plan {
                event_receive: Some(0),
                ..plan()
            },
            Plan {
                event_send: Some(0),
                ..plan()
            },
        ] {
            assert_eq!(broken.check(LOCAL), Err(PlanError::PayloadType));
        }
        let without_events = Plan {
            event_send: None,
            event_receive: None,
            ..plan()
        };
        assert!(without_events.check(LOCAL).is_ok());
    }

    #[test]
    fn a_plan_without_a_destination_does_not_send() {
        for remote in ["0.0.0.0:4000", "127.0.0.1:0"] {
            let nowhere = Plan {
                remote_rtp: remote.parse().unwrap(),
                ..plan()
            };
            assert!(!nowhere.check(LOCAL).unwrap().sends);
        }
    }

    #[test]
    fn packet_times_are_the_five_that_fit_half_ticks() {
        let known: Vec<usize> = (0..200)
            .filter_map(PacketTime::from_ms)
            .map(PacketTime::samples)
            .collect();
        assert_eq!(known, [80, 160, 240, 320, 480]);
    }

    #[test]
    fn a_media_timeout_is_within_its_bounds() {
        assert_eq!(media_timeout_us(0.1), Ok(100_000));
        for seconds in [0.0, -1.0, 86_401.0, f64::NAN, f64::INFINITY] {
            assert_eq!(media_timeout_us(seconds), Err(PlanError::MediaTimeout));
        }
    }
}
