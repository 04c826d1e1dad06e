//! The suites find what they are there for: toys that break a promise in one way each.

mod changes;
mod liars;
mod lost_posts;
