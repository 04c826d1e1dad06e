use serde::{Deserialize, Serialize};

/// Which X, and what its app may do. An account's settings are laid over it (`Context::config`);
/// [`identify`](automarket_core::Publisher::identify) gives `username` and `long_posts` as settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct XConfig {
    /// Where the API is, without a slash at its end.
    pub base_url: String,
    /// Whether the app is on a self-serve plan: X then refuses quotes, and replies to who did not mention or
    /// quote the account. Enterprise apps set it to `false`.
    pub self_serve: bool,
    /// Whether the account pays for longer posts: 25,000 characters instead of 280.
    pub long_posts: bool,
    /// Whether a post whose answer was lost, and which X does not list within some ten seconds, is taken not to
    /// have gone out, and sent again: X refuses a text that it has already; whether also beside media that were
    /// uploaded anew is said nowhere. `false`: it stays unknown, for the host to decide, since one that X neither
    /// lists in time nor refuses would stand twice. A post of media alone stays unknown either way.
    pub trust_absence: bool,
    /// The account's name, for addresses of posts.
    pub username: Option<String>,
}

impl Default for XConfig {
    fn default() -> Self {
        Self {
            base_url: "https://api.x.com".to_owned(),
            self_serve: true,
            long_posts: false,
            trust_absence: true,
            username: None,
        }
    }
}
