//! Sixty digits that two people read to each other.

use std::fmt;

use crate::id::UserId;
use crate::identity::ChainHead;
use crate::label::Label;
use crate::primitive::hash;

const GROUPS: usize = 12;
const GROUP_DIGITS: u64 = 100_000;
const GROUP_BYTES: usize = 5;

/// The same on both sides when each has the chain of the other that the other
/// has of themselves. Changes with every change of either chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafetyNumber([u32; GROUPS]);

impl SafetyNumber {
    /// The number of two people, in any order.
    pub fn new(one: (UserId, ChainHead), other: (UserId, ChainHead)) -> Self {
        let person = |(user, head): (UserId, ChainHead)| (*user.as_bytes(), head.encode());
        let mut people = [person(one), person(other)];
        people.sort_unstable();
        let mut groups = [0; GROUPS];
        let (first, second) = groups.split_at_mut(GROUPS / 2);
        for (groups, (user, head)) in [first, second].into_iter().zip(people) {
            let context = [&user[..], &head].concat();
            let digest = hash(&Label::SafetyNumber.bind(&context));
            for (group, bytes) in groups.iter_mut().zip(digest.chunks_exact(GROUP_BYTES)) {
                let number = bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                *group = (number % GROUP_DIGITS) as u32;
            }
        }
        Self(groups)
    }
}

/// Twelve groups of five digits, in three lines of four.
impl fmt::Display for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, group) in self.0.iter().enumerate() {
            match place {
                0 => {}
                _ if place.is_multiple_of(4) => f.write_str("\n")?,
                _ => f.write_str(" ")?,
            }
            write!(f, "{group:05}")?;
        }
        Ok(())
    }
}
