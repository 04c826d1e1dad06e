use super::{GB, MB};
use crate::{
    Platform, Profile,
    profile::{ApiVersion, LinkPlace, MediaLimit, MediaRules, MediaTransfer, TextRules},
};

pub(super) fn profile() -> Profile {
    let api = ApiVersion::new(
        "v26.0",
        "https://developers.facebook.com/docs/graph-api/changelog, v26.0 of 2026-07-29",
    );
    Profile {
        text: TextRules {
            limit: Some(63_206),
            link: LinkPlace::Attachment,
            fold: Some(477),
            ..TextRules::default()
        },
        media: MediaRules {
            transfer: MediaTransfer::Both,
            // 10 MB are documented, but above 4 MB the API answers subcode 1366046.
            image: Some(MediaLimit::new(
                &[
                    "image/jpeg",
                    "image/png",
                    "image/gif",
                    "image/bmp",
                    "image/tiff",
                ],
                4 * MB,
                10,
            )),
            video: Some(MediaLimit {
                seconds: Some((0.0, 1200.0)),
                ..MediaLimit::new(&["video/*"], GB, 1)
            }),
            max_count: 10,
            alt_limit: Some(1000),
            ..MediaRules::default()
        },
        ..Profile::new(Platform::FACEBOOK, "Facebook Pages", api)
    }
}
