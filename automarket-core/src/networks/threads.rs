use super::{GB, MB};
use crate::{
    Platform, Profile,
    profile::{ApiVersion, LinkPlace, MediaLimit, MediaRules, MediaTransfer, TextRules, TextUnit},
};

pub(super) fn profile() -> Profile {
    let api = ApiVersion::new(
        "v1.0",
        "https://developers.facebook.com/docs/threads, still v1.0 in 2026-09",
    );
    Profile {
        text: TextRules {
            unit: TextUnit::EmojiBytes,
            limit: Some(500),
            link: LinkPlace::Attachment,
            max_links: Some(5),
            // The first one becomes the topic, the others are only letters.
            advised_hashtags: Some(1),
            ..TextRules::default()
        },
        media: MediaRules {
            transfer: MediaTransfer::Address,
            image: Some(MediaLimit {
                aspect: Some((0.1, 10.0)),
                ..MediaLimit::new(&["image/jpeg", "image/png"], 8 * MB, 20)
            }),
            video: Some(MediaLimit {
                seconds: Some((0.0, 300.0)),
                ..MediaLimit::new(&["video/mp4", "video/quicktime"], GB, 20)
            }),
            mixed: true,
            max_count: 20,
            alt_limit: Some(1000),
            ..MediaRules::default()
        },
        ..Profile::new(Platform::THREADS, "Threads", api)
    }
}
