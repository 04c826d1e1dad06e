//! Media on its way through plan and publish: looked into before anything is sent, without the network.

use std::sync::Arc;

use automarket::{
    Automarket, Credential, Error, ErrorKind, Platform, Post, Retry, Tenant, When,
    core::{
        Lookup, Media, Outcome, Receipt, chrono,
        content::{MediaKind, MediaSource},
    },
    publishing::Plan,
    store::{Account, MemoryStore, PublicationState},
    testing::{LocalMediaHost, ManualClock, RecordingPublisher, Script},
};

async fn world() -> (Tenant, Account, LocalMediaHost) {
    let publisher = RecordingPublisher::new(SCHEDULER);
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    world_with(publisher, clock).await
}

const SCHEDULER: Platform = Platform::from_static("scheduler");
const LEASE: std::time::Duration = std::time::Duration::from_secs(10);

/// A scheduler that speaks for X, on a wire where any request fails the test.
async fn world_with(
    publisher: RecordingPublisher,
    clock: ManualClock,
) -> (Tenant, Account, LocalMediaHost) {
    let host = LocalMediaHost::new();
    let market = Automarket::builder(MemoryStore::with_clock(Arc::new(clock)))
        .media_host(host.clone())
        .transport(Script::new())
        .keyring(automarket::Keyring::random())
        .publisher(publisher)
        .build()
        .unwrap();
    let tenant = market.tenant("acme").unwrap();
    let account = Account::new(tenant.id().clone(), SCHEDULER, "1").on_network(Platform::X);
    let account = tenant
        .add_account(account, Credential::token("t"))
        .await
        .unwrap();
    (tenant, account, host)
}

fn rules(plan: &Plan) -> Vec<&str> {
    let blockers = plan.blockers();
    blockers.map(|(_, finding)| finding.rule.as_str()).collect()
}

#[tokio::test]
async fn what_media_is_counts_and_not_what_it_is_said_to_be() {
    let (tenant, account, host) = world().await;
    host.put(tenant.id(), "scan", &b"II*\0........."[..]);
    host.put(tenant.id(), "gif", &b"GIF89a\x20\x06\x58\x02......"[..]);
    let said_to_be_png = |source| Media {
        mime: Some("image/png".into()),
        alt: Some("A scan".into()),
        ..Media::new(MediaKind::Image, source)
    };
    let cases = [
        (MediaSource::Host("scan".into()), "media.mime"),
        (MediaSource::Host("gif".into()), "media.pixels"),
        (MediaSource::Bytes("".into()), "media.empty"),
        (
            MediaSource::File("/nowhere/at.all".into()),
            "media.unreadable",
        ),
        (MediaSource::Host("nothing".into()), "media.unreadable"),
    ];
    for (source, rule) in cases {
        let post = Post::text("Look").media(said_to_be_png(source));
        let plan = tenant.plan(&post, [account.id]).await.unwrap();
        assert_eq!(rules(&plan), [rule]);
        let refused = tenant.publish(post, [account.id], When::Now).await;
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.rule(), Some(rule));
    }
    // An address is not asked.
    let address = MediaSource::Address("https://acme.dev/a.png".parse().unwrap());
    let post = Post::text("Look").media(said_to_be_png(address));
    let plan = tenant.plan(&post, [account.id]).await.unwrap();
    assert_eq!(rules(&plan), [""; 0]);
}

#[tokio::test]
async fn media_that_changed_before_its_time_is_checked_again() {
    let (tenant, account, host) = world().await;
    host.put(
        tenant.id(),
        "photo",
        &b"\x89PNG\r\n\x1a\n....IHDR\0\0\0\x01\0\0\0\x01"[..],
    );
    let post = Post::text("Look").media(Media::host(MediaKind::Image, "photo").alt("A dot"));
    let id = tenant.publish(post, [account.id], When::Now).await.unwrap();
    host.put(tenant.id(), "photo", &b"II*\0........."[..]);
    let [publication] = tenant.publications(id).await.unwrap().try_into().unwrap();
    let job = publication.job;
    tenant.work_on(job, LEASE).await.unwrap();
    let [publication] = tenant.publications(id).await.unwrap().try_into().unwrap();
    assert_eq!(publication.state, PublicationState::Rejected);
    assert_eq!(
        publication.error.unwrap().rule.as_deref(),
        Some("media.mime")
    );
}

#[tokio::test]
async fn what_may_be_out_is_looked_for_though_its_file_is_gone() {
    let publisher = RecordingPublisher::new(SCHEDULER);
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let (tenant, account, _) = world_with(publisher.clone(), clock.clone()).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("dot.png");
    std::fs::write(&file, b"\x89PNG\r\n\x1a\n....IHDR\0\0\0\x01\0\0\0\x01").unwrap();
    let dot = Media::new(MediaKind::Image, MediaSource::File(file)).alt("A dot");
    let post = Post::text("Look").media(dot);
    let id = tenant.publish(post, [account.id], When::Now).await.unwrap();
    let lost = Error::new(ErrorKind::Timeout, "late").with_retry(Retry::Reconcile);
    publisher.answer(Err(lost));
    let found = Lookup::Found(Outcome::Done(Receipt::new("found")));
    publisher.find_answer(Ok(found));
    for state in [PublicationState::Publishing, PublicationState::Published] {
        let [publication] = tenant.publications(id).await.unwrap().try_into().unwrap();
        tenant.work_on(publication.job, LEASE).await.unwrap();
        let [publication] = tenant.publications(id).await.unwrap().try_into().unwrap();
        assert_eq!(publication.state, state, "{:?}", publication.error);
        std::fs::remove_file(dir.path().join("dot.png")).ok();
        clock.advance(chrono::Duration::minutes(30));
    }
}

#[tokio::test]
async fn what_is_out_stays_published_when_its_call_is_repeated_without_the_file() {
    let publisher = RecordingPublisher::new(SCHEDULER);
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let (tenant, account, _) = world_with(publisher.clone(), clock).await;
    let other = Account::new(tenant.id().clone(), SCHEDULER, "2").on_network(Platform::X);
    let other = tenant.add_account(other, Credential::token("t"));
    let other = other.await.unwrap();
    let upload = tempfile::NamedTempFile::new().unwrap();
    let dot = b"\x89PNG\r\n\x1a\n....IHDR\0\0\0\x01\0\0\0\x01";
    std::fs::write(upload.path(), dot).unwrap();
    let dot = Media::file(MediaKind::Image, upload.path()).alt("A dot");
    let post = Post::text("Look").media(dot);
    let publish = |post: &Post, accounts: Vec<_>| tenant.publish(post.clone(), accounts, When::Now);
    let id = publish(&post, vec![account.id]).await.unwrap();
    let [publication] = tenant.publications(id).await.unwrap().try_into().unwrap();
    tenant.work_on(publication.job, LEASE).await.unwrap();
    upload.close().unwrap();

    assert_eq!(publish(&post, vec![account.id]).await.unwrap(), id);
    let mut changed = post.clone();
    changed.base.text = Some("Other words".into());
    let refused = publish(&changed, vec![account.id]).await.unwrap_err();
    assert_eq!(refused.rule(), Some("post.changed"));
    // Where it does not go yet the file is needed.
    let more = publish(&post, vec![account.id, other.id])
        .await
        .unwrap_err();
    assert_eq!(more.rule(), Some("media.unreadable"));
    let [publication] = tenant.publications(id).await.unwrap().try_into().unwrap();
    assert_eq!(publication.state, PublicationState::Published);
    assert_eq!(publisher.texts(), ["Look"]);
}
