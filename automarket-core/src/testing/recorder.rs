use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};

use crate::http::{Body, Transport, TransportError};

type Seen = Vec<(Request<Bytes>, Option<Response<Bytes>>)>;

/// A transport that writes down every exchange on its way to another. Clones share their memory.
#[derive(Clone)]
pub struct Recorder {
    inner: Arc<dyn Transport>,
    seen: Arc<Mutex<Seen>>,
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
        let seen = self.seen();
        seen.iter().map(|(request, _)| request.clone()).collect()
    }

    /// The requests so far that were answered, each with its answer. One that is still arriving passes by unread.
    #[must_use]
    pub fn exchanges(&self) -> Vec<(Request<Bytes>, Response<Bytes>)> {
        let seen = self.seen();
        let answered = seen
            .iter()
            .filter_map(|(request, reply)| Some((request.clone(), reply.clone()?)));
        answered.collect()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Transport for Recorder {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let place = {
            let mut seen = self.seen();
            seen.push((request.clone(), None));
            seen.len() - 1
        };
        let (parts, body) = self.inner.send(request).await?.into_parts();
        if let Body::Full(bytes) = &body {
            let reply = Response::from_parts(parts.clone(), bytes.clone());
            self.seen()[place].1 = Some(reply);
        }
        Ok(Response::from_parts(parts, body))
    }
}
