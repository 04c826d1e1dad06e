//! What the account's other publications have, so that no lost post is taken for one of theirs.

use std::sync::Arc;

use automarket_core::{
    Error, ErrorKind, Outcome, Post, Profile, Receipt, Result, Retry, Taken, async_trait,
    chrono::{DateTime, Utc},
    lost::{REACH, SKEW},
    store::{JobState, Publication, PublicationState},
};

use super::{
    job::{is_out, is_unsure, nothing_out},
    routed,
};
use crate::market::Engine;

/// The publications beside one, on the account that it goes by.
pub(super) struct Others {
    engine: Arc<Engine>,
    publication: Publication,
    /// When its sending began.
    sent_at: DateTime<Utc>,
    post: Post,
    profile: Profile,
}

impl Others {
    /// The others of a publication whose sending begins now, or began.
    pub(super) fn of(
        engine: Arc<Engine>,
        publication: &Publication,
        post: &Post,
        profile: Profile,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            engine,
            sent_at: publication.sent_at.unwrap_or(now),
            publication: publication.clone(),
            post: post.clone(),
            profile,
        }
    }

    async fn all(&self) -> Result<Vec<Publication>> {
        let (tenant, account) = (&self.publication.tenant, self.publication.route().account);
        let store = &self.engine.store;
        // Further back than any look goes.
        let since = self.sent_at.min(store.now().await?) - REACH * 2;
        let mut sent = store.sent_publications(tenant, account, since).await?;
        sent.retain(|other| other.id != self.publication.id);
        Ok(sent)
    }

    /// What a look ended in, unless that is another publication's: connectors skip those, and this holds for them all.
    ///
    /// # Errors
    /// `CannotTell`; those of the store.
    pub(super) async fn believed(&self, found: Outcome) -> Result<Outcome> {
        let others = self.all().await?;
        if !others.iter().any(|other| has(other, found.remote_id())) {
            return Ok(found);
        }
        let message = "what was found is another publication's post of the same words";
        Err(Error::new(ErrorKind::CannotTell, message)
            .with_remedy("look on the platform, then publish it as a new post or leave it"))
    }

    /// Whether this other one may be what was found: it says the same, and no id of it is written down. Its steps tell
    /// whether anything of it is out.
    async fn is_rival(&self, other: &Publication, words: &str) -> Result<bool> {
        let engine = &*self.engine;
        let named = |receipt: &Receipt| !receipt.is_unlisted();
        if other.receipt.as_ref().is_some_and(named) || other.handle.is_some() {
            return Ok(false);
        }
        let post = engine.store.post(&other.tenant, other.post).await?;
        if post.is_none_or(|post| said(&post, other, &self.profile) != words) {
            return Ok(false);
        }
        if other.state.is_terminal() {
            let unsure = other.receipt.is_some() || other.state == PublicationState::Unknown;
            return Ok(unsure && other.updated_at >= self.sent_at - SKEW);
        }
        if nothing_out(engine, other).await? {
            return Ok(false);
        }
        if !is_unsure(engine, other).await? {
            // Its receipt comes, whatever else of it, as a comment, is in doubt.
            return Ok(true);
        }
        // Under way, its end is near. Of two that wait for each other the first goes on.
        let job = engine.store.job(&other.tenant, other.job).await?;
        Ok(job.is_some_and(|job| job.state == JobState::Leased)
            || (other.sent_at, other.id) < (Some(self.sent_at), self.publication.id))
    }
}

#[async_trait]
impl Taken for Others {
    async fn taken(&self, ids: &[String]) -> Result<Vec<String>> {
        let others = self.all().await?;
        let is_held = |id: &&String| others.iter().any(|other| has(other, id));
        let held: Vec<String> = ids.iter().filter(is_held).cloned().collect();
        if held.len() == ids.len() {
            return Ok(held);
        }
        if is_out(&self.engine, &self.publication).await? {
            // What is looked for is a later part or a comment, which its parent tells from all others.
            return Ok(held);
        }
        let words = said(&self.post, &self.publication, &self.profile);
        for other in &others {
            if !self.is_rival(other, &words).await? {
                continue;
            }
            let message = format!(
                "it may be the publication {}, which says the same",
                other.id
            );
            let kind = match other.state.is_terminal() {
                true => ErrorKind::CannotTell,
                false => ErrorKind::Unavailable,
            };
            return Err(Error::new(kind, message).with_retry(Retry::Reconcile));
        }
        Ok(held)
    }
}

fn has(publication: &Publication, id: &str) -> bool {
    let receipt = publication.receipt.as_ref().map(|one| &one.remote_id);
    let handle = publication.handle.as_ref().map(|one| &one.remote_id);
    receipt.is_some_and(|one| one == id) || handle.is_some_and(|one| one == id)
}

/// The words of a publication, every space alike.
fn said(post: &Post, publication: &Publication, profile: &Profile) -> String {
    let route = publication.route();
    let post = routed(post.clone(), publication);
    let content = post.content_for(&route.network, Some(route.account));
    let text = content.final_text(profile);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}
