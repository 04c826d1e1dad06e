//! What is made of the drafts.

use automarket::{
    ai::{Brief, Draft, Drafts, Generator, Usage},
    content::Voice,
    core::{Context, async_trait},
    pipelines::campaign::TargetFinding,
};

use super::*;

/// Says what it is made to say on a network.
pub(super) struct Says(pub(super) fn(&Platform) -> String);

/// Says the same again and again.
pub(super) const WORDY: Platform = Platform::from_static("wordy");
pub(super) const WORDS: Says = Says(|_| "Acme Cloud deploys in seconds. ".repeat(30));

/// Says what it was not asked: for each network, or what breaks on one.
pub(super) const ODD: Platform = Platform::from_static("odd");
pub(super) const ODDLY: Says = Says(|network| match network.as_str() {
    "linkedin" => "Acme Cloud is ad-free.".into(),
    "x" => format!("Acme Cloud is {}$3.5 million.", "fast and ".repeat(26)),
    "bluesky" => "👨‍👩‍👧‍👦".repeat(130),
    _ => "Acme\0 Cloud".into(),
});

/// Says on X what Mixpost would take for markup.
pub(super) const LOVING: Platform = Platform::from_static("loving");
pub(super) const LOVE: Says = Says(|network| match *network == Platform::X {
    true => "Acme Cloud <3 you".into(),
    false => "Acme Cloud deploys in seconds.".into(),
});

/// Says a figure in full-width digits behind words on X, and nothing else on Instagram.
pub(super) const WIDE: Platform = Platform::from_static("wide");
pub(super) const WIDELY: Says = Says(|network| match network.as_str() {
    "x" => format!("新しいクラウドの登場によって売上は{}円", "５".repeat(300)),
    "instagram" => format!("{}円", "５".repeat(2_300)),
    _ => "Acme Cloud deploys in seconds.".into(),
});

#[async_trait]
impl Generator for Says {
    fn name(&self) -> &str {
        "says"
    }

    async fn generate(&self, _: &Context, brief: &Brief) -> automarket::Result<Drafts> {
        let texts = brief.targets.iter().map(|target| Draft {
            network: target.platform.clone(),
            text: self.0(&target.platform),
        });
        Ok(Drafts {
            name: "Acme Cloud".into(),
            description: "It deploys.".into(),
            texts: texts.collect(),
            generator: "says".into(),
            model: None,
            prompt_hash: None,
            usage: Usage::default(),
            repairs: 0,
        })
    }
}

/// What a brand has to say need not stand on its page, and is never what is cut off.
#[tokio::test]
async fn every_text_holds_the_disclosure_whatever_it_says_and_however_long_the_draft() {
    for words in [
        "Capital at risk. 76% of retail accounts lose money.",
        "18+ begambleaware.org",
        "Ad, see https://acme.dev/ads",
        // Half of a word of the draft is no disclosure.
        "Acme Cloud deploy",
    ] {
        for wordy in [false, true] {
            let mut world = World::new().await;
            if wordy {
                world.request.generator = Tool::of(WORDY);
            }
            world.request.voice = Voice {
                disclosure: Some(words.into()),
                ..Voice::default()
            };
            let report = world.campaign().await.unwrap();
            for target in &report.targets {
                let (network, reason) = (&target.platform, &target.reason);
                assert_eq!(target.status, "accepted", "{network}: {reason:?}");
                assert!(target.text.contains(words), "{network}: {}", target.text);
                assert!(target.limit.is_none_or(|limit| target.length <= limit));
            }
            let cut =
                |f: &TargetFinding| f.finding.rule == "text.shortened" && f.platform == Platform::X;
            assert_eq!(report.findings.iter().any(cut), wordy);
        }
    }
}

#[tokio::test]
async fn a_text_that_its_connector_would_refuse_stops_its_network_alone() {
    let mut world = World::new().await;
    world.request.generator = Tool::of(LOVING);
    let report = world.campaign().await.unwrap();
    for target in &report.targets {
        let on_x = target.platform == Platform::X;
        assert_eq!(target.status == "refused", on_x, "{target:?}");
        assert_eq!(target.reason.is_some(), on_x, "{target:?}");
    }
    assert_eq!(world.count(&mixpost::PLATFORM), 3);
}

#[tokio::test]
async fn a_word_of_the_text_is_no_disclosure() {
    let mut world = World::new().await;
    world.request.generator = Tool::of(ODD);
    world.request.targets.truncate(1);
    for words in ["Ad", "Acme Cloud is"] {
        world.request.again = true;
        world.request.voice.disclosure = Some(words.into());
        let text = &world.campaign().await.unwrap().targets[0].text;
        assert_eq!(*text, format!("Acme Cloud is ad-free.\n\n{words}"));
    }
    // What is labelled is not labelled twice.
    world.request.voice.disclosure = Some("Acme Cloud is ad-free.".into());
    let text = &world.campaign().await.unwrap().targets[0].text;
    assert_eq!(text, "Acme Cloud is ad-free.");
}

/// No store can hold it.
#[tokio::test]
async fn a_text_with_u_0000_stops_its_network_alone() {
    let mut world = World::new().await;
    world.request.generator = Tool::of(ODD);
    world.request.page = RAISED.into();
    let report = world.campaign().await.unwrap();
    let status = |t: &TargetReport| t.status.clone();
    assert_eq!(
        report.targets.iter().map(status).collect::<Vec<_>>(),
        ["accepted", "accepted", "refused", "refused"]
    );
    let reason = report.targets[2].reason.as_deref().unwrap();
    assert!(reason.contains("U+0000"), "{reason}");
    assert_eq!(world.counts()[1..], [2, 5, 1]);
}

#[tokio::test]
async fn what_is_cut_is_not_refused_for_the_cut() {
    let mut world = World::new().await;
    world.request.generator = Tool::of(ODD);
    world.request.page = RAISED.into();
    let network = Platform::BLUESKY;
    let id = mixpost::testing::MASTODON_ACCOUNT.to_string();
    let account = Account::new(world.tenant.id().clone(), mixpost::PLATFORM, id);
    let account = account.on_network(network.clone());
    let token = Credential::token(mixpost::testing::TOKEN);
    let account = world.tenant.add_account(account, token).await.unwrap();
    let route = Route::Account(account.id);
    world
        .request
        .targets
        .push(CampaignTarget { network, route });
    world.request.voice.disclosure = Some("Anzeige".into());
    let report = world.campaign().await.unwrap();
    let texts = [(1, "fast and…\n\nAnzeige"), (4, "👨‍👩‍👧‍👦…\n\nAnzeige")];
    for (at, end) in texts {
        let target = &report.targets[at];
        assert_eq!(target.status, "accepted", "{target:?}");
        assert!(target.text.contains(end), "{target:?}");
        let cut =
            |f: &TargetFinding| f.finding.rule == "text.shortened" && f.platform == target.platform;
        assert!(report.findings.iter().any(cut));
    }
    let bytes = report.targets[4].text.len();
    assert!((2_970..=3_000).contains(&bytes), "{bytes}");
}

/// The link alone is no post.
#[tokio::test]
async fn something_of_a_text_stays_when_it_is_cut_within_a_figure() {
    let mut world = World::new().await;
    world.request.generator = Tool::of(WIDE);
    let report = world.campaign().await.unwrap();
    let of = |network: &Platform| report.targets.iter().find(|t| t.platform == *network);
    let x = of(&Platform::X).unwrap();
    assert_eq!(x.status, "accepted", "{x:?}");
    assert!(
        x.text.starts_with("新しいクラウドの登場によって売上は…"),
        "{x:?}"
    );
    let instagram = of(&Platform::INSTAGRAM).unwrap();
    assert_eq!(instagram.status, "refused", "{instagram:?}");
    let reason = instagram.reason.as_deref().unwrap();
    assert!(reason.contains("nothing of it fits"), "{reason}");
}
