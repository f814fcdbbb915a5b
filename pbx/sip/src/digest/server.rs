//! Challenging phones and checking their answers.

use std::borrow::Cow;
use std::time::Instant;

use super::{Algorithm, Qop, equal_secret, response};
use crate::entropy::Entropy;
use crate::headers::AuthParams;
use crate::nonce::{NonceCheck, NonceKeeper};
use crate::ua::StoredHa1;

/// The parts of an `Authorization` header that the check needs.
pub struct Authorization {
    username: String,
    realm: String,
    nonce: String,
    uri: String,
    response: String,
    algorithm: Algorithm,
    nc: String,
    count: u32,
    cnonce: String,
}

/// Why credentials are not accepted. None of these texts reaches the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Unknown user, wrong password, wrong URI, or user and From differ.
    Wrong,
    /// A repeated or very old count.
    Replayed,
}

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The user is who they say.
    Accepted,
    /// Right, but for a nonce of the past: challenge with `stale=true`.
    Stale,
    /// Not accepted.
    Refused(Refusal),
}

impl Authorization {
    /// From a header value; `None` when it is not a Digest with `qop=auth` in a known algorithm.
    #[must_use]
    pub fn from_params(params: &AuthParams) -> Option<Self> {
        if !params.is_digest() {
            return None;
        }
        let own = |name: &str| params.get(name).map(Cow::into_owned);
        let algorithm = match params.get("algorithm") {
            None => Algorithm::Md5,
            Some(token) if token.eq_ignore_ascii_case("MD5") => Algorithm::Md5,
            Some(token) if token.eq_ignore_ascii_case("SHA-256") => Algorithm::Sha256,
            Some(_) => return None,
        };
        if !params.get("qop")?.eq_ignore_ascii_case("auth") {
            return None;
        }
        let nc = own("nc")?;
        let count = u32::from_str_radix(&nc, 16).ok()?;
        Some(Self {
            username: own("username")?,
            realm: own("realm")?,
            nonce: own("nonce")?,
            uri: own("uri")?,
            response: own("response")?.to_ascii_lowercase(),
            algorithm,
            nc,
            count,
            cnonce: own("cnonce")?,
        })
    }

    /// The user who wants in.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The realm that the answer is for.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The URI that the answer covers.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    fn matches(&self, ha1: &StoredHa1, method: &str) -> bool {
        let ha1 = match (self.algorithm, &ha1.sha256_hex) {
            (Algorithm::Md5, _) => &ha1.md5_hex,
            (Algorithm::Sha256, Some(sha256_hex)) => sha256_hex,
            (Algorithm::Sha256, None) => return false,
        };
        let qop = Qop {
            nc: &self.nc,
            cnonce: &self.cnonce,
        };
        let expected = response(
            self.algorithm,
            ha1,
            method,
            &self.uri,
            &self.nonce,
            Some(qop),
        );
        equal_secret(&expected, &self.response)
    }
}

/// The server's side of digest authentication.
pub struct Verifier {
    nonces: NonceKeeper,
    /// Stands in for unknown users, so that they cost the same time.
    nobody: StoredHa1,
}

impl Verifier {
    /// Takes its keys from `entropy`.
    pub fn new(entropy: &mut dyn Entropy, now: Instant) -> Self {
        let mut secret = [0; 16];
        entropy.fill(&mut secret);
        let secret = super::hex(&secret);
        Self {
            nonces: NonceKeeper::new(entropy, now),
            nobody: StoredHa1 {
                md5_hex: Algorithm::Md5.hash(&[&secret]),
                sha256_hex: Some(Algorithm::Sha256.hash(&[&secret])),
            },
        }
    }

    /// The `WWW-Authenticate` values of a challenge, the stronger first (RFC 8760 2.3).
    ///
    /// Not every phone skips a challenge that it cannot answer, as RFC 3261
    /// wants it to: some fail on SHA-256 wherever it stands. To an account
    /// without that secret only MD5 is offered.
    pub fn challenges(
        &self,
        realm: &str,
        stale: bool,
        ha1: Option<&StoredHa1>,
        entropy: &mut dyn Entropy,
        now: Instant,
    ) -> Vec<AuthParams> {
        let nonce = self.nonces.issue(entropy, now);
        let md5_only = ha1.is_some_and(|ha1| ha1.sha256_hex.is_none());
        let offered: &[Algorithm] = if md5_only {
            &[Algorithm::Md5]
        } else {
            &[Algorithm::Sha256, Algorithm::Md5]
        };
        let challenge = |algorithm: &Algorithm| {
            let challenge = AuthParams::new("Digest")
                .with_quoted("realm", realm)
                .with_quoted("nonce", &nonce)
                .with_token("algorithm", algorithm.as_str())
                .with_quoted("qop", "auth");
            if stale {
                challenge.with_token("stale", "true")
            } else {
                challenge
            }
        };
        offered.iter().map(challenge).collect()
    }

    /// Checks an answer; `ha1` is `None` for a user whom we do not know.
    pub fn verify(
        &mut self,
        authorization: &Authorization,
        ha1: Option<&StoredHa1>,
        method: &str,
        now: Instant,
    ) -> Verdict {
        let right = authorization.matches(ha1.unwrap_or(&self.nobody), method);
        if !right || ha1.is_none() {
            return Verdict::Refused(Refusal::Wrong);
        }
        if self.nonces.check(&authorization.nonce, now) == NonceCheck::Stale {
            return Verdict::Stale;
        }
        if !self
            .nonces
            .use_once(&authorization.nonce, authorization.count, now)
        {
            return Verdict::Refused(Refusal::Replayed);
        }
        Verdict::Accepted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Credentials, choose_challenge};
    use std::time::Duration;

    struct Zigzag(u64);

    impl Entropy for Zigzag {
        fn fill(&mut self, out: &mut [u8]) {
            for byte in out {
                self.0 = self
                    .0
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                *byte = (self.0 >> 56) as u8;
            }
        }
    }

    fn stored(password: &str) -> StoredHa1 {
        StoredHa1 {
            md5_hex: Algorithm::Md5.ha1("ana", "hub", password),
            sha256_hex: Some(Algorithm::Sha256.ha1("ana", "hub", password)),
        }
    }

    fn answer(challenge: &AuthParams, count: u32) -> Authorization {
        let challenge = choose_challenge([challenge.clone()].into_iter()).expect("usable");
        let credentials = Credentials {
            user: "ana",
            password: "right",
        };
        let value = challenge.answer(credentials, "REGISTER", "sip:hub", count, "abc");
        Authorization::from_params(&value).expect("well-formed")
    }

    #[test]
    fn right_answers_are_accepted_once_in_both_algorithms() {
        let now = Instant::now();
        let mut entropy = Zigzag(1);
        let mut verifier = Verifier::new(&mut entropy, now);
        let ha1 = stored("right");
        let challenges = verifier.challenges("hub", false, None, &mut entropy, now);
        for (challenge, count) in challenges.into_iter().zip(1..) {
            let authorization = answer(&challenge, count);
            let mut check = |method| verifier.verify(&authorization, Some(&ha1), method, now);
            assert_eq!(check("INVITE"), Verdict::Refused(Refusal::Wrong));
            assert_eq!(check("REGISTER"), Verdict::Accepted);
            assert_eq!(check("REGISTER"), Verdict::Refused(Refusal::Replayed));
        }
    }

    #[test]
    fn phones_that_fail_on_sha_256_are_not_offered_it() {
        let now = Instant::now();
        let mut entropy = Zigzag(1);
        let mut verifier = Verifier::new(&mut entropy, now);
        let old = StoredHa1 {
            sha256_hex: None,
            ..stored("right")
        };
        let challenges = verifier.challenges("hub", false, Some(&old), &mut entropy, now);
        let [only] = &challenges[..] else {
            panic!("{} challenges", challenges.len());
        };
        assert_eq!(only.get("algorithm").as_deref(), Some("MD5"));
        let verdict = verifier.verify(&answer(only, 1), Some(&old), "REGISTER", now);
        assert_eq!(verdict, Verdict::Accepted);
        let both = verifier.challenges("hub", false, None, &mut entropy, now);
        let verdict = verifier.verify(&answer(&both[0], 1), Some(&old), "REGISTER", now);
        assert_eq!(verdict, Verdict::Refused(Refusal::Wrong));
    }

    #[test]
    fn unknown_users_and_wrong_passwords_look_alike() {
        let now = Instant::now();
        let mut entropy = Zigzag(1);
        let mut verifier = Verifier::new(&mut entropy, now);
        let challenges = verifier.challenges("hub", false, None, &mut entropy, now);
        let authorization = answer(&challenges[0], 1);
        let wrong = stored("wrong");
        let refused = Verdict::Refused(Refusal::Wrong);
        assert_eq!(
            verifier.verify(&authorization, Some(&wrong), "REGISTER", now),
            refused
        );
        assert_eq!(
            verifier.verify(&authorization, None, "REGISTER", now),
            refused
        );
    }

    #[test]
    fn right_answer_to_an_old_nonce_is_stale_and_a_wrong_one_is_not() {
        let start = Instant::now();
        let mut entropy = Zigzag(1);
        let mut verifier = Verifier::new(&mut entropy, start);
        let challenges = verifier.challenges("hub", false, None, &mut entropy, start);
        let authorization = answer(&challenges[0], 1);
        let later = start + Duration::from_secs(301);
        let right = stored("right");
        assert_eq!(
            verifier.verify(&authorization, Some(&right), "REGISTER", later),
            Verdict::Stale
        );
        let wrong = stored("wrong");
        assert_eq!(
            verifier.verify(&authorization, Some(&wrong), "REGISTER", later),
            Verdict::Refused(Refusal::Wrong)
        );
        let challenges = verifier.challenges("hub", true, None, &mut entropy, start);
        assert_eq!(challenges[0].get("stale").as_deref(), Some("true"));
    }
}
