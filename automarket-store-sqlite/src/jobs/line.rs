//! The line of ready jobs, walked through its index alone: the cost of a step does not grow with the line.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use crate::{error::Outcome, value::limit as sql_limit, writer::Tx};

/// So many jobs become due within one claim at the most; those due longest go first.
const DUE_AT_ONCE: usize = 1_000;

const ADMIT_DUE: &str = "
    UPDATE automarket_queue SET ready = 1 WHERE place IN (
        SELECT place FROM automarket_queue WHERE ready = 0 AND due_at <= ?1 ORDER BY due_at LIMIT ?2)";
const NEXT_PRIORITY: &str = "
    SELECT priority FROM automarket_queue WHERE ready = 1 AND priority < ?1
    ORDER BY priority DESC LIMIT 1";
const TENANT_FROM: &str = "
    SELECT tenant FROM automarket_queue
    WHERE ready = 1 AND priority = ?1 AND tenant >= ?2 ORDER BY tenant LIMIT 1";
const KIND_FROM: &str = "
    SELECT kind FROM automarket_queue
    WHERE ready = 1 AND priority = ?1 AND tenant = ?2 AND kind >= ?3 ORDER BY kind LIMIT 1";
const FIRST: &str = "
    SELECT run_at, place FROM automarket_queue
    WHERE ready = 1 AND priority = ?1 AND tenant = ?2 AND kind = ?3 ORDER BY run_at, place LIMIT ?4";

/// Lets jobs whose time has come, and those whose lease ran out, into the line.
pub(super) fn admit_due(tx: &Tx<'_>, claimed: usize) -> Outcome<()> {
    tx.db
        .prepare_cached(ADMIT_DUE)?
        .execute(params![tx.now, sql_limit(claimed.max(DUE_AT_ONCE))])?;
    Ok(())
}

/// The places of at most `limit` jobs of these kinds (empty is any) from the highest priority that has
/// some. Tenants take turns: each gets an equal share, from the one after the last that had its turn.
pub(super) fn pick(
    db: &Connection,
    kinds: &[String],
    limit: usize,
    turns: &mut BTreeMap<i16, String>,
) -> Outcome<Vec<i64>> {
    let mut below = i64::from(i16::MAX) + 1;
    while let Some(priority) = next_priority(db, below)? {
        below = i64::from(priority);
        let lane = Lane {
            db,
            kinds,
            priority,
        };
        let last = turns.get(&priority).map_or("", String::as_str);
        let tenants = lane.tenants_after(last, limit)?;
        if tenants.is_empty() {
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
            turns.insert(priority, tenant);
        }
        return Ok(picked);
    }
    Ok(Vec::new())
}

fn next_priority(db: &Connection, below: i64) -> Outcome<Option<i16>> {
    Ok(db
        .prepare_cached(NEXT_PRIORITY)?
        .query_row([below], |row| row.get(0))
        .optional()?)
}

/// The ready jobs of one priority.
struct Lane<'a> {
    db: &'a Connection,
    kinds: &'a [String],
    priority: i16,
}

impl Lane<'_> {
    /// At most `limit` tenants with wanted jobs, from the one after `last` and once round.
    fn tenants_after(&self, last: &str, limit: usize) -> Outcome<Vec<String>> {
        let mut tenants = Vec::new();
        let mut from = successor(last);
        let mut wrapped = last.is_empty();
        while tenants.len() < limit {
            match self.tenant_from(&from)? {
                Some(tenant) if wrapped && !last.is_empty() && tenant.as_str() > last => break,
                Some(tenant) => {
                    from = successor(&tenant);
                    if self.kinds.is_empty() || !self.first(&tenant, 1)?.is_empty() {
                        tenants.push(tenant);
                    }
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
        Ok(self
            .db
            .prepare_cached(TENANT_FROM)?
            .query_row(params![self.priority, from], |row| row.get(0))
            .optional()?)
    }

    fn kind_from(&self, tenant: &str, from: &str) -> Outcome<Option<String>> {
        Ok(self
            .db
            .prepare_cached(KIND_FROM)?
            .query_row(params![self.priority, tenant, from], |row| row.get(0))
            .optional()?)
    }

    /// The places of the tenant's first jobs, by `run_at` and the order in which they were put in.
    fn first(&self, tenant: &str, limit: usize) -> Outcome<Vec<i64>> {
        let mut found = Vec::new();
        if self.kinds.is_empty() {
            let mut from = String::new();
            while let Some(kind) = self.kind_from(tenant, &from)? {
                self.first_of_kind(tenant, &kind, limit, &mut found)?;
                from = successor(&kind);
            }
        } else {
            for kind in self.kinds {
                self.first_of_kind(tenant, kind, limit, &mut found)?;
            }
        }
        found.sort_unstable();
        found.dedup();
        found.truncate(limit);
        Ok(found.into_iter().map(|(_, place)| place).collect())
    }

    fn first_of_kind(
        &self,
        tenant: &str,
        kind: &str,
        limit: usize,
        found: &mut Vec<(i64, i64)>,
    ) -> Outcome<()> {
        let mut query = self.db.prepare_cached(FIRST)?;
        let rows = query.query_map(
            params![self.priority, tenant, kind, sql_limit(limit)],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        for row in rows {
            found.push(row?);
        }
        Ok(())
    }
}

/// The first text after this one in SQLite's order.
fn successor(text: &str) -> String {
    format!("{text}\0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_a_search_of_an_index() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("../../migrations/0001_init.sql"))
            .unwrap();
        for step in [ADMIT_DUE, NEXT_PRIORITY, TENANT_FROM, KIND_FROM, FIRST] {
            let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {step}")).unwrap();
            // Unbound parameters are NULL, and change no plan.
            let lines = plan
                .raw_query()
                .mapped(|row| row.get::<_, String>("detail"));
            for line in lines.map(Result::unwrap) {
                let fine = !line.starts_with("SCAN") && !line.contains("TEMP B-TREE");
                assert!(fine, "neither scanned nor sorted: {step}: {line}");
            }
        }
    }
}
