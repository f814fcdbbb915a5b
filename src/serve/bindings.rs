//! Registrations between the exchange, which counts on a monotonic clock, and the store, which cannot.

use std::time::{Instant, SystemTime};

use jiff::{SignedDuration, Timestamp};
use sip::ua::{Account, Binding, BindingId, ConnectionId, Flow};
use store::{BindingRow, Change, Transport};

/// The row of a registration.
pub fn to_change(binding: &Binding, now: Instant) -> Change {
    let left = binding.expires_at.saturating_duration_since(now);
    let expires_at = Timestamp::try_from(SystemTime::now() + left).unwrap_or(Timestamp::MAX);
    let transport = match binding.flow {
        Flow::Udp { .. } => Transport::Udp,
        Flow::Tcp { .. } => Transport::Tcp,
    };
    Change::BindingUpserted(Box::new(BindingRow {
        id: binding.id.0,
        account: binding.account.0.clone(),
        contact: binding.contact.clone(),
        instance: binding.instance.clone(),
        reg_id: binding.reg_id,
        path: binding.path.clone(),
        transport,
        local: binding.flow.local(),
        remote: binding.flow.remote(),
        call_id: binding.call_id.clone(),
        cseq: binding.cseq,
        expires_at,
        user_agent: binding.user_agent.clone(),
    }))
}

/// The registration of a row; `None` when it has expired meanwhile.
pub fn from_row(row: BindingRow, now: Instant) -> Option<Binding> {
    let left: SignedDuration = row.expires_at.duration_since(Timestamp::now());
    let left = std::time::Duration::try_from(left)
        .ok()
        .filter(|left| !left.is_zero())?;
    let (local, remote) = (row.local, row.remote);
    let flow = match row.transport {
        Transport::Udp => Flow::Udp { local, remote },
        // The connection itself is gone; the user agent dials the contact anew or drops it.
        Transport::Tcp => Flow::Tcp {
            connection: ConnectionId(0),
            local,
            remote,
        },
    };
    Some(Binding {
        id: BindingId(row.id),
        account: Account(row.account),
        contact: row.contact,
        instance: row.instance,
        reg_id: row.reg_id,
        path: row.path,
        flow,
        call_id: row.call_id,
        cseq: row.cseq,
        expires_at: now + left,
        user_agent: row.user_agent,
    })
}
