//! The people whose device lists were verified.

use std::collections::BTreeMap;

use crypto::UserId;
use crypto::identity::{ChainHead, Sigchain};

use crate::refusal::{Code, Refusal};

/// Everybody whom a session can seal to and believe. Nobody gets in but by a
/// whole sigchain that holds.
#[derive(Debug, Default)]
pub struct People {
    chains: BTreeMap<UserId, Sigchain>,
}

impl People {
    /// Verifies somebody's sigchain and remembers it. `seen` is the head that
    /// this app has stored for them, `None` at first contact. A chain that was
    /// added before must be contained as well.
    ///
    /// Gives the new head, to be stored.
    ///
    /// # Errors
    /// [`Code::Moved`] when it is not `user`'s; [`Code::Rollback`]; or what is
    /// wrong with the chain.
    pub fn add(
        &mut self,
        user: UserId,
        sigchain: &[u8],
        seen: Option<&[u8]>,
    ) -> Result<[u8; ChainHead::BYTES], Refusal> {
        let known = self.chains.get(&user).map(Sigchain::head);
        let chain = verified(user, sigchain, seen, known)?;
        let head = chain.head().encode();
        self.chains.insert(user, chain);
        Ok(head)
    }

    pub(crate) fn chains(&self) -> &BTreeMap<UserId, Sigchain> {
        &self.chains
    }

    pub(crate) fn chain(&self, user: UserId) -> Option<&Sigchain> {
        self.chains.get(&user)
    }
}

/// A chain that is `user`'s and continues all that was seen of it.
pub(crate) fn verified(
    user: UserId,
    sigchain: &[u8],
    stored: Option<&[u8]>,
    known: Option<ChainHead>,
) -> Result<Sigchain, Refusal> {
    let chain = Sigchain::decode(sigchain)?;
    if chain.user() != user {
        return Err(Refusal::new(
            Code::Moved,
            "the server sent the device list of another person",
        ));
    }
    if let Some(stored) = stored {
        chain.check_contains(&head(stored)?)?;
    }
    if let Some(known) = known {
        chain.check_contains(&known)?;
    }
    Ok(chain)
}

pub(crate) fn head(bytes: &[u8]) -> Result<ChainHead, Refusal> {
    let whole = bytes.try_into().map(ChainHead::decode);
    whole.map_err(|_| {
        Refusal::new(
            Code::Malformed,
            "the stored end of a device list is malformed",
        )
    })
}
