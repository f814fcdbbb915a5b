//! Media ports: their names and their UDP port numbers.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

use media::control::PortId;
use routing::{LegId, RecordingId};

/// Gives out even UDP port numbers whose odd successor is free too.
///
/// A number that comes back goes to the end of the line, so that it rests for
/// as long as possible: packets of an old call must not reach a new one.
#[derive(Debug)]
pub(crate) struct PortPool {
    range: RangeInclusive<u16>,
    free: VecDeque<u16>,
    leases: BTreeMap<PortId, Lease>,
    /// The next name; names are never used twice.
    next: u64,
}

/// A port in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// Whose it is.
    pub(crate) leg: LegId,
    /// The RTP port number; RTCP has the next one.
    pub(crate) number: u16,
    /// What is being recorded there. It may outlast the leg by a moment.
    pub(crate) recording: Option<RecordingId>,
}

impl PortPool {
    /// All pairs within `range`. Names start at `first_name`.
    pub(crate) fn new(range: RangeInclusive<u16>, first_name: u64) -> Self {
        Self {
            free: pairs(&range).collect(),
            range,
            leases: BTreeMap::new(),
            next: first_name,
        }
    }

    /// Takes another range; ports in use keep their numbers.
    pub(crate) fn set_range(&mut self, range: RangeInclusive<u16>) {
        if range == self.range {
            return;
        }
        let used = |number: &u16| self.leases.values().any(|lease| lease.number == *number);
        self.free = pairs(&range).filter(|number| !used(number)).collect();
        self.range = range;
    }

    /// A port for `leg`; `None` when all are in use.
    pub(crate) fn take(&mut self, leg: LegId) -> Option<(PortId, Lease)> {
        let number = self.free.pop_front()?;
        let port = PortId(self.next);
        self.next += 1;
        let lease = Lease {
            leg,
            number,
            recording: None,
        };
        self.leases.insert(port, lease);
        Some((port, lease))
    }

    /// Who has this port.
    pub(crate) fn lease(&self, port: PortId) -> Option<Lease> {
        self.leases.get(&port).copied()
    }

    /// The recording at this port.
    pub(crate) fn recording_mut(&mut self, port: PortId) -> Option<&mut Option<RecordingId>> {
        self.leases.get_mut(&port).map(|lease| &mut lease.recording)
    }

    /// The port is closed.
    pub(crate) fn release(&mut self, port: PortId) -> Option<Lease> {
        let lease = self.leases.remove(&port)?;
        if is_pair_of(&self.range, lease.number) {
            self.free.push_back(lease.number);
        }
        Some(lease)
    }

    /// Ports in use.
    pub(crate) fn len(&self) -> usize {
        self.leases.len()
    }
}

/// The even numbers whose successor is in the range as well.
fn pairs(range: &RangeInclusive<u16>) -> impl Iterator<Item = u16> + use<> {
    let (start, end) = (*range.start(), *range.end());
    let first = if start == 0 {
        2
    } else {
        start.saturating_add(start % 2)
    };
    (first..end).step_by(2)
}

/// Whether [`pairs`] has this number.
fn is_pair_of(range: &RangeInclusive<u16>, number: u16) -> bool {
    let successor = number.checked_add(1);
    number != 0
        && number.is_multiple_of(2)
        && range.contains(&number)
        && successor.is_some_and(|it| range.contains(&it))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEG: LegId = LegId(1);

    fn take_all(pool: &mut PortPool) -> Vec<(PortId, u16)> {
        std::iter::from_fn(|| pool.take(LEG))
            .map(|(port, lease)| (port, lease.number))
            .collect()
    }

    #[test]
    fn only_whole_pairs_are_given_out() {
        let numbers = |range| {
            let taken = take_all(&mut PortPool::new(range, 1));
            taken
                .into_iter()
                .map(|(_, number)| number)
                .collect::<Vec<_>>()
        };
        assert_eq!(numbers(10_001..=10_006), [10_002, 10_004]);
        assert_eq!(numbers(10_000..=10_003), [10_000, 10_002]);
        assert_eq!(numbers(65_534..=65_535), [65_534]);
        assert_eq!(numbers(65_535..=65_535), []);
        assert_eq!(numbers(0..=4), [2]);
    }

    #[test]
    fn a_number_comes_back_into_the_range_that_it_is_from() {
        for range in [0..=9, 1..=8, 10..=10, 65_530..=65_535, 65_531..=65_534] {
            let all: Vec<_> = pairs(&range).collect();
            for number in (0..20).chain(65_500..=65_535) {
                assert_eq!(
                    is_pair_of(&range, number),
                    all.contains(&number),
                    "{number}"
                );
            }
        }
    }

    #[test]
    fn a_number_rests_and_a_name_is_never_used_twice() {
        let mut pool = PortPool::new(10_000..=10_005, 7);
        let (first, lease) = pool.take(LEG).unwrap();
        assert_eq!((first, lease.number), (PortId(7), 10_000));
        assert_eq!(pool.release(first), Some(lease));
        assert_eq!(pool.release(first), None);
        let rest = take_all(&mut pool);
        let expected = [(8, 10_002), (9, 10_004), (10, 10_000)];
        assert_eq!(rest, expected.map(|(name, number)| (PortId(name), number)));
    }

    #[test]
    fn a_new_range_leaves_ports_in_use_alone() {
        let mut pool = PortPool::new(10_000..=10_003, 1);
        let (outside, _) = pool.take(LEG).unwrap();
        let (inside, _) = pool.take(LEG).unwrap();
        pool.set_range(10_002..=10_005);
        assert_eq!(pool.len(), 2);
        pool.release(outside);
        pool.release(inside);
        let numbers: Vec<_> = take_all(&mut pool).into_iter().map(|(_, it)| it).collect();
        assert_eq!(numbers, [10_004, 10_002]);
    }
}
