use super::MB;
use crate::{
    Platform, Profile,
    profile::{ApiVersion, LinkPlace, MediaLimit, MediaRules, MediaTransfer, TextRules, TextUnit},
};

pub(super) fn profile() -> Profile {
    let api = ApiVersion::new(
        "v26.0",
        "https://developers.facebook.com/docs/instagram-platform, v26.0 of 2026-07-29",
    );
    Profile {
        text: TextRules {
            unit: TextUnit::Utf16,
            limit: Some(2200),
            link: LinkPlace::NotClickable,
            // The API documents 30; since 2025-12 the network keeps posts to 5.
            max_hashtags: Some(30),
            advised_hashtags: Some(5),
            max_mentions: Some(20),
            fold: Some(125),
            ..TextRules::default()
        },
        media: MediaRules {
            transfer: MediaTransfer::Address,
            image: Some(MediaLimit {
                aspect: Some((0.8, 1.91)),
                ..MediaLimit::new(&["image/jpeg"], 8 * MB, 10)
            }),
            video: Some(MediaLimit {
                seconds: Some((3.0, 900.0)),
                ..MediaLimit::new(&["video/mp4", "video/quicktime"], 300 * MB, 10)
            }),
            required: true,
            mixed: true,
            max_count: 10,
            alt_limit: Some(1000),
            ..MediaRules::default()
        },
        ..Profile::new(Platform::INSTAGRAM, "Instagram", api)
    }
}
