//! Telling people: the trait and its words.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{Context, Outcome, Result, content::Media, profile::Profile};

/// A channel on which a host's people are told something. Errors as for
/// [`Publisher`](crate::Publisher): `Reconcile` means the notice may have arrived. The sending stands in a
/// [`Context::once`], so that a second call with the same steps never tells twice.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Limits and abilities; no I/O.
    fn profile(&self) -> &Profile;

    /// Checks the credential and says where notices arrive. `Unsupported` where a platform cannot be
    /// asked without sending (incoming webhooks).
    async fn identify(&self, cx: &Context) -> Result<Vec<crate::Identity>>;

    /// Sends one notice. The receipt's id is empty where the platform gives none. A notice without title
    /// and text is `InvalidInput`; one that is too long is shortened, never refused. Its files are brought first, so
    /// that one which is not taken keeps it from being sent; that they are refused once it is there, the receipt says
    /// ([`Receipt::files_error`](crate::Receipt::files_error)).
    async fn notify(&self, cx: &Context, notice: &Notice) -> Result<Outcome>;
}

const _: Option<&dyn Notifier> = None;

/// Something to tell. All text is plain: connectors escape it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notice {
    /// The headline.
    pub title: String,
    /// The body.
    pub text: String,
    /// Short facts, name and value.
    pub fields: Vec<(String, String)>,
    /// Links, label and address.
    pub links: Vec<(String, Url)>,
    /// Files.
    pub files: Vec<Media>,
    /// The message it answers, in the platform's spelling.
    pub thread: Option<String>,
}

impl Notice {
    /// A notice of a headline and a body.
    #[must_use]
    pub fn new(title: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            text: text.into(),
            ..Self::default()
        }
    }

    /// Adds a short fact.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }
}
