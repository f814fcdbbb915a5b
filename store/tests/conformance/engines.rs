//! What both engines promise about themselves.

use store::{Change, Reader, Store, StoreError};

use crate::database::Database;
use crate::folder::start;

pub async fn two_servers_cannot_share_a_database(database: Database) {
    let first = database.open().await;
    let second = Store::open_with(database.options()).await.unwrap_err();
    assert!(matches!(second, StoreError::InUse { .. }), "{second}");
    first.close().await;
    database.open().await;
}

pub async fn a_listing_before_the_first_start_says_that_there_is_nothing(database: Database) {
    let refused = Reader::open_on(database.engine()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Missing { .. }), "{refused}");
}

pub async fn opening_again_changes_no_schema(database: Database) {
    for call in 1..=3 {
        let store = database.open().await;
        store
            .commit(Change::CallStarted(start(call)).into())
            .await
            .unwrap();
        store.close().await;
    }
    let reader = database.reader().await;
    assert_eq!(reader.unscoped().open_calls().await.unwrap().len(), 3);
    reader.check_integrity().await.unwrap();
}
