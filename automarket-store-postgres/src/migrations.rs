//! Our own schema and the ledger of what made it.

use automarket_core::{Error, ErrorKind, store::rows::pending};
use tokio_postgres::{Row, error::SqlState};

use crate::{
    db::{Database, STANDS_STILL, in_schema},
    error::{Fault, GRANT, Outcome, PRIVILEGE},
    value::Columns as _,
};

/// Behind a migration that waits for a table wait all who want it next: better that the store is opened once more.
const PATIENCE: &str = "SET LOCAL lock_timeout = '3s'";

/// Every migration, in order. A file that was released never changes.
const MIGRATIONS: [&str; 24] = [
    include_str!("../migrations/0001_tables.sql"),
    include_str!("../migrations/0002_functions.sql"),
    include_str!("../migrations/0003_one_row.sql"),
    include_str!("../migrations/0004_operations.sql"),
    include_str!("../migrations/0005_publishing.sql"),
    include_str!("../migrations/0006_credentials.sql"),
    include_str!("../migrations/0007_flows.sql"),
    include_str!("../migrations/0008_speed.sql"),
    include_str!("../migrations/0009_measurements.sql"),
    include_str!("../migrations/0010_less_work.sql"),
    include_str!("../migrations/0011_mended.sql"),
    include_str!("../migrations/0012_one_job.sql"),
    include_str!("../migrations/0013_numbers.sql"),
    include_str!("../migrations/0014_one_number.sql"),
    include_str!("../migrations/0015_isolation.sql"),
    include_str!("../migrations/0016_posts.sql"),
    include_str!("../migrations/0017_locked.sql"),
    include_str!("../migrations/0018_one_way.sql"),
    include_str!("../migrations/0019_keys.sql"),
    include_str!("../migrations/0020_bounds.sql"),
    include_str!("../migrations/0021_places.sql"),
    include_str!("../migrations/0022_claim_looks.sql"),
    include_str!("../migrations/0023_reserved.sql"),
    include_str!("../migrations/0024_in_company.sql"),
];

/// What of ours a role needs rights on.
const OURS: [&str; 22] = [
    "accounts",
    "attempts",
    "audit",
    "campaigns",
    "credentials",
    "ended",
    "events",
    "failures",
    "flows",
    "gates",
    "jobs",
    "keys",
    "measurements",
    "migrations",
    "places",
    "posts",
    "publications",
    "queue",
    "routings",
    "schedules",
    "steps",
    "workers",
];

/// Brings the schema up to date in one transaction; others at the same work wait. A role without the right
/// to create anything may run it when nothing is left to do.
pub(crate) async fn run(db: &Database) -> Outcome<()> {
    bring_up(db)
        .await
        .map_err(|fault| or_theirs(fault, &db.schema))?;
    check_rights(db).await
}

/// The error of a schema in which one of our names is somebody else's.
fn or_theirs(fault: Fault, schema: &str) -> Fault {
    let Fault::Postgres(error) = &fault else {
        return fault;
    };
    let theirs = [
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_FUNCTION,
        SqlState::DUPLICATE_OBJECT,
        // A ledger of other migrations than ours.
        SqlState::UNDEFINED_COLUMN,
    ];
    match error.as_db_error() {
        Some(said) if theirs.contains(said.code()) => Fault::Ours(not_ours(schema, said.message())),
        _ => fault,
    }
}

fn not_ours(schema: &str, said: &str) -> Error {
    let message = format!("the schema {schema} holds what is not ours: {said}");
    let error = Error::new(ErrorKind::Config, message).with_rule("postgres.schema");
    error.with_remedy("name a schema that is the store's alone")
}

/// Who does not own the schema may lack a right that only some calls need: that is said now.
async fn check_rights(db: &Database) -> Outcome<()> {
    // Of a host that put its own tables beside ours nothing is wanted.
    let sql = "SELECT wanted, string_agg(name, ', ' ORDER BY name) AS names FROM (
            SELECT relname::text AS name, string_agg(wanted, ', ') AS wanted
            FROM pg_class, unnest(CASE relname
                WHEN 'places' THEN '{USAGE}'
                WHEN 'jobs' THEN '{SELECT}'
                WHEN 'migrations' THEN '{SELECT}'
                ELSE '{SELECT,INSERT,UPDATE,DELETE}' END::text[]) AS wanted
            WHERE relnamespace = to_regnamespace($1) AND relname = ANY($2)
                -- UPDATE is enough for nextval, too.
                AND NOT CASE relkind WHEN 'S' THEN has_sequence_privilege(pg_class.oid, wanted || ', UPDATE')
                    ELSE has_table_privilege(pg_class.oid, wanted) END
            GROUP BY relname) AS lacking
        GROUP BY wanted ORDER BY wanted";
    let lacking = db.rows(sql, &[&db.schema, &&OURS[..]]).await?;
    if lacking.is_empty() {
        return Ok(());
    }
    let mut said = Vec::new();
    for row in &lacking {
        let (wanted, names): (&str, &str) = (row.column("wanted")?, row.column("names")?);
        said.push(format!("{wanted} on {names}"));
    }
    let (schema, said) = (&db.schema, said.join("; "));
    let message = format!("in the schema {schema} the role lacks {said}");
    let error = Error::new(ErrorKind::Config, message).with_rule(PRIVILEGE);
    Err(error.with_remedy(GRANT))?
}

async fn bring_up(db: &Database) -> Outcome<()> {
    let mut client = db.pool.get().await?;
    let tx = client.transaction().await?;
    tx.batch_execute(STANDS_STILL).await?;
    let lock = format!("automarket migrations {}", db.schema);
    let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
    tx.execute(sql, &[&lock]).await?;
    let ledger = format!("{}.migrations", db.schema);
    let there = tx
        .query_one(
            "SELECT to_regnamespace($1) IS NOT NULL, to_regclass($2) IS NOT NULL",
            &[&db.schema, &ledger],
        )
        .await?;
    if !there.get::<_, bool>(0) {
        tx.batch_execute(&format!("CREATE SCHEMA {}", db.schema))
            .await?;
    }
    if !there.get::<_, bool>(1) {
        tx.batch_execute(&format!(
            "CREATE TABLE {ledger} (
                number     integer PRIMARY KEY,
                checksum   text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            )"
        ))
        .await?;
    }
    let applied = tx
        .query(&format!("SELECT number, checksum FROM {ledger}"), &[])
        .await?;
    let read = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
    let applied: Result<Vec<(i32, String)>, tokio_postgres::Error> =
        applied.iter().map(read).collect();
    let applied = applied.map_err(|error| not_ours(&db.schema, &error.to_string()))?;
    for (number, sql, checksum) in pending("postgres", &MIGRATIONS, &applied)? {
        let sql = in_schema(&db.schema, sql);
        tx.batch_execute(&format!("{PATIENCE}; {sql}")).await?;
        let record = format!("INSERT INTO {ledger} (number, checksum) VALUES ($1, $2)");
        tx.execute(&record, &[&number, &checksum]).await?;
    }
    Ok(tx.commit().await?)
}
