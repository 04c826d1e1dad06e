//! Meta's way of saying what is used of a rate limit: percents as JSON in headers.

use std::time::Duration;

use http::HeaderMap;
use serde_json::Value;

use super::retry_after::{text, wait};

/// What is used of the narrowest of the limits.
pub(super) struct Usage {
    /// Percent; calls are refused from 100 on.
    pub(super) percent: u64,
    /// How long calls are refused, where they are.
    pub(super) regain: Option<Duration>,
}

/// `X-App-Usage` and `X-Page-Usage` hold one limit, `X-Business-Use-Case-Usage` lists of them by account.
pub(super) fn usage(headers: &HeaderMap) -> Option<Usage> {
    const NAMES: [&str; 3] = ["x-app-usage", "x-page-usage", "x-business-use-case-usage"];
    let mut found: Option<Usage> = None;
    for name in NAMES {
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

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::super::{budget, retry_after};
    use super::*;

    fn headers(app: &'static str, business: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-app-usage", app.parse().unwrap());
        headers.insert("x-business-use-case-usage", business.parse().unwrap());
        headers
    }

    #[test]
    fn the_narrowest_limit_counts() {
        let said = headers(
            r#"{"call_count":28,"total_time":25,"total_cputime":40}"#,
            r#"{"7":[{"type":"pages","call_count":3,"total_cputime":1,"total_time":61,"estimated_time_to_regain_access":0}]}"#,
        );
        let budget = budget(&said, Utc::now()).unwrap();
        assert_eq!((budget.limit, budget.remaining), (Some(100), Some(39)));
        assert_eq!(budget.resets_in, None);
        assert_eq!(retry_after(&said, Utc::now()), None);
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
            assert_eq!(budget(&headers(app, business), Utc::now()), None);
        }
    }
}
