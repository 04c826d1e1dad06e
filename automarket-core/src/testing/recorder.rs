use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};

use crate::http::{Body, Transport, TransportError};

/// A transport that writes down every request on its way to another. Clones share their memory.
#[derive(Clone)]
pub struct Recorder {
    inner: Arc<dyn Transport>,
    seen: Arc<Mutex<Vec<Request<Bytes>>>>,
}

impl Recorder {
    /// Before this transport.
    #[must_use]
    pub fn new(inner: impl Transport + 'static) -> Self {
        Self {
            inner: Arc::new(inner),
            seen: Arc::default(),
        }
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait]
impl Transport for Recorder {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request.clone());
        self.inner.send(request).await
    }
}
