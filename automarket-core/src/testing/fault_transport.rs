use std::{future::Future, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};

use super::{Fault, FaultPlan, text_reply};
use crate::{
    ErrorKind,
    http::{Body, Transport, TransportError},
};

type Answer = Result<Response<Body>, TransportError>;

/// A transport whose requests meet the faults of a plan on their way to another: a real client's, to make it
/// fail or to end the process at its nth request, or that of a served fake.
///
/// ```
/// use std::sync::Arc;
/// use automarket_core::{Context, Retry, http::Call};
/// use automarket_core::testing::{Fault, FaultPlan, FaultRule, FaultTransport, Script};
/// # #[tokio::main]
/// # async fn main() -> automarket_core::Result<()> {
/// let plan = Arc::new(FaultPlan::new());
/// plan.add(FaultRule::on("/posts", Fault::CutAfter));
/// let wire = Script::new().expect("POST", "https://api.example.com/posts").reply(201, "{}");
/// let cx = Context::new(FaultTransport::new(Arc::new(wire.clone()), plan));
/// let error = cx.call(Call::post("posts.create", "https://api.example.com/posts")?).await.unwrap_err();
/// assert_eq!(error.retry(), Retry::Reconcile);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct FaultTransport {
    inner: Arc<dyn Transport>,
    faults: Arc<FaultPlan>,
}

impl FaultTransport {
    /// Before this transport, with these faults.
    #[must_use]
    pub fn new(inner: Arc<dyn Transport>, faults: Arc<FaultPlan>) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
impl Transport for FaultTransport {
    async fn send(&self, request: Request<Bytes>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = self.inner.send(request);
        self.faults.through(&method, &path, answer).await
    }
}

impl FaultPlan {
    /// The answer as the plan lets it through. Where the platform is not to do it, `answer` is never awaited.
    pub(super) async fn through(
        &self,
        method: &Method,
        path: &str,
        answer: impl Future<Output = Answer> + Send,
    ) -> Answer {
        let cut = |sent| TransportError::new(ErrorKind::Network, sent, "the connection broke");
        let full = |reply: Response<Bytes>| reply.map(Body::Full);
        match self.take(method, path) {
            None => answer.await,
            Some(Fault::NotSent) => Err(cut(false)),
            Some(Fault::CutBefore) => Err(cut(true)),
            Some(Fault::CutAfter) => answer.await.and_then(|_| Err(cut(true))),
            Some(Fault::HangAfter) => {
                answer.await?;
                std::future::pending().await
            }
            Some(Fault::StatusAfter(status)) => answer.await.map(|_| full(page(status))),
            Some(Fault::StatusBefore(status)) => Ok(full(page(status))),
            Some(Fault::RateLimited(wait)) => {
                let mut reply = page(429);
                if let Some(wait) = wait {
                    reply
                        .headers_mut()
                        .insert(header::RETRY_AFTER, HeaderValue::from_static(wait));
                }
                Ok(full(reply))
            }
            Some(Fault::HalfAfter) => {
                let (mut parts, body) = answer.await?.into_parts();
                parts.headers.remove(header::CONTENT_LENGTH);
                let body = body.collect(usize::MAX).await?;
                if body.is_empty() {
                    parts.headers.clear();
                }
                let half = Body::Full(body.slice(..body.len() / 2));
                Ok(Response::from_parts(parts, half))
            }
            Some(Fault::GarbageAfter) => {
                answer.await.map(|_| full(text_reply(200, "\u{1}garbage{")))
            }
            Some(Fault::Slow(time)) => {
                let reply = answer.await;
                tokio::time::sleep(time).await;
                reply
            }
            Some(Fault::Unauthorized) => Ok(full(page(401))),
            Some(Fault::Reply(status, body)) => Ok(full(text_reply(status, body))),
            Some(Fault::AbortBefore) => std::process::abort(),
            Some(Fault::AbortAfter) => {
                // What the wire says no longer matters, but that it said it does.
                let _ = answer.await;
                std::process::abort()
            }
        }
    }
}

fn page(status: u16) -> Response<Bytes> {
    let mut reply = text_reply(
        status,
        format!("<html><body><h1>{status}</h1></body></html>"),
    );
    reply
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    reply
}
