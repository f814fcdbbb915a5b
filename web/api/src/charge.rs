//! What an address is charged for, and what it gets back.
//!
//! A shift behind one router is one address, and so is whoever floods the server from behind it.
//! So every request is charged to its address before anything is done for it; whoever then shows
//! with a verified proof which account the request belongs to gets that back. What an address
//! pays for in the end is what nobody answers for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::limit::customer;
use crate::refusal::Refusal;

/// Requests of one address that are on their way, or that nobody answers for: thirty people who
/// open the panel at once load its files, and have their tabs ask.
const BURST: u32 = 1_000;
/// How long one of them counts; a hundred more are taken each second.
const PERIOD: Duration = Duration::from_millis(10);
/// Addresses that are kept before those at rest are forgotten.
const MAX_ADDRESSES: usize = 100_000;

/// What addresses are charged.
pub(crate) struct Charges {
    began: Instant,
    /// When each has nothing to pay any more, counted from `began`.
    paid_at: Mutex<HashMap<u128, Duration>>,
}

impl Charges {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            paid_at: Mutex::new(HashMap::new()),
        }
    }

    /// One more request from `address`.
    ///
    /// # Errors
    /// A refusal with the time to wait, when it has too many to pay for.
    pub(crate) fn charge(self: &Arc<Self>, address: IpAddr) -> Result<Charge, Refusal> {
        let customer = customer(address);
        self.add(customer, self.began.elapsed())
            .map_err(Refusal::too_many)?;
        Ok(Charge(Arc::new(Open {
            charges: Arc::clone(self),
            customer,
            is_given_back: AtomicBool::new(false),
        })))
    }

    /// Or how long to wait.
    fn add(&self, customer: u128, now: Duration) -> Result<(), Duration> {
        let mut paid_at = self.paid_at.lock().unwrap_or_else(PoisonError::into_inner);
        if paid_at.len() > MAX_ADDRESSES {
            paid_at.retain(|_, paid_at| *paid_at > now);
        }
        let theirs = paid_at.entry(customer).or_default();
        let next = now.max(*theirs) + PERIOD;
        match (next - now).checked_sub(PERIOD * BURST) {
            None | Some(Duration::ZERO) => {
                *theirs = next;
                Ok(())
            }
            Some(wait) => Err(wait),
        }
    }

    fn give_back(&self, customer: u128) {
        let mut paid_at = self.paid_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(theirs) = paid_at.get_mut(&customer) {
            *theirs = theirs.saturating_sub(PERIOD);
        }
    }
}

/// One request that an address is charged for.
#[derive(Clone)]
pub(crate) struct Charge(Arc<Open>);

struct Open {
    charges: Arc<Charges>,
    customer: u128,
    is_given_back: AtomicBool,
}

impl Charge {
    /// An account answers for the request.
    pub(crate) fn give_back(&self) {
        if !self.0.is_given_back.swap(true, Ordering::Relaxed) {
            self.0.charges.give_back(self.0.customer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn what_nobody_answers_for_is_bounded() {
        let charges = Charges::new();
        let burst = || {
            (0..2 * BURST)
                .filter(|_| charges.add(1, Duration::ZERO).is_ok())
                .count()
        };
        assert_eq!(burst(), BURST as usize);
        assert_eq!(charges.add(1, Duration::ZERO), Err(PERIOD));
        assert_eq!(charges.add(2, Duration::ZERO), Ok(()));
        assert_eq!(charges.add(1, PERIOD), Ok(()));
        assert!(charges.add(1, PERIOD).is_err());
    }

    #[test]
    fn what_an_account_answers_for_is_free() {
        let charges = Arc::new(Charges::new());
        for _ in 0..3 * BURST {
            charges.charge(ONE).unwrap().give_back();
        }
        let kept: Vec<_> = (0..2 * BURST)
            .map_while(|_| charges.charge(ONE).ok())
            .collect();
        assert!(kept.len() >= BURST as usize);
        assert!(charges.charge(ONE).is_err());
    }

    #[test]
    fn a_charge_is_given_back_once_whatever_else_is_open() {
        let charges = Arc::new(Charges::new());
        let open: Vec<_> = (0..BURST / 2)
            .map(|_| charges.charge(ONE).unwrap())
            .collect();
        let paid_at = || *charges.paid_at.lock().unwrap().values().next().unwrap();
        let before = paid_at();
        for _ in &open {
            open[0].clone().give_back();
        }
        assert_eq!(paid_at(), before - PERIOD);
    }
}
