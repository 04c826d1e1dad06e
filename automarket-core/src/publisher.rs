//! Publishing: the trait, and what an outside write ends in.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Content, Context, Credential, Delivery, Error, ErrorKind, ErrorRecord, Platform, Result, Retry,
    check::{Finding, Report, check},
    content::{Post, Voice},
    networks,
    profile::Profile,
    store::Account,
};

/// A place where posts appear.
///
/// Contract for all operations:
/// - Nothing is sent unless the input passes the platform's rules: bad input is `InvalidInput` before the
///   first request.
/// - What [`Profile::abilities`](crate::profile::Abilities) does not declare answers `Unsupported`.
///   [`require`] does both for [`publish`](Self::publish), [`undeclared`] is the answer of the others.
/// - An error whose [`Retry`] is `Reconcile` says the write may have happened; it is never
///   turned into a failure or repeated by the connector.
///
/// The conformance suite (`testing::conformance::publisher::all`) asks for all of it.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Limits and abilities; no I/O.
    fn profile(&self) -> &Profile;

    /// The profile as it holds for one account, where accounts differ: a plan that allows longer texts, or the
    /// network behind a scheduler, with what the scheduler makes narrower. A wrapper of a publisher hands the
    /// question on.
    fn profile_for(&self, _account: &Account) -> Profile {
        self.profile().clone()
    }

    /// What only the connector can say of a content that is to go out in this way, on this account if it is known: the
    /// rules of its own options, and of what they go with. Pure, for plans; [`publish`](Self::publish) holds to the
    /// same. A wrapper of a publisher hands the question on.
    fn check(
        &self,
        _content: &Content,
        _delivery: Delivery,
        _account: Option<&Account>,
    ) -> Vec<Finding> {
        Vec::new()
    }

    /// Whose credential this is: every account it can speak for. Also the health check.
    async fn identify(&self, cx: &Context) -> Result<Vec<Identity>>;

    /// Publishes the post as [`Context::account`] says it (`post.content_for`), in the way of
    /// `post.delivery`. Every write that makes something public stands in a [`Context::once`] whose `find`
    /// looks it up ([`Lookup::into_once`] fits there); the calls before it stand in a [`Context::step`]. So
    /// a second call with the same steps goes on where the first stopped, and repeats nothing blindly. A look that goes by
    /// the words compares what [`Context::begin`] kept.
    ///
    /// `Ok(Done)`: public. `Ok(Accepted)`: taken, not public yet; ask with [`poll`](Self::poll).
    /// `Err` is a rejection, or unknown when its `retry()` is `Reconcile`.
    async fn publish(&self, cx: &Context, post: &Post) -> Result<Outcome>;

    /// What became of something accepted. Never publishes. `Err` means the question failed and is
    /// asked again, except for the kinds that are the platform's [last word](is_last_word) on the post, those of the
    /// rule [`NOT_SENT`], and `CannotTell`: nobody can say any more what became of it.
    async fn poll(&self, cx: &Context, handle: &Handle) -> Result<Outcome>;

    /// After a lost answer: did this intent go through? Looks for the marker, id or text and time that
    /// [`publish`](Self::publish) would have left; the text is that of [`Context::begun`].
    async fn find(&self, cx: &Context, intent: &Intent) -> Result<Lookup>;

    /// What came of a published post, as of now.
    async fn measure(&self, cx: &Context, receipt: &Receipt) -> Result<Metrics>;

    /// Deletes a published or scheduled post. What is already gone is `Ok`; where the platform cannot say whether it
    /// is, `NotFound` with a remedy. A second call with the same steps goes on where the first stopped.
    async fn delete(&self, cx: &Context, receipt: &Receipt) -> Result<()>;
}

const _: Option<&dyn Publisher> = None;

/// Who an account is on its platform.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// The platform's id.
    pub remote_id: String,
    /// The network it speaks on: the platform itself, or one behind a scheduler.
    pub network: Platform,
    /// Its name for people.
    pub name: String,
    /// Its handle, where it has one.
    pub handle: Option<String>,
    /// Whether the platform says it must be connected again.
    pub needs_reauth: bool,
    /// What else the connector needs to use it (see [`Context::config`]).
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub settings: Value,
    /// Its own credential, where the platform gives each account one (the token of a Facebook page). `None`:
    /// the one that was used to ask. Never serialised.
    #[serde(skip)]
    pub credential: Option<Credential>,
}

impl Identity {
    /// An account that uses the credential it was asked with.
    #[must_use]
    pub fn new(remote_id: impl Into<String>, network: Platform, name: impl Into<String>) -> Self {
        Self {
            remote_id: remote_id.into(),
            network,
            name: name.into(),
            handle: None,
            needs_reauth: false,
            settings: Value::Null,
            credential: None,
        }
    }
}

/// The same facts; credentials are not compared.
impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.remote_id == other.remote_id
            && self.network == other.network
            && self.name == other.name
            && self.handle == other.handle
            && self.needs_reauth == other.needs_reauth
            && self.settings == other.settings
    }
}

impl Eq for Identity {}

/// What an outside write that did not fail ended in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is public.
    Done(Receipt),
    /// It was taken and is not public yet.
    Accepted(Handle),
}

impl Outcome {
    /// The platform's id of what it took.
    #[must_use]
    pub fn remote_id(&self) -> &str {
        match self {
            Self::Done(receipt) => &receipt.remote_id,
            Self::Accepted(handle) => &handle.remote_id,
        }
    }
}

/// The platform's word that something is public.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The platform's id.
    pub remote_id: String,
    /// Where it can be seen, where that is known.
    pub url: Option<String>,
    /// When it became public, where the platform says.
    pub at: Option<DateTime<Utc>>,
    /// What else the connector needs to measure or delete it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

impl Receipt {
    /// A receipt of an id alone.
    #[must_use]
    pub fn new(remote_id: impl Into<String>) -> Self {
        Self {
            remote_id: remote_id.into(),
            url: None,
            at: None,
            data: Value::Null,
        }
    }

    /// Marks a receipt whose id is not the post's own: the post is public, but the platform has not said which of the
    /// account's posts it is.
    #[must_use]
    pub fn unlisted(mut self) -> Self {
        self.data[UNLISTED] = true.into();
        self
    }

    /// Whether it names none of the account's posts.
    #[must_use]
    pub fn is_unlisted(&self) -> bool {
        self.data[UNLISTED] == true
    }

    /// With the end of its first comment: its id as `comment` in the data. One that the platform refused for good
    /// is [`comment_error`](Self::comment_error), since the post is public all the same.
    ///
    /// # Errors
    /// What does not settle the comment: it may be there, or go once one waits or connects the account again. The receipt
    /// stands with it ([`Error::receipt`]).
    pub fn commented(mut self, sent: Result<String>) -> Result<Self> {
        match sent {
            Ok(id) => self.data["comment"] = id.into(),
            Err(error) => return self.without(COMMENT_ERROR, error),
        }
        Ok(self)
    }

    /// Of a thread that ends before this part, which the platform refused for good: that is
    /// [`thread_error`](Self::thread_error), since the parts before it are public all the same.
    ///
    /// # Errors
    /// What is no word on the part: it may be there, or go once one waits, pays or connects the account again. The receipt
    /// stands with it ([`Error::receipt`]).
    pub fn cut_short(self, error: Error) -> Result<Self> {
        let refused = matches!(error.kind(), ErrorKind::Duplicate | ErrorKind::Forbidden);
        match refused || is_last_word(error.kind()) {
            true => self.without(THREAD_ERROR, error),
            false => Err(error.with_receipt(self)),
        }
    }

    /// With the end of sharing a notice's files. A refusal for good is [`files_error`](Self::files_error), since the
    /// message is there all the same.
    ///
    /// # Errors
    /// What does not settle it: they may be there, or go once one waits or connects the account again. The receipt stands
    /// with it ([`Error::receipt`]).
    pub fn shared(self, files: Result<()>) -> Result<Self> {
        match files {
            Ok(()) => Ok(self),
            Err(error) => self.without(FILES_ERROR, error),
        }
    }

    fn without(mut self, what: &str, error: Error) -> Result<Self> {
        let waits = matches!(
            error.kind(),
            ErrorKind::Unauthorized | ErrorKind::ApiVersionRetired
        );
        if waits || error.retry() != Retry::Never || error.platform().is_none() {
            return Err(error.with_receipt(self));
        }
        self.data[what] = json!(ErrorRecord::from(&error));
        Ok(self)
    }

    /// Why it stands without the first comment that it was to have.
    #[must_use]
    pub fn comment_error(&self) -> Option<ErrorRecord> {
        ErrorRecord::deserialize(self.data.get(COMMENT_ERROR)?).ok()
    }

    /// Why a notice stands without its files.
    #[must_use]
    pub fn files_error(&self) -> Option<ErrorRecord> {
        ErrorRecord::deserialize(self.data.get(FILES_ERROR)?).ok()
    }

    /// Why its thread stops before the end; a first comment is then missing too.
    #[must_use]
    pub fn thread_error(&self) -> Option<ErrorRecord> {
        ErrorRecord::deserialize(self.data.get(THREAD_ERROR)?).ok()
    }
}

/// Where a receipt's data says that it names no post.
const UNLISTED: &str = "unlisted";
/// Where a receipt's data says why there is no comment, why the thread is short, and why there are no files.
const COMMENT_ERROR: &str = "comment_error";
const FILES_ERROR: &str = "files_error";
const THREAD_ERROR: &str = "thread_error";

/// Something a platform took and has not made public yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Handle {
    /// The platform's id: a container, an upload, a scheduled post or a draft.
    pub remote_id: String,
    /// When the platform will publish it, where known; there is no need to ask before.
    pub due: Option<DateTime<Utc>>,
    /// What else the connector needs to ask for it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

/// What was about to be sent, committed before the first byte left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The same on every attempt.
    pub key: String,
    /// What was to be said.
    pub post: Post,
    /// When the sending began, by our clock.
    pub at: DateTime<Utc>,
}

/// The answer to "did it go through?".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lookup {
    /// It did.
    Found(Outcome),
    /// It surely did not: it may be sent again.
    Absent,
    /// The platform cannot be searched well enough; the text says why.
    CannotTell(String),
}

impl Lookup {
    /// What a look ended in as the answer of [`Publisher::find`]: an error that says `CannotTell` is one.
    ///
    /// # Errors
    /// All others of the look.
    pub fn told(look: Result<Self>) -> Result<Self> {
        match look {
            Err(error) if error.kind() == ErrorKind::CannotTell => {
                Ok(Self::CannotTell(error.message().to_owned()))
            }
            look => look,
        }
    }

    /// The answer as [`Context::once`] asks for it.
    ///
    /// # Errors
    /// `CannotTell`.
    pub fn into_once(self) -> Result<Option<Outcome>> {
        match self {
            Self::Found(outcome) => Ok(Some(outcome)),
            Self::Absent => Ok(None),
            Self::CannotTell(why) => Err(Error::new(ErrorKind::CannotTell, why)),
        }
    }
}

/// Numbers about a published post, in one vocabulary, with the platform's own beside them.
/// A number that the platform does not give is absent, never zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// Times it was shown.
    pub impressions: Option<u64>,
    /// People it was shown to.
    pub reach: Option<u64>,
    /// Times a video was played.
    pub views: Option<u64>,
    /// Likes and other reactions.
    pub likes: Option<u64>,
    /// Replies and comments.
    pub comments: Option<u64>,
    /// Shares, reposts and quotes.
    pub shares: Option<u64>,
    /// Saves and bookmarks.
    pub saves: Option<u64>,
    /// Clicks on its link.
    pub clicks: Option<u64>,
    /// Times somebody did something with it, of whatever kind the platform counts.
    pub engagements: Option<u64>,
    /// The platform's own names and values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub raw: BTreeMap<String, Value>,
}

impl Metrics {
    /// The numbers of several posts together. A number is there when one of them has it; what is the
    /// platforms' own stays with each.
    ///
    /// ```
    /// use automarket_core::Metrics;
    /// let one = Metrics { likes: Some(2), ..Metrics::default() };
    /// let two = Metrics { likes: Some(3), views: Some(7), ..Metrics::default() };
    /// let sum = Metrics::sum([&one, &two]);
    /// assert_eq!((sum.likes, sum.views, sum.clicks), (Some(5), Some(7), None));
    /// ```
    #[must_use]
    pub fn sum<'a>(of: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        for one in of {
            for (total, number) in [
                (&mut sum.impressions, one.impressions),
                (&mut sum.reach, one.reach),
                (&mut sum.views, one.views),
                (&mut sum.likes, one.likes),
                (&mut sum.comments, one.comments),
                (&mut sum.shares, one.shares),
                (&mut sum.saves, one.saves),
                (&mut sum.clicks, one.clicks),
                (&mut sum.engagements, one.engagements),
            ] {
                if let Some(number) = number {
                    *total = Some(total.unwrap_or(0).saturating_add(number));
                }
            }
        }
        sum
    }
}

/// Whether an error of this kind is the platform's last word on a post that it took, and asking
/// ([`Publisher::poll`]) ends with it: `ContentRefused`, `InvalidInput` and `NotFound`.
#[must_use]
pub fn is_last_word(kind: ErrorKind) -> bool {
    use ErrorKind::{ContentRefused, InvalidInput, NotFound};
    matches!(kind, ContentRefused | InvalidInput | NotFound)
}

/// The rule of an error by which [`Publisher::poll`] says for sure that what the platform took did not and will not go out,
/// though errors of its kind are asked again: the network's login was lost when it was due (`Unauthorized`), or its limit
/// reached (`RateLimited`).
pub const NOT_SENT: &str = "platform.not_sent";

/// Whether an error of this kind and rule ends a post that the platform took: its [last word](is_last_word), or
/// [`NOT_SENT`].
#[must_use]
pub fn ends_post(kind: ErrorKind, rule: Option<&str>) -> bool {
    is_last_word(kind) || rule == Some(NOT_SENT)
}

/// What a question about a post ended in: that it is not found is a word on the post only where the platform knows that
/// it is gone, since an address that leads nowhere says so too. Else it is `UnexpectedReply`, and not the
/// [last word](is_last_word).
#[must_use]
pub fn about_post(error: Error, is_gone: bool) -> Error {
    match error.kind() {
        ErrorKind::NotFound if !is_gone => error.with_kind(ErrorKind::UnexpectedReply),
        _ => error,
    }
}

/// What stands against a content: what the [checks](check()) find by these rules, and what the connector does that it
/// goes through, where there is one.
#[must_use]
pub fn judge(
    content: &Content,
    delivery: Delivery,
    rules: &Profile,
    voice: &Voice,
    publisher: Option<&dyn Publisher>,
    account: Option<&Account>,
) -> Report {
    let mut report = check(content, rules, voice);
    if let Some(publisher) = publisher {
        report.add(publisher.check(content, delivery, account));
    }
    report
}

/// The rules a post has to keep on an account: those of the network it speaks on, with what its connector
/// can do.
#[must_use]
pub fn rules_for(account: &Account, publisher: &dyn Publisher) -> Profile {
    let mut publisher = publisher.profile_for(account);
    if account.network == publisher.platform {
        return publisher;
    }
    match networks::profile(&account.network) {
        Some(mut network) => {
            network.abilities = publisher.abilities;
            network
        }
        // Its connector's word is all that is known of it.
        None => {
            publisher.platform = account.network.clone();
            publisher
        }
    }
}

/// What a post says on the context's account, when nothing stands against sending it: how a connector's
/// [`publish`](Publisher::publish) begins, before its first request.
///
/// # Errors
/// `Unsupported` for a way, a thread or a first comment that the account's profile does not declare; `InvalidInput` with
/// the rule and remedy of the first blocker that [`judge`] finds.
pub fn require(publisher: &dyn Publisher, cx: &Context, post: &Post) -> Result<Content> {
    let account = cx.account();
    let rules = match account {
        Some(account) => rules_for(account, publisher),
        None => publisher.profile().clone(),
    };
    let network = account.map_or(&rules.platform, |account| &account.network);
    let content = post.content_for(network, account.map(|account| account.id));
    let able = rules.abilities;
    let takes = match post.delivery {
        Delivery::Now => able.publish,
        Delivery::At(_) => able.schedule,
        Delivery::Draft => able.draft,
        Delivery::Queue => able.queue,
    };
    if !takes
        || !able.thread && !content.thread.is_empty()
        || !able.first_comment && content.first_comment.is_some()
    {
        return Err(undeclared(publisher.profile(), "publish"));
    }
    let (voice, own) = (Voice::default(), Some(publisher));
    judge(&content, post.delivery, &rules, &voice, own, account).require()?;
    Ok(content)
}

/// The error for an operation that a profile does not declare.
#[must_use]
pub fn undeclared(profile: &Profile, operation: &'static str) -> Error {
    Error::unsupported(format!("{} does not do this", profile.name))
        .with_platform(&profile.platform)
        .with_operation(operation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_final_refusal_settles_what_is_missing() {
        let receipt = || Receipt::new("1");
        let sent = receipt().commented(Ok("2".into())).unwrap();
        assert_eq!(sent.data, json!({"comment": "2"}));
        assert_eq!(sent.comment_error(), None);
        let said = |kind| Error::new(kind, "no").with_platform(&Platform::X);
        let refused = receipt().commented(Err(said(ErrorKind::Forbidden)));
        let why = refused.unwrap().comment_error().unwrap();
        assert_eq!(why.kind, ErrorKind::Forbidden);
        let short = receipt().cut_short(said(ErrorKind::Duplicate)).unwrap();
        assert_eq!(short.thread_error().unwrap().kind, ErrorKind::Duplicate);
        assert_eq!(short.comment_error(), None);
        // That this answer is not allowed no waiting changes; credits can be bought.
        let short = receipt().cut_short(said(ErrorKind::Forbidden)).unwrap();
        assert_eq!(short.thread_error().unwrap().kind, ErrorKind::Forbidden);
        let unpaid = receipt().cut_short(said(ErrorKind::QuotaExhausted));
        assert_eq!(unpaid.unwrap_err().receipt(), Some(&receipt()));
        for open in [
            said(ErrorKind::Unauthorized),
            said(ErrorKind::ApiVersionRetired),
            said(ErrorKind::RateLimited),
            said(ErrorKind::CannotTell),
            said(ErrorKind::UnexpectedReply).with_retry(Retry::Reconcile),
            // Not the platform's word.
            Error::new(ErrorKind::LeaseLost, "lost"),
        ] {
            let kind = open.kind();
            let open = receipt().commented(Err(open)).unwrap_err();
            assert_eq!((open.kind(), open.receipt()), (kind, Some(&receipt())));
        }
    }
}
