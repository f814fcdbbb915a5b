//! Login without a password: a device signs what the server asks, and then
//! every request.

use std::fmt;

use sha2::{Digest, Sha256};

use super::device_keys::DeviceKeys;
use super::error::LoginError;
use crate::encoding::{Cursor, push_vector};
use crate::entropy::{Entropy, EntropyError};
use crate::id::DeviceId;
use crate::label::Label;
use crate::primitive::{Signature, SigningKey, VerifyingKey};

/// The longest origin, in bytes.
pub const MAX_ORIGIN_BYTES: usize = 255;
/// The longest method of a request, in bytes.
pub const MAX_METHOD_BYTES: usize = 16;
/// The longest path and query of a request, in bytes.
pub const MAX_PATH_BYTES: usize = 4_096;
/// The longest time that a challenge may be valid, in milliseconds.
pub const LOGIN_LIFETIME_MAX_MS: u64 = 5 * 60 * 1_000;
/// How far a request's time may be from the server's, in milliseconds.
pub const REQUEST_WINDOW_MS: u64 = 60 * 1_000;

const CHALLENGE_MAGIC: [u8; 4] = *b"HLLC";
const PROOF_MAGIC: [u8; 4] = *b"HLLP";
const REQUEST_MAGIC: [u8; 4] = *b"HLRP";
const VERSION: u8 = 1;
pub(super) const NONCE_BYTES: usize = 32;
const REQUEST_NONCE_BYTES: usize = 16;

/// What a server asks a device to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginChallenge {
    origin: String,
    nonce: [u8; NONCE_BYTES],
    expires_at_ms: u64,
    device: DeviceId,
}

impl LoginChallenge {
    /// Makes a challenge with a random nonce, which the server keeps until it
    /// is used or the challenge has expired. One that keeps none has a
    /// [`ChallengeIssuer`](super::ChallengeIssuer).
    ///
    /// `origin` is the server's own, as browsers write it (scheme, host, and
    /// port unless it is the scheme's), 1 to [`MAX_ORIGIN_BYTES`] bytes.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] for an origin out of bounds,
    /// [`LoginError::Entropy`] when the source fails.
    pub fn new(
        origin: &str,
        device: DeviceId,
        expires_at_ms: u64,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Self, LoginError> {
        if !(1..=MAX_ORIGIN_BYTES).contains(&origin.len()) {
            return Err(LoginError::Malformed);
        }
        let mut nonce = [0; NONCE_BYTES];
        entropy.fill(&mut nonce)?;
        Ok(Self {
            origin: origin.to_owned(),
            nonce,
            expires_at_ms,
            device,
        })
    }

    /// Reads a challenge.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] or [`LoginError::UnknownVersion`].
    pub fn decode(input: &[u8]) -> Result<Self, LoginError> {
        let mut cursor = Cursor::new(input);
        let challenge = Self::read(&mut cursor)?;
        end(&cursor, input)?;
        Ok(challenge)
    }

    /// Writes the challenge, to send to the device.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = CHALLENGE_MAGIC.to_vec();
        out.push(VERSION);
        push_vector(&mut out, self.origin.as_bytes());
        out.extend_from_slice(&self.nonce);
        out.extend_from_slice(&self.expires_at_ms.to_be_bytes());
        out.extend_from_slice(self.device.as_bytes());
        out
    }

    /// The server that asks.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What makes this challenge unlike any other.
    pub fn nonce(&self) -> &[u8; NONCE_BYTES] {
        &self.nonce
    }

    pub(super) fn set_nonce(&mut self, nonce: [u8; NONCE_BYTES]) {
        self.nonce = nonce;
    }

    /// When it stops being valid, in milliseconds since 1970-01-01 00:00 UTC.
    pub fn expires_at_ms(&self) -> u64 {
        self.expires_at_ms
    }

    /// The device that is asked.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// Signs the challenge, on the device.
    ///
    /// `origin` is the server that the device is connected to, by what the TLS
    /// layer says: a challenge that another server passes on is not signed.
    /// `now_ms` is the device's time in Unix milliseconds.
    ///
    /// # Errors
    /// [`LoginError::OtherOrigin`], [`LoginError::OtherDevice`],
    /// [`LoginError::Expired`] or [`LoginError::TooLongValid`].
    pub fn answer(
        &self,
        keys: &DeviceKeys,
        origin: &str,
        now_ms: u64,
    ) -> Result<LoginProof, LoginError> {
        self.check(origin, keys.device(), now_ms)?;
        Ok(LoginProof {
            challenge: self.clone(),
            signature: keys.signing_key().sign(&self.bound()),
        })
    }

    fn check(&self, origin: &str, device: DeviceId, now_ms: u64) -> Result<(), LoginError> {
        if self.origin != origin {
            return Err(LoginError::OtherOrigin);
        }
        if self.device != device {
            return Err(LoginError::OtherDevice);
        }
        match self.expires_at_ms.checked_sub(now_ms) {
            None | Some(0) => Err(LoginError::Expired),
            Some(left) if left > LOGIN_LIFETIME_MAX_MS => Err(LoginError::TooLongValid),
            Some(_) => Ok(()),
        }
    }

    fn bound(&self) -> Vec<u8> {
        Label::AuthChallenge.bind(&self.encode())
    }

    fn read(cursor: &mut Cursor<'_>) -> Result<Self, LoginError> {
        front(cursor, CHALLENGE_MAGIC)?;
        let origin = cursor.vector(MAX_ORIGIN_BYTES)?;
        let origin = std::str::from_utf8(origin).map_err(|_| LoginError::Malformed)?;
        if origin.is_empty() {
            return Err(LoginError::Malformed);
        }
        Ok(Self {
            origin: origin.to_owned(),
            nonce: cursor.array()?,
            expires_at_ms: cursor.u64()?,
            device: DeviceId::from_bytes(cursor.array()?),
        })
    }
}

/// A signed challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginProof {
    challenge: LoginChallenge,
    signature: Signature,
}

impl LoginProof {
    /// Reads a proof; nothing is checked yet.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] or [`LoginError::UnknownVersion`].
    pub fn decode(input: &[u8]) -> Result<Self, LoginError> {
        let mut cursor = Cursor::new(input);
        front(&mut cursor, PROOF_MAGIC)?;
        let challenge = LoginChallenge::read(&mut cursor)?;
        let signature = Signature::from_bytes(cursor.array()?);
        end(&cursor, input)?;
        Ok(Self {
            challenge,
            signature,
        })
    }

    /// Writes the proof, to send to the server.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = PROOF_MAGIC.to_vec();
        out.push(VERSION);
        out.extend_from_slice(&self.challenge.encode());
        out.extend_from_slice(self.signature.as_bytes());
        out
    }

    /// What was signed, by what the proof says.
    pub fn challenge(&self) -> &LoginChallenge {
        &self.challenge
    }

    /// The device that claims to have signed.
    pub fn device(&self) -> DeviceId {
        self.challenge.device
    }

    /// Lets the device in, or not; on the server.
    ///
    /// `key` is the signing key of [`LoginProof::device`] by its person's
    /// sigchain, in which the caller has found the device live. `spend_nonce`
    /// says whether the server gave the nonce out and has not seen it since,
    /// and from now on it has, in one step; it is asked last, so that nobody
    /// can use up another's challenge.
    ///
    /// # Errors
    /// [`LoginError`]: another origin, expired, not signed by the device, or
    /// used before.
    pub fn verify(
        &self,
        key: &VerifyingKey,
        origin: &str,
        now_ms: u64,
        spend_nonce: impl FnOnce(&[u8; NONCE_BYTES]) -> bool,
    ) -> Result<(), LoginError> {
        self.challenge
            .check(origin, self.challenge.device, now_ms)?;
        key.verify(&self.challenge.bound(), &self.signature)
            .map_err(|_| LoginError::BadSignature)?;
        match spend_nonce(&self.challenge.nonce) {
            true => Ok(()),
            false => Err(LoginError::Replayed),
        }
    }
}

/// What a request asks for, as both sides see it.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestFacts {
    method: String,
    path: String,
    body_hash: [u8; 32],
    token_hash: [u8; 32],
}

impl RequestFacts {
    /// `method` in capitals; `path` with its query, exactly as sent; the body's
    /// bytes (empty when there is none); the access token as sent.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] when method or path is empty or too long.
    pub fn new(method: &str, path: &str, body: &[u8], token: &[u8]) -> Result<Self, LoginError> {
        Self::with_hashes(
            method,
            path,
            Sha256::digest(body).into(),
            Sha256::digest(token).into(),
        )
    }

    /// As [`RequestFacts::new`], with the SHA-256 of body and token, for bodies
    /// that are not kept in memory.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] when method or path is empty or too long.
    pub fn with_hashes(
        method: &str,
        path: &str,
        body_hash: [u8; 32],
        token_hash: [u8; 32],
    ) -> Result<Self, LoginError> {
        let lengths_fit = (1..=MAX_METHOD_BYTES).contains(&method.len())
            && (1..=MAX_PATH_BYTES).contains(&path.len());
        if !lengths_fit {
            return Err(LoginError::Malformed);
        }
        Ok(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            body_hash,
            token_hash,
        })
    }

    /// Signs the request, on the device. `now_ms` is Unix milliseconds.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn sign(
        &self,
        keys: &DeviceKeys,
        now_ms: u64,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<RequestProof, EntropyError> {
        self.sign_with(keys.device(), keys.signing_key(), now_ms, entropy)
    }

    /// Signs the request with the key that `device` looks with while it is
    /// locked, and that it made known while it was not.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn sign_view(
        &self,
        device: DeviceId,
        view_key: &SigningKey,
        now_ms: u64,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<RequestProof, EntropyError> {
        self.sign_with(device, view_key, now_ms, entropy)
    }

    fn sign_with(
        &self,
        device: DeviceId,
        key: &SigningKey,
        now_ms: u64,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<RequestProof, EntropyError> {
        let mut nonce = [0; REQUEST_NONCE_BYTES];
        entropy.fill(&mut nonce)?;
        let bound = self.bound(device, now_ms, &nonce);
        Ok(RequestProof {
            device,
            time_ms: now_ms,
            nonce,
            signature: key.sign(&bound),
        })
    }

    fn bound(&self, device: DeviceId, time_ms: u64, nonce: &[u8; REQUEST_NONCE_BYTES]) -> Vec<u8> {
        let mut context = Vec::with_capacity(self.path.len() + 160);
        context.push(VERSION);
        context.extend_from_slice(device.as_bytes());
        context.extend_from_slice(&time_ms.to_be_bytes());
        context.extend_from_slice(nonce);
        push_vector(&mut context, self.method.as_bytes());
        push_vector(&mut context, self.path.as_bytes());
        context.extend_from_slice(&self.body_hash);
        context.extend_from_slice(&self.token_hash);
        Label::RequestPop.bind(&context)
    }
}

/// Shows the method only: paths can name records, tokens let people in.
impl fmt::Debug for RequestFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestFacts({} …)", self.method)
    }
}

/// A device's signature over one request: a stolen token alone is worth nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestProof {
    device: DeviceId,
    time_ms: u64,
    nonce: [u8; REQUEST_NONCE_BYTES],
    signature: Signature,
}

impl RequestProof {
    /// Bytes of an encoded proof.
    pub const BYTES: usize = 4 + 1 + 16 + 8 + REQUEST_NONCE_BYTES + 64;

    /// Reads a proof; nothing is checked yet.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] or [`LoginError::UnknownVersion`].
    pub fn decode(input: &[u8]) -> Result<Self, LoginError> {
        let mut cursor = Cursor::new(input);
        front(&mut cursor, REQUEST_MAGIC)?;
        let proof = Self {
            device: DeviceId::from_bytes(cursor.array()?),
            time_ms: cursor.u64()?,
            nonce: cursor.array()?,
            signature: Signature::from_bytes(cursor.array()?),
        };
        end(&cursor, input)?;
        Ok(proof)
    }

    /// Writes the proof, to send with the request.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        out.extend_from_slice(&REQUEST_MAGIC);
        out.push(VERSION);
        out.extend_from_slice(self.device.as_bytes());
        out.extend_from_slice(&self.time_ms.to_be_bytes());
        out.extend_from_slice(&self.nonce);
        out.extend_from_slice(self.signature.as_bytes());
        out
    }

    /// The device that claims to have signed.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// When it claims to have signed, in Unix milliseconds.
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// Accepts the request, or not; on the server.
    ///
    /// `key` belongs to [`RequestProof::device`], which is the device of the
    /// token. `first_time` notes the nonce and says whether it is new; a nonce
    /// can be forgotten after twice [`REQUEST_WINDOW_MS`]. It is asked last.
    ///
    /// # Errors
    /// [`LoginError`]: too old, not signed by the device, or used before.
    pub fn verify(
        &self,
        facts: &RequestFacts,
        key: &VerifyingKey,
        now_ms: u64,
        first_time: impl FnOnce(&[u8; REQUEST_NONCE_BYTES]) -> bool,
    ) -> Result<(), LoginError> {
        if now_ms.abs_diff(self.time_ms) > REQUEST_WINDOW_MS {
            return Err(LoginError::ClockSkew);
        }
        let bound = facts.bound(self.device, self.time_ms, &self.nonce);
        key.verify(&bound, &self.signature)
            .map_err(|_| LoginError::BadSignature)?;
        match first_time(&self.nonce) {
            true => Ok(()),
            false => Err(LoginError::Replayed),
        }
    }
}

fn front(cursor: &mut Cursor<'_>, magic: [u8; 4]) -> Result<(), LoginError> {
    if cursor.array()? != magic {
        return Err(LoginError::Malformed);
    }
    match cursor.u8()? {
        VERSION => Ok(()),
        other => Err(LoginError::UnknownVersion(other)),
    }
}

fn end(cursor: &Cursor<'_>, input: &[u8]) -> Result<(), LoginError> {
    match cursor.position() == input.len() {
        true => Ok(()),
        false => Err(LoginError::Malformed),
    }
}
