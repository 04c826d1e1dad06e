//! The profiles of well-known networks, so that a post can be checked without a connector or an account.
//!
//! They say what a network takes; what can be done there is a connector's word, so their abilities are empty.
//! A connector takes its network's profile and adds its own.
//! Sizes are read as decimal megabytes unless the network says otherwise, and text is counted in the stricter
//! unit where it does not say, so that what passes here fits there. Where text folds ("see more") is observed,
//! not documented, by any network.

mod bluesky;
mod discord;
mod facebook;
mod instagram;
mod linkedin;
mod mastodon;
mod slack;
mod telegram;
mod threads;
mod tiktok;
mod x;
mod youtube;

use crate::{Platform, Profile};

/// A million bytes.
const MB: u64 = 1_000_000;
/// A thousand million bytes.
const GB: u64 = 1000 * MB;

/// The profile of a well-known network.
///
/// ```
/// use automarket_core::{Platform, networks};
/// let x = networks::profile(&Platform::X).unwrap();
/// assert_eq!((x.text.limit, x.text.url_length), (Some(280), Some(23)));
/// ```
#[must_use]
pub fn profile(network: &Platform) -> Option<Profile> {
    all()
        .into_iter()
        .find(|profile| profile.platform == *network)
}

/// Every well-known network, by id.
#[must_use]
pub fn all() -> Vec<Profile> {
    vec![
        bluesky::profile(),
        discord::profile(),
        facebook::profile(),
        instagram::profile(),
        linkedin::profile(),
        mastodon::profile(),
        slack::profile(),
        telegram::profile(),
        threads::profile(),
        tiktok::profile(),
        x::profile(),
        youtube::profile(),
    ]
}

/// The network that another system means by `name`: our own ids, and the spellings of schedulers such as
/// Mixpost (`twitter`, `facebook_page`, `gbp`). Case does not matter.
///
/// ```
/// use automarket_core::{Platform, networks};
/// assert_eq!(networks::from_alias("Twitter"), Some(Platform::X));
/// assert_eq!(networks::from_alias("facebook_page"), Some(Platform::FACEBOOK));
/// assert_eq!(networks::from_alias("myspace"), None);
/// ```
#[must_use]
pub fn from_alias(name: &str) -> Option<Platform> {
    let name = name.trim().to_ascii_lowercase().replace([' ', '-'], "_");
    Some(match name.as_str() {
        "bluesky" | "bsky" => Platform::BLUESKY,
        "discord" => Platform::DISCORD,
        "facebook" | "facebook_page" | "facebook_pages" | "fb" => Platform::FACEBOOK,
        "instagram" | "instagram_business" | "ig" => Platform::INSTAGRAM,
        "linkedin" | "linkedin_page" | "linkedin_profile" | "linkedin_company" => {
            Platform::LINKEDIN
        }
        "mastodon" => Platform::MASTODON,
        "slack" => Platform::SLACK,
        "telegram" => Platform::TELEGRAM,
        "threads" => Platform::THREADS,
        "tiktok" | "tik_tok" => Platform::TIKTOK,
        "x" | "twitter" | "x_twitter" => Platform::X,
        "youtube" | "you_tube" => Platform::YOUTUBE,
        "gbp" | "gmb" | "google_business" | "google_business_profile" => {
            const { Platform::from_static("gbp") }
        }
        "pinterest" => const { Platform::from_static("pinterest") },
        _ => return None,
    })
}
