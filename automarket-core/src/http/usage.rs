//! Meta's way of saying what is used of a rate limit: percents as JSON in headers.

use std::time::Duration;

use http::HeaderMap;
use serde_json::Value;

use super::retry_after::{text, wait};
use crate::store::Budget;

/// What is used of the narrowest of the limits.
#[derive(Clone, Copy)]
pub(super) struct Usage {
    /// Percent; calls are refused from 100 on.
    pub(super) percent: u64,
    /// How long calls are refused, where they are.
    pub(super) regain: Option<Duration>,
}

/// The limit of the app.
pub(super) const OF_APP: &[&str] = &["x-app-usage"];
/// Those of an account: `X-Page-Usage` holds one, `X-Business-Use-Case-Usage` lists of them.
pub(super) const OF_ACCOUNT: &[&str] = &["x-page-usage", "x-business-use-case-usage"];
/// A limit that is used up, and does not say for how long, is asked again after this: the hour that it is
/// counted over moves on all the time.
const ROLLING: Duration = Duration::from_secs(5 * 60);

/// What these headers say.
pub(super) fn usage(headers: &HeaderMap, names: &[&str]) -> Option<Usage> {
    let mut found: Option<Usage> = None;
    for name in names {
        let Some(Ok(Value::Object(said))) = text(headers, name).map(serde_json::from_str) else {
            continue;
        };
        let listed = said.values().filter_map(Value::as_array).flatten();
        let listed = listed.filter_map(Value::as_object);
        for limit in listed.chain([&said]) {
            let percents = ["call_count", "total_time", "total_cputime"];
            let percents = percents
                .iter()
                .filter_map(|name| limit.get(*name)?.as_u64());
            let Some(percent) = percents.max() else {
                continue;
            };
            let minutes = limit.get("estimated_time_to_regain_access");
            let minutes = minutes.and_then(Value::as_f64).filter(|some| *some > 0.0);
            let regain = minutes.and_then(|minutes| wait(minutes * 60.0));
            let narrowest = found.get_or_insert(Usage {
                percent: 0,
                regain: None,
            });
            narrowest.percent = narrowest.percent.max(percent);
            narrowest.regain = narrowest.regain.max(regain);
        }
    }
    found
}

impl Usage {
    /// As parts of 100.
    pub(super) fn budget(self) -> Budget {
        let used_up = self.regain.is_some() || self.percent >= 100;
        Budget {
            limit: Some(100),
            remaining: Some(if used_up { 0 } else { 100 - self.percent }),
            resets_in: self.regain.or(used_up.then_some(ROLLING)),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::super::{app_budget, budget, retry_after};
    use super::*;

    fn headers(app: &'static str, business: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-app-usage", app.parse().unwrap());
        headers.insert("x-business-use-case-usage", business.parse().unwrap());
        headers
    }

    #[test]
    fn the_narrowest_limit_of_an_account_counts_and_the_apps_apart() {
        let said = headers(
            r#"{"call_count":28,"total_time":25,"total_cputime":40}"#,
            r#"{"7":[{"type":"pages","call_count":3,"total_cputime":1,"total_time":61,"estimated_time_to_regain_access":0}]}"#,
        );
        let budget = budget(&said, Utc::now()).unwrap();
        assert_eq!((budget.limit, budget.remaining), (Some(100), Some(39)));
        assert_eq!(budget.resets_in, None);
        assert_eq!(retry_after(&said, Utc::now()), None);
        assert_eq!(app_budget(&said, Utc::now()).unwrap().remaining, Some(60));
    }

    #[test]
    fn an_app_that_is_over_its_limit_is_left_alone_for_a_while() {
        let said = headers(r#"{"call_count":104,"total_time":25}"#, "{}");
        let app = app_budget(&said, Utc::now()).unwrap();
        assert_eq!((app.remaining, app.resets_in), (Some(0), Some(ROLLING)));
        assert_eq!(budget(&said, Utc::now()), None, "the account is not");
    }

    #[test]
    fn a_limit_that_is_used_up_is_waited_for() {
        let said = headers(
            r#"{"call_count":28,"total_time":25,"total_cputime":40}"#,
            r#"{"7":[{"call_count":100,"estimated_time_to_regain_access":5}],"8":[{"call_count":101,"estimated_time_to_regain_access":19}]}"#,
        );
        let wait = Some(Duration::from_secs(19 * 60));
        let budget = budget(&said, Utc::now()).unwrap();
        assert_eq!((budget.remaining, budget.resets_in), (Some(0), wait));
        assert_eq!(retry_after(&said, Utc::now()), wait);
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        for (app, business) in [("no JSON", "[]"), ("{}", "{\"7\":[1]}"), ("7", "null")] {
            let said = headers(app, business);
            assert_eq!(budget(&said, Utc::now()), None);
            assert_eq!(app_budget(&said, Utc::now()), None);
        }
    }
}
