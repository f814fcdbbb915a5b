//! Request methods.

use std::fmt;

use crate::error::ValueError;
use crate::header::ParseValue;
use crate::scan;
use crate::text::{Encode, Text};

macro_rules! methods {
    ($($variant:ident = $text:literal, $source:literal;)+) => {
        /// A request method. Methods are case-sensitive (RFC 3261 section 7.1).
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Method {
            $(#[doc = concat!("`", $text, "`, ", $source)] $variant,)+
            /// Any other token.
            Other(Text),
        }

        impl Method {
            /// The method as it stands in a message.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(text) => text.as_str(),
                }
            }

            fn known(text: &[u8]) -> Option<Self> {
                $(if text == $text.as_bytes() { return Some(Self::$variant); })+
                None
            }
        }
    };
}

methods! {
    Invite = "INVITE", "RFC 3261";
    Ack = "ACK", "RFC 3261";
    Bye = "BYE", "RFC 3261";
    Cancel = "CANCEL", "RFC 3261";
    Register = "REGISTER", "RFC 3261";
    Options = "OPTIONS", "RFC 3261";
    Prack = "PRACK", "RFC 3262";
    Update = "UPDATE", "RFC 3311";
    Refer = "REFER", "RFC 3515";
    Notify = "NOTIFY", "RFC 6665";
    Subscribe = "SUBSCRIBE", "RFC 6665";
    Info = "INFO", "RFC 6086";
    Message = "MESSAGE", "RFC 3428";
    Publish = "PUBLISH", "RFC 3903";
}

impl Method {
    /// Whether the method may establish a dialog with its own 2xx: INVITE, SUBSCRIBE, REFER.
    #[must_use]
    pub fn forms_dialog(&self) -> bool {
        matches!(self, Self::Invite | Self::Subscribe | Self::Refer)
    }
}

impl ParseValue for Method {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        if let Some(known) = Self::known(text.as_bytes()) {
            return Ok(known);
        }
        if !scan::is_token(text.as_str()) {
            return Err(ValueError::Malformed("method"));
        }
        Ok(Self::Other(text.clone()))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Encode for Method {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_str().encode(out);
    }
}
