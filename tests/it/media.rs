//! Media on its way through plan and publish: looked into before anything is sent, without the network.

use automarket::{
    Automarket, Credential, ErrorKind, Platform, Post, Tenant, When,
    core::{
        Media,
        content::{MediaKind, MediaSource},
    },
    publishing::Plan,
    store::{Account, MemoryStore, PublicationState},
    testing::{LocalMediaHost, RecordingPublisher, Script},
};

/// A scheduler that speaks for X, on a wire where any request fails the test.
async fn world() -> (Tenant, Account, LocalMediaHost) {
    let host = LocalMediaHost::new();
    let scheduler = Platform::from_static("scheduler");
    let market = Automarket::builder(MemoryStore::new())
        .media_host(host.clone())
        .transport(Script::new())
        .keyring(automarket::Keyring::random())
        .publisher(RecordingPublisher::new(scheduler.clone()))
        .build()
        .unwrap();
    let tenant = market.tenant("acme").unwrap();
    let account = Account::new(tenant.id().clone(), scheduler, "1").on_network(Platform::X);
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
    let lease = std::time::Duration::from_secs(10);
    tenant.work_on(job, lease).await.unwrap();
    let [publication] = tenant.publications(id).await.unwrap().try_into().unwrap();
    assert_eq!(publication.state, PublicationState::Rejected);
    assert_eq!(
        publication.error.unwrap().rule.as_deref(),
        Some("media.mime")
    );
}
