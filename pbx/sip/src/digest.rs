//! Digest authentication (RFC 7616 as profiled for SIP by RFC 8760).

mod client;
mod server;

pub use client::{Challenge, Credentials, choose_challenge};
pub use server::{Authorization, Refusal, Verdict, Verifier};

use md5::Md5;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// A digest algorithm, the weaker first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// For phones and carriers that know nothing better.
    Md5,
    /// RFC 8760's first choice.
    Sha256,
}

impl Algorithm {
    /// The token in `algorithm=`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// Lower-case hex of the hash of `parts` joined with colons.
    #[must_use]
    pub fn hash(self, parts: &[&str]) -> String {
        match self {
            Self::Md5 => hash_joined::<Md5>(parts),
            Self::Sha256 => hash_joined::<Sha256>(parts),
        }
    }

    /// H(user:realm:password), the only secret that a server has to keep.
    #[must_use]
    pub fn ha1(self, user: &str, realm: &str, password: &str) -> String {
        self.hash(&[user, realm, password])
    }
}

/// What `qop=auth` adds to the response.
#[derive(Clone, Copy, Debug)]
pub struct Qop<'a> {
    /// The nonce count exactly as in the header: eight hex digits.
    pub nc: &'a str,
    /// The client's nonce.
    pub cnonce: &'a str,
}

/// The `response` value (RFC 7616 3.4.1); without `qop` that of RFC 2069.
#[must_use]
pub fn response(
    algorithm: Algorithm,
    ha1: &str,
    method: &str,
    uri: &str,
    nonce: &str,
    qop: Option<Qop<'_>>,
) -> String {
    let ha2 = algorithm.hash(&[method, uri]);
    match qop {
        Some(qop) => algorithm.hash(&[ha1, nonce, qop.nc, qop.cnonce, "auth", &ha2]),
        None => algorithm.hash(&[ha1, nonce, &ha2]),
    }
}

/// Compares without telling by its duration where the difference is.
#[must_use]
pub(crate) fn equal_secret(a: &str, b: &str) -> bool {
    bool::from(a.as_bytes().ct_eq(b.as_bytes()))
}

fn hash_joined<D: sha2::Digest>(parts: &[&str]) -> String {
    let mut hash = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hash.update(b":");
        }
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize())
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn example_of_rfc_2617_3_5() {
        let ha1 = Algorithm::Md5.ha1("Mufasa", "testrealm@host.com", "Circle Of Life");
        let qop = Qop {
            nc: "00000001",
            cnonce: "0a4f113b",
        };
        let nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
        assert_eq!(
            response(
                Algorithm::Md5,
                &ha1,
                "GET",
                "/dir/index.html",
                nonce,
                Some(qop)
            ),
            "6629fae49393a05397450978507c4ef1"
        );
    }

    #[test]
    fn examples_of_rfc_7616_3_9_1() {
        let qop = Qop {
            nc: "00000001",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        };
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let cases = [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (
                Algorithm::Sha256,
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ];
        for (algorithm, expected) in cases {
            let ha1 = algorithm.ha1("Mufasa", "http-auth@example.org", "Circle of Life");
            assert_eq!(
                response(algorithm, &ha1, "GET", "/dir/index.html", nonce, Some(qop)),
                expected
            );
        }
    }
}
