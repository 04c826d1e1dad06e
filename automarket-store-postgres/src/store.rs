use std::{fmt, sync::Arc};

use automarket_core::{Error, ErrorKind, Result, Retry};

use crate::{
    changes::Changes,
    connect::Server,
    db::{Database, SCHEMA},
    gates::Gates,
    heart::Heart,
    jobs::{Claims, Settler, Steps, Writer},
    migrations, opening,
    posts::Posts,
    wake::Bell,
};

/// How many connections short reads have at the most: one, and others that were given up while somebody still waits.
const GLANCING: usize = 4;

/// The store on PostgreSQL. Clones are handles to the same store and its pool of connections. Everything of
/// ours is in one schema, `automarket` unless another is named; nothing else is touched.
#[derive(Clone)]
pub struct PostgresStore {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) db: Arc<Database>,
    pub(crate) writer: Writer,
    pub(crate) claims: Claims,
    pub(crate) settler: Settler,
    pub(crate) steps: Steps,
    pub(crate) gates: Gates,
    pub(crate) posts: Posts,
    pub(crate) changes: Changes,
    pub(crate) bell: Bell,
    pub(crate) heart: Heart,
}

impl PostgresStore {
    /// Connects to `postgres://user:password@host:port/database?sslmode=require`, and brings the schema up to
    /// date. `sslmode`: `disable`; `prefer` (default: TLS if the server has it); `require`, and `verify-ca` and
    /// `verify-full`, which mean the same. Where TLS is spoken, the certificate is verified; to a server on this machine it is spoken only if required.
    ///
    /// # Errors
    /// As [`PostgresStoreBuilder::build`].
    pub async fn connect(url: impl Into<String>) -> Result<Self> {
        Self::builder(url).build().await
    }

    /// Connects with other settings than the usual.
    pub fn builder(url: impl Into<String>) -> PostgresStoreBuilder {
        PostgresStoreBuilder {
            url: url.into(),
            schema: SCHEMA.to_owned(),
            pool_size: 10,
            roots: None,
        }
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("schema", &self.inner.db.schema)
            .finish_non_exhaustive()
    }
}

/// Settings of a [`PostgresStore`].
pub struct PostgresStoreBuilder {
    url: String,
    schema: String,
    pool_size: usize,
    roots: Option<Vec<u8>>,
}

impl PostgresStoreBuilder {
    /// Our schema; `automarket` unless set. Several stores may live in one database.
    #[must_use]
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// At most this many connections; 10 unless set. One more is for short reads, and where workers run,
    /// one for heartbeats, and one listens.
    #[must_use]
    pub fn pool_size(mut self, connections: usize) -> Self {
        self.pool_size = connections;
        self
    }

    /// Root certificates (PEM) to trust beside the system's, such as those of a cloud's databases.
    #[must_use]
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots = Some(pem.into());
        self
    }

    /// Connects, creates the schema if it is not there, and brings it up to date.
    ///
    /// # Errors
    /// `Config` when the URL, the schema's name or the certificates cannot be used, the server refuses the
    /// login, the role lacks a right (`postgres.privilege`), something of somebody else's in the schema has a name of
    /// ours (`postgres.schema`), transactions are not `read committed` by default, the database's encoding is not UTF-8, a pooler mixes up
    /// prepared statements, the schema is newer than this
    /// version of the crate, or a migration that ran is not the one this version knows. `Storage` when the server
    /// is away or full, or takes no writes.
    pub async fn build(self) -> Result<PostgresStore> {
        let starts_well = |c: char| c.is_ascii_lowercase() || c == '_';
        if !self.schema.starts_with(starts_well)
            || self.schema.len() > 63
            || !self
                .schema
                .chars()
                .all(|c| starts_well(c) || c.is_ascii_digit())
        {
            return Err(Error::new(
                ErrorKind::Config,
                "a schema's name is 1 to 63 of a-z, 0-9 and _, and starts with no digit",
            ));
        }
        let size = self.pool_size.max(1);
        let server = Server::new(&self.url, self.roots.as_deref())?;
        let pool = |size| server.pool(size);
        let heart = Heart::new(Database::new(pool(1)?, pool(1)?, self.schema.clone()));
        let db = Arc::new(Database::new(pool(size)?, pool(GLANCING)?, self.schema));
        let opened = async {
            opening::check(&db).await?;
            migrations::run(&db).await
        };
        let opened = opened.await.map_err(Error::from);
        opened.map_err(|error| match error.kind() {
            ErrorKind::Config => error.with_retry(Retry::Never),
            _ => error,
        })?;
        Ok(PostgresStore {
            inner: Arc::new(Inner {
                writer: Writer::start(&db),
                claims: Claims::start(db.clone()),
                settler: Settler::start(db.clone()),
                steps: Steps::start(db.clone()),
                gates: Gates::start(db.clone()),
                posts: Posts::start(db.clone()),
                changes: Changes::start(db.clone()),
                bell: Bell::hang(server, db.clone()),
                heart,
                db,
            }),
        })
    }
}

impl fmt::Debug for PostgresStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStoreBuilder")
            .field("schema", &self.schema)
            .field("pool_size", &self.pool_size)
            .finish_non_exhaustive()
    }
}
