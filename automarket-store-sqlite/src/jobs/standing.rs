//! Where a live job stands, and its ways from one table to the next.

use automarket_core::store::{JobState, rows::ended_state, rules::next_fence};
use rusqlite::{Row, params};

use super::{near, read::one};
use crate::{error::Outcome, writer::Tx};

/// The waiting row of a job by its whole key, so that it is found at once.
const THE_WAITING: &str = "
    later IN (0, 1) AND (priority, kind, tenant, run_at, place) = (
        SELECT priority, kind, tenant, run_at, place FROM automarket_jobs WHERE place = ?1)";

/// What a live job has behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Past {
    pub(super) fence: i64,
    pub(super) attempts: u32,
    pub(super) crashes: u32,
}

impl Past {
    /// Reads the three columns from this one on. Somebody's own statement may have put anything there.
    pub(super) fn read(row: &Row<'_>, column: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            fence: near::number(row, column, i64::MIN, i64::MAX)?,
            attempts: near::number(row, column + 1, 0, u32::MAX)?,
            crashes: near::number(row, column + 2, 0, u32::MAX)?,
        })
    }

    /// With one lease more.
    pub(super) fn leased(self, now: i64) -> Self {
        Self {
            fence: next_fence(self.fence, now),
            attempts: self.attempts.saturating_add(1),
            ..self
        }
    }
}

/// Lets a job that stands nowhere wait, until then or as it did before.
pub(super) fn wait(tx: &Tx<'_>, place: i64, run_at: Option<i64>, past: Past) -> Outcome<()> {
    if let Some(run_at) = run_at {
        tx.db
            .prepare_cached("UPDATE automarket_jobs SET run_at = ?2 WHERE place = ?1")?
            .execute([place, run_at])?;
    }
    tx.db
        .prepare_cached(
            "INSERT INTO automarket_waiting
                (later, priority, kind, tenant, run_at, place, fence, attempts, crashes)
             SELECT run_at > ?2, priority, kind, tenant, run_at, place, ?3, ?4, ?5
             FROM automarket_jobs WHERE place = ?1",
        )?
        .execute(params![
            place,
            tx.now,
            past.fence,
            past.attempts,
            past.crashes
        ])?;
    Ok(())
}

/// What a waiting job has behind it, if it waits and is not leased.
pub(super) fn waiting(tx: &Tx<'_>, place: i64) -> Outcome<Option<Past>> {
    let sql = format!(
        "SELECT fence, attempts, crashes FROM automarket_waiting WHERE leased = 0 AND {THE_WAITING}"
    );
    one(tx.db, &sql, [place], |row| Past::read(row, 0))
}

/// Takes a job from where it waits, before anything of it is changed.
pub(super) fn stop_waiting(tx: &Tx<'_>, place: i64) -> Outcome<()> {
    let sql = format!("DELETE FROM automarket_waiting WHERE {THE_WAITING}");
    tx.db.prepare_cached(&sql)?.execute([place])?;
    Ok(())
}

/// Ends the lease of a job, which then stands nowhere.
pub(super) fn end_lease(tx: &Tx<'_>, place: i64) -> Outcome<()> {
    let in_line = one(
        tx.db,
        "DELETE FROM automarket_leases WHERE place = ?1 RETURNING in_line",
        [place],
        |row| row.get(0),
    )?;
    if in_line == Some(true) {
        stop_waiting(tx, place)?;
    }
    Ok(())
}

/// Ends a live job that has no result.
pub(super) fn end(tx: &Tx<'_>, place: i64, state: JobState) -> Outcome<()> {
    let state = ended_state(state);
    let from = |stands: &str| {
        format!(
            "INSERT OR IGNORE INTO automarket_ended (place, tenant, state, fence, attempts, crashes, finished_at)
             SELECT place, tenant, ?2, fence, attempts, crashes, ?3 FROM {stands}"
        )
    };
    let lease = "SELECT 1 FROM automarket_leases WHERE place = ?1";
    let leased = one(tx.db, lease, [place], |_| Ok(()))?.is_some();
    let stands = if leased {
        "automarket_leases WHERE place = ?1".to_owned()
    } else {
        format!("automarket_waiting WHERE {THE_WAITING}")
    };
    tx.db
        .prepare_cached(&from(&stands))?
        .execute(params![place, state, tx.now])?;
    if leased {
        end_lease(tx, place)?;
    } else {
        stop_waiting(tx, place)?;
    }
    tx.db
        .prepare_cached("DELETE FROM automarket_unique_keys WHERE place = ?1")?
        .execute([place])?;
    Ok(())
}

/// Places as stretches from one to another in which every place is: jobs that were put in together are mostly claimed
/// and completed together, and a statement for a stretch costs less than half of one for a list.
pub(super) fn stretches(mut places: Vec<i64>) -> Vec<(i64, i64)> {
    places.sort_unstable();
    let mut stretches: Vec<(i64, i64)> = Vec::new();
    for place in places {
        match stretches.last_mut() {
            Some((_, end)) if *end + 1 == place => *end = place,
            _ => stretches.push((place, place)),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::testing::{database, searches};

    #[test]
    fn the_waiting_row_is_found_by_its_key() {
        let db = database();
        let step = format!("DELETE FROM automarket_waiting WHERE {THE_WAITING}");
        let plan = searches(&db, &step);
        assert!(plan[0].contains("run_at=? AND place=?"), "{plan:?}");
    }

    #[test]
    fn stretches_hold_these_places_and_no_other() {
        assert_eq!(stretches(vec![]), []);
        assert_eq!(stretches(vec![7, 3, 5, 4, 9]), [(3, 5), (7, 7), (9, 9)]);
    }
}
