//! From a page to a campaign: the real connectors on the sandbox.

mod again;
mod input;
mod parts;
mod texts;
mod tools;

use std::{sync::Arc, time::Duration};

use automarket::{
    AccountId, Automarket, Credential, ErrorKind, Platform, PublishOptions, Tenant, When,
    check::Severity,
    connectors::{
        claude::{self, Claude, ClaudeConfig},
        firecrawl::{
            self, Firecrawl,
            testing::{FakeFirecrawl, FakePage},
        },
        mixpost::{self, Mixpost, MixpostConfig},
        slack::{self, Slack},
        twenty::{self, Twenty, TwentyConfig, testing::FakeTwenty},
        x::{X, XConfig},
    },
    content::Campaign,
    core::{JobId, chrono},
    pipelines::campaign::{
        CampaignReport, CampaignRequest, CampaignTarget, Mode, Part, Route, TargetReport, Tool,
    },
    store::{Account, JobState, MemoryStore, Store},
    testing::{Fault, FaultRule, FaultStore, ManualClock, Sandbox, StoreFault, StoreRule},
};
use serde_json::json;

const LEASE: Duration = Duration::from_secs(10);
const PAGE: &str = "https://acme.example/blog/cloud-2";
/// A page that speaks of money.
const RAISED: &str = "https://acme.example/raised";
/// A page of which the beginning is read.
const LONG: &str = "https://acme.example/long";
/// Views of an app that is made of script.
const VIEWS: [&str; 2] = ["https://app.example/#/a", "https://app.example/#!b"];
/// Pages whose certificates are over.
const EXPIRED: [&str; 5] = [
    "https://expired.example/1",
    "https://expired.example/2",
    "https://expired.example/3",
    "https://expired.example/4",
    "https://expired.example/5",
];
const TARGETS: [(Platform, u64); 4] = [
    (Platform::LINKEDIN, mixpost::testing::LINKEDIN_ACCOUNT),
    (Platform::X, mixpost::testing::X_ACCOUNT),
    (Platform::INSTAGRAM, mixpost::testing::INSTAGRAM_ACCOUNT),
    (Platform::FACEBOOK, mixpost::testing::FACEBOOK_ACCOUNT),
];

struct World {
    sandbox: Sandbox,
    clock: ManualClock,
    tenant: Tenant,
    store: FaultStore,
    request: CampaignRequest,
}

impl World {
    async fn new() -> Self {
        let clock = ManualClock::parse("2027-01-11T09:00:00Z");
        let page = FakePage {
            markdown:
                "# Acme Cloud 2\n\nAcme Cloud 2 deploys in 40 seconds. It costs 9 euros a month. \
                       Teams in Berlin tested it for a year, and 93% of them kept it."
                    .into(),
            metadata: json!({"title": "Acme Cloud 2 is here", "description": "Acme Cloud 2 deploys in 40 seconds.",
                             "language": "en", "ogImage": "https://acme.example/cloud.png"}),
            ..FakePage::default()
        };
        let raised = FakePage {
            markdown: "Acme Cloud raised $3.5 million.".into(),
            ..page.clone()
        };
        let mut site = FakeFirecrawl::new().with_page(RAISED, raised);
        for view in VIEWS {
            site = site.with_page(view, page.clone());
        }
        let long = FakePage {
            markdown: "Acme Cloud deploys in seconds.\n\n".repeat(2_000),
            ..page.clone()
        };
        site = site.with_page(LONG, long).with_page(PAGE, page);
        for page in EXPIRED {
            site = site.with_unreadable(page, "SCRAPE_SSL_ERROR");
        }
        let planner = mixpost::testing::FakeMixpost::new();
        planner.put_remote("https://acme.example/cloud.png", "image/png", 200_000);
        let sandbox = Sandbox::new()
            .with_clock(Arc::new(clock.clone()))
            .with(Arc::new(site))
            .with(Arc::new(planner))
            .with(Arc::new(FakeTwenty::new()))
            .with(Arc::new(slack::testing::FakeSlack::new()))
            .with(Arc::new(claude::testing::FakeClaude::new()));
        let mixpost = MixpostConfig::new(mixpost::testing::BASE_URL, mixpost::testing::WORKSPACE);
        let store = MemoryStore::with_clock(Arc::new(clock.clone()));
        let store = FaultStore::new(Arc::new(store));
        let market = Automarket::builder(store.clone())
            .clock(Arc::new(clock.clone()))
            .transport(sandbox.clone())
            .keyring(automarket::Keyring::random())
            .page_source(firecrawl::PLATFORM, Firecrawl::new())
            .publisher(Mixpost::new(mixpost).unwrap())
            .publisher(X::new(XConfig::default()))
            .crm(Twenty::new(TwentyConfig::at(FakeTwenty::BASE_URL).unwrap()))
            .notifier(Slack::new())
            .generator(claude::PLATFORM, Claude::new(ClaudeConfig::default()))
            .generator(texts::WORDY, texts::WORDS)
            .generator(texts::LOVING, texts::LOVE)
            .generator(texts::WIDE, texts::WIDELY)
            .generator(texts::ODD, texts::ODDLY)
            .generator(tools::STEPS, tools::Steps)
            .page_source(input::REASONS, input::Reasons)
            .build()
            .unwrap();
        let tenant = market.tenant("acme").unwrap();
        let add = async |platform: Platform,
                         id: &str,
                         network: Option<Platform>,
                         credential: Credential| {
            let account = Account::new(tenant.id().clone(), platform.clone(), id)
                .on_network(network.unwrap_or(platform));
            tenant.add_account(account, credential).await.unwrap().id
        };
        let mut targets = Vec::new();
        for (network, id) in TARGETS {
            let token = Credential::token(mixpost::testing::TOKEN);
            let account = add(
                mixpost::PLATFORM,
                &id.to_string(),
                Some(network.clone()),
                token,
            )
            .await;
            targets.push(CampaignTarget {
                network,
                route: Route::Account(account),
            });
        }
        let reader = add(
            firecrawl::PLATFORM,
            "key",
            None,
            Credential::token(firecrawl::testing::KEY),
        )
        .await;
        let crm = add(
            twenty::PLATFORM,
            "crm",
            None,
            Credential::token(FakeTwenty::TOKEN),
        )
        .await;
        let chat = add(
            slack::PLATFORM,
            "hook",
            None,
            Credential::address(slack::testing::WEBHOOK),
        )
        .await;
        let mut request =
            CampaignRequest::new(PAGE, Tool::with(firecrawl::PLATFORM, reader), targets);
        request.crm = Route::Account(crm);
        request.notify = Route::Account(chat);
        Self {
            sandbox,
            clock,
            tenant,
            store,
            request,
        }
    }

    async fn campaign(&self) -> automarket::Result<CampaignReport> {
        self.tenant.campaign(&self.request, LEASE).await
    }

    /// Puts the campaign in, to be worked on by hand.
    async fn start(&self) -> JobId {
        let start = self.tenant.start_campaign(&self.request);
        start.await.unwrap().job
    }

    fn store(&self) -> &Arc<dyn Store> {
        self.tenant.market().store()
    }

    async fn stored(&self) -> Vec<Campaign> {
        let stored = self.store().campaigns(self.tenant.id(), 10);
        stored.await.unwrap()
    }

    fn count(&self, platform: &Platform) -> usize {
        self.sandbox.effects(platform).len()
    }

    fn counts(&self) -> [usize; 4] {
        [
            firecrawl::PLATFORM,
            mixpost::PLATFORM,
            twenty::PLATFORM,
            slack::PLATFORM,
        ]
        .map(|platform| self.count(&platform))
    }
}

fn account(route: &Route) -> AccountId {
    match route {
        Route::Account(id) => *id,
        Route::Disabled(why) => panic!("{why}"),
    }
}

#[tokio::test]
async fn a_page_becomes_a_scheduled_campaign() {
    let world = World::new().await;
    let report = world.campaign().await.unwrap();
    let stuck: Vec<_> = report
        .findings
        .iter()
        .filter(|f| f.finding.severity == Severity::Blocker)
        .collect();
    assert!(stuck.is_empty(), "{stuck:?}");
    assert_eq!(report.targets.len(), 4);
    for target in &report.targets {
        assert_eq!(
            (target.status.as_str(), target.reason.as_deref()),
            ("accepted", None),
            "{}",
            target.platform
        );
        assert!(target.remote_id.is_some());
        assert!(target.limit.is_none_or(|limit| target.length <= limit));
        assert_eq!(
            target.scheduled_at.unwrap().to_rfc3339(),
            "2027-01-12T09:00:00+00:00"
        );
        let link = target.link.as_ref().unwrap().as_str();
        assert!(
            link.contains(&format!("utm_source={}", target.platform)),
            "{link}"
        );
    }
    assert!(
        matches!(&report.crm, Part::Done { result } if result.posts.len() == 4 && result.utms.len() == 4)
    );
    assert!(report.notified);
    assert!(!report.repeated);
    let held = world.sandbox.effects(&mixpost::PLATFORM);
    assert_eq!(held.len(), 4);
    assert!(
        held.iter().all(|post| post["state"] == "scheduled"),
        "{held:?}"
    );
    // campaign, four posts, four tracked links.
    assert_eq!(world.count(&twenty::PLATFORM), 9);
    assert_eq!(world.stored().await.len(), 1);
}

/// Whatever request of the campaign is lost or refused, and however often it is resumed: in the end each
/// thing stands once.
#[tokio::test]
async fn a_failure_at_any_request_leaves_each_effect_once() {
    let clean = World::new().await;
    clean.campaign().await.unwrap();
    let wanted = clean.counts();
    for fault in [
        Fault::NotSent,
        Fault::CutAfter,
        Fault::StatusAfter(502),
        Fault::StatusBefore(503),
    ] {
        for skip in 0.. {
            let world = World::new().await;
            world
                .sandbox
                .faults()
                .add(FaultRule::on("", fault.clone()).after(skip));
            let mut report = world.campaign().await;
            for _ in 0..12 {
                if report
                    .as_ref()
                    .is_ok_and(|report| report.targets.iter().all(|t| t.status == "accepted"))
                {
                    break;
                }
                world.clock.advance(chrono::Duration::hours(1));
                finish_publications(&world).await;
                report = world.campaign().await;
            }
            if world.sandbox.faults().hits().is_empty() {
                assert!(skip > 15, "only {skip} requests were tried");
                break;
            }
            let report = report
                .unwrap_or_else(|error| panic!("{fault:?} at request {skip}: {}", error.report()));
            let [reads, posts, records, notices] = world.counts();
            assert_eq!(
                (posts, records),
                (wanted[1], wanted[2]),
                "{fault:?} at request {skip}: {report:?}"
            );
            assert!(reads <= wanted[0] + 1, "{fault:?} at request {skip}");
            // A webhook cannot be asked what it delivered: a lost answer leaves one notice or none, never two.
            assert!(notices <= 1, "{fault:?} at request {skip}");
        }
    }
}

/// Publications have jobs of their own: what failed for the moment is carried on without the campaign.
async fn finish_publications(world: &World) {
    for job in world
        .store()
        .jobs(world.tenant.id(), JobState::Waiting, 50)
        .await
        .unwrap()
    {
        world.tenant.work_on(job.id, LEASE).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_switched_off_says_why_and_what_is_refused_is_not_sent() {
    let mut world = World::new().await;
    world.request.targets[1].route = Route::Disabled("MIXPOST_X_ACCOUNT_ID is not set".into());
    world.request.crm = Route::Disabled("TWENTY_CRM_URL is not set".into());
    world.request.notify = Route::Disabled("SLACK_WEBHOOK_URL is not set".into());
    world.request.voice.banned = vec!["Berlin".into(), "Acme Cloud".into()];
    let report = world.campaign().await.unwrap();
    assert_eq!(report.targets[1].status, "disabled");
    assert_eq!(
        report.targets[1].reason.as_deref(),
        Some("MIXPOST_X_ACCOUNT_ID is not set")
    );
    assert!(
        !report.targets[1].text.is_empty(),
        "the plan still shows what it would say"
    );
    for target in report
        .targets
        .iter()
        .filter(|target| target.status != "disabled")
    {
        let clean = !target.text.contains("Acme Cloud");
        assert_eq!(
            target.status == "refused",
            !clean,
            "{}: {}",
            target.status,
            target.text
        );
    }
    assert!(matches!(report.crm, Part::Disabled { .. }));
    assert!(!report.notified);
    assert_eq!(
        (
            world.count(&twenty::PLATFORM),
            world.count(&slack::PLATFORM)
        ),
        (0, 0)
    );
}

#[tokio::test]
async fn draft_and_immediate_modes_do_what_they_say() {
    let mut world = World::new().await;
    world.request.mode = Mode::Draft;
    let report = world.campaign().await.unwrap();
    assert!(
        report
            .targets
            .iter()
            .all(|target| target.scheduled_at.is_none() && target.status == "accepted")
    );
    assert!(
        world
            .sandbox
            .effects(&mixpost::PLATFORM)
            .iter()
            .all(|post| post["state"] == "draft")
    );

    // Where a platform keeps no drafts, we do; the others are as they were.
    let mut world = World::new().await;
    let account = Account::new(world.tenant.id().clone(), Platform::X, "1");
    let account = world.tenant.add_account(account, Credential::token("t"));
    world.request.targets[1].route = Route::Account(account.await.unwrap().id);
    world.request.mode = Mode::Draft;
    let report = world.campaign().await.unwrap();
    let status = |target: &TargetReport| (target.status.clone(), target.publication.is_some());
    let [linkedin, x, ..] = &report.targets[..] else {
        panic!("{:?}", report.targets)
    };
    assert_eq!(status(linkedin), ("accepted".into(), true));
    assert_eq!(status(x), ("draft".into(), true));
    assert_eq!((x.scheduled_at, x.reason.as_deref()), (None, None));
    assert_eq!(world.count(&mixpost::PLATFORM), 3);
    // It is no dead end.
    let (tenant, ours) = (&world.tenant, x.post.unwrap());
    assert_ne!(
        linkedin.post,
        Some(ours),
        "the platform's own is another post"
    );
    assert_eq!(
        tenant.post(ours).await.unwrap().campaign,
        Some(report.campaign_id)
    );
    let due = world.store().now().await.unwrap() + chrono::Duration::hours(1);
    let options = PublishOptions::new();
    let released = tenant.publish_draft(ours, When::At(due), options).await;
    let released = released.unwrap();
    assert_eq!(released.len(), 1, "only what was kept here");
    let later = tenant.campaign_report(report.run_id).await.unwrap();
    let x = &later.targets[1];
    assert_eq!((&*x.status, x.scheduled_at), ("scheduled", Some(due)));
    assert_eq!(x.publication, Some(released[0].id));

    let mut world = World::new().await;
    world.request.mode = Mode::Immediate;
    let report = world.campaign().await.unwrap();
    assert_eq!(world.count(&mixpost::PLATFORM), 4);
    world.clock.advance(chrono::Duration::minutes(5));
    finish_publications(&world).await;
    let later = world.tenant.campaign_report(report.run_id).await.unwrap();
    assert!(
        later
            .targets
            .iter()
            .all(|target| target.status == "published"),
        "{:?}",
        later.targets
    );
    assert_eq!(
        world.count(&mixpost::PLATFORM),
        4,
        "polling never publishes"
    );
}

#[tokio::test]
async fn a_network_of_which_only_its_connector_knows_gets_its_text() {
    let mut world = World::new().await;
    let network = Platform::from_static("pinterest");
    let id = mixpost::testing::MASTODON_ACCOUNT.to_string();
    let account = Account::new(world.tenant.id().clone(), mixpost::PLATFORM, id);
    let token = Credential::token(mixpost::testing::TOKEN);
    let account = account.on_network(network.clone());
    let account = world.tenant.add_account(account, token).await.unwrap();
    world.request.targets.push(CampaignTarget {
        network: network.clone(),
        route: Route::Account(account.id),
    });
    let report = world.campaign().await.unwrap();
    let last = report.targets.last().unwrap();
    assert_eq!(
        (&last.platform, last.status.as_str()),
        (&network, "accepted")
    );
    assert_eq!(world.count(&mixpost::PLATFORM), 5);
}

#[tokio::test]
async fn a_page_that_cannot_be_read_ends_with_its_own_error() {
    let mut world = World::new().await;
    world.request.page = "not an address".into();
    assert_eq!(
        world.campaign().await.unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    let unknown = world
        .tenant
        .campaign_report(JobId::new())
        .await
        .unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn what_is_edited_while_a_campaign_is_put_off_goes_out_as_it_was_edited() {
    let world = World::new().await;
    let lost = StoreRule::on("put_publishing", StoreFault::FailAfter);
    world.store.faults().add(lost);
    world.campaign().await.unwrap_err();
    let [campaign] = world.stored().await.try_into().unwrap();
    let mut other = campaign.post.clone();
    for variant in other
        .networks
        .values_mut()
        .chain(other.accounts.values_mut())
    {
        let text = variant.text.get_or_insert_default();
        *text = format!("{text} Edited.");
    }
    world.tenant.edit(campaign.post.id, other).await.unwrap();
    world.clock.advance(chrono::Duration::minutes(5));
    let report = world.campaign().await.unwrap();
    assert!(report.notified);
    let publications = world.tenant.publications(campaign.post.id).await.unwrap();
    assert!(publications.iter().all(|p| p.revision > 1));
    let handed_over = report.targets.iter().filter(|t| t.publication.is_some());
    assert_eq!(handed_over.count(), publications.len());
}

#[tokio::test]
async fn what_is_cancelled_while_a_campaign_is_put_off_is_told_of_as_that() {
    let world = World::new().await;
    let lost = StoreRule::on("put_publishing", StoreFault::FailAfter);
    world.store.faults().add(lost);
    world.campaign().await.unwrap_err();
    let [campaign] = world.stored().await.try_into().unwrap();
    world.tenant.cancel(campaign.post.id).await.unwrap();
    world.clock.advance(chrono::Duration::minutes(5));
    let report = world.campaign().await.unwrap();
    let all: Vec<_> = report.targets.iter().map(|t| t.status.as_str()).collect();
    assert!(all.iter().all(|status| *status == "cancelled"), "{all:?}");
    assert!(report.notified);
    assert_eq!(world.count(&mixpost::PLATFORM), 0);
}

#[tokio::test]
async fn pages_that_cannot_be_read_hold_back_no_other_page() {
    let mut world = World::new().await;
    for page in EXPIRED {
        world.request.page = page.into();
        let error = world.campaign().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    }
    let gates = world.store().gates(world.tenant.id()).await.unwrap();
    assert!(gates.iter().all(|gate| gate.failures == 0), "{gates:?}");
    world.request.page = PAGE.into();
    let report = world.campaign().await.unwrap();
    assert_eq!(report.targets.len(), 4);
}
