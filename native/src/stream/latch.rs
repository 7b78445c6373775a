//! Which source a stream believes (RTPBleed: AST-2017-005, AST-2017-008).
//!
//! Only packets that are valid for the stream ask here. A stream that is not `symmetric` believes
//! the signalled address and port alone. One that is believes the source of the first valid packet,
//! once; only signalling, by naming a new remote address, makes it choose again.

use std::net::{IpAddr, SocketAddr};

/// What the latch says of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// From the source we believe.
    Accepted,
    /// The same, and it is the first.
    Started,
    /// From anybody else.
    Refused {
        /// Not the stranger of the last time.
        new_stranger: bool,
    },
}

/// Source and destination of a stream's RTP and RTCP.
#[derive(Clone, Copy, Debug)]
pub struct Latch {
    signalled: SocketAddr,
    signalled_rtcp: SocketAddr,
    symmetric: bool,
    source: Option<SocketAddr>,
    rtcp_source: Option<SocketAddr>,
    stranger: Option<SocketAddr>,
}

impl Latch {
    /// A latch that has seen nothing.
    pub fn new(signalled: SocketAddr, signalled_rtcp: SocketAddr, symmetric: bool) -> Self {
        Self {
            signalled,
            signalled_rtcp,
            symmetric,
            source: None,
            rtcp_source: None,
            stranger: None,
        }
    }

    /// The latch after signalling named an address again: kept when it is the same, else armed.
    pub fn renewed(
        self,
        signalled: SocketAddr,
        signalled_rtcp: SocketAddr,
        symmetric: bool,
    ) -> Self {
        let next = Self::new(signalled, signalled_rtcp, symmetric);
        let same = next.signalled == self.signalled
            && next.signalled_rtcp == self.signalled_rtcp
            && next.symmetric == self.symmetric;
        if same { self } else { next }
    }

    /// Judge the source of a valid RTP packet.
    pub fn check(&mut self, source: SocketAddr) -> Verdict {
        let source = plain(source);
        match self.source {
            Some(latched) if source == latched => Verdict::Accepted,
            None if self.symmetric || source == plain(self.signalled) => {
                self.source = Some(source);
                Verdict::Started
            }
            _ => {
                let new_stranger = self.stranger != Some(source);
                self.stranger = Some(source);
                Verdict::Refused { new_stranger }
            }
        }
    }

    /// Judge the source of a valid RTCP packet on the RTCP port: it must come from the host we
    /// believe. Behind a NAT its first port is kept as the place to answer to.
    pub fn check_rtcp(&mut self, source: SocketAddr) -> bool {
        let source = plain(source);
        if source.ip() != self.rtcp_host() {
            return false;
        }
        if self.symmetric && self.source.is_some() {
            self.rtcp_source.get_or_insert(source);
        }
        true
    }

    /// Judge the source of an RTCP packet on the RTP port (RFC 5761): the very source we believe.
    pub fn check_muxed_rtcp(&self, source: SocketAddr) -> bool {
        self.source == Some(plain(source))
    }

    /// Whether a packet was accepted yet.
    pub fn is_latched(&self) -> bool {
        self.source.is_some()
    }

    /// Where RTP goes.
    pub fn destination(&self) -> SocketAddr {
        self.source.unwrap_or(self.signalled)
    }

    /// Where RTCP goes when it has its own port.
    ///
    /// Behind a NAT whose address differs from the signalled one: where RTCP came from, or, before
    /// any came, the port after that of RTP, which most NATs keep.
    pub fn rtcp_destination(&self) -> SocketAddr {
        if let Some(source) = self.rtcp_source {
            return source;
        }
        match self.source {
            Some(source) if source.ip() != plain(self.signalled).ip() => {
                SocketAddr::new(source.ip(), source.port().saturating_add(1))
            }
            _ => self.signalled_rtcp,
        }
    }

    fn rtcp_host(&self) -> IpAddr {
        match self.source {
            Some(source) if self.symmetric => source.ip(),
            _ => self.signalled_rtcp.ip(),
        }
    }
}

/// Without IPv6 flow label and scope, which are no part of who somebody is.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn latch(symmetric: bool) -> Latch {
        Latch::new(at("192.0.2.1:4000"), at("192.0.2.1:4001"), symmetric)
    }

    const NEW: Verdict = Verdict::Refused { new_stranger: true };
    const KNOWN: Verdict = Verdict::Refused {
        new_stranger: false,
    };

    #[test]
    fn without_symmetric_only_the_signalled_address_and_port_count() {
        let mut latch = latch(false);
        for stranger in ["192.0.2.1:4002", "192.0.2.2:4000"] {
            assert_eq!(latch.check(at(stranger)), NEW);
            assert_eq!(latch.check(at(stranger)), KNOWN);
        }
        assert!(!latch.is_latched());
        assert_eq!(latch.check(at("192.0.2.1:4000")), Verdict::Started);
        assert_eq!(latch.check(at("192.0.2.1:4000")), Verdict::Accepted);
        assert_eq!(latch.check(at("192.0.2.2:4000")), KNOWN);
    }

    #[test]
    fn with_symmetric_the_first_source_is_kept_for_good() {
        let mut latch = latch(true);
        assert_eq!(latch.destination(), at("192.0.2.1:4000"));
        assert_eq!(latch.check(at("198.51.100.7:9000")), Verdict::Started);
        assert_eq!(latch.check(at("192.0.2.1:4000")), NEW);
        assert_eq!(latch.check(at("198.51.100.7:9001")), NEW);
        assert_eq!(latch.check(at("198.51.100.7:9000")), Verdict::Accepted);
        assert_eq!(latch.destination(), at("198.51.100.7:9000"));
    }

    #[test]
    fn a_new_remote_address_arms_the_latch_again_and_the_same_one_does_not() {
        let mut first = latch(true);
        first.check(at("198.51.100.7:9000"));
        let same = first.renewed(at("192.0.2.1:4000"), at("192.0.2.1:4001"), true);
        assert!(same.is_latched());
        let mut other = first.renewed(at("192.0.2.1:5000"), at("192.0.2.1:5001"), true);
        assert!(!other.is_latched());
        assert_eq!(other.check(at("203.0.113.9:1234")), Verdict::Started);
    }

    #[test]
    fn distrust_that_signalling_asks_for_begins_at_once() {
        let mut trusting = latch(true);
        trusting.check(at("198.51.100.7:9000"));
        let mut strict = trusting.renewed(at("192.0.2.1:4000"), at("192.0.2.1:4001"), false);
        assert_eq!(strict.check(at("198.51.100.7:9000")), NEW);
    }

    #[test]
    fn rtcp_comes_from_the_host_we_believe_and_follows_it_through_a_nat() {
        let mut strict = latch(false);
        assert!(strict.check_rtcp(at("192.0.2.1:4001")));
        assert!(!strict.check_rtcp(at("192.0.2.2:4001")));
        assert_eq!(strict.rtcp_destination(), at("192.0.2.1:4001"));
        let mut behind_nat = latch(true);
        behind_nat.check(at("198.51.100.7:9000"));
        assert_eq!(behind_nat.rtcp_destination(), at("198.51.100.7:9001"));
        assert!(!behind_nat.check_rtcp(at("192.0.2.1:4001")));
        assert!(behind_nat.check_rtcp(at("198.51.100.7:9777")));
        assert_eq!(behind_nat.rtcp_destination(), at("198.51.100.7:9777"));
        assert!(behind_nat.check_rtcp(at("198.51.100.7:9001")));
        assert_eq!(behind_nat.rtcp_destination(), at("198.51.100.7:9777"));
    }

    #[test]
    fn muxed_rtcp_comes_from_the_very_source_of_rtp() {
        let mut latch = latch(false);
        assert!(!latch.check_muxed_rtcp(at("192.0.2.1:4000")));
        latch.check(at("192.0.2.1:4000"));
        assert!(latch.check_muxed_rtcp(at("192.0.2.1:4000")));
        assert!(!latch.check_muxed_rtcp(at("192.0.2.1:4001")));
    }

    proptest! {
        #[test]
        fn no_order_of_strangers_moves_a_latch(
            symmetric: bool, strangers in prop::collection::vec(any::<(u8, u16)>(), 0..50)
        ) {
            let mut latch = latch(symmetric);
            latch.check(at("192.0.2.1:4000"));
            for (host, port) in strangers {
                let stranger = SocketAddr::new([10, 0, 0, host].into(), port);
                let is_refused = matches!(latch.check(stranger), Verdict::Refused { .. });
                prop_assert!(is_refused);
                latch.check_rtcp(stranger);
            }
            prop_assert_eq!(latch.destination(), at("192.0.2.1:4000"));
            prop_assert_eq!(latch.rtcp_destination(), at("192.0.2.1:4001"));
        }
    }
}
