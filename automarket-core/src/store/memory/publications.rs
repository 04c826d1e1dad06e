use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStore;
use crate::{
    AccountId, PostId, PublicationId, Result, TenantId,
    content::Post,
    store::{
        Attempt, AttemptStats, AttemptStore, NewPublishing, Publication, PublicationState,
        PublicationStore, PublishingChange, Routing, RoutingPart,
        rules::{not_there, post_moved},
    },
};

#[async_trait]
impl PublicationStore for MemoryStore {
    async fn put_publishing(&self, publishing: &NewPublishing) -> Result<bool> {
        publishing.check()?;
        let (mut state, now) = self.lock();
        let tenant = &publishing.tenant;
        let post = (tenant.clone(), publishing.post.id);
        if let Some(stored) = state.posts.get(&post) {
            let there = of_post(&state.publications, tenant, publishing.post.id);
            if !publishing.is_new(stored, &there)? {
                return Ok(false);
            }
        }
        for publication in &publishing.publications {
            slot_is_free(&state.publications, publication)?;
        }
        state.queue.enqueue(&publishing.jobs, now)?;
        let new_post = || publishing.post.clone();
        state.posts.entry(post).or_insert_with(new_post);
        let publications = publishing.publications.iter();
        let publications = publications.map(|p| ((tenant.clone(), p.id), p.clone()));
        state.publications.extend(publications);
        state.append(&publishing.events, now);
        Ok(true)
    }

    async fn post(&self, tenant: &TenantId, id: PostId) -> Result<Option<Post>> {
        let (state, _) = self.lock();
        Ok(state.posts.get(&(tenant.clone(), id)).cloned())
    }

    async fn publication(
        &self,
        tenant: &TenantId,
        id: PublicationId,
    ) -> Result<Option<Publication>> {
        let (state, _) = self.lock();
        Ok(state.publications.get(&(tenant.clone(), id)).cloned())
    }

    async fn publications(&self, tenant: &TenantId, post: PostId) -> Result<Vec<Publication>> {
        let (state, _) = self.lock();
        Ok(of_post(&state.publications, tenant, post))
    }

    async fn change_publishing(&self, change: &PublishingChange) -> Result<Vec<Publication>> {
        change.check()?;
        let (mut state, now) = self.lock();
        let tenant = &change.tenant;
        let post = change.post.as_ref().map(|post| (tenant.clone(), post.id));
        if post.is_some_and(|key| !state.posts.contains_key(&key)) {
            return Err(not_there("post"));
        }
        if let Some(post) = &change.post
            && of_post(&state.publications, tenant, post.id).len() != change.accounts
        {
            return Err(post_moved(post.id));
        }
        let mut publications = state.publications.clone();
        let mut changed = Vec::new();
        for new in &change.publications {
            let stored = publications.get_mut(&(tenant.clone(), new.id));
            let stored = stored.ok_or_else(|| not_there("publication"))?;
            let next = stored.replaced_by(new, now)?;
            let old = std::mem::replace(stored, next.clone());
            let reroutes = old.route().account != next.route().account;
            if reroutes && publications.values().any(|other| next.doubles(other)) {
                return Err(post_moved(next.post));
            }
            changed.push(next);
        }
        for publication in &changed {
            slot_is_free(&publications, publication)?;
        }
        state.queue.enqueue(&change.jobs, now)?;
        state.publications = publications;
        if let Some(post) = &change.post {
            state.posts.insert((tenant.clone(), post.id), post.clone());
        }
        state.attempts.extend(change.attempts.iter().cloned());
        state.append(&change.events, now);
        Ok(changed)
    }

    async fn live_publications(
        &self,
        tenant: &TenantId,
        account: AccountId,
        states: &[PublicationState],
        limit: usize,
    ) -> Result<Vec<Publication>> {
        let (state, _) = self.lock();
        let live = |p: &&Publication| {
            p.tenant == *tenant
                && p.route().account == account
                && !p.state.is_terminal()
                && (states.is_empty() || states.contains(&p.state))
        };
        let mut live: Vec<_> = state.publications.values().filter(live).cloned().collect();
        live.sort_by_key(|p| (p.due, p.id));
        live.truncate(limit);
        Ok(live)
    }

    async fn sent_publications(
        &self,
        tenant: &TenantId,
        account: AccountId,
        since: DateTime<Utc>,
    ) -> Result<Vec<Publication>> {
        let (state, _) = self.lock();
        let sent = |p: &&Publication| {
            p.tenant == *tenant
                && p.route().account == account
                && p.sent_at.is_some()
                && (p.updated_at >= since || !p.state.is_terminal())
        };
        Ok(state.publications.values().filter(sent).cloned().collect())
    }

    async fn put_routing(
        &self,
        tenant: &TenantId,
        account: AccountId,
        part: &RoutingPart,
    ) -> Result<()> {
        let (mut state, _) = self.lock();
        let routing = state.routings.entry((tenant.clone(), account));
        let routing = routing.or_default();
        match part.clone() {
            RoutingPart::Slots(slots) => routing.slots = slots,
            RoutingPart::Fallback(fallback) => routing.fallback = fallback,
        }
        Ok(())
    }

    async fn routing(&self, tenant: &TenantId, account: AccountId) -> Result<Routing> {
        let (state, _) = self.lock();
        let routing = state.routings.get(&(tenant.clone(), account));
        Ok(routing.cloned().unwrap_or_default())
    }
}

type Publications = BTreeMap<(TenantId, PublicationId), Publication>;

fn of_post(all: &Publications, tenant: &TenantId, post: PostId) -> Vec<Publication> {
    let of_post = |p: &&Publication| p.tenant == *tenant && p.post == post;
    all.values().filter(of_post).cloned().collect()
}

/// Whether nobody else holds the publication's slot.
fn slot_is_free(all: &Publications, publication: &Publication) -> Result<()> {
    let Some(slot) = publication.held_slot() else {
        return Ok(());
    };
    let holds = |other: &Publication| {
        other.id != publication.id
            && other.tenant == publication.tenant
            && other.target.account == publication.target.account
            && other.held_slot() == Some(slot)
    };
    if all.values().any(holds) {
        return Err(publication.slot_taken());
    }
    Ok(())
}

#[async_trait]
impl AttemptStore for MemoryStore {
    async fn attempts(
        &self,
        tenant: &TenantId,
        publication: PublicationId,
    ) -> Result<Vec<Attempt>> {
        let (state, _) = self.lock();
        let of = |a: &&Attempt| a.tenant == *tenant && a.publication == publication;
        Ok(state.attempts.iter().filter(of).cloned().collect())
    }

    async fn attempt_stats(
        &self,
        tenant: Option<&TenantId>,
        since: DateTime<Utc>,
    ) -> Result<Vec<AttemptStats>> {
        let (state, _) = self.lock();
        let wanted =
            |a: &&Attempt| a.ended >= since && tenant.is_none_or(|tenant| a.tenant == *tenant);
        let counted = state.attempts.iter().filter(wanted).map(|a| {
            let sort = (a.route.platform.clone(), a.operation, a.outcome);
            (sort, a.latency_step(), 1)
        });
        Ok(AttemptStats::of(counted))
    }

    async fn erase_attempts_of(&self, tenant: &TenantId, account: AccountId) -> Result<u64> {
        let (mut state, _) = self.lock();
        let of = |a: &Attempt| a.tenant == *tenant && a.route.account == account;
        let before = state.attempts.len();
        state.attempts.retain(|attempt| !of(attempt));
        Ok((before - state.attempts.len()) as u64)
    }
}
