//! HTTP as connectors speak it: calls and replies over `http` types, without a client.

mod call;
mod classify;
mod guard;
mod reply;
#[cfg(feature = "reqwest")]
mod reqwest;
mod retry_after;
mod transport;

#[cfg(feature = "reqwest")]
pub use self::reqwest::{ReqwestTransport, ReqwestTransportBuilder};
pub use call::{Call, Effect, Multipart, segment};
pub use classify::classify;
pub use guard::{Guard, Purpose, Target, Verdict};
pub use reply::Reply;
pub use retry_after::retry_after;
pub use transport::{Body, ByteStream, Transport, TransportError};
