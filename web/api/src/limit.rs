//! How much one address, and one account, may ask for.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use store::UserId;

use crate::refusal::Refusal;

/// Requests that need no login, from one address: challenges, logins, invitations. A shift behind
/// one router is one address: thirty people unlock and log in within a minute, with four each.
const OPEN_PER_ADDRESS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(120).expect("not zero");
/// Requests of one person, from all devices.
const PER_ACCOUNT_PER_S: NonZeroU32 = NonZeroU32::new(30).expect("not zero");
const PER_ACCOUNT_BURST: NonZeroU32 = NonZeroU32::new(300).expect("not zero");
/// What one person may send, all devices together, in KiB: so much at once, and as much again in
/// a day. Nobody fills the disk, on which calls are kept too, before somebody can see to it; and
/// nobody who has worked here for years may keep no more.
const PER_ACCOUNT_KIB: NonZeroU32 = NonZeroU32::new(1 << 20).expect("not zero");
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Failed logins of one device that the audit trail tells; those of unknown devices count as one.
const FAILURES_PER_DEVICE_PER_MINUTE: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
/// Shares of vaults that one person leaves: a device leaves one for each new code.
const SHARES_PER_ACCOUNT_PER_HOUR: NonZeroU32 = NonZeroU32::new(20).expect("not zero");
/// Bits of an IPv6 address that one customer of a provider has to choose from at least.
const IPV6_CUSTOMER_BITS: u32 = 64;
/// Keys that are kept before those at rest are forgotten.
const MAX_KEYS: usize = 100_000;

type Keyed<K> = RateLimiter<K, DashMapStateStore<K>, DefaultClock>;

pub(crate) struct Limits {
    open: Keyed<u128>,
    accounts: Keyed<[u8; 16]>,
    sent: Keyed<[u8; 16]>,
    failures: Keyed<[u8; 16]>,
    shares: Keyed<[u8; 16]>,
    clock: DefaultClock,
}

impl Limits {
    pub(crate) fn new() -> Self {
        let account = Quota::per_second(PER_ACCOUNT_PER_S).allow_burst(PER_ACCOUNT_BURST);
        let sent = Quota::with_period(DAY / PER_ACCOUNT_KIB.get()).expect("not zero");
        let sent = sent.allow_burst(PER_ACCOUNT_KIB);
        Self {
            open: RateLimiter::dashmap(Quota::per_minute(OPEN_PER_ADDRESS_PER_MINUTE)),
            accounts: RateLimiter::dashmap(account),
            sent: RateLimiter::dashmap(sent),
            failures: RateLimiter::dashmap(Quota::per_minute(FAILURES_PER_DEVICE_PER_MINUTE)),
            shares: RateLimiter::dashmap(Quota::per_hour(SHARES_PER_ACCOUNT_PER_HOUR)),
            clock: DefaultClock::default(),
        }
    }

    /// One more request from `address` that nobody signed.
    pub(crate) fn open(&self, address: IpAddr) -> Result<(), Refusal> {
        self.check(&self.open, &customer(address))
    }

    /// One more request of `user`.
    pub(crate) fn account(&self, user: UserId) -> Result<(), Refusal> {
        self.check(&self.accounts, &user.0)
    }

    /// So many bytes more that `user` sends.
    pub(crate) fn bytes(&self, user: UserId, count: usize) -> Result<(), Refusal> {
        let kib = u32::try_from(count.div_ceil(1024)).unwrap_or(u32::MAX);
        let Some(kib) = NonZeroU32::new(kib) else {
            return Ok(());
        };
        Self::make_room(&self.sent);
        let left = self.sent.check_key_n(&user.0, kib);
        // No body is as long as all of it.
        let left = left.map_err(|_| Refusal::too_many(DAY))?;
        left.map_err(|until| Refusal::too_many(until.wait_time_from(self.clock.now())))
    }

    /// One more failed login with `device`; `false` when the trail has told enough of them. It
    /// never keeps the device's owner from logging in.
    pub(crate) fn failure(&self, device: [u8; 16]) -> bool {
        self.check(&self.failures, &device).is_ok()
    }

    /// One more share of a vault that `user` leaves.
    pub(crate) fn share(&self, user: UserId) -> Result<(), Refusal> {
        self.check(&self.shares, &user.0)
    }

    fn check<K: std::hash::Hash + Eq + Clone>(
        &self,
        limiter: &Keyed<K>,
        key: &K,
    ) -> Result<(), Refusal> {
        Self::make_room(limiter);
        limiter.check_key(key).map_err(|until| {
            let wait = until.wait_time_from(self.clock.now());
            Refusal::too_many(wait)
        })
    }

    fn make_room<K: std::hash::Hash + Eq + Clone>(limiter: &Keyed<K>) {
        if limiter.len() > MAX_KEYS {
            limiter.retain_recent();
        }
    }
}

/// Who an address belongs to, as far as it tells.
pub(crate) fn customer(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() >> (128 - IPV6_CUSTOMER_BITS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_runs_dry_and_another_does_not() {
        let limits = Limits::new();
        let one = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..OPEN_PER_ADDRESS_PER_MINUTE.get() {
            limits.open(one).unwrap();
        }
        assert_eq!(limits.open(one).unwrap_err().status(), 429);
        limits.open(IpAddr::from([192, 0, 2, 2])).unwrap();
    }

    #[test]
    fn a_person_sends_no_more_in_a_day_than_the_limit() {
        let limits = Limits::new();
        let (one, other) = (UserId([1; 16]), UserId([2; 16]));
        let file = 32 << 20;
        let files = PER_ACCOUNT_KIB.get() / (32 << 10);
        for _ in 0..files {
            limits.bytes(one, file).unwrap();
        }
        let refused = limits.bytes(one, file).unwrap_err();
        assert_eq!(refused.status(), 429);
        limits.bytes(one, 0).unwrap();
        limits.bytes(other, file).unwrap();
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let one: IpAddr = "2001:db8:1:2::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8:1:2:ffff::1".parse().unwrap();
        let other: IpAddr = "2001:db8:1:3::1".parse().unwrap();
        assert_eq!(customer(one), customer(neighbour));
        assert_ne!(customer(one), customer(other));
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(customer(mapped), customer(IpAddr::from([192, 0, 2, 1])));
    }
}
