use std::{collections::BTreeSet, sync::Arc};

use automarket_core::{
    AccountId, Result, TenantId, async_trait,
    chrono::{DateTime, Utc},
    store::{Gate, GateStore, Pass, Signal},
};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    PostgresStore,
    db::{Database, Params, Tx, decode},
    error::Outcome,
    together::{Together, WITHOUT_TURN, Waiting, answer_apart},
    value::{Columns, damaged, limit as sql_limit, to_json},
};

/// So many signals go together at the most.
const GROUP: usize = 100;
/// What a gate is read from.
macro_rules! columns {
    () => {
        "g.tenant, g.account, g.name, g.closed_until, g.probing, g.failures, g.budget::text, g.updated_at,
            automarket.clock() AS now"
    };
}

const LOCK: &str = concat!(
    "SELECT ",
    columns!(),
    "
    FROM automarket.bounded(), automarket.lock_gates($1, $2, $3) g"
);
const THERE: &str = "INSERT INTO automarket.gates
        (tenant, account, name, probing, failures, budget, updated_at)
    SELECT k.tenant, k.account, k.name, false, 0, 'null', automarket.clock()
    FROM automarket.bounded(), unnest($1::text[], $2::uuid[], $3::text[]) AS k (tenant, account, name)
    ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING";

/// The gates of an account that are not simply open, with the store's time.
macro_rules! amiss {
    ($end:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM automarket.gates g WHERE g.tenant = $1 AND g.account = $2
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
        put(&tx, &gates).await?;
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
        let told = Told {
            tenant: tenant.clone(),
            account,
            name: name.to_owned(),
            signal,
            of_probe,
        };
        self.inner.gates.tell(told).await
    }

    async fn gates(&self, tenant: &TenantId) -> Result<Vec<Gate>> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM automarket.gates g WHERE tenant = $1 ORDER BY account, name"
        );
        decode(self.inner.db.rows(sql, &[&tenant.as_str()]).await, read)
    }

    async fn closed_gates(&self, limit: usize) -> Result<Vec<Gate>> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM automarket.gates g WHERE closed_until > automarket.clock() ORDER BY closed_until DESC LIMIT $1"
        );
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

/// What a call showed of a gate.
struct Told {
    tenant: TenantId,
    account: AccountId,
    name: String,
    signal: Signal,
    of_probe: bool,
}

/// Tells gates what was shown, all that is told at the same time in one transaction: many calls speak of the same gate,
/// and would wait for each other's commits.
pub(crate) struct Gates {
    company: Together<Told, Gate>,
    db: Arc<Database>,
}

impl Gates {
    pub(crate) fn start(db: Arc<Database>) -> Self {
        let all = db.clone();
        let send = move |group: Vec<Waiting<Told, Gate>>| {
            let db = all.clone();
            async move {
                let told: Vec<&Told> = group.iter().map(|waiting| &waiting.call).collect();
                let all = tell(&db, &told).await;
                for waiting in answer_apart(group, all) {
                    let answer = tell_one(&db, &waiting.call).await;
                    let _ = waiting.answer(answer);
                }
            }
        };
        Self {
            company: Together::start(1, WITHOUT_TURN, GROUP, |_| 1, send),
            db,
        }
    }

    async fn tell(&self, told: Told) -> Result<Gate> {
        if let Some(_turn) = self.company.alone() {
            return tell_one(&self.db, &told).await;
        }
        self.company.call(told).await
    }
}

async fn tell_one(db: &Database, told: &Told) -> Result<Gate> {
    let told = tell(db, &[told]).await?.pop();
    told.ok_or_else(|| damaged("a gate"))
}

/// The gates as each signal left them.
async fn tell(db: &Database, told: &[&Told]) -> Outcome<Vec<Gate>> {
    // In one order, so that two processes do not wait for each other.
    let keys = told.iter().map(|told| told.key());
    let keys: Vec<Key<'_>> = keys.collect::<BTreeSet<_>>().into_iter().collect();
    let tenants: Vec<&str> = keys.iter().map(|key| key.0).collect();
    let accounts: Vec<Uuid> = keys.iter().map(|key| key.1).collect();
    let names: Vec<&str> = keys.iter().map(|key| key.2).collect();
    let keys: Params<'_> = &[&tenants, &accounts, &names];
    let mut connection = db.connection().await?;
    loop {
        let tx = connection.begin().await?;
        let rows = tx.rows(LOCK, keys).await?;
        if rows.len() < tenants.len() {
            // Nothing was ever told of the others.
            drop(tx);
            connection.rows(THERE, keys).await?;
            continue;
        }
        let now = match rows.first() {
            Some(row) => row.instant("now")?,
            None => return Ok(Vec::new()),
        };
        let mut gates: Vec<Gate> = rows.iter().map(read).collect::<Outcome<_>>()?;
        let mut left = Vec::with_capacity(told.len());
        for told in told {
            let gate = gates.iter_mut().find(|gate| told.is_of(gate));
            let gate = gate.ok_or_else(|| damaged("a gate"))?;
            gate.heed(told.signal, told.of_probe, now);
            left.push(gate.clone());
        }
        put(&tx, &gates).await?;
        tx.commit().await?;
        return Ok(left);
    }
}

type Key<'a> = (&'a str, Uuid, &'a str);

impl Told {
    fn key(&self) -> Key<'_> {
        (self.tenant.as_str(), self.account.uuid(), &self.name)
    }

    fn is_of(&self, gate: &Gate) -> bool {
        gate.tenant == self.tenant && gate.account == self.account && gate.name == self.name
    }
}

/// Writes gates whose rows are locked.
async fn put(tx: &Tx<'_>, gates: &[Gate]) -> Outcome<()> {
    let budgets = gates.iter().map(|gate| to_json(&gate.budget));
    let tenants: Vec<&str> = gates.iter().map(|gate| gate.tenant.as_str()).collect();
    let accounts: Vec<Uuid> = gates.iter().map(|gate| gate.account.uuid()).collect();
    let names: Vec<&str> = gates.iter().map(|gate| gate.name.as_str()).collect();
    let closed: Vec<_> = gates.iter().map(|gate| gate.closed_until).collect();
    let probing: Vec<bool> = gates.iter().map(|gate| gate.probing).collect();
    let failures: Vec<i64> = gates.iter().map(|gate| gate.failures.into()).collect();
    let budgets: Vec<String> = budgets.collect::<Result<_>>()?;
    let updated: Vec<_> = gates.iter().map(|gate| gate.updated_at).collect();
    let sql = "SELECT automarket.put_gates($1, $2, $3, $4, $5, $6, $7, $8)";
    let params: Params<'_> = &[
        &tenants, &accounts, &names, &closed, &probing, &failures, &budgets, &updated,
    ];
    tx.rows(sql, params).await?;
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
        budget: row.json("budget")?,
        updated_at: row.instant("updated_at")?,
    })
}
