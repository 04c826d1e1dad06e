//! What only LinkedIn knows.

use automarket_core::{Media, Platform, content::PlatformOptions};
use serde::{Deserialize, Serialize};

/// What a post says to LinkedIn beside its text.
///
/// ```
/// use automarket_connector_linkedin::{LinkedInOptions, Poll, PollDays};
/// use automarket_core::content::Variant;
///
/// let options = LinkedInOptions {
///     poll: Some(Poll::new("Tabs or spaces?", ["Tabs", "Spaces"], PollDays::Seven)),
///     ..LinkedInOptions::default()
/// };
/// let variant = Variant::text("We have to know.").with_options(&options)?;
/// # let _ = variant;
/// # Ok::<(), automarket_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkedInOptions {
    /// Who sees it.
    pub visibility: Visibility,
    /// The title: of the link's card, of the document (which needs one, else its file's name is taken), of the
    /// image or video. LinkedIn reads nothing from the page; a card without title shows the link's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The text of the link's card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The image of the link's card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<Media>,
    /// A poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<Poll>,
    /// Whether others are kept from sharing it.
    pub no_reshare: bool,
}

impl PlatformOptions for LinkedInOptions {
    const PLATFORM: Platform = crate::PLATFORM;
}

/// Who sees a post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everyone.
    #[default]
    Public,
    /// The member's connections; organisations have none.
    Connections,
    /// Everyone who is logged in.
    LoggedIn,
}

impl Visibility {
    /// As LinkedIn spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Public => "PUBLIC",
            Self::Connections => "CONNECTIONS",
            Self::LoggedIn => "LOGGED_IN",
        }
    }
}

/// A poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// What is asked, in 1 to 140 characters.
    pub question: String,
    /// 2 to 4 answers of 1 to 30 characters.
    pub options: Vec<String>,
    /// How long it is open.
    pub days: PollDays,
}

impl Poll {
    /// A poll of this question and these answers.
    #[must_use]
    pub fn new<T: Into<String>>(
        question: impl Into<String>,
        options: impl IntoIterator<Item = T>,
        days: PollDays,
    ) -> Self {
        Self {
            question: question.into(),
            options: options.into_iter().map(Into::into).collect(),
            days,
        }
    }
}

/// How long a poll is open; LinkedIn knows no other times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollDays {
    /// A day.
    One,
    /// Three days.
    Three,
    /// A week.
    Seven,
    /// Two weeks.
    Fourteen,
}

impl PollDays {
    /// As LinkedIn spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::One => "ONE_DAY",
            Self::Three => "THREE_DAYS",
            Self::Seven => "SEVEN_DAYS",
            Self::Fourteen => "FOURTEEN_DAYS",
        }
    }
}
