//! UDP sockets of a stream.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::{Errno, Result};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, getsockname, ipproto,
    recvfrom, sendto, socket_with, sockopt,
};

/// Longest datagram taken, bytes: beyond any Ethernet MTU. What is longer is no telephony.
pub const MAX_DATAGRAM_BYTES: usize = 2048;

/// Receive buffer asked for, bytes; the kernel doubles it. Holds over a second of one call and
/// bounds what a flood can take of kernel memory.
const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;
/// Expedited forwarding (RFC 3246), the class of voice (RFC 4594 §4.1): DSCP 46 in the upper bits.
const EXPEDITED_FORWARDING: u8 = 46 << 2;

/// The two sockets of a stream, on an even port and the next one (RFC 3550 §11).
#[derive(Debug)]
pub struct SocketPair {
    /// Receives and sends RTP.
    pub rtp: OwnedFd,
    /// Receives and sends RTCP.
    pub rtcp: OwnedFd,
}

impl SocketPair {
    /// Bind `rtp_port` and the port after it.
    ///
    /// # Errors
    ///
    /// `ADDRINUSE` when another program has one of them; whatever else socket(2) and bind(2) say.
    pub fn bind(address: IpAddr, rtp_port: u16) -> Result<Self> {
        let rtcp_port = rtp_port.checked_add(1).ok_or(Errno::INVAL)?;
        Ok(Self {
            rtp: open(SocketAddr::new(address, rtp_port))?,
            rtcp: open(SocketAddr::new(address, rtcp_port))?,
        })
    }
}

/// Open a non-blocking UDP socket bound to `local`.
///
/// # Errors
///
/// Whatever socket(2), setsockopt(2) and bind(2) say.
pub fn open(local: SocketAddr) -> Result<OwnedFd> {
    let family = match local {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::DGRAM, flags, Some(ipproto::UDP))?;
    match local {
        SocketAddr::V4(_) => sockopt::set_ip_tos(&socket, EXPEDITED_FORWARDING)?,
        SocketAddr::V6(_) => {
            sockopt::set_ipv6_v6only(&socket, true)?;
            sockopt::set_ipv6_tclass(&socket, EXPEDITED_FORWARDING.into())?;
        }
    }
    sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER_BYTES)?;
    bind(&socket, &local)?;
    Ok(socket)
}

/// The address a socket is bound to.
///
/// # Errors
///
/// `AFNOSUPPORT` when it is none of IP.
pub fn local_address(socket: impl AsFd) -> Result<SocketAddr> {
    getsockname(socket)?.try_into()
}

/// Take one datagram; None when none waits.
///
/// A datagram that does not fit is cut to a length of `buffer.len()`, which no valid one has.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    let (length, _, source) = recvfrom(socket, buffer, RecvFlags::DONTWAIT).ok()?;
    let source = SocketAddr::try_from(source?).ok()?;
    Some((length, source))
}

/// Send one datagram; false when the system refuses it (no route, no buffer). Never blocks.
pub fn send(socket: impl AsFd, datagram: &[u8], destination: SocketAddr) -> bool {
    sendto(socket, datagram, SendFlags::DONTWAIT, &destination).is_ok()
}
