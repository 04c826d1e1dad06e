//! What enters the line: jobs whose time has come, and those whose lease ran out.

use std::{
    cmp::Reverse,
    collections::BTreeSet,
    time::{Duration, Instant},
};

use rusqlite::{Params, params, types::Value};

use super::read::one;
use crate::{error::Outcome, value::limit as sql_limit, writer::Tx};

/// So many jobs become due within one claim at the most; those due longest go first.
const DUE_AT_ONCE: usize = 1_000;
/// So long, in microseconds, all leases are not looked through again for those of other processes.
const LEASES: i64 = 100_000;
/// So many due jobs, of so many lanes (a priority, kind and tenant), one claim looks at in a flood; the next one goes on
/// behind them, and once all were looked at, it is begun anew so long after.
const LOOKED_AT: usize = 20_000;
const LANES: usize = 500;
const ROUND: Duration = Duration::from_millis(250);

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
/// In the index's order: by time, then by lane.
const DUE_AFTER: &str = "
    SELECT run_at, priority, kind, tenant FROM automarket_waiting INDEXED BY automarket_waiting_later
    WHERE later = 1 AND run_at <= ?1 AND run_at = ?2 AND (priority, kind, tenant) > (?3, ?4, ?5)
    UNION ALL
    SELECT run_at, priority, kind, tenant FROM automarket_waiting INDEXED BY automarket_waiting_later
    WHERE later = 1 AND run_at <= ?1 AND run_at > ?2
    LIMIT ?6";
/// (As a condition it would be asked of each row that is due.)
const DUE_BUT_NOT_IN_LINE: &str = "
    SELECT priority, kind, tenant, run_at, place FROM automarket_waiting
    WHERE later = 1 AND priority = ?1 AND kind = ?2 AND tenant = ?3 AND run_at <= ?4
    ORDER BY run_at LIMIT CASE WHEN EXISTS (
        SELECT 1 FROM automarket_waiting WHERE later = 0 AND priority = ?1 AND kind = ?2 AND tenant = ?3)
        THEN 0 ELSE ?5 END";

/// When what costs the more the more there is shall be looked through again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Looks {
    /// When all leases were looked through last.
    leases: Option<i64>,
    /// The earliest end of a lease that is known of: those of other processes are not, at first.
    lease_end: Option<i64>,
    flood: Flood,
}

/// How far a flood has been looked through.
#[derive(Clone, Debug, Default)]
struct Flood {
    /// What was looked at last: its time and lane; `None` to begin anew.
    after: Option<[Value; 4]>,
    rests_until: Option<Instant>,
}

impl Flood {
    fn rests(&self, at: Instant) -> bool {
        self.rests_until.is_some_and(|until| at < until)
    }

    /// From its end it rests as long as the look took, so that others write for half of the time at least.
    fn looked(&mut self, begun: Instant, ended: Instant) {
        let round = match self.after {
            Some(_) => Duration::ZERO,
            None => ROUND,
        };
        self.rests_until = Some(ended + round.max(ended - begun));
    }
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
    if admitted < at_once {
        tx.lines.looks.flood.after = None;
        return Ok(());
    }
    let begun = Instant::now();
    if !tx.lines.looks.flood.rests(begun) {
        admit_beside_a_flood(tx, claimed)?;
        tx.lines.looks.flood.looked(begun, Instant::now());
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

/// So many are due that others would wait long behind them: who has none in the line gets some there. Only what is due is
/// looked at, since lanes with something for later are as many as tenants, and a part of it with each claim.
fn admit_beside_a_flood(tx: &mut Tx<'_>, claimed: usize) -> Outcome<()> {
    let lanes = next_lanes(tx)?;
    // What one claim takes, while there is room; one of each in any case.
    let share = DUE_AT_ONCE / lanes.len().max(1);
    let share = sql_limit(share.min(claimed).max(1));
    for (Reverse(priority), kind, tenant) in &lanes {
        let lane = params![priority, kind, tenant, tx.now, share];
        admit(tx, DUE_BUT_NOT_IN_LINE, lane)?;
    }
    Ok(())
}

/// The lanes of the due jobs that come next.
fn next_lanes(tx: &mut Tx<'_>) -> Outcome<BTreeSet<(Reverse<i64>, String, String)>> {
    let flood = &mut tx.lines.looks.flood;
    let first = || {
        let (time, priority) = (Value::Integer(i64::MIN), Value::Integer(i64::MIN));
        let text = || Value::Text(String::new());
        [time, priority, text(), text()]
    };
    let [time, priority, kind, tenant] = &flood.after.take().unwrap_or_else(first);
    let most = sql_limit(LOOKED_AT);
    let mut due = tx.db.prepare_cached(DUE_AFTER)?;
    let mut due = due.query(params![tx.now, time, priority, kind, tenant, most])?;
    let (mut lanes, mut looked_at) = (BTreeSet::new(), 0);
    let mut last: Option<(i64, String, String)> = None;
    while let Some(row) = due.next()? {
        looked_at += 1;
        let [priority, kind, tenant] = [row.get_ref(1)?, row.get_ref(2)?, row.get_ref(3)?];
        // Without a name it is a row that a host put in: it enters the line when its time comes.
        if let (Ok(priority), Ok(kind), Ok(tenant)) =
            (priority.as_i64(), kind.as_str(), tenant.as_str())
            && last
                .as_ref()
                .is_none_or(|(p, k, t)| (*p, &**k, &**t) != (priority, kind, tenant))
        {
            lanes.insert((Reverse(priority), kind.to_owned(), tenant.to_owned()));
            last = Some((priority, kind.to_owned(), tenant.to_owned()));
        }
        if looked_at == LOOKED_AT || lanes.len() == LANES {
            flood.after = Some([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]);
            break;
        }
    }
    Ok(lanes)
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
    use std::{cell::Cell, collections::BTreeMap, ops::Range};

    use automarket_core::Error;
    use rusqlite::Connection;

    use super::*;
    use crate::{
        jobs::testing::{database, operations, searches},
        writer::Lines,
    };

    #[test]
    fn every_step_is_a_search_of_an_index() {
        let db = database();
        // Not those through the leases.
        for step in [LET_IN, DUE, ADMIT, DUE_AFTER, DUE_BUT_NOT_IN_LINE] {
            searches(&db, step);
        }
    }

    /// One job for later for each of these places.
    fn put(db: &Connection, places: Range<i64>, of: impl Fn(i64) -> (i16, String, i64)) {
        db.execute_batch("BEGIN").unwrap();
        let sql = "INSERT INTO automarket_waiting (later, priority, kind, tenant, run_at, place)
            VALUES (1, ?1, 'work', ?2, ?3, ?4)";
        for place in places {
            let (priority, tenant, run_at) = of(place);
            let mut put = db.prepare_cached(sql).unwrap();
            put.execute(params![priority, tenant, run_at, place])
                .unwrap();
        }
        db.execute_batch("COMMIT").unwrap();
    }

    /// Lets in what is due at 1,000,000, for a claim of so many.
    fn let_in(db: &Connection, lines: &mut Lines, claimed: usize) {
        let (now, erased) = (1_000_000, &Cell::new(false));
        let mut tx = Tx {
            db,
            now,
            lines,
            erased,
        };
        admit_due(&mut tx, claimed).map_err(Error::from).unwrap();
    }

    #[test]
    fn in_a_flood_who_has_nothing_due_costs_nothing() {
        let cost = |others: i64| {
            let db = database();
            put(&db, 0..2_000, |place| (0, "flood".into(), place));
            put(&db, 2_000..2_000 + others, |place| {
                (0, format!("tenant {place}"), 2_000_000)
            });
            operations(&db, |db| let_in(db, &mut Lines::default(), 10))
        };
        let (few, many) = (cost(10), cost(3_000));
        assert!(few > 0 && many <= few, "{few} operations became {many}");
    }

    /// The tenants in the line, and how many jobs each has there.
    fn line(db: &Connection) -> BTreeMap<String, i64> {
        let sql = "SELECT tenant, count(*) FROM automarket_waiting WHERE later = 0 GROUP BY tenant";
        let mut line = db.prepare(sql).unwrap();
        let line = line.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        line.unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn a_claim_looks_at_a_part_of_a_flood_and_the_next_one_goes_on() {
        let (db, lines) = (database(), &mut Lines::default());
        let flood = 3 * LOOKED_AT as i64;
        put(&db, 0..flood, |place| (0, "flood".into(), place));
        let first = operations(&db, |db| let_in(db, lines, 10));
        // It has had its part: behind it others are found without a new beginning.
        put(&db, flood..flood + 1, |place| (1, "urgent".into(), place));
        for _ in 0..2 {
            assert!(!line(&db).contains_key("urgent"));
            lines.looks.flood.rests_until = None;
            let next = operations(&db, |db| let_in(db, lines, 10));
            assert!(next <= first, "{first} operations became {next}");
        }
        assert_eq!(line(&db).get("urgent"), Some(&1));
        assert!(lines.looks.flood.after.is_none(), "it begins anew");
    }

    #[test]
    fn a_look_costs_no_more_the_more_of_one_tenant_is_due() {
        let cost = |flood: i64| {
            let (db, lines) = (database(), &mut Lines::default());
            put(&db, 0..flood, |place| (0, "flood".into(), place));
            let_in(&db, lines, 10);
            lines.looks.flood.rests_until = None;
            operations(&db, |db| let_in(db, lines, 10))
        };
        let looked_at = LOOKED_AT as i64;
        let (few, many) = (cost(3 * looked_at), cost(6 * looked_at));
        assert!(many <= few + few / 50, "{few} operations became {many}");
    }

    #[test]
    fn going_on_within_one_moment_walks_past_nothing_again() {
        let (db, lines) = (database(), &mut Lines::default());
        put(&db, 0..1_000, |place| (0, "flood".into(), place));
        put(&db, 1_000..41_000, |place| {
            (0, format!("tenant {place:05}"), 5_000)
        });
        let mut look = || {
            lines.looks.flood.rests_until = None;
            operations(&db, |db| let_in(db, lines, 10))
        };
        look();
        let second = look();
        for _ in 0..20 {
            let next = look();
            assert!(
                next <= second + second / 50,
                "{second} operations became {next}"
            );
        }
    }

    #[test]
    fn in_a_flood_of_very_many_tenants_at_one_moment_each_has_its_turn() {
        let (db, lines) = (database(), &mut Lines::default());
        let tenants = 3 * LANES as i64;
        put(&db, 0..3_000, |place| (0, "flood".into(), place - 3_000));
        put(&db, 3_000..3_000 + 4 * tenants, |place| {
            (0, format!("tenant {}", place % tenants), 0)
        });
        for _ in 0..4 {
            lines.looks.flood.rests_until = None;
            let_in(&db, lines, 10);
        }
        let line = line(&db);
        assert_eq!(line.len() as i64, tenants + 1);
    }

    #[test]
    fn a_look_is_followed_by_a_rest_as_long_and_a_round_by_a_longer_one() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut flood = Flood::default();
        assert!(!flood.rests(at(0)));
        flood.after = Some([const { Value::Null }; 4]);
        flood.looked(at(0), at(40));
        assert!(flood.rests(at(79)) && !flood.rests(at(80)));
        flood.after = None;
        flood.looked(at(80), at(90));
        assert!(flood.rests(at(339)) && !flood.rests(at(340)));
        flood.looked(at(400), at(1_400));
        assert!(flood.rests(at(2_399)) && !flood.rests(at(2_400)));
    }
}
