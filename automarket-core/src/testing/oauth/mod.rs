//! A local authorization server that misbehaves as the platforms do.

mod assertion;
mod login;
mod rules;
mod server;
mod with_login;

pub use login::LoginUnderTest;
pub use rules::{AuthRules, Issued, TradeRule, UserSays, standard_error, standard_reply};
pub use server::AuthServer;
pub use with_login::WithLogin;
