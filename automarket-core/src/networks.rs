//! The profiles of well-known networks, so that a post can be checked without a connector or an account.

use crate::{Platform, Profile};

/// The profile of a well-known network.
#[must_use]
pub fn profile(_network: &Platform) -> Option<Profile> {
    None
}
