//! The one doorway through which MLS signs with a device's key.

use super::device_keys::DeviceKeys;
use crate::encoding::Cursor;
use crate::primitive::Signature;

/// What every label of RFC 9420 section 5.1.2 begins with.
const MLS_LABELS: &[u8] = b"MLS 1.0 ";
const MAX_LABEL_BYTES: usize = 63;

impl DeviceKeys {
    /// Signs the content that RFC 9420 section 5.1.2 makes, `struct { opaque
    /// label<V>; opaque content<V>; }` with a label of MLS, and nothing else:
    /// `None`. It is the shape of [`crate::Label::bind`], and no label of ours
    /// begins so; hence no signature for MLS is one of ours.
    pub fn sign_for_mls(&self, content: &[u8]) -> Option<Signature> {
        let label = Cursor::new(content).vector(MAX_LABEL_BYTES).ok()?;
        let fits = label.starts_with(MLS_LABELS);
        fits.then(|| self.signing_key().sign(content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::push_vector;
    use crate::{DeviceId, Label, UserId};

    #[test]
    fn nothing_of_ours_is_signed_for_mls() {
        let (user, device) = (UserId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
        let keys = DeviceKeys::from_seed(user, device, &[3; 32]);
        let labelled = |label: &[u8]| {
            let mut content = Vec::new();
            push_vector(&mut content, label);
            push_vector(&mut content, b"content");
            content
        };
        assert!(
            keys.sign_for_mls(&labelled(b"MLS 1.0 LeafNodeTBS"))
                .is_some()
        );
        for other in [
            Label::SigchainLink.bind(b"content"),
            labelled(b"MLS 1.1 LeafNodeTBS"),
            labelled(b""),
            b"MLS 1.0 LeafNodeTBS".to_vec(),
            vec![],
        ] {
            assert!(keys.sign_for_mls(&other).is_none());
        }
    }
}
