//! What a post's status means for the publication.

use automarket_core::{
    Context, Error, ErrorKind, Handle, Outcome, Receipt,
    chrono::{DateTime, Utc},
};
use serde_json::json;

use crate::{MixpostAccount, MixpostPost, MixpostStatus, error::bounded};

/// What was just taken. A time that the answer leaves out is the one that was asked for.
pub(crate) fn accepted(post: &MixpostPost, at: Option<DateTime<Utc>>, account: u64) -> Outcome {
    let mut outcome = outcome(post, account);
    if let Outcome::Accepted(handle) = &mut outcome
        && post.status == MixpostStatus::Scheduled
    {
        handle.due = handle.due.or(at);
    }
    outcome
}

pub(crate) fn outcome(post: &MixpostPost, account: u64) -> Outcome {
    let there = on(post, Some(account));
    let url = there
        .and_then(|account| account.external_url.clone())
        .filter(|url| url.starts_with("http"));
    let out = match post.status {
        MixpostStatus::Published => !is_lost(post, Some(account)),
        MixpostStatus::Failed => {
            url.is_some() && there.is_some_and(|account| account.errors.is_empty())
        }
        // What a record in the trash says of itself is not certain.
        _ => post.trashed && post.published_at.is_some(),
    };
    if out {
        Outcome::Done(Receipt {
            remote_id: post.uuid.clone(),
            url,
            at: post.published_at,
            data: json!({"account": account}),
        })
    } else {
        Outcome::Accepted(Handle {
            remote_id: post.uuid.clone(),
            due: post
                .scheduled_at
                .filter(|_| post.status == MixpostStatus::Scheduled),
            data: json!({"account": account, "pending": true}),
        })
    }
}

/// Why the post is not out on its account, once Mixpost gave up.
pub(crate) fn failure(cx: &Context, post: &MixpostPost, account: Option<u64>) -> Option<Error> {
    if post.status != MixpostStatus::Failed
        || matches!(outcome(post, account.unwrap_or_default()), Outcome::Done(_))
    {
        return None;
    }
    let there = on(post, account);
    let said = there
        .map(|account| account.errors.join("; "))
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| "Mixpost gives no reason".to_owned());
    let said = bounded(&said, cx);
    let parts = post.versions.iter().map(|version| version.content.len());
    let error = if parts.max() > Some(1) {
        // Part by part, and which were taken it does not say.
        let message = format!("the network did not take all of the thread: {said}; look there");
        Error::new(ErrorKind::CannotTell, message)
    } else {
        let message = format!("the network did not take the post: {said}");
        Error::new(ErrorKind::ContentRefused, message)
    };
    Some(match there {
        Some(account) if !account.authorized => {
            error.with_remedy("reconnect the account in Mixpost under Social Accounts")
        }
        _ => error,
    })
}

/// What to say of a post that is called published and that Mixpost knows nowhere: the job for its account broke, which
/// leaves no error there, before the network took it or after.
pub(crate) fn lost(post: &MixpostPost, account: Option<u64>) -> Option<Error> {
    is_lost(post, account).then(|| {
        let message = "Mixpost calls the post published and knows none on the network";
        Error::new(ErrorKind::CannotTell, message)
            .with_remedy("look on the network, and for failed jobs in Mixpost's queue")
    })
}

fn is_lost(post: &MixpostPost, account: Option<u64>) -> bool {
    // Of what TikTok keeps from the public, or has yet to review, it gives no id.
    let unknown =
        |there: &MixpostAccount| there.knows_post == Some(false) && there.provider != "tiktok";
    post.status == MixpostStatus::Published && on(post, account).is_some_and(unknown)
}

fn on(post: &MixpostPost, account: Option<u64>) -> Option<&MixpostAccount> {
    let id = account.filter(|id| *id != 0);
    post.accounts
        .iter()
        .find(|account| id.is_none_or(|id| account.id == id))
}
