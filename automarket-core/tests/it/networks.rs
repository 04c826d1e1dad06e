use automarket_core::{
    Platform, networks,
    profile::{Abilities, Status},
};

#[test]
fn every_network_is_found_by_its_id() {
    let all = networks::all();
    assert_eq!(all.len(), 12);
    assert!(all.is_sorted_by(|a, b| a.platform < b.platform));
    for profile in all {
        let id = &profile.platform;
        assert_eq!(networks::profile(id).as_ref(), Some(&profile));
        assert_eq!(networks::from_alias(id.as_str()).as_ref(), Some(id));
    }
    assert_eq!(networks::profile(&Platform::from_static("myspace")), None);
}

#[test]
fn every_profile_is_whole() {
    for profile in networks::all() {
        let id = profile.platform.as_str();
        assert_eq!(profile.status, Status::Live, "{id}");
        assert_eq!(profile.abilities, Abilities::default(), "{id}");
        assert!(profile.api.source.starts_with("https://"), "{id}");
        assert!(!profile.api.version.is_empty(), "{id}");
        assert!(profile.text.limit.is_some_and(|limit| limit >= 280), "{id}");
        let media = &profile.media;
        let kinds = [&media.image, &media.gif, &media.video, &media.document];
        let kinds: Vec<_> = kinds.into_iter().flatten().collect();
        assert!(!kinds.is_empty() && media.max_count > 0, "{id}");
        for limit in kinds {
            assert!(!limit.mime.is_empty() && limit.max_bytes > 0, "{id}");
            assert!(
                limit.max_count > 0 && limit.max_count <= media.max_count,
                "{id}"
            );
            assert!(limit.seconds.is_none_or(|(a, b)| a < b), "{id}");
            assert!(limit.aspect.is_none_or(|(a, b)| a < b), "{id}");
            assert!(
                limit.max_pixels.is_none_or(|(long, short)| long >= short),
                "{id}"
            );
        }
    }
}

#[test]
fn other_systems_spellings() {
    for (alias, id) in [
        ("twitter", "x"),
        ("X", "x"),
        ("facebook_page", "facebook"),
        ("Facebook Page", "facebook"),
        ("linkedin-page", "linkedin"),
        ("bsky", "bluesky"),
        ("gbp", "gbp"),
        ("google-business", "gbp"),
        ("pinterest", "pinterest"),
    ] {
        let found = networks::from_alias(alias);
        assert_eq!(found.as_ref().map(Platform::as_str), Some(id), "{alias}");
    }
    for unknown in ["", "   ", "friendster", "x.", "\u{0}"] {
        assert_eq!(networks::from_alias(unknown), None, "{unknown:?}");
    }
}
