//! What browsers will not like about a given certificate.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{TlsError, read_chain};

/// Before its end, from when on a certificate that somebody else renews should have been renewed;
/// one that is good for days alone is renewed later.
const OVERDUE_S: i64 = 7 * 24 * 60 * 60;
/// The part of its time that one of those has left then.
const OVERDUE_PART: i64 = 4;

/// Something about a given certificate that keeps browsers out, or soon will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateFlaw {
    /// It is not good yet.
    Early(Timestamp),
    /// It is good no more.
    Ended(Timestamp),
    /// It ends within days, and nobody has renewed it.
    Ending(Timestamp),
    /// It is for other names than the panel's.
    OtherName(String),
}

impl fmt::Display for CertificateFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |at: &Timestamp| at.to_zoned(TimeZone::UTC).date();
        match self {
            Self::Early(from) => write!(
                f,
                "the panel's certificate is good from {} on, and browsers refuse it until then. \
                 Look at the clock, or at who issued it",
                day(from)
            ),
            Self::Ended(end) => write!(
                f,
                "the panel's certificate ended on {}: browsers refuse the panel. Renew it",
                day(end)
            ),
            Self::Ending(end) => write!(
                f,
                "the panel's certificate ends on {}; browsers will then refuse the panel. Renew it",
                day(end)
            ),
            Self::OtherName(host) => write!(
                f,
                "the panel's certificate is not for {host}: browsers refuse the panel. Get one for \
                 that name, or correct `origin` in [web]"
            ),
        }
    }
}

/// What browsers that go to `host` will not like at `now` about the certificate in a file.
///
/// # Errors
/// See [`TlsError`].
pub fn certificate_flaws(
    certificate: &Path,
    host: &str,
    now: Timestamp,
) -> Result<Vec<CertificateFlaw>, TlsError> {
    let unreadable = || TlsError::Unreadable {
        path: certificate.to_path_buf(),
        what: "a certificate that can be read",
    };
    let chain = read_chain(certificate)?;
    let first = chain.first().ok_or_else(unreadable)?;
    let (_, found) = X509Certificate::from_der(first).map_err(|_| unreadable())?;
    let moment = |seconds| Timestamp::from_second(seconds).map_err(|_| unreadable());
    let validity = found.validity();
    let from = moment(validity.not_before.timestamp())?;
    let end = moment(validity.not_after.timestamp())?;
    let overdue_s = OVERDUE_S.min((end.as_second() - from.as_second()) / OVERDUE_PART);
    let mut flaws = Vec::new();
    if now < from {
        flaws.push(CertificateFlaw::Early(from));
    } else if end < now {
        flaws.push(CertificateFlaw::Ended(end));
    } else if end.as_second() - now.as_second() < overdue_s {
        flaws.push(CertificateFlaw::Ending(end));
    }
    let names = found.subject_alternative_name().map_err(|_| unreadable())?;
    let is_named = names.is_some_and(|names| {
        let mut names = names.value.general_names.iter();
        names.any(|name| is_for(name, host))
    });
    if !is_named {
        flaws.push(CertificateFlaw::OtherName(host.to_owned()));
    }
    Ok(flaws)
}

/// As browsers compare (RFC 9525, section 6.3): a star stands for one label, the first.
fn is_for(name: &GeneralName<'_>, host: &str) -> bool {
    match name {
        GeneralName::DNSName(name) => match name.strip_prefix("*.") {
            Some(parent) => host
                .split_once('.')
                .is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
            None => name.eq_ignore_ascii_case(host),
        },
        GeneralName::IPAddress(bytes) => match host.parse() {
            Ok(IpAddr::V4(address)) => address.octets() == **bytes,
            Ok(IpAddr::V6(address)) => address.octets() == **bytes,
            Err(_) => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn what_browsers_refuse_is_told_before_they_do() {
        let names = ["panel.example", "*.hotline.example", "192.0.2.7"];
        let file = std::env::temp_dir().join(format!("given-{}.pem", std::process::id()));
        let write = |not_before| {
            let mut made = CertificateParams::new(names.map(str::to_owned)).unwrap();
            made.not_before = not_before;
            made.not_after = date_time_ymd(2026, 5, 1);
            let made = made.self_signed(&KeyPair::generate().unwrap()).unwrap();
            fs::write(&file, made.pem()).unwrap();
        };
        write(date_time_ymd(2026, 2, 1));
        let found = |host: &str, now: &str| {
            let flaws = certificate_flaws(&file, host, now.parse().unwrap()).unwrap();
            let sentences: Vec<String> = flaws.iter().map(ToString::to_string).collect();
            sentences.join("\n")
        };
        let good = "2026-03-01T00:00Z";
        for host in [
            "panel.example",
            "PANEL.example",
            "a.hotline.example",
            "192.0.2.7",
        ] {
            assert_eq!(found(host, good), "", "{host}");
        }
        for host in [
            "hotline.example",
            "a.b.hotline.example",
            "192.0.2.8",
            "elsewhere.example",
        ] {
            assert!(
                found(host, good).contains(&format!("is not for {host}")),
                "{host}"
            );
        }
        assert!(found("panel.example", "2026-01-31T00:00Z").contains("from 2026-02-01 on"));
        assert!(found("panel.example", "2026-04-25T00:00Z").contains("ends on 2026-05-01"));
        assert!(found("panel.example", "2026-05-02T00:00Z").contains("ended on 2026-05-01"));
        write(date_time_ymd(2026, 4, 24));
        assert_eq!(found("panel.example", "2026-04-28T00:00Z"), "");
        assert!(found("panel.example", "2026-04-30T00:00Z").contains("ends on 2026-05-01"));
        fs::remove_file(file).unwrap();
    }
}
