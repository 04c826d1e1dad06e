//! What becomes of a post's media says nothing of its platform.

use super::*;

#[tokio::test]
async fn who_has_the_media_of_a_post_closes_no_gate() {
    let world = World::new().await;
    let one = world.of_app("one", "1", "shared").await;
    let (context, passed) = world.tenant.engine().passing(one.clone()).await.unwrap();
    let ours = Call::get("x.get", "https://api.x.com/2").unwrap();
    world.answers.lock().unwrap().push_back((200, "x", "y"));
    context.call(ours).await.unwrap();
    for answer in [
        (429, "retry-after", "86400"),
        (206, "x-app-usage", r#"{"call_count":100}"#),
        (206, "x-ratelimit-remaining", "0"),
        (503, "x", "y"),
    ] {
        world.answers.lock().unwrap().push_back(answer);
        let media = Call::get("media.fetch", "https://cdn.example.com/1").unwrap();
        let _ = context.call(media.elsewhere()).await;
    }
    let media = Call::get("media.fetch", "https://cdn.example.com/1").unwrap();
    let hangs = media.elsewhere().timeout(Duration::from_millis(1));
    let end = context.call(hangs).await;
    assert_eq!(end.as_ref().unwrap_err().kind(), ErrorKind::Timeout);
    passed.tell(&end).await;
    for tenant in [&one.tenant, &TenantId::new("automarket").unwrap()] {
        let gates = world.store.gates(tenant).await.unwrap();
        assert!(
            gates
                .iter()
                .all(|g| g.closed_until.is_none() && g.failures == 0),
            "{gates:?}"
        );
    }
}

#[tokio::test]
async fn media_that_is_read_while_it_is_uploaded_changes_nothing_of_whose_limit_it_is() {
    let world = World::new().await;
    let answers = [
        (206, "x", "y"),
        (206, "x", "y"),
        (429, "retry-after", "120"),
    ];
    world.answers.lock().unwrap().extend(answers);
    let engine = world.tenant.engine();
    let (context, passed) = engine.passing(world.account.clone()).await.unwrap();
    // Two pieces.
    let film = Upload::file(MediaFile::new(300 * 1024, Remote(context.clone())));
    let call = Call::post("x.append", &format!("https://api.x.com{READ}")).unwrap();
    let call = call.bucket("media").upload("video/mp4", film);
    let reply = context.call(call).await.unwrap();
    let full = reply.error(ErrorKind::RateLimited, "too many");
    passed.tell::<()>(&Err(full)).await;
    assert_eq!(world.closed().await, ["rate:media"]);
}

#[tokio::test]
async fn media_that_cannot_be_read_is_no_failure_of_the_platform() {
    let world = World::new().await;
    let engine = world.tenant.engine();
    for _ in 0..TRIPS {
        world.answers.lock().unwrap().push_back((503, "x", "y"));
        let (context, passed) = engine.passing(world.account.clone()).await.unwrap();
        let film = Upload::file(MediaFile::new(9, Remote(context.clone())));
        let call = Call::post("x.append", &format!("https://api.x.com{READ}")).unwrap();
        let end = context.call(call.upload("video/mp4", film)).await;
        assert_eq!(end.as_ref().unwrap_err().kind(), ErrorKind::Unavailable);
        passed.tell(&end).await;
    }
    let gates = world.store.gates(world.tenant.id()).await.unwrap();
    assert!(gates.iter().all(|gate| gate.failures == 0), "{gates:?}");
}

#[tokio::test]
async fn a_probe_whose_media_cannot_be_read_lets_another_be_the_probe() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = MemoryStore::with_clock(Arc::new(clock.clone()));
    let world = World::on(store, Arc::new(clock.clone())).await;
    let (engine, account) = (world.tenant.engine(), &world.account);
    let wait = Signal::Limited(Duration::from_secs(10));
    let told = world
        .store
        .tell_gate(world.tenant.id(), account.id, RATE, wait, false);
    told.await.unwrap();
    clock.advance(TimeDelta::seconds(11));
    world.answers.lock().unwrap().push_back((503, "x", "y"));
    let (context, passed) = engine.passing(account.clone()).await.unwrap();
    let film = Upload::file(MediaFile::new(9, Remote(context.clone())));
    let call = Call::post("x.append", &format!("https://api.x.com{READ}")).unwrap();
    let end = context.call(call.upload("video/mp4", film)).await;
    passed.tell(&end).await;
    world.work(Some((200, "x", "y"))).await.unwrap();
}
