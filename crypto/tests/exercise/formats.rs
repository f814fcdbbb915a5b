//! Whatever is read without a key.

use crypto::audit::AuditHead;
use crypto::cobblestone::ContentKey;
use crypto::hub::{HubKey, HubKeyWrap, Roster, SealedSettings, Voucher};
use crypto::identity::{
    ChainHead, DeviceCard, InviteProof, ItemsKey, LoginChallenge, LoginProof, RequestProof,
    Sigchain, TransportAttestation, TransportPublicKey,
};
use crypto::record::{Erasure, Export, RecordFront, RecordHeader, SealedRecord};
use crypto::sframe::CallKeyOffer;
use crypto::transparency::{Leaf, Proof};
use crypto::vault::{BackupSet, Escrow, ServerShare, Vault};
use crypto::{ReaderPublicKey, VerifyingKey};

/// Nothing panics, and what is taken is written again as it was.
pub fn formats(bytes: &[u8]) -> usize {
    let mut taken = 0;
    macro_rules! canonical {
        ($($name:ident),*) => {$(
            if let Ok(decoded) = $name::decode(bytes) {
                assert_eq!(decoded.encode().as_slice(), bytes, stringify!($name));
                taken += 1;
            }
        )*};
    }
    canonical!(
        BackupSet,
        CallKeyOffer,
        DeviceCard,
        Erasure,
        Escrow,
        Export,
        HubKeyWrap,
        InviteProof,
        Leaf,
        LoginChallenge,
        LoginProof,
        RecordFront,
        RecordHeader,
        RequestProof,
        SealedRecord,
        SealedSettings,
        ServerShare,
        Sigchain,
        TransportAttestation,
        Vault,
        Voucher
    );
    if let Ok(leaf) = Leaf::decode(bytes)
        && let Some(head) = AuditHead::of_leaf(&leaf)
    {
        assert_eq!(head.leaf(), Some(leaf));
    }
    // Without anybody's sigchain no roster holds.
    assert!(Roster::decode(bytes, &Default::default()).is_err());
    taken += usize::from(HubKey::epoch_of_event(bytes).is_ok());
    taken += usize::from(ItemsKey::generation_of(bytes).is_ok());
    taken + pieces(bytes)
}

/// What has one length and nothing before it.
fn pieces(bytes: &[u8]) -> usize {
    if let Ok(head) = bytes.try_into().map(ChainHead::decode) {
        assert_eq!(head.encode(), bytes);
    }
    let (hashes, _) = bytes.as_chunks::<32>();
    if let Ok(proof) = Proof::from_hashes(hashes.to_vec()) {
        assert_eq!(proof.hashes(), hashes);
    }
    assert_eq!(ContentKey::from_slice(bytes).is_ok(), bytes.len() == 32);
    let Ok(key) = <[u8; 32]>::try_from(bytes) else {
        return 0;
    };
    if let Ok(read) = VerifyingKey::from_bytes(&key) {
        assert_eq!(read.as_bytes(), &key);
    }
    if let Ok(read) = ReaderPublicKey::from_bytes(key) {
        assert_eq!(read.as_bytes(), &key);
    }
    if let Ok(read) = TransportPublicKey::from_bytes(key) {
        assert_eq!(read.as_bytes(), &key);
    }
    0
}
