//! One empty database per test, on either engine.

use postgres_for_tests::Cluster;
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnectOptions;
use store::{Engine, PostgresUrl, Reader, Store, StoreOptions};

use crate::folder::Folder;

pub struct Database {
    engine: Engine,
    /// Of PostgreSQL.
    url: Option<String>,
    /// Kept, because it goes with its folder.
    _folder: Option<Folder>,
}

impl Database {
    pub fn sqlite() -> Self {
        let folder = Folder::new();
        Self {
            engine: Engine::Sqlite {
                folder: folder.data(),
            },
            url: None,
            _folder: Some(folder),
        }
    }

    pub async fn postgres() -> Self {
        let url = Cluster::shared().new_database().await;
        Self {
            engine: Engine::Postgres {
                url: PostgresUrl::parse(&url).unwrap(),
            },
            url: Some(url),
            _folder: None,
        }
    }

    /// Another empty one on the same engine.
    pub async fn another(&self) -> Self {
        match self.engine {
            Engine::Sqlite { .. } => Self::sqlite(),
            Engine::Postgres { .. } => Self::postgres().await,
        }
    }

    /// Another empty one on the other engine.
    pub async fn on_the_other_engine(&self) -> Self {
        match self.engine {
            Engine::Sqlite { .. } => Self::postgres().await,
            Engine::Postgres { .. } => Self::sqlite(),
        }
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    pub fn options(&self) -> StoreOptions {
        StoreOptions {
            audit_hash: Some(chain),
            ..StoreOptions::new(self.engine.clone())
        }
    }

    /// All columns of all tables, as `table.column`.
    pub async fn columns(&self) -> Vec<String> {
        match &self.engine {
            Engine::Sqlite { folder } => {
                let file = format!("sqlite:{}", folder.join("centralita.db").display());
                let pool = sqlx::SqlitePool::connect(&file).await.unwrap();
                let sql = "SELECT m.name || '.' || c.name FROM sqlite_master m \
                           JOIN pragma_table_info(m.name) c WHERE m.type = 'table'";
                sqlx::query_scalar(sql).fetch_all(&pool).await.unwrap()
            }
            Engine::Postgres { .. } => {
                let pool = sqlx::PgPool::connect(self.url.as_ref().unwrap())
                    .await
                    .unwrap();
                let sql = "SELECT table_name || '.' || column_name \
                           FROM information_schema.columns WHERE table_schema = 'public'";
                sqlx::query_scalar(sql).fetch_all(&pool).await.unwrap()
            }
        }
    }

    /// Runs what is written for SQLite, in a database that no program of ours has opened.
    pub async fn script(&self, text: &str) {
        match &self.engine {
            Engine::Sqlite { folder } => {
                std::fs::create_dir_all(folder).unwrap();
                let file = folder.join("centralita.db");
                let options = SqliteConnectOptions::new().filename(file);
                let pool = sqlx::SqlitePool::connect_with(options.create_if_missing(true));
                let pool = pool.await.unwrap();
                let sql = sqlx::AssertSqlSafe(text.to_owned());
                sqlx::raw_sql(sql).execute(&pool).await.unwrap();
                pool.close().await;
            }
            Engine::Postgres { .. } => {
                let words = [
                    ("INTEGER", "BIGINT"),
                    ("BLOB", "BYTEA"),
                    (" STRICT", ""),
                    ("x'", "'\\x"),
                ];
                let text = words
                    .iter()
                    .fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
                let pool = sqlx::PgPool::connect(self.url.as_ref().unwrap());
                let pool = pool.await.unwrap();
                let sql = sqlx::AssertSqlSafe(text);
                sqlx::raw_sql(sql).execute(&pool).await.unwrap();
                pool.close().await;
            }
        }
    }

    /// The one number that a query gives, whoever may see its rows.
    pub async fn number(&self, sql: &'static str) -> i64 {
        match &self.engine {
            Engine::Sqlite { folder } => {
                let file = format!("sqlite:{}", folder.join("centralita.db").display());
                let pool = sqlx::SqlitePool::connect(&file).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap()
            }
            Engine::Postgres { .. } => {
                let pool = sqlx::PgPool::connect(self.url.as_ref().unwrap())
                    .await
                    .unwrap();
                sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap()
            }
        }
    }

    /// Does what no program of ours does.
    pub async fn tamper(&self, sql: &'static str) {
        match &self.engine {
            Engine::Sqlite { folder } => {
                let file = format!("sqlite:{}", folder.join("centralita.db").display());
                let pool = sqlx::SqlitePool::connect(&file).await.unwrap();
                sqlx::raw_sql(sql).execute(&pool).await.unwrap();
                pool.close().await;
            }
            Engine::Postgres { .. } => {
                let pool = sqlx::PgPool::connect(self.url.as_ref().unwrap())
                    .await
                    .unwrap();
                sqlx::raw_sql(sql).execute(&pool).await.unwrap();
                pool.close().await;
            }
        }
    }

    pub async fn open(&self) -> Store {
        Store::open_with(self.options()).await.unwrap()
    }

    pub async fn reader(&self) -> Reader {
        Reader::open_on(&self.engine).await.unwrap()
    }
}

/// Stands for the labelled hash of the program.
pub fn chain(previous: &[u8; 32], entry: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(b"test")
        .chain_update(previous)
        .chain_update(entry)
        .finalize()
        .into()
}
