//! What can be asked, topic by topic.

mod attachment;
mod audit;
mod ban;
mod bootstrap;
mod call;
mod device;
mod hub;
mod invite;
mod login;
mod pairing;
mod passkey;
mod record;
mod roster;
mod search;
mod session;
mod shift;
mod transparency;
mod user;
mod vault;
mod voicemail;

use crate::route::Routes;

/// The table of all routes.
pub(crate) fn table() -> Routes {
    Routes::default()
        .and(login::routes())
        .and(bootstrap::routes())
        .and(session::routes())
        .and(device::routes())
        .and(invite::routes())
        .and(pairing::routes())
        .and(passkey::routes())
        .and(vault::routes())
        .and(user::routes())
        .and(hub::routes())
        .and(roster::routes())
        .and(record::routes())
        .and(search::routes())
        .and(attachment::routes())
        .and(call::routes())
        .and(voicemail::routes())
        .and(ban::routes())
        .and(shift::routes())
        .and(audit::routes())
        .and(transparency::routes())
}
