//! A device as MLS sees it.

use std::fmt;
use std::sync::Arc;

use crypto::VerifyingKey;
use crypto::identity::DeviceKeys;
use crypto::sframe::Member;
use crypto::{DeviceId, UserId};
use openmls::prelude::tls_codec::{DeserializeBytes, Serialize};
use openmls::prelude::{
    BasicCredential, Credential, CredentialWithKey, KeyPackage, MlsMessageBodyIn, MlsMessageIn,
    MlsMessageOut, SignaturePublicKey, StagedWelcome,
};
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;

use crate::error::MlsError;
use crate::group::{self, Group};
use crate::provider::{Provider, SUITE};

/// Bytes of user and device id.
const IDENTITY_BYTES: usize = UserId::BYTES + DeviceId::BYTES;

/// Knows the signing keys of people's devices, from verified sigchains.
pub trait Directory {
    /// The key of a device that is live, and may be in the group.
    fn sign_key(&self, member: Member) -> Option<VerifyingKey>;
}

impl<F: Fn(Member) -> Option<VerifyingKey>> Directory for F {
    fn sign_key(&self, member: Member) -> Option<VerifyingKey> {
        self(member)
    }
}

/// One device: its keys, its key packages and what it knows of its groups.
///
/// All of it is in memory, and gone with the process.
#[derive(Clone)]
pub struct MlsDevice(pub(crate) Arc<Core>);

pub(crate) struct Core {
    pub(crate) provider: Provider,
    pub(crate) signer: DeviceSigner,
}

impl MlsDevice {
    /// Takes part as this device.
    pub fn new(keys: DeviceKeys) -> Self {
        let provider = Provider::default();
        let signer = DeviceSigner(keys);
        Self(Arc::new(Core { provider, signer }))
    }

    /// Who it is.
    pub fn member(&self) -> Member {
        self.0.signer.member()
    }

    /// Makes a key package, by which this device can be added to one group. To
    /// be published; it expires after three months.
    ///
    /// # Errors
    /// [`MlsError::BadChange`] when it cannot be made.
    pub fn key_package(&self) -> Result<Vec<u8>, MlsError> {
        let Core { provider, signer } = &*self.0;
        let bundle = KeyPackage::builder().build(SUITE, provider, signer, signer.credential());
        let bundle = bundle.map_err(|error| MlsError::BadChange(error.to_string()))?;
        let message = MlsMessageOut::from(bundle.key_package().clone());
        message
            .tls_serialize_detached()
            .map_err(|_| MlsError::Malformed)
    }

    /// Creates a group with this device in it. `id` is random.
    ///
    /// # Errors
    /// [`MlsError::BadChange`] when this device has a group of this id.
    pub fn create_group(&self, id: &[u8; 16]) -> Result<Group, MlsError> {
        Group::create(self.0.clone(), id)
    }

    /// Joins a group that a key package of this device was added to.
    ///
    /// # Errors
    /// [`MlsError::Malformed`], [`MlsError::NotInvited`], or
    /// [`MlsError::Stranger`] when anybody in it is not in the directory.
    pub fn join(&self, welcome: &[u8], directory: &dyn Directory) -> Result<Group, MlsError> {
        let MlsMessageBodyIn::Welcome(welcome) = read(welcome)?.extract() else {
            return Err(MlsError::Malformed);
        };
        let refused = |error: &dyn fmt::Display| MlsError::NotInvited(error.to_string());
        let provider = &self.0.provider;
        let staged =
            StagedWelcome::new_from_welcome(provider, &group::join_config(), welcome, None)
                .map_err(|error| refused(&error))?;
        for member in staged.members() {
            vouched(&member.credential, &member.signature_key, directory)?;
        }
        let group = staged.into_group(provider);
        let group = group.map_err(|error| refused(&error))?;
        Group::joined(self.0.clone(), group)
    }
}

impl fmt::Debug for MlsDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MlsDevice(… {:?})", self.0.signer.0)
    }
}

/// Signs with the device's key, what RFC 9420 has it sign and nothing else.
pub(crate) struct DeviceSigner(DeviceKeys);

impl DeviceSigner {
    pub(crate) fn member(&self) -> Member {
        Member {
            user: self.0.user(),
            device: self.0.device(),
        }
    }

    pub(crate) fn credential(&self) -> CredentialWithKey {
        let Member { user, device } = self.member();
        let identity = [user.as_bytes().as_slice(), device.as_bytes()].concat();
        let key = self.0.signing_key().verifying_key();
        CredentialWithKey {
            credential: BasicCredential::new(identity).into(),
            signature_key: SignaturePublicKey::from(key.as_bytes().to_vec()),
        }
    }
}

impl Signer for DeviceSigner {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        let signature = self.0.sign_for_mls(payload);
        let signature = signature.ok_or(SignerError::SigningError)?;
        Ok(signature.as_bytes().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// Reads one message, and nothing after it.
pub(crate) fn read(bytes: &[u8]) -> Result<MlsMessageIn, MlsError> {
    if bytes.len() > group::MAX_MESSAGE_BYTES {
        return Err(MlsError::Malformed);
    }
    MlsMessageIn::tls_deserialize_exact_bytes(bytes).map_err(|_| MlsError::Malformed)
}

/// Whose leaf it is, when the directory has this key for them.
pub(crate) fn vouched(
    credential: &Credential,
    signature_key: &[u8],
    directory: &dyn Directory,
) -> Result<Member, MlsError> {
    let member = member(credential)?;
    let known = directory.sign_key(member);
    match known.is_some_and(|known| known.as_bytes() == signature_key) {
        true => Ok(member),
        false => Err(MlsError::Stranger),
    }
}

/// Whose leaf it says to be.
pub(crate) fn member(credential: &Credential) -> Result<Member, MlsError> {
    let credential = BasicCredential::try_from(credential.clone());
    let credential = credential.map_err(|_| MlsError::Stranger)?;
    let identity: &[u8; IDENTITY_BYTES] = credential
        .identity()
        .try_into()
        .map_err(|_| MlsError::Stranger)?;
    let (user, device) = identity.split_at(UserId::BYTES);
    let id = |bytes: &[u8]| bytes.try_into().map_err(|_| MlsError::Stranger);
    Ok(Member {
        user: UserId::from_bytes(id(user)?),
        device: DeviceId::from_bytes(id(device)?),
    })
}
