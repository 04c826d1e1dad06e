use super::MB;
use crate::{
    Platform, Profile,
    profile::{ApiVersion, MediaLimit, MediaRules, TextRules, TextUnit},
};

pub(super) fn profile() -> Profile {
    let api = ApiVersion::new("2", "https://docs.x.com/x-api, OpenAPI 2.167 of 2026-08-22");
    Profile {
        text: TextRules {
            unit: TextUnit::Weighted,
            limit: Some(280),
            comment_limit: Some(280),
            url_length: Some(23),
            // Self-serve apps.
            max_cashtags: Some(1),
            ..TextRules::default()
        },
        media: MediaRules {
            image: Some(MediaLimit::new(
                &["image/jpeg", "image/png", "image/webp"],
                5 * MB,
                4,
            )),
            gif: Some(MediaLimit {
                max_pixels: Some((1280, 1080)),
                ..MediaLimit::new(&["image/gif"], 15 * MB, 1)
            }),
            video: Some(MediaLimit {
                seconds: Some((0.5, 140.0)),
                aspect: Some((1.0 / 3.0, 3.0)),
                max_pixels: Some((1280, 1024)),
                ..MediaLimit::new(&["video/mp4", "video/quicktime"], 512 * MB, 1)
            }),
            max_count: 4,
            alt_limit: Some(1000),
            ..MediaRules::default()
        },
        ..Profile::new(Platform::X, "X", api)
    }
}
