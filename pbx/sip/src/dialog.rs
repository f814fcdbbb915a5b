//! Dialogs (RFC 3261 12): identity, route set and the order of requests.

use crate::error::ValueError;
use crate::header::{HeaderName, Headers};
use crate::headers::{CallId, MAX_CSEQ};
use crate::message::{Request, Response};
use crate::name_addr::NameAddr;
use crate::uri::Uri;

/// Longest route set that is kept.
pub const MAX_ROUTES: usize = 20;

/// One dialog as one side sees it.
#[derive(Clone)]
pub struct Dialog {
    /// Call-ID.
    pub call_id: CallId,
    /// Our From (as caller) or To (as callee), with our tag.
    pub local: NameAddr,
    /// The peer's address, with its tag; old peers have none.
    pub remote: NameAddr,
    /// Where the peer wants its requests.
    pub target: Uri,
    /// Proxies on the way, nearest first.
    pub routes: Vec<NameAddr>,
    /// Number of our last request.
    pub local_cseq: u32,
    /// Number of the peer's last request.
    pub remote_cseq: Option<u32>,
}

/// Where a request in a dialog goes (RFC 3261 12.2.1.1).
pub struct Routing {
    /// The Request-URI.
    pub uri: Uri,
    /// The Route headers.
    pub routes: Vec<NameAddr>,
}

/// How a request's number stands to those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Higher than all before, or the first.
    InOrder,
    /// Not higher: answer 500.
    OutOfOrder,
}

impl Dialog {
    /// As callee, from the INVITE; `tag` is ours.
    ///
    /// # Errors
    /// When a header that the dialog needs is missing or malformed.
    pub fn from_request(request: &Request, tag: &str) -> Result<Self, ValueError> {
        let headers = request.headers();
        Ok(Self {
            call_id: headers.call_id()?,
            local: headers.to()?.with_tag(tag),
            remote: headers.from()?,
            target: contact(headers)?.ok_or(ValueError::Missing(HeaderName::Contact))?,
            routes: record_routes(headers)?,
            local_cseq: 0,
            remote_cseq: Some(headers.cseq()?.number),
        })
    }

    /// As caller, from a response with a To tag. `request_uri` stands in for a missing Contact.
    ///
    /// # Errors
    /// When a header that the dialog needs is missing or malformed.
    pub fn from_response(
        response: &Response,
        request_uri: Option<&Uri>,
    ) -> Result<Self, ValueError> {
        let headers = response.headers();
        let mut routes = record_routes(headers)?;
        routes.reverse();
        let target = contact(headers)?
            .or_else(|| request_uri.cloned())
            .ok_or(ValueError::Missing(HeaderName::Contact))?;
        Ok(Self {
            call_id: headers.call_id()?,
            local: headers.from()?,
            remote: headers.to()?,
            target,
            routes,
            local_cseq: headers.cseq()?.number,
            remote_cseq: None,
        })
    }

    /// The peer's tag.
    #[must_use]
    pub fn remote_tag(&self) -> Option<&str> {
        self.remote.tag()
    }

    /// Our tag.
    #[must_use]
    pub fn local_tag(&self) -> Option<&str> {
        self.local.tag()
    }

    /// The number of our next request other than ACK.
    pub fn next_cseq(&mut self) -> u32 {
        self.local_cseq = self.local_cseq.wrapping_add(1) & MAX_CSEQ;
        self.local_cseq
    }

    /// Takes note of the number of a request from the peer (RFC 3261 12.2.2).
    pub fn accept_cseq(&mut self, number: u32) -> Order {
        if self.remote_cseq.is_some_and(|last| number <= last) {
            return Order::OutOfOrder;
        }
        self.remote_cseq = Some(number);
        Order::InOrder
    }

    /// A re-INVITE, UPDATE or its 2xx may move the peer (RFC 3261 12.2.1.2).
    pub fn refresh_target(&mut self, headers: &Headers) {
        if let Ok(Some(target)) = contact(headers) {
            self.target = target;
        }
    }

    /// Request-URI and Route of the next request: past loose routers the target stays in the
    /// Request-URI, before a strict router it moves to the end of the routes.
    #[must_use]
    pub fn routing(&self) -> Routing {
        match self.routes.split_first() {
            Some((first, rest)) if !first.uri().is_loose_router() => {
                let mut routes = rest.to_vec();
                routes.push(NameAddr::new(self.target.clone()));
                Routing {
                    uri: first.uri().without_headers(),
                    routes,
                }
            }
            _ => Routing {
                uri: self.target.without_headers(),
                routes: self.routes.clone(),
            },
        }
    }

    /// The URI that says where the next hop is.
    #[must_use]
    pub fn next_hop(&self) -> &Uri {
        self.routes.first().map_or(&self.target, NameAddr::uri)
    }
}

/// The first Contact, unless it is `*`.
fn contact(headers: &Headers) -> Result<Option<Uri>, ValueError> {
    let first = headers.contacts().next().transpose()?;
    Ok(first.and_then(|contact| contact.address().map(|address| address.uri().clone())))
}

fn record_routes(headers: &Headers) -> Result<Vec<NameAddr>, ValueError> {
    headers.record_routes().take(MAX_ROUTES).collect()
}
