//! What a platform takes and a connector can do, as data.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{Platform, content::MediaKind};

/// As much media as is fetched where a platform names no limit of its size.
const UNSAID: u64 = 64 * 1024 * 1024;

/// Limits and abilities of one platform. Declared means it works; what is not declared answers
/// `ErrorKind::Unsupported`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Profile {
    /// Which platform.
    pub platform: Platform,
    /// Its name for people.
    pub name: &'static str,
    /// Whether it can be used today.
    pub status: Status,
    /// The API version that we speak.
    pub api: ApiVersion,
    /// What text it takes.
    pub text: TextRules,
    /// What media it takes.
    pub media: MediaRules,
    /// What the connector can do.
    pub abilities: Abilities,
    /// What posts cost, where the platform bills each.
    pub prices: Option<Prices>,
    /// The rate limit that publishing draws on, where the platform has several
    /// ([`Call::bucket`](crate::http::Call::bucket)): while it is used up, nothing is begun.
    pub bucket: Option<&'static str>,
}

impl Profile {
    /// A live platform that takes any text and no media, and can do nothing yet: the start of a
    /// connector's own profile. Set what is true by assigning the public fields.
    ///
    /// ```
    /// use automarket_core::{Platform, Profile, profile::ApiVersion};
    /// let api = ApiVersion::new("v1", "https://bulletin.example/docs");
    /// let mut profile = Profile::new(Platform::from_static("bulletin"), "Bulletin", api);
    /// profile.text.limit = Some(200);
    /// profile.abilities.publish = true;
    /// ```
    #[must_use]
    pub fn new(platform: Platform, name: &'static str, api: ApiVersion) -> Self {
        Self {
            platform,
            name,
            status: Status::Live,
            api,
            text: TextRules::default(),
            media: MediaRules::default(),
            abilities: Abilities::default(),
            prices: None,
            bucket: None,
        }
    }
}

/// Whether a platform can be used today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// In service.
    Live,
    /// Works, but goes away or is no longer developed; the text says which.
    Legacy(&'static str),
    /// Connecting fails at once with this reason.
    Closed(&'static str),
}

/// The pinned API version, its end and where both facts come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiVersion {
    /// As the platform spells it; `"unversioned"` where it has none.
    pub version: &'static str,
    /// The day it stops being served, where announced.
    pub sunset: Option<NaiveDate>,
    /// The page or description that says so.
    pub source: &'static str,
}

impl ApiVersion {
    /// A version without an announced end.
    #[must_use]
    pub const fn new(version: &'static str, source: &'static str) -> Self {
        Self {
            version,
            sunset: None,
            source,
        }
    }

    /// The same with the day on which it stops being served.
    #[must_use]
    pub const fn until(mut self, day: NaiveDate) -> Self {
        self.sunset = Some(day);
        self
    }
}

/// The unit in which a platform counts text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextUnit {
    /// X's weighted characters (twitter-text configuration v3).
    Weighted,
    /// What a reader takes for one character (extended grapheme clusters).
    Graphemes,
    /// UTF-16 code units.
    Utf16,
    /// Unicode code points.
    CodePoints,
    /// Bytes of UTF-8.
    Bytes,
    /// Unicode code points, but of an emoji the bytes of its whole sequence (Threads).
    EmojiBytes,
}

/// How a platform wants formatted text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Markup {
    /// No formatting: Markdown is flattened.
    Plain,
    /// HTML.
    Html,
    /// CommonMark.
    Markdown,
    /// Telegram's MarkdownV2.
    MarkdownV2,
    /// Slack's mrkdwn.
    Mrkdwn,
    /// LinkedIn's little text.
    LittleText,
}

/// Where a post's link goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkPlace {
    /// Into the text, where it counts against the limit.
    Text,
    /// Beside the text, as an attachment of its own.
    Attachment,
    /// Nowhere clickable: links in the text are only letters.
    NotClickable,
}

/// What text a platform takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TextRules {
    /// How it counts.
    pub unit: TextUnit,
    /// The most it takes, in that unit; `None` where no limit is known.
    pub limit: Option<usize>,
    /// The limit of a text that stands with media, where it differs (Telegram's captions).
    pub limit_with_media: Option<usize>,
    /// The most a first comment takes; `None` where no limit is known.
    pub comment_limit: Option<usize>,
    /// A further limit that holds as well (Bluesky: 300 graphemes and 3,000 bytes).
    pub also: Option<(TextUnit, usize)>,
    /// What each address counts, where the platform shortens them (X 23, Mastodon 23). Mastodon shortens
    /// `@name@domain` too; see [`count`](crate::text::count).
    pub url_length: Option<usize>,
    /// How it wants formatted text.
    pub markup: Markup,
    /// Where a post's link goes.
    pub link: LinkPlace,
    /// Whether a text is needed when there is media.
    pub required: bool,
    /// Hashtags at the most.
    pub max_hashtags: Option<usize>,
    /// More hashtags than this do no good.
    pub advised_hashtags: Option<usize>,
    /// Mentions at the most.
    pub max_mentions: Option<usize>,
    /// Cashtags at the most.
    pub max_cashtags: Option<usize>,
    /// Different addresses at the most.
    pub max_links: Option<usize>,
    /// How many characters show before "see more", where the platform folds.
    pub fold: Option<usize>,
}

impl Default for TextRules {
    fn default() -> Self {
        Self {
            unit: TextUnit::CodePoints,
            limit: None,
            limit_with_media: None,
            comment_limit: None,
            also: None,
            url_length: None,
            markup: Markup::Plain,
            link: LinkPlace::Text,
            required: false,
            max_hashtags: None,
            advised_hashtags: None,
            max_mentions: None,
            max_cashtags: None,
            max_links: None,
            fold: None,
        }
    }
}

/// How media reaches a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaTransfer {
    /// We upload bytes.
    Bytes,
    /// It fetches a public address.
    Address,
    /// Either.
    Both,
}

/// What one kind of media may be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MediaLimit {
    /// MIME types taken; `image/*` is every image, `*/*` every file.
    pub mime: &'static [&'static str],
    /// Bytes at the most.
    pub max_bytes: u64,
    /// How many of this kind in one post.
    pub max_count: usize,
    /// Shortest and longest duration in seconds, for video and audio.
    pub seconds: Option<(f64, f64)>,
    /// Narrowest and widest width divided by height.
    pub aspect: Option<(f64, f64)>,
    /// Most pixels of the longer and of the shorter side.
    pub max_pixels: Option<(u32, u32)>,
    /// Fewest pixels of the longer and of the shorter side.
    pub min_pixels: Option<(u32, u32)>,
    /// Most pages, for documents.
    pub max_pages: Option<u32>,
}

impl MediaLimit {
    /// A limit of types, size and number.
    #[must_use]
    pub const fn new(mime: &'static [&'static str], max_bytes: u64, max_count: usize) -> Self {
        Self {
            mime,
            max_bytes,
            max_count,
            seconds: None,
            aspect: None,
            max_pixels: None,
            min_pixels: None,
            max_pages: None,
        }
    }
}

/// What media a platform takes; a kind without a limit is not taken.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MediaRules {
    /// How media reaches it.
    pub transfer: MediaTransfer,
    /// Still images.
    pub image: Option<MediaLimit>,
    /// Animated GIFs, where they differ from images.
    pub gif: Option<MediaLimit>,
    /// Video.
    pub video: Option<MediaLimit>,
    /// Documents (PDF carousels).
    pub document: Option<MediaLimit>,
    /// Whether a post without media is refused.
    pub required: bool,
    /// Whether kinds may stand together in one post.
    pub mixed: bool,
    /// How many in all.
    pub max_count: usize,
    /// Characters of alternative text at the most; `None` where it takes none.
    pub alt_limit: Option<usize>,
}

impl Default for MediaRules {
    fn default() -> Self {
        Self {
            transfer: MediaTransfer::Bytes,
            image: None,
            gif: None,
            video: None,
            document: None,
            required: false,
            mixed: false,
            max_count: 0,
            alt_limit: None,
        }
    }
}

impl MediaRules {
    /// How many bytes are worth having of what is said to be of this kind: 64 MiB where no limit is known.
    pub(crate) fn most(&self, kind: MediaKind) -> u64 {
        let limits = match kind {
            MediaKind::Image | MediaKind::Gif => [&self.image, &self.gif],
            MediaKind::Video => [&self.video, &None],
            MediaKind::Document => [&self.document, &None],
        };
        let known = limits.into_iter().flatten().map(|limit| limit.max_bytes);
        let known = known.max();
        known.filter(|most| *most < u64::MAX).unwrap_or(UNSAID)
    }
}

/// What a platform bills for a post: a hint for plans, not an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Prices {
    /// The currency, such as `USD`.
    pub currency: &'static str,
    /// For a post, and for each part of a thread.
    pub post: f64,
    /// For one that holds a link.
    pub post_with_link: f64,
}

/// What a connector can do. Each is a promise that the conformance suite checks both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Abilities {
    /// Publishes posts.
    pub publish: bool,
    /// Takes [`Delivery::At`](crate::content::Delivery::At): the platform publishes later by itself.
    pub schedule: bool,
    /// Takes [`Delivery::Draft`](crate::content::Delivery::Draft).
    pub draft: bool,
    /// Takes [`Delivery::Queue`](crate::content::Delivery::Queue).
    pub queue: bool,
    /// Takes a thread of several parts.
    pub thread: bool,
    /// Places a first comment under what it publishes.
    pub first_comment: bool,
    /// A repeated write with the same key has one effect.
    pub idempotency_key: bool,
    /// Can tell after a lost answer whether the post exists.
    pub find: bool,
    /// Reads metrics.
    pub measure: bool,
    /// Deletes what it published.
    pub delete: bool,
}
