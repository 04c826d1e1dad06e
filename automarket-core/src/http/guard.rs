use std::net::IpAddr;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Delivering a webhook.
    Webhook,
    /// Reading a page or media.
    Fetch,
}

/// An address that passed the guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What to connect to.
    pub addresses: Vec<IpAddr>,
}

/// What the guard says of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may be connected to.
    pub allowed: bool,
    /// Why (not).
    pub reason: String,
}

/// The outbound guard: decides which addresses may be connected to. Fails closed.
#[derive(Clone, Debug, Default)]
pub struct Guard;
