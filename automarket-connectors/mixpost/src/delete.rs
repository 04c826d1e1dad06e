//! Taking down: first off the network, and Mixpost's record last, since only that tells when the network's post is gone.

use std::time::Duration;

use automarket_core::{
    Context, Error, ErrorKind, Outcome, Publisher, Receipt, Result, Retry,
    chrono::{DateTime, Utc},
    publisher::undeclared,
};

use crate::{
    DeleteMode, Mixpost, MixpostPost, MixpostStatus, PLATFORM,
    connector::disconnected,
    outcome::{TAKEN_OFF, failure, is_off, is_thread, on, outcome},
};

/// How long before its time Mixpost may be at a post already.
const UNDER_WAY: Duration = Duration::from_secs(60);
const OPERATION: &str = "posts.delete";
const BY_HAND: &str = "look on the network, and delete it there by hand";

impl Mixpost {
    pub(crate) async fn take_down(&self, cx: &Context, receipt: &Receipt) -> Result<()> {
        let rules = cx.account().map(|account| self.profile_for(account));
        if let Some(rules) = rules.filter(|rules| !rules.abilities.delete) {
            return Err(undeclared(&rules, OPERATION).with_remedy(BY_HAND));
        }
        let step = format!("mixpost.delete.{}", receipt.remote_id);
        if cx.ended::<()>(&step).await?.is_some() {
            return Ok(());
        }
        let record = self.record(cx, &receipt.remote_id).await?;
        if let Some(post) = &record {
            self.leave_network(cx, receipt, post).await?;
        }
        // The attempt whose answer was lost took it away.
        let look = || async { Ok(record.is_none().then_some(())) };
        cx.once(&step, look, || async {
            if record.is_none() {
                return match due(receipt) > Some(cx.now()) {
                    true => Ok(()),
                    false => Err(gone()),
                };
            }
            let id = &receipt.remote_id;
            match self.remove(cx, id, false, DeleteMode::AppOnly).await {
                // Somebody was faster.
                Err(error)
                    if error.kind() == ErrorKind::NotFound
                        && self.record(cx, id).await?.is_none() =>
                {
                    Ok(())
                }
                removed => removed.map(drop),
            }
        })
        .await
    }

    /// Sees to it that what this record is of is not on the network, nor about to be.
    async fn leave_network(
        &self,
        cx: &Context,
        receipt: &Receipt,
        post: &MixpostPost,
    ) -> Result<()> {
        // Without its record it goes out all the same.
        if is_under_way(post, cx.now()) {
            return Err(later(
                "Mixpost is publishing it: it is taken down when that has ended",
            ));
        }
        let account = receipt.data["account"].as_u64();
        if is_off(post, account) {
            return Err(by_hand(TAKEN_OFF));
        }
        let there = on(post, account);
        let known = |post: &MixpostPost| on(post, account).and_then(|there| there.knows_post);
        let unknown = failure(cx, post, account).filter(|e| e.kind() == ErrorKind::CannotTell);
        if let Some(error) = unknown {
            return Err(by_hand(error.message()));
        }
        let tried = post.status == MixpostStatus::Published || post.published_at.is_some();
        let out = matches!(outcome(post, account.unwrap_or_default()), Outcome::Done(_));
        if !tried && !out && known(post) != Some(true) {
            return Ok(());
        }
        let seen = format!("mixpost.seen.{}", receipt.remote_id);
        match known(post) {
            // It was there, and Mixpost forgets only what it took away.
            Some(false) if receipt.url.is_some() || cx.ended::<()>(&seen).await?.is_some() => {
                return off(post);
            }
            Some(false) => {
                let why =
                    "Mixpost knows no such post on the network, so that it can take none away";
                return Err(by_hand(why));
            }
            Some(true) => cx.step(&seen, || async { Ok(()) }).await?,
            None => {}
        }
        if let Some(there) = there.filter(|there| !there.authorized) {
            return Err(disconnected(there, cx).with_operation(OPERATION));
        }
        let asked = format!("mixpost.off.{}", receipt.remote_id);
        cx.step(&asked, || self.ask_network(cx, &post.uuid)).await?;
        // That it is in a queue is all that is answered, whatever comes of it there.
        let post = self.record(cx, &receipt.remote_id).await?;
        let post = post.ok_or_else(gone)?;
        match known(&post) {
            Some(false) => off(&post),
            Some(true) => Err(
                later("Mixpost has not taken it off the network yet").with_remedy(
                    "if it stays: look for failed jobs in Mixpost's queue, and delete it by hand",
                ),
            ),
            None => Err(by_hand(
                "Mixpost does not show whether it took it off the network",
            )),
        }
    }

    async fn ask_network(&self, cx: &Context, uuid: &str) -> Result<()> {
        match self.remove(cx, uuid, false, DeleteMode::SocialOnly).await {
            Ok(asked) if asked.deleting_from_social_platforms.is_some() => Ok(()),
            Ok(_) => Err(Error::unsupported(
                "this Mixpost deletes its own record, and leaves the post on the network",
            )
            .with_platform(&PLATFORM)
            .with_operation(OPERATION)
            .with_remedy(format!("{BY_HAND}, and update the instance"))),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(gone()),
            Err(error) => Err(error),
        }
    }
}

/// Whether it may become public any moment; so may what is in a state that we do not know.
fn is_under_way(post: &MixpostPost, now: DateTime<Utc>) -> bool {
    match post.status {
        MixpostStatus::Publishing | MixpostStatus::Other(_) => true,
        MixpostStatus::Scheduled => {
            !post.trashed && post.scheduled_at.is_none_or(|at| at <= now + UNDER_WAY)
        }
        _ => false,
    }
}

/// A post whose link is gone. Whether the later parts of a thread went with the first it does not say.
fn off(post: &MixpostPost) -> Result<()> {
    match is_thread(post) {
        true => Err(by_hand(
            "Mixpost took the thread's first post off the network, and shows nothing of the others",
        )),
        false => Ok(()),
    }
}

/// When what was accepted is to go out: before it, nothing is.
fn due(receipt: &Receipt) -> Option<DateTime<Utc>> {
    receipt.data["due"].as_str()?.parse().ok()
}

fn later(why: &str) -> Error {
    Error::new(ErrorKind::Unavailable, why)
        // Its queue may be hours behind: so the tries last for hours too.
        .with_retry(Retry::After(None))
        .with_platform(&PLATFORM)
        .with_operation(OPERATION)
}

fn by_hand(why: &str) -> Error {
    Error::new(ErrorKind::CannotTell, why)
        .with_retry(Retry::Never)
        .with_platform(&PLATFORM)
        .with_operation(OPERATION)
        .with_remedy(BY_HAND)
}

fn gone() -> Error {
    by_hand("Mixpost's record is gone, which says nothing of the post on the network")
        .with_kind(ErrorKind::NotFound)
}
