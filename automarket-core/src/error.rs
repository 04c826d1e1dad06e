//! The one error type of the library: what happened, whether it may have taken effect, what to do.

mod record;

use std::{error::Error as StdError, fmt, time::Duration};

use serde::{Deserialize, Serialize};

pub use record::ErrorRecord;

use crate::{Platform, Receipt};

/// What every fallible call of the library returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. Stable: hosts may match on it, new kinds may be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// Input breaks a rule of ours or of the platform; [`Error::field`] and [`Error::rule`] name it.
    InvalidInput,
    /// The connector or platform does not do this at all.
    Unsupported,
    /// The step is switched off because something it needs is not configured.
    Disabled,
    /// No such record, here or on the platform, or not of this tenant.
    NotFound,
    /// The record changed meanwhile, or its state forbids this.
    Conflict,
    /// It is sent or being sent already, or has ended: it cannot be changed any more.
    TooLate,
    /// The platform says it already has this very thing.
    Duplicate,
    /// The credential is expired, revoked or wrong: reconnect the account.
    Unauthorized,
    /// The credential is good but may not do this.
    Forbidden,
    /// Too many requests for now.
    RateLimited,
    /// A plan, credit or daily quota is used up; waiting seconds will not help.
    QuotaExhausted,
    /// The platform is failing (5xx) or away.
    Unavailable,
    /// Not answered in time.
    Timeout,
    /// The connection could not be made, or broke.
    Network,
    /// More bytes than allowed, in either direction.
    TooLarge,
    /// The outbound guard refuses the address.
    Refused,
    /// The pinned API version is no longer served.
    ApiVersionRetired,
    /// The platform or model declines the content itself.
    ContentRefused,
    /// A generated answer stopped before its end.
    Truncated,
    /// The answer is not of the shape the platform documents.
    UnexpectedReply,
    /// The lease ran out or passed to another worker: nothing was changed.
    LeaseLost,
    /// It may have happened, and the platform cannot be searched well enough to tell: stays unknown until
    /// somebody decides.
    CannotTell,
    /// The store cannot do it now (locked, full, away).
    Storage,
    /// Something is configured wrongly.
    Config,
    /// A fault of ours.
    Internal,
}

impl ErrorKind {
    /// The stable spelling used in reports, rows and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::Unsupported => "unsupported",
            Self::Disabled => "disabled",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::TooLate => "too_late",
            Self::Duplicate => "duplicate",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::RateLimited => "rate_limited",
            Self::QuotaExhausted => "quota_exhausted",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Network => "network",
            Self::TooLarge => "too_large",
            Self::Refused => "refused",
            Self::ApiVersionRetired => "api_version_retired",
            Self::ContentRefused => "content_refused",
            Self::Truncated => "truncated",
            Self::UnexpectedReply => "unexpected_reply",
            Self::LeaseLost => "lease_lost",
            Self::CannotTell => "cannot_tell",
            Self::Storage => "storage",
            Self::Config => "config",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status with which a backend may answer its user: 4xx for what the user can mend. Never 401 or 403, which
    /// speak of the user's login with the backend, and not with a platform.
    ///
    /// ```
    /// use automarket_core::ErrorKind;
    /// assert_eq!(ErrorKind::InvalidInput.http_status(), 422);
    /// assert_eq!(ErrorKind::Unauthorized.http_status(), 409, "the account has to be connected again");
    /// ```
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::InvalidInput
            | Self::Unsupported
            | Self::Disabled
            | Self::Forbidden
            | Self::TooLarge
            | Self::Refused
            | Self::ContentRefused => 422,
            Self::NotFound => 404,
            Self::Conflict | Self::TooLate | Self::Duplicate | Self::Unauthorized => 409,
            Self::RateLimited | Self::QuotaExhausted => 429,
            Self::Unavailable | Self::Timeout | Self::Network | Self::Storage | Self::LeaseLost => {
                503
            }
            Self::ApiVersionRetired
            | Self::Truncated
            | Self::UnexpectedReply
            | Self::CannotTell => 502,
            Self::Config | Self::Internal => 500,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What may be done next. Posting twice is the worst bug, so this is apart from what went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// It did not happen and will not: the platform said no, or we refuse.
    Never,
    /// It certainly did not happen: wait (the platform's own time where it named one), then send again.
    After(Option<Duration>),
    /// It may have happened: look it up before anything is sent again.
    Reconcile,
}

impl Retry {
    /// What follows from the kind alone.
    fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::RateLimited
            | ErrorKind::Unavailable
            | ErrorKind::Timeout
            | ErrorKind::Network
            | ErrorKind::Storage => Self::After(None),
            ErrorKind::CannotTell => Self::Reconcile,
            _ => Self::Never,
        }
    }
}

/// One boxed error: kind, message and context. `Display` is one line and never repeats the source;
/// [`Error::report`] prints the whole chain.
///
/// ```
/// use automarket_core::{Error, ErrorKind, Retry};
/// let error = Error::new(ErrorKind::RateLimited, "too many posts");
/// assert_eq!(error.retry(), Retry::After(None));
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    retry: Retry,
    /// That of `After`, where `Reconcile` took its place.
    wait: Option<Duration>,
    message: String,
    platform: Option<Platform>,
    operation: Option<&'static str>,
    platform_code: Option<String>,
    status: Option<u16>,
    app_limit: bool,
    elsewhere: bool,
    field: Option<String>,
    rule: Option<String>,
    remedy: Option<String>,
    body: Option<String>,
    /// Whether the message is a record's, which tells of platform and field itself.
    recorded: bool,
    /// Boxed, since few errors have one.
    receipt: Option<Box<Receipt>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error whose [`Retry`] follows from its kind: waiting helps for rate limits, outages, network
    /// and storage; what cannot be told is to be looked up; nothing else is repeated.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            retry: Retry::of(kind),
            wait: None,
            message: message.into(),
            platform: None,
            operation: None,
            platform_code: None,
            status: None,
            app_limit: false,
            elsewhere: false,
            field: None,
            rule: None,
            remedy: None,
            body: None,
            recorded: false,
            receipt: None,
            source: None,
        }))
    }

    /// Bad input: names the field and the rule it breaks.
    #[must_use]
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::InvalidInput, message);
        error.0.field = Some(field.into());
        error
    }

    /// By which a job of the host's own puts itself off for so long, a second at the least. It uses up no attempt and is kept
    /// as no failure.
    #[must_use]
    pub fn snooze(wait: Duration) -> Self {
        Self::new(ErrorKind::RateLimited, "put off by the job itself")
            .with_rule("job.snoozed")
            .with_retry(Retry::After(Some(wait)))
    }

    /// Says of what the message speaks: `part 2 of 3: ...`.
    #[must_use]
    pub fn about(mut self, what: &str) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// What the connector or platform cannot do.
    #[must_use]
    pub fn unsupported(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, what)
    }

    /// Another kind, known from the platform's own code; the rest stays. What may be done next then follows
    /// from the new kind, with two exceptions: `Reconcile` stays, since a better name does not undo what may
    /// have happened, and so does a wait that the platform named. A connector that knows that nothing
    /// happened says so with [`with_retry`](Self::with_retry).
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        let by_kind = Retry::of(kind);
        self.0.kind = kind;
        self.0.retry = match (self.0.retry, by_kind) {
            (Retry::Reconcile, _) => Retry::Reconcile,
            (Retry::After(wait), Retry::After(_)) => Retry::After(wait),
            _ => by_kind,
        };
        self
    }

    /// Sets what may be done next. [`Reconcile`](Retry::Reconcile) keeps a wait that was named: what is told to wait
    /// may be a look.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.wait = self.wait().filter(|_| retry == Retry::Reconcile);
        self.0.retry = retry;
        self
    }

    /// Names the platform, unless one is already named.
    #[must_use]
    pub fn with_platform(mut self, platform: &Platform) -> Self {
        self.0.platform.get_or_insert_with(|| platform.clone());
        self
    }

    /// Names the operation, unless one is already named.
    #[must_use]
    pub fn with_operation(mut self, operation: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// The code that the platform gave.
    #[must_use]
    pub fn with_platform_code(mut self, code: impl Into<String>) -> Self {
        self.0.platform_code = Some(code.into());
        self
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Says that the limit which was hit is the app's, for all accounts that use it, and not the account's.
    #[must_use]
    pub fn with_app_limit(mut self) -> Self {
        self.0.app_limit = true;
        self
    }

    /// Says that the platform is well, whatever status it gave: what failed is somebody else's, such as a page that it
    /// was to read, or a network that a scheduler lost. Its circuit breaker is told of an answer, and `Unauthorized` is
    /// no word on the credential: what waits for it goes on by itself.
    #[must_use]
    pub fn with_elsewhere(mut self) -> Self {
        self.0.elsewhere = true;
        self
    }

    /// Names the input field that is to blame, unless one is already named.
    #[must_use]
    pub fn with_field(mut self, field: &str) -> Self {
        self.0.field.get_or_insert_with(|| field.to_owned());
        self
    }

    /// The id of the rule that was broken.
    #[must_use]
    pub fn with_rule(mut self, rule: impl Into<String>) -> Self {
        self.0.rule = Some(rule.into());
        self
    }

    /// What the host or its user can do about it.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// A masked, bounded excerpt of the answer (see `http::Reply::excerpt`).
    #[must_use]
    pub fn with_body(mut self, excerpt: impl Into<String>) -> Self {
        self.0.body = Some(excerpt.into());
        self
    }

    /// What is surely public, whatever became of the part that failed.
    #[must_use]
    pub fn with_receipt(mut self, receipt: Receipt) -> Self {
        self.0.receipt = Some(Box::new(receipt));
        self
    }

    /// The cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What may be done next.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// How long to wait before that, where it was named.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        match self.0.retry {
            Retry::After(wait) => wait,
            _ => self.0.wait,
        }
    }

    /// Whether the write may have taken effect.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.0.retry == Retry::Reconcile
    }

    /// The message alone, without context.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The platform that answered.
    #[must_use]
    pub fn platform(&self) -> Option<&Platform> {
        self.0.platform.as_ref()
    }

    /// The operation that failed.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The code that the platform gave.
    #[must_use]
    pub fn platform_code(&self) -> Option<&str> {
        self.0.platform_code.as_deref()
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Whether the limit which was hit is the app's, for all accounts that use it.
    #[must_use]
    pub fn is_app_limit(&self) -> bool {
        self.0.app_limit
    }

    /// Whether what failed is somebody else's than the platform's.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        self.0.elsewhere
    }

    /// The input field that is wrong.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// The id of the rule that was broken.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        self.0.rule.as_deref()
    }

    /// What can be done about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }

    /// The masked, bounded excerpt of the answer.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        self.0.body.as_deref()
    }

    /// What is surely public although a later part failed; a record of the error does not keep it.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        self.0.receipt.as_deref()
    }

    /// The line of `Display` and those of all causes, joined by `: `.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        if inner.recorded {
            return f.write_str(&inner.message);
        }
        if let Some(platform) = &inner.platform {
            write!(f, "{platform}")?;
            if let Some(operation) = inner.operation {
                write!(f, " {operation}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&inner.message)?;
        if let Some(field) = &inner.field {
            write!(f, " [field {field}]")?;
        }
        if let Some(status) = inner.status {
            write!(f, " [HTTP {status}]")?;
        }
        if let Some(code) = &inner.platform_code {
            write!(f, " [{code}]")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("retry", &inner.retry)
            .field("text", &self.to_string())
            .field("rule", &inner.rule)
            .field("remedy", &inner.remedy)
            .field("body", &inner.body)
            .field("source", &inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|error| error as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_one_line_and_report_adds_the_causes() {
        let cause = Error::new(ErrorKind::Network, "connection reset");
        let error = Error::new(ErrorKind::Unavailable, "no answer")
            .with_platform(&Platform::X)
            .with_operation("posts.create")
            .with_status(502)
            .with_source(cause);
        assert_eq!(error.to_string(), "x posts.create: no answer [HTTP 502]");
        assert_eq!(
            error.report(),
            "x posts.create: no answer [HTTP 502]: connection reset"
        );
    }

    #[test]
    fn another_kind_keeps_what_may_have_happened_and_the_named_wait() {
        let retry = |from: Retry, kind| {
            let error = Error::new(ErrorKind::Internal, "x").with_retry(from);
            error.with_kind(kind).retry()
        };
        let wait = Retry::After(Some(Duration::from_secs(7)));
        assert_eq!(
            retry(Retry::Reconcile, ErrorKind::Duplicate),
            Retry::Reconcile
        );
        assert_eq!(retry(wait, ErrorKind::Unavailable), wait);
        assert_eq!(retry(wait, ErrorKind::QuotaExhausted), Retry::Never);
        assert_eq!(
            retry(Retry::Never, ErrorKind::RateLimited),
            Retry::After(None)
        );
    }

    #[test]
    fn a_look_that_is_told_to_wait_keeps_the_wait() {
        let seven = Some(Duration::from_secs(7));
        let slow = Error::new(ErrorKind::RateLimited, "slow").with_retry(Retry::After(seven));
        let look = slow.with_retry(Retry::Reconcile);
        assert_eq!((look.retry(), look.wait()), (Retry::Reconcile, seven));
        let look = look.with_retry(Retry::Reconcile);
        assert_eq!(look.wait(), seven);
        let soon = look.with_retry(Retry::After(None));
        assert_eq!(soon.with_retry(Retry::Reconcile).wait(), None);
    }
}
