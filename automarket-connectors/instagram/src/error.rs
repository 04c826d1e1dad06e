use std::time::Duration;

use automarket_connector_graph::{Fault, of_account};
use automarket_core::{
    Error, ErrorKind, Retry,
    http::{Effect, Reply},
};

/// The rule of an answer that says that the container cannot be used any more: perhaps since it was published.
pub(crate) const GONE: &str = "instagram.container_gone";
/// The rule of an error that says by the container's status that nothing came of it.
pub(crate) const DEAD: &str = "instagram.container_dead";
/// The rule of a refusal of the account. Of a publishing it is also said where the post is public all the same.
pub(crate) const BLOCKED: &str = "instagram.blocked";
/// Calls that name nothing but the account. What publishing does not find may be the container, and what a carousel does
/// not find its item.
const OF_ACCOUNT: [&str; 4] = ["media.quota", "media.create", "media.list", "accounts.get"];
/// How long until what is not ready is asked for again.
const SOON: Duration = Duration::from_secs(10);
/// How long until a day's quota is asked for again: it is a rolling one.
pub(crate) const LATER: Duration = Duration::from_secs(60 * 60);

/// What kind of trouble a subcode of Instagram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The container is being worked on.
    NotReady,
    /// The day's posts are used up.
    Quota,
    /// Fetching or processing failed for now.
    Passing,
    /// The container is gone.
    Gone,
    /// What was given is not taken.
    Input,
    /// The account may not, for now.
    Blocked,
}

/// What a subcode means.
pub(crate) fn trouble(subcode: i64) -> Option<Trouble> {
    Some(match subcode {
        2_207_027 => Trouble::NotReady,
        2_207_042 => Trouble::Quota,
        2_207_001 | 2_207_003 | 2_207_032 | 2_207_052 | 2_207_053 | 2_207_077 | 2_207_082 => {
            Trouble::Passing
        }
        2_207_006 | 2_207_008 | 2_207_020 => Trouble::Gone,
        2_207_004
        | 2_207_005
        | 2_207_009
        | 2_207_010
        | 2_207_023
        | 2_207_026
        | 2_207_028
        | 2_207_035..=2_207_037
        | 2_207_040
        | 2_207_057 => Trouble::Input,
        2_207_050 | 2_207_051 | 2_207_081 => Trouble::Blocked,
        _ => return None,
    })
}

/// What Instagram's own codes make of an error.
pub(crate) fn refine(fault: &Fault, reply: &Reply, error: Error) -> Error {
    let trouble = trouble(fault.error_subcode).or(match fault.code {
        9007 => Some(Trouble::NotReady),
        9 => Some(Trouble::Quota),
        -1 | 9004 => Some(Trouble::Passing),
        25 => Some(Trouble::Blocked),
        36_001 | 36_003 => Some(Trouble::Input),
        _ => None,
    });
    let passing = match reply.effect() {
        Effect::Write => Retry::Reconcile,
        Effect::Read => Retry::After(None),
    };
    match trouble {
        Some(Trouble::NotReady) => error
            .with_kind(ErrorKind::Unavailable)
            .with_retry(Retry::After(Some(SOON))),
        Some(Trouble::Quota) => quota(error),
        Some(Trouble::Passing) => error.with_kind(ErrorKind::Unavailable).with_retry(passing),
        Some(Trouble::Gone) => error
            .with_kind(ErrorKind::Conflict)
            .with_retry(Retry::Never)
            .with_rule(GONE),
        Some(Trouble::Input) => error
            .with_kind(ErrorKind::InvalidInput)
            .with_retry(Retry::Never),
        Some(Trouble::Blocked) => blocked(error),
        None if fault.error_subcode == 33 && OF_ACCOUNT.contains(&reply.operation()) => {
            of_account(error)
        }
        None => error,
    }
}

/// The account may not, for now.
pub(crate) fn blocked(error: Error) -> Error {
    error
        .with_kind(ErrorKind::Forbidden)
        .with_retry(Retry::Never)
        .with_rule(BLOCKED)
        .with_remedy("look at the account's status in Instagram: it is restricted for now")
}

/// The day's posts are used up.
pub(crate) fn quota(error: Error) -> Error {
    error
        .with_kind(ErrorKind::QuotaExhausted)
        .with_retry(Retry::After(Some(LATER)))
        .with_remedy("Instagram takes 100 posts of an account in 24 hours")
}

#[cfg(test)]
mod tests {
    use automarket_connector_graph::classify;
    use automarket_core::{
        chrono::Utc,
        http_types::{HeaderMap, StatusCode},
    };
    use serde_json::json;

    use super::*;

    #[test]
    fn each_code_has_its_kind() {
        use ErrorKind::{
            Conflict, Forbidden, InvalidInput, NotFound, QuotaExhausted, RateLimited, Unauthorized,
            Unavailable,
        };
        let (never, later) = (Retry::Never, Retry::After(Some(LATER)));
        let soon = Retry::After(Some(SOON));
        // Code and subcode; its kind, and what is next when publishing and when making a container.
        let table = [
            (190, 463, Unauthorized, never, never),
            (9007, 2_207_027, Unavailable, soon, soon),
            (9, 2_207_042, QuotaExhausted, later, later),
            (
                9004,
                2_207_052,
                Unavailable,
                Retry::Reconcile,
                Retry::After(None),
            ),
            (
                -1,
                2_207_001,
                Unavailable,
                Retry::Reconcile,
                Retry::After(None),
            ),
            (2, 0, Unavailable, Retry::Reconcile, Retry::After(None)),
            (24, 2_207_006, Conflict, never, never),
            (24, 2_207_008, Conflict, never, never),
            (352, 2_207_026, InvalidInput, never, never),
            (36_003, 2_207_009, InvalidInput, never, never),
            (36_001, 0, InvalidInput, never, never),
            (100, 2_207_010, InvalidInput, never, never),
            (25, 2_207_050, Forbidden, never, never),
            (4, 2_207_051, Forbidden, never, never),
            (10, 0, Forbidden, never, never),
            (4, 0, RateLimited, Retry::After(None), Retry::After(None)),
            (
                80_002,
                0,
                RateLimited,
                Retry::After(None),
                Retry::After(None),
            ),
        ];
        let classified = |code: i64, subcode: i64, operation, effect| {
            let body = json!({"error": {"message": "no", "code": code, "error_subcode": subcode}});
            let (status, headers) = (StatusCode::BAD_REQUEST, HeaderMap::new());
            let reply = Reply::recorded(operation, effect, status, headers, body.to_string());
            classify(&reply, Utc::now(), refine).unwrap()
        };
        for (code, subcode, kind, publish, create) in table {
            let name = format!("{code}/{subcode}");
            let error = classified(code, subcode, "media.publish", Effect::Write);
            assert_eq!((error.kind(), error.retry()), (kind, publish), "{name}");
            let error = classified(code, subcode, "media.create", Effect::Read);
            assert_eq!((error.kind(), error.retry()), (kind, create), "{name}");
        }
        let gone = classified(100, 33, "media.get", Effect::Read);
        assert_eq!(gone.kind(), NotFound);
        for operation in OF_ACCOUNT {
            let account = classified(100, 33, operation, Effect::Read);
            assert_eq!(account.kind(), Unauthorized, "{operation}");
        }
    }
}
