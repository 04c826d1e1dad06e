//! HTTP as connectors speak it: calls and replies over `http` types, without a client.

mod addresses;
mod budget;
mod call;
mod classify;
mod exchange;
mod guard;
mod mask;
mod multipart;
mod redirect;
mod reply;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "reqwest")]
mod resolver;
mod retry_after;
mod transport;
mod upload;
mod usage;
mod watch;

#[cfg(feature = "reqwest")]
pub use self::{
    reqwest::{ReqwestTransport, ReqwestTransportBuilder},
    resolver::{Resolver, SystemResolver},
};
pub use budget::{app_budget, budget};
pub use call::{Bucket, Call, Effect, Elsewhere, segment};
pub use classify::classify;
pub use exchange::{Exchange, Exchanges};
pub use guard::{Guard, Purpose, Verdict};
pub use ipnet::IpNet;
pub use multipart::Multipart;
pub(crate) use redirect::next_hop;
pub use reply::Reply;
pub use retry_after::retry_after;
pub use transport::{Body, ByteStream, Transport, TransportError};
pub use upload::Upload;
pub(crate) use watch::CallWatch;
