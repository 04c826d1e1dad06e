use crate::{
    Platform, Profile,
    profile::{ApiVersion, MediaLimit, MediaRules, TextRules, TextUnit},
};

pub(super) fn profile() -> Profile {
    let api = ApiVersion::new(
        "v3",
        "https://developers.google.com/youtube/v3, discovery revision 20260427",
    );
    Profile {
        text: TextRules {
            // The description.
            unit: TextUnit::Bytes,
            limit: Some(5000),
            // Above 60 it ignores all of them; the first three are shown.
            max_hashtags: Some(60),
            advised_hashtags: Some(3),
            ..TextRules::default()
        },
        media: MediaRules {
            video: Some(MediaLimit {
                seconds: Some((0.0, 43_200.0)),
                ..MediaLimit::new(
                    &["video/*", "application/octet-stream"],
                    256 * 1024 * 1024 * 1024,
                    1,
                )
            }),
            required: true,
            max_count: 1,
            ..MediaRules::default()
        },
        ..Profile::new(Platform::YOUTUBE, "YouTube", api)
    }
}
