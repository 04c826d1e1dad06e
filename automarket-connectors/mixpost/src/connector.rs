use std::collections::BTreeMap;

use automarket_core::{
    Content, Context, Delivery, Error, ErrorKind, Handle, Identity, Intent, Lookup, Metrics,
    Outcome, Post, Profile, Publisher, Receipt, Result, async_trait,
    check::Finding,
    chrono::{DateTime, Utc},
    content::MediaSource,
    http::Guard,
    networks,
    profile::{Abilities, ApiVersion, MediaLimit, MediaRules, MediaTransfer, TextRules},
    store::Account,
};
use serde_json::{Value, json};

use crate::{
    MixpostAccount, MixpostConfig, MixpostPost, MixpostStatus, PLATFORM,
    api::Api,
    compose::{BODY_LIMIT, account_number, compose, findings, rules},
    error::{bounded, send},
    find::{marker, search, tag_named, trashed},
    media,
    operations::{accounts, newer, resource},
    outcome::{accepted, failure, lost, outcome},
};

/// Where the facts of the profile come from.
const SOURCE: &str = "https://docs.mixpost.app/api";

/// Publishes through a Mixpost instance on whatever networks its workspace is connected to.
///
/// One publication is one Mixpost post on one account: [`Context::account`] names the account by its
/// number (`remote_id`) and the network behind it; [`Context::token`] is the access token.
///
/// - `Delivery::Now` is `schedule_now`, `At` is a schedule, `Draft` a draft, `Queue` the next free slot.
/// - `At` is rounded up to the minute. A time that is not in the future is `InvalidInput` (`delivery`):
///   whether a late post still goes out is the caller's decision, not the connector's.
/// - Publishing answers `Accepted`; ask with [`poll`](Publisher::poll) after [`Handle::due`].
/// - With an idempotency key ([`Context::with_key`]) the post carries the tag `am-<hash of the key>`,
///   which `find` looks for. Without a key there is no tag, and a lost answer stays unknown.
#[derive(Clone, Debug)]
pub struct Mixpost {
    config: MixpostConfig,
    guard: Guard,
    profile: Profile,
}

impl Mixpost {
    /// A connector for this workspace; an account's settings may name another.
    ///
    /// # Errors
    /// `Config` naming the value that is wrong.
    pub fn new(config: MixpostConfig) -> Result<Self> {
        config.validate()?;
        Ok(Self {
            config,
            guard: Guard::default(),
            profile: profile(),
        })
    }

    /// With another judgement of the addresses that Mixpost is asked to fetch media from; a public host is wanted
    /// otherwise.
    #[must_use]
    pub fn with_guard(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }

    pub(crate) fn api(&self, cx: &Context) -> Result<Api> {
        let config: MixpostConfig = cx.config(&self.config)?;
        Api::new(&config, cx.token()?).map_err(|error| error.with_platform(&PLATFORM))
    }

    async fn create(&self, cx: &Context, post: &Post) -> Result<Outcome> {
        let account = cx.account().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "publishing needs an account in the context",
            )
        })?;
        let number = account_number(account)?;
        let content = post.content_for(&account.network, Some(account.id));
        let rules = self.profile_for(account);
        let mut input = compose(&content, number, &rules, post.delivery)?;
        for media in &content.media {
            if let MediaSource::Address(url) = &media.source {
                self.guard.hand_over(url)?;
            }
        }
        cx.intends("mixpost", &(&content, post.delivery))?;
        // Remembered, so that a later attempt first finds out what became of an earlier one.
        cx.step("mixpost.time", || async { not_past(cx, &input.at) })
            .await?;
        let api = self.api(cx)?;
        cx.step("mixpost.account", || authorized(cx, &api, number))
            .await?;
        let marker = cx.key().map(marker);
        let mut tag = None;
        if let Some(marker) = &marker {
            let id = cx
                .step("mixpost.tag", || tag_named(cx, &api, marker))
                .await?;
            input.tags.push(id);
            tag = Some(id);
        }
        let mut ids = Vec::with_capacity(content.media.len());
        for (index, file) in content.media.iter().enumerate() {
            ids.push(media::bring(cx, &api, index, file).await?);
        }
        if let Some(first) = input
            .versions
            .first_mut()
            .and_then(|v| v.content.first_mut())
        {
            first.media = ids;
        }
        cx.once(
            "mixpost.create",
            || async {
                search(cx, &api, marker.as_deref(), tag, number)
                    .await?
                    .into_once()
            },
            || async {
                let call = api.create_post(&input, post.delivery)?;
                let created: MixpostPost = resource(&send(cx, call).await?)?;
                Ok(accepted(&created, input.at, number))
            },
        )
        .await
    }
}

#[async_trait]
impl Publisher for Mixpost {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The rules of the network that the account speaks on, as far as Mixpost's own are not narrower.
    fn profile_for(&self, account: &Account) -> Profile {
        rules(&self.profile, &account.network)
    }

    fn check(
        &self,
        content: &Content,
        delivery: Delivery,
        account: Option<&Account>,
    ) -> Vec<Finding> {
        let rules = account.map(|account| self.profile_for(account));
        findings(content, delivery, &self.profile, rules.as_ref())
    }

    async fn identify(&self, cx: &Context) -> Result<Vec<Identity>> {
        let accounts = self.accounts(cx).await?;
        Ok(accounts.into_iter().map(identity).collect())
    }

    async fn publish(&self, cx: &Context, post: &Post) -> Result<Outcome> {
        self.create(cx, post)
            .await
            .map_err(|error| error.with_platform(&PLATFORM))
    }

    async fn poll(&self, cx: &Context, handle: &Handle) -> Result<Outcome> {
        let account = handle.data.get("account").and_then(Value::as_u64);
        let post = self.record(cx, &handle.remote_id).await;
        let post = post.map_err(about_the_question)?;
        let post = post.ok_or_else(|| gone(handle.due > Some(cx.now())))?;
        if let Some(error) = failure(cx, &post, account).or_else(|| lost(&post, account)) {
            return Err(error
                .with_platform(&PLATFORM)
                .with_operation("posts.publish"));
        }
        match outcome(&post, account.unwrap_or_default()) {
            // One that is out stays on the network, wherever its record lies, and one that Mixpost is at goes out.
            Outcome::Accepted(_) if post.trashed && post.status != MixpostStatus::Publishing => {
                let message = "somebody moved the post to Mixpost's trash";
                Err(Error::new(ErrorKind::NotFound, message)
                    .with_platform(&PLATFORM)
                    .with_operation("posts.get"))
            }
            outcome => Ok(outcome),
        }
    }

    async fn find(&self, cx: &Context, intent: &Intent) -> Result<Lookup> {
        let account = match cx.account() {
            Some(account) => account_number(account)?,
            None => 0,
        };
        let api = self.api(cx)?;
        Lookup::told(search(cx, &api, Some(&marker(&intent.key)), None, account).await)
    }

    async fn measure(&self, cx: &Context, receipt: &Receipt) -> Result<Metrics> {
        let call = self.api(cx)?.analytics(&receipt.remote_id)?;
        match send(cx, call).await {
            Ok(reply) => {
                let value: Value = reply.json()?;
                let raw = match value {
                    Value::Object(fields) => fields.into_iter().collect(),
                    other => BTreeMap::from([("analytics".to_owned(), other)]),
                };
                Ok(Metrics {
                    raw,
                    ..Metrics::default()
                })
            }
            // Either the post is gone or the instance has no analytics.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.get_post(cx, &receipt.remote_id).await?;
                Err(newer(error, "analytics"))
            }
            Err(error) => Err(error),
        }
    }

    /// The record, and before it the network's post once that is out. What Mixpost is publishing or taking off the network
    /// answers `Unavailable` until that has ended. A record that somebody else took away says nothing of
    /// the network's post: then this is `NotFound`; where Mixpost does not show whether that is gone, `CannotTell`.
    async fn delete(&self, cx: &Context, receipt: &Receipt) -> Result<()> {
        self.take_down(cx, receipt).await
    }
}

impl Mixpost {
    /// A post's record, also from the trash; `None` where there is none.
    pub(crate) async fn record(&self, cx: &Context, uuid: &str) -> Result<Option<MixpostPost>> {
        match self.get_post(cx, uuid).await {
            Ok(post) => Ok(Some(post)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                trashed(cx, &self.api(cx)?, uuid).await
            }
            Err(error) => Err(error),
        }
    }
}

fn not_past(cx: &Context, at: &Option<DateTime<Utc>>) -> Result<()> {
    match at {
        Some(at) if *at <= cx.now() => Err(Error::invalid(
            "delivery",
            "the time is past; Mixpost schedules by the minute",
        )),
        _ => Ok(()),
    }
}

/// Mixpost takes posts for accounts that it cannot publish on; they fail when they are due.
async fn authorized(cx: &Context, api: &Api, number: u64) -> Result<()> {
    let accounts = accounts(cx, api).await?;
    let account = accounts.iter().find(|account| account.id == number);
    match account {
        Some(account) if account.authorized => Ok(()),
        Some(account) => Err(disconnected(account, cx)),
        None => Err(Error::new(
            ErrorKind::NotFound,
            format!("the workspace has no account {number}"),
        )),
    }
}

pub(crate) fn disconnected(account: &MixpostAccount, cx: &Context) -> Error {
    let name = bounded(&account.name, cx);
    Error::new(
        ErrorKind::Unauthorized,
        format!("Mixpost lost its connection to {name}"),
    )
    .with_platform(&PLATFORM)
    .with_elsewhere()
    .with_remedy("reconnect the account in Mixpost under Social Accounts")
}

/// Not being allowed to ask says nothing of the post: it waits for the role that the token's owner had.
fn about_the_question(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Forbidden => {
            Error::new(ErrorKind::Unauthorized, "the token may not read the post")
                .with_platform(&PLATFORM)
                .with_operation("posts.get")
                .with_elsewhere()
                .with_source(error)
        }
        _ => error,
    }
}

/// A record that is gone says nothing of the post either, unless that was still to come: what Mixpost published stays on
/// the network.
fn gone(to_come: bool) -> Error {
    let (kind, why) = match to_come {
        true => (ErrorKind::NotFound, "Mixpost's record is gone"),
        false => (
            ErrorKind::CannotTell,
            "Mixpost's record is gone, which says nothing of the post on the network: look there",
        ),
    };
    Error::new(kind, why)
        .with_platform(&PLATFORM)
        .with_operation("posts.get")
}

fn identity(account: MixpostAccount) -> Identity {
    // A network that is new to us keeps Mixpost's own name for it.
    let network = networks::from_alias(&account.provider)
        .or_else(|| account.provider.parse().ok())
        .unwrap_or(PLATFORM);
    Identity {
        remote_id: account.id.to_string(),
        network,
        name: account.name,
        handle: account.username,
        needs_reauth: !account.authorized,
        settings: json!({"uuid": account.uuid}),
        credential: None,
    }
}

fn profile() -> Profile {
    const MIB: u64 = 1024 * 1024;
    let mut profile = Profile::new(PLATFORM, "Mixpost", ApiVersion::new("unversioned", SOURCE));
    profile.text = TextRules::default();
    profile.text.limit = Some(BODY_LIMIT);
    let mut media = MediaRules::default();
    media.transfer = MediaTransfer::Both;
    media.image = Some(MediaLimit::new(&["image/jpeg", "image/png"], 5 * MIB, 10));
    media.gif = Some(MediaLimit::new(&["image/gif"], 15 * MIB, 1));
    media.video = Some(MediaLimit::new(&["video/mp4", "video/x-m4v"], 200 * MIB, 1));
    media.max_count = 10;
    media.alt_limit = Some(255);
    profile.media = media;
    let mut abilities = Abilities::default();
    abilities.publish = true;
    abilities.schedule = true;
    abilities.draft = true;
    abilities.queue = true;
    abilities.thread = true;
    abilities.find = true;
    abilities.measure = true;
    abilities.delete = true;
    profile.abilities = abilities;
    profile
}
