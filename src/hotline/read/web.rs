//! `[web]`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;

use crate::hotline::model::{Certificate, Network, PasskeyRule, Web};
use crate::hotline::problem::Problems;
use crate::hotline::section::{Section, Text};
use crate::witness::publish::WitnessAddress;

/// Instead of an address: no web server. Of passkeys: none.
const OFF: &str = "off";
/// Each state of the key log is carried to each of them.
const MAX_WITNESSES: usize = 16;
/// Shorter ones would end a session while somebody listens to a caller; longer ones leave an
/// office's computer open over lunch.
const IDLE_MINUTES: RangeInclusive<u32> = 5..=240;
/// At most a day: whoever takes the device away must meet the PIN.
const UNLOCKED_HOURS: RangeInclusive<u32> = 1..=24;
const SCHEME: &str = "https://";
/// Most characters of an origin: a host name has at most 253.
const MAX_ORIGIN_CHARS: usize = 253 + SCHEME.len() + ":65535".len();

pub(super) fn web(
    root: &mut Section<'_>,
    network: &Network,
    folder: &Path,
    p: &mut Problems,
) -> Web {
    let mut web = Web::default();
    let Some(mut section) = root.section("web", "[web]", p) else {
        return web;
    };
    if let Some(text) = section.text("listen", p) {
        web.listen = listen(&text, network, p);
    }
    if let Some(text) = section.text("origin", p) {
        web.origin = origin(&text, p);
    }
    web.certificate = certificate(&mut section, folder, p);
    web.witnesses = witnesses(&section.texts("witnesses", p), p);
    web.idle_minutes = section.number("idle_minutes", IDLE_MINUTES, Web::IDLE_MINUTES, p);
    web.unlocked_hours = section.number("unlocked_hours", UNLOCKED_HOURS, Web::UNLOCKED_HOURS, p);
    web.passkeys = passkeys(&mut section, p);
    if web.origin.is_none()
        && let Some(listen) = web.listen.filter(|listen| listen.ip().is_unspecified())
    {
        p.error(
            section.span.clone(),
            format!(
                "`listen` is an address that means \"all of this machine\" ({listen}), but browsers need a name. \
                 Add `origin = \"https://…\"` with what they will show."
            ),
        );
    }
    section.finish(p);
    web
}

fn listen(text: &Text<'_>, network: &Network, p: &mut Problems) -> Option<SocketAddr> {
    if text.value == OFF {
        return None;
    }
    let with_port = text.value.parse::<SocketAddr>().ok();
    let bare = || text.value.parse::<IpAddr>().ok();
    let address = with_port.or_else(|| Some(SocketAddr::new(bare()?, Web::DEFAULT_PORT)));
    let Some(address) = address.filter(|address| address.port() != 0) else {
        p.error(
            text.span.clone(),
            "`listen` must be an IP address and a port of this machine, for example `\"192.0.2.10:8443\"`, or `\"off\"`.",
        );
        return None;
    };
    let taken = network.tcp.iter().chain(&network.metrics);
    if taken.into_iter().any(|taken| *taken == address) {
        p.error(
            text.span.clone(),
            format!("{address} is listened on in [network] already. Use another port."),
        );
    }
    Some(address)
}

fn witnesses(texts: &[Text<'_>], p: &mut Problems) -> Vec<WitnessAddress> {
    let mut witnesses: Vec<WitnessAddress> = Vec::new();
    for text in texts {
        match text.value.parse::<WitnessAddress>() {
            Ok(witness) if witnesses.iter().any(|known| known.key == witness.key) => {
                p.error(text.span.clone(), "this witness is named twice. Remove one.");
            }
            Ok(witness) => witnesses.push(witness),
            Err(_) => p.error(
                text.span.clone(),
                "a witness is its key, which `centralita witness` prints, a space, and its address, \
                 for example `\"partner.example+0123abcd+A… https://witness.partner.example\"`.",
            ),
        }
    }
    if let Some(surplus) = texts.get(MAX_WITNESSES) {
        p.error(
            surplus.span.clone(),
            format!("there are more than {MAX_WITNESSES} witnesses. Remove some."),
        );
    }
    witnesses
}

fn passkeys(section: &mut Section<'_>, p: &mut Problems) -> PasskeyRule {
    match section.text("passkeys", p) {
        None => PasskeyRule::default(),
        Some(text) if text.value == "optional" => PasskeyRule::Optional,
        Some(text) if text.value == OFF => PasskeyRule::Off,
        Some(text) => {
            p.error(text.span, "`passkeys` must be \"optional\" or \"off\".");
            PasskeyRule::default()
        }
    }
}

fn certificate(section: &mut Section<'_>, folder: &Path, p: &mut Problems) -> Option<Certificate> {
    let span = section.span.clone();
    match (section.text("certificate", p), section.text("key", p)) {
        (Some(chain), Some(key)) => Some(Certificate {
            chain: folder.join(chain.value),
            key: folder.join(key.value),
        }),
        (None, None) => None,
        _ => {
            p.error(
                span,
                "[web] has only one of `certificate` and `key`. Give both, or neither for a certificate of the server's own.",
            );
            None
        }
    }
}

/// Scheme, host and port, as a browser writes them.
fn origin(text: &Text<'_>, p: &mut Problems) -> Option<String> {
    let fits = |rest: &str| {
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !rest.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        let host_fits = match bracketed {
            Some(host) => host.parse::<Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(plain),
        };
        let port_fits = port.is_none_or(|port| {
            // 443 is never written.
            port.parse::<u16>()
                .is_ok_and(|number| number != 443 && number.to_string() == port)
        });
        host_fits && port_fits
    };
    let rest = text.value.strip_prefix(SCHEME).filter(|rest| fits(rest));
    if rest.is_none() || text.value.len() > MAX_ORIGIN_CHARS {
        p.error(
            text.span.clone(),
            "`origin` must be what browsers show before the path, in lower case, for example `\"https://panel.hotline.example\"`.",
        );
        return None;
    }
    Some(text.value.to_owned())
}
