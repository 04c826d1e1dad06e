//! What only X knows.

use automarket_core::{Platform, content::PlatformOptions};
use serde::{Deserialize, Serialize};

/// What a post says to X beside its text. In a thread all of it holds for the first part, `replies` for
/// all of it.
///
/// ```
/// use automarket_connector_x::{Poll, XOptions};
/// use automarket_core::content::Variant;
///
/// let options = XOptions {
///     poll: Some(Poll::new(["Tabs", "Spaces"], 24 * 60)),
///     ..XOptions::default()
/// };
/// let variant = Variant::text("Which?").with_options(&options)?;
/// # let _ = variant;
/// # Ok::<(), automarket_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct XOptions {
    /// The id of the post that this answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Ids of people who are left out of the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_reply_users: Vec<String>,
    /// The id of the post that this quotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// A poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<Poll>,
    /// Who may answer; everyone without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replies: Option<Replies>,
    /// The id of the community it is posted to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community: Option<String>,
    /// Discloses media that was made with AI.
    pub made_with_ai: bool,
    /// Discloses that it is paid for.
    pub paid_partnership: bool,
}

impl PlatformOptions for XOptions {
    const PLATFORM: Platform = crate::PLATFORM;
}

/// A poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// 2 to 4 answers of 1 to 25 characters.
    pub options: Vec<String>,
    /// How long it is open, in minutes: 5 to 10,080 (a week).
    pub minutes: u32,
}

impl Poll {
    /// A poll of these answers.
    #[must_use]
    pub fn new<T: Into<String>>(options: impl IntoIterator<Item = T>, minutes: u32) -> Self {
        Self {
            options: options.into_iter().map(Into::into).collect(),
            minutes,
        }
    }
}

/// Who may answer a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replies {
    /// Whom the account follows.
    Following,
    /// Who is mentioned.
    Mentioned,
    /// Who subscribes to the account.
    Subscribers,
    /// Verified accounts.
    Verified,
}

impl Replies {
    /// As X spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Following => "following",
            Self::Mentioned => "mentionedUsers",
            Self::Subscribers => "subscribers",
            Self::Verified => "verified",
        }
    }
}
