//! PostgreSQL: one database, one writing process, held by an advisory lock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};

use super::{Opened, Pool, migrate};
use crate::error::{Place, StoreError};

/// "centrali" in ASCII; the lock is one of the database, not of the whole server.
const LOCK_KEY: i64 = 0x6365_6e74_7261_6c69;
/// How long to wait for a connection, which includes the time that the server needs to start.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that read at once.
const MAX_READERS: u32 = 4;
/// What takes from the files what is erased. A plain `VACUUM` gives the room of a row free and
/// leaves its bytes there; a full one writes the table anew, and nobody reads or writes that one
/// meanwhile. It waits for others only so long that it does not keep them from their work.
const SCRUB: [&str; 25] = [
    "SET lock_timeout = '1s'",
    // May be large; without its record's key, which goes with `record`, nobody opens a chunk.
    "VACUUM attachment_chunk",
    "VACUUM (FULL) attachment",
    "VACUUM (FULL) backup_code",
    "VACUUM (FULL) ban",
    "VACUUM (FULL) call",
    "VACUUM (FULL) call_rung",
    "VACUUM (FULL) device",
    "VACUUM (FULL) hub_key_wrap",
    "VACUUM (FULL) invite",
    "VACUUM (FULL) items_key",
    "VACUUM (FULL) passkey",
    "VACUUM (FULL) person",
    "VACUUM (FULL) phone_account",
    "VACUUM (FULL) record",
    "VACUUM (FULL) record_token",
    "VACUUM (FULL) recovery_escrow",
    "VACUUM (FULL) ring_group_member",
    "VACUUM (FULL) session",
    "VACUUM (FULL) session_spent",
    "VACUUM (FULL) shift_member",
    "VACUUM (FULL) vault_share",
    "VACUUM (FULL) voicemail",
    "VACUUM (FULL) voicemail_reader",
    "VACUUM (FULL) volunteer_break",
];

/// The number of the next transaction.
const NEXT: &str = "SELECT pg_snapshot_xmax(pg_current_snapshot())::xid::text";
/// Whether somebody still sees, or may yet see, what was there before the transaction of that
/// number: then no table written anew leaves it out. Gone once, it does not come back, because
/// nobody's view begins before the oldest transaction that runs.
const IS_SEEN: &str = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity \
    WHERE pid <> pg_backend_pid() AND (age(backend_xid) > age($1::text::xid) \
    OR ((datname IS NULL OR datname = current_database()) AND age(backend_xmin) > age($1::text::xid)))) \
    OR EXISTS (SELECT 1 FROM pg_replication_slots WHERE age(xmin) > age($1::text::xid)) \
    OR EXISTS (SELECT 1 FROM pg_prepared_xacts WHERE age(transaction) > age($1::text::xid))";
/// How often that is asked, and the pause between.
const SEEN_TRIES: u32 = 40;
const SEEN_PAUSE: Duration = Duration::from_millis(50);

/// The columns of sealed bytes, tags and keys, and of names. Of what the server looks at to plan its queries it
/// keeps samples, and those would outlive the rows.
const SAMPLED: &str = "SELECT format('ALTER TABLE %I ALTER COLUMN %I SET STATISTICS 0', \
    relname, attname) FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid \
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND attnum > 0 \
    AND atttypid IN ('bytea'::regtype, 'text'::regtype) AND attstattarget IS DISTINCT FROM 0 ORDER BY 1";

/// Where a PostgreSQL database is, and how to log in. Never printed with its password.
#[derive(Clone)]
pub struct PostgresUrl(Box<PgConnectOptions>);

impl PostgresUrl {
    /// Understands `postgres://user:password@host:port/database`.
    ///
    /// # Errors
    /// [`StoreError::Url`] when `text` is no such address.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        if !matches!(scheme, Some("postgres" | "postgresql")) {
            return Err(StoreError::Url);
        }
        // What sqlx says about a bad address may repeat its password.
        let options = PgConnectOptions::from_str(text).map_err(|_| StoreError::Url)?;
        Ok(Self(Box::new(options.application_name("centralita"))))
    }

    /// The database in words, without the password.
    #[must_use]
    pub fn place(&self) -> Place {
        let database = self.0.get_database().unwrap_or(self.0.get_username());
        Place::Server(match self.0.get_socket() {
            Some(socket) => format!("the database {database} at {}", socket.display()),
            None => format!(
                "the database {database} at {}:{}",
                self.0.get_host(),
                self.0.get_port()
            ),
        })
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({})", self.place())
    }
}

pub(crate) async fn open(url: &PostgresUrl) -> Result<Opened, StoreError> {
    let place = url.place();
    let failed = |error| StoreError::from_sqlx(error, &place);
    // The pool would try again and again, and hide why.
    let mut first = PgConnection::connect_with(&url.0).await.map_err(failed)?;
    become_the_writer(&mut first).await.map_err(failed)?;
    first.close().await.map_err(failed)?;
    let writer = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(CONNECT_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(|connection, _| Box::pin(become_the_writer(connection)))
        .connect_with((*url.0).clone())
        .await
        .map_err(failed)?;
    let samples = writer.clone();
    let writer = Pool::Postgres(writer);
    let prepared = match migrate::run(&writer, &place).await {
        Ok(()) => keep_no_samples(&samples).await.map_err(failed),
        Err(error) => Err(error),
    };
    if let Err(error) = prepared {
        writer.close().await;
        return Err(error);
    }
    let opened = Opened {
        writer,
        readers: connect_readers(url),
        place,
        folder_lock: None,
    };
    Ok(opened)
}

/// Of the columns that are [`SAMPLED`].
async fn keep_no_samples(pool: &PgPool) -> Result<(), sqlx::Error> {
    let orders: Vec<String> = sqlx::query_scalar(SAMPLED).fetch_all(pool).await?;
    for order in orders {
        // Quoted by the server itself.
        sqlx::raw_sql(sqlx::AssertSqlSafe(order))
            .execute(pool)
            .await?;
    }
    Ok(())
}

/// Readers connect when they are first needed, and the server holds them to reading.
pub(crate) fn connect_readers(url: &PostgresUrl) -> Pool {
    let options = (*url.0)
        .clone()
        .options([("default_transaction_read_only", "on")]);
    Pool::Postgres(
        PgPoolOptions::new()
            .max_connections(MAX_READERS)
            .acquire_timeout(CONNECT_TIMEOUT)
            .connect_lazy_with(options),
    )
}

/// Runs [`SCRUB`] on one connection of the readers, once nobody sees any more what was erased.
pub(crate) async fn scrub(pool: &PgPool, place: &Place) -> Result<(), StoreError> {
    let failed = |error| StoreError::from_sqlx(error, place);
    let mut connection = pool.acquire().await.map_err(failed)?;
    // Reading does not give up so soon.
    connection.close_on_drop();
    let next: String = sqlx::query_scalar(NEXT)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    let mut tries = 0;
    loop {
        let seen = sqlx::query_scalar(IS_SEEN).bind(&next);
        if !seen.fetch_one(&mut *connection).await.map_err(failed)? {
            break;
        }
        tries += 1;
        if tries == SEEN_TRIES {
            let place = place.clone();
            return Err(StoreError::NotScrubbed { place });
        }
        tokio::time::sleep(SEEN_PAUSE).await;
    }
    for sql in SCRUB {
        let done = sqlx::raw_sql(sql).execute(&mut *connection).await;
        done.map_err(failed)?;
    }
    Ok(())
}

/// Reads all rows of all tables, so that the server meets every damaged page.
pub(crate) async fn read_all(pool: &PgPool, place: &Place) -> Result<(), StoreError> {
    for table in crate::backup::TABLES {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {}", table.name));
        sqlx::query(sql)
            .execute(pool)
            .await
            .map_err(|error| StoreError::from_sqlx(error, place))?;
    }
    Ok(())
}

/// Run on each new connection of the writer: what is acknowledged is on the disk, nothing waits
/// for ever, and no other process writes. The lock goes with the connection, so a writer that
/// died holds it only until the server notices.
async fn become_the_writer(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(
        "SET synchronous_commit = on; SET lock_timeout = '3s'; SET statement_timeout = '60s'; \
         SET idle_in_transaction_session_timeout = '60s'",
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(LOCK_KEY)
        .execute(connection)
        .await
        .map(drop)
}
