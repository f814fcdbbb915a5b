//! The headers that every element asks for, by type.

use super::{HeaderName, Headers, Mandatory, ParseValue as _};
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
        self.mandatory().from.clone()
    }

    /// To.
    ///
    /// # Errors
    /// When it is missing, repeated or malformed.
    pub fn to(&self) -> Result<NameAddr, ValueError> {
        self.mandatory().to.clone()
    }

    /// Call-ID.
    ///
    /// # Errors
    /// When it is missing, repeated or malformed.
    pub fn call_id(&self) -> Result<CallId, ValueError> {
        self.mandatory().call_id.clone()
    }

    /// CSeq.
    ///
    /// # Errors
    /// When it is missing, repeated, malformed or out of range.
    pub fn cseq(&self) -> Result<CSeq, ValueError> {
        self.mandatory().cseq.clone()
    }

    /// The topmost Via.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn top_via(&self) -> Result<Via, ValueError> {
        self.mandatory().top_via.clone()
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

    /// The topmost Via, if there is a well-formed one.
    pub(crate) fn known_top_via(&self) -> Option<&Via> {
        self.mandatory().top_via.as_ref().ok()
    }

    /// From, if there is a well-formed one.
    pub(crate) fn known_from(&self) -> Option<&NameAddr> {
        self.mandatory().from.as_ref().ok()
    }

    /// To, if there is a well-formed one.
    pub(crate) fn known_to(&self) -> Option<&NameAddr> {
        self.mandatory().to.as_ref().ok()
    }

    /// Via, From, To, Call-ID and CSeq are there and well-formed.
    pub(crate) fn check_mandatory(&self) -> Result<(), ValueError> {
        let known = self.mandatory();
        known.top_via.as_ref().map_err(|error| *error)?;
        for via in self.elements(HeaderName::Via).skip(1) {
            Via::parse(&via).map_err(|error| error.within(HeaderName::Via))?;
        }
        known.from.as_ref().map_err(|error| *error)?;
        known.to.as_ref().map_err(|error| *error)?;
        known.call_id.as_ref().map_err(|error| *error)?;
        known.cseq.as_ref().map(drop).map_err(|error| *error)
    }

    fn mandatory(&self) -> &Mandatory {
        self.mandatory.get_or_init(|| {
            let no_via = Err(ValueError::Missing(HeaderName::Via));
            Box::new(Mandatory {
                top_via: self.vias().next().unwrap_or(no_via),
                from: self.require(HeaderName::From),
                to: self.require(HeaderName::To),
                call_id: self.require(HeaderName::CallId),
                cseq: self.require(HeaderName::CSeq),
            })
        })
    }
}
