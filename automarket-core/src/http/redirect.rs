use bytes::Bytes;
use http::{Request, header};
use url::Url;

use super::Reply;
use crate::Result;

/// The request that a redirect asks for instead of `request`, or `None` when the answer is final. Across
/// origins (scheme, host, port) credentials stay behind.
pub(crate) fn next_hop(request: &Request<Bytes>, reply: &Reply) -> Result<Option<Request<Bytes>>> {
    if !matches!(reply.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = reply.headers.get(header::LOCATION) else {
        return Ok(None);
    };
    let broken = || reply.unexpected("the page redirects to what is no web address");
    let here = Url::parse(&request.uri().to_string()).map_err(|_| broken())?;
    // Some servers send raw UTF-8 here.
    let location = String::from_utf8_lossy(location.as_bytes());
    let mut there = here.join(&location).map_err(|_| broken())?;
    there.set_fragment(None);
    let plain = there.username().is_empty() && there.password().is_none();
    if !matches!(there.scheme(), "http" | "https") || !plain {
        return Err(broken());
    }
    let mut next = request.clone();
    *next.uri_mut() = there.as_str().parse().map_err(|_| broken())?;
    if here.origin() != there.origin() {
        let headers = next.headers_mut();
        let secret: Vec<_> = headers
            .iter()
            .filter(|(name, value)| value.is_sensitive() || is_credential(name))
            .map(|(name, _)| name.clone())
            .collect();
        for name in secret {
            headers.remove(name);
        }
    }
    Ok(Some(next))
}

fn is_credential(name: &header::HeaderName) -> bool {
    [
        header::AUTHORIZATION,
        header::COOKIE,
        header::PROXY_AUTHORIZATION,
        header::HOST,
        header::REFERER,
    ]
    .contains(name)
}
