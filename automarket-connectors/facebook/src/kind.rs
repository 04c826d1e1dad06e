use automarket_core::{
    Delivery, Handle, Outcome, Receipt,
    chrono::{DateTime, Utc},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::find::Place;

/// What a post became: the id means something else for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Post,
    Video,
    Reel,
}

impl Kind {
    pub(crate) fn of(data: &Value) -> Self {
        Self::deserialize(&data["kind"]).unwrap_or(Self::Post)
    }

    /// Where it would be.
    pub(crate) fn places(self, delivery: Delivery) -> &'static [Place] {
        match (self, delivery) {
            (Self::Post, Delivery::At(_)) => &[Place::Scheduled, Place::Posts],
            (Self::Post, _) => &[Place::Posts],
            (Self::Video, _) => &[Place::Videos],
            (Self::Reel, _) => &[Place::Reels],
        }
    }

    /// All lists that may hold it. What becomes public goes from the first to the second.
    pub(crate) fn lists(self) -> &'static [Place] {
        match self {
            Self::Post => &[Place::Scheduled, Place::Posts],
            Self::Video | Self::Reel => &[Place::Videos, Place::Reels],
        }
    }

    /// A post is public at once unless it has a time or is a draft; videos are processed first.
    /// `begun` is when its sending was, and `at` when it was known to be made.
    pub(crate) fn made(
        self,
        id: String,
        begun: DateTime<Utc>,
        at: DateTime<Utc>,
        delivery: Delivery,
    ) -> Outcome {
        if self == Self::Post && delivery == Delivery::Now {
            return Outcome::Done(self.receipt(id, None, Some(begun)));
        }
        Outcome::Accepted(Handle {
            remote_id: id,
            due: match delivery {
                Delivery::At(due) => Some(due),
                _ => None,
            },
            // Drafts are in no list, and videos are perhaps in none until they are public.
            data: json!({"kind": self, "since": begun, "at": at,
                "listed": self == Self::Post && delivery != Delivery::Draft}),
        })
    }

    /// `since` is when its sending was begun; what versions before made does not say it.
    pub(crate) fn receipt(
        self,
        id: String,
        url: Option<String>,
        since: Option<DateTime<Utc>>,
    ) -> Receipt {
        let url = match url {
            Some(path) if path.starts_with('/') => format!("https://www.facebook.com{path}"),
            Some(url) => url,
            None => format!("https://www.facebook.com/{id}"),
        };
        Receipt {
            url: Some(url),
            data: json!({"kind": self, "since": since}),
            ..Receipt::new(id)
        }
    }
}
