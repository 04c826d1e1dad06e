//! Which platform: an open set of short names.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Error, Result};

/// A platform's id: one lower-case word, the same as its connector's feature, folder and module.
///
/// The set is open: a host's own connector names its own with [`Platform::from_static`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Platform(Cow<'static, str>);

impl Platform {
    /// Bluesky.
    pub const BLUESKY: Self = Self::from_static("bluesky");
    /// Discord.
    pub const DISCORD: Self = Self::from_static("discord");
    /// Facebook Pages.
    pub const FACEBOOK: Self = Self::from_static("facebook");
    /// Instagram.
    pub const INSTAGRAM: Self = Self::from_static("instagram");
    /// LinkedIn.
    pub const LINKEDIN: Self = Self::from_static("linkedin");
    /// Mastodon.
    pub const MASTODON: Self = Self::from_static("mastodon");
    /// Slack.
    pub const SLACK: Self = Self::from_static("slack");
    /// Telegram.
    pub const TELEGRAM: Self = Self::from_static("telegram");
    /// Threads.
    pub const THREADS: Self = Self::from_static("threads");
    /// TikTok.
    pub const TIKTOK: Self = Self::from_static("tiktok");
    /// X.
    pub const X: Self = Self::from_static("x");
    /// YouTube.
    pub const YOUTUBE: Self = Self::from_static("youtube");

    /// For constants in connectors.
    ///
    /// # Panics
    /// When the name is not 1 to 40 of `a-z 0-9 _ -`: in a constant that is a compile error.
    #[must_use]
    pub const fn from_static(id: &'static str) -> Self {
        assert!(
            Self::is_valid(id),
            "a platform id is 1 to 40 of a-z, 0-9, _ and -"
        );
        Self(Cow::Borrowed(id))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    const fn is_valid(id: &str) -> bool {
        let bytes = id.as_bytes();
        if bytes.is_empty() || bytes.len() > 40 {
            return false;
        }
        let mut i = 0;
        while i < bytes.len() {
            if !matches!(bytes[i], b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-') {
                return false;
            }
            i += 1;
        }
        true
    }
}

impl FromStr for Platform {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        if Self::is_valid(text) {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(Error::invalid(
                "platform",
                "a platform id is 1 to 40 of a-z, 0-9, _ and -",
            ))
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Platform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
