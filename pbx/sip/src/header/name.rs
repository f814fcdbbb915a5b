//! The header names that the stack knows.

use std::fmt;

macro_rules! header_names {
    ($($variant:ident = $text:literal, $lower:literal $(| $compact:literal)?;)+) => {
        /// A header field name that the stack gives meaning to. All others stay raw.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum HeaderName {
            $(#[doc = concat!("`", $text, "`")] $variant,)+
        }

        impl HeaderName {
            /// The name in its usual long form.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            fn from_lower(name: &[u8]) -> Option<Self> {
                match name {
                    $($lower $(| $compact)? => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

header_names! {
    Accept = "Accept", b"accept";
    AcceptEncoding = "Accept-Encoding", b"accept-encoding";
    AcceptLanguage = "Accept-Language", b"accept-language";
    AlertInfo = "Alert-Info", b"alert-info";
    Allow = "Allow", b"allow";
    AllowEvents = "Allow-Events", b"allow-events" | b"u";
    AuthenticationInfo = "Authentication-Info", b"authentication-info";
    Authorization = "Authorization", b"authorization";
    CallId = "Call-ID", b"call-id" | b"i";
    CallInfo = "Call-Info", b"call-info";
    Contact = "Contact", b"contact" | b"m";
    ContentDisposition = "Content-Disposition", b"content-disposition";
    ContentEncoding = "Content-Encoding", b"content-encoding" | b"e";
    ContentLanguage = "Content-Language", b"content-language";
    ContentLength = "Content-Length", b"content-length" | b"l";
    ContentType = "Content-Type", b"content-type" | b"c";
    CSeq = "CSeq", b"cseq";
    Date = "Date", b"date";
    Diversion = "Diversion", b"diversion";
    ErrorInfo = "Error-Info", b"error-info";
    Event = "Event", b"event" | b"o";
    Expires = "Expires", b"expires";
    From = "From", b"from" | b"f";
    HistoryInfo = "History-Info", b"history-info";
    InReplyTo = "In-Reply-To", b"in-reply-to";
    MaxForwards = "Max-Forwards", b"max-forwards";
    MimeVersion = "MIME-Version", b"mime-version";
    MinExpires = "Min-Expires", b"min-expires";
    MinSe = "Min-SE", b"min-se";
    Organization = "Organization", b"organization";
    PAssertedIdentity = "P-Asserted-Identity", b"p-asserted-identity";
    PCalledPartyId = "P-Called-Party-ID", b"p-called-party-id";
    Path = "Path", b"path";
    PPreferredIdentity = "P-Preferred-Identity", b"p-preferred-identity";
    Priority = "Priority", b"priority";
    Privacy = "Privacy", b"privacy";
    ProxyAuthenticate = "Proxy-Authenticate", b"proxy-authenticate";
    ProxyAuthorization = "Proxy-Authorization", b"proxy-authorization";
    ProxyRequire = "Proxy-Require", b"proxy-require";
    RAck = "RAck", b"rack";
    Reason = "Reason", b"reason";
    RecordRoute = "Record-Route", b"record-route";
    ReferredBy = "Referred-By", b"referred-by" | b"b";
    ReferTo = "Refer-To", b"refer-to" | b"r";
    Replaces = "Replaces", b"replaces";
    ReplyTo = "Reply-To", b"reply-to";
    Require = "Require", b"require";
    RetryAfter = "Retry-After", b"retry-after";
    Route = "Route", b"route";
    RSeq = "RSeq", b"rseq";
    Server = "Server", b"server";
    ServiceRoute = "Service-Route", b"service-route";
    SessionExpires = "Session-Expires", b"session-expires" | b"x";
    Subject = "Subject", b"subject" | b"s";
    SubscriptionState = "Subscription-State", b"subscription-state";
    Supported = "Supported", b"supported" | b"k";
    Timestamp = "Timestamp", b"timestamp";
    To = "To", b"to" | b"t";
    Unsupported = "Unsupported", b"unsupported";
    UserAgent = "User-Agent", b"user-agent";
    Via = "Via", b"via" | b"v";
    Warning = "Warning", b"warning";
    WwwAuthenticate = "WWW-Authenticate", b"www-authenticate";
}

/// Longest name above, in bytes.
const MAX_KNOWN_NAME_BYTES: usize = 20;

impl HeaderName {
    /// The known name, in long or compact form and any case.
    #[must_use]
    pub fn from_bytes(name: &[u8]) -> Option<Self> {
        let mut lower = [0; MAX_KNOWN_NAME_BYTES];
        let lower = lower.get_mut(..name.len())?;
        for (to, from) in lower.iter_mut().zip(name) {
            *to = from.to_ascii_lowercase();
        }
        Self::from_lower(lower)
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_compact_names_are_found_in_any_case() {
        assert_eq!(HeaderName::from_bytes(b"vIA"), Some(HeaderName::Via));
        assert_eq!(HeaderName::from_bytes(b"V"), Some(HeaderName::Via));
        assert_eq!(
            HeaderName::from_bytes(b"P-PREFERRED-IDENTITY"),
            Some(HeaderName::PPreferredIdentity)
        );
        assert_eq!(HeaderName::from_bytes(b"X-Other"), None);
        assert_eq!(HeaderName::from_bytes(&[b'a'; 200]), None);
    }
}
