use super::MB;
use crate::{
    Platform, Profile,
    profile::{ApiVersion, LinkPlace, MediaLimit, MediaRules, TextRules, TextUnit},
};

pub(super) fn profile() -> Profile {
    let api = ApiVersion::new(
        "unversioned",
        "https://github.com/bluesky-social/atproto, lexicons of 2026-08-20",
    );
    Profile {
        text: TextRules {
            unit: TextUnit::Graphemes,
            limit: Some(300),
            also: Some((TextUnit::Bytes, 3000)),
            link: LinkPlace::Attachment,
            ..TextRules::default()
        },
        media: MediaRules {
            image: Some(MediaLimit::new(&["image/*"], 2 * MB, 4)),
            video: Some(MediaLimit {
                seconds: Some((0.0, 180.0)),
                ..MediaLimit::new(&["video/mp4"], 300 * MB, 1)
            }),
            max_count: 4,
            // The lexicon has no limit; the network's own client takes 2,000.
            alt_limit: Some(2000),
            ..MediaRules::default()
        },
        ..Profile::new(Platform::BLUESKY, "Bluesky", api)
    }
}
