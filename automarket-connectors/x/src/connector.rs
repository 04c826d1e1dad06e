use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use automarket_core::{
    Content, Context, Delivery, Error, ErrorKind, Handle, Identity, Intent, Lookup, Metrics,
    Outcome, Post, Profile, Publisher, Receipt, Result, Retry, async_trait,
    check::Finding,
    chrono::{DateTime, Utc},
    publisher::{about_post, require, undeclared},
    steps::REPEATED,
    store::Account,
};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::{
    PLATFORM, XConfig, XOptions,
    api::{Api, Part},
    error::{answer, ask, is_gone, told},
    find::{Wanted, pick, posts_since},
    media, rules,
    wire::{self, Created, Deleted, User},
};

/// The step that keeps when it was begun, and its texts.
const BEGUN: &str = "x.begun";
/// Why what is not listed may be out all the same.
const WORDLESS: &str = "a post without text is known by its files alone, and X refuses no repeat of it: look there, then \
                        send it again or leave it";
const NO_PROOF: &str = "X does not list it, which is no proof that it is not out: look there, then send it again or \
                        leave it";

/// Publishes on X: posts, threads, answers, quotes, polls, with images, GIFs and video.
///
/// - The credential is a user's OAuth 2.0 token ([`oauth`](crate::oauth)).
/// - Each part of a thread is a step of its own: whoever goes on after a crash answers the right part.
/// - A first comment is an answer to the first part.
/// - X has no key against repeats. A lost answer is looked up among the account's own posts by text and
///   time; X itself refuses the same text twice.
/// - What an [`XConfig`] says of an account can stand in the account's settings.
#[derive(Clone, Debug)]
pub struct X {
    config: XConfig,
    profile: Profile,
}

impl X {
    /// A connector for an app of this kind.
    #[must_use]
    pub fn new(config: XConfig) -> Self {
        let profile = rules::profile(&config);
        Self { config, profile }
    }

    /// What holds for an account. Settings that are none of X's are refused when they are used.
    fn config_of(&self, account: Option<&Account>) -> XConfig {
        let own = account.and_then(|account| account.config(&self.config).ok());
        own.unwrap_or_else(|| self.config.clone())
    }

    async fn create(&self, cx: &Context, post: &Post) -> Result<Outcome> {
        let config: XConfig = cx.config(&self.config)?;
        let content = require(self, cx, post)?;
        let profile = rules::profile(&config);
        let options: XOptions = content.options()?;
        let api = Api {
            config: &config,
            token: cx.token()?,
        };
        cx.intends("x", &(&content, post.delivery))?;
        let (begun, texts) = cx.begin(BEGUN, texts(&content, &profile)).await?;
        let parts = chained(&content, &texts);
        // What is out needs its media no more, whatever became of that since; what may be out is looked for before.
        let out = cx.ended::<String>(&step(0)).await?.is_some();
        let media = match out || cx.is_open(&step(0)).await? {
            true => Vec::new(),
            false => media::bring(cx, &api, &content, &profile).await?,
        };
        let mut ids: Vec<String> = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            let first = index == 0;
            let part = Part {
                text,
                reply_to: parent(parts, &options, &ids),
                media: if first { &media } else { &[] },
                options: first.then_some(&options),
                replies: options.replies.filter(|_| first),
            };
            let attempt = Attempt {
                cx,
                api: &api,
                begun,
                index,
                part: &part,
                content: &content,
                profile: &profile,
                again: AtomicBool::new(false),
            };
            let sent = cx
                .once(&step(index), || attempt.look(), || attempt.send())
                .await;
            match sent.map_err(|error| which(error, &ids, texts.len())) {
                Ok(id) => ids.push(id),
                Err(error) if first => return Err(error),
                Err(error) => {
                    let receipt = receipt(&config, ids);
                    return Ok(Outcome::Done(match index >= parts {
                        true => receipt.commented(Err(error))?,
                        false => receipt.cut_short(error)?,
                    }));
                }
            }
        }
        Ok(Outcome::Done(receipt(&config, ids)))
    }

    async fn lookup(&self, cx: &Context, intent: &Intent) -> Result<Lookup> {
        let config: XConfig = cx.config(&self.config)?;
        let api = Api {
            config: &config,
            token: cx.token()?,
        };
        let content = content(cx, &intent.post);
        let options: XOptions = content.options()?;
        let texts = texts(&content, &rules::profile(&config));
        let texts = cx.begun(BEGUN, intent, texts).await?;
        let parts = chained(&content, &texts);
        let known = match cx.key() == Some(&*intent.key) {
            true => media_of(cx, &content, 0).await?,
            false => content.media.is_empty().then(Vec::new),
        };
        let listed = || async {
            let posts = posts_since(cx, &api, intent.at).await?;
            let mut ids: Vec<String> = Vec::new();
            for (index, text) in texts.iter().enumerate() {
                let first = index == 0;
                let wanted = Wanted {
                    text,
                    reply_to: parent(parts, &options, &ids),
                    quote: options.quote.as_deref().filter(|_| first),
                    media: if first { known.as_deref() } else { Some(&[]) },
                };
                match pick(cx, &posts, wanted, intent.at).await? {
                    Some(id) => ids.push(id),
                    None => break,
                }
            }
            Ok(Some(ids).filter(|ids| !ids.is_empty()))
        };
        Ok(match cx.look_late(listed).await? {
            Some(ids) if ids.len() == texts.len() => {
                Lookup::Found(Outcome::Done(receipt(&config, ids)))
            }
            Some(ids) => Lookup::CannotTell(format!(
                "{} of {} parts are there; publishing with the same steps goes on",
                ids.len(),
                texts.len()
            )),
            None => match unproven(&config, texts.first().map_or("", String::as_str)) {
                Some(why) => Lookup::CannotTell(why.to_owned()),
                None => Lookup::Absent,
            },
        })
    }

    /// Numbers of a post; those for its author only where the token allows them and it is not too old.
    async fn numbers(&self, cx: &Context, id: &str) -> Result<Metrics> {
        let config: XConfig = cx.config(&self.config)?;
        let api = Api {
            config: &config,
            token: cx.token()?,
        };
        for non_public in [true, false] {
            let (reply, found) = answer::<Vec<wire::Post>>(cx, api.post(id, non_public)?).await?;
            if let Some(post) = found.data.unwrap_or_default().pop() {
                return Ok(metrics(post, found.includes));
            }
            let missing = found
                .errors
                .iter()
                .find(|problem| problem.kind.ends_with("/resource-not-found"));
            if let Some(missing) = missing {
                return Err(told(&reply, missing));
            }
            if !non_public {
                return Err(reply.unexpected("an answer without the post"));
            }
        }
        Err(Error::new(ErrorKind::NotFound, "there is no such post"))
    }
}

#[async_trait]
impl Publisher for X {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn profile_for(&self, account: &Account) -> Profile {
        rules::profile(&self.config_of(Some(account)))
    }

    fn check(&self, content: &Content, _: Delivery, account: Option<&Account>) -> Vec<Finding> {
        rules::findings(content, &self.config_of(account))
    }

    async fn identify(&self, cx: &Context) -> Result<Vec<Identity>> {
        let config: XConfig = cx.config(&self.config)?;
        let api = Api {
            config: &config,
            token: cx.token()?,
        };
        let user: User = ask(cx, api.me()?).await?;
        let plan = user.subscription_type.as_deref().unwrap_or_default();
        let verified = user.verified_type.as_deref().unwrap_or_default();
        let long_posts = matches!(plan, "Basic" | "Premium" | "PremiumPlus")
            || matches!(verified, "blue" | "business");
        let settings = json!({"username": user.username, "long_posts": long_posts});
        Ok(vec![Identity {
            handle: Some(user.username),
            settings,
            ..Identity::new(user.id, PLATFORM, user.name)
        }])
    }

    async fn publish(&self, cx: &Context, post: &Post) -> Result<Outcome> {
        let outcome = self.create(cx, post).await;
        outcome.map_err(|error| error.with_platform(&PLATFORM))
    }

    /// X publishes at once: there is nothing to ask for.
    async fn poll(&self, _: &Context, _: &Handle) -> Result<Outcome> {
        Err(undeclared(&self.profile, "posts.poll"))
    }

    async fn find(&self, cx: &Context, intent: &Intent) -> Result<Lookup> {
        Lookup::told(self.lookup(cx, intent).await)
    }

    /// The numbers of the first part.
    async fn measure(&self, cx: &Context, receipt: &Receipt) -> Result<Metrics> {
        let numbers = self.numbers(cx, &receipt.remote_id).await;
        numbers.map_err(|error| {
            let gone = is_gone(&error);
            about_post(error.with_platform(&PLATFORM), gone)
        })
    }

    /// Every part of a thread, the last first.
    async fn delete(&self, cx: &Context, receipt: &Receipt) -> Result<()> {
        let config: XConfig = cx.config(&self.config)?;
        let api = Api {
            config: &config,
            token: cx.token()?,
        };
        let mut ids = Vec::<String>::deserialize(&receipt.data["ids"]).unwrap_or_default();
        if ids.is_empty() {
            ids.push(receipt.remote_id.clone());
        }
        // Each is a step: what is gone counts as a deletion, and of these X allows fewer than a thread may have parts.
        for id in ids.iter().rev() {
            cx.step(&format!("x.delete.{id}"), || remove(cx, &api, id))
                .await?;
        }
        Ok(())
    }
}

async fn remove(cx: &Context, api: &Api<'_>, id: &str) -> Result<()> {
    match ask::<Deleted>(cx, api.delete(id)?).await {
        Ok(answer) if answer.deleted => Ok(()),
        Ok(_) => Err(Error::new(
            ErrorKind::UnexpectedReply,
            "X says that the post was not deleted",
        )
        .with_platform(&PLATFORM)),
        Err(error) if is_gone(&error) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(error.with_remedy(
            "look on X whether it is still there, and whether base_url is right, then delete it again",
        )),
        Err(error) => Err(error),
    }
}

/// Why a part of this text may be out though X does not list it.
fn unproven(config: &XConfig, text: &str) -> Option<&'static str> {
    match text.trim().is_empty() {
        true => Some(WORDLESS),
        false => (!config.trust_absence).then_some(NO_PROOF),
    }
}

/// The files that a part was sent with; `None` where it has some whose ids are not known.
async fn media_of(cx: &Context, content: &Content, index: usize) -> Result<Option<Vec<String>>> {
    if index > 0 || content.media.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let known = media::known(cx).await?;
    Ok(Some(known).filter(|known| !known.is_empty()))
}

fn content(cx: &Context, post: &Post) -> Content {
    post.content_for(&PLATFORM, cx.account().map(|account| account.id))
}

/// All parts in their order: the text, the thread, the first comment.
pub(crate) fn texts(content: &Content, profile: &Profile) -> Vec<String> {
    let thread = content.thread.iter().map(|part| part.trim_end().to_owned());
    let comment = content.first_comment.iter();
    let comment = comment.map(|text| text.trim().to_owned());
    std::iter::once(content.final_text(profile))
        .chain(thread)
        .chain(comment)
        .collect()
}

/// How many of these texts are the post and its thread: one that is left is the comment.
fn chained(content: &Content, texts: &[String]) -> usize {
    let comments = usize::from(content.first_comment.is_some());
    texts.len().saturating_sub(comments)
}

/// The step that is the sending of a part.
fn step(index: usize) -> String {
    format!("x.post.{index}")
}

/// What the next part answers: the part before it, the comment the first part, and the first part whatever
/// the post is said to answer.
fn parent<'a>(parts: usize, options: &'a XOptions, sent: &'a [String]) -> Option<&'a str> {
    if sent.len() >= parts {
        sent.first().map(String::as_str)
    } else {
        sent.last()
            .or(options.reply_to.as_ref())
            .map(String::as_str)
    }
}

/// The sending of one part.
struct Attempt<'a> {
    cx: &'a Context,
    api: &'a Api<'a>,
    /// When the post was begun.
    begun: DateTime<Utc>,
    index: usize,
    part: &'a Part<'a>,
    content: &'a Content,
    profile: &'a Profile,
    /// Whether it may have been sent before.
    again: AtomicBool,
}

impl Attempt<'_> {
    /// Looks for what an earlier attempt may have left; `None` when it is taken not to have gone out.
    async fn look(&self) -> Result<Option<String>> {
        self.again.store(true, Ordering::Relaxed);
        let found = self.find().await?;
        if found.is_none()
            && let Some(why) = unproven(self.api.config, self.part.text)
        {
            return Err(Error::new(ErrorKind::CannotTell, why));
        }
        Ok(found)
    }

    async fn find(&self) -> Result<Option<String>> {
        self.cx.look_late(|| self.listed()).await
    }

    async fn listed(&self) -> Result<Option<String>> {
        let posts = posts_since(self.cx, self.api, self.begun).await?;
        let options = self.part.options;
        let media = media_of(self.cx, self.content, self.index).await?;
        let wanted = Wanted {
            text: self.part.text,
            reply_to: self.part.reply_to,
            quote: options.and_then(|options| options.quote.as_deref()),
            media: media.as_deref(),
        };
        pick(self.cx, &posts, wanted, self.begun).await
    }

    async fn send(&self) -> Result<String> {
        let mut part = *self.part;
        let brought;
        if self.index == 0 && self.again.load(Ordering::Relaxed) {
            let bringing = media::bring(self.cx, self.api, self.content, self.profile);
            // That a file is gone, too, says nothing of the sending before.
            brought = bringing
                .await
                .map_err(|error| error.with_retry(Retry::Reconcile))?;
            part.media = &brought;
        }
        let create = || async {
            let call = self.api.create(&part)?;
            Ok(ask::<Created>(self.cx, call).await?.id)
        };
        let answers_ours = self.part.options.is_none();
        let sent = if answers_ours {
            let step = format!("x.unseen.{}", self.index);
            self.cx.until_seen(&step, create).await
        } else {
            create().await
        };
        match sent {
            // It did go through, and the search did not show it.
            Err(error)
                if error.kind() == ErrorKind::Duplicate && self.again.load(Ordering::Relaxed) =>
            {
                let found = self.find().await.ok().flatten();
                found.ok_or_else(|| error.with_rule(REPEATED))
            }
            // It may be what a sending before this one left; or a text that the account said elsewhere.
            Err(error) if error.kind() == ErrorKind::Duplicate && answers_ours => {
                let found = self.find().await.ok().flatten();
                found.ok_or(error)
            }
            sent => sent,
        }
    }
}

/// Says which part failed, and what is public already.
fn which(error: Error, sent: &[String], parts: usize) -> Error {
    match sent.first() {
        None => error,
        Some(first) => error.about(&format!(
            "part {} of {parts}, after those from {first} on are public",
            sent.len() + 1
        )),
    }
}

fn receipt(config: &XConfig, ids: Vec<String>) -> Receipt {
    let first = ids.first().cloned().unwrap_or_default();
    let url = match &config.username {
        Some(name) => format!("https://x.com/{name}/status/{first}"),
        None => format!("https://x.com/i/web/status/{first}"),
    };
    Receipt {
        url: Some(url),
        data: json!({"ids": ids}),
        ..Receipt::new(first)
    }
}

fn metrics(post: wire::Post, includes: wire::Includes) -> Metrics {
    let number = |map: &BTreeMap<String, Value>, names: &[&str]| {
        names.iter().find_map(|name| map.get(*name)?.as_u64())
    };
    let public = |names: &[&str]| number(&post.public_metrics, names);
    let reposts = public(&["retweet_count", "repost_count"]);
    let quotes = public(&["quote_count"]);
    let shares = match (reposts, quotes) {
        (None, None) => None,
        _ => Some(reposts.unwrap_or_default() + quotes.unwrap_or_default()),
    };
    let views: Vec<u64> = includes
        .media
        .iter()
        .filter_map(|media| number(&media.public_metrics, &["view_count"]))
        .collect();
    let mut raw = BTreeMap::new();
    for (group, values) in [
        ("public", &post.public_metrics),
        ("non_public", &post.non_public_metrics),
    ] {
        let named = values
            .iter()
            .map(|(name, value)| (format!("{group}.{name}"), value.clone()));
        raw.extend(named);
    }
    Metrics {
        impressions: public(&["impression_count"])
            .or_else(|| number(&post.non_public_metrics, &["impression_count"])),
        likes: public(&["like_count"]),
        comments: public(&["reply_count"]),
        shares,
        saves: public(&["bookmark_count"]),
        clicks: number(&post.non_public_metrics, &["url_link_clicks"]),
        engagements: number(&post.non_public_metrics, &["engagements"]),
        views: (!views.is_empty()).then(|| views.iter().sum()),
        raw,
        ..Metrics::default()
    }
}
