use std::time::Duration;

use automarket_core::{
    Context, Error, ErrorKind, PageSource, Result, Url, async_trait, html,
    http::{Call, Reply, classify},
    source::{self, Page},
};

use crate::PLATFORM;

/// How many redirects a page may take.
const REDIRECTS: usize = 5;
/// How long extracting may hold the caller. Its own bounds keep it far below.
pub(crate) const EXTRACTION: Duration = Duration::from_secs(10);

/// Reads pages over http and https, through the context's transport and so through its outbound guard.
#[derive(Clone, Debug)]
pub struct Web {
    max_bytes: usize,
    timeout: Duration,
}

impl Web {
    /// Pages of up to 32 MiB within 30 s. Of a page beyond 4 MiB the beginning is read.
    #[must_use]
    pub fn new() -> Self {
        Self {
            max_bytes: 32 * 1024 * 1024,
            timeout: Duration::from_secs(30),
        }
    }

    /// Sets how large an answer may be, in decoded bytes; a larger one is `TooLarge`.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets the time for everything up to the last byte, redirects included.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn fetch(&self, cx: &Context, address: &str) -> Result<(Url, Reply)> {
        let call = call(address)?
            .header(
                "accept",
                "text/html,application/xhtml+xml;q=0.9,text/plain;q=0.5",
            )?
            .header(
                "user-agent",
                concat!("automarket/", env!("CARGO_PKG_VERSION")),
            )?
            .timeout(self.timeout)
            .max_body(self.max_bytes);
        cx.get_following(call, REDIRECTS).await
    }
}

impl Default for Web {
    fn default() -> Self {
        Self::new()
    }
}

fn call(address: &str) -> Result<Call> {
    Call::get("page.read", address.trim()).map_err(|error| {
        let message = "a page's address is http or https, without user and password";
        Error::invalid("address", message).with_source(error)
    })
}

#[async_trait]
impl PageSource for Web {
    fn check(&self, address: &str) -> Result<()> {
        call(address).map(drop)
    }

    async fn read(&self, cx: &Context, address: &str) -> Result<Page> {
        let page = async {
            let (url, reply) = self.fetch(cx, address).await?;
            if !reply.ok() {
                use ErrorKind::{Forbidden, QuotaExhausted, Unauthorized};
                let error = classify(&reply, cx.now());
                return Err(match error.kind() {
                    // There is no credential that it could be about.
                    Unauthorized | QuotaExhausted | Forbidden => {
                        source::answered(reply.status.as_u16())
                    }
                    _ => error.with_elsewhere(),
                });
            }
            let content_type = reply.header("content-type").map(str::to_owned);
            if let Some(mime) = content_type.as_deref().and_then(no_page) {
                return Err(Error::new(
                    ErrorKind::UnexpectedReply,
                    format!("this is {mime}, not a web page"),
                )
                .with_rule("not-a-page")
                .with_remedy("give the address of an HTML page"));
            }
            html::extract_bounded(reply.body, Some(url), content_type, EXTRACTION).await
        };
        page.await
            .map_err(|error| error.with_platform(&PLATFORM).with_operation("page.read"))
    }
}

/// The media type of an answer that is certainly no page. A missing or general type decides nothing: the
/// bytes do.
fn no_page(content_type: &str) -> Option<String> {
    let mime = content_type.split(';').next()?.trim().to_ascii_lowercase();
    let media = ["image/", "audio/", "video/", "font/"];
    let page = mime.is_empty()
        || mime.contains("html")
        || matches!(
            mime.as_str(),
            "text/plain"
                | "application/xml"
                | "text/xml"
                | "application/octet-stream"
                | "unknown/unknown"
        );
    (!page || media.iter().any(|kind| mime.starts_with(kind))).then_some(mime)
}
