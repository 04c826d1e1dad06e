//! OAuth 2: the flow, the calls and lenient replies, with each platform's ways as data ([`Provider`]).
//!
//! Everything here is pure: functions make addresses and [`Call`](crate::http::Call)s and read replies; who
//! sends them and keeps the tokens is the engine.

mod callback;
mod calls;
mod jwt;
mod pkce;
mod places;
mod provider;
mod redirect;
mod register;
mod reply;
pub mod rule;
mod token;

pub use callback::{Callback, read_callback, state_of};
pub use calls::{
    authorize_url, client_credentials_call, exchange_call, jwt_bearer_call, long_lived_call,
    missing_scopes, refresh_call, requested_scopes, revoke_call,
};
pub use pkce::{challenge, random, same};
pub use provider::{
    App, ClientAuth, Meaning, Method, Pkce, Place, Provider, Refresh, Registration, Revocation,
    RevokeBy, Trade, TradeClient,
};
pub use redirect::{check_redirect_uri, redirect_uri_matches};
pub use register::{read_registration, register_call};
pub use reply::{read_revocation, read_token_reply};
pub use rule::Cause;
pub use token::{Grant, TokenSet};
