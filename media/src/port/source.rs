//! Whom a port listens to. A media port is open to the whole network: without
//! this, whoever sends to it is heard in the call ("RTP bleed").

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// After a new negotiation with an unchanged address, a learnt source that is
/// silent for this long may be replaced.
const RELEARN_AFTER: Duration = Duration::from_secs(1);

/// Decides which source is the peer.
#[derive(Debug)]
pub(super) struct SourceFilter {
    negotiated: SocketAddr,
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    /// Only the negotiated address.
    Negotiated,
    /// The first source of a plausible packet, which is not here yet.
    First,
    /// That source, and no other.
    Learnt(SocketAddr),
    /// That source; another once it has been silent for a while after the
    /// negotiation was repeated.
    Doubted { source: SocketAddr, heard: Instant },
}

impl SourceFilter {
    pub(super) fn new(negotiated: SocketAddr, latch: bool) -> Self {
        Self {
            negotiated: canonical(negotiated),
            rule: if latch { Rule::First } else { Rule::Negotiated },
        }
    }

    /// Follows a new negotiation.
    pub(super) fn renegotiate(&mut self, negotiated: SocketAddr, latch: bool, now: Instant) {
        let same = canonical(negotiated) == self.negotiated;
        let learnt = self.learnt();
        *self = Self::new(negotiated, latch);
        if let Some(source) = learnt.filter(|_| same && latch) {
            self.rule = Rule::Doubted { source, heard: now };
        }
    }

    /// Whether `source` may be heard.
    pub(super) fn admits(&self, source: SocketAddr, now: Instant) -> bool {
        let source = canonical(source);
        match self.rule {
            Rule::Negotiated => source == self.negotiated,
            Rule::First => true,
            Rule::Learnt(learnt) => source == learnt,
            Rule::Doubted {
                source: learnt,
                heard,
            } => source == learnt || now.saturating_duration_since(heard) >= RELEARN_AFTER,
        }
    }

    /// Takes note of a plausible packet from an admitted source.
    pub(super) fn heard(&mut self, source: SocketAddr) {
        if matches!(self.rule, Rule::First | Rule::Doubted { .. }) {
            self.rule = Rule::Learnt(canonical(source));
        }
    }

    /// Where to send. `None` when no address is known that can be sent to.
    pub(super) fn destination(&self) -> Option<SocketAddr> {
        sendable(self.learnt().unwrap_or(self.negotiated))
    }

    /// The source learnt from packets, if any.
    pub(super) fn learnt(&self) -> Option<SocketAddr> {
        match self.rule {
            Rule::Negotiated | Rule::First => None,
            Rule::Learnt(source) | Rule::Doubted { source, .. } => Some(source),
        }
    }
}

/// An address that can be sent to: a hold of the old kind names none.
pub(super) fn sendable(address: SocketAddr) -> Option<SocketAddr> {
    (address.port() != 0 && !address.ip().is_unspecified()).then_some(address)
}

/// An IPv4 address seen through an IPv6 socket is the IPv4 address.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => SocketAddr::new(v6.ip().to_canonical(), v6.port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "198.51.100.7:4000";
    const NAT: &str = "203.0.113.9:61000";
    const STRANGER: &str = "192.0.2.66:1234";

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn without_learning_only_the_negotiated_address_is_heard() {
        let now = Instant::now();
        let mut filter = SourceFilter::new(at(PEER), false);
        filter.heard(at(PEER));
        assert!(filter.admits(at(PEER), now));
        assert!(filter.admits(at("[::ffff:198.51.100.7]:4000"), now));
        assert!(!filter.admits(at("198.51.100.7:4002"), now));
        assert!(!filter.admits(at(STRANGER), now));
        assert_eq!(filter.destination(), Some(at(PEER)));
    }

    #[test]
    fn the_first_source_is_learnt_once() {
        let now = Instant::now();
        let mut filter = SourceFilter::new(at(PEER), true);
        assert_eq!(filter.destination(), Some(at(PEER)));
        filter.heard(at(NAT));
        assert_eq!(filter.destination(), Some(at(NAT)));
        assert!(!filter.admits(at(STRANGER), now + RELEARN_AFTER * 100));
        assert!(!filter.admits(at(PEER), now));
    }

    #[test]
    fn a_refreshed_session_keeps_a_source_that_still_speaks() {
        let now = Instant::now();
        let mut filter = SourceFilter::new(at(PEER), true);
        filter.heard(at(NAT));
        filter.renegotiate(at(PEER), true, now);
        assert!(!filter.admits(at(STRANGER), now));
        assert!(filter.admits(at(NAT), now));
        filter.heard(at(NAT));
        assert!(!filter.admits(at(STRANGER), now + RELEARN_AFTER));
    }

    #[test]
    fn a_refreshed_session_learns_anew_when_the_source_is_gone() {
        let now = Instant::now();
        let mut filter = SourceFilter::new(at(PEER), true);
        filter.heard(at(NAT));
        filter.renegotiate(at(PEER), true, now);
        let moved = at("203.0.113.9:61001");
        assert!(filter.admits(moved, now + RELEARN_AFTER));
        filter.heard(moved);
        assert_eq!(filter.destination(), Some(moved));
        // A new address in the negotiation is learnt from scratch.
        filter.renegotiate(at(STRANGER), true, now);
        assert!(filter.admits(at(NAT), now));
        assert_eq!(filter.destination(), Some(at(STRANGER)));
    }

    #[test]
    fn nothing_is_sent_to_nowhere() {
        let nowhere = SourceFilter::new(at("0.0.0.0:4000"), false);
        assert_eq!(nowhere.destination(), None);
        assert_eq!(
            SourceFilter::new(at("192.0.2.1:0"), true).destination(),
            None
        );
    }
}
