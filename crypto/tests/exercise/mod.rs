//! What must hold for any bytes at all; the body of the fuzz target and of `tests/decoders.rs`.

use crypto::hub::{HubKeyWrap, Roster, SealedSettings};
use crypto::identity::{
    DeviceCard, InviteProof, LoginChallenge, LoginProof, RequestProof, Sigchain,
    TransportAttestation,
};
use crypto::provisioning::Invitation;
use crypto::record::{Erasure, Export, RecordFront, RecordHeader, SealedRecord};
use crypto::sframe::CallKeyOffer;
use crypto::transparency::{AddCheckpoint, Leaf, SignedCheckpoint};
use crypto::vault::{BackupSet, Escrow, ServerShare, Vault};

/// Nothing panics, and what is taken is written again as it was.
pub fn decoders(bytes: &[u8]) {
    macro_rules! canonical {
        ($($name:ident),*) => {$(
            if let Ok(decoded) = $name::decode(bytes) {
                assert_eq!(decoded.encode(), bytes, stringify!($name));
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
        Vault
    );
    if let Ok(leaf) = Leaf::decode(bytes) {
        assert_eq!(leaf.encode(), bytes);
    }
    // Without anybody's sigchain no roster holds.
    assert!(Roster::decode(bytes, &Default::default()).is_err());
    if let Ok(text) = str::from_utf8(bytes) {
        if let Ok(checkpoint) = SignedCheckpoint::parse(text) {
            assert_eq!(checkpoint.as_str(), text);
        }
        drop(AddCheckpoint::parse(text));
        drop(Invitation::scan(text));
        drop(Invitation::enter(text));
    }
}
