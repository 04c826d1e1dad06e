use automarket_core::{
    Context, Credential, Error, ErrorKind, Identity, Media, Notice, Notifier, Outcome, Profile,
    Result, Retry, Secret, async_trait,
    chrono::{DateTime, TimeDelta, Utc},
    content::MediaKind,
    http::Reply,
    profile::{ApiVersion, Markup, TextUnit},
    publisher::{Lookup, Receipt},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{PLATFORM, api, config::SlackConfig, error, wire};

/// Files larger than this are refused before anything is said.
const MAX_FILE: u64 = 1_000_000_000;
/// Files that are not seen for so long after the first look were not shared.
const UNSHARED: TimeDelta = TimeDelta::minutes(5);
/// Pages of history that are searched for a lost message, and pages of channels that are offered.
const MAX_PAGES: usize = 20;

/// Tells people on Slack: through an incoming webhook (`Credential::Address`) or as a bot
/// (`Credential::Token`, with the channel's id as the account's `remote_id`).
#[derive(Clone, Debug)]
pub struct Slack {
    config: SlackConfig,
    profile: Profile,
}

impl Slack {
    /// Slack at its usual address.
    #[must_use]
    pub fn new() -> Self {
        Self::with_config(SlackConfig::default())
    }

    /// Slack elsewhere.
    #[must_use]
    pub fn with_config(config: SlackConfig) -> Self {
        let api = ApiVersion::new("unversioned", "https://docs.slack.dev/reference/methods");
        let mut profile = Profile::new(PLATFORM, "Slack", api);
        profile.text.unit = TextUnit::Utf16;
        profile.text.limit = Some(3000);
        profile.text.markup = Markup::Mrkdwn;
        profile.abilities.publish = true;
        profile.abilities.find = true;
        Self { config, profile }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        cx: &Context,
        call: automarket_core::http::Call,
    ) -> Result<T> {
        let reply: Reply = cx
            .call(call)
            .await
            .map_err(|error| error.with_platform(&PLATFORM))?;
        error::decode(&reply, cx.now())
    }

    async fn channels(
        &self,
        cx: &Context,
        config: &SlackConfig,
        types: &str,
    ) -> Result<Vec<wire::Channel>> {
        let (mut channels, mut cursor) = (Vec::new(), String::new());
        for _ in 0..MAX_PAGES {
            let call = api::channels(config, cx.token()?, types, &cursor)?;
            let page: wire::Channels = self.ask(cx, call).await?;
            channels.extend(page.channels);
            cursor = page.response_metadata.next_cursor;
            if cursor.is_empty() {
                break;
            }
        }
        Ok(channels)
    }

    async fn by_webhook(&self, cx: &Context, address: &Secret, notice: &Notice) -> Result<Outcome> {
        if !notice.files.is_empty() {
            return Err(
                Error::unsupported("an incoming webhook takes no files").with_platform(&PLATFORM)
            );
        }
        let sent = || async {
            let reply = cx
                .call(api::webhook(address, notice)?)
                .await
                .map_err(|error| error.with_platform(&PLATFORM))?;
            error::webhook(&reply, cx.now())
        };
        let find = || async {
            Err(Error::new(
                ErrorKind::CannotTell,
                "a webhook cannot be asked what it delivered",
            )
            .with_platform(&PLATFORM))
        };
        cx.once("slack.webhook", find, sent).await?;
        Ok(Outcome::Done(Receipt::new("")))
    }

    async fn by_bot(&self, cx: &Context, token: &Secret, notice: &Notice) -> Result<Outcome> {
        let config: SlackConfig = cx.config(&self.config)?;
        let channel = cx
            .account()
            .map(|account| account.remote_id.as_str())
            .filter(|id| !id.is_empty());
        let channel = channel.ok_or_else(|| {
            Error::invalid(
                "account",
                "a bot needs the channel's id as the account's remote_id",
            )
            .with_platform(&PLATFORM)
        })?;
        // What Slack does not take is said before people are told of it.
        let uploaded = self.upload(cx, &config, token, &notice.files).await?;
        let begun: DateTime<Utc> = cx.step("slack.begun", || async { Ok(cx.now()) }).await?;
        let find = || async {
            let thread = notice.thread.as_deref();
            self.sent(cx, &config, token, channel, thread, begun)
                .await?
                .into_once()
        };
        let post = || async {
            let call = api::post_message(&config, token, channel, notice, cx.key())?;
            let posted: wire::Posted = self.ask(cx, call).await?;
            Ok(Outcome::Done(receipt(&posted.channel, posted.ts)))
        };
        let outcome: Outcome = cx.once("slack.message", find, post).await?;
        let receipt = match outcome {
            Outcome::Done(receipt) if !uploaded.is_empty() => receipt,
            outcome => return Ok(outcome),
        };
        let find = || async { self.shared(cx, &config, token, &uploaded).await };
        let complete = || async {
            let thread = notice.thread.as_deref().unwrap_or(&receipt.remote_id);
            let call = api::complete_upload(&config, token, channel, Some(thread), &uploaded)?;
            self.ask::<Value>(cx, call).await.map(drop)
        };
        let shared = match cx.once("slack.share", find, complete).await {
            Ok(()) => {
                let seen = || self.seen(cx, &config, token, &uploaded);
                cx.step("slack.seen", seen).await
            }
            lost => lost,
        };
        let shared = shared.map_err(|error| error.about("the files of a message that is there"));
        Ok(Outcome::Done(receipt.shared(shared)?))
    }

    /// Whether a message with our key stands in the channel since `begun`, or in the thread: what is said
    /// there is not in the channel's history.
    async fn sent(
        &self,
        cx: &Context,
        config: &SlackConfig,
        token: &Secret,
        channel: &str,
        thread: Option<&str>,
        begun: DateTime<Utc>,
    ) -> Result<Lookup> {
        let Some(key) = cx.key() else {
            return Ok(Lookup::CannotTell(
                "the message was sent without a key to look for".into(),
            ));
        };
        let mut cursor = String::new();
        let oldest = cx.since_near(begun);
        for _ in 0..MAX_PAGES {
            let call = api::history(config, token, channel, thread, oldest, &cursor)?;
            let page: wire::History = match self.ask(cx, call).await {
                // Slack lets a bot post to public channels whose history it may not read.
                Err(error)
                    if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) =>
                {
                    return Ok(Lookup::CannotTell(
                        "the bot may not read the channel's history: invite it".into(),
                    ));
                }
                page => page?,
            };
            let ours = |message: &&wire::Message| {
                message.metadata["event_type"] == api::EVENT_TYPE
                    && message.metadata["event_payload"]["key"] == key
            };
            if let Some(message) = page.messages.iter().find(ours) {
                return Ok(Lookup::Found(Outcome::Done(receipt(
                    channel,
                    message.ts.clone(),
                ))));
            }
            cursor = page.response_metadata.next_cursor;
            if cursor.is_empty() {
                return Ok(Lookup::Absent);
            }
        }
        Ok(Lookup::CannotTell(
            "the channel's history is too long to search".into(),
        ))
    }

    /// Uploads the files, which nobody sees until they are shared; their ids and names.
    async fn upload(
        &self,
        cx: &Context,
        config: &SlackConfig,
        token: &Secret,
        files: &[Media],
    ) -> Result<Vec<(String, String)>> {
        let mut uploaded: Vec<(String, String)> = Vec::new();
        for (n, file) in files.iter().enumerate() {
            let name = file
                .name
                .clone()
                .unwrap_or_else(|| format!("file-{}", n + 1));
            let id: String = cx
                .step(&format!("slack.upload.{n}"), || async {
                    let file_bytes = file.open_within(cx, MAX_FILE).await?;
                    if file_bytes.size() > MAX_FILE {
                        return Err(Error::new(
                            ErrorKind::TooLarge,
                            format!("Slack takes files of {MAX_FILE} bytes at the most"),
                        ));
                    }
                    let call = api::upload_address(
                        config,
                        token,
                        &name,
                        file_bytes.size(),
                        described(file),
                    )?;
                    let upload: wire::Upload = self.ask(cx, call).await?;
                    let reply = cx
                        .call(api::upload(&upload.upload_url, file_bytes)?)
                        .await
                        .map_err(|error| error.with_platform(&PLATFORM))?;
                    if !reply.ok() {
                        return Err(automarket_core::http::classify(&reply, cx.now())
                            .with_platform(&PLATFORM));
                    }
                    Ok(upload.file_id)
                })
                .await?;
            uploaded.push((id, name));
        }
        Ok(uploaded)
    }

    /// Whether Slack was told to share the files, of which any shows it. It shares a moment after that.
    async fn shared(
        &self,
        cx: &Context,
        config: &SlackConfig,
        token: &Secret,
        files: &[(String, String)],
    ) -> Result<Option<()>> {
        for (id, _) in files {
            match self.is_shared(cx, config, token, id).await {
                Ok(true) => return Ok(Some(())),
                // Somebody took it away: shared again, it is refused.
                Err(error)
                    if matches!(
                        error.platform_code(),
                        Some("file_not_found" | "file_deleted")
                    ) =>
                {
                    false
                }
                Err(error) if error.kind() == ErrorKind::Forbidden => {
                    let message = "the bot may not look whether the files are shared";
                    return Err(Error::new(ErrorKind::CannotTell, message)
                        .with_platform(&PLATFORM)
                        .with_remedy(
                            "look in the channel; install the app again with files:read",
                        ));
                }
                looked => looked?,
            };
        }
        let first_look: DateTime<Utc> = cx
            .step("slack.share.looked", || async { Ok(cx.now()) })
            .await?;
        if cx.now() - first_look < UNSHARED {
            let message = "the files are not seen in the channel yet";
            return Err(Error::new(ErrorKind::CannotTell, message).with_platform(&PLATFORM));
        }
        Ok(None)
    }

    /// Slack says yes to files that it then shares late, or never: each is looked for, where the bot may look.
    async fn seen(
        &self,
        cx: &Context,
        config: &SlackConfig,
        token: &Secret,
        files: &[(String, String)],
    ) -> Result<()> {
        for (id, _) in files {
            let look = || async {
                let shared = self.is_shared(cx, config, token, id).await?;
                Ok(shared.then_some(()))
            };
            match cx.look_late(look).await {
                Ok(Some(())) => {}
                Ok(None) => {
                    let message = "Slack said yes, and one is not seen in the channel";
                    let error = Error::new(ErrorKind::CannotTell, message).with_platform(&PLATFORM);
                    // It looks through them first: large ones come late. What is remembered is not done again.
                    let first_look: DateTime<Utc> = cx
                        .step("slack.seen.looked", || async { Ok(cx.now()) })
                        .await?;
                    return Err(match cx.now() - first_look < UNSHARED {
                        true => error,
                        false => error
                            .with_retry(Retry::Never)
                            .with_remedy("look in the channel, and share it by hand"),
                    });
                }
                Err(error) if error.kind() == ErrorKind::Forbidden => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn is_shared(
        &self,
        cx: &Context,
        config: &SlackConfig,
        token: &Secret,
        file: &str,
    ) -> Result<bool> {
        let info: wire::FileInfo = self.ask(cx, api::file_info(config, token, file)?).await?;
        let shares = info.file.shares.as_object();
        Ok(shares.is_some_and(|shares| !shares.is_empty()))
    }
}

impl Default for Slack {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Notifier for Slack {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The channels that it can tell people in. Private ones are those that it was invited to.
    async fn identify(&self, cx: &Context) -> Result<Vec<Identity>> {
        if matches!(cx.credential(), Credential::Address(_)) {
            return Err(
                Error::unsupported("a webhook cannot be asked who it is without sending")
                    .with_platform(&PLATFORM),
            );
        }
        let config: SlackConfig = cx.config(&self.config)?;
        let who: wire::AuthTest = self.ask(cx, api::auth_test(&config, cx.token()?)?).await?;
        let both = self.channels(cx, &config, "public_channel,private_channel");
        let channels = match both.await {
            Err(error) if error.platform_code() == Some("missing_scope") => {
                self.channels(cx, &config, "public_channel").await?
            }
            channels => channels?,
        };
        let named = channels.into_iter().map(|channel| Identity {
            handle: Some(format!("#{}", channel.name)),
            ..Identity::new(
                channel.id,
                PLATFORM,
                format!("#{} in {}", channel.name, who.team),
            )
        });
        Ok(named.collect())
    }

    async fn notify(&self, cx: &Context, notice: &Notice) -> Result<Outcome> {
        if notice.title.trim().is_empty() && notice.text.trim().is_empty() {
            return Err(
                Error::invalid("notice", "a notice has a title or a text").with_platform(&PLATFORM)
            );
        }
        cx.intends("slack", notice)
            .map_err(|error| error.with_platform(&PLATFORM))?;
        match cx.credential() {
            Credential::Address(address) => self.by_webhook(cx, address, notice).await,
            _ => self.by_bot(cx, cx.token()?, notice).await,
        }
    }
}

/// What an image shows. Another file that has such a text is taken and never shared (python-slack-sdk#1818).
fn described(file: &Media) -> Option<&str> {
    let image = matches!(file.kind, MediaKind::Image | MediaKind::Gif);
    file.alt.as_deref().filter(|_| image)
}

/// A message is named by channel and time stamp together.
fn receipt(channel: &str, ts: String) -> Receipt {
    Receipt {
        data: json!({"channel": channel}),
        ..Receipt::new(ts)
    }
}
