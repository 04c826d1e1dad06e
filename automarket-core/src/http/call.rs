use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use serde::Serialize;
use url::Url;

use super::{Multipart, Upload};
use crate::{Error, Result, Secret};

/// What repeating a call would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it only reads, or writes the same thing again.
    Read,
    /// A second effect.
    Write,
}

/// Which of a platform's rate limits a request draws on: an extension of the request, for transports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket(pub &'static str);

/// A request to somebody else than the account's platform: an extension of the request, for transports. What the
/// answer says of limits is not the platform's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elsewhere;

/// One request to a platform, with what is needed to judge its end. Endpoints are pure functions that
/// return one.
///
/// ```
/// use automarket_core::{Secret, http::Call};
/// let call = Call::post("posts.create", "https://api.example.com/posts")?
///     .bearer(&Secret::new("t"))
///     .json(&serde_json::json!({"text": "hi"}))?;
/// assert_eq!(call.request().headers()["content-type"], "application/json");
/// # Ok::<(), automarket_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Call {
    pub(crate) operation: &'static str,
    pub(crate) request: http::Request<Bytes>,
    pub(crate) upload: Option<Upload>,
    pub(crate) effect: Effect,
    pub(crate) timeout: Duration,
    pub(crate) max_body: usize,
    pub(crate) secrets: Vec<Secret>,
}

impl Call {
    /// A call of any method. `GET`, `HEAD` and `OPTIONS` are reads, `PUT` and `DELETE` repeat without a
    /// second effect; the others are writes unless [`repeatable`](Self::repeatable) says otherwise.
    ///
    /// # Errors
    /// `InvalidInput` (`url`) unless it is an absolute http or https address without user and password.
    pub fn new(operation: &'static str, method: Method, url: &str) -> Result<Self> {
        let invalid = |why: &str| Error::invalid("url", why).with_operation(operation);
        let url = Url::parse(url)
            .map_err(|error| invalid("not an absolute address").with_source(error))?;
        if !matches!(url.scheme(), "http" | "https")
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(invalid(
                "an address is http or https, without user and password",
            ));
        }
        let effect = if method == Method::POST || method == Method::PATCH {
            Effect::Write
        } else {
            Effect::Read
        };
        let request = http::Request::builder()
            .method(method)
            .uri(url.as_str())
            .body(Bytes::new())
            .map_err(|error| invalid("not an address").with_source(error))?;
        Ok(Self {
            operation,
            request,
            upload: None,
            effect,
            timeout: Duration::from_secs(30),
            max_body: 8 * 1024 * 1024,
            secrets: Vec::new(),
        })
    }

    /// A `GET`.
    ///
    /// # Errors
    /// As [`Call::new`].
    pub fn get(operation: &'static str, url: &str) -> Result<Self> {
        Self::new(operation, Method::GET, url)
    }

    /// A `POST`.
    ///
    /// # Errors
    /// As [`Call::new`].
    pub fn post(operation: &'static str, url: &str) -> Result<Self> {
        Self::new(operation, Method::POST, url)
    }

    /// Says that repeating the call has no second effect (a search by POST, an upsert, a `PATCH` of set
    /// values).
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.effect = Effect::Read;
        self
    }

    /// Says that repeating the call has a second effect.
    #[must_use]
    pub fn unrepeatable(mut self) -> Self {
        self.effect = Effect::Write;
        self
    }

    /// Names the rate limit that it draws on, where the platform counts families of endpoints apart
    /// (`tweets`): what is used up there holds back only calls that name the same.
    #[must_use]
    pub fn bucket(mut self, name: &'static str) -> Self {
        self.request.extensions_mut().insert(Bucket(name));
        self
    }

    /// Says that it goes to somebody else than the account's platform, such as who has the media of a post.
    #[must_use]
    pub fn elsewhere(mut self) -> Self {
        self.request.extensions_mut().insert(Elsewhere);
        self
    }

    /// `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self, token: &Secret) -> Self {
        let value = format!("Bearer {}", token.expose());
        self.secret_header(header::AUTHORIZATION, value)
            .masking(token)
    }

    /// `Authorization: Basic`.
    #[must_use]
    pub fn basic(self, user: &str, password: &Secret) -> Self {
        let pair = STANDARD.encode(format!("{user}:{}", password.expose()));
        let value = format!("Basic {pair}");
        self.secret_header(header::AUTHORIZATION, value)
            .masking(password)
            .masking(&Secret::new(pair))
    }

    /// A header that holds a key. Its value stays out of logs, and behind on redirects to other origins.
    ///
    /// # Panics
    /// When the name is not a header name in lower case.
    #[must_use]
    pub fn secret(self, name: &'static str, value: &Secret) -> Self {
        self.secret_header(HeaderName::from_static(name), value.expose().to_owned())
            .masking(value)
    }

    fn secret_header(mut self, name: HeaderName, value: String) -> Self {
        // A token with a line break is no header value; it is left out, and the platform answers 401.
        if let Ok(mut value) = HeaderValue::try_from(value) {
            value.set_sensitive(true);
            self.request.headers_mut().insert(name, value);
        }
        self
    }

    /// Masks this value in everything that is kept of the answer.
    #[must_use]
    pub fn masking(mut self, secret: &Secret) -> Self {
        self.secrets.push(secret.clone());
        self
    }

    /// A header.
    ///
    /// # Errors
    /// `InvalidInput` naming the header when the value is not one.
    ///
    /// # Panics
    /// When the name is not a header name in lower case.
    pub fn header(mut self, name: &'static str, value: &str) -> Result<Self> {
        let value = HeaderValue::from_str(value)
            .map_err(|error| Error::invalid(name, "not a header value").with_source(error))?;
        self.request
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
        Ok(self)
    }

    /// A JSON body.
    ///
    /// # Errors
    /// `InvalidInput` (`body`) when the value cannot be written as JSON.
    pub fn json<T: Serialize + ?Sized>(self, body: &T) -> Result<Self> {
        let bytes = serde_json::to_vec(body).map_err(|error| {
            Error::invalid("body", "not representable as JSON").with_source(error)
        })?;
        Ok(self.body("application/json", bytes))
    }

    /// A form body.
    #[must_use]
    pub fn form<'a>(self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let text = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        self.body("application/x-www-form-urlencoded", text)
    }

    /// A multipart body, which streams when a file of it does.
    #[must_use]
    pub fn multipart(self, form: Multipart) -> Self {
        let (content_type, body) = form.finish();
        let mut call = match body.in_memory() {
            Some(bytes) => self.body("multipart/form-data", bytes),
            None => self.upload("multipart/form-data", body),
        };
        if let Ok(value) = HeaderValue::try_from(content_type) {
            call.request
                .headers_mut()
                .insert(header::CONTENT_TYPE, value);
        }
        call
    }

    /// A body that is read as it leaves, in bounded memory. [`request`](Self::request) shows it empty.
    #[must_use]
    pub fn upload(mut self, content_type: &'static str, body: Upload) -> Self {
        let headers = self.request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CONTENT_LENGTH, body.size().into());
        self.upload = Some(body);
        self
    }

    /// A body of any type.
    #[must_use]
    pub fn body(mut self, content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        *self.request.body_mut() = bytes.into();
        self.request
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        self
    }

    /// The time for everything: connecting, sending, waiting, reading. 30 s unless said otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Decoded bytes of a successful answer at the most. 8 MiB unless said otherwise.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// The request, for golden tests.
    #[must_use]
    pub fn request(&self) -> &http::Request<Bytes> {
        &self.request
    }

    /// The operation's name.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// What repeating it would do.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }
}

/// Without path, query and body: the one may be a secret, the other is somebody's data.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("operation", &self.operation)
            .field("method", self.request.method())
            .field("host", &self.request.uri().host())
            .field("effect", &self.effect)
            .field("body", &self.request.body().len())
            .field("upload", &self.upload)
            .finish_non_exhaustive()
    }
}

/// A value as one segment of a path: escaped so that it stays one.
///
/// ```
/// assert_eq!(automarket_core::http::segment("a/b c")?, "a%2Fb%20c");
/// assert!(automarket_core::http::segment("..").is_err());
/// # Ok::<(), automarket_core::Error>(())
/// ```
///
/// # Errors
/// `InvalidInput` (`path-segment`) for the empty value, `.`, `..` and control characters.
pub fn segment(value: &str) -> Result<String> {
    if value.is_empty() || value == "." || value == ".." || value.chars().any(char::is_control) {
        return Err(Error::invalid(
            "path-segment",
            "an id in a path is not empty, not a dot segment, without control characters",
        ));
    }
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(out)
}
