//! Where a live job stands, and its ways from one table to the next.

use automarket_core::store::JobState;
use rusqlite::params;

use super::read::ended_state;
use crate::{error::Outcome, writer::Tx};

/// The waiting row of a job by its whole key, so that it is found at once.
const THE_WAITING: &str = "
    (later, priority, kind, tenant, run_at, place) IN (
        SELECT l.column1, j.priority, j.kind, j.tenant, j.run_at, j.place
        FROM automarket_jobs j CROSS JOIN (VALUES (0), (1)) l WHERE j.place = ?1)";

/// What a job that waits knows of its leases before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Past {
    pub(super) fence: i64,
    pub(super) attempts: u32,
    pub(super) crashes: u32,
}

/// Lets a job that stands nowhere wait until then.
pub(super) fn wait(tx: &Tx<'_>, place: i64, run_at: i64, past: Past) -> Outcome<()> {
    tx.db
        .prepare_cached("UPDATE automarket_jobs SET run_at = ?2 WHERE place = ?1 AND run_at <> ?2")?
        .execute([place, run_at])?;
    tx.db
        .prepare_cached(
            "INSERT INTO automarket_waiting
                (later, priority, kind, tenant, run_at, place, fence, attempts, crashes)
             SELECT ?2, priority, kind, tenant, run_at, place, ?3, ?4, ?5 FROM automarket_jobs WHERE place = ?1",
        )?
        .execute(params![
            place,
            run_at > tx.now,
            past.fence,
            past.attempts,
            past.crashes
        ])?;
    Ok(())
}

/// What a waiting job knows, if it waits and is not leased.
pub(super) fn waiting(tx: &Tx<'_>, place: i64) -> Outcome<Option<Past>> {
    let sql = format!(
        "SELECT fence, attempts, crashes FROM automarket_waiting WHERE leased = 0 AND {THE_WAITING}"
    );
    super::line::one(tx.db, &sql, [place], |row| {
        Ok(Past {
            fence: row.get(0)?,
            attempts: row.get(1)?,
            crashes: row.get(2)?,
        })
    })
}

/// Takes a job from where it waits, before anything of it is changed; whether it was there.
pub(super) fn stop_waiting(tx: &Tx<'_>, place: i64) -> Outcome<bool> {
    let sql = format!("DELETE FROM automarket_waiting WHERE {THE_WAITING}");
    Ok(tx.db.prepare_cached(&sql)?.execute([place])? > 0)
}

/// Ends the lease of a job, which then stands nowhere.
pub(super) fn end_lease(tx: &Tx<'_>, place: i64) -> Outcome<()> {
    let in_line = super::line::one(
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
    let leased = tx
        .db
        .prepare_cached(
            "INSERT INTO automarket_ended (place, tenant, state, fence, attempts, crashes, finished_at)
             SELECT place, tenant, ?2, fence, attempts, crashes, ?3 FROM automarket_leases WHERE place = ?1",
        )?
        .execute(params![place, state, tx.now])?;
    if leased > 0 {
        end_lease(tx, place)?;
    } else {
        let sql = format!(
            "INSERT INTO automarket_ended (place, tenant, state, fence, attempts, crashes, finished_at)
             SELECT place, tenant, ?2, fence, attempts, crashes, ?3 FROM automarket_waiting WHERE {THE_WAITING}"
        );
        tx.db
            .prepare_cached(&sql)?
            .execute(params![place, state, tx.now])?;
        stop_waiting(tx, place)?;
    }
    tx.db
        .prepare_cached("DELETE FROM automarket_unique_keys WHERE place = ?1")?
        .execute([place])?;
    Ok(())
}

/// Places as stretches from one to another in which every place is: jobs that were put in together are mostly claimed
/// and completed together, and a statement for a stretch costs a third of one for a list.
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
        searches(
            &db,
            &format!("DELETE FROM automarket_waiting WHERE {THE_WAITING}"),
        );
    }

    #[test]
    fn stretches_hold_these_places_and_no_other() {
        assert_eq!(stretches(vec![]), []);
        assert_eq!(stretches(vec![7, 3, 5, 4, 9]), [(3, 5), (7, 7), (9, 9)]);
    }
}
