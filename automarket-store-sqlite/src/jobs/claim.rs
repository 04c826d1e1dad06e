//! Leasing ready jobs: the writer moves them from the line to the leases. What they are is read then.

use std::cmp::Reverse;

use automarket_core::{
    ErrorRecord, Result,
    chrono::{DateTime, Utc},
    store::{
        Claim, JobState, Lease,
        rules::{Crash, lease_end, next_fence},
    },
};
use rusqlite::{params, types::Value};

use super::{
    admission,
    line::{self, InLine, Stretch},
    near, read, settle,
    standing::{self, Past},
    taken::{self, Taken},
};
use crate::{
    error::Outcome,
    store::Inner,
    value::{blob, instant, micros},
    writer::Tx,
};

/// So many are read in the writer: the way to another connection takes longer.
const FEW: usize = 8;

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
    let call = store.writer.call_unflushed(move |tx| {
        let taken = take(tx, &claim)?;
        let found = match taken.len() {
            0..=FEW => Some(taken::read(tx.db, taken.clone())?),
            _ => None,
        };
        Ok((taken, found))
    });
    let found = match call.await? {
        (_, Some(found)) => found,
        (taken, None) => read(store, taken).await?,
    };
    let mut none = Vec::new();
    for (taken, lease) in found {
        match lease {
            Ok(lease) => leases.push((taken.place, lease)),
            Err(why) => none.push((taken, ErrorRecord::from(&why))),
        }
    }
    let count = none.len();
    if count > 0 {
        let bury = store.writer.call(move |tx| {
            for (taken, why) in &none {
                if taken.is_held(tx.db)? {
                    settle::add_failure(tx, taken.place, 0, why)?;
                    standing::end(tx, taken.place, JobState::Dead)?;
                }
            }
            Ok(())
        });
        bury.await?;
    }
    Ok(count)
}

/// Reads what was taken beside the writer, which goes on.
async fn read(store: &Inner, taken: Vec<Taken>) -> Result<Vec<(Taken, Result<Lease>)>> {
    let all = taken.clone();
    let found = store.claimed.read(move |db| taken::read(db, all)).await;
    if found.is_err() {
        // Nobody came to hold them. If they cannot be given back, their leases run out.
        let back = store.writer.call(move |tx| settle::give_back(tx, &taken));
        let _ = back.await;
    }
    found
}

fn take(tx: &mut Tx<'_>, claim: &Claim) -> Outcome<Vec<Taken>> {
    let expires_at = lease_end(instant(tx.now)?, claim.lease);
    let mut taking = Taking {
        claim,
        expires_at,
        taken: Vec::new(),
    };
    match claim.job {
        Some(id) => taking.one(tx, blob(id))?,
        None => taking.line(tx)?,
    }
    if !taking.taken.is_empty() {
        tx.lines.looks.lease_ends(micros(expires_at));
    }
    Ok(taking.taken)
}

struct Taking<'a> {
    claim: &'a Claim,
    expires_at: DateTime<Utc>,
    taken: Vec<Taken>,
}

impl Taking<'_> {
    /// Leases what stands in the line, as much as is wanted.
    fn line(&mut self, tx: &mut Tx<'_>) -> Outcome<()> {
        admission::admit_due(tx, self.claim.limit)?;
        while self.taken.len() < self.claim.limit {
            let room = self.claim.limit - self.taken.len();
            let picked = line::pick(tx.db, &self.claim.kinds, room, &mut tx.lines.turns)?;
            if picked.is_empty() {
                break;
            }
            let early = |job: &InLine| !job.leased && job.run_at_micros() > Some(tx.now);
            if picked.iter().flat_map(|stretch| &stretch.jobs).any(early)
                && admission::put_back(tx)? > 0
            {
                continue;
            }
            for stretch in picked {
                self.stretch(tx, stretch)?;
            }
        }
        Ok(())
    }

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
            micros(self.expires_at),
            next_fence(0, tx.now)
        ];
        tx.db
            .prepare_cached(
                // Without a word on conflicts SQLite would keep a copy of each page. There are none, but for odd rows.
                // The fence is that of `next_fence`.
                "INSERT OR IGNORE INTO automarket_leases (place, tenant, kind, ends_at, fence, attempts, crashes)
                 SELECT place, tenant, kind, ?6,
                    CASE CAST(fence AS INTEGER) WHEN 0 THEN ?7 WHEN ?7 - 1 THEN ?7 + 1
                        ELSE min(CAST(fence AS INTEGER), 9223372036854775806) + 1 END,
                    min(attempts + 1, 4294967295), crashes
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
                self.note(tx, job.place, job.past.leased(tx.now))?;
            }
        }
        Ok(())
    }

    /// Leases the job with this id if it is ready.
    fn one(&mut self, tx: &Tx<'_>, id: [u8; 16]) -> Outcome<()> {
        let found = read::one(
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
                self.lease(tx, place, past.leased(tx.now))
            }
            _ => Ok(()),
        }
    }

    /// Leases a job anew whose lease ran out, and counts the crash of its worker unless it was only lent, unless it is
    /// dead of it.
    fn orphan(&mut self, tx: &Tx<'_>, place: i64) -> Outcome<()> {
        let lease = read::one(
            tx.db,
            "SELECT l.fence, l.attempts, l.crashes, l.in_trust, j.max_attempts
             FROM automarket_leases l JOIN automarket_jobs j USING (place)
             WHERE l.place = ?1 AND l.ends_at <= ?2",
            [place, tx.now],
            |row| {
                let max_attempts = near::number(row, 4, 0, u32::MAX)?;
                Ok((Past::read(row, 0)?, row.get::<_, bool>(3)?, max_attempts))
            },
        )?;
        // It was let in by a clock that was set back since, or is a row that nobody put in.
        let Some((mut past, in_trust, max_attempts)) = lease else {
            tx.db
                .prepare_cached("UPDATE automarket_leases SET in_line = 0 WHERE place = ?1")?
                .execute([place])?;
            return Ok(());
        };
        if !in_trust {
            past.crashes = past.crashes.saturating_add(1);
            let crash = Crash::new(
                past.crashes,
                self.claim.max_crashes,
                past.attempts,
                max_attempts,
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
        }
        // To be given back is no attempt.
        let attempts = match in_trust {
            true => past.attempts,
            false => past.leased(tx.now).attempts,
        };
        let past = Past {
            attempts,
            ..past.leased(tx.now)
        };
        self.lease(tx, place, past)
    }

    /// Leases one job, over the lease that it may have had.
    fn lease(&mut self, tx: &Tx<'_>, place: i64, past: Past) -> Outcome<()> {
        tx.db
            .prepare_cached(
                "INSERT OR REPLACE INTO automarket_leases (place, tenant, kind, ends_at, fence, attempts, crashes)
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
            first: past.fence == next_fence(0, tx.now),
            in_trust,
            expires_at: self.expires_at,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use automarket_core::{
        TenantId,
        chrono::TimeDelta,
        store::{JobStore, NewJob, Verdict},
        testing::ManualClock,
    };

    use super::*;
    use crate::SqliteStore;

    #[tokio::test]
    async fn only_a_lease_that_is_still_ones_own_is_given_back_or_read() {
        let directory = tempfile::tempdir().unwrap();
        let clock = ManualClock::parse("2027-01-01T00:00:00Z");
        let store =
            SqliteStore::builder(directory.path().join("a.db")).clock(Arc::new(clock.clone()));
        let store = store.build().await.unwrap();
        let tenant = TenantId::new("a").unwrap();
        let job = NewJob::new(tenant.clone(), "work", 1.into());
        store.enqueue(std::slice::from_ref(&job)).await.unwrap();
        let claim = Claim::new("slow", 1).lease(Duration::from_secs(5));
        let writer = &store.inner.writer;
        let slow = writer.call(move |tx| take(tx, &claim)).await.unwrap();
        assert_eq!(slow.len(), 1);

        // It is not read before another worker has the job.
        clock.advance(TimeDelta::seconds(6));
        let other = store.claim(&Claim::new("other", 1)).await.unwrap();
        assert_eq!(other[0].token.fence, slow[0].past.fence + 1);
        let all = slow.clone();
        let read = store.inner.claimed.read(move |db| taken::read(db, all));
        assert!(read.await.unwrap().is_empty());
        let back = writer.call(move |tx| settle::give_back(tx, &slow));
        back.await.unwrap();
        let stands = store.job(&tenant, job.id).await.unwrap().unwrap();
        let fence = other[0].token.fence;
        assert_eq!((stands.state, stands.fence), (JobState::Leased, fence));
    }

    #[tokio::test]
    async fn what_is_given_back_is_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("a.db"))
            .await
            .unwrap();
        let tenant = TenantId::new("a").unwrap();
        let jobs: Vec<_> = (0..3)
            .map(|_| NewJob::new(tenant.clone(), "work", 1.into()))
            .collect();
        store.enqueue(&jobs).await.unwrap();
        let claim = Claim::new("w", 3);
        let writer = &store.inner.writer;
        let taken = writer.call(move |tx| take(tx, &claim)).await.unwrap();
        let back = writer.call(move |tx| settle::give_back(tx, &taken));
        back.await.unwrap();
        for job in jobs {
            let job = store.job(&tenant, job.id).await.unwrap().unwrap();
            assert_eq!(
                (job.state, job.attempts, job.crashes),
                (JobState::Waiting, 0, 0)
            );
        }
        assert_eq!(store.claim(&Claim::new("w", 9)).await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn no_later_lease_is_taken_for_a_first_one() {
        let directory = tempfile::tempdir().unwrap();
        let clock = ManualClock::parse("2027-01-01T00:00:00.123456Z");
        let store =
            SqliteStore::builder(directory.path().join("a.db")).clock(Arc::new(clock.clone()));
        let store = store.build().await.unwrap();
        let job = NewJob::new(TenantId::new("a").unwrap(), "work", 1.into());
        let id = job.id;
        store.enqueue(&[job]).await.unwrap();
        let time = Duration::from_secs(30);
        let line = Claim::new("w", 1).lease(time);
        let one = line.clone().only(id);
        for (claim, first) in [(&line, true), (&line, false), (&one, false), (&line, false)] {
            let lease = store.claim(claim).await.unwrap().remove(0);
            assert_eq!(lease.is_first(time), first);
            let back = (lease.token, Verdict::Release);
            store.settle(&[back]).await.unwrap();
            clock.advance(TimeDelta::microseconds(1));
        }
    }

    #[tokio::test]
    async fn a_short_lease_of_ones_own_is_seen_to_run_out_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let clock = ManualClock::parse("2027-01-01T00:00:00Z");
        let store =
            SqliteStore::builder(directory.path().join("a.db")).clock(Arc::new(clock.clone()));
        let store = store.build().await.unwrap();
        let job = NewJob::new(TenantId::new("a").unwrap(), "work", 1.into());
        store.enqueue(&[job]).await.unwrap();
        let claim = Claim::new("w", 1).lease(Duration::from_millis(5));
        for _ in 0..2 {
            assert_eq!(store.claim(&claim).await.unwrap().len(), 1);
            assert_eq!(store.claim(&claim).await.unwrap().len(), 0);
            clock.advance(TimeDelta::milliseconds(5));
        }
    }
}
