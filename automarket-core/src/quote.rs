//! One value as one literal of another language.

/// A GraphQL string literal, quotes included.
#[must_use]
pub fn graphql(value: &str) -> String {
    format!("{value:?}")
}
