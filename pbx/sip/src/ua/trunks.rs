//! Registering with carriers (RFC 3261 10.2, RFC 5626 4.5, RFC 8760 2.4).

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::auth::parse_params;
use super::clients::{ClientId, Owner};
use super::request::SUPPORTED;
use super::trunk::{Answering, TrunkPhase, TrunkRegistration};
use super::{ConnectionId, Flow, TimerKey, UaEvent, UserAgent};
use crate::build::RequestBuilder;
use crate::digest::{Credentials, choose_challenge};
use crate::header::HeaderName;
use crate::headers::{CSeq, CallId, Expires, MaxForwards, RetryAfter};
use crate::message::{Method, Response};
use crate::name_addr::NameAddr;
use crate::transaction::ClientKind;

/// How long the addresses of a registrar may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(30);
/// Keep-alives hold the binding in NATs on the way (RFC 5626 4.4).
const UDP_KEEP_ALIVE: Duration = Duration::from_secs(25);
const TCP_KEEP_ALIVE: Duration = Duration::from_secs(90);
const KEEP_ALIVE: &[u8] = b"\r\n\r\n";
/// Challenges that are answered before a password counts as wrong: one, and
/// one more for a nonce that was too old.
const MAX_ANSWERED: u8 = 2;
/// Random waits are picked in steps of this.
const STEP: Duration = Duration::from_millis(10);
/// Wait after the connection to a registrar broke, before jitter.
const RECONNECT_WAIT: Duration = Duration::from_secs(4);
/// A carrier cannot make us wait longer than this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

impl UserAgent {
    /// Starts and ends registrations so that they are those of the settings.
    pub(super) fn sync_trunks(&mut self, now: Instant) {
        let wanted = self.config.trunks.clone();
        let unwanted: Vec<u64> = self
            .trunks
            .iter()
            .filter(|(_, known)| !wanted.iter().any(|trunk| known.is_for(trunk)))
            .map(|(id, _)| *id)
            .collect();
        for id in unwanted {
            self.leave_trunk(id, now);
        }
        for trunk in &wanted {
            if self.trunks.values().any(|known| known.is_for(trunk)) {
                continue;
            }
            let (contact_user, call_id, tag) =
                (self.ids.contact_user(), self.ids.call_id(), self.ids.tag());
            if let Some(new) = TrunkRegistration::new(trunk, contact_user, call_id, tag) {
                self.last_trunk += 1;
                let id = self.last_trunk;
                self.trunks.insert(id, new);
                self.locate_trunk(id, now);
            }
        }
    }

    pub(super) fn unregister_trunks(&mut self, now: Instant) {
        let ids: Vec<u64> = self.trunks.keys().copied().collect();
        for id in ids {
            self.leave_trunk(id, now);
        }
    }

    pub(super) fn trunks_use(&self, connection: ConnectionId) -> bool {
        self.trunks.values().any(|trunk| trunk.uses(connection))
    }

    /// Finds the registrar's addresses, then registers.
    fn locate_trunk(&mut self, id: u64, now: Instant) {
        let Some(trunk) = self.trunks.get_mut(&id) else {
            return;
        };
        if let Ok(ip) = trunk.host.parse::<IpAddr>() {
            trunk.resolved(&[SocketAddr::new(ip, trunk.port)]);
            self.register_trunk(id, now);
            return;
        }
        trunk.phase = TrunkPhase::Resolving;
        let (host, port) = (trunk.host.clone(), trunk.port);
        self.transport.resolve(host, port);
        self.timers
            .set(TimerKey::Trunk(id), Some(now + RESOLVE_TIMEOUT));
    }

    pub(super) fn trunk_resolved(&mut self, host: &str, addresses: &[SocketAddr], now: Instant) {
        let local = self.config.default_local;
        let waiting: Vec<u64> = self
            .trunks
            .iter()
            .filter(|(_, trunk)| trunk.phase == TrunkPhase::Resolving && trunk.host == host)
            .map(|(id, _)| *id)
            .collect();
        for id in waiting {
            let Some(trunk) = self.trunks.get_mut(&id) else {
                continue;
            };
            let usable: Vec<SocketAddr> = addresses
                .iter()
                .filter_map(|address| reachable_from(local, *address))
                .collect();
            trunk.resolved(&usable);
            self.register_trunk(id, now);
        }
    }

    /// Refresh, retry, or the end of patience with a name server.
    pub(super) fn trunk_timeout(&mut self, id: u64, now: Instant) {
        match self.trunks.get(&id).map(|trunk| trunk.phase) {
            Some(TrunkPhase::Resolving) => self.trunk_failed(id, None, None, now),
            Some(TrunkPhase::Registered) => self.register_trunk(id, now),
            Some(TrunkPhase::Waiting) => self.locate_trunk(id, now),
            Some(TrunkPhase::Registering(_) | TrunkPhase::Leaving) | None => {}
        }
    }

    fn register_trunk(&mut self, id: u64, now: Instant) {
        let Some(expires) = self.trunks.get(&id).map(|trunk| trunk.expires) else {
            return;
        };
        match self.send_register(id, expires, now) {
            Some(client) => {
                if let Some(trunk) = self.trunks.get_mut(&id) {
                    trunk.phase = TrunkPhase::Registering(client);
                }
                self.timers.set(TimerKey::Trunk(id), None);
            }
            None => self.trunk_failed(id, None, None, now),
        }
    }

    /// Ends a registration: at once when there is none, else with a REGISTER.
    fn leave_trunk(&mut self, id: u64, now: Instant) {
        let Some(trunk) = self.trunks.get_mut(&id) else {
            return;
        };
        if trunk.phase == TrunkPhase::Leaving {
            return;
        }
        self.timers.set(TimerKey::Trunk(id), None);
        self.timers.set(TimerKey::TrunkKeepAlive(id), None);
        trunk.phase = TrunkPhase::Leaving;
        trunk.answered = 0;
        let was_registered = std::mem::take(&mut trunk.registered);
        if was_registered {
            self.tell_trunk(id, None);
        }
        if !was_registered || self.send_register(id, Duration::ZERO, now).is_none() {
            self.trunks.remove(&id);
        }
    }

    fn send_register(&mut self, id: u64, expires: Duration, now: Instant) -> Option<ClientId> {
        let flow = self.trunk_flow(id, now)?;
        let branch = self.new_branch();
        let cnonce = self.ids.cnonce();
        let trunk = self.trunks.get_mut(&id)?;
        trunk.flow = Some(flow);
        trunk.cseq += 1;
        let request = self.register_request(id, expires, &flow, &branch.text, &cnonce)?;
        let (kind, owner) = (ClientKind::NonInvite, Owner::Trunk(id));
        Some(self.start_client(branch, kind, owner, flow, request, now))
    }

    /// The flow that the registration uses, or a new one to the chosen address.
    fn trunk_flow(&mut self, id: u64, now: Instant) -> Option<Flow> {
        let trunk = self.trunks.get(&id)?;
        if let Some(flow) = trunk.flow.filter(|flow| self.transport.is_usable(flow)) {
            return Some(flow);
        }
        let remote = *trunk.addresses.get(trunk.chosen)?;
        let local = self.config.default_local;
        if trunk.tcp {
            self.open_connection(local, remote, now)
        } else {
            Some(Flow::Udp { local, remote })
        }
    }

    fn register_request(
        &mut self,
        id: u64,
        expires: Duration,
        flow: &Flow,
        branch: &str,
        cnonce: &str,
    ) -> Option<Bytes> {
        let via = self.via(flow, branch);
        let trunk = self.trunks.get(&id)?;
        let contact = NameAddr::new(self.contact_uri(trunk.contact_user(), flow));
        let seconds = u32::try_from(expires.as_secs()).unwrap_or(u32::MAX);
        let uri = trunk.registrar_uri()?;
        let aor = NameAddr::new(trunk.aor()?);
        let method = Method::Register;
        let mut builder = RequestBuilder::new(&method, &uri)
            .header(HeaderName::Via, &via)
            .header(HeaderName::MaxForwards, &MaxForwards::DEFAULT)
            .header(HeaderName::From, &aor.clone().with_tag(&trunk.tag))
            .header(HeaderName::To, &aor)
            .header(HeaderName::CallId, &CallId::new(&trunk.call_id).ok()?)
            .header(
                HeaderName::CSeq,
                &CSeq {
                    number: trunk.cseq,
                    method: method.clone(),
                },
            )
            .header(
                HeaderName::Contact,
                &contact.with_param("expires", &seconds.to_string()),
            )
            .header(HeaderName::Expires, &Expires(seconds))
            .header(HeaderName::Supported, SUPPORTED)
            .header(HeaderName::UserAgent, self.config.product.as_str());
        let trunk = self.trunks.get_mut(&id)?;
        if let Some(answering) = &mut trunk.challenge {
            answering.count += 1;
            let (count, proxy) = (answering.count, answering.proxy);
            let challenge = answering.challenge.clone();
            let credentials = Credentials {
                user: &trunk.user,
                password: trunk.password(),
            };
            let answer =
                challenge.answer(credentials, method.as_str(), uri.reveal(), count, cnonce);
            let name = if proxy {
                HeaderName::ProxyAuthorization
            } else {
                HeaderName::Authorization
            };
            builder = builder.header(name, &answer);
        }
        Some(builder.build())
    }

    pub(super) fn trunk_response(
        &mut self,
        id: u64,
        client: ClientId,
        response: &Response,
        now: Instant,
    ) {
        let Some(trunk) = self.trunks.get(&id) else {
            return;
        };
        let status = response.status().code();
        match (trunk.phase, status) {
            (_, ..200) => {}
            (TrunkPhase::Leaving, 401 | 407) => {
                let again = self.take_challenge(id, response, status)
                    && self.send_register(id, Duration::ZERO, now).is_some();
                if !again {
                    self.trunks.remove(&id);
                }
            }
            (TrunkPhase::Leaving, _) => {
                self.trunks.remove(&id);
            }
            (TrunkPhase::Registering(of), _) if of != client => {}
            (_, 200..300) => self.trunk_registered(id, response, now),
            (_, 401 | 407) => {
                if self.take_challenge(id, response, status) {
                    self.register_trunk(id, now);
                } else {
                    self.trunk_failed(id, Some(status), None, now);
                }
            }
            (_, 423) if self.lengthen(id, response) => self.register_trunk(id, now),
            _ => {
                let wait = response
                    .headers()
                    .parse::<RetryAfter>(HeaderName::RetryAfter)
                    .ok()
                    .flatten()
                    .map(|wait| Duration::from_secs(u64::from(wait.0)).min(MAX_RETRY_AFTER));
                self.trunk_failed(id, Some(status), wait, now);
            }
        }
    }

    /// Picks the challenge to answer; `false` when the last answer was wrong.
    fn take_challenge(&mut self, id: u64, response: &Response, status: u16) -> bool {
        let proxy = status == 407;
        let name = if proxy {
            HeaderName::ProxyAuthenticate
        } else {
            HeaderName::WwwAuthenticate
        };
        let headers = response.headers();
        let offered = headers
            .lines(name)
            .filter_map(|line| parse_params(&line.text()));
        let (Some(challenge), Some(trunk)) = (choose_challenge(offered), self.trunks.get_mut(&id))
        else {
            return false;
        };
        // A refresh may meet a new nonce without `stale`: count answers, not challenges.
        let first = trunk.answered == 0;
        if trunk.answered >= MAX_ANSWERED || !(first || challenge.stale) {
            return false;
        }
        trunk.answered += 1;
        trunk.challenge = Some(Answering {
            challenge,
            count: 0,
            proxy,
        });
        true
    }

    /// 423: asks for what the carrier wants at least; `false` when that is no more than we asked.
    fn lengthen(&mut self, id: u64, response: &Response) -> bool {
        let min = response
            .headers()
            .parse::<Expires>(HeaderName::MinExpires)
            .ok()
            .flatten();
        let (Some(min), Some(trunk)) = (min, self.trunks.get_mut(&id)) else {
            return false;
        };
        let min = Duration::from_secs(u64::from(min.0));
        let longer = min > trunk.expires;
        if longer {
            trunk.expires = min;
        }
        longer
    }

    fn trunk_registered(&mut self, id: u64, response: &Response, now: Instant) {
        let Some(trunk) = self.trunks.get_mut(&id) else {
            return;
        };
        trunk.phase = TrunkPhase::Registered;
        trunk.answered = 0;
        trunk.failures = 0;
        let news = !std::mem::replace(&mut trunk.registered, true);
        let granted = granted(response, trunk.contact_user()).unwrap_or(trunk.expires);
        let keep_alive = if trunk.tcp {
            TCP_KEEP_ALIVE
        } else {
            UDP_KEEP_ALIVE
        };
        // Refresh after 80 % to 90 % of the time.
        let granted = granted.max(Duration::from_secs(10));
        let wait = granted * 8 / 10 + self.ids.duration(granted / 10, STEP);
        self.timers.set(TimerKey::Trunk(id), Some(now + wait));
        self.timers
            .set(TimerKey::TrunkKeepAlive(id), Some(now + keep_alive));
        if news {
            self.tell_trunk(id, Some(response.status().code()));
        }
    }

    /// A try has failed: the next address at once, or all of them again later.
    fn trunk_failed(
        &mut self,
        id: u64,
        status: Option<u16>,
        retry_after: Option<Duration>,
        now: Instant,
    ) {
        let Some(trunk) = self.trunks.get_mut(&id) else {
            return;
        };
        trunk.answered = 0;
        trunk.challenge = None;
        let elsewhere = status.is_none_or(|status| status >= 500);
        if elsewhere && trunk.next_address() {
            self.register_trunk(id, now);
            return;
        }
        trunk.phase = TrunkPhase::Waiting;
        trunk.failures = trunk.failures.saturating_add(1);
        trunk.registered = false;
        let bound = trunk.back_off();
        let jittered = bound / 2 + self.ids.duration(bound / 2, STEP);
        let wait = retry_after.unwrap_or_default().max(jittered);
        self.timers.set(TimerKey::Trunk(id), Some(now + wait));
        self.timers.set(TimerKey::TrunkKeepAlive(id), None);
        self.tell_trunk(id, status);
    }

    pub(super) fn trunk_timed_out(&mut self, id: u64, client: ClientId, now: Instant) {
        match self.trunks.get(&id).map(|trunk| trunk.phase) {
            Some(TrunkPhase::Leaving) => {
                self.trunks.remove(&id);
            }
            Some(TrunkPhase::Registering(of)) if of == client => {
                self.trunk_failed(id, None, None, now);
            }
            _ => {}
        }
    }

    pub(super) fn trunk_keep_alive(&mut self, id: u64, now: Instant) {
        let Some(trunk) = self.trunks.get(&id) else {
            return;
        };
        let Some(flow) = trunk.flow else {
            return;
        };
        let every = if trunk.tcp {
            TCP_KEEP_ALIVE
        } else {
            UDP_KEEP_ALIVE
        };
        self.transport
            .send(&flow, Bytes::from_static(KEEP_ALIVE), now);
        self.timers
            .set(TimerKey::TrunkKeepAlive(id), Some(now + every));
    }

    /// The connection of a registration is gone: calls cannot arrive any more.
    pub(super) fn trunk_connection_lost(&mut self, connection: ConnectionId, now: Instant) {
        let lost: Vec<u64> = self
            .trunks
            .iter()
            .filter(|(_, trunk)| trunk.uses(connection))
            .map(|(id, _)| *id)
            .collect();
        for id in lost {
            let Some(trunk) = self.trunks.get_mut(&id) else {
                continue;
            };
            trunk.flow = None;
            if trunk.phase != TrunkPhase::Registered {
                continue;
            }
            trunk.phase = TrunkPhase::Waiting;
            trunk.registered = false;
            let wait = RECONNECT_WAIT / 2 + self.ids.duration(RECONNECT_WAIT / 2, STEP);
            self.timers.set(TimerKey::Trunk(id), Some(now + wait));
            self.timers.set(TimerKey::TrunkKeepAlive(id), None);
            self.tell_trunk(id, None);
        }
    }

    fn tell_trunk(&mut self, id: u64, status: Option<u16>) {
        if let Some(trunk) = self.trunks.get(&id) {
            let event = UaEvent::TrunkState {
                trunk: trunk.name().to_owned(),
                registered: trunk.registered,
                status,
            };
            self.emit(event);
        }
    }
}

/// The address in the family of our socket, if there is such a form of it.
fn reachable_from(local: SocketAddr, address: SocketAddr) -> Option<SocketAddr> {
    match (local, address.ip().to_canonical()) {
        (SocketAddr::V4(_), IpAddr::V4(v4)) => Some((v4, address.port()).into()),
        (SocketAddr::V4(_), IpAddr::V6(_)) => None,
        (SocketAddr::V6(_), IpAddr::V4(v4)) => Some((v4.to_ipv6_mapped(), address.port()).into()),
        (SocketAddr::V6(_), IpAddr::V6(_)) => Some(address),
    }
}

/// How long our contact is registered, as the 200 says (RFC 3261 10.2.4).
fn granted(response: &Response, contact_user: &str) -> Option<Duration> {
    let headers = response.headers();
    let own = headers.contacts().filter_map(Result::ok).find(|contact| {
        contact
            .address()
            .and_then(|address| address.uri().user())
            .is_some_and(|user| user.reveal() == contact_user)
    });
    let seconds = own
        .and_then(|contact| contact.expires())
        .or_else(|| headers.expires().ok().flatten())?;
    Some(Duration::from_secs(u64::from(seconds.0)))
}
