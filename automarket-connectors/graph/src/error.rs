use std::time::Duration;

use automarket_core::{
    Error, ErrorKind, Retry,
    chrono::{DateTime, Utc},
    http::{self, Effect, Reply},
};
use serde::Deserialize;
use serde_json::Value;

/// How long until a call is made again that lacked the app's proof.
const UNPROVEN: Duration = Duration::from_secs(60);

/// What the Graph API says of a refusal.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Fault {
    /// The code.
    pub code: i64,
    /// Its finer code, 0 without one.
    pub error_subcode: i64,
    /// Whether waiting helps.
    pub is_transient: bool,
    /// What is said in words, mostly a text.
    pub message: Value,
    /// What else is said: the offsets of an upload.
    pub error_data: Value,
}

#[derive(Deserialize)]
struct Envelope {
    error: Fault,
}

/// What a platform's own codes make of the error that the common ones say.
pub type Refine = fn(&Fault, &Reply, Error) -> Error;

impl Fault {
    /// The refusal that an answer holds.
    #[must_use]
    pub fn of(body: &[u8]) -> Option<Self> {
        let envelope: Envelope = serde_json::from_slice(body).ok()?;
        Some(envelope.error)
    }

    /// Its kind, where its codes are known: subcodes first, since they are finer.
    fn kind(&self) -> Option<ErrorKind> {
        Some(match (self.code, self.error_subcode) {
            _ if self.is_unproven() => ErrorKind::Config,
            (190 | 102, _) => ErrorKind::Unauthorized,
            (100, 33) | (803, _) => ErrorKind::NotFound,
            (506, _) | (_, 1_366_051) => ErrorKind::Duplicate,
            (_, 1_390_008) => ErrorKind::RateLimited,
            (368, _) | (_, 1_404_078 | 4_854_002 | 1_346_003 | 1_404_102 | 1_404_112) => {
                ErrorKind::Forbidden
            }
            (_, 1_366_046 | 2_069_019 | 2_061_006 | 1_349_125 | 1_609_008) => {
                ErrorKind::InvalidInput
            }
            (4 | 17 | 32 | 341 | 613 | 80_001 | 80_002, _) => ErrorKind::RateLimited,
            (12 | 2635, _) => ErrorKind::ApiVersionRetired,
            (3 | 10 | 200..=299, _) => ErrorKind::Forbidden,
            (1 | 2, _) | (_, 1_363_047 | 1_609_010) => ErrorKind::Unavailable,
            _ if self.is_transient => ErrorKind::Unavailable,
            (100, _) => ErrorKind::InvalidInput,
            _ => return None,
        })
    }

    /// Whether the limit that was hit is the app's; the others are of a user, a page, or an account's own use.
    fn is_app_limit(&self) -> bool {
        matches!(self.code, 4 | 341)
    }

    /// Whether it is for the app's proof, which was missing or of another secret: nothing is wrong with the account or
    /// with what was sent. Meta has no code of its own for it.
    fn is_unproven(&self) -> bool {
        let said = self.message.as_str().unwrap_or_default();
        (self.code, self.error_subcode) == (100, 0) && said.contains("appsecret_proof")
    }

    fn remedy(&self) -> Option<&'static str> {
        Some(match (self.code, self.error_subcode) {
            _ if self.is_unproven() => {
                "give the app's present secret with `Builder::oauth`, `put_app` or `with_app_secret`"
            }
            // Waiting helps, and nothing else.
            (_, 1_390_008) => return None,
            (190 | 102, _) => "connect the account again",
            (_, 1_404_078) => "an admin of the page has to complete Page Publishing Authorization",
            (_, 4_854_002) => "an admin of the page has to confirm who they are",
            (368, _) | (_, 1_346_003 | 1_404_102 | 1_404_112) => {
                "Meta has blocked this for now: look at the account's status there"
            }
            (_, 1_609_008) => "leave out the link to Facebook",
            (506, _) | (_, 1_366_051) => "change the post: Meta takes none twice in a row",
            (12 | 2635, _) => "update automarket, or set `version` to one that is served",
            (3 | 10 | 200..=299, _) => "connect the account again and grant all permissions",
            _ => return None,
        })
    }
}

/// The account itself is not to be seen with this token.
#[must_use]
pub fn of_account(error: Error) -> Error {
    error
        .with_kind(ErrorKind::Unauthorized)
        .with_retry(Retry::Never)
        .with_remedy("connect the account again")
}

/// What an answer means; `None` for a success. Codes come before the status, which is 400 for most of what
/// Meta says; without a code that is known the status decides.
#[must_use]
pub fn classify(reply: &Reply, now: DateTime<Utc>, refine: Refine) -> Option<Error> {
    let Some(fault) = Fault::of(&reply.body) else {
        return (!reply.ok()).then(|| http::classify(reply, now));
    };
    let base = http::classify(reply, now);
    let error = match fault.kind() {
        None => base,
        Some(kind) => {
            let retry = match (kind, reply.effect()) {
                (ErrorKind::Unavailable, Effect::Write) => Retry::Reconcile,
                (ErrorKind::Unavailable | ErrorKind::RateLimited, _) => {
                    Retry::After(reply.retry_after(now))
                }
                // It was not done, and another process may have the secret.
                (ErrorKind::Config, _) => Retry::After(Some(UNPROVEN)),
                _ => Retry::Never,
            };
            base.with_kind(kind).with_retry(retry)
        }
    };
    let error = match fault.remedy() {
        Some(remedy) => error.with_remedy(remedy),
        None => error,
    };
    let error = match fault.is_app_limit() {
        true => error.with_app_limit(),
        false => error,
    };
    let code = match fault.error_subcode {
        0 => fault.code.to_string(),
        subcode => format!("{}/{subcode}", fault.code),
    };
    Some(refine(&fault, reply, error.with_platform_code(code)))
}

#[cfg(test)]
mod tests {
    use automarket_core::http_types::{HeaderMap, StatusCode};
    use serde_json::json;

    use super::*;

    fn classified(status: u16, body: &str, effect: Effect, headers: HeaderMap) -> Option<Error> {
        let status = StatusCode::from_u16(status).unwrap();
        let reply = Reply::recorded("test", effect, status, headers, body.to_owned());
        classify(&reply, Utc::now(), |_, _, error| error)
    }

    #[test]
    fn each_code_has_its_kind() {
        use ErrorKind::{
            ApiVersionRetired, Duplicate, Forbidden, InvalidInput, NotFound, RateLimited,
            Unauthorized, Unavailable,
        };
        let table = [
            (400, 190, 463, false, Unauthorized, Retry::Never),
            (401, 102, 0, false, Unauthorized, Retry::Never),
            (400, 100, 33, false, NotFound, Retry::Never),
            (404, 803, 0, false, NotFound, Retry::Never),
            (400, 100, 0, false, InvalidInput, Retry::Never),
            (400, 100, 1_366_046, false, InvalidInput, Retry::Never),
            (400, 506, 0, false, Duplicate, Retry::Never),
            (400, 1, 1_366_051, false, Duplicate, Retry::Never),
            (400, 368, 0, false, Forbidden, Retry::Never),
            (403, 10, 0, false, Forbidden, Retry::Never),
            (403, 200, 1_404_078, false, Forbidden, Retry::Never),
            (400, 4, 0, true, RateLimited, Retry::After(None)),
            (403, 17, 0, false, RateLimited, Retry::After(None)),
            (400, 341, 0, true, RateLimited, Retry::After(None)),
            (400, 32, 0, false, RateLimited, Retry::After(None)),
            (400, 613, 0, false, RateLimited, Retry::After(None)),
            (400, 80_001, 0, false, RateLimited, Retry::After(None)),
            (400, 200, 1_390_008, false, RateLimited, Retry::After(None)),
            (400, 368, 1_390_008, false, RateLimited, Retry::After(None)),
            (400, 12, 0, false, ApiVersionRetired, Retry::Never),
            (400, 2635, 0, false, ApiVersionRetired, Retry::Never),
            (500, 1, 0, false, Unavailable, Retry::Reconcile),
            (400, 2, 0, true, Unavailable, Retry::Reconcile),
            (400, 99_999, 0, true, Unavailable, Retry::Reconcile),
            (400, 99_999, 0, false, InvalidInput, Retry::Never),
            // A definite no, whatever the status.
            (200, 190, 0, false, Unauthorized, Retry::Never),
        ];
        for (status, code, subcode, transient, kind, retry) in table {
            let body = json!({"error": {"message": format!("(#{code}) no"), "type": "OAuthException",
                "code": code, "error_subcode": subcode, "is_transient": transient, "fbtrace_id": "A1b"}});
            let error = classified(status, &body.to_string(), Effect::Write, HeaderMap::new());
            let error = error.unwrap();
            let name = format!("{status} {code}/{subcode}");
            assert_eq!((error.kind(), error.retry()), (kind, retry), "{name}");
            let said = error.platform_code().unwrap();
            assert!(said.starts_with(&code.to_string()), "{name}: {said}");
            assert!(error.body().unwrap().contains("A1b"), "the trace is kept");
            assert!(error.remedy().is_none() || subcode != 1_390_008, "{name}");
            assert_eq!(error.is_app_limit(), matches!(code, 4 | 341), "{name}");
        }
    }

    #[test]
    fn a_proof_that_is_missing_or_of_another_secret_is_no_fault_of_what_is_sent() {
        for said in [
            "Invalid appsecret_proof provided in the API argument",
            "API calls from the server require an appsecret_proof argument",
        ] {
            let body =
                json!({"error": {"message": said, "type": "GraphMethodException", "code": 100}});
            let error = classified(400, &body.to_string(), Effect::Write, HeaderMap::new());
            let error = error.unwrap();
            let wait = Retry::After(Some(UNPROVEN));
            assert_eq!((error.kind(), error.retry()), (ErrorKind::Config, wait));
            assert!(error.remedy().unwrap().contains("secret"));
        }
        // Words that are none say nothing.
        let body = r#"{"error":{"message":null,"code":100}}"#;
        let error = classified(400, body, Effect::Write, HeaderMap::new()).unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn without_an_envelope_the_status_decides() {
        let page = "<html>busy</html>";
        let error = classified(503, page, Effect::Write, HeaderMap::new()).unwrap();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::Unavailable, Retry::Reconcile)
        );
        assert!(classified(200, "{\"id\":\"1\"}", Effect::Write, HeaderMap::new()).is_none());
    }

    #[test]
    fn a_limit_is_waited_for_as_long_as_the_headers_say() {
        let mut headers = HeaderMap::new();
        let said = r#"{"7":[{"call_count":101,"estimated_time_to_regain_access":19}]}"#;
        headers.insert("x-business-use-case-usage", said.parse().unwrap());
        let body = r#"{"error":{"message":"(#80001) wait","code":80001}}"#;
        let error = classified(400, body, Effect::Write, headers).unwrap();
        let wait = std::time::Duration::from_secs(19 * 60);
        assert_eq!(error.retry(), Retry::After(Some(wait)));
    }
}
