//! What the browser brings back.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;
use url::form_urlencoded;

use super::{App, Provider, pkce::same, rule};
use crate::{Error, ErrorKind, Result, Secret};

/// More than any platform sends.
const LONGEST: usize = 16 * 1024;

/// The callback of a user who agreed.
#[derive(Clone)]
pub struct Callback {
    /// What is exchanged for tokens, once.
    pub code: Secret,
    /// The other parameters.
    params: BTreeMap<String, String>,
}

/// The names of the other parameters only: their values are anybody's.
impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("params", &self.params.keys())
            .finish_non_exhaustive()
    }
}

impl Callback {
    /// Where the account lives: what the callback says (Zoho's data centre), and for the rest what the app or
    /// the platform's data say ([`App::places`]). `Null` for a platform that has no places.
    ///
    /// # Errors
    /// `Refused` ([`rule::PLACE`]) for a value that the provider's data does not list.
    pub fn places(&self, provider: &Provider, app: &App) -> Result<Value> {
        let mut places = app.places(provider);
        for place in provider.places {
            let Some((param, believed)) = place.callback else {
                continue;
            };
            let Some(value) = self.params.get(param) else {
                continue;
            };
            let value = value.trim_end_matches('/');
            if !believed.contains(&value) {
                let message = format!("the callback's {param} is not one of the platform's");
                return Err(Error::new(ErrorKind::Refused, message).with_rule(rule::PLACE));
            }
            places[place.name] = value.into();
        }
        Ok(places)
    }
}

/// The state that a callback brings, before anything is known of it; empty when it brings none.
#[must_use]
pub fn state_of(query: &str) -> Secret {
    let found = pairs(query).find(|(name, _)| name == "state");
    Secret::new(found.map(|(_, value)| value).unwrap_or_default())
}

/// Reads the query of a callback: the state first, in constant time, then the issuer, then what the user
/// said. `issuer` is the one that the platform names in each callback ([`Provider::issuer`]).
///
/// # Errors
/// - `Forbidden`: the user said no ([`rule::DENIED`]), or the state is another ([`rule::STATE`]).
/// - `Config`: another issuer ([`rule::ISSUER`]), or the platform says that the app is set up wrongly
///   ([`rule::CLIENT`], [`rule::SCOPE`], [`rule::REDIRECT_URI`], [`rule::REQUEST`]).
/// - `Unavailable`: the platform is failing.
/// - `InvalidInput` (`query`, [`rule::CALLBACK`]): neither code nor error, a parameter twice, or too long.
pub fn read_callback(query: &str, expected_state: &str, issuer: Option<&str>) -> Result<Callback> {
    let wrong = |why: &str| Error::invalid("query", why).with_rule(rule::CALLBACK);
    if query.len() > LONGEST {
        return Err(wrong("the callback is longer than 16 KiB"));
    }
    let mut params = BTreeMap::new();
    for (name, value) in pairs(query) {
        const ONCE: [&str; 5] = ["code", "state", "iss", "error", "error_description"];
        if params.contains_key(&name) && ONCE.contains(&name.as_str()) {
            return Err(wrong(&format!("the callback has {name} twice")));
        }
        params.entry(name).or_insert(value);
    }
    let state = params.remove("state").unwrap_or_default();
    if expected_state.is_empty() || !same(&state, expected_state) {
        return Err(Error::new(
            ErrorKind::Forbidden,
            "the callback does not answer this request: its state is another",
        )
        .with_rule(rule::STATE)
        .with_remedy("let the user begin again"));
    }
    if let Some(expected) = issuer
        && params.get("iss").map(String::as_str) != Some(expected)
    {
        return Err(Error::new(
            ErrorKind::Config,
            "the callback is not from the expected issuer",
        )
        .with_rule(rule::ISSUER));
    }
    if params.contains_key("error") || params.contains_key("error_code") {
        return Err(said_no(&params));
    }
    let code = params.remove("code").unwrap_or_default();
    // Instagram and Threads end it so.
    let code = code.strip_suffix("#_").unwrap_or(&code);
    if code.is_empty() {
        return Err(wrong("the callback has neither a code nor an error"));
    }
    if !code.bytes().all(|b| (0x20..=0x7e).contains(&b)) {
        return Err(wrong("the code has characters that no code has"));
    }
    Ok(Callback {
        code: Secret::new(code),
        params,
    })
}

fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    let query = query.strip_prefix('?').unwrap_or(query);
    form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
}

/// The error that the callback tells of.
fn said_no(params: &BTreeMap<String, String>) -> Error {
    let get = |name: &str| params.get(name).map_or("", String::as_str);
    let code = match get("error") {
        "" => get("error_code"),
        code => code,
    };
    let (kind, rule, what) = match code {
        "access_denied"
        | "user_cancelled_login"
        | "user_cancelled_authorize"
        | "login_required"
        | "consent_required"
        | "interaction_required"
        | "account_selection_required"
        | "user_denied" => (ErrorKind::Forbidden, rule::DENIED, "the user did not agree"),
        _ if get("error_reason") == "user_denied" => {
            (ErrorKind::Forbidden, rule::DENIED, "the user did not agree")
        }
        "unauthorized_client" | "invalid_client" | "invalid_client_id" => (
            ErrorKind::Config,
            rule::CLIENT,
            "the platform does not take the app",
        ),
        "invalid_scope" | "unauthorized_scope_error" => (
            ErrorKind::Config,
            rule::SCOPE,
            "the app may not ask for these scopes",
        ),
        "redirect_uri_mismatch" | "invalid_redirect_uri" | "bad_redirect_uri" => (
            ErrorKind::Config,
            rule::REDIRECT_URI,
            "the redirect address is not the registered one",
        ),
        "server_error" | "temporarily_unavailable" => (
            ErrorKind::Unavailable,
            rule::FAILING,
            "the platform is failing",
        ),
        _ => (
            ErrorKind::Config,
            rule::REQUEST,
            "the platform refuses the request",
        ),
    };
    let description = match get("error_description") {
        "" => get("error_message"),
        description => description,
    };
    let words = printable(description, 200);
    let message = if words.is_empty() {
        what.to_owned()
    } else {
        format!("{what}: {words}")
    };
    Error::new(kind, message)
        .with_rule(rule)
        .with_platform_code(printable(code, 60))
}

/// At most so many characters without control characters: anyone can make up a callback.
fn printable(text: &str, limit: usize) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(limit)
        .collect()
}
