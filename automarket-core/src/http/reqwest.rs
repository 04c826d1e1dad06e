use std::{error::Error as StdError, fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use ::reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header;
use rustls_platform_verifier::BuilderVerifierExt as _;
use url::Url;

use super::{
    Body, ByteStream, Guard, Purpose, Resolver, SystemResolver, Transport, TransportError, Upload,
};
use crate::{Error, ErrorKind, Result};

/// The real transport: reqwest over rustls, behind the outbound guard.
///
/// A name is resolved once per connection, all its addresses are judged, and only those are connected to;
/// kept connections go back to the same host only. No redirects, cookies, referer, or proxies from the
/// environment; nothing is sent twice. gzip and deflate are decoded as they arrive. Other codings are not
/// asked for and refused: a brotli body may make its reader allocate 1 GiB before its first byte.
///
/// ```
/// use automarket_core::{Context, http::{Guard, ReqwestTransport}};
/// let transport = ReqwestTransport::builder()
///     .guard(Guard::strict())
///     .user_agent("acme/1.0")
///     .build()?;
/// let cx = Context::new(transport);
/// # Ok::<(), automarket_core::Error>(())
/// ```
#[derive(Clone)]
pub struct ReqwestTransport {
    client: Client,
    guard: Guard,
}

impl ReqwestTransport {
    /// With everything as it is by default.
    ///
    /// # Errors
    /// As [`ReqwestTransportBuilder::build`].
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// With settings of your own.
    #[must_use]
    pub fn builder() -> ReqwestTransportBuilder {
        ReqwestTransportBuilder {
            guard: Guard::default(),
            resolver: Arc::new(SystemResolver),
            connect_timeout: Duration::from_secs(10),
            user_agent: concat!("automarket/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransport")
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}

/// Builds a [`ReqwestTransport`].
pub struct ReqwestTransportBuilder {
    guard: Guard,
    resolver: Arc<dyn Resolver>,
    connect_timeout: Duration,
    user_agent: String,
}

impl ReqwestTransportBuilder {
    /// Which addresses may be connected to. [`Guard::default`] unless said otherwise.
    #[must_use]
    pub fn guard(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }

    /// Where addresses come from. The operating system unless said otherwise.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolver + 'static) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// The time for resolving, connecting and the TLS handshake. 10 s unless said otherwise.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How we name ourselves. `automarket/<version>` unless said otherwise.
    #[must_use]
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// Builds it.
    ///
    /// # Errors
    /// `Config` when the system has no root certificates, or the user agent is no header value.
    pub fn build(self) -> Result<ReqwestTransport> {
        let config = |message: &str| Error::new(ErrorKind::Config, message);
        // The provider is named here, so that no process-wide default is needed or touched.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_platform_verifier())
            .map_err(|error| {
                config("the system's root certificates cannot be loaded")
                    .with_remedy("install the system's CA certificates (ca-certificates)")
                    .with_source(error)
            })?
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let vetting = Vetting {
            guard: self.guard.clone(),
            resolver: self.resolver,
        };
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(vetting)
            .connect_timeout(self.connect_timeout)
            .user_agent(self.user_agent)
            .redirect(Policy::none())
            .retry(::reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .no_brotli()
            .no_zstd()
            .build()
            .map_err(|error| config("the HTTP client cannot be built").with_source(error))?;
        Ok(ReqwestTransport {
            client,
            guard: self.guard,
        })
    }
}

impl fmt::Debug for ReqwestTransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransportBuilder")
            .field("guard", &self.guard)
            .field("connect_timeout", &self.connect_timeout)
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Body>, TransportError> {
        self.execute(request.map(Into::into)).await
    }

    async fn send_upload(
        &self,
        request: http::Request<Upload>,
    ) -> Result<http::Response<Body>, TransportError> {
        self.execute(request.map(|upload| ::reqwest::Body::wrap_stream(upload.into_stream())))
            .await
    }
}

impl ReqwestTransport {
    async fn execute(
        &self,
        request: http::Request<::reqwest::Body>,
    ) -> Result<http::Response<Body>, TransportError> {
        let refused = |reason: String| TransportError::new(ErrorKind::Refused, false, reason);
        let url = Url::parse(&request.uri().to_string())
            .map_err(|_| refused("the address is not absolute".to_owned()))?;
        // Hosts that are addresses never come to the resolver: they are judged here.
        let verdict = self.guard.url(&url, Purpose::of(&request));
        if !verdict.allowed {
            return Err(refused(verdict.reason));
        }
        let (parts, body) = request.into_parts();
        let mut request = ::reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(body);
        let reply = self.client.execute(request).await.map_err(not_answered)?;
        let mut response = http::Response::new(());
        *response.status_mut() = reply.status();
        *response.headers_mut() = reply.headers().clone();
        let body: ByteStream = if is_plain(reply.headers()) {
            Box::pin(reply.bytes_stream().map(|piece| piece.map_err(broken_off)))
        } else {
            // The status stands; only the body cannot be had.
            Box::pin(stream::once(async { Err(unknown_coding()) }))
        };
        Ok(response.map(|()| Body::Stream(body)))
    }
}

/// Whether nothing is left to decode: what was decoded no longer has the header. Object stores serve it empty, or as
/// `aws-chunked`, for what was uploaded in chunks, with its bytes as they are.
fn is_plain(headers: &header::HeaderMap) -> bool {
    let lines = headers.get_all(header::CONTENT_ENCODING);
    lines.iter().all(|line| {
        line.to_str().is_ok_and(|line| {
            line.split(',').map(str::trim).all(|coding| {
                ["", "identity", "aws-chunked"]
                    .iter()
                    .any(|plain| coding.eq_ignore_ascii_case(plain))
            })
        })
    })
}

fn unknown_coding() -> TransportError {
    let message = "the answer is encoded in a way that was not asked for";
    TransportError::new(ErrorKind::UnexpectedReply, true, message)
}

/// Resolves a name and lets only judged addresses through to the connector.
struct Vetting {
    guard: Guard,
    resolver: Arc<dyn Resolver>,
}

impl Resolve for Vetting {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, resolver) = (self.guard.clone(), Arc::clone(&self.resolver));
        Box::pin(async move {
            let addresses = resolver.resolve(name.as_str()).await?;
            let verdict = guard.resolved(name.as_str(), &addresses);
            if !verdict.allowed {
                return Err(Vetoed(verdict.reason).into());
            }
            let addresses = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// The guard's no, on its way through the client's error chain.
#[derive(Debug)]
struct Vetoed(String);

impl fmt::Display for Vetoed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Vetoed {}

/// No answer began. Whatever failed before there was a connection was not sent.
fn not_answered(error: ::reqwest::Error) -> TransportError {
    if let Some(Vetoed(reason)) = causes(&error).find_map(|cause| cause.downcast_ref()) {
        return TransportError::new(ErrorKind::Refused, false, reason);
    }
    // The request's own body could not be read to its end.
    if let Some(own) = causes(&error).find_map(|cause| cause.downcast_ref::<TransportError>()) {
        return TransportError::new(own.kind, true, own.message.clone()).of_own_body();
    }
    let connecting = error.is_connect();
    let what = if error.is_dns() {
        "the name cannot be resolved"
    } else if connecting {
        "no connection"
    } else {
        "the connection broke before the answer"
    };
    let kind = if error.is_timeout() {
        ErrorKind::Timeout
    } else {
        ErrorKind::Network
    };
    TransportError::new(kind, !connecting, with_cause(what, &error))
}

/// The answer began and did not end.
fn broken_off(error: ::reqwest::Error) -> TransportError {
    let (kind, what) = if error.is_timeout() {
        (ErrorKind::Timeout, "the answer stopped coming")
    } else if causes(&error).any(is_bad_data) {
        (ErrorKind::UnexpectedReply, "the answer cannot be decoded")
    } else {
        (ErrorKind::Network, "the connection broke inside the answer")
    };
    TransportError::new(kind, true, with_cause(what, &error))
}

fn is_bad_data(cause: &(dyn StdError + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
        )
    })
}

/// The innermost cause in brackets. The client's own lines hold the whole address and are left out.
fn with_cause(what: &str, error: &::reqwest::Error) -> String {
    match causes(error).last() {
        Some(cause) => format!("{what} ({cause})"),
        None => what.to_owned(),
    }
}

fn causes<'a>(error: &'a ::reqwest::Error) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}
