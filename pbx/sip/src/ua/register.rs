//! REGISTER from phones (RFC 3261 10.3).

use std::time::{Duration, Instant};

use super::UserAgent;
use super::receive::Received;
use crate::header::{HeaderName, ParseValue as _};
use crate::headers::ContactValue;
use crate::message::Request;
use crate::name_addr::NameAddr;
use crate::registrar::{
    ContactUpdate, Contacts, Lifetimes, MAX_VALUE_LEN, RegisterError, Registration,
};
use crate::text::Text;

use super::{Account, Binding};

/// What is kept of a `User-Agent`: whatever its characters, no more bytes than of other values.
const MAX_USER_AGENT_CHARS: usize = MAX_VALUE_LEN / 4;

impl UserAgent {
    pub(super) fn receive_register(&mut self, received: &Received<'_>, now: Instant) {
        let request = received.request;
        let Ok(to) = request.headers().to() else {
            return;
        };
        let user = to.uri().user_decoded();
        let user = user.as_ref().map(|user| user.reveal()).unwrap_or_default();
        let Some(account) = self.authenticate(received, user, now) else {
            return;
        };
        let Some(registration) = registration(received, account.clone()) else {
            self.reply_stateless(request, &received.path, 400, now);
            return;
        };
        let lifetimes = Lifetimes {
            min: self.config.min_expires,
            max: self.config.max_expires,
        };
        let server = self.start_server(request, received.key, received.path);
        match self.registrar.register(registration, lifetimes, now) {
            Ok(changes) => {
                self.report(changes);
                let response = self.registered(request, &account, now);
                self.send_in(server, 200, response, now);
            }
            Err(RegisterError::TooBrief) => {
                let min = u32::try_from(lifetimes.min.as_secs()).unwrap_or(u32::MAX);
                let response = self
                    .response(request, 423, None)
                    .header(HeaderName::MinExpires, &min)
                    .build();
                self.send_in(server, 423, response, now);
            }
            Err(error) => {
                let status = match error {
                    RegisterError::Full => 503,
                    RegisterError::TooLarge => 403,
                    RegisterError::Unprintable => 400,
                    RegisterError::OutOfOrder | RegisterError::TooBrief => 500,
                };
                self.refuse_in(server, request, status, now);
            }
        }
    }

    /// 200 with all contacts of the account and what is left of their time.
    fn registered(&self, request: &Request, account: &Account, now: Instant) -> bytes::Bytes {
        let tag = self
            .ids
            .stateless_tag(account.0.as_bytes(), request.uri().reveal().as_bytes());
        let mut builder = self.response(request, 200, Some(&tag));
        for binding in self.registrar.of_account(account) {
            if let Some(contact) = listed(binding, now) {
                builder = builder.header(HeaderName::Contact, &contact);
            }
        }
        builder
            .copy(request.headers(), HeaderName::Path)
            .header(HeaderName::Supported, super::request::SUPPORTED)
            .build()
    }
}

fn listed(binding: &Binding, now: Instant) -> Option<NameAddr> {
    let uri = crate::uri::Uri::parse(&Text::from(binding.contact.as_str())).ok()?;
    let left = binding.expires_at.saturating_duration_since(now).as_secs();
    let mut contact = NameAddr::new(uri).with_param("expires", &left.to_string());
    if let Some(instance) = &binding.instance {
        contact = contact.with_param("+sip.instance", &format!("<{instance}>"));
    }
    if let Some(reg_id) = binding.reg_id {
        contact = contact.with_param("reg-id", &reg_id.to_string());
    }
    Some(contact)
}

/// What a REGISTER asks; `None` when its contacts make no sense.
fn registration(received: &Received<'_>, account: Account) -> Option<Registration> {
    let headers = received.request.headers();
    let user_agent = headers.get(HeaderName::UserAgent).map(|line| {
        let text = line.text();
        let shown = text.reveal().chars().filter(|c| !c.is_control());
        shown.take(MAX_USER_AGENT_CHARS).collect()
    });
    let path: Result<Vec<String>, _> = headers
        .all(HeaderName::Path)
        .map(|text| NameAddr::parse(&text).map(|_| text.reveal().to_owned()))
        .collect();
    Some(Registration {
        account,
        call_id: headers.call_id().ok()?.as_str().to_owned(),
        cseq: headers.cseq().ok()?.number,
        path: path.ok()?,
        flow: received.flow,
        user_agent,
        contacts: contacts(received.request)?,
    })
}

fn contacts(request: &Request) -> Option<Contacts> {
    let headers = request.headers();
    let default = headers.expires().ok()?.map(|expires| expires.0);
    let contacts: Result<Vec<ContactValue>, _> = headers.contacts().collect();
    let contacts = contacts.ok()?;
    if contacts.is_empty() {
        return Some(Contacts::Query);
    }
    if contacts.contains(&ContactValue::Star) {
        let alone = contacts.len() == 1 && default == Some(0);
        return alone.then_some(Contacts::RemoveAll);
    }
    let mut updates = Vec::with_capacity(contacts.len());
    for contact in &contacts {
        let uri = contact.address()?.uri();
        if !uri.is_sip() {
            return None;
        }
        let expires = contact.expires().map(|expires| expires.0).or(default);
        updates.push(ContactUpdate {
            uri: uri.reveal().to_owned(),
            expires: expires.map(|seconds| Duration::from_secs(u64::from(seconds))),
            instance: contact.instance().map(std::borrow::Cow::into_owned),
            reg_id: contact.reg_id(),
        });
    }
    Some(Contacts::Update(updates))
}
