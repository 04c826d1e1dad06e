//! What the database holds, read with statements of our own: never what the library says of itself.

use automarket::JobId;
use serde_json::Value;

use crate::{Result, place::Place};

/// A job, wherever it stands.
pub(crate) struct JobRow {
    pub(crate) id: String,
    pub(crate) payload: Value,
    pub(crate) key: Option<String>,
    /// `waiting` or `leased`, or how it ended.
    pub(crate) state: String,
    pub(crate) attempts: i64,
    pub(crate) crashes: i64,
    pub(crate) fence: i64,
    pub(crate) result: Option<String>,
    /// In how many tables of live and ended jobs it stands: 1, or something is wrong.
    pub(crate) places: i64,
}

impl JobRow {
    pub(crate) fn ended(&self) -> bool {
        !matches!(self.state.as_str(), "waiting" | "leased" | "nowhere")
    }
}

/// A publication, with the mark in the text of its post.
pub(crate) struct PublicationRow {
    pub(crate) mark: String,
    pub(crate) state: String,
}

impl PublicationRow {
    pub(crate) fn ended(&self) -> bool {
        matches!(
            self.state.as_str(),
            "published" | "rejected" | "unknown" | "missed" | "cancelled"
        )
    }
}

/// How many jobs are live.
pub(crate) async fn live(place: &Place) -> Result<i64> {
    count(place, "SELECT count(*) FROM @queue").await
}

/// How many unique keys are held by more than one live job.
pub(crate) async fn keys_held_twice(place: &Place) -> Result<i64> {
    let sql = "SELECT count(*) FROM (SELECT tenant, kind, unique_key FROM @queue
        WHERE unique_key IS NOT NULL GROUP BY 1, 2, 3 HAVING count(*) > 1) AS twice";
    count(place, sql).await
}

/// How many events there are of this kind.
pub(crate) async fn events(place: &Place, kind: &str) -> Result<i64> {
    count(
        place,
        &format!("SELECT count(*) FROM @events WHERE kind = '{kind}'"),
    )
    .await
}

/// What SQLite finds wrong in its file: damage, and rows whose job is not there.
pub(crate) fn damage(place: &Place) -> Result<Vec<String>> {
    let db = place.sqlite()?;
    let mut damage = Vec::new();
    for check in ["integrity_check", "foreign_key_check"] {
        let mut check = db.prepare(&format!("PRAGMA {check}"))?;
        let found = check.query_map([], |row| row.get(0))?;
        damage.extend(found.collect::<rusqlite::Result<Vec<String>>>()?);
    }
    damage.retain(|word| word != "ok");
    Ok(damage)
}

/// The live jobs, in one shape.
const POSTGRES_QUEUE: &str = "(
    SELECT tenant, kind, unique_key, coalesce(fence, 0) AS fence, coalesce(crashes, 0) AS crashes,
        leased_until IS NOT NULL AS leased
    FROM @queue) AS live";
const SQLITE_QUEUE: &str = "(
    SELECT place, tenant, kind, j.unique_key, l.fence, l.crashes, 1 AS leased
    FROM @leases l JOIN @jobs j USING (place, tenant, kind)
    UNION ALL
    SELECT place, tenant, kind, j.unique_key, w.fence, w.crashes, 0
    FROM @waiting w JOIN @jobs j USING (place, tenant, kind) WHERE w.leased = 0) AS live";

/// Counts by a statement in which `@` stands before the names of our tables.
pub(crate) async fn count(place: &Place, sql: &str) -> Result<i64> {
    match place {
        Place::Sqlite { .. } => {
            let sql = sql
                .replace("@queue", SQLITE_QUEUE)
                .replace('@', "automarket_");
            Ok(place.sqlite()?.query_row(&sql, [], |row| row.get(0))?)
        }
        Place::Postgres { .. } => {
            let (client, schema) = place.postgres().await?;
            let sql = sql
                .replace("@queue", POSTGRES_QUEUE)
                .replace('@', &format!("{schema}."));
            Ok(client.query_one(&sql, &[]).await?.get(0))
        }
    }
}

/// All jobs.
pub(crate) async fn jobs(place: &Place) -> Result<Vec<JobRow>> {
    let json = |text: String| serde_json::from_str(&text).unwrap_or(Value::Null);
    match place {
        Place::Sqlite { .. } => {
            let db = place.sqlite()?;
            // One whose lease ran out stands in the line beside its lease. Whatever else the tables do not agree on
            // counts as ten places.
            let sql = "SELECT lower(hex(j.id)), j.payload, j.unique_key,
                    CASE WHEN e.place IS NOT NULL THEN e.state WHEN l.place IS NOT NULL THEN 'leased'
                        WHEN w.place IS NOT NULL THEN 'waiting' ELSE 'nowhere' END,
                    coalesce(e.attempts, l.attempts, w.attempts, 0), coalesce(e.crashes, l.crashes, w.crashes, 0),
                    coalesce(e.fence, l.fence, w.fence, 0), e.result,
                    (e.place IS NOT NULL) + (l.place IS NOT NULL) + (w.place IS NOT NULL AND NOT w.leased)
                        + 10 * (ifnull(w.leased, 0) <> ifnull(l.in_line, 0))
                        + 10 * ifnull((w.priority, w.kind, w.tenant, w.run_at)
                            <> (j.priority, j.kind, j.tenant, j.run_at), 0)
                        + 10 * (k.place IS NOT NULL AND (e.place IS NOT NULL OR k.unique_key IS NOT j.unique_key))
                FROM automarket_jobs j LEFT JOIN automarket_waiting w USING (place)
                LEFT JOIN automarket_leases l USING (place) LEFT JOIN automarket_ended e USING (place)
                LEFT JOIN automarket_unique_keys k USING (place)";
            let mut statement = db.prepare(sql)?;
            let rows = statement.query_map([], |row| {
                let id: String = row.get(0)?;
                Ok(JobRow {
                    id: hyphened(&id),
                    payload: json(row.get(1)?),
                    key: row.get(2)?,
                    state: row.get(3)?,
                    attempts: row.get(4)?,
                    crashes: row.get(5)?,
                    fence: row.get(6)?,
                    result: row.get(7)?,
                    places: row.get(8)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        }
        Place::Postgres { .. } => {
            let (client, schema) = place.postgres().await?;
            // Whether `jobs` is a table beside the two others or a view of them.
            let sql = format!(
                "WITH stands AS (
                    SELECT id, CASE WHEN leased_until IS NULL THEN 'waiting' ELSE 'leased' END AS state, attempts, crashes,
                        fence, NULL::text AS result FROM {schema}.queue
                    UNION ALL
                    SELECT id, state, attempts, crashes, fence, result::text FROM {schema}.ended)
                SELECT j.id::text, j.payload::text, j.unique_key, coalesce(s.state, 'nowhere'),
                    coalesce(s.attempts, 0), coalesce(s.crashes, 0), coalesce(s.fence, 0), s.result,
                    count(s.id) OVER (PARTITION BY j.id)
                FROM (SELECT DISTINCT ON (id) id, payload, unique_key FROM {schema}.jobs ORDER BY id) j
                LEFT JOIN stands s USING (id)"
            );
            let rows = client.query(&sql, &[]).await?;
            Ok(rows
                .iter()
                .map(|row| JobRow {
                    id: row.get(0),
                    payload: json(row.get(1)),
                    key: row.get(2),
                    state: row.get(3),
                    attempts: i64::from(row.get::<_, i32>(4)),
                    crashes: i64::from(row.get::<_, i32>(5)),
                    fence: row.get(6),
                    result: row.get(7),
                    places: row.get(8),
                })
                .collect())
        }
    }
}

/// All publications.
pub(crate) async fn publications(place: &Place) -> Result<Vec<PublicationRow>> {
    let row = |state: String, post: String| PublicationRow {
        state,
        mark: crate::fake::mark(&post).unwrap_or_default(),
    };
    match place {
        Place::Sqlite { .. } => {
            let db = place.sqlite()?;
            let sql = "SELECT u.state, p.body FROM automarket_publications u
                JOIN automarket_posts p ON p.tenant = u.tenant AND p.id = u.post";
            let mut statement = db.prepare(sql)?;
            let rows = statement.query_map([], |found| Ok(row(found.get(0)?, found.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        }
        Place::Postgres { .. } => {
            let (client, schema) = place.postgres().await?;
            let sql = format!(
                "SELECT u.state, p.body::text FROM {schema}.publications u
                JOIN {schema}.posts p ON p.tenant = u.tenant AND p.id = u.post"
            );
            let rows = client.query(&sql, &[]).await?;
            Ok(rows.iter().map(|r| row(r.get(0), r.get(1))).collect())
        }
    }
}

/// The names of the steps that a job remembers.
pub(crate) async fn step_names(place: &Place, job: JobId) -> Result<Vec<String>> {
    Ok(match place {
        Place::Sqlite { .. } => {
            let db = place.sqlite()?;
            let sql = "SELECT s.name FROM automarket_steps s JOIN automarket_jobs j USING (place)
                WHERE j.id = ?1";
            let mut statement = db.prepare(sql)?;
            let names = statement.query_map([job.uuid().into_bytes()], |row| row.get(0))?;
            names.collect::<Result<_, _>>()?
        }
        Place::Postgres { .. } => {
            let (client, schema) = place.postgres().await?;
            let sql = format!("SELECT name FROM {schema}.steps WHERE job = $1::text::uuid");
            let rows = client.query(&sql, &[&job.to_string()]).await?;
            rows.iter().map(|row| row.get(0)).collect()
        }
    })
}

/// A UUID in hex as the library writes it.
fn hyphened(hex: &str) -> String {
    match hex.len() {
        32 => format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        ),
        _ => hex.to_owned(),
    }
}
