use super::MB;
use crate::{
    Platform, Profile,
    profile::{ApiVersion, MediaLimit, MediaRules, TextRules, TextUnit},
};

pub(super) fn profile() -> Profile {
    let api = ApiVersion::new(
        "v1",
        "https://docs.joinmastodon.org (4.6, 2026-07-02); each server says its own limits in /api/v2/instance",
    );
    Profile {
        text: TextRules {
            unit: TextUnit::Graphemes,
            limit: Some(500),
            url_length: Some(23),
            ..TextRules::default()
        },
        media: MediaRules {
            image: Some(MediaLimit::new(
                &[
                    "image/jpeg",
                    "image/png",
                    "image/gif",
                    "image/webp",
                    "image/heic",
                    "image/avif",
                ],
                16 * MB,
                4,
            )),
            gif: Some(MediaLimit::new(&["image/gif"], 16 * MB, 1)),
            video: Some(MediaLimit::new(&["video/*"], 99 * MB, 1)),
            max_count: 4,
            alt_limit: Some(1500),
            ..MediaRules::default()
        },
        ..Profile::new(Platform::MASTODON, "Mastodon", api)
    }
}
