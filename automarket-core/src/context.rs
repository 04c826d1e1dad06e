//! The environment of a call: everything a connector needs that is not its input.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;
use tracing::Instrument as _;
use url::Url;

use crate::{
    Clock, Credential, Error, ErrorKind, Media, Result, Retry, Secret, SystemClock, Taken,
    content::MediaSource,
    http::{Body, Call, CallWatch, Effect, Exchanges, Reply, Transport, next_hop},
    media::{MediaHost, host},
    oauth::TokenSet,
    purpose::Purposes,
    steps::{self, MemorySteps, Steps},
    store::{Account, configured},
};

/// What was just sent a platform may not list yet: so many looks, so far apart.
const LOOKS: (u32, Duration) = (3, Duration::from_secs(5));
/// What needs something that was just made is tried so often, so far apart; then so much later, for so long.
const TRIES: (u32, Duration) = (3, Duration::from_secs(3));
const LATER: Duration = Duration::from_secs(30);
const PATIENCE: TimeDelta = TimeDelta::minutes(10);

/// Transport, clock, account, credential, deadline, idempotency key and the steps already done.
///
/// One context is for one post or notice: whoever repeats a call with it gets the first one's end, and nothing is sent
/// twice. The next one has a context of its own ([`fresh`](Self::fresh)).
///
/// ```
/// use automarket_core::{Context, Credential, testing::Script};
/// let cx = Context::new(Script::new()).with_credential(Credential::token("t"));
/// assert!(cx.token().is_ok());
/// ```
#[derive(Clone)]
pub struct Context {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    account: Option<Arc<Account>>,
    credential: Credential,
    app_secret: Option<Secret>,
    deadline: Option<DateTime<Utc>>,
    key: Option<Arc<str>>,
    steps: Arc<dyn Steps>,
    /// Of steps of its own.
    purposes: Option<Arc<Purposes>>,
    exchanges: Option<Exchanges>,
    media_host: Option<Arc<dyn MediaHost>>,
    pub(crate) taken: Option<Arc<dyn Taken>>,
}

impl Context {
    /// A context that can reach the world and knows nobody.
    #[must_use]
    pub fn new(transport: impl Transport + 'static) -> Self {
        Self::shared(Arc::new(transport))
    }

    /// As [`Context::new`] with a transport that others use too.
    #[must_use]
    pub fn shared(transport: Arc<dyn Transport>) -> Self {
        Self {
            transport,
            clock: Arc::new(SystemClock),
            account: None,
            credential: Credential::None,
            app_secret: None,
            deadline: None,
            key: None,
            steps: Arc::new(MemorySteps::default()),
            purposes: Some(Arc::default()),
            exchanges: None,
            media_host: None,
            taken: None,
        }
    }

    /// Puts another transport round its own.
    #[must_use]
    pub fn map_transport(
        mut self,
        wrap: impl FnOnce(Arc<dyn Transport>) -> Arc<dyn Transport>,
    ) -> Self {
        self.transport = wrap(self.transport);
        self
    }

    /// Sets where "now" comes from.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets for which account the call is.
    #[must_use]
    pub fn with_account(mut self, account: Account) -> Self {
        self.account = Some(Arc::new(account));
        self
    }

    /// Sets the opened credential.
    #[must_use]
    pub fn with_credential(mut self, credential: Credential) -> Self {
        self.credential = credential;
        self
    }

    /// Sets the secret of the app that the credential belongs to, where it is known.
    #[must_use]
    pub fn with_app_secret(mut self, secret: Option<Secret>) -> Self {
        self.app_secret = secret;
        self
    }

    /// Sets until when everything has to be over.
    #[must_use]
    pub fn with_deadline(mut self, deadline: DateTime<Utc>) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the idempotency key: the same on every attempt of one intent.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets where steps are remembered. Whoever keeps them sees to it that they are for one call
    /// (see [`Run::steps_of`](crate::pipeline::Run::steps_of)).
    #[must_use]
    pub fn with_steps(mut self, steps: Arc<dyn Steps>) -> Self {
        self.steps = steps;
        self.purposes = None;
        self
    }

    /// The same for another call: with steps of its own, in memory, and without the key, by which platforms and
    /// look-ups know the first.
    ///
    /// ```
    /// # use automarket_core::{Context, Notice, Notifier, Result};
    /// # async fn tell(slack: impl Notifier, cx: Context) -> Result<()> {
    /// for text in ["The first.", "The second."] {
    ///     slack.notify(&cx.fresh(), &Notice::new("News", text)).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self {
            steps: Arc::new(MemorySteps::default()),
            purposes: Some(Arc::default()),
            key: None,
            taken: None,
            ..self.clone()
        }
    }

    /// Sets where the exchanges of its calls are collected, but not those of [`open`](Self::open).
    #[must_use]
    pub fn with_exchanges(mut self, exchanges: Exchanges) -> Self {
        self.exchanges = Some(exchanges);
        self
    }

    /// Sets the host's own place for media.
    #[must_use]
    pub fn with_media_host(mut self, host: Arc<dyn MediaHost>) -> Self {
        self.media_host = Some(host);
        self
    }

    /// This instant.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Until when everything has to be over.
    #[must_use]
    pub fn deadline(&self) -> Option<DateTime<Utc>> {
        self.deadline
    }

    /// The account of the call.
    #[must_use]
    pub fn account(&self) -> Option<&Account> {
        self.account.as_deref()
    }

    /// The host's own place for media.
    ///
    /// # Errors
    /// `Config` when the context brings none. To be tried again: another process may have one.
    pub fn media_host(&self) -> Result<&dyn MediaHost> {
        self.media_host.as_deref().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "the media needs a place of the host's, and there is none",
            )
            .with_retry(Retry::After(None))
            .with_remedy("give the builder or the context a MediaHost")
        })
    }

    /// An address at which a platform can fetch the media for an hour at least: its own, or one that the
    /// host gives.
    ///
    /// # Errors
    /// `Config` without a [`MediaHost`]; those of the host.
    pub async fn public_address(&self, media: &Media) -> Result<Url> {
        match &media.source {
            MediaSource::Address(url) => Ok(url.clone()),
            _ => {
                let until = self.now() + TimeDelta::hours(1);
                host::address(self, media, until).await
            }
        }
    }

    /// The idempotency key.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The credential.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The secret of the app that the credential belongs to, where it is known: for platforms that want calls
    /// proven with it (Meta's `appsecret_proof`).
    #[must_use]
    pub fn app_secret(&self) -> Option<&Secret> {
        self.app_secret.as_ref()
    }

    /// The token of a credential that is one: a key, or the access token of OAuth.
    ///
    /// # Errors
    /// `Config` when the context brings no token.
    pub fn token(&self) -> Result<&Secret> {
        match &self.credential {
            Credential::Token(token) => Ok(token),
            Credential::OAuth(tokens) => Ok(&tokens.access_token),
            _ => Err(Error::new(
                ErrorKind::Config,
                "this platform needs a token, and the account brings none",
            )
            .with_remedy("connect the account, or give the context a Credential::Token")),
        }
    }

    /// The OAuth tokens, where the credential is such: scopes, base address and what else is known.
    #[must_use]
    pub fn tokens(&self) -> Option<&TokenSet> {
        match &self.credential {
            Credential::OAuth(tokens) => Some(tokens),
            _ => None,
        }
    }

    /// A connector's configuration with the account's settings laid over it.
    ///
    /// # Errors
    /// `Config` when the account's settings are not of the connector's shape.
    pub fn config<C: Serialize + DeserializeOwned>(&self, base: &C) -> Result<C> {
        let settings = self.account().map(|account| &account.settings);
        configured(base, settings)
    }

    /// Says what a call is for, before its first step: else another post or notice by the same context would be
    /// answered with the end of the first, and never be sent. `name` is what the names of its steps begin with.
    ///
    /// # Errors
    /// `Conflict` with the rule [`steps::OTHER`] when the context was used for something else; nothing was sent.
    pub fn intends(&self, name: &str, what: &impl Serialize) -> Result<()> {
        let Some(purposes) = &self.purposes else {
            return Ok(());
        };
        let account = self
            .account()
            .map(|account| (account.id, &account.remote_id));
        let address = match &self.credential {
            Credential::Address(address) => Some(address.expose()),
            _ => None,
        };
        if purposes.is(name, &(account, address, self.key(), what))? {
            return Ok(());
        }
        let message = "the context is for something else that was begun with it: nothing was sent";
        Err(Error::new(ErrorKind::Conflict, message)
            .with_rule(steps::OTHER)
            .with_remedy("use a context for one post or notice: Context::fresh makes another"))
    }

    /// Does one repeatable piece of work once; see [`steps::step`].
    ///
    /// # Errors
    /// Those of `work` and of the steps.
    pub async fn step<T, F>(&self, name: &str, work: impl FnOnce() -> F) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T>>,
    {
        steps::step(&*self.steps, name, work).await
    }

    /// Does one outside write at most once; see [`steps::once`].
    ///
    /// # Errors
    /// Those of `find`, `act` and of the steps.
    pub async fn once<T, F, G>(
        &self,
        name: &str,
        find: impl FnOnce() -> G,
        act: impl FnOnce() -> F,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T>>,
        G: Future<Output = Result<Option<T>>>,
    {
        steps::once(&*self.steps, name, find, act).await
    }

    /// What a [`once`](Self::once) or [`step`](Self::step) of this name ended in before, if it did; see
    /// [`steps::ended`].
    ///
    /// # Errors
    /// Those of the steps.
    pub async fn ended<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        steps::ended(&*self.steps, name).await
    }

    /// Whether the [`once`](Self::once) of this name may have been done before, so that the next one looks for it first;
    /// see [`steps::is_open`].
    ///
    /// # Errors
    /// Those of the steps.
    pub async fn is_open(&self, name: &str) -> Result<bool> {
        steps::is_open(&*self.steps, name).await
    }

    /// Looks for what an earlier attempt may have left: platforms list late what they just took, so three times
    /// over ten seconds before it is taken to be absent. For the `find` of [`once`](Self::once).
    ///
    /// # Errors
    /// Those of `look`.
    pub async fn look_late<T, F>(&self, look: impl Fn() -> F) -> Result<Option<T>>
    where
        F: Future<Output = Result<Option<T>>>,
    {
        let (looks, pause) = LOOKS;
        for _ in 1..looks {
            let found = look().await?;
            if found.is_some() {
                return Ok(found);
            }
            tokio::time::sleep(pause).await;
        }
        look().await
    }

    /// Does what needs something of ours that was made a moment ago: platforms do not see that everywhere at once, and
    /// say `NotFound` though it is there. So three times over six seconds. What is not found then is to be tried again half
    /// a minute later, and then after ever longer, for each try may count against a limit; ten minutes after the first time,
    /// which `step` remembers, that is the last word.
    ///
    /// # Errors
    /// Those of `act` and of the steps.
    pub async fn until_seen<T, F>(&self, step: &str, act: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let unseen =
            |end: &Result<T>| matches!(end, Err(error) if error.kind() == ErrorKind::NotFound);
        let (tries, pause) = TRIES;
        for _ in 1..tries {
            let end = act().await;
            if !unseen(&end) {
                return end;
            }
            tokio::time::sleep(pause).await;
        }
        let end = act().await;
        if !unseen(&end) {
            return end;
        }
        let since = self.step(step, || async { Ok(self.now()) }).await?;
        let waited = self.now() - since;
        if waited >= PATIENCE {
            return end;
        }
        let next = waited.min(PATIENCE - waited).to_std().unwrap_or_default();
        end.map_err(|error| error.with_retry(Retry::After(Some(next.max(LATER)))))
    }

    /// Makes the call and reads the whole answer, of whatever status, within the call's time and size. Of
    /// an answer that is no success as much is read as comes: its status counts also when its body breaks
    /// off or is too large.
    ///
    /// # Errors
    /// The transport's: `Network`, `Timeout`, `Refused`, `TooLarge`, `UnexpectedReply`. `After` when nothing
    /// left, `Reconcile` when a write may have.
    pub async fn call(&self, call: Call) -> Result<Reply> {
        let until = self.until(&call)?;
        self.exchange(call, until).await
    }

    /// As [`call`](Self::call) of a `GET` that follows at most `hops` redirects (5 for pages), and says which
    /// address answered in the end. Each hop goes through the transport and so through its guard; across
    /// origins credentials stay behind. The call's time covers all of it.
    ///
    /// # Errors
    /// As [`call`](Self::call); `InvalidInput` (`method`) for other methods; `UnexpectedReply` for more
    /// redirects, or for one to what is no http or https address.
    pub async fn get_following(&self, mut call: Call, hops: usize) -> Result<(Url, Reply)> {
        if call.request.method() != Method::GET {
            return Err(Error::invalid("method", "only a GET follows redirects")
                .with_operation(call.operation));
        }
        let until = self.until(&call)?;
        let mut left = hops;
        loop {
            let reply = self.exchange(call.clone(), until).await?;
            match next_hop(&call.request, &reply)? {
                None => return Ok((url_of(&call)?, reply)),
                Some(_) if left == 0 => {
                    return Err(reply.unexpected(format!("more than {hops} redirects")));
                }
                Some(next) => call.request = next,
            }
            left -= 1;
        }
    }

    /// As [`open`](Self::open) of a `GET` that follows redirects as
    /// [`get_following`](Self::get_following) does.
    ///
    /// # Errors
    /// As [`get_following`](Self::get_following).
    pub(crate) async fn open_following(
        &self,
        mut call: Call,
        hops: usize,
    ) -> Result<(Url, http::Response<Body>)> {
        let until = self.until(&call)?;
        for _ in 0..=hops {
            let response = self.send(call.clone(), until).await?;
            if !response.status().is_redirection() {
                return Ok((url_of(&call)?, response));
            }
            // The body of a redirect says nothing.
            let (parts, _) = response.into_parts();
            let reply = Reply::new(parts, Bytes::new(), call.operation, call.effect, Vec::new());
            match next_hop(&call.request, &reply)? {
                Some(next) => call.request = next,
                None => return Err(reply.unexpected("a redirect to nowhere")),
            }
        }
        Err(Error::new(
            ErrorKind::UnexpectedReply,
            format!("more than {hops} redirects"),
        )
        .with_operation(call.operation))
    }

    /// Makes the call and returns the answer with its body still arriving; the call's time covers the
    /// headers, the caller bounds the rest.
    ///
    /// # Errors
    /// As [`Context::call`].
    pub async fn open(&self, call: Call) -> Result<http::Response<Body>> {
        let until = self.until(&call)?;
        self.send(call, until).await
    }

    async fn exchange(&self, call: Call, until: Instant) -> Result<Reply> {
        let begin = |exchanges: &Exchanges| exchanges.begin(&call, &self.credential);
        let recording = self.exchanges.as_ref().map(begin);
        let result = self.answer(call, until).await;
        if let Some(recording) = recording {
            recording.end(&result);
        }
        result
    }

    async fn answer(&self, call: Call, until: Instant) -> Result<Reply> {
        let (operation, effect, max_body) = (call.operation, call.effect, call.max_body);
        let secrets = call.secrets.clone();
        let response = self.send(call, until).await?;
        let (parts, body) = response.into_parts();
        let body = if parts.status.is_success() {
            tokio::time::timeout_at(until, body.collect(max_body))
                .await
                .map_err(|_| late(effect).with_operation(operation))?
                .map_err(|error| error.into_error(effect).with_operation(operation))?
        } else {
            body.beginning(max_body, until).await
        };
        Ok(Reply::new(parts, body, operation, effect, secrets))
    }

    async fn send(&self, call: Call, until: Instant) -> Result<http::Response<Body>> {
        let (operation, effect) = (call.operation, call.effect);
        let platform = self.account().map(|account| &account.platform);
        let watch = CallWatch::begin(platform, operation);
        let span = tracing::info_span!(
            "call",
            tenant = self.account().map(|account| account.tenant.as_str()),
            platform = platform.map(crate::Platform::as_str),
            operation,
            status = tracing::field::Empty,
            outcome = tracing::field::Empty,
        );
        let sending = match call.upload {
            None => self.transport.send(call.request),
            Some(upload) => self.transport.send_upload(call.request.map(|_| upload)),
        };
        let result = tokio::time::timeout_at(until, sending)
            .instrument(span.clone())
            .await
            .map_err(|_| late(effect).with_operation(operation))
            .and_then(|sent| sent.map_err(|e| e.into_error(effect).with_operation(operation)));
        watch.end(&span, &result);
        result
    }

    /// When the call has to be over. Nothing is sent after the deadline.
    fn until(&self, call: &Call) -> Result<Instant> {
        let mut limit = call.timeout;
        if let Some(deadline) = self.deadline {
            limit = limit.min((deadline - self.now()).to_std().unwrap_or_default());
        }
        if limit.is_zero() {
            return Err(
                Error::new(ErrorKind::Timeout, "the time was over before the call")
                    .with_operation(call.operation),
            );
        }
        Ok(Instant::now() + limit)
    }
}

fn url_of(call: &Call) -> Result<Url> {
    Url::parse(&call.request.uri().to_string()).map_err(|error| {
        Error::new(ErrorKind::Internal, "a sent address cannot be read").with_source(error)
    })
}

fn late(effect: Effect) -> Error {
    let retry = if effect == Effect::Write {
        Retry::Reconcile
    } else {
        Retry::After(None)
    };
    Error::new(
        ErrorKind::Timeout,
        "no whole answer within the time allowed",
    )
    .with_retry(retry)
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("account", &self.account)
            .field("credential", &self.credential)
            .field("deadline", &self.deadline)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
