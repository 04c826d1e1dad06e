use automarket_core::{
    AccountId, Result, TenantId, async_trait,
    store::{Gate, GateStore, Pass, Signal},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    SqliteStore,
    error::Outcome,
    value::{Columns, blob, instant, limit as sql_limit, micros, to_json},
    writer::Tx,
};

#[async_trait]
impl GateStore for SqliteStore {
    async fn pass_gates(
        &self,
        tenant: &TenantId,
        account: AccountId,
        bucket: Option<&str>,
    ) -> Result<Pass> {
        // Most calls find all open, and need not wait for the writer.
        let (owner, now) = (tenant.clone(), self.inner.clock.now());
        let bucket = bucket.map(str::to_owned);
        let of = bucket.clone();
        let look = self.inner.readers.read(move |db| {
            let mut gates = amiss(db, &owner, account, of.as_deref())?;
            Ok(Gate::pass(&mut gates, now))
        });
        match look.await? {
            Pass::Probe => {}
            pass => return Ok(pass),
        }
        let tenant = tenant.clone();
        let call = self.inner.writer.call(move |tx| {
            let mut gates = amiss(tx.db, &tenant, account, bucket.as_deref())?;
            let pass = Gate::pass(&mut gates, instant(tx.now)?);
            gates.iter().try_for_each(|gate| put(tx, gate))?;
            Ok(pass)
        });
        call.await
    }

    async fn tell_gate(
        &self,
        tenant: &TenantId,
        account: AccountId,
        name: &str,
        signal: Signal,
        of_probe: bool,
    ) -> Result<Gate> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        let call = self.inner.writer.call(move |tx| {
            let stored = tx
                .db
                .prepare_cached(
                    "SELECT * FROM automarket_gates
                     WHERE tenant = ?1 AND account = ?2 AND name = ?3",
                )?
                .query_row(params![tenant.as_str(), blob(account), name], |row| {
                    Ok(decode(row))
                })
                .optional()?
                .transpose()?;
            let now = instant(tx.now)?;
            let mut gate = stored.unwrap_or_else(|| Gate::new(tenant.clone(), account, &name, now));
            gate.heed(signal, of_probe, now);
            put(tx, &gate)?;
            Ok(gate)
        });
        call.await
    }

    async fn gates(&self, tenant: &TenantId) -> Result<Vec<Gate>> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT * FROM automarket_gates WHERE tenant = ?1 ORDER BY account, name",
            )?
            .query_and_then([tenant.as_str()], decode)?
            .collect()
        });
        read.await
    }

    async fn closed_gates(&self, limit: usize) -> Result<Vec<Gate>> {
        let now = micros(self.inner.clock.now());
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT * FROM automarket_gates WHERE closed_until > ?1
                 ORDER BY closed_until DESC LIMIT ?2",
            )?
            .query_and_then([now, sql_limit(limit)], decode)?
            .collect()
        });
        read.await
    }
}

/// The gates of an account, or of one of its buckets, that are not simply open.
fn amiss(
    db: &Connection,
    tenant: &TenantId,
    account: AccountId,
    bucket: Option<&str>,
) -> Outcome<Vec<Gate>> {
    let mut gates: Vec<Gate> = db
        .prepare_cached(
            "SELECT * FROM automarket_gates
         WHERE tenant = ?1 AND account = ?2 AND (closed_until IS NOT NULL OR failures > 0)",
        )?
        .query_and_then(params![tenant.as_str(), blob(account)], decode)?
        .collect::<Outcome<_>>()?;
    gates.retain(|gate| gate.bucket() == bucket);
    Ok(gates)
}

fn put(tx: &Tx<'_>, gate: &Gate) -> Outcome<()> {
    tx.db
        .prepare_cached(
            "INSERT OR REPLACE INTO automarket_gates VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            gate.tenant.as_str(),
            blob(gate.account),
            gate.name,
            gate.closed_until.map(micros),
            gate.probing,
            gate.failures,
            to_json(&gate.budget)?,
            micros(gate.updated_at)
        ])?;
    Ok(())
}

fn decode(row: &Row<'_>) -> Outcome<Gate> {
    let closed_until: Option<i64> = row.column("closed_until")?;
    Ok(Gate {
        tenant: row.tenant()?,
        account: row.id("account")?,
        name: row.column("name")?,
        closed_until: closed_until.map(instant).transpose()?,
        probing: row.column("probing")?,
        failures: row.column("failures")?,
        budget: row.json("budget")?,
        updated_at: row.instant("updated_at")?,
    })
}
