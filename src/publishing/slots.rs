//! When things are due: at once, at an instant, or at the next free posting slot of an account.

use automarket_core::{
    AccountId, Error, ErrorKind, Result, When,
    chrono::{DateTime, Utc},
    store::{Publication, Routing, RoutingPart, Slots},
};

use crate::Tenant;

/// So many taken slots are passed over at the most: beyond that the queue is no plan any more.
const SLOTS: usize = 10_000;

/// The error when no slot could be had.
pub(crate) fn none_free() -> Error {
    let message = "the account has no free posting slot";
    Error::new(ErrorKind::Conflict, message).with_rule("slots.full")
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
    /// `InvalidInput` naming `rule` or `zone`; `NotFound` for an account that the tenant does not have; those
    /// of the store.
    pub async fn set_slots(&self, account: AccountId, slots: Vec<Slots>) -> Result<()> {
        for slots in &slots {
            slots.timetable()?;
        }
        self.engine().account(&self.id, account).await?;
        let slots = RoutingPart::Slots(slots);
        let put = self.engine().store.put_routing(&self.id, account, &slots);
        put.await
    }

    /// When something is due on an account, and the slot it takes.
    pub(crate) async fn due(
        &self,
        account: AccountId,
        when: When,
        now: DateTime<Utc>,
    ) -> Result<(DateTime<Utc>, Option<DateTime<Utc>>)> {
        if let Some(due) = when.instant(now) {
            return Ok((due, None));
        }
        let slot = self.free_slot(account, now).await?;
        Ok((slot, Some(slot)))
    }

    async fn free_slot(&self, account: AccountId, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
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
        let live = store
            .live_publications(&self.id, account, &[], SLOTS)
            .await?;
        let taken: Vec<_> = live.iter().filter_map(|p| p.held_slot()).collect();
        let mut slot = now;
        for _ in 0..SLOTS {
            let next = tables.iter().filter_map(|table| table.after(slot)).min();
            slot = next.ok_or_else(none_free)?;
            if !taken.contains(&slot) {
                return Ok(slot);
            }
        }
        Err(none_free())
    }
}
