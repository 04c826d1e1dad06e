//! Where the databases of a run are, and how each side's queue is opened in them.

use std::{
    io::Write as _,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use automarket::{
    TenantId,
    core::async_trait,
    store::{
        Claim, NewJob, Store, Verdict,
        postgres::{PostgresStore, testing::Cluster},
        sqlite::SqliteStore,
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use crate::{
    Result,
    args::{Args, Kind},
    floor_postgres::FloorPostgres,
    floor_sqlite::FloorSqlite,
    process,
    report::percentile,
    shapes::{Put, Queue},
};

/// The tenant of all jobs that are not said to be of others.
#[expect(clippy::expect_used, reason = "the name is a good one")]
pub(crate) fn acme() -> TenantId {
    static ACME: LazyLock<TenantId> = LazyLock::new(|| TenantId::new("acme").expect("a good name"));
    ACME.clone()
}

/// Ours, and what it is held against.
pub(crate) const SIDES: &[&str] = &["ours", "floor", "floor_kept"];

pub(crate) enum Place {
    Sqlite {
        home: TempDir,
        next: AtomicUsize,
    },
    Postgres {
        cluster: Cluster,
        admin: Client,
        next: AtomicUsize,
    },
}

/// A queue in a database of its own.
pub(crate) struct Fresh<'a> {
    pub(crate) queue: Arc<dyn Queue>,
    place: &'a Place,
    name: String,
}

/// Our store in a database of its own.
pub(crate) struct FreshStore<'a> {
    pub(crate) store: Arc<dyn Store>,
    /// The file or the schema.
    pub(crate) name: String,
    place: &'a Place,
}

impl Place {
    pub(crate) async fn new(kind: Kind) -> Result<Self> {
        let next = AtomicUsize::new(0);
        match kind {
            Kind::Sqlite => {
                let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
                Ok(Self::Sqlite { home, next })
            }
            Kind::Postgres => {
                let cluster = Cluster::start_durable().await?;
                let cluster = cluster.ok_or("PostgreSQL cannot be measured here")?;
                let admin = connect(cluster.url()).await?;
                if std::env::var("DATABASE_URL").is_err() {
                    // A checkpoint in the middle would hit one side only.
                    for setting in ["max_wal_size = '16GB'", "checkpoint_timeout = '1h'"] {
                        admin
                            .batch_execute(&format!("ALTER SYSTEM SET {setting}"))
                            .await?;
                    }
                    admin.batch_execute("SELECT pg_reload_conf()").await?;
                }
                let durable = admin
                    .query_one(
                        "SELECT current_setting('fsync') || current_setting('synchronous_commit')",
                        &[],
                    )
                    .await?;
                if durable.get::<_, &str>(0) != "onon" {
                    return Err("fsync and synchronous_commit must be on".into());
                }
                Ok(Self::Postgres {
                    cluster,
                    admin,
                    next,
                })
            }
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Sqlite { .. } => Kind::Sqlite,
            Self::Postgres { .. } => Kind::Postgres,
        }
    }

    /// What this run is, for whoever reads its lines.
    pub(crate) async fn header(&self, args: &Args) -> Result<Value> {
        let (version, durability) = match self {
            Self::Sqlite { .. } => (
                rusqlite::version().to_owned(),
                "WAL, synchronous=FULL (claims: NORMAL) on every side",
            ),
            Self::Postgres { admin, .. } => (
                admin.query_one("SHOW server_version", &[]).await?.get(0),
                "fsync=on, synchronous_commit=on on every side",
            ),
        };
        Ok(json!({
            "run": self.kind().name(), "version": version, "durability": durability,
            "disk_flush_ms": flush_ms()?, "cpus": std::thread::available_parallelism()?.get(), "load": process::load(),
            "jobs": args.jobs, "rounds": args.rounds, "seed": args.seed,
        }))
    }

    /// A side's queue in a new database, with as many connections as it may use.
    pub(crate) async fn fresh(&self, side: &str, connections: usize) -> Result<Fresh<'_>> {
        if side == "ours" {
            let FreshStore { store, name, place } = self.store(connections).await?;
            let queue = Arc::new(Ours(store));
            return Ok(Fresh { queue, place, name });
        }
        let name = self.name();
        let kept = side == "floor_kept";
        let queue: Arc<dyn Queue> = match self {
            Self::Sqlite { .. } => Arc::new(FloorSqlite::open(&name, kept)?),
            Self::Postgres { cluster, admin, .. } => {
                Arc::new(FloorPostgres::open(cluster.url(), admin, &name, connections, kept).await?)
            }
        };
        self.settle_down().await?;
        Ok(Fresh {
            queue,
            place: self,
            name,
        })
    }

    /// Our store in a new database.
    pub(crate) async fn store(&self, connections: usize) -> Result<FreshStore<'_>> {
        let name = self.name();
        let store = self.reopen(&name, connections).await?;
        self.settle_down().await?;
        Ok(FreshStore {
            store,
            name,
            place: self,
        })
    }

    async fn reopen(&self, name: &str, connections: usize) -> Result<Arc<dyn Store>> {
        Ok(match self {
            Self::Sqlite { .. } => Arc::new(SqliteStore::open(name).await?),
            Self::Postgres { cluster, .. } => {
                let builder = PostgresStore::builder(cluster.url()).schema(name);
                Arc::new(builder.pool_size(connections.max(2)).build().await?)
            }
        })
    }

    fn name(&self) -> String {
        match self {
            Self::Sqlite { home, next } => {
                let file = format!("{}.db", next.fetch_add(1, Ordering::Relaxed));
                home.path().join(file).to_string_lossy().into_owned()
            }
            Self::Postgres { next, .. } => {
                format!(
                    "bench_{}_{}",
                    std::process::id(),
                    next.fetch_add(1, Ordering::Relaxed)
                )
            }
        }
    }

    /// Leaves no debt of what came before to what is measured next.
    pub(crate) async fn settle_down(&self) -> Result<()> {
        if let Self::Postgres { admin, .. } = self {
            admin.batch_execute("CHECKPOINT").await?;
        }
        Ok(())
    }

    /// How to find the store again from another process, for [`open`].
    pub(crate) fn address(&self, name: &str) -> String {
        match self {
            Self::Sqlite { .. } => name.to_owned(),
            Self::Postgres { cluster, .. } => format!("{}#{name}", cluster.url()),
        }
    }

    pub(crate) fn admin(&self) -> Option<&Client> {
        match self {
            Self::Sqlite { .. } => None,
            Self::Postgres { admin, .. } => Some(admin),
        }
    }

    /// CPU seconds that the server has used; 0 where there is none, or it is on another machine.
    pub(crate) async fn server_cpu(&self) -> Result<f64> {
        let Self::Postgres { admin, .. } = self else {
            return Ok(0.0);
        };
        let pid: i32 = admin
            .query_one("SELECT pg_backend_pid()", &[])
            .await?
            .get(0);
        Ok(process::parent_of(pid).map_or(0.0, process::family_cpu))
    }

    async fn remove(&self, name: &str) -> Result<()> {
        match self {
            Self::Sqlite { .. } => {
                for end in ["", "-wal", "-shm"] {
                    // What is not there need not go.
                    let _ = std::fs::remove_file(format!("{name}{end}"));
                }
            }
            Self::Postgres { admin, .. } => {
                admin
                    .batch_execute(&format!("DROP SCHEMA {name} CASCADE"))
                    .await?;
            }
        }
        Ok(())
    }
}

/// How long the disk takes to make 8 KiB last, where the databases of SQLite are: the median of 100 times.
fn flush_ms() -> Result<f64> {
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut times = Vec::new();
    for _ in 0..100 {
        file.write_all(&[1; 8_192])?;
        let start = Instant::now();
        file.sync_data()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(percentile(&times, 0.5))
}

/// Opens what [`Place::address`] names.
pub(crate) async fn open(address: &str) -> Result<Arc<dyn Store>> {
    match address.split_once('#') {
        None => Ok(Arc::new(SqliteStore::open(address).await?)),
        Some((url, schema)) => Ok(Arc::new(
            PostgresStore::builder(url).schema(schema).build().await?,
        )),
    }
}

impl Fresh<'_> {
    pub(crate) async fn remove(self) -> Result<()> {
        drop(self.queue);
        self.place.remove(&self.name).await
    }
}

impl FreshStore<'_> {
    pub(crate) async fn remove(self) -> Result<()> {
        drop(self.store);
        self.place.remove(&self.name).await
    }
}

pub(crate) async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Our store, through its public trait.
struct Ours(Arc<dyn Store>);

#[async_trait]
impl Put for Ours {
    async fn put(&self, _: usize, payloads: Vec<Value>) -> Result<()> {
        let jobs = payloads
            .into_iter()
            .map(|payload| NewJob::new(acme(), "work", payload));
        self.0.enqueue(&jobs.collect::<Vec<_>>()).await?;
        Ok(())
    }
}

#[async_trait]
impl Queue for Ours {
    async fn turn(&self, _: usize, limit: usize) -> Result<usize> {
        let leases = self.0.claim(&Claim::new("bench", limit)).await?;
        if leases.is_empty() {
            return Ok(0);
        }
        let done = leases
            .iter()
            .map(|lease| (lease.token, Verdict::Complete(Value::Null)));
        self.0.settle(&done.collect::<Vec<_>>()).await?;
        Ok(leases.len())
    }
}
