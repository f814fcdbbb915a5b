//! The table of registered contacts (RFC 3261 10.3, RFC 3327, RFC 5626 6).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::timer::TimerQueue;
use crate::ua::{Account, Binding, BindingId, ConnectionId, Flow};

/// Contacts of one account; a further one replaces the one that ends first.
pub const MAX_BINDINGS_PER_ACCOUNT: usize = 10;
/// Contacts of all accounts together.
pub const MAX_BINDINGS: usize = 10_000;
/// Contacts in one REGISTER.
pub const MAX_CONTACTS_PER_REGISTER: usize = 10;
/// Longest contact URI, instance, or Path value kept, in bytes.
pub const MAX_VALUE_LEN: usize = 512;
/// Path values kept.
pub const MAX_PATHS: usize = 5;

/// What one authenticated REGISTER asks.
#[derive(Clone)]
pub struct Registration {
    /// Whose contacts.
    pub account: Account,
    /// Its Call-ID.
    pub call_id: String,
    /// Its CSeq number.
    pub cseq: u32,
    /// Path header values in order.
    pub path: Vec<String>,
    /// Where it came from.
    pub flow: Flow,
    /// The phone's `User-Agent`, short and without control characters.
    pub user_agent: Option<String>,
    /// What it wants done.
    pub contacts: Contacts,
}

/// The Contact headers of a REGISTER.
#[derive(Clone)]
pub enum Contacts {
    /// None: tell what is registered.
    Query,
    /// `*` with `Expires: 0`: remove all.
    RemoveAll,
    /// Add, refresh or remove these.
    Update(Vec<ContactUpdate>),
}

/// One Contact of a REGISTER.
#[derive(Clone)]
pub struct ContactUpdate {
    /// The URI as written.
    pub uri: String,
    /// The lifetime asked for; zero removes; `None` leaves it to us.
    pub expires: Option<Duration>,
    /// `+sip.instance`.
    pub instance: Option<String>,
    /// `reg-id`.
    pub reg_id: Option<u32>,
}

/// The lifetimes that may be granted.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Shorter ones are refused.
    pub min: Duration,
    /// Longer ones are shortened; also what a phone gets that asks for none.
    pub max: Duration,
}

/// Why a REGISTER changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// 423 with `Min-Expires`.
    #[error("the lifetime asked for is too short")]
    TooBrief,
    /// 500: an older request overtook a newer one (RFC 3261 10.3 step 7).
    #[error("the request is older than the last one of this registration")]
    OutOfOrder,
    /// 403: more contacts, or longer ones, than we keep.
    #[error("too many or too long contacts")]
    TooLarge,
    /// 400: a value with control characters, which not every database takes.
    #[error("a value with control characters")]
    Unprintable,
    /// 503.
    #[error("the table is full")]
    Full,
}

/// A change of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A contact was added or refreshed.
    Upserted(Box<Binding>),
    /// A contact is gone.
    Removed {
        /// Which.
        id: BindingId,
        /// Whose.
        account: Account,
    },
}

/// All bindings, with their ends.
#[derive(Debug)]
pub struct Registrar {
    bindings: BTreeMap<BindingId, Binding>,
    by_account: BTreeMap<Account, BTreeSet<BindingId>>,
    /// How many bindings each peer address has.
    peers: BTreeMap<SocketAddr, usize>,
    expiry: TimerQueue<BindingId>,
    last_id: u64,
}

impl Default for Registrar {
    fn default() -> Self {
        Self::new()
    }
}

impl Registrar {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bindings: BTreeMap::new(),
            by_account: BTreeMap::new(),
            peers: BTreeMap::new(),
            expiry: TimerQueue::new(),
            last_id: 0,
        }
    }

    /// Applies one REGISTER, wholly or not at all.
    ///
    /// # Errors
    /// See [`RegisterError`]; the table is then as it was.
    pub fn register(
        &mut self,
        request: Registration,
        lifetimes: Lifetimes,
        now: Instant,
    ) -> Result<Vec<Change>, RegisterError> {
        match &request.contacts {
            Contacts::Query => Ok(Vec::new()),
            Contacts::RemoveAll => {
                let ids = self.ids_of(&request.account);
                for id in &ids {
                    self.check_order(*id, &request)?;
                }
                Ok(ids.into_iter().filter_map(|id| self.remove(id)).collect())
            }
            Contacts::Update(updates) => {
                self.check_updates(&request, updates, lifetimes)?;
                let mut changes = Vec::new();
                for update in updates {
                    self.apply(&request, update, lifetimes, now, &mut changes);
                }
                Ok(changes)
            }
        }
    }

    /// Takes over what was persisted; what has ended in the meantime goes with
    /// the next [`Self::pop_expired`]. A binding that finds no room is given back as removed.
    pub fn restore(&mut self, binding: Binding) -> Option<Change> {
        self.last_id = self.last_id.max(binding.id.0);
        if self.bindings.contains_key(&binding.id) {
            return None;
        }
        if self.bindings.len() >= MAX_BINDINGS {
            return Some(Change::Removed {
                id: binding.id,
                account: binding.account,
            });
        }
        self.insert(binding);
        None
    }

    /// One binding.
    #[must_use]
    pub fn get(&self, id: BindingId) -> Option<&Binding> {
        self.bindings.get(&id)
    }

    /// All bindings, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.values()
    }

    /// The bindings of an account, oldest first.
    pub fn of_account(&self, account: &Account) -> impl Iterator<Item = &Binding> {
        self.by_account
            .get(account)
            .into_iter()
            .flatten()
            .filter_map(|id| self.bindings.get(id))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Whether a phone has registered from this address.
    #[must_use]
    pub fn knows_peer(&self, peer: SocketAddr) -> bool {
        self.peers.contains_key(&peer)
    }

    /// Whether a binding lives on this connection.
    #[must_use]
    pub fn uses_connection(&self, connection: ConnectionId) -> bool {
        self.bindings
            .values()
            .any(|binding| binding.flow.connection() == Some(connection))
    }

    /// The account's bindings are no longer wanted.
    pub fn remove_account(&mut self, account: &Account) -> Vec<Change> {
        let ids = self.ids_of(account);
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// The accounts that have bindings.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.by_account.keys()
    }

    /// A connection is gone, and with it the contacts that were reachable over it.
    pub fn connection_closed(&mut self, connection: ConnectionId) -> Vec<Change> {
        let ids: Vec<BindingId> = self
            .bindings
            .values()
            .filter(|binding| binding.flow.connection() == Some(connection))
            .map(|binding| binding.id)
            .collect();
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// When the next binding ends.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.expiry.next()
    }

    /// Removes one binding that has ended by `now`.
    pub fn pop_expired(&mut self, now: Instant) -> Option<Change> {
        let id = self.expiry.pop_due(now)?;
        self.remove(id)
    }

    fn ids_of(&self, account: &Account) -> Vec<BindingId> {
        self.by_account
            .get(account)
            .map(|ids| ids.iter().copied().collect())
            .unwrap_or_default()
    }

    fn check_updates(
        &self,
        request: &Registration,
        updates: &[ContactUpdate],
        lifetimes: Lifetimes,
    ) -> Result<(), RegisterError> {
        if updates.len() > MAX_CONTACTS_PER_REGISTER || request.path.len() > MAX_PATHS {
            return Err(RegisterError::TooLarge);
        }
        check_value(&request.call_id)?;
        request.path.iter().try_for_each(|path| check_value(path))?;
        for update in updates {
            check_value(&update.uri)?;
            update.instance.as_deref().map_or(Ok(()), check_value)?;
            let asked = update.expires.unwrap_or(lifetimes.max);
            if !asked.is_zero() && asked < lifetimes.min {
                return Err(RegisterError::TooBrief);
            }
            match self.find(&request.account, update) {
                Some(id) => self.check_order(id, request)?,
                None if self.bindings.len() + updates.len() > MAX_BINDINGS => {
                    return Err(RegisterError::Full);
                }
                None => {}
            }
        }
        Ok(())
    }

    fn check_order(&self, id: BindingId, request: &Registration) -> Result<(), RegisterError> {
        let older = self.bindings.get(&id).is_some_and(|binding| {
            binding.call_id == request.call_id && request.cseq <= binding.cseq
        });
        if older {
            Err(RegisterError::OutOfOrder)
        } else {
            Ok(())
        }
    }

    /// By instance and reg-id where given (RFC 5626 6), else by URI.
    fn find(&self, account: &Account, update: &ContactUpdate) -> Option<BindingId> {
        let same = |binding: &&Binding| match (&update.instance, update.reg_id) {
            (Some(_), Some(_)) => {
                binding.instance == update.instance && binding.reg_id == update.reg_id
            }
            _ => same_contact(&binding.contact, &update.uri),
        };
        self.of_account(account)
            .find(same)
            .map(|binding| binding.id)
    }

    fn apply(
        &mut self,
        request: &Registration,
        update: &ContactUpdate,
        lifetimes: Lifetimes,
        now: Instant,
        changes: &mut Vec<Change>,
    ) {
        let known = self.find(&request.account, update);
        let lifetime = update.expires.unwrap_or(lifetimes.max).min(lifetimes.max);
        if lifetime.is_zero() {
            changes.extend(known.and_then(|id| self.remove(id)));
            return;
        }
        let id = match known {
            Some(id) => {
                self.take(id);
                id
            }
            None => {
                changes.extend(self.make_room(&request.account));
                self.last_id += 1;
                BindingId(self.last_id)
            }
        };
        let binding = Binding {
            id,
            account: request.account.clone(),
            contact: update.uri.clone(),
            instance: update.instance.clone(),
            reg_id: update.reg_id,
            path: request.path.clone(),
            flow: request.flow,
            call_id: request.call_id.clone(),
            cseq: request.cseq,
            expires_at: now + lifetime,
            user_agent: request.user_agent.clone(),
        };
        self.insert(binding.clone());
        changes.push(Change::Upserted(Box::new(binding)));
    }

    /// A phone in someone's hand must be able to register: at the limit the
    /// contact that ends first gives way.
    fn make_room(&mut self, account: &Account) -> Option<Change> {
        let ids = self.by_account.get(account)?;
        if ids.len() < MAX_BINDINGS_PER_ACCOUNT {
            return None;
        }
        let first = self
            .of_account(account)
            .min_by_key(|binding| (binding.expires_at, binding.id))?
            .id;
        self.remove(first)
    }

    fn insert(&mut self, binding: Binding) {
        self.expiry.set(binding.id, Some(binding.expires_at));
        *self.peers.entry(binding.flow.remote()).or_default() += 1;
        self.by_account
            .entry(binding.account.clone())
            .or_default()
            .insert(binding.id);
        self.bindings.insert(binding.id, binding);
    }

    fn remove(&mut self, id: BindingId) -> Option<Change> {
        let binding = self.take(id)?;
        Some(Change::Removed {
            id,
            account: binding.account,
        })
    }

    fn take(&mut self, id: BindingId) -> Option<Binding> {
        let binding = self.bindings.remove(&id)?;
        self.expiry.set(id, None);
        let remote = binding.flow.remote();
        if let Some(count) = self.peers.get_mut(&remote) {
            *count -= 1;
            if *count == 0 {
                self.peers.remove(&remote);
            }
        }
        if let Some(ids) = self.by_account.get_mut(&binding.account) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_account.remove(&binding.account);
            }
        }
        Some(binding)
    }
}

/// Whether a value from outside can be kept.
fn check_value(text: &str) -> Result<(), RegisterError> {
    if text.len() > MAX_VALUE_LEN {
        return Err(RegisterError::TooLarge);
    }
    match text.contains(char::is_control) {
        true => Err(RegisterError::Unprintable),
        false => Ok(()),
    }
}

/// Whether two contact URIs name the same binding. Phones repeat theirs
/// literally; only the case of scheme and host may differ (RFC 3261 19.1.4).
fn same_contact(a: &str, b: &str) -> bool {
    let (user_a, host_a) = a.split_once('@').unwrap_or(("", a));
    let (user_b, host_b) = b.split_once('@').unwrap_or(("", b));
    let (scheme_a, user_a) = user_a.split_once(':').unwrap_or(("", user_a));
    let (scheme_b, user_b) = user_b.split_once(':').unwrap_or(("", user_b));
    user_a == user_b
        && scheme_a.eq_ignore_ascii_case(scheme_b)
        && host_a.eq_ignore_ascii_case(host_b)
}

#[cfg(test)]
mod tests;
