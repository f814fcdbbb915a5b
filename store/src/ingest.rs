//! What the server itself needs to seal what comes in for a hub. It is no member of any hub, so
//! it has no [`Scoped`](crate::Scoped) view; links are signed, and made to be shown.

use crate::decode::fixed;
use crate::engine::{Row, args};
use crate::error::StoreError;
use crate::id::{HubId, UserId};
use crate::unscoped::Unscoped;

impl Unscoped<'_> {
    /// The links of a hub's roster, in order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn roster_links(self, hub: HubId) -> Result<Vec<Vec<u8>>, StoreError> {
        let sql = "SELECT body FROM roster_link WHERE hub = $1 ORDER BY seqno";
        self.reader
            .query(sql, args![&hub.0], |row| row.get("body"))
            .await
    }

    /// Who was erased; rosters may still name them.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn erased(self) -> Result<Vec<UserId>, StoreError> {
        let sql = "SELECT id FROM person WHERE status = 'erased' ORDER BY id";
        let decode = |row: &Row| Ok(UserId(fixed(row, "id")?));
        self.reader.query(sql, &[], decode).await
    }

    /// Everybody's sigchain, each with its links in order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn sigchains(self) -> Result<Vec<(UserId, Vec<Vec<u8>>)>, StoreError> {
        let sql = "SELECT person, body FROM sigchain_link ORDER BY person, seqno";
        let links = self.reader.query(sql, &[], |row| {
            Ok((UserId(fixed(row, "person")?), row.get::<Vec<u8>>("body")?))
        });
        let mut chains: Vec<(UserId, Vec<Vec<u8>>)> = Vec::new();
        for (user, link) in links.await? {
            match chains.last_mut() {
                Some((last, links)) if *last == user => links.push(link),
                _ => chains.push((user, vec![link])),
            }
        }
        Ok(chains)
    }
}
