//! The database, opened with what the store does not know: how the audit trail is chained.

use std::path::Path;

use store::{Store, StoreError, StoreOptions};

/// Opens the database of the data folder `data`, as its one writer.
///
/// # Errors
/// See [`StoreError`].
pub async fn open(data: &Path) -> Result<Store, StoreError> {
    let options = StoreOptions {
        audit_hash: Some(crypto::audit::entry_hash),
        ..StoreOptions::sqlite(data)
    };
    Store::open_with(options).await
}
