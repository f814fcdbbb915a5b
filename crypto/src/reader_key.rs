//! The keys of the people who may hear recordings.
//!
//! X25519 key pairs for HPKE (RFC 9180), suite DHKEM(X25519, HKDF-SHA256),
//! HKDF-SHA256, AES-256-GCM, base mode, one message per encapsulation. The
//! purpose and the context go into `info`; `aad` is empty, because not every
//! implementation has one.

use std::fmt;
use std::str::FromStr;

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::cobblestone::ContentKey;
use crate::entropy::{Entropy, EntropyError, Lent};
use crate::error::Error;
use crate::key_text::{self, KEY_BYTES, KeyKind, KeyTextError};
use crate::label::Label;

/// Bytes of an encapsulated key (`enc` of RFC 9180) and the sealed content key.
pub(crate) const WRAP_BYTES: usize = 32 + 48;
const ENC_BYTES: usize = 32;

/// Opens recordings. Made and kept on the reader's own machine.
///
/// Wiped from memory when dropped; `Debug` shows only the public key's id.
#[derive(Clone)]
pub struct ReaderSecretKey {
    secret: Zeroizing<[u8; KEY_BYTES]>,
    public: ReaderPublicKey,
}

impl ReaderSecretKey {
    /// Makes a new key pair.
    ///
    /// # Errors
    /// [`EntropyError`] when the operating system gives no random bytes.
    pub fn generate() -> Result<Self, EntropyError> {
        Self::generate_with(&mut crate::OsEntropy)
    }

    /// Makes a new key pair from the given randomness.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn generate_with(entropy: &mut (impl Entropy + ?Sized)) -> Result<Self, EntropyError> {
        let mut secret = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(&mut *secret)?;
        Ok(Self::from_bytes(&secret))
    }

    /// Takes an X25519 private key; the bits that RFC 7748 section 5 clamps are
    /// clamped, so that equal keys are equal bytes.
    pub fn from_bytes(scalar: &[u8; KEY_BYTES]) -> Self {
        let private = private_key(scalar);
        let public = X25519HkdfSha256::sk_to_pk(&private);
        let mut secret = Zeroizing::new([0; KEY_BYTES]);
        private.write_exact(&mut *secret);
        Self {
            secret,
            public: ReaderPublicKey::unchecked(public.to_bytes().into()),
        }
    }

    /// `DeriveKeyPair` of RFC 9180 section 7.1.3, from 32 bytes that are as
    /// good as random.
    pub(crate) fn from_ikm(ikm: &[u8; 32]) -> Self {
        let (private, _) = X25519HkdfSha256::derive_keypair(ikm);
        let mut scalar = Zeroizing::new([0; KEY_BYTES]);
        private.write_exact(&mut *scalar);
        Self::from_bytes(&scalar)
    }

    /// The half that recordings are sealed to.
    pub fn public_key(&self) -> &ReaderPublicKey {
        &self.public
    }

    /// The text for the key file, `hlsec1…`. Whoever has it hears everything.
    pub fn reveal(&self) -> Zeroizing<String> {
        key_text::encode(KeyKind::ReaderSecret, &self.secret)
    }

    /// Opens what [`ReaderPublicKey::seal_key`] made with the same `info`.
    pub(crate) fn open_key(
        &self,
        info: &[u8],
        wrapped: &[u8; WRAP_BYTES],
    ) -> Result<ContentKey, Error> {
        ContentKey::from_slice(&self.open_bytes(info, wrapped)?)
    }

    /// Opens what [`ReaderPublicKey::seal_bytes`] made with the same `info`.
    pub(crate) fn open_bytes(
        &self,
        info: &[u8],
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (enc, sealed) = wrapped
            .split_first_chunk::<ENC_BYTES>()
            .ok_or(Error::WrapRefused)?;
        let enc = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(enc)
            .map_err(|_| Error::WrapRefused)?;
        let private = private_key(&self.secret);
        hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &private,
            &enc,
            info,
            sealed,
            b"",
        )
        .map(Zeroizing::new)
        .map_err(|_| Error::WrapRefused)
    }
}

impl FromStr for ReaderSecretKey {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, KeyTextError> {
        let secret = key_text::decode(KeyKind::ReaderSecret, text)?;
        Ok(Self::from_bytes(&secret))
    }
}

impl fmt::Debug for ReaderSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReaderSecretKey(… of {})", self.public.id)
    }
}

/// Seals recordings. Stands in the hotline file; not secret, but whoever can
/// replace it there decides who hears callers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ReaderPublicKey {
    bytes: [u8; KEY_BYTES],
    id: ReaderKeyId,
}

impl ReaderPublicKey {
    /// Takes an X25519 public key.
    ///
    /// # Errors
    /// [`KeyTextError::UnsafeKey`] for a point of small order, to which sealing
    /// would fail in the middle of a call (RFC 9180 section 7.1.4).
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Result<Self, KeyTextError> {
        let mut still = Still;
        let mut trial = Lent::new(&mut still);
        let point = public_key(&bytes);
        hpke::setup_sender_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &point,
            b"",
            &mut trial,
        )
        .map_err(|_| KeyTextError::UnsafeKey)?;
        Ok(Self::unchecked(bytes))
    }

    /// The X25519 public key.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    /// The short name of this key in files and logs.
    pub fn id(&self) -> ReaderKeyId {
        self.id
    }

    /// Seals a content key to this reader: `enc || ct` of RFC 9180.
    pub(crate) fn seal_key(
        &self,
        info: &[u8],
        key: &ContentKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<[u8; WRAP_BYTES], Error> {
        let sealed = self.seal_bytes(info, key.expose(), entropy)?;
        Ok(sealed
            .try_into()
            .expect("a key of fixed length makes a wrap of fixed length"))
    }

    /// Seals a short secret to this reader: `enc || ct` of RFC 9180.
    pub(crate) fn seal_bytes(
        &self,
        info: &[u8],
        secret: &[u8],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Vec<u8>, Error> {
        let mut lent = Lent::new(entropy);
        let sealed = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &public_key(&self.bytes),
            info,
            secret,
            b"",
            &mut lent,
        );
        let (enc, sealed) = lent
            .returned(sealed)?
            .map_err(|_| KeyTextError::UnsafeKey)?;
        let mut wrapped = enc.to_bytes().to_vec();
        wrapped.extend_from_slice(&sealed);
        Ok(wrapped)
    }

    fn unchecked(bytes: [u8; KEY_BYTES]) -> Self {
        let digest = Sha256::digest(Label::ReaderKeyId.bind(&bytes));
        let mut id = [0; ReaderKeyId::BYTES];
        id.copy_from_slice(&digest[..ReaderKeyId::BYTES]);
        Self {
            bytes,
            id: ReaderKeyId(id),
        }
    }
}

impl FromStr for ReaderPublicKey {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, KeyTextError> {
        Self::from_bytes(*key_text::decode(KeyKind::ReaderPublic, text)?)
    }
}

impl fmt::Display for ReaderPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&key_text::encode(KeyKind::ReaderPublic, &self.bytes))
    }
}

impl fmt::Debug for ReaderPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReaderPublicKey({})", self.id)
    }
}

/// The first 16 bytes of a labelled SHA-256 of a public key: finds a reader's
/// wrap in a file, and names a key in a log. Shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReaderKeyId([u8; Self::BYTES]);

impl ReaderKeyId {
    /// Bytes of an id.
    pub const BYTES: usize = 16;

    pub(crate) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The id itself.
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Display for ReaderKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ReaderKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReaderKeyId({self})")
    }
}

/// Constant bytes for the trial encapsulation, whose result is thrown away.
struct Still;

impl Entropy for Still {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(1);
        Ok(())
    }
}

fn private_key(bytes: &[u8; KEY_BYTES]) -> <X25519HkdfSha256 as Kem>::PrivateKey {
    Deserializable::from_bytes(bytes).expect("every 32 bytes are an X25519 private key")
}

fn public_key(bytes: &[u8; KEY_BYTES]) -> <X25519HkdfSha256 as Kem>::PublicKey {
    Deserializable::from_bytes(bytes).expect("every 32 bytes are an X25519 public key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_the_halves_stay_together() {
        let secret = ReaderSecretKey::generate().unwrap();
        let again: ReaderSecretKey = secret.reveal().parse().unwrap();
        let public: ReaderPublicKey = secret.public_key().to_string().parse().unwrap();
        assert_eq!(again.public_key(), &public);
        assert!(secret.reveal().starts_with("hlsec1"));
        assert!(public.to_string().starts_with("hlpub1"));
    }

    #[test]
    fn two_generated_keys_differ() {
        let (one, other) = (ReaderSecretKey::generate(), ReaderSecretKey::generate());
        assert_ne!(one.unwrap().public_key(), other.unwrap().public_key());
    }

    #[test]
    fn the_key_pair_of_rfc_7748_section_6_1() {
        let alice = *b"\x77\x07\x6d\x0a\x73\x18\xa5\x7d\x3c\x16\xc1\x72\x51\xb2\x66\x45\
            \xdf\x4c\x2f\x87\xeb\xc0\x99\x2a\xb1\x77\xfb\xa5\x1d\xb9\x2c\x2a";
        let public = b"\x85\x20\xf0\x09\x89\x30\xa7\x54\x74\x8b\x7d\xdc\xb4\x3e\xf7\x5a\
            \x0d\xbf\x3a\x0d\x26\x38\x1a\xf4\xeb\xa4\xa9\x8e\xaa\x9b\x4e\x6a";
        assert_eq!(
            ReaderSecretKey::from_bytes(&alice).public_key().as_bytes(),
            public
        );
    }

    /// Randomness that is the `ikmE` of a vector.
    struct Given([u8; 32]);

    impl Entropy for Given {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
            out.copy_from_slice(&self.0);
            Ok(())
        }
    }

    /// The first message of RFC 9180's vector for the suite in base mode. Ours has
    /// no associated data: of that depends the tag, but no other byte.
    #[test]
    fn sealing_with_the_sender_s_key_of_rfc_9180_gives_its_bytes() {
        fn hex<const N: usize>(text: &str) -> [u8; N] {
            let digits = |place| u8::from_str_radix(&text[2 * place..2 * place + 2], 16);
            std::array::from_fn(|place| digits(place).unwrap())
        }
        let reader = ReaderSecretKey::from_ikm(&hex(
            "dac33b0e9db1b59dbbea58d59a14e7b5896e9bdf98fad6891e99d1686492b9ee",
        ));
        assert_eq!(
            reader.public_key().as_bytes(),
            &hex("430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c")
        );
        let mut sender = Given(hex(
            "2cd7c601cefb3d42a62b04b7a9041494c06c7843818e0ce28a8f704ae7ab20f9",
        ));
        let (info, secret) = (b"Ode on a Grecian Urn", b"Beauty is truth, truth beauty");
        let sealed = reader.public_key().seal_bytes(info, secret, &mut sender);
        let sealed = sealed.unwrap();
        let (enc, sealed_secret) = sealed.split_at(ENC_BYTES);
        assert_eq!(
            enc,
            hex::<ENC_BYTES>("6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256")
        );
        assert_eq!(
            sealed_secret[..secret.len()],
            hex::<29>("e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512b")
        );
        assert_eq!(**reader.open_bytes(info, &sealed).unwrap(), *secret);
    }

    #[test]
    fn a_public_key_of_small_order_is_refused_when_it_is_read() {
        let mut one = [0; KEY_BYTES];
        one[0] = 1;
        for bytes in [[0; KEY_BYTES], one] {
            let text = key_text::encode(KeyKind::ReaderPublic, &bytes);
            assert_eq!(
                text.parse::<ReaderPublicKey>().unwrap_err(),
                KeyTextError::UnsafeKey
            );
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let secret = ReaderSecretKey::generate().unwrap();
        let shown = format!("{secret:?}");
        assert_eq!(
            shown,
            format!("ReaderSecretKey(… of {})", secret.public_key().id())
        );
    }

    #[test]
    fn a_wrap_opens_only_with_its_key_and_its_purpose() {
        let (reader, other) = (
            ReaderSecretKey::generate().unwrap(),
            ReaderSecretKey::generate().unwrap(),
        );
        let key = ContentKey::generate(&mut crate::OsEntropy).unwrap();
        let wrapped = reader
            .public_key()
            .seal_key(b"purpose", &key, &mut crate::OsEntropy)
            .unwrap();
        let opened = reader.open_key(b"purpose", &wrapped).unwrap();
        assert_eq!(opened.expose(), key.expose());
        assert!(matches!(
            reader.open_key(b"other", &wrapped),
            Err(Error::WrapRefused)
        ));
        assert!(matches!(
            other.open_key(b"purpose", &wrapped),
            Err(Error::WrapRefused)
        ));
    }

    #[test]
    fn a_failing_source_of_randomness_is_an_error_not_a_weak_wrap() {
        struct Dry;
        impl Entropy for Dry {
            fn fill(&mut self, _: &mut [u8]) -> Result<(), EntropyError> {
                Err(EntropyError)
            }
        }
        let reader = ReaderSecretKey::generate().unwrap();
        let key = ContentKey::generate(&mut crate::OsEntropy).unwrap();
        assert!(matches!(
            reader.public_key().seal_key(b"", &key, &mut Dry),
            Err(Error::Entropy(_))
        ));
        assert!(ReaderSecretKey::generate_with(&mut Dry).is_err());
    }
}
