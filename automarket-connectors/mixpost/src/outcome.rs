//! What a post's status means for the publication.

use automarket_core::{
    Context, Error, ErrorKind, Handle, Outcome, Receipt, Retry,
    chrono::{DateTime, Utc},
    publisher::NOT_SENT,
};
use serde_json::{Value, json};

use crate::{MixpostAccount, MixpostPost, MixpostStatus, error::bounded};

/// What was just taken. A time that the answer leaves out is the one that was asked for.
pub(crate) fn accepted(post: &MixpostPost, at: Option<DateTime<Utc>>, account: u64) -> Outcome {
    let mut outcome = outcome(post, account);
    if let Outcome::Accepted(handle) = &mut outcome
        && post.status == MixpostStatus::Scheduled
    {
        handle.due = handle.due.or(at);
        handle.data["due"] = json!(handle.due);
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
        let scheduled = post.status == MixpostStatus::Scheduled;
        let due = post.scheduled_at.filter(|_| scheduled);
        Outcome::Accepted(Handle {
            remote_id: post.uuid.clone(),
            due,
            // Who deletes it has only these.
            data: json!({"account": account, "due": due}),
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
    let errors = there.map_or(&[][..], |account| &account.errors);
    let said = match errors.join("; ") {
        said if said.is_empty() => "Mixpost gives no reason".to_owned(),
        said => bounded(&said, cx),
    };
    let known = there.is_some_and(|account| account.knows_post == Some(true));
    let error = if is_thread(post) {
        // Part by part, and which were taken it does not say.
        let message = format!("the network did not take all of the thread: {said}; look there");
        Error::new(ErrorKind::CannotTell, message)
    } else if known || !refused(errors) {
        let message = format!("the network may have taken the post: {said}; look there");
        Error::new(ErrorKind::CannotTell, message)
    } else if let Some(kind) = not_sent(errors) {
        // No word on the post: it may go once that is mended, and not by itself.
        Error::new(kind, format!("the post was not sent: {said}"))
            .with_retry(Retry::Never)
            .with_rule(NOT_SENT)
            .with_elsewhere()
    } else {
        let message = format!("the network did not take the post: {said}");
        Error::new(ErrorKind::ContentRefused, message)
    };
    Some(match there {
        _ if error.kind() == ErrorKind::RateLimited => error.with_remedy("send it again later"),
        _ if error.kind() == ErrorKind::Unauthorized => error.with_remedy(
            "reconnect the account in Mixpost under Social Accounts, or switch its service on; then send it again",
        ),
        Some(account) if !account.authorized => {
            error.with_remedy("reconnect the account in Mixpost under Social Accounts")
        }
        _ if error.kind() == ErrorKind::CannotTell => error.with_remedy("look on the network"),
        _ => error,
    })
}

pub(crate) fn is_thread(post: &MixpostPost) -> bool {
    post.versions
        .iter()
        .any(|version| version.content.len() > 1)
}

/// Words of a network, or of the proxy before it, that is in trouble itself; letters and digits alone.
const TROUBLE: &[&str] = &[
    // Mixpost's own, of an answer of X that says nothing.
    "anerroroccurredwhilecreatingthepost",
    "badgateway",
    "internalerror",
    "internalservererror",
    "overcapacity",
    "serviceunavailable",
    "temporarilyunavailable",
    "temporaryproblem",
    "timedout",
    "timeout",
    "upstreamfailure",
];

/// Whether these words are a refusal. Mixpost keeps no status, and files what a network's own trouble answered, which may
/// come after it took the post, like any refusal: without a word where that was a page, else with its words.
fn refused(errors: &[String]) -> bool {
    let mut said = errors
        .iter()
        .filter(|text| text.contains(char::is_alphanumeric) && *text != "null")
        .peekable();
    said.peek().is_some() && !said.any(|text| is_trouble(text))
}

/// What these words are where they say that the network was not asked, or would not hear: Mixpost's own of a login that is
/// lost, a service that is switched off and a limit, and those of X, which come as its status says.
fn not_sent(errors: &[String]) -> Option<ErrorKind> {
    errors.iter().find_map(|text| match letters(text) {
        said if said.contains("accesstokenexpired")
            || said.starts_with("unauthorized")
            || said == "servicedisabled" =>
        {
            Some(ErrorKind::Unauthorized)
        }
        said if said.starts_with("toomanyrequests")
            || said.contains("ratelimithasbeenexceeded") =>
        {
            Some(ErrorKind::RateLimited)
        }
        _ => None,
    })
}

/// Letters and digits alone, in lower case.
fn letters(text: &str) -> String {
    let letters = text.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

fn is_trouble(text: &str) -> bool {
    // A status by itself, or an error of Meta as it came.
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let status = value.as_u64().is_some_and(|n| (500..600).contains(&n));
    let transient = value["is_transient"] == true || matches!(value["code"].as_u64(), Some(1 | 2));
    let letters = letters(text);
    status || transient || TROUBLE.iter().any(|words| letters.contains(words))
}

/// What to say of a post that is called published and that Mixpost knows nowhere: the job for its account broke, which
/// leaves no error there, before the network took it or after; or the account is not its any more.
pub(crate) fn lost(post: &MixpostPost, account: Option<u64>) -> Option<Error> {
    is_lost(post, account).then(|| {
        let message = match is_off(post, account) {
            true => TAKEN_OFF,
            false => "Mixpost calls the post published and knows none on the network",
        };
        Error::new(ErrorKind::CannotTell, message)
            .with_remedy("look on the network, and for failed jobs in Mixpost's queue")
    })
}

fn is_lost(post: &MixpostPost, account: Option<u64>) -> bool {
    // Of what TikTok keeps from the public, or has yet to review, it gives no id.
    let unknown =
        |there: &MixpostAccount| there.knows_post == Some(false) && there.provider != "tiktok";
    post.status == MixpostStatus::Published
        && (is_off(post, account) || on(post, account).is_some_and(unknown))
}

/// An account that is removed in Mixpost leaves all posts, also those that are out.
pub(crate) const TAKEN_OFF: &str =
    "somebody took the account off the post, or out of Mixpost: so it shows nothing of the network";

/// Whether the post goes to other accounts, and not to this one. Until it is at work people may exchange them.
pub(crate) fn is_off(post: &MixpostPost, account: Option<u64>) -> bool {
    !post.accounts.is_empty() && on(post, account).is_none()
}

pub(crate) fn on(post: &MixpostPost, account: Option<u64>) -> Option<&MixpostAccount> {
    let id = account.filter(|id| *id != 0);
    post.accounts
        .iter()
        .find(|account| id.is_none_or(|id| account.id == id))
}
