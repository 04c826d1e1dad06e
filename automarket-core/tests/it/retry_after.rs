use automarket_core::{
    chrono::{DateTime, Utc},
    http::{Effect, Reply, retry_after},
    http_types::{HeaderMap, HeaderName, HeaderValue, StatusCode},
};
use proptest::prelude::*;

/// 1994-11-06T08:49:37Z, the instant of RFC 9110's examples.
const THEN: i64 = 784_111_777;
const NOW: i64 = 1_767_225_600; // 2026-01-01T00:00:00Z

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_bytes(value.as_bytes()).unwrap())
        })
        .collect()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn wait_at(now: i64, pairs: &[(&str, &str)]) -> Option<u64> {
    retry_after(&headers(pairs), at(now)).map(|wait| wait.as_secs())
}

fn wait(pairs: &[(&str, &str)]) -> Option<u64> {
    wait_at(NOW, pairs)
}

#[test]
fn seconds() {
    for (value, expected) in [
        ("0", Some(0)),
        ("120", Some(120)),
        (" 7 ", Some(7)),
        ("0.65", Some(1)),
        ("1.0", Some(1)),
        ("1.001", Some(2)),
        ("-5", Some(0)),
        ("86400", Some(86_400)),
        ("86401", Some(86_400)),
        ("99999999999999999999999999", Some(86_400)),
        ("", None),
        ("soon", None),
        ("120s", None),
        ("1e3", None),
        ("inf", None),
        ("NaN", None),
        ("+5", None),
        ("1.2.3", None),
        ("-", None),
        (".", None),
        ("0x10", None),
        ("１２", None),
        (",", None),
        ("\u{fe0f}", None),
    ] {
        assert_eq!(wait(&[("retry-after", value)]), expected, "{value:?}");
    }
}

#[test]
fn dates_in_each_form() {
    for value in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 10:49:37 +0200",
        "1994-11-06T08:49:37Z",
        "1994-11-06T08:49:37.000Z",
        "Tue, 06 Nov 1994 08:49:37 GMT", // a wrong day of the week
    ] {
        let wait = |now| wait_at(now, &[("retry-after", value)]);
        assert_eq!(wait(THEN - 90), Some(90), "{value}");
        assert_eq!(wait(THEN + 90), Some(0), "{value}");
        assert_eq!(wait(THEN - 10_000_000), Some(86_400), "{value}");
    }
    for value in [
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov",
        "tomorrow, maybe",
        "06 Nov 1994 99:99:99",
    ] {
        assert_eq!(wait(&[("retry-after", value)]), None, "{value}");
    }
}

#[test]
fn two_digits_of_a_year_mean_the_near_one() {
    let now = at(NOW).to_rfc3339();
    assert!(now.starts_with("2026-01-01"));
    let date = |year| format!("Thursday, 01-Jan-{year} 00:01:00 GMT");
    assert_eq!(wait(&[("retry-after", &date("26"))]), Some(60));
    assert_eq!(wait(&[("retry-after", &date("75"))]), Some(86_400)); // 2075
    assert_eq!(wait(&[("retry-after", &date("77"))]), Some(0)); // 1977
}

#[test]
fn resets_as_delta_epoch_and_date() {
    let then = NOW + 60;
    let (seconds, millis) = (then.to_string(), format!("{then}500"));
    for name in ["ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset"] {
        for (value, expected) in [
            ("30", Some(30)),
            (seconds.as_str(), Some(60)),
            (millis.as_str(), Some(61)),
            ("2026-01-01T00:01:00.000Z", Some(60)),
            ("Thu, 01 Jan 2026 00:01:00 GMT", Some(60)),
            ("1600000000", Some(0)),
            ("99999999999999999999", Some(86_400)),
            ("garbage", None),
        ] {
            assert_eq!(wait(&[(name, value)]), expected, "{name}: {value}");
        }
    }
    assert_eq!(wait(&[("x-ratelimit-reset-after", "0.3")]), Some(1));
}

#[test]
fn a_reset_counts_only_when_nothing_remains() {
    let reset = ("x-ratelimit-reset", "30");
    assert_eq!(wait(&[reset, ("x-ratelimit-remaining", "0")]), Some(30));
    assert_eq!(wait(&[reset, ("x-ratelimit-remaining", "4")]), None);
    assert_eq!(
        wait(&[reset, ("x-ratelimit-remaining", "4"), ("retry-after", "3")]),
        Some(3)
    );
    // What cannot be read does not hide what can.
    assert_eq!(wait(&[("retry-after", "soon"), reset]), Some(30));
}

#[test]
fn an_answer_is_asked_with_its_status_and_body() {
    let wait = |status, pairs: &[(&str, &str)], body: &'static str| {
        let status = StatusCode::from_u16(status).unwrap();
        let reply = Reply::recorded("call", Effect::Read, status, headers(pairs), body);
        reply.retry_after(at(NOW)).map(|wait| wait.as_secs())
    };
    let reset = [("x-ratelimit-reset", "30")];
    assert_eq!(wait(429, &reset, ""), Some(30));
    assert_eq!(wait(200, &reset, ""), None);
    assert_eq!(wait(503, &[("retry-after", "9")], ""), Some(9));
    let none = [("x-ratelimit-reset", "30"), ("x-ratelimit-remaining", "0")];
    assert_eq!(wait(200, &none, ""), Some(30));
    assert_eq!(wait(429, &[], r#"{"retry_after": 0.65}"#), Some(1));
    assert_eq!(
        wait(429, &[], r#"{"parameters":{"retry_after":35}}"#),
        Some(35)
    );
    assert_eq!(
        wait(429, &[("retry-after", "2")], r#"{"retry_after": 9}"#),
        Some(2)
    );
    assert_eq!(wait(429, &[], r#"{"retry_after": "x"}"#), None);
    assert_eq!(wait(400, &[], r#"{"retry_after": 5}"#), None);
}

proptest! {
    #[test]
    fn nothing_is_too_odd(name in "(retry-after|x-ratelimit-reset|ratelimit-remaining)", value in "[ -~]{0,40}", now in 0..4_000_000_000i64) {
        if let Some(wait) = wait_at(now, &[(&name, &value)]) {
            prop_assert!(wait <= 86_400);
        }
    }

    #[test]
    fn a_date_ahead_is_that_far_ahead(now in 0..2_000_000_000i64, ahead in 0..86_400i64) {
        let date = at(now + ahead).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        prop_assert_eq!(wait_at(now, &[("retry-after", &date)]), Some(ahead.unsigned_abs()));
    }
}
