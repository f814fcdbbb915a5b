//! Redeeming an invite: who has the code also has the keys that it is to be
//! turned into an account for.

use sha2::{Digest, Sha256};

use super::chain::ChainHead;
use super::device_keys::DeviceKeys;
use super::error::InviteError;
use super::login::MAX_ORIGIN_BYTES;
use super::sigchain::Sigchain;
use crate::encoding::{Cursor, push_vector};
use crate::id::DeviceId;
use crate::label::Label;
use crate::primitive::Signature;

const MAGIC: [u8; 4] = *b"HLIP";
const VERSION: u8 = 1;

/// A device's signature that it redeems one invite at one server for one
/// person's sigchain.
///
/// It is sent with the code and the chain. Without it, whoever saw a code could
/// turn it into an account with somebody else's public keys, and a server that
/// a phisher runs could pass a redemption on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InviteProof {
    device: DeviceId,
    head: ChainHead,
    signature: Signature,
}

impl InviteProof {
    /// Bytes of an encoded proof.
    pub const BYTES: usize = 4 + 1 + DeviceId::BYTES + ChainHead::BYTES + Signature::BYTES;

    /// Signs, on the new person's device. `code` is the invite's code as it was
    /// given out; `origin` is the server that the device is connected to, by
    /// what TLS says, as browsers write it; `chain` is the person's, as it is
    /// sent along.
    ///
    /// # Errors
    /// [`InviteError::NotOfChain`] when the device is not live on the chain,
    /// [`InviteError::Malformed`] for an origin of more than
    /// [`MAX_ORIGIN_BYTES`] bytes or none.
    pub fn new(
        keys: &DeviceKeys,
        chain: &Sigchain,
        origin: &str,
        code: &[u8],
    ) -> Result<Self, InviteError> {
        let (device, head) = (keys.device(), chain.head());
        let known = chain.device_at(device, &head);
        if known != Ok(&keys.signing_key().verifying_key()) {
            return Err(InviteError::NotOfChain);
        }
        let code_hash = Sha256::digest(code).into();
        let bound = bound(chain, device, origin, &code_hash)?;
        Ok(Self {
            device,
            head,
            signature: keys.signing_key().sign(&bound),
        })
    }

    /// Reads a proof; nothing is checked yet.
    ///
    /// # Errors
    /// [`InviteError::Malformed`] or [`InviteError::UnknownVersion`].
    pub fn decode(input: &[u8]) -> Result<Self, InviteError> {
        let mut cursor = Cursor::new(input);
        if cursor.array()? != MAGIC {
            return Err(InviteError::Malformed);
        }
        match cursor.u8()? {
            VERSION => {}
            other => return Err(InviteError::UnknownVersion(other)),
        }
        let proof = Self {
            device: DeviceId::from_bytes(cursor.array()?),
            head: ChainHead::read(&mut cursor)?,
            signature: Signature::from_bytes(cursor.array()?),
        };
        match cursor.position() == input.len() {
            true => Ok(proof),
            false => Err(InviteError::Malformed),
        }
    }

    /// Writes the proof, to send to the server.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        out.extend_from_slice(self.device.as_bytes());
        out.extend_from_slice(&self.head.encode());
        out.extend_from_slice(self.signature.as_bytes());
        out
    }

    /// The device that claims to have signed.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// Believes the proof, or not; on the server. `chain` is the one that was
    /// sent along, verified by [`Sigchain::decode`]; `origin` is the server's
    /// own; `code_hash` is the SHA-256 of the code, under which the invite is
    /// kept. That the invite is there, not expired and not used is for the
    /// caller to see, in the same step in which it is used up.
    ///
    /// # Errors
    /// [`InviteError::NotOfChain`] when the chain is not the one that was
    /// signed for, or the device is not live on it;
    /// [`InviteError::BadSignature`] when somebody else signed, or for another
    /// server or code.
    pub fn verify(
        &self,
        chain: &Sigchain,
        origin: &str,
        code_hash: &[u8; 32],
    ) -> Result<(), InviteError> {
        if self.head != chain.head() {
            return Err(InviteError::NotOfChain);
        }
        let key = chain.device_at(self.device, &self.head);
        let key = key.map_err(|_| InviteError::NotOfChain)?;
        let bound = bound(chain, self.device, origin, code_hash)?;
        key.verify(&bound, &self.signature)
            .map_err(|_| InviteError::BadSignature)
    }
}

fn bound(
    chain: &Sigchain,
    device: DeviceId,
    origin: &str,
    code_hash: &[u8; 32],
) -> Result<Vec<u8>, InviteError> {
    if !(1..=MAX_ORIGIN_BYTES).contains(&origin.len()) {
        return Err(InviteError::Malformed);
    }
    let mut context = Vec::with_capacity(origin.len() + 104);
    context.push(VERSION);
    push_vector(&mut context, origin.as_bytes());
    context.extend_from_slice(code_hash);
    context.extend_from_slice(chain.user().as_bytes());
    context.extend_from_slice(device.as_bytes());
    context.extend_from_slice(&chain.head().encode());
    Ok(Label::InviteProof.bind(&context))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsEntropy;
    use crate::id::UserId;
    use proptest::prelude::*;

    const ORIGIN: &str = "https://hotline.example";
    const CODE: &[u8] = b"K7QF-2M9D";

    fn keys(user: u8, device: u8) -> DeviceKeys {
        let (user, id) = ([user; 16], [device; 16]);
        let (user, id) = (UserId::from_bytes(user), DeviceId::from_bytes(id));
        DeviceKeys::from_seed(user, id, &[device; 32])
    }

    fn redeemed() -> (DeviceKeys, Sigchain, InviteProof) {
        let keys = keys(1, 2);
        let mut chain = Sigchain::create(&keys, 1).unwrap();
        chain.rotate_puk(&keys, None, 2, &mut OsEntropy).unwrap();
        let proof = InviteProof::new(&keys, &chain, ORIGIN, CODE).unwrap();
        (keys, chain, proof)
    }

    fn code_hash(code: &[u8]) -> [u8; 32] {
        Sha256::digest(code).into()
    }

    #[test]
    fn a_code_is_redeemed_with_the_keys_of_the_account() {
        let (keys, chain, proof) = redeemed();
        let sent = InviteProof::decode(&proof.encode()).unwrap();
        assert_eq!((sent, sent.device()), (proof, keys.device()));
        assert_eq!(sent.verify(&chain, ORIGIN, &code_hash(CODE)), Ok(()));
    }

    #[test]
    fn a_proof_is_worth_nothing_for_another_code_or_server() {
        let (_, chain, proof) = redeemed();
        let refused = |origin, code: &[u8]| proof.verify(&chain, origin, &code_hash(code));
        let elsewhere = refused("https://hot1ine.example", CODE);
        assert_eq!(elsewhere, Err(InviteError::BadSignature));
        assert_eq!(refused(ORIGIN, b"other"), Err(InviteError::BadSignature));
        assert_eq!(refused("", CODE), Err(InviteError::Malformed));
    }

    #[test]
    fn nobody_redeems_a_code_for_keys_that_they_do_not_have() {
        let (_, chain, proof) = redeemed();
        let thief = keys(1, 9);
        let made = InviteProof::new(&thief, &chain, ORIGIN, CODE);
        assert_eq!(made, Err(InviteError::NotOfChain));
        // The thief's signature in the victim's name.
        let own = Sigchain::create(&thief, 1).unwrap();
        let mut forged = InviteProof::new(&thief, &own, ORIGIN, CODE).unwrap();
        let hash = code_hash(CODE);
        let other_chain = forged.verify(&chain, ORIGIN, &hash);
        assert_eq!(other_chain, Err(InviteError::NotOfChain));
        forged.head = proof.head;
        let stranger = forged.verify(&chain, ORIGIN, &hash);
        assert_eq!(stranger, Err(InviteError::NotOfChain));
        forged.device = proof.device;
        let unsigned = forged.verify(&chain, ORIGIN, &hash);
        assert_eq!(unsigned, Err(InviteError::BadSignature));
    }

    #[test]
    fn a_chain_that_grew_since_is_another_chain() {
        let (keys, mut chain, proof) = redeemed();
        let (ring, card) = (chain.open_puk(&keys).unwrap(), self::keys(1, 3).card());
        chain
            .add_device(&keys, &card, Some(ring.current()), 3, &mut OsEntropy)
            .unwrap();
        let refused = proof.verify(&chain, ORIGIN, &code_hash(CODE));
        assert_eq!(refused, Err(InviteError::NotOfChain));
    }

    proptest! {
        #[test]
        fn a_changed_proof_does_not_verify(place in 0..InviteProof::BYTES, bit in 0..8_u32) {
            let (_, chain, proof) = redeemed();
            let mut bytes = proof.encode();
            bytes[place] ^= 1 << bit;
            let verified = InviteProof::decode(&bytes)
                .and_then(|proof| proof.verify(&chain, ORIGIN, &code_hash(CODE)));
            prop_assert!(verified.is_err());
        }
    }
}
