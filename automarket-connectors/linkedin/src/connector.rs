use std::sync::atomic::AtomicBool;

use automarket_core::{
    Content, Context, Delivery, Error, ErrorKind, Handle, Identity, Intent, Lookup, Metrics,
    Outcome, Post, Profile, Publisher, Receipt, Result, Url, async_trait,
    check::Finding,
    publisher::{about_post, require, undeclared},
    store::Account,
};
use serde_json::{Value, json};

use crate::{
    LinkedInConfig, LinkedInOptions, PLATFORM,
    api::Api,
    author::{Author, is_member},
    error::{ask, is_gone, send},
    find::{BEGUN, Said, Sent, cannot_tell, find_post},
    identify::identities,
    measure::metrics,
    media::{self, Brought},
    rules,
    send::{Commenting, Posting, UNLISTED, UNLISTED_DRAFT},
    wire,
};

/// What a handle says of a post whose first comment was waited for in vain.
const UNCOMMENTED: &str = "uncommented";
const LATE: &str = "the first comment was not placed: its post was processed for too long";

/// Publishes on LinkedIn, as a member or as an organisation: texts, images, videos, documents, cards of links,
/// polls, and a comment under them.
///
/// - The credential is a member's OAuth token ([`oauth`](crate::oauth)); the account's `remote_id` is the
///   author's URN as [`identify`](Publisher::identify) gives it. Without an account the member posts.
/// - LinkedIn has no key against repeats. A lost answer is looked up among the author's posts by text and time,
///   which organisations' tokens may and members' may not.
/// - `Delivery::Draft` keeps an organisation's post as a draft of its page.
/// - What an [`LinkedInConfig`] says can stand in an account's settings.
#[derive(Clone, Debug)]
pub struct LinkedIn {
    config: LinkedInConfig,
    profile: Profile,
}

impl LinkedIn {
    /// A connector for this version of the API.
    #[must_use]
    pub fn new(config: LinkedInConfig) -> Self {
        let mut profile = rules::profile();
        if config.version != profile.api.version {
            // How long another version lives is not known here.
            profile.api.sunset = None;
        }
        Self { config, profile }
    }

    /// The API as the context's account sees it.
    fn api<'a>(&self, cx: &'a Context) -> Result<Api<'a>> {
        let config: LinkedInConfig = cx.config(&self.config)?;
        config.check()?;
        Ok(Api {
            config,
            token: cx.token()?,
        })
    }

    async fn create(&self, cx: &Context, post: &Post) -> Result<Outcome> {
        let content = require(self, cx, post)?;
        let draft = post.delivery == Delivery::Draft;
        let api = self.api(cx)?;
        let options: LinkedInOptions = content.options()?;
        let author = Author::of(cx, &api).await?;
        if draft && author.is_member() {
            return Err(undeclared(&self.profile, "posts.create"));
        }
        cx.intends("linkedin", &(&content, post.delivery))?;
        let said = Said::of(&content, &self.profile);
        let (begun, said) = cx.begin(BEGUN, said).await?;
        let brought = media::bring(cx, &api, &author, &content, &self.profile).await?;
        let attached = attached(&content, said.link.as_ref(), &options, &brought);
        let posting = Posting {
            cx,
            api: &api,
            author: &author,
            commentary: &said.commentary,
            content: attached.as_ref(),
            options: &options,
            draft,
            with_files: !brought.is_empty(),
            begun,
            again: AtomicBool::new(false),
            trusting: AtomicBool::new(false),
        };
        let sent = cx.once("linkedin.post", || posting.look(), || posting.send());
        let urn = posting.ended(sent.await)?;
        if draft {
            return Ok(Outcome::Accepted(handle(urn)));
        }
        let commented = said.comment.is_some();
        if !posting.is_public(&urn, commented).await? {
            let data = if commented {
                json!({UNCOMMENTED: true})
            } else {
                Value::Null
            };
            return Ok(Outcome::Accepted(Handle {
                data,
                ..handle(urn)
            }));
        }
        let Some(text) = &said.comment else {
            return Ok(Outcome::Done(receipt(urn)));
        };
        let commenting = Commenting {
            cx,
            api: &api,
            author: &author,
            post: &urn,
            text,
        };
        let step = "linkedin.comment";
        let comment = cx
            .once(step, || commenting.look(), || commenting.send())
            .await
            .map_err(|error| error.about(&format!("the first comment, of {urn}, which is public")));
        Ok(Outcome::Done(receipt(urn).commented(comment)?))
    }

    async fn lookup(&self, cx: &Context, intent: &Intent) -> Result<Lookup> {
        let api = self.api(cx)?;
        let author = Author::of(cx, &api).await?;
        let content = content(cx, &intent.post);
        let said = Said::of(&content, &self.profile);
        let said = cx.begun(BEGUN, intent, said).await?;
        let options: LinkedInOptions = content.options()?;
        let attached = attached(&content, said.link.as_ref(), &options, &Brought::default());
        let sent = Sent {
            commentary: &said.commentary,
            content: attached.as_ref(),
            unknown_files: !content.media.is_empty(),
            draft: intent.post.delivery == Delivery::Draft,
        };
        let look = || find_post(cx, &api, &author, sent, intent.at);
        let post = match cx.look_late(look).await {
            Err(error) if error.kind() == ErrorKind::Forbidden => {
                return Err(cannot_tell(UNLISTED));
            }
            found => found?,
        };
        let Some(post) = post else {
            return match intent.post.delivery {
                Delivery::Draft => Err(cannot_tell(UNLISTED_DRAFT)),
                _ => Ok(Lookup::Absent),
            };
        };
        let missing =
            "the post is there without its comment; publishing with the same steps goes on";
        let urn = post.id.clone();
        if !post.is_public() {
            return match said.comment {
                Some(_) => Err(cannot_tell(missing)),
                None => Ok(Lookup::Found(Outcome::Accepted(handle(urn)))),
            };
        }
        let mut found = receipt(urn.clone());
        if let Some(text) = &said.comment {
            let commenting = Commenting {
                cx,
                api: &api,
                author: &author,
                post: &urn,
                text,
            };
            let comment = commenting.look().await?;
            found = found.commented(comment.ok_or_else(|| cannot_tell(missing)))?;
        }
        Ok(Lookup::Found(Outcome::Done(found)))
    }
}

#[async_trait]
impl Publisher for LinkedIn {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Only organisations' posts can be listed, and only they have drafts that can be asked for.
    fn profile_for(&self, account: &Account) -> Profile {
        let mut profile = self.profile.clone();
        let organisation = !is_member(&account.remote_id);
        profile.abilities.find = organisation;
        profile.abilities.draft = organisation;
        profile
    }

    fn check(
        &self,
        content: &Content,
        delivery: Delivery,
        account: Option<&Account>,
    ) -> Vec<Finding> {
        rules::findings(content, delivery, account)
    }

    async fn identify(&self, cx: &Context) -> Result<Vec<Identity>> {
        let api = self.api(cx)?;
        identities(cx, &api).await
    }

    async fn publish(&self, cx: &Context, post: &Post) -> Result<Outcome> {
        let outcome = self.create(cx, post).await;
        outcome.map_err(|error| error.with_platform(&PLATFORM))
    }

    /// Whether LinkedIn has made public what it took, or somebody a draft.
    async fn poll(&self, cx: &Context, handle: &Handle) -> Result<Outcome> {
        let api = self.api(cx)?;
        let asked = ask::<wire::Post>(cx, api.post(&handle.remote_id)?).await;
        let post = asked.map_err(word)?;
        if post.has_failed() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "LinkedIn took the post and could not publish it",
            )
            .with_platform(&PLATFORM)
            .with_operation("posts.get")
            .with_rule("linkedin.publish_failed")
            .with_remedy("bring its media in another form, then publish it again"));
        }
        if !post.is_public() {
            return Ok(Outcome::Accepted(handle.clone()));
        }
        let published = receipt(handle.remote_id.clone());
        if handle.data[UNCOMMENTED] != true {
            return Ok(Outcome::Done(published));
        }
        let late = Error::new(ErrorKind::NotFound, LATE).with_platform(&PLATFORM);
        Ok(Outcome::Done(published.commented(Err(late))?))
    }

    async fn find(&self, cx: &Context, intent: &Intent) -> Result<Lookup> {
        Lookup::told(self.lookup(cx, intent).await)
    }

    async fn measure(&self, cx: &Context, receipt: &Receipt) -> Result<Metrics> {
        let api = self.api(cx)?;
        let author = Author::of(cx, &api).await?;
        let numbers = metrics(cx, &api, &author, &receipt.remote_id).await;
        numbers.map_err(word)
    }

    /// The post with the comments under it.
    async fn delete(&self, cx: &Context, receipt: &Receipt) -> Result<()> {
        let api = self.api(cx)?;
        match send(cx, api.delete(&receipt.remote_id)?).await {
            Ok(_) => Ok(()),
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(error.with_remedy(
                "look on LinkedIn whether it is still there, and whether base_url is right, then delete it again",
            )),
            Err(error) => Err(error),
        }
    }
}

/// What LinkedIn says of a post that it was asked about.
fn word(error: Error) -> Error {
    let gone = is_gone(&error);
    about_post(error, gone)
}

fn content(cx: &Context, post: &Post) -> Content {
    post.content_for(&PLATFORM, cx.account().map(|account| account.id))
}

/// What stands beside the text: one thing at the most. All of it is plain, only the text is escaped.
fn attached(
    content: &Content,
    link: Option<&Url>,
    options: &LinkedInOptions,
    brought: &Brought,
) -> Option<Value> {
    let alt = |index: usize| {
        let alt = content.media.get(index)?.alt.as_deref()?.trim();
        (!alt.is_empty()).then(|| alt.to_owned())
    };
    if let [urn] = &*brought.media {
        let mut media = json!({"id": urn});
        let title = content
            .media
            .first()
            .and_then(|one| rules::title(one, options));
        set(&mut media, "title", title);
        set(&mut media, "altText", alt(0).as_deref());
        return Some(json!({"media": media}));
    }
    if !brought.media.is_empty() {
        let images = brought.media.iter().enumerate().map(|(index, urn)| {
            let mut image = json!({"id": urn});
            set(&mut image, "altText", alt(index).as_deref());
            image
        });
        return Some(json!({"multiImage": {"images": images.collect::<Vec<Value>>()}}));
    }
    if let Some(poll) = &options.poll {
        let answers = poll.options.iter().map(|text| json!({"text": text.trim()}));
        return Some(json!({"poll": {
            "question": poll.question.trim(),
            "options": answers.collect::<Vec<Value>>(),
            "settings": {"duration": poll.days.as_str()},
        }}));
    }
    let link = link?;
    let title = options.title.as_deref().or(link.host_str());
    let mut article = json!({"source": link.as_str()});
    set(&mut article, "title", title);
    set(&mut article, "description", options.description.as_deref());
    set(&mut article, "thumbnail", brought.thumbnail.as_deref());
    let words = options
        .thumbnail
        .as_ref()
        .and_then(|one| one.alt.as_deref());
    set(
        &mut article,
        "thumbnailAltText",
        words.filter(|_| brought.thumbnail.is_some()),
    );
    Some(json!({"article": article}))
}

fn set(object: &mut Value, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        object[name] = json!(value);
    }
}

fn handle(urn: String) -> Handle {
    Handle {
        remote_id: urn,
        due: None,
        data: Value::Null,
    }
}

fn receipt(urn: String) -> Receipt {
    Receipt {
        url: Some(format!("https://www.linkedin.com/feed/update/{urn}/")),
        ..Receipt::new(urn)
    }
}
