//! `[network]` and `[limits]`.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use crate::hotline::model::{Limits, Network, PortRange};
use crate::hotline::problem::Problems;
use crate::hotline::section::{Section, Text};

const DEFAULT_SIP_PORT: u16 = 5060;
const DEFAULT_RTP_PORTS: PortRange = PortRange {
    first: 20_000,
    last: 20_999,
};
const DEFAULT_MAX_CALLS: u32 = 50;
const MAX_MAX_CALLS: u32 = 1_000;
/// Long enough for phones that suppress silence, and for a lift.
const DEFAULT_MEDIA_TIMEOUT_S: u32 = 60;
/// A hundred years.
const MAX_AUDIT_DAYS: u32 = 36_500;
/// A caller, and at least two phones that ring for them.
const MIN_PAIRS_PER_CALL: u32 = 3;

pub(super) fn network(root: &mut Section<'_>, p: &mut Problems) -> Network {
    let Some(mut section) = root.section("network", "[network]", p) else {
        p.error(
            root.span.clone(),
            "the file has no `[network]`. Add one with `realm` and `udp`; see docs/hotline.example.toml.",
        );
        return placeholder();
    };
    let realm = section.required_text("realm", "hotline.example", p);
    let realm = realm.map_or_else(String::new, |text| realm_of(&text, p));
    let mut listening = Listening::default();
    let udp = listening.addresses(&mut section, "udp", p);
    if udp.is_empty() {
        p.error(
            section.span.clone(),
            "[network] has no `udp`. Add the address on which phones and trunks reach this machine, \
             for example `udp = [\"192.0.2.10:5060\"]`.",
        );
    }
    let tcp = listening.addresses(&mut section, "tcp", p);
    let metrics = section
        .text("metrics", p)
        .and_then(|text| listening.address(&text, "metrics", p));
    let rtp_ports = section
        .text("rtp_ports", p)
        .map_or(DEFAULT_RTP_PORTS, |text| {
            let range = port_range(&text, p);
            listening.check_range(range, &text.span, p);
            range
        });
    let advertised = advertised(&mut section, &udp, p);
    section.finish(p);
    Network {
        realm,
        udp,
        tcp,
        advertised,
        rtp_ports,
        metrics,
    }
}

pub(super) fn limits(root: &mut Section<'_>, network: &Network, p: &mut Problems) -> Limits {
    let mut limits = Limits {
        calls: DEFAULT_MAX_CALLS,
        media_timeout_s: DEFAULT_MEDIA_TIMEOUT_S,
        audit_days: Some(Limits::AUDIT_DAYS),
    };
    let mut place = root.span.clone();
    if let Some(mut section) = root.section("limits", "[limits]", p) {
        limits.calls = section.number("calls", 1..=MAX_MAX_CALLS, DEFAULT_MAX_CALLS, p);
        limits.media_timeout_s =
            section.number("media_timeout", 5..=3_600, DEFAULT_MEDIA_TIMEOUT_S, p);
        let days = section.number("audit_days", 0..=MAX_AUDIT_DAYS, Limits::AUDIT_DAYS, p);
        limits.audit_days = (days != 0).then_some(days);
        place = section.span.clone();
        section.finish(p);
    }
    let pairs = network.rtp_ports.pairs();
    if pairs < limits.calls * MIN_PAIRS_PER_CALL && !network.udp.is_empty() {
        p.warn(
            place,
            format!(
                "{pairs} pairs of RTP ports are few for {} calls: a caller and every ringing phone take one each. \
                 Widen `rtp_ports`, or lower `calls` in [limits].",
                limits.calls
            ),
        );
    }
    limits
}

/// Never used: the file is refused.
fn placeholder() -> Network {
    Network {
        realm: String::new(),
        udp: Vec::new(),
        tcp: Vec::new(),
        advertised: None,
        rtp_ports: DEFAULT_RTP_PORTS,
        metrics: None,
    }
}

fn realm_of(text: &Text<'_>, p: &mut Problems) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if text.value.is_empty() || text.value.len() > 253 || !text.value.chars().all(allowed) {
        p.error(
            text.span.clone(),
            "`realm` must be a host name such as `hotline.example`. Phones show it as their domain.",
        );
    }
    text.value.to_owned()
}

fn advertised(section: &mut Section<'_>, udp: &[SocketAddr], p: &mut Problems) -> Option<IpAddr> {
    let Some(text) = section.text("advertised", p) else {
        if udp.first().is_some_and(|first| first.ip().is_unspecified()) {
            p.error(
                section.span.clone(),
                "`udp` begins with an address that means \"all of this machine\", but callers must be told one. \
                 Add `advertised = \"…\"` with the address that phones and trunks reach.",
            );
        }
        return None;
    };
    let address: Option<IpAddr> = text.value.parse().ok();
    match address {
        Some(address) if !address.is_unspecified() && !address.is_multicast() => Some(address),
        _ => {
            p.error(
                text.span,
                "`advertised` must be the IP address that phones and trunks reach, for example `\"203.0.113.7\"`.",
            );
            None
        }
    }
}

fn port_range(text: &Text<'_>, p: &mut Problems) -> PortRange {
    let range = text.value.split_once('-').and_then(|(first, last)| {
        Some(PortRange {
            first: first.trim().parse().ok()?,
            last: last.trim().parse().ok()?,
        })
    });
    let fits = |range: &PortRange| {
        range.first >= 1024
            && range.first.is_multiple_of(2)
            && range.last % 2 == 1
            && range.first < range.last
    };
    range.filter(fits).unwrap_or_else(|| {
        p.error(
            text.span.clone(),
            "`rtp_ports` must go from an even port (1024 or more) to a higher odd one, for example `\"20000-20999\"`.",
        );
        DEFAULT_RTP_PORTS
    })
}

/// What is listened on, to notice what cannot be at once.
#[derive(Default)]
struct Listening(Vec<(&'static str, SocketAddr)>);

impl Listening {
    fn addresses(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
        p: &mut Problems,
    ) -> Vec<SocketAddr> {
        let texts = section.texts(key, p);
        texts
            .iter()
            .filter_map(|text| self.address(text, key, p))
            .collect()
    }

    fn address(
        &mut self,
        text: &Text<'_>,
        key: &'static str,
        p: &mut Problems,
    ) -> Option<SocketAddr> {
        let with_port = text.value.parse::<SocketAddr>().ok();
        let bare = || text.value.parse::<IpAddr>().ok();
        let address = with_port.or_else(|| Some(SocketAddr::new(bare()?, DEFAULT_SIP_PORT)));
        let Some(address) = address.filter(|address| address.port() != 0) else {
            p.error(
                text.span.clone(),
                format!("`{key}` must be an IP address and a port of this machine, for example `\"192.0.2.10:5060\"`."),
            );
            return None;
        };
        let clash = self
            .0
            .iter()
            .any(|(other, taken)| (*other == "udp") == (key == "udp") && overlap(*taken, address));
        if clash {
            p.error(
                text.span.clone(),
                format!("{address} is listened on twice. Use another port, or remove one."),
            );
        }
        self.0.push((key, address));
        Some(address)
    }

    fn check_range(&self, range: PortRange, span: &Range<usize>, p: &mut Problems) {
        let inside = |address: &SocketAddr| (range.first..=range.last).contains(&address.port());
        for (_, address) in self.0.iter().filter(|(key, a)| *key == "udp" && inside(a)) {
            p.error(
                span.clone(),
                format!(
                    "`rtp_ports` contains port {} of `udp`. Move one of them.",
                    address.port()
                ),
            );
        }
    }
}

fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let all = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && (a.ip() == b.ip() || (all && a.is_ipv4() == b.is_ipv4()))
}
