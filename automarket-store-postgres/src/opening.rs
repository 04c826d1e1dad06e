//! What would go wrong later, and not be seen: it is looked at when a store is opened.

use automarket_core::{Error, ErrorKind};
use tokio_postgres::{SimpleQueryMessage, error::SqlState};
use uuid::Uuid;

use crate::{
    db::Database,
    error::{Outcome, PREPARED},
    value::{Columns as _, damaged},
};

/// So often it is looked whether sessions are shared: a pooler may lend out others between.
const LOOKS: usize = 3;

pub(crate) async fn check(db: &Database) -> Outcome<()> {
    // Before anything is run by the name of its statement.
    let shares = shares_sessions(db).await?;
    let sql = "SELECT current_setting('default_transaction_isolation') AS isolation,
        current_setting('server_encoding') AS encoding,
        (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit') AS commits,
        starts_with($1, 'pg_') OR EXISTS (
            SELECT FROM pg_get_keywords() WHERE word = $1 AND catcode IN ('R', 'T')) AS reserved";
    let row = db.row(sql, &[&db.schema]).await?;
    let row = row.ok_or_else(|| damaged("the settings"))?;
    if row.column("reserved")? {
        let message = format!(
            "{} is no name for a schema: PostgreSQL reserves it",
            db.schema
        );
        Err(Error::new(ErrorKind::Config, message).with_rule("postgres.schema"))?;
    }
    let isolation: &str = row.column("isolation")?;
    if isolation != "read committed" {
        let message = format!(
            "transactions of this role are {isolation} by default: ours need read committed"
        );
        Err(Error::new(ErrorKind::Config, message)
            .with_rule("postgres.isolation")
            .with_remedy(
                "set default_transaction_isolation of the role, or in the URL (not behind a pooler): \
                 options=-c default_transaction_isolation=read\\ committed",
            ))?;
    }
    // What a platform says is in any language. `SQL_ASCII` keeps all bytes as they are.
    let encoding: &str = row.column("encoding")?;
    if !["UTF8", "SQL_ASCII"].contains(&encoding) {
        let message = format!("the database is in {encoding}, which cannot hold every character");
        Err(Error::new(ErrorKind::Config, message)
            .with_rule("postgres.encoding")
            .with_remedy("create the database with ENCODING 'UTF8' (TEMPLATE template0)"))?;
    }
    // A session that is not ours alone does not keep what a connection sets when it is made.
    if shares && row.column::<&str>("commits")? == "off" {
        let message = "synchronous_commit is off, and the pooler keeps no setting of ours: what is \
            acknowledged would be lost with the server";
        Err(Error::new(ErrorKind::Config, message)
            .with_rule("postgres.durability")
            .with_remedy("ALTER ROLE the store's role SET synchronous_commit = on"))?;
    }
    Ok(())
}

/// Whether connections of ours run on the same sessions of the server's in turn, as behind a pooler in transaction mode:
/// then one sees what the other prepared. A pooler that leaves the driver's names as they are (`s0`, `s1` in every
/// process) would run another statement than the one that was meant, and is refused.
async fn shares_sessions(db: &Database) -> Outcome<bool> {
    let (one, other) = db.two_connections().await?;
    let mark = Uuid::now_v7();
    // The fresh session of a server's own has no statement of any name yet.
    let prepared = one.prepare(&format!("SELECT '{mark}'")).await;
    let _prepared = match prepared {
        Err(error) if error.code() == Some(&SqlState::DUPLICATE_PSTATEMENT) => {
            return Err(mixes_up().with_source(error).into());
        }
        prepared => prepared?,
    };
    let look = format!(
        "SELECT name ~ '^s[0-9]+$' FROM pg_prepared_statements WHERE strpos(statement, '{mark}') > 0"
    );
    for _ in 0..LOOKS {
        for said in other.simple_query(&look).await? {
            if let SimpleQueryMessage::Row(row) = said {
                if row.try_get(0)? == Some("t") {
                    return Err(mixes_up().into());
                }
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn mixes_up() -> Error {
    let message =
        "a pooler in transaction mode mixes up prepared statements: one call would run another's";
    Error::new(ErrorKind::Config, message)
        .with_rule(PREPARED)
        .with_remedy(
            "let the pooler keep prepared statements (PgBouncer from 1.21: max_prepared_statements), \
             or lend whole sessions (pool_mode=session)",
        )
}
