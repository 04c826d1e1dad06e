//! What a backend adds to its router. Who the customer is (here always `acme`) comes from its own login.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use automarket::{
    Automarket, Error, Secret, Tenant,
    oauth::{Cause, random},
};
use axum::{
    Router,
    extract::{Form, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};

use crate::platform::PLATFORM;

#[derive(Clone)]
struct Backend {
    market: Automarket,
    callback: String,
    /// The backend's own sessions: what was offered to each.
    offered: Arc<Mutex<HashMap<String, Secret>>>,
}

pub(crate) fn router(market: Automarket, callback: String) -> Router {
    let backend = Backend {
        market,
        callback,
        offered: Arc::default(),
    };
    Router::new()
        .route("/connect", get(connect))
        .route("/callback", get(callback_route))
        .route("/pick", post(pick))
        .with_state(backend)
}

/// Sends the browser to the platform.
async fn connect(State(backend): State<Backend>) -> Result<Response, Failure> {
    let session = random()?;
    let begun = backend
        .tenant()?
        .connect(PLATFORM)
        .begin(&backend.callback, session.expose())
        .await?;
    // Lax: the browser comes back from another site and has to bring it. Add `Secure` behind https.
    let cookie = format!(
        "session={}; HttpOnly; SameSite=Lax; Path=/",
        session.expose()
    );
    let to = Redirect::to(begun.authorize_url.as_str());
    Ok(([(header::SET_COOKIE, cookie)], to).into_response())
}

/// Takes the browser back, and offers the accounts.
async fn callback_route(
    State(backend): State<Backend>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Html<String>, Failure> {
    let session = session(&headers);
    let offered = backend
        .tenant()?
        .connect(PLATFORM)
        .complete(&query.unwrap_or_default(), &session)
        .await?;
    let choices = offered.accounts.iter().map(|account| {
        format!(
            "<label><input type=checkbox name=account value=\"{}\">{}</label><br>",
            escaped(&account.remote_id),
            escaped(&account.name)
        )
    });
    let choices: String = choices.collect();
    backend.lock().insert(session, offered.handle);
    Ok(Html(format!(
        "<form method=post action=/pick>{choices}<button>Connect</button></form>"
    )))
}

/// Connects what the customer picked.
async fn pick(
    State(backend): State<Backend>,
    headers: HeaderMap,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<String, Failure> {
    let session = session(&headers);
    let handle = backend.lock().get(&session).cloned();
    let handle = handle.ok_or_else(|| Error::invalid("session", "nothing was offered"))?;
    let picked = fields.iter().filter(|(name, _)| name == "account");
    let picked = picked.map(|(_, remote_id)| remote_id);
    let accounts = backend
        .tenant()?
        .connect(PLATFORM)
        .pick(&handle, &session, picked)
        .await?;
    // After a slip (nothing was ticked) it can still be picked.
    backend.lock().remove(&session);
    let names: Vec<String> = accounts.into_iter().map(|account| account.name).collect();
    Ok(format!("connected: {}\n", names.join(", ")))
}

impl Backend {
    fn tenant(&self) -> automarket::Result<Tenant> {
        self.market.tenant("acme")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Secret>> {
        self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn session(headers: &HeaderMap) -> String {
    let cookies = headers.get(header::COOKIE);
    let cookies = cookies
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
    let found = pairs.find(|(name, _)| *name == "session");
    found.map(|(_, value)| value.to_owned()).unwrap_or_default()
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('"', "&quot;")
}

/// What the customer is told: what they can mend, and nothing of what only the host can.
struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(error) = self;
        if Cause::of(&error) == Cause::User {
            let text = format!("{}. Please try again.\n", error.message());
            return (StatusCode::UNPROCESSABLE_ENTITY, text).into_response();
        }
        eprintln!("{}", error.report());
        let text = "The account could not be connected just now.\n";
        (StatusCode::BAD_GATEWAY, text).into_response()
    }
}
