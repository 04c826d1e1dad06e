//! The line of ready jobs, walked by its key alone: the cost of a step does not grow with the line, nor with what
//! stands in it of other kinds. What a host's own statement put in and is no name (a tenant or kind of bytes) is walked
//! past.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params, types::Value};

use super::{read::one, standing::Past};
use crate::{error::Outcome, value::limit as sql_limit};

const NEXT_PRIORITY: &str = "
    SELECT priority FROM automarket_waiting WHERE later = 0 AND priority < ?1
    ORDER BY priority DESC LIMIT 1";
const KIND_FROM: &str = "
    SELECT kind FROM automarket_waiting
    WHERE later = 0 AND priority = ?1 AND kind >= ?2 AND kind < x'' ORDER BY kind LIMIT 1";
const TENANT_FROM: &str = "
    SELECT tenant FROM automarket_waiting
    WHERE later = 0 AND priority = ?1 AND kind = ?2 AND tenant >= ?3 AND tenant < x''
    ORDER BY tenant LIMIT 1";
const FIRST: &str = "
    SELECT run_at, place, fence, attempts, crashes, leased <> 0 FROM automarket_waiting
    WHERE later = 0 AND priority = ?1 AND kind = ?2 AND tenant = ?3 ORDER BY run_at, place LIMIT ?4";

/// A stretch of a line (a priority, kind and tenant), in its order; never empty.
pub(super) struct Stretch {
    pub(super) priority: Value,
    pub(super) kind: String,
    pub(super) tenant: String,
    pub(super) jobs: Vec<InLine>,
}

/// A job in the line.
pub(super) struct InLine {
    pub(super) run_at: Value,
    pub(super) place: i64,
    pub(super) past: Past,
    /// Its lease ran out.
    pub(super) leased: bool,
}

impl InLine {
    /// `None` for what is no number, as a host may have put in.
    pub(super) fn run_at_micros(&self) -> Option<i64> {
        match self.run_at {
            Value::Integer(micros) => Some(micros),
            Value::Real(micros) => Some(micros as i64),
            _ => None,
        }
    }

    /// Where it stands among those of other kinds.
    fn order(&self) -> (i64, i64) {
        (self.run_at_micros().unwrap_or(i64::MAX), self.place)
    }
}

/// At most `limit` jobs of these kinds (empty is any) from the highest priority that has some: what stands first.
/// Tenants take turns: each gets an equal share, from the one after the last that had its turn.
pub(super) fn pick(
    db: &Connection,
    kinds: &[String],
    limit: usize,
    turns: &mut BTreeMap<i16, String>,
) -> Outcome<Vec<Stretch>> {
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
        let mut room = limit;
        for tenant in tenants {
            if room == 0 {
                break;
            }
            let first = lane.first(&tenant, share.min(room))?;
            room -= first
                .iter()
                .map(|stretch| stretch.jobs.len())
                .sum::<usize>();
            picked.extend(first);
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
    /// Of the kinds that are named those that stand in the line; of all when none are.
    fn new(db: &'a Connection, priority: &'a Value, named: &[String]) -> Outcome<Self> {
        let (mut kinds, mut from) = (BTreeSet::new(), String::new());
        while let Some(kind) = one(db, KIND_FROM, params![priority, from], |row| {
            row.get::<_, String>(0)
        })? {
            from = successor(&kind);
            if named.is_empty() || named.contains(&kind) {
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

    /// The tenant's first jobs, by `run_at` and the order in which they were put in, whatever their kind.
    fn first(&self, tenant: &str, limit: usize) -> Outcome<Vec<Stretch>> {
        let mut stretches = Vec::new();
        let mut query = self.db.prepare_cached(FIRST)?;
        for kind in &self.kinds {
            let params = params![self.priority, kind, tenant, sql_limit(limit)];
            let jobs = query.query_map(params, |row| {
                Ok(InLine {
                    run_at: row.get(0)?,
                    place: row.get(1)?,
                    past: Past::read(row, 2)?,
                    leased: row.get(5)?,
                })
            })?;
            stretches.push(Stretch {
                priority: self.priority.clone(),
                kind: kind.clone(),
                tenant: tenant.to_owned(),
                jobs: jobs.collect::<rusqlite::Result<_>>()?,
            });
        }
        stretches.retain(|stretch| !stretch.jobs.is_empty());
        merge(&mut stretches, limit);
        Ok(stretches)
    }
}

/// Leaves those `limit` of the stretches' jobs that stand first.
fn merge(stretches: &mut Vec<Stretch>, limit: usize) {
    if stretches.len() < 2 {
        return;
    }
    let mut taken = vec![0; stretches.len()];
    for _ in 0..limit {
        let heads = stretches.iter().zip(&taken).enumerate();
        let heads = heads.filter_map(|(number, (stretch, taken))| {
            Some((stretch.jobs.get(*taken)?.order(), number))
        });
        let Some((_, first)) = heads.min() else { break };
        taken[first] += 1;
    }
    for (stretch, taken) in stretches.iter_mut().zip(taken) {
        stretch.jobs.truncate(taken);
    }
    stretches.retain(|stretch| !stretch.jobs.is_empty());
}

/// The first text after this one in SQLite's order.
fn successor(text: &str) -> String {
    format!("{text}\0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::testing::{database, operations, searches};

    #[test]
    fn every_step_is_a_search_of_an_index() {
        let db = database();
        for step in [NEXT_PRIORITY, KIND_FROM, TENANT_FROM, FIRST] {
            searches(&db, step);
        }
    }

    #[test]
    fn a_claim_walks_past_no_job_of_another_kind() {
        let db = database();
        let put = |tenants: std::ops::Range<usize>| {
            for tenant in tenants {
                db.execute(
                    "INSERT INTO automarket_waiting (later, priority, kind, tenant, run_at, place)
                     VALUES (0, 0, 'mail', ?1, 0, 0)",
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
