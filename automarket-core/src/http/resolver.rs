use std::{io, net::IpAddr};

use async_trait::async_trait;

/// Where a name's addresses come from, injected so that tests own it. Each new connection asks once, and
/// goes only to what was answered and passed the guard.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// All addresses of the name.
    ///
    /// # Errors
    /// When it does not exist or cannot be looked up.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}
