//! Sigchains and rosters, verified from the first link on and kept for the next request.
//!
//! What is kept is only ever the beginning of what the database has: each use asks it for the
//! links that came since, so nobody is answered from an old roster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crypto::hub::{Roster, RosterError, RosterState, Sigchains};
use crypto::identity::Sigchain;
use store::{AuditChain, HubId, Scoped, UserId};

use crate::refusal::Refusal;
use crate::shared::Shared;

/// Bytes of links that are kept of sigchains before all are read anew.
const MAX_SIGCHAIN_BYTES: usize = 64 << 20;
/// Hubs whose rosters are kept before all are read anew.
const MAX_ROSTERS: usize = 256;

/// The id of a person as `crypto` has it.
pub(crate) fn person(user: UserId) -> crypto::UserId {
    crypto::UserId::from_bytes(user.0)
}

/// The id of a person as `store` has it.
pub(crate) fn user_of(person: crypto::UserId) -> UserId {
    UserId(*person.as_bytes())
}

/// The id of a hub as `crypto` has it.
pub(crate) fn hub_of(hub: HubId) -> crypto::HubId {
    crypto::HubId::from_bytes(hub.0)
}

/// A verified roster, and whose sigchains it takes to verify it.
#[derive(Debug)]
pub(crate) struct KnownRoster {
    pub(crate) roster: Roster,
    /// The members, and whoever has signed a link.
    pub(crate) people: BTreeSet<UserId>,
}

impl KnownRoster {
    pub(crate) fn state(&self) -> &RosterState {
        self.roster.state()
    }
}

#[derive(Default)]
struct People {
    chains: BTreeMap<UserId, Arc<Sigchain>>,
    bytes: usize,
}

/// What was verified.
#[derive(Default)]
pub(crate) struct Chains {
    people: Mutex<People>,
    rosters: Mutex<BTreeMap<HubId, Arc<KnownRoster>>>,
    /// Whoever enters heads of audit trails into the key log.
    pub(crate) publishing: tokio::sync::Mutex<()>,
    /// Trails whose heads cannot go there, and why.
    pub(crate) broken_trails: Mutex<BTreeMap<AuditChain, String>>,
}

impl Chains {
    fn sigchain(&self, user: UserId) -> Option<Arc<Sigchain>> {
        let people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        people.chains.get(&user).cloned()
    }

    fn keep_sigchain(&self, user: UserId, chain: &Arc<Sigchain>) {
        let bytes = |chain: &Sigchain| chain.links().map(<[u8]>::len).sum::<usize>();
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        people.bytes += bytes(chain);
        if let Some(before) = people.chains.insert(user, Arc::clone(chain)) {
            people.bytes = people.bytes.saturating_sub(bytes(&before));
        }
        if people.bytes > MAX_SIGCHAIN_BYTES {
            *people = People::default();
        }
    }

    fn roster(&self, hub: HubId) -> Option<Arc<KnownRoster>> {
        let rosters = self.rosters.lock().unwrap_or_else(PoisonError::into_inner);
        rosters.get(&hub).cloned()
    }

    fn keep_roster(&self, hub: HubId, roster: &Arc<KnownRoster>) {
        let mut rosters = self.rosters.lock().unwrap_or_else(PoisonError::into_inner);
        if rosters.len() >= MAX_ROSTERS && !rosters.contains_key(&hub) {
            rosters.clear();
        }
        rosters.insert(hub, Arc::clone(roster));
    }
}

impl Shared {
    /// A person's sigchain as far as it goes now; `None` for nobody.
    pub(crate) async fn sigchain(&self, user: UserId) -> Result<Option<Arc<Sigchain>>, Refusal> {
        let known = self.chains.sigchain(user);
        let after = known.as_ref().map_or(0, |chain| chain.head().seqno);
        let links = self.store.reader().sigchain(user, u64::from(after)).await?;
        if links.is_empty() {
            return Ok(known);
        }
        let chain = match known {
            None => Sigchain::from_links(links),
            Some(known) => {
                let mut chain = Sigchain::clone(&known);
                let mut links = links.iter();
                links
                    .try_for_each(|link| chain.append(link))
                    .map(|()| chain)
            }
        };
        let chain = Arc::new(chain.map_err(Refusal::internal)?);
        if chain.user() != person(user) {
            return Err(Refusal::internal("a sigchain is kept under another name"));
        }
        self.chains.keep_sigchain(user, &chain);
        Ok(Some(chain))
    }

    /// The roster of the hub of `scope` as far as it goes now; `None` before it is begun.
    pub(crate) async fn roster(
        &self,
        scope: &Scoped<'_>,
    ) -> Result<Option<Arc<KnownRoster>>, Refusal> {
        let hub = scope.hub().id;
        let known = self.chains.roster(hub);
        let after = known.as_ref().map_or(0, |known| known.roster.head().seqno);
        let links = scope.roster(u64::from(after)).await?;
        if links.is_empty() {
            return Ok(known);
        }
        let verified = self.extended(scope, known.as_deref(), &links).await?;
        let verified = Arc::new(verified.map_err(Refusal::internal)?);
        self.keep_roster(scope, &verified);
        Ok(Some(verified))
    }

    /// The roster after `links`, verified with the sigchains as they are now. The inner error is
    /// the links'.
    pub(crate) async fn extended(
        &self,
        scope: &Scoped<'_>,
        known: Option<&KnownRoster>,
        links: &[Vec<u8>],
    ) -> Result<Result<KnownRoster, RosterError>, Refusal> {
        let mut people = known.map_or_else(BTreeSet::new, |known| known.people.clone());
        people.extend(scope.members().await?.into_iter().map(|member| member.user));
        let mut sigchains = Sigchains::new();
        for user in &people {
            if let Some(chain) = self.sigchain(*user).await? {
                sigchains.insert(person(*user), Sigchain::clone(&chain));
            }
        }
        loop {
            // Who is named is only known by reading; whoever is missing is fetched.
            let missing = match verify(scope.hub().id, known, links, &sigchains) {
                Err(RosterError::SigchainMissing(missing)) => missing,
                Err(error) => return Ok(Err(error)),
                Ok(roster) => return Ok(Ok(KnownRoster { roster, people })),
            };
            let user = user_of(missing);
            let chain = match sigchains.contains_key(&missing) {
                true => None,
                false => self.sigchain(user).await?,
            };
            let Some(chain) = chain else {
                return Ok(Err(RosterError::SigchainMissing(missing)));
            };
            people.insert(user);
            sigchains.insert(missing, Sigchain::clone(&chain));
        }
    }

    /// Remembers a roster that the database has.
    pub(crate) fn keep_roster(&self, scope: &Scoped<'_>, roster: &Arc<KnownRoster>) {
        self.chains.keep_roster(scope.hub().id, roster);
    }
}

fn verify(
    hub: HubId,
    known: Option<&KnownRoster>,
    links: &[Vec<u8>],
    sigchains: &Sigchains,
) -> Result<Roster, RosterError> {
    let roster = match known {
        None => Roster::from_links(links, sigchains)?,
        Some(known) => {
            let mut roster = known.roster.clone();
            let mut links = links.iter();
            links.try_for_each(|link| roster.append(link, sigchains))?;
            roster
        }
    };
    match roster.state().hub() == hub_of(hub) {
        true => Ok(roster),
        false => Err(RosterError::OtherHub { seqno: 1 }),
    }
}
