//! Who comes first: the worker or the host, one process or the other.

use super::*;

/// Lets a host's call and the worker's turn meet in every order that chance gives, many times.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_or_a_cancel_meets_the_lease_and_one_of_them_wins_wholly() {
    for world in all_worlds().await {
        let host = world.elsewhere().await;
        let store = host.market().store();
        let mut sent = 0;
        for round in 0..24 {
            let post = world.publish(When::Now).await;
            let job = world.only(post).await.job;
            let worker = {
                let tenant = world.tenant.clone();
                tokio::spawn(async move { tenant.work_on(job, LEASE).await })
            };
            for _ in 0..round {
                // As long as a call takes there.
                store.now().await.unwrap();
                tokio::task::yield_now().await;
            }
            let edits = round % 2 == 0;
            let changed = match edits {
                true => host.edit(post, Post::text("Edited")).await,
                false => host.cancel(post).await,
            };
            worker.await.unwrap().unwrap();
            if edits {
                world.turn(post).await;
            }
            let publication = world.only(post).await;
            let texts = world.publisher.texts();
            match (changed, edits) {
                (Ok(_), true) => {
                    sent += 1;
                    assert_eq!(publication.state, PublicationState::Published);
                    assert_eq!(texts.last().unwrap(), "Edited");
                }
                (Ok(_), false) => assert_eq!(publication.state, PublicationState::Cancelled),
                (Err(error), _) => {
                    sent += 1;
                    assert_eq!(error.kind(), ErrorKind::TooLate);
                    assert_eq!(publication.state, PublicationState::Published);
                    assert_eq!(texts.last().unwrap(), "We shipped!");
                }
            }
            assert_eq!(texts.len(), sent, "never both, never twice");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_send_each_post_once_while_it_is_moved_about() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("market.db");
    let open = async || Arc::new(SqliteStore::open(&path).await.unwrap());
    once_while_moved_about([open().await, open().await]).await;
    if let Some(cluster) = crate::cluster().await {
        let test = cluster.store().await.unwrap();
        once_while_moved_about([Arc::new(test.store.clone()), another(&test).await]).await;
        test.remove().await.unwrap();
    }
}

/// By two processes with a store each.
async fn once_while_moved_about(stores: [Arc<dyn Store>; 2]) {
    let publisher = RecordingPublisher::new(Platform::X);
    let open = async |store| {
        let market = Automarket::shared(store)
            .transport(Script::new())
            .keyring(keyring())
            .publisher(publisher.clone())
            .build()
            .unwrap();
        let tenant = market.tenant("acme").unwrap();
        let account = Account::new(tenant.id().clone(), Platform::X, "1");
        let credential = Credential::token("t");
        let account = tenant.add_account(account, credential).await.unwrap();
        (tenant, account)
    };
    let [one, two] = stores;
    let (one, two) = (open(one).await, open(two).await);
    let mut posts = Vec::new();
    for n in 0..20 {
        let post = Post::text(format!("Post {n}"));
        let later = When::At(chrono::Utc::now() + chrono::Duration::hours(1));
        posts.push(one.0.publish(post, [one.1.id], later).await.unwrap());
    }
    let (tenant, wanted) = (one.0.clone(), posts.clone());
    let all_out = async move {
        for post in &wanted {
            tenant.reschedule(*post, When::Now).await.unwrap();
        }
        for post in &wanted {
            while tenant.post_state(*post).await.unwrap() != PostState::Published {
                tokio::task::yield_now().await;
            }
        }
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let second = tokio::spawn({
        let worker = two.0.market().worker().poll(Duration::from_millis(20));
        async move {
            let stopped = async {
                stopped.await.ok();
            };
            worker.run_until(stopped).await
        }
    });
    let worker = one.0.market().worker().poll(Duration::from_millis(20));
    worker.run_until(all_out).await.unwrap();
    stop.send(()).unwrap();
    second.await.unwrap().unwrap();
    let mut texts = publisher.texts();
    assert_eq!(texts.len(), 20);
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 20);
}
