use std::{io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Request, Response, Uri, uri::Scheme};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{body::Frame, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use crate::http::{ByteStream, Transport, TransportError};

/// A transport (a [`Sandbox`](super::Sandbox), say) played on a loopback socket, for tests of a real client
/// and for hosts in other languages. Dropping it ends it, with all its connections.
///
/// It plays one host: a request for `/posts` reaches the transport as `https://<host>/posts`, so a connector
/// whose base address is [`base_url`](Self::base_url) speaks to that host's fake. Where the transport fails,
/// the connection is cut without an answer.
///
/// ```
/// # use std::sync::Arc;
/// # use automarket_core::{Context, http::{Call, Guard, ReqwestTransport}, testing::{Script, Server}};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let wire = Script::new().expect("GET", "https://api.example.com/ping").reply(200, "pong");
/// let server = Server::start(Arc::new(wire), "api.example.com").await?;
///
/// let guard = Guard::default().allow("127.0.0.1/32".parse()?).allow_http(true);
/// let cx = Context::new(ReqwestTransport::builder().guard(guard).build()?);
/// let reply = cx.call(Call::get("ping", &format!("{}/ping", server.base_url()))?).await?;
/// assert_eq!(reply.body, "pong");
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts to serve as `host`, on a free port.
    ///
    /// # Errors
    /// When no socket can be had.
    pub async fn start(transport: Arc<dyn Transport>, host: &str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, transport, host.into()));
        Ok(Self { address, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base address for connectors, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, transport: Arc<dyn Transport>, host: Arc<str>) {
    // Dropped with the task, and the connections with it.
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        connections.spawn(converse(socket, Arc::clone(&transport), Arc::clone(&host)));
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(socket: TcpStream, transport: Arc<dyn Transport>, host: Arc<str>) {
    let service = service_fn(|request| answer(request, &*transport, &host));
    // A connection that fails is the client's to see.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(socket), service)
        .await;
}

type Answer = Response<StreamBody<FrameStream>>;
type FrameStream =
    futures_util::stream::Map<ByteStream, fn(Piece) -> Result<Frame<Bytes>, TransportError>>;
type Piece = Result<Bytes, TransportError>;

async fn answer(
    request: Request<Incoming>,
    transport: &dyn Transport,
    host: &str,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let (mut parts, body) = request.into_parts();
    let mut uri = parts.uri.into_parts();
    uri.scheme = Some(Scheme::HTTPS);
    uri.authority = Some(host.parse()?);
    parts.uri = Uri::from_parts(uri)?;
    let body = body.collect().await?.to_bytes();
    let response = transport.send(Request::from_parts(parts, body)).await?;
    Ok(response.map(|body| {
        let frame: fn(Piece) -> _ = |piece| piece.map(Frame::data);
        StreamBody::new(body.into_stream().map(frame))
    }))
}
