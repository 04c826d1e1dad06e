use std::{collections::BTreeMap, sync::atomic::AtomicBool, time::Duration};

use automarket_connector_graph::{Graph, Within, page_credential, unless_listed};
use automarket_core::{
    Content, Context, Delivery, Error, ErrorKind, Handle, Identity, Intent, Lookup, Metrics,
    Outcome, Post, Profile, Publisher, Receipt, Result, Retry, Secret, async_trait,
    check::Finding,
    chrono::{DateTime, TimeDelta, Utc},
    publisher::{require, undeclared},
    store::Account,
};
use serde_json::Value;

use crate::{
    FacebookConfig, PLATFORM,
    api::Api,
    error::refine,
    find::{BEGUN, Place, Said, Sent, find, holds},
    kind::Kind,
    rules,
    send::{Draft, UNLISTED, done},
    wire::{self, Page},
};

/// What was just made may not be seen everywhere for so long.
const UNSEEN: TimeDelta = TimeDelta::minutes(5);
/// How long until it is looked for again.
const AGAIN: Duration = Duration::from_secs(30);
/// How long until a video is asked for again that a list shows, and its id does not.
const LATER: Duration = Duration::from_secs(10 * 60);
/// Each of these lets a user publish on a page: those of pages of old, and of the New Pages Experience.
const PUBLISHING_TASKS: [&str; 4] = [
    "CREATE_CONTENT",
    "MANAGE",
    "PROFILE_PLUS_CREATE_CONTENT",
    "PROFILE_PLUS_FULL_CONTROL",
];
/// What is asked of posts; the metrics before these were retired in 2025 and 2026.
const POST_METRICS: [&str; 4] = [
    "post_media_view",
    "post_total_media_view_unique",
    "post_clicks",
    "post_reactions_by_type_total",
];

/// Publishes on Facebook pages: text, links, photos, videos and reels, at once, at a time that Facebook keeps, or
/// as a draft there.
///
/// - The credential is a page's token; [`identify`](Publisher::identify) with a user's token gives those of
///   all pages ([`oauth`](crate::oauth)).
/// - Photos and videos are uploaded first, seen by nobody; one call then makes them public.
/// - Facebook has no key against repeats. A lost answer is looked up among the page's posts by text and time,
///   and of a video by its id.
#[derive(Clone, Debug)]
pub struct Facebook {
    config: FacebookConfig,
    app_secret: Option<Secret>,
    profile: Profile,
}

impl Facebook {
    /// A connector.
    #[must_use]
    pub fn new(config: FacebookConfig) -> Self {
        Self {
            config,
            app_secret: None,
            profile: rules::profile(),
        }
    }

    /// Sets the app's secret: every call then carries `appsecret_proof`, which an app can be made to demand. For
    /// accounts that were connected the secret of the app of their tokens is taken, so that several apps, and
    /// those of tenants, stand side by side.
    #[must_use]
    pub fn with_app_secret(mut self, secret: Secret) -> Self {
        self.app_secret = Some(secret);
        self
    }

    /// Changes the text of a post that is public or scheduled. Only the app that made it may; the text of
    /// videos cannot be changed.
    ///
    /// # Errors
    /// `InvalidInput` for an empty or too long text, `Unsupported` for a video, and what Facebook says.
    pub async fn edit(&self, cx: &Context, receipt: &Receipt, text: &str) -> Result<()> {
        if Kind::of(&receipt.data) != Kind::Post {
            return Err(undeclared(&self.profile, "posts.edit"));
        }
        rules::require(&Content::text(text), &self.profile, Delivery::Now)?;
        let config = cx.config(&self.config)?;
        let api = self.api(cx, &config)?;
        let call = api.edit(&receipt.remote_id, text)?;
        done(api.graph.did(cx, call).await?, "posts.edit")
    }

    fn api<'a>(&'a self, cx: &'a Context, config: &'a FacebookConfig) -> Result<Api<'a>> {
        let account = cx.account();
        Ok(Api {
            graph: Graph {
                platform: PLATFORM,
                base_url: &config.base_url,
                version: &config.version,
                token: cx.token()?,
                app_secret: cx.app_secret().or(self.app_secret.as_ref()),
                refine,
            },
            config,
            page: account.map_or("me", |account| &account.remote_id),
        })
    }

    async fn create(&self, cx: &Context, post: &Post) -> Result<Outcome> {
        let delivery = post.delivery;
        let content = require(self, cx, post)?;
        let config = cx.config(&self.config)?;
        let api = self.api(cx, &config)?;
        let options = rules::options(&content)?;
        cx.intends("facebook", &(&content, delivery))?;
        // Once begun, a time that has come nearer is no reason to stop.
        if let Delivery::At(due) = delivery
            && cx.ended::<Value>(BEGUN).await?.is_none()
        {
            rules::require_time(due, cx.now())?;
        }
        let said = Said::of(&content, &self.profile);
        let (begun, said) = cx.begin(BEGUN, said).await?;
        let draft = Draft {
            cx,
            api: &api,
            said,
            begun,
            delivery,
            content: &content,
            options: &options,
            again: AtomicBool::new(false),
        };
        if rules::is_video(&content) {
            draft.video(&self.profile).await
        } else {
            draft.post(&self.profile).await
        }
    }

    async fn lookup(&self, cx: &Context, intent: &Intent) -> Result<Lookup> {
        let config = cx.config(&self.config)?;
        let api = self.api(cx, &config)?;
        let content = content(cx, &intent.post);
        let options = rules::options(&content)?;
        let delivery = intent.post.delivery;
        let said = Said::of(&content, &self.profile);
        let said = cx.begun(BEGUN, intent, said).await?;
        if said.text.trim().is_empty() {
            return Ok(Lookup::CannotTell(
                "a post without text cannot be told from others".to_owned(),
            ));
        }
        let kind = match (rules::is_video(&content), options.reel) {
            (false, _) => Kind::Post,
            (true, false) => Kind::Video,
            (true, true) => Kind::Reel,
        };
        let sent = Sent {
            text: &said.text,
            link: said.link.as_deref(),
            photos: content.media.is_empty().then_some(&[]),
        };
        let (cx, api, at) = (&cx, &api, intent.at);
        let look = || async move {
            for place in kind.places(delivery) {
                if let Some(id) = find(cx, api, *place, sent, at, delivery).await? {
                    return Ok(Some((*place, id)));
                }
            }
            Ok(None)
        };
        Ok(match (cx.look_late(look).await?, delivery) {
            (Some((Place::Posts, id)), _) => {
                Lookup::Found(Outcome::Done(kind.receipt(id, None, Some(at))))
            }
            (Some((_, id)), _) => Lookup::Found(kind.made(id, at, cx.now(), delivery)),
            (None, Delivery::Draft) => Lookup::CannotTell(UNLISTED.to_owned()),
            (None, _) => Lookup::Absent,
        })
    }

    async fn ask_for(&self, cx: &Context, handle: &Handle) -> Result<Outcome> {
        let config = cx.config(&self.config)?;
        let api = self.api(cx, &config)?;
        let missing = match self.state(cx, &api, handle).await {
            Err(error) if error.kind() == ErrorKind::NotFound => error,
            end => return end,
        };
        let unseen = |error: Error, again| {
            let error = error.with_kind(ErrorKind::Unavailable);
            Err(error.with_retry(Retry::After(Some(again))))
        };
        let made = handle.data["at"].as_str().and_then(|at| at.parse().ok());
        let young = made.is_some_and(|made: DateTime<Utc>| cx.now() - made < UNSEEN);
        // It goes from one list to the other.
        let due = |due| due <= cx.now() && cx.now() - due < UNSEEN;
        if young || handle.due.is_some_and(due) {
            return unseen(missing, AGAIN);
        }
        let id = &handle.remote_id;
        match listed(cx, &api, id, &handle.data).await? {
            None => Err(missing),
            Some(Place::Posts) => {
                let receipt = Kind::Post.receipt(id.clone(), None, since(&handle.data));
                Ok(Outcome::Done(receipt))
            }
            Some(Place::Scheduled) => Ok(Outcome::Accepted(handle.clone())),
            // Whether it is processed the list does not say.
            Some(Place::Videos | Place::Reels) => unseen(missing, LATER),
        }
    }

    /// What a thing itself says.
    async fn state(&self, cx: &Context, api: &Api<'_>, handle: &Handle) -> Result<Outcome> {
        let kind = Kind::of(&handle.data);
        let accepted = || Outcome::Accepted(handle.clone());
        if kind == Kind::Post {
            let call = api.post(&handle.remote_id)?;
            let post: wire::Post = api.graph.ask(cx, call).await?;
            return Ok(if post.is_published {
                Outcome::Done(kind.receipt(post.id, post.permalink_url, since(&handle.data)))
            } else {
                accepted()
            });
        }
        let call = api.video(&handle.remote_id)?;
        let video: wire::Video = api.graph.ask(cx, call).await?;
        processing(&video)?;
        let public = video.published || video.status.publishing_phase.publish_status == "published";
        let ready = video.status.video_status == "ready";
        Ok(if public && ready {
            let id = handle.remote_id.clone();
            Outcome::Done(kind.receipt(id, video.permalink_url, since(&handle.data)))
        } else {
            accepted()
        })
    }

    async fn numbers(&self, cx: &Context, receipt: &Receipt) -> Result<Metrics> {
        let config = cx.config(&self.config)?;
        let api = self.api(cx, &config)?;
        let id = receipt.remote_id.as_str();
        let video = Kind::of(&receipt.data) != Kind::Post;
        let counts = api.graph.ask(cx, api.counts(id, video)?).await;
        let counts: wire::Counts = match counts {
            Ok(counts) => counts,
            Err(error) => {
                let look = async { Ok(listed(cx, &api, id, &receipt.data).await?.is_some()) };
                return Err(unless_listed(error, look).await);
            }
        };
        let insights = if video {
            let path = [id, "video_insights"];
            api.graph.insights(cx, "videos.insights", &path, &[]).await
        } else {
            let path = [id, "insights"];
            let metrics = &POST_METRICS;
            api.graph
                .insights(cx, "posts.insights", &path, metrics)
                .await
        };
        let insights = match insights {
            // The counts can be read without `read_insights`, and were there a moment ago.
            Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) => {
                BTreeMap::new()
            }
            insights => insights?,
        };
        Ok(metrics(&counts, insights))
    }
}

#[async_trait]
impl Publisher for Facebook {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn check(&self, content: &Content, delivery: Delivery, _: Option<&Account>) -> Vec<Finding> {
        rules::findings(content, delivery)
    }

    /// With a user's token every page, each with its own; with a page's token that page. Also says when the
    /// version is no longer served (`ApiVersionRetired`).
    async fn identify(&self, cx: &Context) -> Result<Vec<Identity>> {
        let config = cx.config(&self.config)?;
        let api = self.api(cx, &config)?;
        let fields = "id,name,username,access_token,tasks";
        let own = "id,name,username";
        let pages: Vec<Page> = api.graph.pages(cx, fields, own).await?;
        Ok(pages.into_iter().map(|page| identity(cx, page)).collect())
    }

    async fn publish(&self, cx: &Context, post: &Post) -> Result<Outcome> {
        let outcome = self.create(cx, post).await;
        outcome.map_err(|error| error.with_platform(&PLATFORM))
    }

    async fn poll(&self, cx: &Context, handle: &Handle) -> Result<Outcome> {
        let asked = self.ask_for(cx, handle).await;
        asked.map_err(|error| error.with_platform(&PLATFORM))
    }

    async fn find(&self, cx: &Context, intent: &Intent) -> Result<Lookup> {
        let found = Lookup::told(self.lookup(cx, intent).await);
        found.map_err(|error| error.with_platform(&PLATFORM))
    }

    async fn measure(&self, cx: &Context, receipt: &Receipt) -> Result<Metrics> {
        let numbers = self.numbers(cx, receipt).await;
        numbers.map_err(|error| error.with_platform(&PLATFORM))
    }

    /// Only the app that made a post may delete it.
    async fn delete(&self, cx: &Context, receipt: &Receipt) -> Result<()> {
        let config = cx.config(&self.config)?;
        let api = self.api(cx, &config)?;
        let id = &receipt.remote_id;
        let look = || async { Ok(listed(cx, &api, id, &receipt.data).await?.is_some()) };
        api.graph.remove(cx, "posts.delete", id, look).await
    }
}

/// When the sending of what is of this data was begun.
fn since(data: &Value) -> Option<DateTime<Utc>> {
    Within::of(data).map(|within| within.since)
}

/// Which list holds what Facebook does not show by its id; `None` when it is gone.
///
/// # Errors
/// `CannotTell` for what may be there and in no list, and when there is more than is searched.
async fn listed(cx: &Context, api: &Api<'_>, id: &str, data: &Value) -> Result<Option<Place>> {
    for place in Kind::of(data).lists() {
        if holds(cx, api, *place, Within::of(data), id).await? {
            return Ok(Some(*place));
        }
    }
    // Handles of the version before say when they were made, and not this.
    let listed = data["listed"].as_bool();
    if !listed.unwrap_or(!data["at"].is_string()) {
        let why = "Facebook does not show it, and lists no drafts: look in the page's planner";
        return Err(Error::new(ErrorKind::CannotTell, why)
            .with_platform(&PLATFORM)
            .with_retry(Retry::Never));
    }
    Ok(None)
}

fn content(cx: &Context, post: &Post) -> Content {
    post.content_for(&PLATFORM, cx.account().map(|account| account.id))
}

fn identity(cx: &Context, page: Page) -> Identity {
    let may = |task: &String| PUBLISHING_TASKS.contains(&task.as_str());
    let needs_reauth = page.tasks.is_some_and(|tasks| !tasks.iter().any(may));
    Identity {
        handle: page.username,
        needs_reauth,
        credential: page.access_token.map(|token| page_credential(cx, token)),
        ..Identity::new(page.id, PLATFORM, page.name)
    }
}

/// Whether Facebook could process a video, so far.
fn processing(video: &wire::Video) -> Result<()> {
    let status = &video.status;
    let phases = [
        &status.uploading_phase,
        &status.processing_phase,
        &status.publishing_phase,
    ];
    let refused = |message: String, remedy| {
        Err(Error::invalid("media", message)
            .with_operation("videos.get")
            .with_rule("facebook.media_processing")
            .with_remedy(remedy))
    };
    if status.video_status == "expired" {
        let message = "Facebook has dropped what was uploaded".to_owned();
        return refused(message, "post it again: it is uploaded anew");
    }
    let failed =
        status.video_status == "error" || phases.iter().any(|phase| phase.status == "error");
    if !failed {
        return Ok(());
    }
    let mut said = phases.iter().flat_map(|phase| &phase.errors);
    let said = said
        .next()
        .map_or("no reason given", |error| &error.message);
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let said: String = said.chars().take(200).map(plain).collect();
    let message = format!("Facebook cannot process it: {said}");
    refused(message, "bring the video as MP4 with H.264 and AAC")
}

/// Numbers by our names; what is an object of parts counts as their sum.
fn metrics(counts: &wire::Counts, insights: BTreeMap<String, Value>) -> Metrics {
    let number = |name: &str| {
        let value = insights.get(name)?;
        let parts = value.as_object().map(|parts| parts.values());
        value
            .as_u64()
            .or_else(|| Some(parts?.filter_map(Value::as_u64).sum()))
    };
    let total = |counted: &Option<wire::Counted>| counted.as_ref().and_then(wire::Counted::total);
    Metrics {
        impressions: number("post_media_view"),
        // Videos have the older name, and reels a count of their own.
        reach: number("post_total_media_view_unique").or_else(|| number("post_impressions_unique")),
        views: number("blue_reels_play_count").or_else(|| number("total_video_views")),
        likes: total(&counts.reactions).or_else(|| number("post_reactions_by_type_total")),
        comments: total(&counts.comments),
        shares: counts.shares.as_ref().map(|shares| shares.count),
        clicks: number("post_clicks"),
        raw: insights,
        ..Metrics::default()
    }
}
