use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use http::HeaderMap;

use super::{
    retry_after::{DAY_OF_APP, DAY_OF_USER, Day, number, remaining, reset, text, wait},
    usage::{OF_ACCOUNT, OF_APP, Usage, usage},
};
use crate::store::Budget;

/// What the headers of an answer say of the account's rate limit: `ratelimit-…`, `x-ratelimit-…` or
/// `x-rate-limit-…` (`limit`, `remaining`, `reset` as [`retry_after`](super::retry_after) reads it), or the one
/// field `ratelimit: "name";r=50;t=30` of the IETF's later drafts (of several limits the one with the least left), or
/// Meta's percents (`x-business-use-case-usage`) as parts of 100. X's limit of a day (`x-user-limit-24hour-…`)
/// counts once it is used up. `None` when nothing is said of what remains.
///
/// ```
/// use automarket_core::{chrono::Utc, http::budget, http_types::HeaderMap};
/// let mut headers = HeaderMap::new();
/// headers.insert("x-rate-limit-remaining", "0".parse()?);
/// headers.insert("x-rate-limit-reset", "120".parse()?);
/// let budget = budget(&headers, Utc::now()).unwrap();
/// assert_eq!((budget.remaining, budget.resets_in.unwrap().as_secs()), (Some(0), 120));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn budget(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Budget> {
    if let Some(budget) = draft(headers) {
        return Some(budget);
    }
    let day = day(headers, now, &DAY_OF_USER).filter(|day| day.remaining == Some(0));
    if day.is_some() {
        return day;
    }
    let Some(remaining) = remaining(headers) else {
        return usage(headers, OF_ACCOUNT).map(Usage::budget);
    };
    const LIMITS: [&str; 3] = ["ratelimit-limit", "x-ratelimit-limit", "x-rate-limit-limit"];
    let limit = LIMITS.iter().find_map(|name| {
        // A policy may follow the number: `100, 100;w=60`.
        let first = text(headers, name)?.split([',', ';']).next()?;
        number(first.trim()).map(count)
    });
    Some(Budget {
        limit,
        remaining: Some(count(remaining)),
        resets_in: reset(headers, now, 0.0),
    })
}

/// What they say of the app's limit, which all of its accounts share: Meta's `x-app-usage` as parts of 100, and
/// X's limit of a day (`x-app-limit-24hour-…`).
#[must_use]
pub fn app_budget(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Budget> {
    let usage = || usage(headers, OF_APP).map(Usage::budget);
    day(headers, now, &DAY_OF_APP).or_else(usage)
}

fn day(headers: &HeaderMap, now: DateTime<Utc>, day: &Day) -> Option<Budget> {
    Some(Budget {
        limit: text(headers, day.limit).and_then(number).map(count),
        remaining: Some(count(day.remaining(headers)?)),
        resets_in: day.reset(headers, now),
    })
}

/// The field is a list: what is nearest to its end counts, and of two that are as near the one that is so for longer.
fn draft(headers: &HeaderMap) -> Option<Budget> {
    let lines = headers.get_all("ratelimit").iter();
    let members = lines.filter_map(|line| Some(line.to_str().ok()?.split(',')));
    let budgets = members.flatten().filter_map(member);
    budgets.min_by_key(|budget| (budget.remaining, Reverse(budget.resets_in)))
}

fn member(text: &str) -> Option<Budget> {
    let parameter = |name: &str| {
        let parts = text.split(';').map(str::trim);
        let mut found = parts.filter_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        found.next().and_then(number)
    };
    Some(Budget {
        limit: None,
        remaining: Some(parameter("r").map(count)?),
        resets_in: parameter("t").and_then(wait),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float that is not below zero saturates"
)]
fn count(number: f64) -> u64 {
    number.max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::retry_after;
    use super::*;

    #[test]
    fn a_day_of_x_counts_for_whom_it_is_counted() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let mut headers = HeaderMap::new();
        let said = [
            ("x-rate-limit-limit", "100"),
            ("x-rate-limit-remaining", "57"),
            ("x-rate-limit-reset", "1800000600"),
            ("x-user-limit-24hour-limit", "250"),
            ("x-user-limit-24hour-remaining", "12"),
            ("x-user-limit-24hour-reset", "1800050000"),
            ("x-app-limit-24hour-limit", "10000"),
            ("x-app-limit-24hour-remaining", "4"),
            ("x-app-limit-24hour-reset", "1800007200"),
        ];
        for (name, value) in said {
            headers.insert(name, value.parse().unwrap());
        }
        let left = |headers: &HeaderMap| {
            let [own, app] = [budget(headers, now), app_budget(headers, now)];
            [own, app].map(|said| said.unwrap().remaining.unwrap())
        };
        assert_eq!(left(&headers), [57, 4]);
        headers.insert("x-app-limit-24hour-remaining", "0".parse().unwrap());
        assert_eq!(left(&headers), [57, 0]);
        let wait = |headers: &HeaderMap| retry_after(headers, now);
        assert_eq!(wait(&headers), Some(Duration::from_secs(7200)));
        headers.insert("x-user-limit-24hour-remaining", "0".parse().unwrap());
        assert_eq!(left(&headers), [0, 0]);
        assert_eq!(wait(&headers), Some(Duration::from_secs(50_000)));
    }

    #[test]
    fn of_several_limits_the_one_that_is_nearest_to_its_end_counts() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let said = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("ratelimit", line.parse().unwrap());
            }
            let budget = budget(&headers, now)?;
            Some((
                budget.remaining?,
                budget.resets_in.map(|wait| wait.as_secs()),
            ))
        };
        let burst = r#""burst";r=100;t=1, "daily";r=0;t=7200"#;
        assert_eq!(said(&[burst]), Some((0, Some(7200))));
        assert_eq!(said(&[r#""a";r=0, "b";r=5;t=60"#]), Some((0, None)));
        let lines = [r#""burst";r=100;t=1"#, r#""daily";r=3;t=7200"#];
        assert_eq!(said(&lines), Some((3, Some(7200))));
        // Of those that are used up, the one that is so for longest.
        let both = r#""a";r=0;t=7, "b";r=0;t=60, "c";r=0"#;
        assert_eq!(said(&[both]), Some((0, Some(60))));
        assert_eq!(said(&["limit=100, remaining=50, reset=5"]), None);
        assert_eq!(said(&[r#""one";r=50;t=30"#]), Some((50, Some(30))));
    }
}
