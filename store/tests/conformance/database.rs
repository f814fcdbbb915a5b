//! One empty database per test, on either engine.

use store::{Engine, Reader, Store, StoreOptions};

use crate::folder::Folder;
use crate::postgres::{Cluster, engine};

pub struct Database {
    engine: Engine,
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
            _folder: Some(folder),
        }
    }

    pub async fn postgres() -> Self {
        Self {
            engine: engine(&Cluster::shared().new_database().await),
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
        StoreOptions::new(self.engine.clone())
    }

    pub async fn open(&self) -> Store {
        Store::open_with(self.options()).await.unwrap()
    }

    pub async fn reader(&self) -> Reader {
        Reader::open_on(&self.engine).await.unwrap()
    }
}
