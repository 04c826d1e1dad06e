//! What enters the line: jobs whose time has come, and those whose lease ran out.

use rusqlite::{Params, params, types::Value};

use super::line::one;
use crate::{error::Outcome, value::limit as sql_limit, writer::Tx};

/// So many jobs become due within one claim at the most; those due longest go first.
const DUE_AT_ONCE: usize = 1_000;
/// So often, in microseconds, at the most are all leases looked through, and all lines in a flood.
const LEASES: i64 = 100_000;
const FLOOD: i64 = 500_000;

const EXPIRED: &str = "
    SELECT place FROM automarket_leases WHERE in_line = 0 AND ends_at <= ?1 ORDER BY ends_at LIMIT ?2";
const LET_IN: &str = "
    INSERT INTO automarket_waiting (later, priority, kind, tenant, run_at, place, fence, attempts, crashes, leased)
    SELECT 0, j.priority, j.kind, j.tenant, j.run_at, j.place, l.fence, l.attempts, l.crashes, 1
    FROM automarket_leases l JOIN automarket_jobs j USING (place) WHERE l.place = ?1";
const DUE: &str = "
    SELECT priority, kind, tenant, run_at, place FROM automarket_waiting INDEXED BY automarket_waiting_later
    WHERE later = 1 AND run_at <= ?1 ORDER BY run_at LIMIT ?2";
const ADMIT: &str = "
    UPDATE automarket_waiting SET later = 0
    WHERE later = 1 AND priority = ?1 AND kind = ?2 AND tenant = ?3 AND run_at = ?4 AND place = ?5";
const LATER_BEFORE: &str = "
    SELECT priority, kind, tenant FROM automarket_waiting
    WHERE later = 1 AND (priority, kind, tenant) < (?1, ?2, ?3)
    ORDER BY priority DESC, kind DESC, tenant DESC LIMIT 1";
const DUE_BUT_NOT_IN_LINE: &str = "
    SELECT priority, kind, tenant, run_at, place FROM automarket_waiting
    WHERE later = 1 AND priority = ?1 AND kind = ?2 AND tenant = ?3 AND run_at <= ?4
        AND NOT EXISTS (
            SELECT 1 FROM automarket_waiting WHERE later = 0 AND priority = ?1 AND kind = ?2 AND tenant = ?3)
    ORDER BY run_at LIMIT ?5";

/// When what costs more the more there is was looked through last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Looked {
    leases: i64,
    flood: i64,
}

impl Looked {
    /// Whether it is time again; also when the clock was set back.
    fn again(looked: &mut i64, now: i64, pause: i64) -> bool {
        let again = now < *looked || now.saturating_sub(*looked) >= pause;
        if again {
            *looked = now;
        }
        again
    }
}

/// Lets jobs whose time has come, and those whose lease ran out, into the line.
pub(super) fn admit_due(tx: &mut Tx<'_>, claimed: usize) -> Outcome<()> {
    let at_once = claimed.max(DUE_AT_ONCE);
    if Looked::again(&mut tx.lines.looked.leases, tx.now, LEASES) {
        admit_expired(tx, at_once)?;
    }
    let admitted = admit(tx, DUE, params![tx.now, sql_limit(at_once)])?;
    if admitted == at_once && Looked::again(&mut tx.lines.looked.flood, tx.now, FLOOD) {
        admit_beside_a_flood(tx, claimed)?;
    }
    Ok(())
}

fn admit_expired(tx: &Tx<'_>, most: usize) -> Outcome<()> {
    let mut places = tx.db.prepare_cached(EXPIRED)?;
    let places = places.query_map(params![tx.now, sql_limit(most)], |row| row.get(0))?;
    let places: Vec<i64> = places.collect::<rusqlite::Result<_>>()?;
    for place in places {
        let mut mark = tx
            .db
            .prepare_cached("UPDATE automarket_leases SET in_line = 1 WHERE place = ?1")?;
        tx.db.prepare_cached(LET_IN)?.execute([place])?;
        mark.execute([place])?;
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
    let mut due = tx.db.prepare_cached(which)?;
    let due = due.query_map(params, |row| {
        Ok([
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get::<_, Value>(4)?,
        ])
    })?;
    let due: Vec<[Value; 5]> = due.collect::<rusqlite::Result<_>>()?;
    let mut admit = tx.db.prepare_cached(ADMIT)?;
    for key in &due {
        admit.execute(key.each_ref())?;
    }
    Ok(due.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::testing::{database, searches};

    #[test]
    fn every_step_is_a_search_of_an_index() {
        let db = database();
        // Not the one through the leases.
        for step in [LET_IN, DUE, ADMIT, LATER_BEFORE, DUE_BUT_NOT_IN_LINE] {
            searches(&db, step);
        }
    }
}
