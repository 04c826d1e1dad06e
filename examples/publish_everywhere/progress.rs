//! How far each upload is: a transport round the real one.

use automarket::{
    core::{
        Bytes, async_trait,
        http_types::{Request, Response},
    },
    http::{Body, Transport, TransportError, Upload},
};

pub(crate) struct Shown<T>(pub(crate) T);

#[async_trait]
impl<T: Transport> Transport for Shown<T> {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        self.0.send(request).await
    }

    async fn send_upload(
        &self,
        request: Request<Upload>,
    ) -> Result<Response<Body>, TransportError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let show = move |sent: u64, size: u64| {
            println!(
                "  {host}: {} of {} KB",
                sent.div_ceil(1000),
                size.div_ceil(1000)
            );
        };
        let request = request.map(|upload| upload.watched(show));
        self.0.send_upload(request).await
    }
}
