//! The channels of the workspace, and what the bot may do in them.

use automarket_core::{Bytes, http_types::Response, testing::json_reply};
use serde_json::{Value, json};

use super::{CHANNEL, FOREIGN_CHANNEL, PRIVATE_CHANNEL, State, refused};

/// Slack gives fewer than it is asked for whenever it likes: here never more than two.
const PAGE: usize = 2;

struct Channel {
    id: &'static str,
    name: &'static str,
    private: bool,
    member: bool,
    archived: bool,
}

const fn channel(id: &'static str, name: &'static str) -> Channel {
    Channel {
        id,
        name,
        private: false,
        member: true,
        archived: false,
    }
}

const CHANNELS: [Channel; 5] = [
    channel(CHANNEL, "general"),
    Channel {
        archived: true,
        ..channel("C0SANDBOX03", "launch-2024")
    },
    Channel {
        member: false,
        ..channel(FOREIGN_CHANNEL, "random")
    },
    Channel {
        private: true,
        ..channel(PRIVATE_CHANNEL, "marketing")
    },
    Channel {
        private: true,
        member: false,
        ..channel("C0SANDBOX05", "board")
    },
];

/// The channel, where the bot can see it.
fn known(id: &str) -> Option<&'static Channel> {
    let seen = |channel: &&Channel| channel.id == id && (!channel.private || channel.member);
    CHANNELS.iter().find(seen)
}

impl State {
    /// Why the bot may not write there.
    pub(super) fn may_not_post(&self, id: &str) -> Option<Response<Bytes>> {
        match known(id) {
            None => Some(refused("channel_not_found")),
            Some(channel) if channel.archived => Some(refused("is_archived")),
            Some(channel) if channel.member => None,
            Some(_) if self.has_scope("chat:write.public") => None,
            Some(_) => Some(refused("not_in_channel")),
        }
    }

    /// Why the bot may not read there, or share files.
    pub(super) fn is_no_member(&self, id: &str) -> Option<Response<Bytes>> {
        match known(id) {
            None => Some(refused("channel_not_found")),
            Some(channel) => (!channel.member).then(|| refused("not_in_channel")),
        }
    }

    /// `conversations.list`.
    pub(super) fn channels(&self, form: &Value) -> Response<Bytes> {
        let text = |name: &str| form[name].as_str().unwrap_or_default();
        let types: Vec<&str> = match text("types") {
            "" => vec!["public_channel"],
            types => types.split(',').collect(),
        };
        for (kind, scope) in [
            ("public_channel", "channels:read"),
            ("private_channel", "groups:read"),
        ] {
            if types.contains(&kind)
                && let Some(refusal) = self.lacks(scope)
            {
                return refusal;
            }
        }
        let limit: usize = text("limit").parse().unwrap_or(100);
        if !(1..1000).contains(&limit) {
            return refused("invalid_limit");
        }
        let skip = match text("cursor") {
            "" => 0,
            cursor => match cursor.strip_prefix("next:").map(str::parse) {
                Some(Ok(skip)) => skip,
                _ => return refused("invalid_cursor"),
            },
        };
        let wanted = |channel: &&Channel| {
            let kind = if channel.private {
                "private_channel"
            } else {
                "public_channel"
            };
            types.contains(&kind)
                && known(channel.id).is_some()
                && !(channel.archived && text("exclude_archived") == "true")
        };
        let all: Vec<&Channel> = CHANNELS.iter().filter(wanted).collect();
        let page = all.iter().skip(skip).take(limit.min(PAGE));
        let page: Vec<Value> = page
            .map(|channel| {
                json!({
                    "id": channel.id, "name": channel.name, "is_channel": true, "is_private": channel.private,
                    "is_member": channel.member, "is_archived": channel.archived,
                })
            })
            .collect();
        let end = skip + page.len();
        let cursor = if end < all.len() {
            format!("next:{end}")
        } else {
            String::new()
        };
        json_reply(
            200,
            &json!({"ok": true, "channels": page, "response_metadata": {"next_cursor": cursor}}),
        )
    }
}
