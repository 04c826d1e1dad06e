use std::{fmt, sync::Arc};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderValue, Request, Response, header};
use serde_json::{Value, json};

use super::{AuthServer, server::bearer};
use crate::{Platform, Result, testing::Fake};

/// A platform with its login, for tests of connecting: tokens come from the [`AuthServer`], and as long as one works
/// its calls are those of the user whom the API's fake knows by its constant token.
///
/// ```
/// use std::sync::Arc;
/// use automarket_core::testing::{AuthRules, AuthServer, Fake, Sandbox, WithLogin};
///
/// /// All of a connector's own: such as `FakeX`, and beside it `auth_rules()` and `TOKEN`.
/// fn world(fake: Arc<dyn Fake>, rules: AuthRules, token: &str) -> Sandbox {
///     let rules = AuthRules { redirect_uris: vec!["https://acme.dev/callback".into()], ..rules };
///     Sandbox::new().with(Arc::new(WithLogin::new(AuthServer::new(rules), fake, token)))
/// }
/// ```
pub struct WithLogin {
    auth: AuthServer,
    api: Arc<dyn Fake>,
    token: String,
}

impl WithLogin {
    /// This login before this API, which knows its user by this token.
    #[must_use]
    pub fn new(auth: AuthServer, api: Arc<dyn Fake>, token: impl Into<String>) -> Self {
        let token = token.into();
        Self { auth, api, token }
    }

    /// The login: what its user says, and what works.
    #[must_use]
    pub fn auth(&self) -> &AuthServer {
        &self.auth
    }
}

impl Fake for WithLogin {
    fn platform(&self) -> Platform {
        self.api.platform()
    }

    fn hosts(&self) -> Vec<String> {
        [self.auth.hosts(), self.api.hosts()].concat()
    }

    fn takes(&self, request: &Request<Bytes>) -> bool {
        let own = bearer(request).is_some_and(|token| self.auth.gave(token));
        own || self.auth.rules.has_page(request.uri().path()) || self.api.takes(request)
    }

    fn handle(&self, request: &Request<Bytes>, now: DateTime<Utc>) -> Response<Bytes> {
        if let Some(reply) = self.auth.login(request, now) {
            return reply;
        }
        if bearer(request).is_some_and(|token| self.auth.works(token, now))
            && let Ok(own) = HeaderValue::from_str(&format!("Bearer {}", self.token))
        {
            let mut request = request.clone();
            request.headers_mut().insert(header::AUTHORIZATION, own);
            return self.api.handle(&request, now);
        }
        self.api.handle(request, now)
    }

    /// Those of the API.
    fn effects(&self) -> Vec<Value> {
        self.api.effects()
    }

    fn save(&self) -> Value {
        json!({"auth": self.auth.save(), "api": self.api.save()})
    }

    fn load(&self, mut state: Value) -> Result<()> {
        self.auth.load(state["auth"].take())?;
        self.api.load(state["api"].take())
    }
}

impl fmt::Debug for WithLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithLogin")
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}
