//! The headers that every element asks for, by type.

use super::{HeaderName, Headers};
use crate::error::ValueError;
use crate::headers::{CSeq, CallId, ContactValue, ContentType, Expires, MaxForwards, Token};
use crate::name_addr::NameAddr;
use crate::via::Via;

impl Headers {
    /// From.
    ///
    /// # Errors
    /// When it is missing, repeated or malformed.
    pub fn from(&self) -> Result<NameAddr, ValueError> {
        self.require(HeaderName::From)
    }

    /// To.
    ///
    /// # Errors
    /// When it is missing, repeated or malformed.
    pub fn to(&self) -> Result<NameAddr, ValueError> {
        self.require(HeaderName::To)
    }

    /// Call-ID.
    ///
    /// # Errors
    /// When it is missing, repeated or malformed.
    pub fn call_id(&self) -> Result<CallId, ValueError> {
        self.require(HeaderName::CallId)
    }

    /// CSeq.
    ///
    /// # Errors
    /// When it is missing, repeated, malformed or out of range.
    pub fn cseq(&self) -> Result<CSeq, ValueError> {
        self.require(HeaderName::CSeq)
    }

    /// The topmost Via.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn top_via(&self) -> Result<Via, ValueError> {
        self.vias()
            .next()
            .unwrap_or(Err(ValueError::Missing(HeaderName::Via)))
    }

    /// All Vias, topmost first.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via, ValueError>> {
        self.parse_all(HeaderName::Via)
    }

    /// All Contacts.
    pub fn contacts(&self) -> impl Iterator<Item = Result<ContactValue, ValueError>> {
        self.parse_all(HeaderName::Contact)
    }

    /// All Routes, topmost first.
    pub fn routes(&self) -> impl Iterator<Item = Result<NameAddr, ValueError>> {
        self.parse_all(HeaderName::Route)
    }

    /// All Record-Routes, topmost first.
    pub fn record_routes(&self) -> impl Iterator<Item = Result<NameAddr, ValueError>> {
        self.parse_all(HeaderName::RecordRoute)
    }

    /// Max-Forwards.
    ///
    /// # Errors
    /// When it is malformed or above 255.
    pub fn max_forwards(&self) -> Result<Option<MaxForwards>, ValueError> {
        self.parse(HeaderName::MaxForwards)
    }

    /// Expires.
    ///
    /// # Errors
    /// When it is no number.
    pub fn expires(&self) -> Result<Option<Expires>, ValueError> {
        self.parse(HeaderName::Expires)
    }

    /// Content-Type.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn content_type(&self) -> Result<Option<ContentType>, ValueError> {
        self.parse(HeaderName::ContentType)
    }

    /// The tokens of Supported, Require, Allow and the like; what is no token is left out.
    pub fn tokens(&self, name: HeaderName) -> impl Iterator<Item = Token> {
        self.parse_all(name).filter_map(Result::ok)
    }

    /// Whether a token list holds this token, without case.
    #[must_use]
    pub fn has_token(&self, name: HeaderName, token: &str) -> bool {
        self.tokens(name).any(|other| other.is(token))
    }
}
