use super::{GB, MB};
use crate::{
    Platform, Profile,
    profile::{ApiVersion, LinkPlace, MediaLimit, MediaRules, MediaTransfer, TextRules, TextUnit},
};

pub(super) fn profile() -> Profile {
    let api = ApiVersion::new(
        "v2",
        "https://developers.tiktok.com/doc/content-posting-api-reference-direct-post, read 2026-07-22",
    );
    Profile {
        text: TextRules {
            unit: TextUnit::Utf16,
            // A video's title; photos take a title of 90 and a description of 4,000.
            limit: Some(2200),
            link: LinkPlace::NotClickable,
            ..TextRules::default()
        },
        media: MediaRules {
            // Video as bytes or by address, photos by address only.
            transfer: MediaTransfer::Both,
            image: Some(MediaLimit {
                max_pixels: Some((1920, 1080)),
                ..MediaLimit::new(&["image/jpeg", "image/webp"], 20 * MB, 35)
            }),
            video: Some(MediaLimit {
                seconds: Some((0.0, 600.0)),
                max_pixels: Some((4096, 4096)),
                ..MediaLimit::new(&["video/mp4", "video/quicktime", "video/webm"], 4 * GB, 1)
            }),
            required: true,
            max_count: 35,
            ..MediaRules::default()
        },
        ..Profile::new(Platform::TIKTOK, "TikTok", api)
    }
}
