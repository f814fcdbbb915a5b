//! Who calls whom: the same people, numbers and addresses for every server.

use std::net::Ipv4Addr;

/// Where callers come from.
pub const CARRIER: Ipv4Addr = Ipv4Addr::new(127, 0, 77, 2);
/// Where all phones are.
pub const PHONES: Ipv4Addr = Ipv4Addr::new(127, 0, 77, 3);
/// The SIP port of callers and servers.
pub const SIP_PORT: u16 = 5060;
/// The SIP port of the phones that have a number each.
pub const PHONE_PORT: u16 = 6700;
/// The first SIP port of the phones that ring together.
pub const TOGETHER_PORT: u16 = 6710;
/// Phones with a number each: that many calls can be live.
pub const SINGLES: usize = 200;
/// Phones that ring together when [`TOGETHER_NUMBER`] is called.
pub const TOGETHER: usize = 100;
/// Phones that share a socket, so that a burst fits into its buffer.
pub const PHONES_PER_SOCKET: usize = 10;
/// The number at which all of them ring.
pub const TOGETHER_NUMBER: &str = "+15550999";

/// The number at which only phone `index` rings.
pub fn number(index: usize) -> String {
    format!("+1555100{index:03}")
}

/// The user name of the phone with a number of its own.
pub fn single(index: usize) -> String {
    format!("single{index:03}")
}

/// The user name of a phone that rings with others.
pub fn together(index: usize) -> String {
    format!("together{index:03}")
}

/// The port of a phone that rings with others.
pub fn together_port(index: usize) -> u16 {
    TOGETHER_PORT + u16::try_from(index / PHONES_PER_SOCKET).unwrap_or(0)
}

/// The password of a phone.
pub fn password(user: &str) -> String {
    format!("a-long-secret-of-{user}-83f1")
}
