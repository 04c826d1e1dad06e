//! Leasing ready jobs: the writer moves them from the line to the leases. What they are is read beside it.

use std::cmp::Reverse;

use automarket_core::{
    ErrorRecord, Result,
    chrono::{DateTime, Utc},
    store::{Claim, Crash, JobState, Lease, lease_end},
};
use rusqlite::{params, types::Value};

use super::{
    admission,
    line::{self, Stretch},
    near, settle,
    standing::{self, Past},
    taken::{self, Taken},
};
use crate::{
    error::Outcome,
    store::Inner,
    value::{blob, instant, micros},
    writer::Tx,
};

/// Claims until there are as many as wanted, or no more.
pub(super) async fn claim(store: &Inner, wanted: &Claim) -> Result<Vec<Lease>> {
    let mut leases: Vec<(i64, Lease)> = Vec::new();
    while leases.len() < wanted.limit {
        let mut claim = wanted.clone();
        claim.limit -= leases.len();
        match some(store, claim, &mut leases).await {
            Ok(0) => break,
            // What was no job made room for others.
            Ok(_) => {}
            // What is leased by now is its caller's whatever came after.
            Err(_) if !leases.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    leases.sort_by_key(|(place, lease)| (Reverse(lease.job.priority), lease.job.run_at, *place));
    Ok(leases.into_iter().map(|(_, lease)| lease).collect())
}

/// Leases jobs; how many of them were none, and have ended.
async fn some(store: &Inner, claim: Claim, leases: &mut Vec<(i64, Lease)>) -> Result<usize> {
    let call = store.writer.call_unflushed(move |tx| take(tx, &claim));
    let taken = call.await?;
    if taken.is_empty() {
        return Ok(0);
    }
    let places: Vec<i64> = taken.iter().map(|taken| taken.place).collect();
    let found = match store.claimed.read(move |db| taken::read(db, taken)).await {
        Ok(found) => found,
        Err(error) => {
            // Nobody holds them. If they cannot be given back, their leases run out.
            let back = store.writer.call(move |tx| settle::give_back(tx, &places));
            let _ = back.await;
            return Err(error);
        }
    };
    let mut none = Vec::new();
    for (place, lease) in found {
        match lease {
            Ok(lease) => leases.push((place, lease)),
            Err(why) => none.push((place, ErrorRecord::from(&why))),
        }
    }
    let count = none.len();
    if count > 0 {
        let bury = store.writer.call(move |tx| {
            none.iter().try_for_each(|(place, why)| {
                settle::add_failure(tx, *place, 0, why)?;
                standing::end(tx, *place, JobState::Dead)
            })
        });
        bury.await?;
    }
    Ok(count)
}

fn take(tx: &mut Tx<'_>, claim: &Claim) -> Outcome<Vec<Taken>> {
    let expires_at = lease_end(instant(tx.now)?, claim.lease);
    let mut taking = Taking {
        claim,
        expires_at,
        taken: Vec::new(),
    };
    if claim.limit == 0 {
        return Ok(taking.taken);
    }
    if let Some(id) = claim.job {
        taking.one(tx, blob(id))?;
        return Ok(taking.taken);
    }
    admission::admit_due(tx, claim.limit)?;
    while taking.taken.len() < claim.limit {
        let room = claim.limit - taking.taken.len();
        let picked = line::pick(tx.db, &claim.kinds, room, &mut tx.lines.turns)?;
        if picked.is_empty() {
            break;
        }
        for stretch in picked {
            taking.stretch(tx, stretch)?;
        }
    }
    Ok(taking.taken)
}

struct Taking<'a> {
    claim: &'a Claim,
    expires_at: DateTime<Utc>,
    taken: Vec<Taken>,
}

impl Taking<'_> {
    /// Leases a stretch of a line, but not those of its jobs that are dead instead.
    fn stretch(&mut self, tx: &Tx<'_>, stretch: Stretch) -> Outcome<()> {
        let Stretch {
            priority,
            kind,
            tenant,
            jobs,
        } = &stretch;
        let Some(last) = jobs.last() else {
            return Ok(());
        };
        let upto = params![
            priority,
            kind,
            tenant,
            last.run_at,
            last.place,
            micros(self.expires_at)
        ];
        tx.db
            .prepare_cached(
                // Without FAIL SQLite would keep a copy of each page.
                "INSERT OR FAIL INTO automarket_leases (place, tenant, kind, ends_at, fence, attempts, crashes)
                 SELECT place, tenant, kind, ?6, fence + 1, min(attempts + 1, 4294967295), crashes
                 FROM automarket_waiting
                 WHERE later = 0 AND priority = ?1 AND kind = ?2 AND tenant = ?3 AND (run_at, place) <= (?4, ?5)
                    AND leased = 0",
            )?
            .execute(upto)?;
        tx.db
            .prepare_cached(
                "DELETE FROM automarket_waiting
                 WHERE later = 0 AND priority = ?1 AND kind = ?2 AND tenant = ?3 AND (run_at, place) <= (?4, ?5)",
            )?
            .execute(&upto[..5])?;
        for job in jobs {
            if job.leased {
                self.orphan(tx, job.place)?;
            } else {
                let past = Past {
                    fence: job.fence + 1,
                    attempts: job.attempts.saturating_add(1),
                    crashes: job.crashes,
                };
                self.note(tx, job.place, past)?;
            }
        }
        Ok(())
    }

    /// Leases the job with this id if it is ready.
    fn one(&mut self, tx: &Tx<'_>, id: [u8; 16]) -> Outcome<()> {
        let found = line::one(
            tx.db,
            "SELECT j.place, j.kind, j.run_at <= ?2, l.ends_at <= ?2
             FROM automarket_jobs j LEFT JOIN automarket_leases l USING (place) WHERE j.id = ?1",
            params![id, tx.now],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )?;
        let Some((place, kind, due, expired)): Option<(i64, Value, bool, Option<bool>)> = found
        else {
            return Ok(());
        };
        let wanted = match kind {
            Value::Text(kind) => self.claim.kinds.contains(&kind),
            _ => false,
        };
        if !wanted && !self.claim.kinds.is_empty() {
            return Ok(());
        }
        match expired {
            Some(true) => {
                standing::stop_waiting(tx, place)?;
                self.orphan(tx, place)
            }
            None if due => {
                let Some(past) = standing::waiting(tx, place)? else {
                    return Ok(());
                };
                standing::stop_waiting(tx, place)?;
                let past = Past {
                    fence: past.fence + 1,
                    attempts: past.attempts.saturating_add(1),
                    ..past
                };
                tx.db
                    .prepare_cached(
                        "INSERT INTO automarket_leases (place, tenant, kind, ends_at, fence, attempts, crashes)
                         SELECT place, tenant, kind, ?2, ?3, ?4, ?5 FROM automarket_jobs WHERE place = ?1",
                    )?
                    .execute(params![
                        place,
                        micros(self.expires_at),
                        past.fence,
                        past.attempts,
                        past.crashes
                    ])?;
                self.note(tx, place, past)
            }
            _ => Ok(()),
        }
    }

    /// Leases a job anew whose lease ran out, and counts the crash of its worker unless it was only lent, unless it is
    /// dead of it.
    fn orphan(&mut self, tx: &Tx<'_>, place: i64) -> Outcome<()> {
        let (mut past, in_trust, max_attempts) = tx
            .db
            .prepare_cached(
                "SELECT l.fence, l.attempts, l.crashes, l.in_trust, j.max_attempts
                 FROM automarket_leases l JOIN automarket_jobs j USING (place) WHERE l.place = ?1",
            )?
            .query_row([place], |row| {
                let past = Past {
                    fence: row.get(0)?,
                    attempts: row.get(1)?,
                    crashes: row.get(2)?,
                };
                let max_attempts = near::number(row, "max_attempts", 0, u32::MAX);
                Ok((past, row.get::<_, bool>(3)?, max_attempts))
            })?;
        if !in_trust {
            past.crashes = past.crashes.saturating_add(1);
            let crash = Crash::new(
                past.crashes,
                self.claim.max_crashes,
                past.attempts,
                max_attempts?,
            );
            settle::add_failure(tx, place, past.attempts, &crash.failure)?;
            if crash.dead {
                tx.db
                    .prepare_cached(
                        "UPDATE automarket_leases SET crashes = ?2, in_line = 0 WHERE place = ?1",
                    )?
                    .execute(params![place, past.crashes])?;
                return standing::end(tx, place, JobState::Dead);
            }
            past.attempts = past.attempts.saturating_add(1);
        }
        past.fence += 1;
        tx.db
            .prepare_cached(
                "UPDATE automarket_leases
                 SET ends_at = ?2, fence = ?3, attempts = ?4, crashes = ?5, in_trust = 0, in_line = 0
                 WHERE place = ?1",
            )?
            .execute(params![
                place,
                micros(self.expires_at),
                past.fence,
                past.attempts,
                past.crashes
            ])?;
        self.note(tx, place, past)
    }

    fn note(&mut self, tx: &Tx<'_>, place: i64, past: Past) -> Outcome<()> {
        let in_trust = self.claim.lends(past.crashes);
        if in_trust {
            tx.db
                .prepare_cached("UPDATE automarket_leases SET in_trust = 1 WHERE place = ?1")?
                .execute([place])?;
        }
        self.taken.push(Taken {
            place,
            past,
            in_trust,
            expires_at: self.expires_at,
        });
        Ok(())
    }
}
