//! What Slack's answers mean. Nearly all failures are HTTP 200 with `ok: false`.

use automarket_core::{
    Error, ErrorKind, Result, Retry,
    chrono::{DateTime, Utc},
    http::{Effect, Reply, classify},
};
use serde::de::DeserializeOwned;

use crate::{PLATFORM, wire::Envelope};

/// Reads a Web API reply.
pub(crate) fn decode<T: DeserializeOwned>(reply: &Reply, now: DateTime<Utc>) -> Result<T> {
    if !reply.ok() {
        return Err(classify(reply, now).with_platform(&PLATFORM));
    }
    let envelope: Envelope = reply
        .json()
        .map_err(|error| error.with_platform(&PLATFORM))?;
    if !envelope.ok {
        return Err(refused(&envelope, reply));
    }
    reply.json().map_err(|error| error.with_platform(&PLATFORM))
}

/// The error of an `ok: false`.
fn refused(envelope: &Envelope, reply: &Reply) -> Error {
    let code = envelope.error.as_deref().unwrap_or("unknown_error");
    let kind = kind(code);
    let mut message = format!("Slack refused it: {code}");
    for part in envelope
        .response_metadata
        .messages
        .iter()
        .chain(&envelope.needed)
        .take(3)
    {
        message.push_str(&format!(" ({part})"));
    }
    let error = reply
        .error(kind, message)
        .with_platform(&PLATFORM)
        .with_platform_code(reply.code(code));
    // Slack says of its own failures that some of it may have happened; of a workspace under migration that it is away.
    match (kind, reply.effect()) {
        (ErrorKind::Unavailable, _) if code == "org_login_required" => {
            error.with_retry(Retry::After(None))
        }
        (ErrorKind::Unavailable, Effect::Write) => error.with_retry(Retry::Reconcile),
        (ErrorKind::Unauthorized, _) => {
            error.with_remedy("install the app again, or make a new webhook")
        }
        (ErrorKind::Forbidden, _) if code == "no_permission" => {
            error.with_remedy("invite the bot to the channel")
        }
        (ErrorKind::NotFound, _) if !code.starts_with("file_") => {
            error.with_remedy("use the channel's id, and invite the bot to the channel")
        }
        _ => error,
    }
}

fn kind(code: &str) -> ErrorKind {
    match code {
        "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired" => {
            ErrorKind::Unauthorized
        }
        "missing_scope"
        | "not_allowed_token_type"
        | "ekm_access_denied"
        | "no_permission"
        | "posting_to_general_channel_denied"
        | "team_access_not_granted"
        | "access_denied"
        | "cant_update_message"
        | "cant_delete_message"
        | "edit_window_closed"
        | "file_uploads_disabled" => ErrorKind::Forbidden,
        "not_in_channel" | "is_archived" | "channel_not_found" | "user_not_found"
        | "message_not_found" | "thread_not_found" | "file_not_found" | "file_deleted" => {
            ErrorKind::NotFound
        }
        "ratelimited" | "rate_limited" | "restricted_too_many" => ErrorKind::RateLimited,
        "message_limit_exceeded" | "storage_limit_reached" => ErrorKind::QuotaExhausted,
        "internal_error"
        | "fatal_error"
        | "request_timeout"
        | "service_unavailable"
        | "org_login_required"
        | "team_added_to_org" => ErrorKind::Unavailable,
        "method_not_supported_for_channel_type" | "unknown_method" => ErrorKind::Unsupported,
        code if code.starts_with("restricted_action") => ErrorKind::Forbidden,
        _ => ErrorKind::InvalidInput,
    }
}

/// Reads an incoming webhook's reply, which is plain text.
pub(crate) fn webhook(reply: &Reply, now: DateTime<Utc>) -> Result<()> {
    if reply.ok() {
        return match reply.body.as_ref() {
            b"ok" => Ok(()),
            _ => Err(reply
                .unexpected("an incoming webhook answers ok")
                .with_platform(&PLATFORM)),
        };
    }
    let code = reply.excerpt();
    let code = code.trim();
    let revoked = matches!(
        code,
        "no_service" | "invalid_token" | "no_active_hooks" | "no_team"
    );
    if revoked {
        return Err(
            Error::new(ErrorKind::Unauthorized, "the incoming webhook was revoked")
                .with_platform(&PLATFORM)
                .with_operation(reply.operation())
                .with_status(reply.status.as_u16())
                .with_platform_code(code)
                .with_remedy("make a new incoming webhook"),
        );
    }
    Err(classify(reply, now).with_platform(&PLATFORM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_as_the_sheet_says() {
        let table = [
            ("token_revoked", ErrorKind::Unauthorized),
            ("missing_scope", ErrorKind::Forbidden),
            ("restricted_action_read_only_channel", ErrorKind::Forbidden),
            ("channel_not_found", ErrorKind::NotFound),
            ("file_deleted", ErrorKind::NotFound),
            ("invalid_blocks", ErrorKind::InvalidInput),
            ("msg_too_long", ErrorKind::InvalidInput),
            ("ratelimited", ErrorKind::RateLimited),
            ("message_limit_exceeded", ErrorKind::QuotaExhausted),
            ("fatal_error", ErrorKind::Unavailable),
        ];
        for (code, wanted) in table {
            assert_eq!(kind(code), wanted, "{code}");
        }
    }
}
