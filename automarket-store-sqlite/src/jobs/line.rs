//! The line of ready jobs, walked through its index alone: the cost of a step does not grow with the line, nor with
//! what stands in it of other kinds. What a host's own statement put in and is no name (a tenant or kind of bytes)
//! is walked past.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Params, params, types::Value};

use crate::{error::Outcome, value::limit as sql_limit, writer::Tx};

/// So many jobs become due within one claim at the most; those due longest go first.
const DUE_AT_ONCE: usize = 1_000;

const DUE: &str = "
    SELECT place FROM automarket_queue WHERE ready = 0 AND leased = ?1 AND due_at <= ?2
    ORDER BY due_at LIMIT ?3";
const ADMIT: &str = "UPDATE automarket_queue SET ready = 1 WHERE place = ?1";
const LATER_BEFORE: &str = "
    SELECT priority, kind, tenant FROM automarket_queue INDEXED BY automarket_queue_later
    WHERE ready = 0 AND leased = 0 AND (priority, kind, tenant) < (?1, ?2, ?3)
    ORDER BY priority DESC, kind DESC, tenant DESC LIMIT 1";
const DUE_BUT_NOT_IN_LINE: &str = "
    SELECT place FROM automarket_queue INDEXED BY automarket_queue_later
    WHERE ready = 0 AND leased = 0 AND priority = ?1 AND kind = ?2 AND tenant = ?3 AND due_at <= ?4
        AND NOT EXISTS (
            SELECT 1 FROM automarket_queue WHERE ready = 1 AND priority = ?1 AND kind = ?2 AND tenant = ?3)
    ORDER BY due_at LIMIT ?5";
const NEXT_PRIORITY: &str = "
    SELECT priority FROM automarket_queue WHERE ready = 1 AND priority < ?1
    ORDER BY priority DESC LIMIT 1";
const KIND_FROM: &str = "
    SELECT kind FROM automarket_queue
    WHERE ready = 1 AND priority = ?1 AND kind >= ?2 AND kind < x'' ORDER BY kind LIMIT 1";
const TENANT_FROM: &str = "
    SELECT tenant FROM automarket_queue
    WHERE ready = 1 AND priority = ?1 AND kind = ?2 AND tenant >= ?3 AND tenant < x''
    ORDER BY tenant LIMIT 1";
const FIRST: &str = "
    SELECT CAST(run_at AS INTEGER), place FROM automarket_queue
    WHERE ready = 1 AND priority = ?1 AND kind = ?2 AND tenant = ?3 ORDER BY run_at, place LIMIT ?4";

/// Lets jobs whose time has come, and those whose lease ran out, into the line.
pub(super) fn admit_due(tx: &Tx<'_>, claimed: usize) -> Outcome<()> {
    let at_once = claimed.max(DUE_AT_ONCE);
    admit(tx, DUE, params![true, tx.now, sql_limit(at_once)])?;
    let admitted = admit(tx, DUE, params![false, tx.now, sql_limit(at_once)])?;
    if admitted == at_once {
        admit_beside_a_flood(tx, claimed)?;
    }
    Ok(())
}

/// So many are due that others would wait long behind them: who has none in the line gets some there, by priority.
fn admit_beside_a_flood(tx: &Tx<'_>, claimed: usize) -> Outcome<()> {
    let mut admitted = 0;
    let end = || Value::Blob(Vec::new()); // Above every number and text.
    let mut before = [end(), end(), end()];
    while let Some(lane) = one(tx.db, LATER_BEFORE, before.each_ref(), |row| {
        Ok([row.get(0)?, row.get(1)?, row.get(2)?])
    })? {
        let [priority, kind, tenant] = &lane;
        let room = sql_limit(claimed.min(DUE_AT_ONCE));
        admitted += admit(
            tx,
            DUE_BUT_NOT_IN_LINE,
            params![priority, kind, tenant, tx.now, room],
        )?;
        if admitted >= DUE_AT_ONCE {
            break;
        }
        before = lane;
    }
    Ok(())
}

/// Lets the jobs that a query finds into the line; how many.
fn admit(tx: &Tx<'_>, which: &str, params: impl Params) -> Outcome<usize> {
    let mut places = tx.db.prepare_cached(which)?;
    let places = places.query_map(params, |row| row.get(0))?;
    let places: Vec<i64> = places.collect::<rusqlite::Result<_>>()?;
    if !places.is_empty() {
        let mut admit = tx.db.prepare_cached(ADMIT)?;
        for place in &places {
            admit.execute([place])?;
        }
    }
    Ok(places.len())
}

/// The places of at most `limit` jobs of these kinds (empty is any) from the highest priority that has
/// some. Tenants take turns: each gets an equal share, from the one after the last that had its turn.
pub(super) fn pick(
    db: &Connection,
    kinds: &[String],
    limit: usize,
    turns: &mut BTreeMap<i16, String>,
) -> Outcome<Vec<i64>> {
    let mut below = Value::Blob(Vec::new()); // Above every number.
    while let Some(priority) = one(db, NEXT_PRIORITY, [&below], |row| row.get(0))? {
        let lane = Lane::new(db, &priority, kinds)?;
        let turn = match priority {
            Value::Integer(number) => i16::try_from(number).ok(),
            _ => None, // Such a row ends when it is taken, and has no turn.
        };
        let last = turn.and_then(|turn| turns.get(&turn));
        let tenants = lane.tenants_after(last.map_or("", String::as_str), limit)?;
        if tenants.is_empty() {
            below = priority;
            continue;
        }
        let share = limit.div_ceil(tenants.len());
        let mut picked = Vec::new();
        for tenant in tenants {
            let room = limit - picked.len();
            if room == 0 {
                break;
            }
            picked.extend(lane.first(&tenant, share.min(room))?);
            if let Some(turn) = turn {
                turns.insert(turn, tenant);
            }
        }
        return Ok(picked);
    }
    Ok(Vec::new())
}

/// The ready jobs of one priority and some kinds.
struct Lane<'a> {
    db: &'a Connection,
    priority: &'a Value,
    kinds: BTreeSet<String>,
}

impl<'a> Lane<'a> {
    /// Of all kinds that stand in the line when none are named.
    fn new(db: &'a Connection, priority: &'a Value, named: &[String]) -> Outcome<Self> {
        let mut kinds: BTreeSet<String> = named.iter().cloned().collect();
        if named.is_empty() {
            let mut from = String::new();
            while let Some(kind) = one(db, KIND_FROM, params![priority, from], |row| {
                row.get::<_, String>(0)
            })? {
                from = successor(&kind);
                kinds.insert(kind);
            }
        }
        Ok(Self {
            db,
            priority,
            kinds,
        })
    }

    /// At most `limit` tenants with jobs, from the one after `last` and once round.
    fn tenants_after(&self, last: &str, limit: usize) -> Outcome<Vec<String>> {
        let mut tenants = Vec::new();
        let mut from = match last {
            "" => String::new(),
            last => successor(last),
        };
        let mut wrapped = last.is_empty();
        while tenants.len() < limit {
            match self.tenant_from(&from)? {
                Some(tenant) if wrapped && !last.is_empty() && tenant.as_str() > last => break,
                Some(tenant) => {
                    from = successor(&tenant);
                    tenants.push(tenant);
                }
                None if wrapped => break,
                None => {
                    wrapped = true;
                    from.clear();
                }
            }
        }
        Ok(tenants)
    }

    fn tenant_from(&self, from: &str) -> Outcome<Option<String>> {
        let mut nearest = None;
        for kind in &self.kinds {
            let params = params![self.priority, kind, from];
            let tenant: Option<String> = one(self.db, TENANT_FROM, params, |row| row.get(0))?;
            nearest = nearest.into_iter().chain(tenant).min();
        }
        Ok(nearest)
    }

    /// The places of the tenant's first jobs, by `run_at` and the order in which they were put in.
    fn first(&self, tenant: &str, limit: usize) -> Outcome<Vec<i64>> {
        let mut found: Vec<(i64, i64)> = Vec::new();
        let mut query = self.db.prepare_cached(FIRST)?;
        for kind in &self.kinds {
            let rows = query.query_map(
                params![self.priority, kind, tenant, sql_limit(limit)],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            for row in rows {
                found.push(row?);
            }
        }
        found.sort_unstable();
        found.truncate(limit);
        Ok(found.into_iter().map(|(_, place)| place).collect())
    }
}

/// The one row that a step finds.
fn one<T>(
    db: &Connection,
    step: &str,
    params: impl Params,
    read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Outcome<Option<T>> {
    let found = db.prepare_cached(step)?.query_row(params, read);
    Ok(found.optional()?)
}

/// The first text after this one in SQLite's order.
fn successor(text: &str) -> String {
    format!("{text}\0")
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use automarket_core::chrono::DateTime;

    use super::*;

    fn database() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        crate::migrations::run(&db, DateTime::UNIX_EPOCH)
            .map_err(automarket_core::Error::from)
            .unwrap();
        db
    }

    #[test]
    fn every_step_is_a_search_of_an_index() {
        let db = database();
        let admitting = [DUE, ADMIT, LATER_BEFORE, DUE_BUT_NOT_IN_LINE];
        let picking = [NEXT_PRIORITY, KIND_FROM, TENANT_FROM, FIRST];
        for step in admitting.into_iter().chain(picking) {
            let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {step}")).unwrap();
            // Unbound parameters are NULL, and change no plan.
            let lines = plan
                .raw_query()
                .mapped(|row| row.get::<_, String>("detail"));
            for line in lines.map(Result::unwrap) {
                let fine = !line.starts_with("SCAN") || line == "SCAN CONSTANT ROW";
                let fine = fine && !line.contains("TEMP B-TREE");
                assert!(fine, "neither scanned nor sorted: {step}: {line}");
            }
        }
    }

    /// How many operations of SQLite's machine it takes.
    fn operations(db: &Connection, work: impl FnOnce(&Connection)) -> usize {
        let count = Arc::new(AtomicUsize::new(0));
        let counting = count.clone();
        let counting = move || {
            counting.fetch_add(1, Ordering::Relaxed);
            false
        };
        db.progress_handler(1, Some(counting)).unwrap();
        work(db);
        db.progress_handler(0, None::<fn() -> bool>).unwrap();
        count.load(Ordering::Relaxed)
    }

    #[test]
    fn a_claim_walks_past_no_job_of_another_kind() {
        let db = database();
        db.pragma_update(None, "foreign_keys", false).unwrap();
        let put = |tenants: std::ops::Range<usize>| {
            for tenant in tenants {
                db.execute(
                    "INSERT INTO automarket_queue (tenant, kind, priority, run_at, due_at, ready)
                     VALUES (?1, 'mail', 0, 0, 0, 1)",
                    [format!("tenant {tenant}")],
                )
                .unwrap();
            }
        };
        let pick = |db: &Connection| {
            let kinds = ["post".to_owned(), "sms".to_owned()];
            let picked = pick(db, &kinds, 16, &mut BTreeMap::new());
            let picked = picked.map_err(automarket_core::Error::from);
            assert!(picked.unwrap().is_empty());
        };
        put(0..10);
        let few = operations(&db, pick);
        put(10..2_000);
        let many = operations(&db, pick);
        assert!(few > 0 && many <= few, "{few} operations became {many}");
    }
}
