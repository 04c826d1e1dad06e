use crate::{
    Platform, Profile,
    profile::{ApiVersion, Markup, MediaLimit, MediaRules, TextRules, TextUnit},
};

const MIB: u64 = 1024 * 1024;

pub(super) fn profile() -> Profile {
    let api = ApiVersion::new(
        "v10",
        "https://discord.com/developers/docs/reference, OpenAPI of 2026-07-18",
    );
    Profile {
        text: TextRules {
            unit: TextUnit::Utf16,
            limit: Some(2000),
            markup: Markup::Markdown,
            ..TextRules::default()
        },
        media: MediaRules {
            image: Some(MediaLimit::new(&["image/*"], 10 * MIB, 10)),
            video: Some(MediaLimit::new(&["video/*"], 10 * MIB, 10)),
            document: Some(MediaLimit::new(&["*/*"], 10 * MIB, 10)),
            mixed: true,
            max_count: 10,
            alt_limit: Some(1024),
            ..MediaRules::default()
        },
        ..Profile::new(Platform::DISCORD, "Discord", api)
    }
}
