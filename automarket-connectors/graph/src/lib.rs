#![doc = include_str!("../README.md")]

mod client;
mod comments;
mod error;
mod insights;
mod list;
mod login;
#[cfg(feature = "testing")]
pub mod testing;

pub use client::{Graph, VERSION, appsecret_proof};
pub use comments::{own_comment, same};
pub use error::{Fault, Refine, classify, of_account};
pub use list::{Within, unless_listed};
pub use login::{FACEBOOK_URL, LOGIN_CODES, facebook_login, page_credential};
