use automarket_connector_graph::Fault;
use automarket_core::{Error, ErrorKind, Retry, http::Reply};

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
        ErrorKind::NotFound if OF_PAGE.contains(&reply.operation()) => of_page(error),
        _ => error,
    }
}

/// The page itself is not to be seen with this token.
pub(crate) fn of_page(error: Error) -> Error {
    error
        .with_kind(ErrorKind::Unauthorized)
        .with_retry(Retry::Never)
        .with_remedy("connect the account again")
}
