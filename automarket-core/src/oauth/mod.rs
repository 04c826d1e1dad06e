//! OAuth 2: the flow, the calls and lenient replies, with each platform's ways as data ([`Provider`]).
//!
//! Everything here is pure: functions make addresses and [`Call`](crate::http::Call)s and read replies; who
//! sends them and keeps the tokens is the engine.

mod provider;
mod token;

pub use provider::{
    App, ClientAuth, Meaning, Method, Pkce, Place, Provider, Refresh, Registration, Revocation,
    RevokeBy, Trade, TradeClient,
};
pub use token::{Grant, TokenSet};
