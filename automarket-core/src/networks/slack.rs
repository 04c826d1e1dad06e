use super::GB;
use crate::{
    Platform, Profile,
    profile::{ApiVersion, Markup, MediaLimit, MediaRules, TextRules, TextUnit},
};

pub(super) fn profile() -> Profile {
    let api = ApiVersion::new(
        "unversioned",
        "https://docs.slack.dev/reference/methods/chat.postMessage, read 2026",
    );
    Profile {
        text: TextRules {
            unit: TextUnit::Utf16,
            // 4,000 are recommended; what is over 40,000 is cut off.
            limit: Some(40_000),
            markup: Markup::Mrkdwn,
            ..TextRules::default()
        },
        media: MediaRules {
            image: Some(MediaLimit::new(&["image/*"], GB, 10)),
            video: Some(MediaLimit::new(&["video/*"], GB, 10)),
            document: Some(MediaLimit::new(&["*/*"], GB, 10)),
            mixed: true,
            max_count: 10,
            alt_limit: Some(1000),
            ..MediaRules::default()
        },
        ..Profile::new(Platform::SLACK, "Slack", api)
    }
}
