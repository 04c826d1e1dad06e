use automarket_connector_graph::{Fault, of_account};
use automarket_core::{Error, ErrorKind, http::Reply};

/// Calls that name nothing but the page.
const OF_PAGE: [&str; 7] = [
    "photos.create",
    "videos.start",
    "reels.start",
    "posts.published",
    "posts.scheduled",
    "videos.list",
    "reels.list",
];

/// What Facebook's own codes make of an error.
pub(crate) fn refine(_: &Fault, reply: &Reply, error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound if OF_PAGE.contains(&reply.operation()) => of_account(error),
        _ => error,
    }
}
