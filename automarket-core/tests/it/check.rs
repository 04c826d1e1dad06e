use automarket_core::{
    Content, Media, Platform, Profile,
    check::{Report, Severity, check},
    content::{MediaKind, Voice},
    networks,
    profile::Status,
};
use proptest::prelude::*;

fn network(platform: &Platform) -> Profile {
    networks::profile(platform).expect("a well-known network")
}

fn on(platform: &Platform, content: &Content) -> Report {
    check(content, &network(platform), &Voice::default())
}

fn rules(report: &Report) -> Vec<&str> {
    report
        .findings
        .iter()
        .map(|finding| finding.rule.as_str())
        .collect()
}

fn media(kind: MediaKind) -> Media {
    Media {
        alt: Some("what it shows".into()),
        ..Media::address(kind, "https://acme.dev/file".parse().unwrap())
    }
}

fn image() -> Media {
    media(MediaKind::Image)
}

fn with(media: Vec<Media>) -> Content {
    Content {
        media,
        ..Content::text("We shipped the thing.")
    }
}

#[test]
fn a_plain_text_passes_everywhere_that_takes_text_alone() {
    for profile in networks::all() {
        let report = check(&Content::text("We shipped."), &profile, &Voice::default());
        assert_eq!(report.passes(), !profile.media.required, "{}", profile.name);
        assert_eq!(report.length, 11);
        assert_eq!(report.limit, profile.text.limit);
    }
}

#[test]
fn length_is_told_in_numbers() {
    let report = on(&Platform::X, &Content::text("a".repeat(281)));
    assert_eq!(rules(&report), ["text.too_long"]);
    let finding = &report.findings[0];
    assert_eq!(finding.severity, Severity::Blocker);
    assert_eq!(
        finding.message,
        "the text is 281 weighted characters long, X takes 280"
    );
    assert_eq!(finding.remedy, "Cut 1 weighted characters");
    assert!(on(&Platform::X, &Content::text("a".repeat(280))).passes());
}

#[test]
fn a_second_limit_holds_too() {
    let report = on(&Platform::BLUESKY, &Content::text("a".repeat(3001)));
    assert_eq!(rules(&report), ["text.too_long", "text.also_too_long"]);
}

#[test]
fn a_caption_may_be_shorter_than_a_text() {
    let text = Content::text("a".repeat(1025));
    assert!(on(&Platform::TELEGRAM, &text).passes());
    let caption = Content {
        media: vec![image()],
        ..text
    };
    let report = on(&Platform::TELEGRAM, &caption);
    assert_eq!(rules(&report), ["text.too_long"]);
    assert_eq!(report.limit, Some(1024));
}

#[test]
fn emptiness() {
    for text in ["", "  \n "] {
        assert_eq!(
            rules(&on(&Platform::X, &Content::text(text))),
            ["text.empty"]
        );
    }
    let only_media = Content {
        media: vec![image()],
        ..Content::default()
    };
    assert!(on(&Platform::X, &only_media).passes());
    let only_link = Content {
        link: "https://acme.dev".parse().ok(),
        ..Content::default()
    };
    assert!(on(&Platform::X, &only_link).passes());
    assert!(on(&Platform::LINKEDIN, &only_link).passes());
    let mut wants_text = network(&Platform::X);
    wants_text.text.required = true;
    let report = check(&only_media, &wants_text, &Voice::default());
    assert_eq!(rules(&report), ["text.empty"]);
}

#[test]
fn folding_is_advice() {
    let report = on(&Platform::LINKEDIN, &Content::text("word ".repeat(100)));
    assert_eq!(rules(&report), ["text.fold"]);
    assert!(report.passes());
}

#[test]
fn links_that_nobody_can_click() {
    let content = Content {
        link: "https://acme.dev/p".parse().ok(),
        ..with(vec![image()])
    };
    let report = on(&Platform::INSTAGRAM, &content);
    assert_eq!(rules(&report), ["link.not_clickable"]);
    assert!(report.findings[0].message.contains("https://acme.dev/p"));
    assert_eq!(report.text, "We shipped the thing.");
}

#[test]
fn how_many_media() {
    let gif = || media(MediaKind::Gif);
    let video = || media(MediaKind::Video);
    let document = || media(MediaKind::Document);
    let cases: [(&Platform, Vec<Media>, &[&str]); 13] = [
        (&Platform::INSTAGRAM, vec![], &["media.required"]),
        (&Platform::YOUTUBE, vec![], &["media.required"]),
        (&Platform::X, vec![image(); 4], &[]),
        (&Platform::X, vec![image(); 5], &["media.count"]),
        (&Platform::X, vec![video(), video()], &["media.count"]),
        (&Platform::X, vec![gif()], &[]),
        (&Platform::X, vec![image(), video()], &["media.mixed"]),
        (&Platform::X, vec![document()], &["media.kind"]),
        (&Platform::INSTAGRAM, vec![image(), video()], &[]),
        (
            &Platform::INSTAGRAM,
            [vec![image(); 6], vec![video(); 6]].concat(),
            &["media.count"],
        ),
        (&Platform::YOUTUBE, vec![image()], &["media.kind"]),
        (&Platform::LINKEDIN, vec![document()], &[]),
        (&Platform::LINKEDIN, vec![gif()], &[]),
    ];
    for (platform, media, expected) in cases {
        let report = on(platform, &with(media.clone()));
        assert_eq!(rules(&report), expected, "{platform} {media:?}");
    }
}

#[test]
fn what_media() {
    let with_mime = |kind, mime: &str| Media {
        mime: Some(mime.into()),
        ..media(kind)
    };
    let sized = |kind, width, height| Media {
        width: Some(width),
        height: Some(height),
        ..media(kind)
    };
    let timed = |seconds| Media {
        seconds: Some(seconds),
        ..media(MediaKind::Video)
    };
    let weighing = |bytes| Media {
        bytes: Some(bytes),
        ..image()
    };
    let said = |alt: &str| Media {
        alt: Some(alt.into()),
        ..image()
    };
    let cases: [(&Platform, Media, &[&str]); 22] = [
        (
            &Platform::INSTAGRAM,
            with_mime(MediaKind::Image, "image/png"),
            &["media.mime"],
        ),
        (
            &Platform::INSTAGRAM,
            with_mime(MediaKind::Image, "IMAGE/JPG; q=1"),
            &[],
        ),
        (&Platform::INSTAGRAM, media(MediaKind::Gif), &["media.mime"]),
        (&Platform::X, with_mime(MediaKind::Image, "image/gif"), &[]),
        (
            &Platform::BLUESKY,
            with_mime(MediaKind::Image, "image/avif"),
            &[],
        ),
        (
            &Platform::BLUESKY,
            with_mime(MediaKind::Image, "video/mp4"),
            &["media.mime"],
        ),
        (
            &Platform::DISCORD,
            with_mime(MediaKind::Document, "text/csv"),
            &[],
        ),
        (&Platform::X, weighing(5_000_000), &[]),
        (&Platform::X, weighing(5_000_001), &["media.bytes"]),
        (&Platform::X, timed(140.0), &[]),
        (&Platform::X, timed(140.5), &["media.seconds"]),
        (&Platform::X, timed(0.4), &["media.seconds"]),
        (&Platform::X, timed(f64::NAN), &["media.seconds"]),
        (
            &Platform::INSTAGRAM,
            sized(MediaKind::Image, 1080, 1350),
            &[],
        ),
        (
            &Platform::INSTAGRAM,
            sized(MediaKind::Image, 1080, 1920),
            &["media.aspect"],
        ),
        (
            &Platform::INSTAGRAM,
            sized(MediaKind::Image, 0, 0),
            &["media.aspect"],
        ),
        (&Platform::X, sized(MediaKind::Gif, 1280, 1080), &[]),
        (&Platform::X, sized(MediaKind::Gif, 1080, 1280), &[]),
        (
            &Platform::X,
            sized(MediaKind::Gif, 1281, 10),
            &["media.pixels"],
        ),
        (&Platform::X, said(" "), &["media.alt_missing"]),
        (
            &Platform::X,
            said(&"a".repeat(1001)),
            &["media.alt_too_long"],
        ),
        (&Platform::TIKTOK, said(""), &[]),
    ];
    for (platform, media, expected) in cases {
        let report = on(platform, &with(vec![media.clone()]));
        assert_eq!(rules(&report), expected, "{platform} {media:?}");
    }
    let in_memory = Media::image(&b"bytes"[..], "image/jpeg").alt("a");
    let report = on(&Platform::INSTAGRAM, &with(vec![in_memory]));
    assert_eq!(rules(&report), ["media.address"]);
    assert!(report.passes());
}

#[test]
fn each_part_of_a_thread_is_checked() {
    let content = Content {
        thread: vec!["fine".into(), "b".repeat(281), " ".into(), "nul\0".into()],
        ..Content::text("first")
    };
    let report = on(&Platform::X, &content);
    assert_eq!(
        rules(&report),
        ["thread.part_too_long", "thread.part_empty", "text.control"]
    );
    assert!(report.findings[0].message.starts_with("part 3 is 281"));
    assert!(report.findings[1].message.starts_with("part 4"));

    let mut connector = network(&Platform::X);
    connector.abilities.publish = true;
    let short = Content {
        thread: vec!["second".into()],
        ..Content::text("first")
    };
    let report = check(&short, &connector, &Voice::default());
    assert_eq!(rules(&report), ["thread.unsupported"]);
    connector.abilities.thread = true;
    assert!(check(&short, &connector, &Voice::default()).passes());
}

#[test]
fn threads_counts_the_bytes_of_emoji() {
    for (text, passes) in [
        ("é".repeat(500), true),
        ("😀".repeat(125), true),
        ("😀".repeat(126), false),
        ("👨‍👩‍👧‍👦".repeat(21), false),
    ] {
        let report = on(&Platform::THREADS, &Content::text(text));
        assert_eq!(report.passes(), passes, "{}", report.length);
    }
}

#[test]
fn the_first_comment() {
    let commented = |comment: &str| Content {
        first_comment: Some(comment.to_owned()),
        media: vec![Media {
            alt: Some("A photo".into()),
            ..Media::address(MediaKind::Image, "https://acme.dev/a.jpg".parse().unwrap())
        }],
        ..Content::text("first")
    };
    let tags: String = (0..31).map(|n| format!("#t{n} ")).collect();
    for (platform, comment, wanted) in [
        (Platform::X, "a".repeat(280), None),
        (Platform::X, "a".repeat(281), Some("comment.too_long")),
        (Platform::X, "$TSLA $AAPL".to_owned(), Some("text.cashtags")),
        (Platform::X, "\u{FEFF}a".to_owned(), Some("text.control")),
        (Platform::LINKEDIN, format!(" {} ", "a".repeat(1250)), None),
        (
            Platform::LINKEDIN,
            "😀".repeat(626),
            Some("comment.too_long"),
        ),
        (Platform::FACEBOOK, " \n".to_owned(), Some("comment.empty")),
        (Platform::INSTAGRAM, tags, Some("text.hashtags")),
    ] {
        let report = on(&platform, &commented(&comment));
        let blockers = report.findings.iter();
        let mut blockers = blockers.filter(|f| f.severity == Severity::Blocker);
        let found = blockers.next().map(|finding| finding.rule.as_str());
        assert_eq!(found, wanted, "{platform}: {comment}");
        assert!(blockers.next().is_none());
    }
    let mut connector = network(&Platform::X);
    connector.abilities.publish = true;
    let report = check(&commented("a"), &connector, &Voice::default());
    assert_eq!(rules(&report), ["comment.unsupported"]);
    connector.abilities.first_comment = true;
    assert!(check(&commented("a"), &connector, &Voice::default()).passes());
}

#[test]
fn the_brands_voice() {
    let voice = Voice {
        banned: vec!["game changer".into(), "cheap".into()],
        disclosure: Some("#ad".into()),
        ..Voice::default()
    };
    let content = Content {
        thread: vec!["So cheap".into()],
        first_comment: Some("Cheap!".into()),
        ..Content::text("A real Game\nChanger, not cheapest")
    };
    let report = check(&content, &network(&Platform::X), &voice);
    assert_eq!(
        rules(&report),
        [
            "voice.banned",
            "voice.banned",
            "voice.banned",
            "voice.disclosure"
        ]
    );
    let kept = check(
        &Content::text("New guide #ad"),
        &network(&Platform::X),
        &voice,
    );
    assert!(kept.passes());
    let label = Voice {
        disclosure: Some("Ad".into()),
        ..Voice::default()
    };
    for (text, says) in [
        ("Acme Cloud is ad-free.", false),
        ("Non\u{2011}ad content", false),
        ("Acme is ad-free. Ad", true),
        ("Ad - Acme Cloud", true),
        ("Acme Cloud (-ad-)", true),
    ] {
        let report = check(&Content::text(text), &network(&Platform::X), &label);
        assert_eq!(report.passes(), says, "{text}");
    }
    let silent = Voice {
        disclosure: Some("  ".into()),
        ..Voice::default()
    };
    assert!(check(&Content::text("New"), &network(&Platform::X), &silent).passes());
}

#[test]
fn platforms_that_end() {
    let mut profile = network(&Platform::X);
    profile.status = Status::Legacy("goes away in 2027");
    let report = check(&Content::text("a"), &profile, &Voice::default());
    assert_eq!(rules(&report), ["platform.legacy"]);
    assert!(report.passes());
    profile.status = Status::Closed("the API was shut down");
    let report = check(&Content::text("a"), &profile, &Voice::default());
    assert_eq!(rules(&report), ["platform.closed"]);
    assert!(!report.passes());
}

#[test]
fn blockers_come_first() {
    let content = Content {
        media: vec![Media {
            alt: None,
            ..image()
        }],
        ..Content::text("a".repeat(281))
    };
    let report = on(&Platform::X, &content);
    assert_eq!(rules(&report), ["text.too_long", "media.alt_missing"]);
}

#[test]
fn the_score_is_the_sum_of_its_parts() {
    let score = |content: &Content| on(&Platform::X, content).score;
    assert_eq!(
        score(&Content::text("Short")),
        30 + 10 + 10,
        "text, no images, voice"
    );
    let long = "A text that is long enough to say it.";
    assert_eq!(score(&Content::text(long)), 60);
    let linked = Content {
        link: "https://acme.dev".parse().ok(),
        ..Content::text(long)
    };
    assert_eq!(score(&linked), 75);
    let silent = Media {
        alt: None,
        ..image()
    };
    let told = Content {
        media: vec![image()],
        ..linked.clone()
    };
    assert_eq!(score(&told), 90);
    let half = Content {
        media: vec![image(), silent],
        ..linked.clone()
    };
    assert_eq!(score(&half), 85);
    let blocked = Content {
        media: vec![image(); 5],
        ..linked
    };
    assert_eq!(score(&blocked), 40);
    assert_eq!(score(&Content::default()), 20);
}

prop_compose! {
    fn any_media()(
        kind in prop_oneof![Just(MediaKind::Image), Just(MediaKind::Gif), Just(MediaKind::Video), Just(MediaKind::Document)],
        mime in proptest::option::of(".*"),
        alt in proptest::option::of(".*"),
        bytes in any::<Option<u64>>(),
        width in any::<Option<u32>>(),
        height in any::<Option<u32>>(),
        seconds in any::<Option<f64>>(),
    ) -> Media {
        Media { mime, alt, bytes, width, height, seconds, ..media(kind) }
    }
}

proptest! {
    #[test]
    fn whatever_it_is_it_is_checked(
        text in "\\PC{0,40}|(?s).{0,400}",
        thread in proptest::collection::vec("(?s).{0,60}", 0..3),
        media in proptest::collection::vec(any_media(), 0..6),
        banned in proptest::collection::vec("(?s).{0,6}", 0..3),
        disclosure in proptest::option::of("(?s).{0,6}"),
    ) {
        let content = Content { thread, media, ..Content::text(text) };
        let voice = Voice { banned, disclosure, ..Voice::default() };
        for profile in networks::all() {
            let report = check(&content, &profile, &voice);
            let most = if report.passes() { 100 } else { 40 };
            prop_assert!(report.score <= most);
            prop_assert!(report.findings.is_sorted_by_key(|finding| finding.severity));
            for finding in &report.findings {
                prop_assert!(!finding.message.is_empty() && !finding.remedy.is_empty());
            }
            let json = serde_json::to_string(&report).unwrap();
            prop_assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
        }
    }
}
