use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use url::Url;

use super::Media;
use crate::{
    AccountId, CampaignId, Error, Platform, PostId, Result,
    profile::{LinkPlace, Profile},
    text::entities,
};

/// What is to be said, once, and how single networks or accounts say it differently.
///
/// ```
/// use automarket_core::{Platform, content::{Post, Variant}};
/// let post = Post::text("We shipped!")
///     .link("https://acme.dev/blog/1")?
///     .variant(Platform::X, Variant::text("Shipped."));
/// assert_eq!(post.content_for(&Platform::X, None).text, "Shipped.");
/// assert_eq!(post.content_for(&Platform::LINKEDIN, None).text, "We shipped!");
/// # Ok::<(), automarket_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Post {
    /// Our id.
    pub id: PostId,
    /// The campaign it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<CampaignId>,
    /// What everyone says unless a variant differs.
    pub base: Variant,
    /// What a network says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub networks: BTreeMap<Platform, Variant>,
    /// What one account says; wins over its network's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<AccountId, Variant>,
    /// When and how the platform itself shall make it public.
    #[serde(default)]
    pub delivery: Delivery,
}

/// How one network or account says it. What is absent is taken from the layer below.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Further parts, each a reply to the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Vec<String>>,
    /// The link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Url>,
    /// Images, video, documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Vec<Media>>,
    /// A comment placed under the post right after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_comment: Option<String>,
    /// Options of single platforms, by platform: see [`PlatformOptions`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<Platform, Value>,
}

/// Typed options of one platform, defined by its connector.
pub trait PlatformOptions: Serialize + DeserializeOwned {
    /// Whose options these are.
    const PLATFORM: Platform;
}

/// How a platform shall make a post public.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// At once.
    #[default]
    Now,
    /// At this instant, by the platform itself (`abilities.schedule`).
    At(DateTime<Utc>),
    /// Not yet: a draft on the platform (`abilities.draft`).
    Draft,
    /// At the next free slot of the platform's own timetable (`abilities.queue`).
    Queue,
}

impl Delivery {
    /// When the platform itself makes it public, where that was said.
    #[must_use]
    pub fn at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(at) => Some(at),
            Self::Now | Self::Draft | Self::Queue => None,
        }
    }
}

/// What one account will say, all layers merged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    /// The text; of the first part in a thread.
    pub text: String,
    /// Further parts of a thread. One that is refused does not take back those before it: see
    /// [`Receipt::thread_error`](crate::Receipt::thread_error).
    pub thread: Vec<String>,
    /// The link.
    pub link: Option<Url>,
    /// Images, video, documents.
    pub media: Vec<Media>,
    /// A comment placed under the post right after it. One that is refused does not take back the post: see
    /// [`Receipt::comment_error`](crate::Receipt::comment_error).
    pub first_comment: Option<String>,
    /// Options by platform.
    pub options: BTreeMap<Platform, Value>,
}

impl Variant {
    /// A variant that only differs in text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::default()
        }
    }

    /// Adds a platform's typed options.
    ///
    /// # Errors
    /// `InvalidInput` when they cannot be written as JSON.
    pub fn with_options<O: PlatformOptions>(mut self, options: &O) -> Result<Self> {
        let value = serde_json::to_value(options).map_err(|error| {
            Error::invalid("options", "not representable as JSON").with_source(error)
        })?;
        self.options.insert(O::PLATFORM, value);
        Ok(self)
    }
}

impl Post {
    /// A post with this text for everyone.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            id: PostId::new(),
            campaign: None,
            base: Variant::text(text),
            networks: BTreeMap::new(),
            accounts: BTreeMap::new(),
            delivery: Delivery::Now,
        }
    }

    /// Sets the link.
    ///
    /// # Errors
    /// `InvalidInput` (`link`) unless it is an absolute http or https address.
    pub fn link(mut self, link: &str) -> Result<Self> {
        let url = Url::parse(link)
            .map_err(|error| Error::invalid("link", "not an address").with_source(error))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::invalid("link", "a link is http or https"));
        }
        self.base.link = Some(url);
        Ok(self)
    }

    /// Adds an image, video or document.
    #[must_use]
    pub fn media(mut self, media: Media) -> Self {
        self.base.media.get_or_insert_default().push(media);
        self
    }

    /// Sets what one network says.
    #[must_use]
    pub fn variant(mut self, network: Platform, variant: Variant) -> Self {
        self.networks.insert(network, variant);
        self
    }

    /// Sets what one account says.
    #[must_use]
    pub fn account_variant(mut self, account: AccountId, variant: Variant) -> Self {
        self.accounts.insert(account, variant);
        self
    }

    /// Sets when and how the platform makes it public.
    #[must_use]
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// Merges base, network and account layers: what one account will say.
    #[must_use]
    pub fn content_for(&self, network: &Platform, account: Option<AccountId>) -> Content {
        let layers = [
            account.and_then(|id| self.accounts.get(&id)),
            self.networks.get(network),
            Some(&self.base),
        ];
        let layers = || layers.iter().flatten();
        let mut options = BTreeMap::new();
        for layer in layers().rev() {
            options.extend(layer.options.clone());
        }
        Content {
            text: layers().find_map(|l| l.text.clone()).unwrap_or_default(),
            thread: layers().find_map(|l| l.thread.clone()).unwrap_or_default(),
            link: layers().find_map(|l| l.link.clone()),
            media: layers().find_map(|l| l.media.clone()).unwrap_or_default(),
            first_comment: layers().find_map(|l| l.first_comment.clone()),
            options,
        }
    }
}

impl Content {
    /// Content that is only a text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// The text as it is sent: the link stands at its end unless the text holds it already, where the network
    /// wants links in the text, or beside it and media has taken that place.
    #[must_use]
    pub fn final_text(&self, profile: &Profile) -> String {
        let text = self.text.trim_end();
        let in_text = match profile.text.link {
            LinkPlace::Text => true,
            LinkPlace::Attachment => !self.media.is_empty(),
            LinkPlace::NotClickable => false,
        };
        match &self.link {
            Some(link) if in_text && !holds(text, link) => {
                if text.is_empty() {
                    link.to_string()
                } else {
                    format!("{text}\n\n{link}")
                }
            }
            _ => text.to_owned(),
        }
    }

    /// The typed options of a platform; defaults when none were given.
    ///
    /// # Errors
    /// `InvalidInput` (`options`) when they are not of the platform's shape.
    pub fn options<O: PlatformOptions + Default>(&self) -> Result<O> {
        self.options.get(&O::PLATFORM).map_or_else(
            || Ok(O::default()),
            |value| {
                let wrong = || {
                    Error::invalid("options", "not the platform's options")
                        .with_platform(&O::PLATFORM)
                };
                // Serde takes a list as fields without their names.
                if value.is_array() {
                    return Err(wrong());
                }
                O::deserialize(value).map_err(|error| wrong().with_source(error))
            },
        )
    }
}

/// Whether `text` holds `link`, be it without its last slash, with punctuation after it, or amid words of a script that
/// puts no spaces between them.
fn holds(text: &str, link: &Url) -> bool {
    let bare = |url: &str| url.trim_end_matches('/').to_owned();
    let link = bare(link.as_str());
    let is_it = |word: &str| Url::parse(word).is_ok_and(|found| bare(found.as_str()) == link);
    // No spelling of it is longer: a text of nothing but addresses shall not cost more than its length.
    let longest = link.len() + 64;
    let is_word = text.match_indices("http").any(|(at, _)| {
        let rest = text.get(at..).unwrap_or_default();
        let end = rest
            .char_indices()
            .take(longest)
            .find(|(_, c)| c.is_whitespace());
        let end = end.map_or_else(|| rest.len().min(longest), |(end, _)| end);
        let word = rest.get(..end).unwrap_or_default();
        let trimmed = word.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '/');
        is_it(word) || is_it(trimmed)
    });
    is_word || is_entity(text, is_it)
}

/// Whether an address amid other letters is it. Behind `/`, `?` and their like these may be its own, which X leaves out
/// and others take: then the link stands twice rather than nowhere.
fn is_entity(text: &str, is_it: impl Fn(&str) -> bool) -> bool {
    let (mut rest, mut at) = (text.chars(), 0);
    let parts = |c: char| "/?&=#".contains(c);
    entities(text).urls.iter().any(|url| {
        // On to what stands behind it.
        rest.by_ref().take(url.end - at).for_each(drop);
        at = url.end;
        let behind = rest.as_str().trim_start_matches(parts);
        let parted = url.text.ends_with(parts) || behind.len() < rest.as_str().len();
        is_it(&url.text) && !(parted && behind.starts_with(char::is_alphanumeric))
    })
}
