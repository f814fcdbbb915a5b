//! `[[trunk]]`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::{Names, new_id, read_limited};
use crate::hotline::model::{Transport, Trunk};
use crate::hotline::problem::Problems;
use crate::hotline::secret::Number;
use crate::hotline::secret::Secret;
use crate::hotline::section::Section;

const DEFAULT_PORT: u32 = 5060;
const DEFAULT_EXPIRES_S: u32 = 300;
const MAX_PASSWORD_FILE_BYTES: u64 = 4_096;

pub(super) fn trunks(
    root: &mut Section<'_>,
    names: &mut Names,
    p: &mut Problems,
) -> BTreeMap<String, Trunk> {
    let mut trunks = BTreeMap::new();
    for mut section in root.sections("trunk", p) {
        let name = new_id(&mut section, "name", "trunk", &mut names.trunks, p);
        let trunk = kind(&mut section, names, p);
        section.finish(p);
        trunks.extend(name.zip(trunk));
    }
    trunks
}

fn kind(section: &mut Section<'_>, names: &Names, p: &mut Problems) -> Option<Trunk> {
    let kind = section.required_text("kind", "address", p)?;
    match kind.value {
        "address" => Some(by_address(section, p)),
        "register" => by_registration(section, names, p),
        other => {
            p.error(
                kind.span,
                format!("\"{other}\" is not a kind of trunk. Use \"address\" (the carrier calls us from known addresses) or \"register\" (we log in to the carrier)."),
            );
            // Their keys are right for one of the kinds; the kind alone is reported.
            section.skip(&["peers", "host", "port", "transport", "user"]);
            section.skip(&["password", "password_file", "expires"]);
            None
        }
    }
}

fn by_address(section: &mut Section<'_>, p: &mut Problems) -> Trunk {
    let texts = section.texts("peers", p);
    if texts.is_empty() {
        p.error(
            section.span.clone(),
            format!("{} has no `peers`. Add the addresses from which the carrier calls, for example `peers = [\"192.0.2.20\"]`.", section.name),
        );
    }
    let mut peers = Vec::new();
    for text in texts {
        let any_port = || Some(SocketAddr::new(text.value.parse::<IpAddr>().ok()?, 0));
        match text.value.parse().ok().or_else(any_port) {
            Some(peer) if !peers.contains(&peer) && !peer.ip().is_unspecified() => peers.push(peer),
            Some(_) => p.error(
                text.span,
                "this peer is listed twice, or means every address. Name each gateway of the carrier once.",
            ),
            None => p.error(
                text.span,
                format!("\"{}\" is not an IP address. Trunks by address need `192.0.2.20` or `192.0.2.20:5060`; ask the carrier for its addresses.", text.value),
            ),
        }
    }
    Trunk::Address { peers }
}

fn by_registration(section: &mut Section<'_>, names: &Names, p: &mut Problems) -> Option<Trunk> {
    let host = section.required_text("host", "sip.carrier.example", p);
    let user = section.required_text("user", "account", p);
    let port = section.number("port", 1..=65_535, DEFAULT_PORT, p);
    let expires_s = section.number("expires", 60..=3_600, DEFAULT_EXPIRES_S, p);
    let transport = transport(section, p);
    let password = password(section, names, p);
    let number = number(section, names, p);
    if let Some(host) = host.as_ref().filter(|host| !is_host(host.value)) {
        p.error(
            host.span.clone(),
            "`host` must be a host name or an IP address, without `sip:` and without a port.",
        );
    }
    if let Some(user) = user.as_ref()
        && (user.value.is_empty()
            || user
                .value
                .chars()
                .any(|c| c.is_control() || c.is_whitespace()))
    {
        p.error(
            user.span.clone(),
            "`user` must be the account's name at the carrier, without spaces.",
        );
    }
    Some(Trunk::Register {
        host: host?.value.to_owned(),
        port: u16::try_from(port).ok()?,
        transport,
        user: user?.value.to_owned(),
        password: password?,
        expires_s,
        number,
    })
}

/// The number that calls are for when the carrier names none of ours.
fn number(section: &mut Section<'_>, names: &Names, p: &mut Problems) -> Option<Number> {
    let text = section.text("number", p)?;
    let number = Number::try_from(text.value.to_owned()).ok();
    let known = number.filter(|number| names.numbers.contains_key(&number.to_string()));
    if known.is_none() {
        p.error(
            text.span,
            format!(
                "\"{}\" is not a number of any hub. Name one of a hub's `numbers`.",
                text.value
            ),
        );
    }
    known
}

fn is_host(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let name = !text.is_empty() && text.len() <= 253 && text.chars().all(allowed);
    name || text.parse::<IpAddr>().is_ok()
}

fn transport(section: &mut Section<'_>, p: &mut Problems) -> Transport {
    match section.text("transport", p) {
        None => Transport::Udp,
        Some(text) if text.value == "udp" => Transport::Udp,
        Some(text) if text.value == "tcp" => Transport::Tcp,
        Some(text) => {
            p.error(text.span, "`transport` must be \"udp\" or \"tcp\".");
            Transport::Udp
        }
    }
}

fn password(section: &mut Section<'_>, names: &Names, p: &mut Problems) -> Option<Secret> {
    let inline = section.text("password", p);
    let file = section.text("password_file", p);
    match (inline, file) {
        (Some(password), None) => Some(Secret::new(password.value)),
        (None, Some(file)) => {
            let path = names.folder.join(file.value);
            let text = read_limited(&path, MAX_PASSWORD_FILE_BYTES)
                .map_err(|error| error.to_string())
                .and_then(|bytes| {
                    String::from_utf8(bytes).map_err(|_| "it is not text".to_owned())
                });
            match text {
                Ok(text) => Some(Secret::new(text.trim_end_matches(['\r', '\n']))),
                Err(reason) => {
                    p.error(
                        file.span,
                        format!("the password file {} cannot be read: {reason}. Check its name and rights.", path.display()),
                    );
                    None
                }
            }
        }
        _ => {
            p.error(
                section.span.clone(),
                format!(
                    "{} needs either `password` or `password_file`.",
                    section.name
                ),
            );
            None
        }
    }
}
