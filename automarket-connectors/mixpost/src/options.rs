//! Options that Mixpost hands on to single networks.

use automarket_core::{Platform, content::PlatformOptions};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a post says to the network behind its account. Only the part of that network matters.
///
/// ```
/// use automarket_connector_mixpost::options::{LinkedInOptions, MixpostOptions, Visibility};
/// use automarket_core::content::Variant;
///
/// let options = MixpostOptions {
///     linkedin: Some(LinkedInOptions { visibility: Visibility::Connections }),
///     ..MixpostOptions::default()
/// };
/// let variant = Variant::text("For those who know us.").with_options(&options)?;
/// # let _ = variant;
/// # Ok::<(), automarket_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MixpostOptions {
    /// Facebook Pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facebook_page: Option<MetaOptions>,
    /// Instagram.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instagram: Option<MetaOptions>,
    /// LinkedIn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linkedin: Option<LinkedInOptions>,
    /// Mastodon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mastodon: Option<MastodonOptions>,
    /// Pinterest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinterest: Option<PinterestOptions>,
    /// YouTube.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub youtube: Option<YouTubeOptions>,
    /// Google Business Profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gbp: Option<GbpOptions>,
    /// TikTok.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiktok: Option<TikTokOptions>,
}

impl PlatformOptions for MixpostOptions {
    const PLATFORM: Platform = crate::PLATFORM;
}

/// Options of Facebook Pages and Instagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaOptions {
    /// What it becomes.
    pub r#type: MetaType,
}

/// What a post becomes on Facebook or Instagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetaType {
    /// A post of the feed.
    #[default]
    Post,
    /// A reel.
    Reel,
    /// A story.
    Story,
}

/// Options of LinkedIn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedInOptions {
    /// Who sees it.
    pub visibility: Visibility,
}

/// Who sees a LinkedIn post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Visibility {
    /// Everyone.
    #[default]
    Public,
    /// Connections only.
    Connections,
}

/// Options of Mastodon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MastodonOptions {
    /// Hides the media behind a warning.
    pub sensitive: bool,
}

/// Options of Pinterest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PinterestOptions {
    /// Where the pin leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Its title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The id of the board of this account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
}

/// Options of YouTube.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct YouTubeOptions {
    /// The video's title.
    pub title: String,
    /// Who sees it.
    pub status: YouTubeStatus,
}

/// Who sees a video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum YouTubeStatus {
    /// Everyone.
    #[default]
    Public,
    /// Nobody else.
    Private,
    /// Whoever has the address.
    Unlisted,
}

/// Options of Google Business Profile; see Google's own words for what each type needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GbpOptions {
    /// What it is.
    pub r#type: GbpType,
    /// Its button.
    pub button: GbpButton,
    /// Where the button leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub button_link: Option<String>,
    /// The coupon of an offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupon_code: Option<String>,
    /// Where an offer is taken up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer_link: Option<String>,
    /// The terms of an offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    /// The title of an event or offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_title: Option<String>,
    /// First day, `Y-m-d`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_date: Option<String>,
    /// Last day, `Y-m-d`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_date: Option<String>,
    /// Start on the first day, `H:i`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// End on the last day, `H:i`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// Whether the times count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_has_time: Option<bool>,
    /// Whether coupon, link and terms count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer_has_details: Option<bool>,
}

/// What a post is on Google Business Profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GbpType {
    /// An update.
    #[default]
    Post,
    /// An offer.
    Offer,
    /// An event.
    Event,
}

/// The button of a Google Business Profile post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GbpButton {
    /// None.
    #[default]
    None,
    /// Book.
    Book,
    /// Order.
    Order,
    /// Shop.
    Shop,
    /// Learn more.
    LearnMore,
    /// Sign up.
    SignUp,
    /// Call.
    Call,
}

/// Options of TikTok.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TikTokOptions {
    /// Who sees it.
    pub privacy_level: TikTokPrivacy,
    /// Whether it may be commented on.
    pub allow_comments: bool,
    /// Whether duets are allowed.
    pub allow_duet: bool,
    /// Whether stitches are allowed.
    pub allow_stitch: bool,
    /// Whether it is disclosed as advertising.
    pub content_disclosure: bool,
    /// Advertises one's own brand.
    pub brand_organic_toggle: bool,
    /// Advertises somebody else's brand.
    pub brand_content_toggle: bool,
}

/// Who sees a TikTok.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TikTokPrivacy {
    /// Everyone.
    #[default]
    PublicToEveryone,
    /// Friends.
    MutualFollowFriends,
    /// Nobody else.
    SelfOnly,
}

impl MixpostOptions {
    /// As Mixpost takes it: some values stand in maps keyed by the account.
    pub(crate) fn for_account(&self, account: u64) -> Value {
        let key = format!("account-{account}");
        let mut value = json!(self);
        if let Some(pinterest) = value.get_mut("pinterest").and_then(Value::as_object_mut)
            && let Some(board) = pinterest.remove("board")
        {
            pinterest.insert("boards".to_owned(), json!({ &key: board }));
        }
        if let Some(tiktok) = value.get_mut("tiktok").and_then(Value::as_object_mut) {
            for value in tiktok.values_mut() {
                *value = Value::Object(Map::from_iter([(key.clone(), value.take())]));
            }
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_spelled_as_mixpost_spells_them() {
        let options = MixpostOptions {
            instagram: Some(MetaOptions {
                r#type: MetaType::Reel,
            }),
            linkedin: Some(LinkedInOptions::default()),
            pinterest: Some(PinterestOptions {
                board: Some("b9".into()),
                ..PinterestOptions::default()
            }),
            gbp: Some(GbpOptions {
                button: GbpButton::LearnMore,
                ..GbpOptions::default()
            }),
            tiktok: Some(TikTokOptions::default()),
            ..MixpostOptions::default()
        };
        let value = options.for_account(7);
        assert_eq!(value["instagram"], json!({"type": "reel"}));
        assert_eq!(value["linkedin"], json!({"visibility": "PUBLIC"}));
        assert_eq!(value["pinterest"], json!({"boards": {"account-7": "b9"}}));
        assert_eq!(
            value["gbp"],
            json!({"type": "post", "button": "LEARN_MORE"})
        );
        assert_eq!(
            value["tiktok"]["privacy_level"],
            json!({"account-7": "PUBLIC_TO_EVERYONE"})
        );
        assert_eq!(value["tiktok"]["allow_duet"], json!({"account-7": false}));
        assert_eq!(value.get("youtube"), None);
        assert_eq!(MixpostOptions::default().for_account(1), json!({}));
    }
}
