//! Addresses with their places filled in.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use super::{App, Provider, redirect::is_loopback, rule};
use crate::{Error, ErrorKind, Result, http::segment};

/// The values for the placeholders in a provider's addresses: the account's, the app's, or the default.
pub(super) struct Places(BTreeMap<&'static str, String>);

impl Places {
    pub(super) fn of(provider: &Provider, app: &App, account: &Value) -> Self {
        let value = |place: &super::Place| {
            [account, &app.extra]
                .into_iter()
                .find_map(|values| values.get(place.name)?.as_str())
                .or(place.default)
                .map(str::to_owned)
        };
        let found = provider.places.iter();
        Self(found.filter_map(|p| Some((p.name, value(p)?))).collect())
    }

    pub(super) fn into_value(self) -> Value {
        if self.0.is_empty() {
            return Value::Null;
        }
        self.0.into_iter().collect()
    }

    /// The address with its places filled in: https, or http on loopback.
    pub(super) fn address(&self, template: &str) -> Result<Url> {
        let filled = self.fill(template, |value, first| {
            if first {
                Ok(value.trim_end_matches('/').to_owned())
            } else {
                segment(value)
            }
        })?;
        let wrong = || {
            Error::new(
                ErrorKind::Config,
                "an OAuth address is not an https address",
            )
            .with_rule(rule::PLACE)
        };
        let url = Url::parse(&filled).map_err(|_| wrong())?;
        let safe = match url.scheme() {
            "https" => true,
            "http" => is_loopback(&url),
            _ => false,
        };
        let plain =
            url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        // A value at the beginning that has a query would swallow the path.
        let first_is_plain = !template.starts_with('{') || url.query().is_none();
        if safe && plain && first_is_plain {
            Ok(url)
        } else {
            Err(wrong())
        }
    }

    /// A scope or parameter with its places filled in.
    pub(super) fn text(&self, template: &str) -> Result<String> {
        self.fill(template, |value, _| {
            Ok(value.trim_end_matches('/').to_owned())
        })
    }

    fn fill(&self, template: &str, put: impl Fn(&str, bool) -> Result<String>) -> Result<String> {
        let mut filled = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                break;
            };
            filled.push_str(before);
            let value = self.0.get(name).ok_or_else(|| {
                let message = format!("the app does not say its {name}");
                Error::new(ErrorKind::Config, message)
                    .with_rule(rule::PLACE)
                    .with_remedy(format!("set it with App::place(\"{name}\", ..)"))
            })?;
            filled.push_str(&put(value, filled.is_empty())?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}
