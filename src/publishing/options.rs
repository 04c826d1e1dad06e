use std::time::Duration;

use automarket_core::store::Lateness;

/// How a post is handed over, beside when.
///
/// ```
/// use std::time::Duration;
/// use automarket::publishing::PublishOptions;
/// let options = PublishOptions::new().needs_approval().publish_if_within(Duration::from_secs(600));
/// assert!(options.approval);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishOptions {
    /// Whether somebody has to say yes first ([`Tenant::approve`](crate::Tenant::approve)).
    pub approval: bool,
    /// How late it may be sent: an hour unless said otherwise, else it is missed. With
    /// [`Delivery::At`](crate::Delivery::At) it may be sent until that instant instead.
    pub lateness: Lateness,
}

impl PublishOptions {
    /// No approval, at most an hour late.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Somebody has to say yes first.
    #[must_use]
    pub fn needs_approval(mut self) -> Self {
        self.approval = true;
        self
    }

    /// Sent when it is at most this late, else missed.
    #[must_use]
    pub fn publish_if_within(mut self, late: Duration) -> Self {
        self.lateness = Lateness::PublishIfWithin(late);
        self
    }

    /// Sent however late it is.
    #[must_use]
    pub fn however_late(mut self) -> Self {
        self.lateness = Lateness::Always;
        self
    }
}
