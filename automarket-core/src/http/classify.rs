use chrono::{DateTime, Utc};

use super::Reply;
use crate::{Error, ErrorKind};

/// The error that the status alone says; connectors refine it from the body. Never fails.
#[must_use]
pub fn classify(reply: &Reply, _now: DateTime<Utc>) -> Error {
    Error::new(ErrorKind::UnexpectedReply, "not yet")
        .with_status(reply.status.as_u16())
        .with_operation(reply.operation())
        .with_body(reply.excerpt())
}
