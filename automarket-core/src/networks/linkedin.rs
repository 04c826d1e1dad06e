use chrono::NaiveDate;

use super::MB;
use crate::{
    Platform, Profile,
    profile::{ApiVersion, LinkPlace, Markup, MediaLimit, MediaRules, TextRules, TextUnit},
};

/// No day is announced: versions went in the middle of the month a year after theirs. (What is no day would not compile.)
const END: NaiveDate = NaiveDate::from_ymd_opt(2027, 10, 15).unwrap();

pub(super) fn profile() -> Profile {
    let api = ApiVersion::new(
        "202610",
        "https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api; a version lives about 12 months",
    )
    .until(END);
    Profile {
        text: TextRules {
            unit: TextUnit::Utf16,
            limit: Some(3000),
            comment_limit: Some(1250),
            markup: Markup::LittleText,
            link: LinkPlace::Attachment,
            fold: Some(210),
            ..TextRules::default()
        },
        media: MediaRules {
            // Bounded in pixels (36,152,320 in all), not in bytes.
            image: Some(MediaLimit::new(
                &["image/jpeg", "image/png", "image/gif"],
                u64::MAX,
                20,
            )),
            video: Some(MediaLimit {
                seconds: Some((3.0, 1800.0)),
                ..MediaLimit::new(&["video/mp4"], 500 * MB, 1)
            }),
            document: Some(MediaLimit {
                max_pages: Some(300),
                ..MediaLimit::new(
                    &[
                        "application/pdf",
                        "application/msword",
                        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                        "application/vnd.ms-powerpoint",
                        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
                    ],
                    100 * MB,
                    1,
                )
            }),
            max_count: 20,
            alt_limit: Some(4086),
            ..MediaRules::default()
        },
        ..Profile::new(Platform::LINKEDIN, "LinkedIn", api)
    }
}
