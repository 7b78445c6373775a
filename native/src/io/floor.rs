//! What the kernel alone asks for a call's packets: the floor under every media engine.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use super::clock::{Pace, STEPS_PER_TICK, monotonic_ns, sleep_until, thread_cpu_ns};
use super::poller::Poller;
use super::sockets;

/// An RTP packet with 20 ms of G.711.
const PACKET_BYTES: usize = 172;

/// What [`measure`] found.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    /// CPU time of the thread, ns.
    pub cpu_ns: u64,
    /// Packets that left.
    pub sent: u64,
    /// Packets that came back.
    pub received: u64,
}

/// Send one packet of 172 bytes every 20 ms from each of `legs` sockets on loopback, to its
/// neighbour in a ring, and receive them: the calls, the clock and the spread over four steps are
/// those of a shard; there is no media work. Runs for `ticks` ticks on the calling thread.
///
/// # Errors
///
/// No descriptor left.
pub fn measure(legs: usize, ticks: u64) -> io::Result<Floor> {
    let (mut poller, ring) = open(legs)?;
    let packet = [0x80; PACKET_BYTES];
    let mut buffer = [0; sockets::MAX_DATAGRAM_BYTES];
    let mut floor = Floor {
        cpu_ns: 0,
        sent: 0,
        received: 0,
    };
    let start_ns = thread_cpu_ns();
    let mut pace = Pace::new(monotonic_ns());
    for step in 0..ticks * STEPS_PER_TICK {
        sleep_until(pace.next_ns());
        pace.begin(monotonic_ns());
        floor.received += receive(&mut poller, &ring, &mut buffer);
        let first = (step % STEPS_PER_TICK) as usize;
        for (socket, neighbour) in ring.iter().skip(first).step_by(STEPS_PER_TICK as usize) {
            floor.sent += u64::from(sockets::send(socket, &packet, *neighbour));
        }
    }
    floor.cpu_ns = thread_cpu_ns() - start_ns;
    Ok(floor)
}

type Ring = Vec<(OwnedFd, SocketAddr)>;

/// Sockets on ports the system chooses, each with the address of the next one.
fn open(legs: usize) -> io::Result<(Poller, Ring)> {
    let poller = Poller::new()?;
    let any = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
    let mut opened = Vec::with_capacity(legs);
    for key in 0..legs as u64 {
        let socket = sockets::open(any)?;
        poller.watch(&socket, key)?;
        opened.push((sockets::local_address(&socket)?, socket));
    }
    let mut addresses: Vec<SocketAddr> = opened.iter().map(|(address, _)| *address).collect();
    addresses.rotate_left(usize::from(legs > 0));
    let sockets = opened.into_iter().map(|(_, socket)| socket);
    Ok((poller, sockets.zip(addresses).collect()))
}

fn receive(poller: &mut Poller, ring: &Ring, buffer: &mut [u8]) -> u64 {
    let mut received = 0;
    loop {
        let ready = poller.poll();
        if ready.is_empty() {
            return received;
        }
        for &key in ready {
            let (socket, _) = &ring[key as usize];
            received += u64::from(sockets::receive(socket, buffer).is_some());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_but_the_last_goes_round() {
        let floor = measure(5, 3).unwrap();
        assert_eq!(floor.sent, 15);
        assert!((10..=15).contains(&floor.received));
        assert!(floor.cpu_ns > 0);
    }
}
