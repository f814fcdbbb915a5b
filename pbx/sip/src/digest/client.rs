//! Answering a carrier's challenge.

use std::borrow::Cow;

use super::{Algorithm, Qop, response};
use crate::headers::AuthParams;

/// One challenge that we can answer.
#[derive(Clone)]
pub struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// The `-sess` variant (RFC 7616 3.4.2).
    session: bool,
    /// Whether `qop=auth` is offered; if not, RFC 2069's form is used.
    qop_auth: bool,
    /// Whether only the nonce was too old.
    pub stale: bool,
}

/// The user whom we authenticate as.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The user name.
    pub user: &'a str,
    /// The password in clear.
    pub password: &'a str,
}

impl Challenge {
    /// From one `WWW-Authenticate` or `Proxy-Authenticate` value; `None` when
    /// it asks for something that we do not speak (another algorithm, `auth-int` alone).
    #[must_use]
    pub fn from_params(params: &AuthParams) -> Option<Self> {
        if !params.is_digest() {
            return None;
        }
        let token = params.get("algorithm");
        let (algorithm, session) = parse_algorithm(token.as_deref().unwrap_or("MD5"))?;
        let qop_auth = params
            .list("qop")
            .iter()
            .any(|token| token.eq_ignore_ascii_case("auth"));
        if params.get("qop").is_some() && !qop_auth {
            return None;
        }
        Some(Self {
            realm: params.get("realm")?.into_owned(),
            nonce: params.get("nonce")?.into_owned(),
            opaque: params.get("opaque").map(Cow::into_owned),
            algorithm,
            session,
            qop_auth,
            stale: params
                .get("stale")
                .is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// The nonce to answer, for counting its uses.
    #[must_use]
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The value of `Authorization` or `Proxy-Authorization`.
    ///
    /// `count` is how often this nonce has been answered, this time included;
    /// `cnonce` must be unpredictable.
    #[must_use]
    pub fn answer(
        &self,
        credentials: Credentials<'_>,
        method: &str,
        uri: &str,
        count: u32,
        cnonce: &str,
    ) -> AuthParams {
        let mut ha1 = self
            .algorithm
            .ha1(credentials.user, &self.realm, credentials.password);
        if self.session {
            ha1 = self.algorithm.hash(&[&ha1, &self.nonce, cnonce]);
        }
        let nc = format!("{count:08x}");
        let qop = self.qop_auth.then_some(Qop { nc: &nc, cnonce });
        let response = response(self.algorithm, &ha1, method, uri, &self.nonce, qop);
        let session = if self.session { "-sess" } else { "" };
        let mut out = AuthParams::new("Digest")
            .with_quoted("username", credentials.user)
            .with_quoted("realm", &self.realm)
            .with_quoted("nonce", &self.nonce)
            .with_quoted("uri", uri)
            .with_quoted("response", &response)
            .with_token(
                "algorithm",
                &format!("{}{session}", self.algorithm.as_str()),
            );
        if self.qop_auth {
            out = out.with_token("qop", "auth").with_token("nc", &nc);
        }
        if self.qop_auth || self.session {
            out = out.with_quoted("cnonce", cnonce);
        }
        match &self.opaque {
            Some(opaque) => out.with_quoted("opaque", opaque),
            None => out,
        }
    }
}

/// The strongest of several challenges that we can answer (RFC 8760 2.4); the first among equals.
#[must_use]
pub fn choose_challenge(values: impl Iterator<Item = AuthParams>) -> Option<Challenge> {
    let mut best: Option<Challenge> = None;
    for challenge in values.filter_map(|value| Challenge::from_params(&value)) {
        if best
            .as_ref()
            .is_none_or(|best| challenge.algorithm > best.algorithm)
        {
            best = Some(challenge);
        }
    }
    best
}

fn parse_algorithm(token: &str) -> Option<(Algorithm, bool)> {
    let known = [
        ("MD5", (Algorithm::Md5, false)),
        ("MD5-sess", (Algorithm::Md5, true)),
        ("SHA-256", (Algorithm::Sha256, false)),
        ("SHA-256-sess", (Algorithm::Sha256, true)),
    ];
    known
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(token))
        .map(|(_, algorithm)| algorithm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::ParseValue as _;
    use crate::text::Text;

    const USER: Credentials<'_> = Credentials {
        user: "Mufasa",
        password: "Circle of Life",
    };

    fn params(value: &str) -> AuthParams {
        AuthParams::parse(&Text::from(value)).expect("well-formed")
    }

    #[test]
    fn strongest_challenge_wins_wherever_it_stands() {
        let offers = [
            "Digest realm=\"r\", nonce=\"1\", algorithm=SHA-512-256, qop=\"auth\"",
            "Digest realm=\"r\", nonce=\"2\", algorithm=MD5, qop=\"auth\"",
            "Basic realm=\"r\"",
            "Digest realm=\"r\", nonce=\"3\", algorithm=SHA-256, qop=\"auth-int,auth\"",
        ]
        .map(params);
        let chosen = choose_challenge(offers.clone().into_iter()).expect("two are usable");
        assert_eq!(chosen.nonce(), "3");
        assert!(choose_challenge(offers.into_iter().take(1)).is_none());
    }

    #[test]
    fn answers_as_rfc_7616_3_9_1() {
        let challenge = Challenge::from_params(&params(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
        ))
        .expect("usable");
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let answer = challenge.answer(USER, "GET", "/dir/index.html", 1, cnonce);
        assert_eq!(
            answer.get("response").as_deref(),
            Some("753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")
        );
        assert_eq!(answer.get("nc").as_deref(), Some("00000001"));
        assert_eq!(
            answer.get("opaque").as_deref(),
            Some("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS")
        );
    }

    #[test]
    fn old_challenge_without_qop_gets_the_old_answer() {
        let challenge =
            Challenge::from_params(&params("Digest realm=\"r\", nonce=\"n\"")).expect("usable");
        let answer = challenge.answer(USER, "REGISTER", "sip:r", 1, "c");
        assert_eq!(answer.get("qop"), None);
        assert_eq!(answer.get("nc"), None);
        let ha1 = Algorithm::Md5.ha1("Mufasa", "r", "Circle of Life");
        assert_eq!(
            answer.get("response").as_deref(),
            Some(response(Algorithm::Md5, &ha1, "REGISTER", "sip:r", "n", None).as_str())
        );
    }
}
