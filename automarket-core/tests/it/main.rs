//! What core promises, tested from outside.

mod classify;
mod context;
mod guard;
mod retry_after;
mod transport;
