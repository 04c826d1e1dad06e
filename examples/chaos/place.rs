//! Where the queue is: what every process opens.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use automarket::{
    Store,
    core::{
        Clock,
        chrono::{DateTime, TimeDelta, Utc},
    },
    store::{postgres::PostgresStore, sqlite::SqliteStore},
};
use serde::{Deserialize, Serialize};
use tokio_postgres::{Client, NoTls};

use crate::Result;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Place {
    Sqlite {
        file: PathBuf,
        ahead: PathBuf,
    },
    Postgres {
        url: String,
        schema: String,
        ahead: PathBuf,
    },
}

impl Place {
    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>> {
        Ok(match self {
            Self::Sqlite { file, .. } => {
                let store = SqliteStore::builder(file).clock(self.clock());
                Arc::new(store.build().await?)
            }
            Self::Postgres { url, schema, .. } => {
                let store = PostgresStore::builder(url).schema(schema);
                Arc::new(store.build().await?)
            }
        })
    }

    /// A connection of one's own to the SQLite file.
    pub(crate) fn sqlite(&self) -> Result<rusqlite::Connection> {
        let Self::Sqlite { file, .. } = self else {
            return Err("the store is not SQLite".into());
        };
        let db = rusqlite::Connection::open(file)?;
        db.busy_timeout(Duration::from_secs(30))?;
        Ok(db)
    }

    /// A connection of one's own to PostgreSQL, and the schema of the store.
    pub(crate) async fn postgres(&self) -> Result<(Client, &str)> {
        let Self::Postgres { url, schema, .. } = self else {
            return Err("the store is not PostgreSQL".into());
        };
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        Ok((client, schema))
    }

    /// The time of this world: the machine's, as far ahead as [`set_ahead`](Self::set_ahead) said.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(Ahead(self.ahead().to_owned()))
    }

    fn ahead(&self) -> &Path {
        match self {
            Self::Sqlite { ahead, .. } | Self::Postgres { ahead, .. } => ahead,
        }
    }

    /// Sets the time, for the store, every process and the fakes, so far ahead of the machine's.
    pub(crate) async fn set_ahead(&self, ahead: Duration) -> Result<()> {
        let beside = self.ahead().with_extension("new");
        fs::write(&beside, ahead.as_millis().to_string())?;
        fs::rename(beside, self.ahead())?;
        if let Self::Postgres { .. } = self {
            let (client, schema) = self.postgres().await?;
            let sql = format!(
                "CREATE OR REPLACE FUNCTION {schema}.clock() RETURNS timestamptz LANGUAGE sql STABLE
                 AS 'SELECT now() + {} * interval ''1 millisecond'''",
                ahead.as_millis()
            );
            client.batch_execute(&sql).await?;
        }
        Ok(())
    }
}

/// The machine's clock, as far ahead as a file says.
struct Ahead(PathBuf);

impl Clock for Ahead {
    fn now(&self) -> DateTime<Utc> {
        let ahead = fs::read_to_string(&self.0)
            .ok()
            .and_then(|text| text.parse().ok());
        Utc::now() + TimeDelta::milliseconds(ahead.unwrap_or_default())
    }
}
