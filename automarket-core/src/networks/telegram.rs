use super::MB;
use crate::{
    Platform, Profile,
    profile::{ApiVersion, Markup, MediaLimit, MediaRules, MediaTransfer, TextRules, TextUnit},
};

pub(super) fn profile() -> Profile {
    let api = ApiVersion::new(
        "Bot API 10.3",
        "https://core.telegram.org/bots/api, 10.3 of 2026-08-24",
    );
    Profile {
        text: TextRules {
            unit: TextUnit::Utf16,
            limit: Some(4096),
            limit_with_media: Some(1024),
            markup: Markup::MarkdownV2,
            ..TextRules::default()
        },
        media: MediaRules {
            transfer: MediaTransfer::Both,
            image: Some(MediaLimit {
                aspect: Some((0.05, 20.0)),
                ..MediaLimit::new(&["image/*"], 10 * MB, 10)
            }),
            gif: Some(MediaLimit::new(&["image/gif", "video/mp4"], 50 * MB, 1)),
            video: Some(MediaLimit::new(&["video/*"], 50 * MB, 10)),
            document: Some(MediaLimit::new(&["*/*"], 50 * MB, 10)),
            mixed: true,
            max_count: 10,
            ..MediaRules::default()
        },
        ..Profile::new(Platform::TELEGRAM, "Telegram", api)
    }
}
