//! What can be asked, topic by topic.

mod login;

use crate::route::Routes;

/// The table of all routes.
pub(crate) fn table() -> Routes {
    Routes::default().and(login::routes())
}
