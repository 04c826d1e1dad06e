//! When things are due: at once, at an instant, or at the next free posting slot of an account.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use automarket_core::{
    AccountId, Error, ErrorKind, Result, TenantId, When,
    chrono::{DateTime, Utc},
    store::{Publication, Routing, RoutingPart, Slots},
};

use crate::Tenant;

/// So many taken slots are passed over at the most: beyond that the queue is no plan any more.
const SLOTS: usize = 10_000;

fn none_free() -> Error {
    let message = "the account has no free posting slot";
    Error::new(ErrorKind::Conflict, message)
        .with_rule("slots.full")
        .with_remedy("give it more with Tenant::set_slots, or name a time")
}

/// A slot of an account.
type Held = (TenantId, AccountId, DateTime<Utc>);

/// The slots that are chosen and about to be written, in this process. Else all who come at once would choose the same
/// one, and all but one of them would have to choose again, time after time. The store keeps a slot for one all the same.
#[derive(Clone, Default)]
pub(crate) struct Chosen(Arc<Mutex<BTreeSet<Held>>>);

impl Chosen {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of an account.
    fn of(&self, tenant: &TenantId, account: AccountId) -> BTreeSet<DateTime<Utc>> {
        let chosen = self.lock();
        let own = chosen
            .iter()
            .filter(|held| held.1 == account && held.0 == *tenant);
        own.map(|(_, _, slot)| *slot).collect()
    }

    /// Holds a slot, if nobody else does.
    fn hold(&self, slot: Held) -> Option<Hold> {
        let chosen = self.lock().insert(slot.clone());
        chosen.then(|| Hold(self.clone(), slot))
    }
}

/// Keeps a slot from the others of this process until it is dropped, once it is written.
pub(crate) struct Hold(Chosen, Held);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.lock().remove(&self.1);
    }
}

/// The rule of a time that is past.
pub(super) const PAST: &str = "when.past";
/// What to do about one.
pub(super) const NOT_PAST: &str = "name a time to come, or When::Now";

pub(super) fn past(due: DateTime<Utc>) -> String {
    format!("{due} is past, and it would be missed")
}

impl Tenant {
    /// Whether what is due then would be sent: a time that is over is a slip, and would end as missed. (In a job it does.)
    ///
    /// # Errors
    /// `InvalidInput` (`when`, `when.past`) when it was named and is longer past than the publication may be late.
    pub(super) fn check_time(
        &self,
        when: When,
        publication: &Publication,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let named = !self.in_job && !matches!(when, When::Now | When::Queue);
        if named && publication.expiry().is_some_and(|expiry| expiry <= now) {
            return Err(Error::invalid("when", past(publication.due))
                .with_rule(PAST)
                .with_remedy(NOT_PAST));
        }
        Ok(())
    }

    /// How an account publishes: its posting slots and its fallback.
    ///
    /// # Errors
    /// `NotFound`; those of the store.
    pub async fn routing(&self, account: AccountId) -> Result<Routing> {
        self.engine().account(&self.id, account).await?;
        self.engine().store.routing(&self.id, account).await
    }

    /// Sets the posting slots of an account, which [`When::Queue`] fills one by one. What is scheduled
    /// already stays where it is.
    ///
    /// ```
    /// # use automarket::{AccountId, Result, Tenant, store::Slots};
    /// # async fn f(tenant: &Tenant, account: AccountId) -> Result<()> {
    /// tenant.set_slots(account, vec![Slots::new("0 9,17 * * MON-FRI", "Europe/Berlin")?]).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` naming `rule`, also for one without a time to come, or `zone`; `NotFound` for an account that the tenant does not have; those
    /// of the store.
    pub async fn set_slots(&self, account: AccountId, slots: Vec<Slots>) -> Result<()> {
        let now = self.engine().store.now().await?;
        for slots in &slots {
            if slots.timetable()?.after(now).is_none() {
                let message = format!("{} has no time to come", slots.rule);
                return Err(Error::invalid("rule", message));
            }
        }
        self.engine().account(&self.id, account).await?;
        let slots = RoutingPart::Slots(slots);
        let put = self.engine().store.put_routing(&self.id, account, &slots);
        put.await
    }

    /// When something is due on an account, and the slot it takes, which is held where it is about to be written.
    pub(crate) async fn due(
        &self,
        account: AccountId,
        when: When,
        now: DateTime<Utc>,
        hold: bool,
    ) -> Result<(DateTime<Utc>, Option<DateTime<Utc>>, Option<Hold>)> {
        if let Some(due) = when.instant(now) {
            return Ok((due, None, None));
        }
        let (slot, held) = self.free_slot(account, now, hold).await?;
        Ok((slot, Some(slot), held))
    }

    async fn free_slot(
        &self,
        account: AccountId,
        now: DateTime<Utc>,
        hold: bool,
    ) -> Result<(DateTime<Utc>, Option<Hold>)> {
        let store = &self.engine().store;
        let routing = store.routing(&self.id, account).await?;
        let tables = routing.slots.iter().map(Slots::timetable);
        let tables = tables.collect::<Result<Vec<_>>>()?;
        if tables.is_empty() {
            let account = store.account(&self.id, account).await?;
            let name = account.map_or_else(|| "the account".to_owned(), |account| account.name);
            let message = format!("{name} has no posting slots");
            return Err(Error::invalid("when", message)
                .with_rule("slots.none")
                .with_remedy("set them with Tenant::set_slots, or name a time"));
        }
        // Before the store is read: it is written and let go meanwhile.
        let chosen = &self.engine().chosen;
        let mut taken = chosen.of(&self.id, account);
        let live = store
            .live_publications(&self.id, account, &[], SLOTS)
            .await?;
        taken.extend(live.iter().filter_map(Publication::held_slot));
        // Each table with its next slot. One that has none any more takes long to say so, and is not asked again.
        let mut tables: Vec<_> = tables
            .iter()
            .filter_map(|table| Some((table.after(now)?, table)))
            .collect();
        for _ in 0..SLOTS {
            let next = tables.iter().map(|(next, _)| *next).min();
            let slot = next.ok_or_else(none_free)?;
            if !taken.contains(&slot) {
                if !hold {
                    return Ok((slot, None));
                }
                if let Some(held) = chosen.hold((self.id.clone(), account, slot)) {
                    return Ok((slot, Some(held)));
                }
            }
            tables.retain_mut(|(next, table)| {
                if *next > slot {
                    return true;
                }
                let after = table.after(slot);
                *next = after.unwrap_or(*next);
                after.is_some()
            });
        }
        Err(none_free())
    }
}
