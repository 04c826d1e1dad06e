//! What enters the line: jobs whose time has come, and those whose lease ran out.

use rusqlite::{Params, params, types::Value};

use super::read::one;
use crate::{error::Outcome, value::limit as sql_limit, writer::Tx};

/// So many jobs become due within one claim at the most; those due longest go first.
const DUE_AT_ONCE: usize = 1_000;
/// So long, in microseconds, all leases are not looked through again for those of other processes, and in a flood all
/// lines when nothing was found there.
const LEASES: i64 = 100_000;
const FLOOD: i64 = 500_000;

const EXPIRED: &str = "
    SELECT place FROM automarket_leases WHERE in_line = 0 AND ends_at <= ?1 ORDER BY ends_at LIMIT ?2";
const NEXT_END: &str = "SELECT min(ends_at) FROM automarket_leases WHERE in_line = 0";
const LET_IN: &str = "
    INSERT OR REPLACE INTO automarket_waiting (later, priority, kind, tenant, run_at, place, fence, attempts, crashes, leased)
    SELECT 0, j.priority, j.kind, j.tenant, j.run_at, j.place, l.fence, l.attempts, l.crashes, 1
    FROM automarket_leases l JOIN automarket_jobs j USING (place) WHERE l.place = ?1";
const DUE: &str = "
    SELECT priority, kind, tenant, run_at, place FROM automarket_waiting INDEXED BY automarket_waiting_later
    WHERE later = 1 AND run_at <= ?1 ORDER BY run_at LIMIT ?2";
const ADMIT: &str = "
    UPDATE automarket_waiting SET later = 0
    WHERE later = 1 AND priority = ?1 AND kind = ?2 AND tenant = ?3 AND run_at = ?4 AND place = ?5";
const PUT_BACK: &str = "
    UPDATE OR IGNORE automarket_waiting SET later = 1
    WHERE later = 0 AND leased = 0 AND run_at > ?1 AND run_at < ''";
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

/// When what costs the more the more there is shall be looked through again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Looks {
    /// When all leases were looked through last.
    leases: Option<i64>,
    /// The earliest end of a lease that is known of: those of other processes are not, at first.
    lease_end: Option<i64>,
    /// When all lines were looked through last, and nothing was found.
    flood: Option<i64>,
}

impl Looks {
    /// A lease ends then.
    pub(super) fn lease_ends(&mut self, at: i64) {
        self.lease_end = Some(self.lease_end.map_or(at, |end| end.min(at)));
    }

    fn at_leases(&self, now: i64) -> bool {
        self.lease_end.is_some_and(|end| end <= now) || is_over(self.leases, now, LEASES)
    }
}

/// Whether that long has passed since; also when the clock was set back.
fn is_over(since: Option<i64>, now: i64, pause: i64) -> bool {
    since.is_none_or(|since| now < since || now.saturating_sub(since) >= pause)
}

/// Lets jobs whose time has come, and those whose lease ran out, into the line.
pub(super) fn admit_due(tx: &mut Tx<'_>, claimed: usize) -> Outcome<()> {
    let at_once = claimed.max(DUE_AT_ONCE);
    if tx.lines.looks.at_leases(tx.now) {
        admit_expired(tx, at_once)?;
        let next = one(tx.db, NEXT_END, [], |row| row.get(0))?;
        tx.lines.looks.lease_end = next.flatten();
        tx.lines.looks.leases = Some(tx.now);
    }
    let admitted = admit(tx, DUE, params![tx.now, sql_limit(at_once)])?;
    if admitted == at_once && is_over(tx.lines.looks.flood, tx.now, FLOOD) {
        let beside = admit_beside_a_flood(tx, claimed)?;
        tx.lines.looks.flood = (beside == 0).then_some(tx.now);
    }
    Ok(())
}

/// Puts what a clock let into the line that was set back since out of it again; how many.
pub(super) fn put_back(tx: &Tx<'_>) -> Outcome<usize> {
    Ok(tx.db.prepare_cached(PUT_BACK)?.execute([tx.now])?)
}

fn admit_expired(tx: &Tx<'_>, most: usize) -> Outcome<()> {
    let mut places = tx.db.prepare_cached(EXPIRED)?;
    let places = places.query_map(params![tx.now, sql_limit(most)], |row| row.get(0))?;
    let places: Vec<i64> = places.collect::<rusqlite::Result<_>>()?;
    let mut let_in = tx.db.prepare_cached(LET_IN)?;
    let mut mark = tx
        .db
        .prepare_cached("UPDATE automarket_leases SET in_line = 1 WHERE place = ?1")?;
    for place in places {
        let_in.execute([place])?;
        mark.execute([place])?;
    }
    Ok(())
}

/// So many are due that others would wait long behind them: who has none in the line gets some there, by priority. How
/// many.
fn admit_beside_a_flood(tx: &Tx<'_>, claimed: usize) -> Outcome<usize> {
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
    Ok(admitted)
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
        // Not those through the leases.
        for step in [LET_IN, DUE, ADMIT, LATER_BEFORE, DUE_BUT_NOT_IN_LINE] {
            searches(&db, step);
        }
    }
}
