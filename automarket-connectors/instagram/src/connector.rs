use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use automarket_connector_graph::{
    Graph, Within, own_comment, page_credential, same, unless_listed,
};
use automarket_core::{
    Content, Context, Delivery, Error, ErrorKind, Handle, Identity, Intent, Lookup, Metrics,
    Outcome, Post, Profile, Publisher, Receipt, Result, Retry, Secret, async_trait,
    check::Finding,
    chrono::{DateTime, Utc},
    publisher::{require, undeclared},
    store::Account,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    InstagramConfig, InstagramOptions, Login, PLATFORM,
    api::Api,
    container::{self, Ready, Stage},
    error::{BLOCKED, DEAD, GONE, blocked, quota, refine},
    find::{BEGUN, Begun, Said, find, holds},
    rules,
    wire::{self, Comment, Me, Named, Page, Quotas},
};

/// How long after a block the container's status may still come to say that it was published.
const SURE: Duration = Duration::from_secs(5 * 60);

/// Publishes on Instagram: images, reels, carousels and stories of professional accounts.
///
/// - The credential is a token of either login ([`oauth`](crate::oauth),
///   [`oauth_facebook`](crate::oauth_facebook)); `login` in [`InstagramConfig`] or the account's settings says which.
/// - Instagram fetches media itself: what has no public address needs a
///   [`MediaHost`](automarket_core::media::MediaHost).
/// - A container is made, waited for and published; each is a step, and its id outlives a crash. A container is
///   published once: after a lost answer its status tells.
#[derive(Clone, Debug)]
pub struct Instagram {
    config: InstagramConfig,
    app_secret: Option<Secret>,
    profile: Profile,
}

impl Instagram {
    /// A connector.
    #[must_use]
    pub fn new(config: InstagramConfig) -> Self {
        let profile = rules::profile(config.login);
        Self {
            config,
            app_secret: None,
            profile,
        }
    }

    /// Sets the app's secret: every call then carries `appsecret_proof`, which an app can be made to demand. For
    /// accounts that were connected with Facebook's login the secret of the app of their tokens is taken.
    #[must_use]
    pub fn with_app_secret(mut self, secret: Secret) -> Self {
        self.app_secret = Some(secret);
        self
    }

    fn graph<'a>(&'a self, cx: &'a Context, config: &'a InstagramConfig) -> Result<Graph<'a>> {
        Ok(Graph {
            platform: PLATFORM,
            base_url: config.base_url(),
            version: &config.version,
            token: cx.token()?,
            app_secret: match config.login {
                Login::Facebook => cx.app_secret().or(self.app_secret.as_ref()),
                Login::Instagram => self.app_secret.as_ref(),
            },
            refine,
        })
    }

    fn api<'a>(&'a self, cx: &'a Context, config: &'a InstagramConfig) -> Result<Api<'a>> {
        let account = match (cx.account(), config.login) {
            (Some(account), _) => &account.remote_id,
            (None, Login::Instagram) => "me",
            // There it would be the page.
            (None, Login::Facebook) => {
                return Err(Error::new(
                    ErrorKind::Config,
                    "with Facebook's login the account has to be named",
                )
                .with_platform(&PLATFORM)
                .with_remedy("give the context an account that identify listed"));
            }
        };
        Ok(Api {
            graph: self.graph(cx, config)?,
            login: config.login,
            account,
        })
    }

    async fn create(&self, cx: &Context, post: &Post) -> Result<Outcome> {
        let mut content = require(self, cx, post)?;
        let config = cx.config(&self.config)?;
        let api = self.api(cx, &config)?;
        let options: InstagramOptions = content.options()?;
        cx.intends("instagram", &(&content, post.delivery))?;
        let begin = || self.begin(cx, &api, content.clone());
        let kept: Begun = cx.step(BEGUN, begin).await?;
        let begun = kept.at;
        for (media, kind) in content.media.iter_mut().zip(kept.kinds) {
            media.kind = kind;
        }
        let said = kept.said.unwrap_or_else(|| Said::of(&content));
        (content.text, content.first_comment) = (said.caption, said.comment);
        let sending = Sending {
            cx,
            api: &api,
            caption: &content.text,
            story: options.story,
            begun,
            looked: AtomicBool::new(false),
        };
        let mut round = container::latest(cx, &content).await?;
        loop {
            let container = match container::prepare(cx, &api, &content, &options, round).await? {
                Ready::Container(id) => id,
                Ready::Gone(why) => {
                    round += 1;
                    container::another(cx, round, &why).await?;
                    continue;
                }
            };
            let dead = AtomicBool::new(false);
            let look = || sending.look(&container, &dead);
            let step = format!("instagram.{round}.publish");
            let send = || sending.send(&container, &dead, &step);
            match cx.once(&step, look, send).await {
                Err(error) if error.rule() == Some(DEAD) => {
                    container::end(cx, round, "the container ran out").await?;
                }
                Err(error) => return Err(error),
                Ok(Sent::Unlisted) => {
                    let mut receipt = Receipt::new(container).unlisted();
                    if content.first_comment.is_some() {
                        receipt = receipt.commented(Err(unlisted().about("the first comment")))?;
                    }
                    return Ok(Outcome::Done(receipt));
                }
                Ok(Sent::Media(id)) => {
                    let mut receipt = Receipt::new(&*id);
                    receipt.data = made(begun, cx.now());
                    if let Some(text) = &content.first_comment {
                        receipt = receipt.commented(comment(cx, &api, &id, text).await)?;
                    }
                    // That it is public is known, whether or not its address is.
                    let media = api.graph.ask::<wire::Media>(cx, api.permalink(&id)?).await;
                    receipt.url = media.ok().and_then(|media| media.permalink);
                    return Ok(Outcome::Done(receipt));
                }
            }
        }
    }

    /// Looks into the media and at the quota before anything is made.
    async fn begin(&self, cx: &Context, api: &Api<'_>, mut content: Content) -> Result<Begun> {
        content.inspect(cx, &self.profile.media).await?;
        rules::require(&content, &self.profile)?;
        within_quota(cx, api).await?;
        Ok(Begun {
            at: cx.now(),
            kinds: content.media.iter().map(|media| media.kind).collect(),
            said: Some(Said::of(&content)),
        })
    }

    async fn lookup(&self, cx: &Context, intent: &Intent) -> Result<Lookup> {
        let config = cx.config(&self.config)?;
        let api = self.api(cx, &config)?;
        let content = content(cx, &intent.post);
        let options: InstagramOptions = content.options()?;
        let said = Begun::kept(cx, intent).await?;
        let caption = said.unwrap_or_else(|| Said::of(&content)).caption;
        if options.story || caption.is_empty() {
            let why = "a story, or what has no caption, cannot be told from others";
            return Ok(Lookup::CannotTell(why.to_owned()));
        }
        let look = || find(cx, &api, &caption, intent.at);
        Ok(match cx.look_late(look).await? {
            None => Lookup::Absent,
            Some(media) => Lookup::Found(Outcome::Done(Receipt {
                url: media.permalink,
                data: made(intent.at, cx.now()),
                ..Receipt::new(media.id)
            })),
        })
    }

    async fn numbers(&self, cx: &Context, receipt: &Receipt) -> Result<Metrics> {
        let config = cx.config(&self.config)?;
        let api = self.api(cx, &config)?;
        let id = listed(receipt)?;
        let media = api.graph.ask(cx, api.counts(id)?).await;
        let media: wire::Media = match media {
            Ok(media) => media,
            Err(error) => {
                let look = holds(cx, &api, Within::of(&receipt.data), id);
                return Err(unless_listed(error, look).await);
            }
        };
        let kind = media.media_product_type.as_deref().unwrap_or_default();
        let names = insights(kind);
        let path = [id, "insights"];
        let numbers = api.graph.insights(cx, "media.insights", &path, names).await;
        let numbers = match numbers {
            // Without the permission, or with too few viewers of a story, there are the counts.
            Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) => {
                BTreeMap::new()
            }
            numbers => numbers?,
        };
        let number = |name: &str| numbers.get(name).and_then(Value::as_u64);
        Ok(Metrics {
            impressions: number("views"),
            views: number("views").filter(|_| kind == "REELS"),
            reach: number("reach"),
            likes: media.like_count,
            comments: media.comments_count.or_else(|| number("replies")),
            shares: number("shares"),
            saves: number("saved"),
            engagements: number("total_interactions"),
            raw: numbers,
            ..Metrics::default()
        })
    }
}

#[async_trait]
impl Publisher for Instagram {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn profile_for(&self, account: &Account) -> Profile {
        let login = Login::deserialize(&account.settings["login"]);
        rules::profile(login.unwrap_or(self.config.login))
    }

    fn check(&self, content: &Content, _: Delivery, _: Option<&Account>) -> Vec<Finding> {
        rules::findings(content)
    }

    /// With Instagram's login the account; with Facebook's every account that is linked to a page, each with
    /// its page's token. Also says when the version is no longer served (`ApiVersionRetired`).
    async fn identify(&self, cx: &Context) -> Result<Vec<Identity>> {
        let config = cx.config(&self.config)?;
        let graph = self.graph(cx, &config)?;
        let settings = json!({"login": config.login});
        if config.login == Login::Instagram {
            let query = [("fields", "user_id,username,name")];
            let reply = graph.send(cx, graph.get("me", &["me"], &query)?).await?;
            graph.require_version(&reply)?;
            let me: Me = reply
                .json()
                .map_err(|error| error.with_platform(&PLATFORM))?;
            let name = me.name.unwrap_or_else(|| me.username.clone());
            return Ok(vec![Identity {
                handle: Some(me.username),
                settings,
                ..Identity::new(wire::id(&me.user_id), PLATFORM, name)
            }]);
        }
        let own = "name,instagram_business_account{id,username,name}";
        let fields = format!("{own},access_token");
        let pages: Vec<Page> = graph.pages(cx, &fields, own).await?;
        let linked = pages.into_iter().filter_map(|page| {
            let linked = page.instagram_business_account?;
            Some(Identity {
                handle: linked.username,
                settings: settings.clone(),
                credential: page.access_token.map(|token| page_credential(cx, token)),
                ..Identity::new(linked.id, PLATFORM, linked.name.unwrap_or(page.name))
            })
        });
        Ok(linked.collect())
    }

    async fn publish(&self, cx: &Context, post: &Post) -> Result<Outcome> {
        let outcome = self.create(cx, post).await;
        outcome.map_err(|error| error.with_platform(&PLATFORM))
    }

    /// Processing is waited for before publishing: there is nothing to ask for.
    async fn poll(&self, _: &Context, _: &Handle) -> Result<Outcome> {
        Err(undeclared(&self.profile, "media.poll"))
    }

    async fn find(&self, cx: &Context, intent: &Intent) -> Result<Lookup> {
        let found = Lookup::told(self.lookup(cx, intent).await);
        found.map_err(|error| error.with_platform(&PLATFORM))
    }

    async fn measure(&self, cx: &Context, receipt: &Receipt) -> Result<Metrics> {
        let numbers = self.numbers(cx, receipt).await;
        numbers.map_err(|error| error.with_platform(&PLATFORM))
    }

    /// Only with Facebook's login.
    async fn delete(&self, cx: &Context, receipt: &Receipt) -> Result<()> {
        let config = cx.config(&self.config)?;
        let api = self.api(cx, &config)?;
        if api.login == Login::Instagram {
            return Err(undeclared(&self.profile, "media.delete"));
        }
        let id = listed(receipt)?;
        let look = || holds(cx, &api, Within::of(&receipt.data), id);
        api.graph.remove(cx, "media.delete", id, look).await
    }
}

/// What became of publishing a container.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sent {
    /// It is this media.
    Media(String),
    /// It is public, and which media it is cannot be told.
    Unlisted,
}

/// The publishing of one container.
struct Sending<'a> {
    cx: &'a Context,
    api: &'a Api<'a>,
    caption: &'a str,
    story: bool,
    begun: DateTime<Utc>,
    /// Whether an earlier attempt's end was looked for.
    looked: AtomicBool,
}

impl Sending<'_> {
    /// What an earlier attempt left. Of a container that is `dead` nothing is out: whether there is time for
    /// another is not decided here.
    async fn look(&self, container: &str, dead: &AtomicBool) -> Result<Option<Sent>> {
        self.looked.store(true, Ordering::Relaxed);
        let became = self.became(container).await;
        if matches!(&became, Err(error) if error.rule() == Some(DEAD)) {
            dead.store(true, Ordering::Relaxed);
            return Ok(None);
        }
        became
    }

    async fn send(&self, container: &str, dead: &AtomicBool, step: &str) -> Result<Sent> {
        let block = format!("{step}.block");
        // One of before is no answer to who sends anew (`resend_unknown`).
        if self.looked.load(Ordering::Relaxed)
            && let Some(known) = self.cx.ended::<Block>(&block).await?
        {
            return Err(known.refusal(self.cx.now()));
        }
        if dead.load(Ordering::Relaxed) {
            return Err(container::dead());
        }
        let call = self.api.publish(container)?;
        let refusal = match self.api.graph.make(self.cx, call).await {
            Ok(id) => return Ok(Sent::Media(id)),
            Err(error) if error.is_unknown() || error.kind() == ErrorKind::Unauthorized => {
                return Err(error);
            }
            Err(error) => error,
        };
        // It may be dead, an earlier attempt whose answer was lost may have published it, and so may this one:
        // Instagram blocks and limits also what it does.
        match self.became(container).await {
            Ok(Some(sent)) => Ok(sent),
            _ if refusal.rule() == Some(BLOCKED) => {
                let told = || async { Ok(Block::of(&refusal, self.cx.now())) };
                let told: Result<Block> = self.cx.step(&block, told).await;
                let unread = |error: Error| error.with_retry(Retry::Reconcile);
                Err(told.map_err(unread)?.refusal(self.cx.now()))
            }
            Err(error) if error.rule() == Some(DEAD) || error.is_unknown() => Err(error),
            became if refusal.rule() == Some(GONE) => {
                Err(became.err().unwrap_or(refusal).with_retry(Retry::Reconcile))
            }
            // What is hidden may be out.
            Err(hidden)
                if hidden.kind() == ErrorKind::NotFound
                    && refusal.kind() == ErrorKind::QuotaExhausted =>
            {
                Err(refusal.with_retry(Retry::Reconcile))
            }
            _ => Err(refusal),
        }
    }

    /// What became of a container, by its status; `None` while it can be published.
    ///
    /// # Errors
    /// `Never` with the rule [`DEAD`]: it was not published and cannot be any more. `Reconcile`: it was, and which
    /// media it is could not be asked.
    async fn became(&self, container: &str) -> Result<Option<Sent>> {
        match container::stage(self.cx, self.api, container).await? {
            Stage::Finished => Ok(None),
            Stage::Working => Err(container::working()),
            Stage::Gone(_) | Stage::Refused(_) => Err(container::dead()),
            // That it is public is known, whatever keeps the list away.
            Stage::Published => match self.which().await {
                Ok(sent) => Ok(Some(sent)),
                Err(error) => Err(error.with_retry(Retry::Reconcile)),
            },
        }
    }

    /// Which media was made of it: the only one with its caption since. It may be listed late.
    async fn which(&self) -> Result<Sent> {
        if self.story || self.caption.is_empty() {
            return Ok(Sent::Unlisted);
        }
        let look = || find(self.cx, self.api, self.caption, self.begun);
        match self.cx.look_late(look).await {
            Err(error) if error.kind() == ErrorKind::CannotTell => Ok(Sent::Unlisted),
            found => Ok(found?.map_or(Sent::Unlisted, |media| Sent::Media(media.id))),
        }
    }
}

/// A block of the account that was the answer to a publishing. Nothing is sent again to who is blocked.
#[derive(Debug, Serialize, Deserialize)]
struct Block {
    at: DateTime<Utc>,
    code: String,
    message: String,
}

impl Block {
    fn of(refusal: &Error, at: DateTime<Utc>) -> Self {
        Self {
            at,
            code: refusal.platform_code().unwrap_or_default().to_owned(),
            message: refusal.message().to_owned(),
        }
    }

    /// The refusal: the last word once the container's status would say that the post is public all the same.
    fn refusal(self, now: DateTime<Utc>) -> Error {
        let error = Error::new(ErrorKind::Forbidden, self.message)
            .with_platform(&PLATFORM)
            .with_operation("media.publish")
            .with_platform_code(self.code);
        let error = blocked(error);
        match (now - self.at).to_std().unwrap_or_default() < SURE {
            true => error.with_retry(Retry::Reconcile),
            false => error,
        }
    }
}

fn content(cx: &Context, post: &Post) -> Content {
    post.content_for(&PLATFORM, cx.account().map(|account| account.id))
}

/// The data of a receipt of what was made between these.
fn made(since: DateTime<Utc>, now: DateTime<Utc>) -> Value {
    let until = Some(now);
    json!(Within { since, until })
}

/// Which media it is, where that could be told.
fn listed(receipt: &Receipt) -> Result<&str> {
    // Receipts of before `Receipt::unlisted` name their container.
    match receipt.is_unlisted() || !receipt.data["container"].is_null() {
        true => Err(unlisted()),
        false => Ok(&receipt.remote_id),
    }
}

fn unlisted() -> Error {
    let why = "it is public, but Instagram does not say which of the account's posts it is";
    Error::new(ErrorKind::NotFound, why)
        .with_platform(&PLATFORM)
        .with_remedy("look for it in Instagram, and comment or delete it there")
}

/// Whether the account may post once more today.
async fn within_quota(cx: &Context, api: &Api<'_>) -> Result<()> {
    let quotas: Quotas = api.graph.ask(cx, api.quota()?).await?;
    let used_up = quotas.data.iter().find(|quota| {
        let config = quota.config.as_ref();
        config.is_some_and(|config| quota.quota_usage >= config.quota_total)
    });
    match used_up {
        None => Ok(()),
        Some(used) => Err(quota(
            Error::new(
                ErrorKind::QuotaExhausted,
                format!("all {} posts of a day are used", used.quota_usage),
            )
            .with_operation("media.quota"),
        )),
    }
}

async fn comment(cx: &Context, api: &Api<'_>, id: &str, text: &str) -> Result<String> {
    let look = || async {
        let (path, query) = ([id, "comments"], [("fields", "id,text,username")]);
        let listed = api.graph.list(cx, "comments.list", &path, &query).await;
        let mut comments: Vec<Comment> = listed?;
        comments.retain(|said| same(&said.text, text));
        if comments.is_empty() {
            return Ok(None);
        }
        let own: Named = api.graph.ask(cx, api.name()?).await?;
        let whose = |one: &Comment| Some(*one.username.as_ref()? == own.username);
        Ok(own_comment(comments, whose)?.map(|ours| ours.id))
    };
    let make = || async { api.graph.make(cx, api.comment(id, text)?).await };
    let send = || cx.until_seen("instagram.unseen", make);
    let sent: Result<String> = cx.once("instagram.comment", look, send).await;
    sent.map_err(|error| error.about(&format!("the first comment of {id}, which is public")))
}

/// What can be asked of a kind of media; `plays`, `impressions`, `video_views` and `engagement` are retired.
fn insights(kind: &str) -> &'static [&'static str] {
    match kind {
        "REELS" => &[
            "views",
            "reach",
            "saved",
            "shares",
            "total_interactions",
            "ig_reels_avg_watch_time",
            "ig_reels_video_view_total_time",
        ],
        "STORY" => &[
            "views",
            "reach",
            "replies",
            "shares",
            "navigation",
            "total_interactions",
        ],
        _ => &[
            "views",
            "reach",
            "saved",
            "shares",
            "total_interactions",
            "follows",
            "profile_visits",
        ],
    }
}
