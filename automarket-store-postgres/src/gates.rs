use automarket_core::{
    AccountId, Result, TenantId, async_trait,
    chrono::{DateTime, Utc},
    store::{Gate, GateStore, Pass, Signal},
};
use tokio_postgres::Row;

use crate::{
    PostgresStore,
    db::{Params, Tx, decode},
    error::Outcome,
    value::{Columns, damaged, limit as sql_limit, to_json},
};

/// The gates of an account that are not simply open, with the store's time.
macro_rules! amiss {
    ($end:literal) => {
        concat!(
            "SELECT g.*, g.budget::text AS said, automarket.clock() AS now FROM automarket.gates g
             WHERE g.tenant = $1 AND g.account = $2
                AND (g.closed_until IS NOT NULL OR g.failures > 0)",
            $end
        )
    };
}

#[async_trait]
impl GateStore for PostgresStore {
    async fn pass_gates(
        &self,
        tenant: &TenantId,
        account: AccountId,
        bucket: Option<&str>,
    ) -> Result<Pass> {
        let params: Params<'_> = &[&tenant.as_str(), &account.uuid()];
        // Most calls find all open, and lock nothing.
        let rows = self.inner.db.glance(amiss!(""), params).await?;
        let (pass, _) = judge(&rows, bucket)?;
        if pass != Pass::Probe {
            return Ok(pass);
        }
        let mut db = self.inner.db.connection().await?;
        let tx = db.begin().await?;
        let rows = tx
            .rows(amiss!(" ORDER BY g.name FOR NO KEY UPDATE"), params)
            .await?;
        let (pass, gates) = judge(&rows, bucket)?;
        for gate in &gates {
            put(&tx, gate).await?;
        }
        tx.commit().await?;
        Ok(pass)
    }

    async fn tell_gate(
        &self,
        tenant: &TenantId,
        account: AccountId,
        name: &str,
        signal: Signal,
        of_probe: bool,
    ) -> Result<Gate> {
        let mut db = self.inner.db.connection().await?;
        let tx = db.begin().await?;
        let key: Params<'_> = &[&tenant.as_str(), &account.uuid(), &name];
        let there = "INSERT INTO automarket.gates
                (tenant, account, name, probing, failures, budget, updated_at)
            VALUES ($1, $2, $3, false, 0, 'null', automarket.clock()) ON CONFLICT DO NOTHING";
        tx.execute(there, key).await?;
        let sql = "SELECT *, budget::text AS said, automarket.clock() AS now FROM automarket.gates
            WHERE tenant = $1 AND account = $2 AND name = $3 FOR NO KEY UPDATE";
        let row = tx.row(sql, key).await?;
        let row = row.ok_or_else(|| damaged("a gate"))?;
        let mut gate = read(&row)?;
        gate.heed(signal, of_probe, row.instant("now")?);
        put(&tx, &gate).await?;
        tx.commit().await?;
        Ok(gate)
    }

    async fn gates(&self, tenant: &TenantId) -> Result<Vec<Gate>> {
        let sql = "SELECT *, budget::text AS said FROM automarket.gates
            WHERE tenant = $1 ORDER BY account, name";
        decode(self.inner.db.rows(sql, &[&tenant.as_str()]).await, read)
    }

    async fn closed_gates(&self, limit: usize) -> Result<Vec<Gate>> {
        let sql = "SELECT *, budget::text AS said FROM automarket.gates
            WHERE closed_until > automarket.clock() ORDER BY closed_until DESC LIMIT $1";
        decode(self.inner.db.rows(sql, &[&sql_limit(limit)]).await, read)
    }
}

fn judge(rows: &[Row], bucket: Option<&str>) -> Outcome<(Pass, Vec<Gate>)> {
    let mut gates: Vec<Gate> = rows.iter().map(read).collect::<Outcome<_>>()?;
    gates.retain(|gate| gate.bucket() == bucket);
    let pass = match rows.first() {
        Some(row) => Gate::pass(&mut gates, row.instant("now")?),
        None => Pass::Open,
    };
    Ok((pass, gates))
}

async fn put(tx: &Tx<'_>, gate: &Gate) -> Outcome<()> {
    let sql = "UPDATE automarket.gates SET closed_until = $4, probing = $5, failures = $6,
            budget = $7::text::json, updated_at = $8
        WHERE tenant = $1 AND account = $2 AND name = $3";
    let params: Params<'_> = &[
        &gate.tenant.as_str(),
        &gate.account.uuid(),
        &gate.name,
        &gate.closed_until,
        &gate.probing,
        &i64::from(gate.failures),
        &to_json(&gate.budget)?,
        &gate.updated_at,
    ];
    tx.execute(sql, params).await?;
    Ok(())
}

fn read(row: &Row) -> Outcome<Gate> {
    let closed_until: Option<DateTime<Utc>> = row.column("closed_until")?;
    Ok(Gate {
        tenant: row.tenant()?,
        account: row.id("account")?,
        name: row.column("name")?,
        closed_until,
        probing: row.column("probing")?,
        failures: row.long_count("failures")?,
        budget: row.json("said")?,
        updated_at: row.instant("updated_at")?,
    })
}
