//! Who comes first: the worker or the host, one process or the other.

use super::*;

/// Lets a host's call and the worker's turn meet in every order that chance gives, many times.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_or_a_cancel_meets_the_lease_and_one_of_them_wins_wholly() {
    for world in worlds().await {
        let mut sent = 0;
        for round in 0..24 {
            let post = world.publish(When::Now).await;
            let job = world.only(post).await.job;
            let worker = {
                let tenant = world.tenant.clone();
                tokio::spawn(async move { tenant.work_on(job, LEASE).await })
            };
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            let edits = round % 2 == 0;
            let changed = match edits {
                true => world.tenant.edit(post, Post::text("Edited")).await,
                false => world.tenant.cancel(post).await,
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
    let publisher = RecordingPublisher::new(Platform::X);
    let open = async || {
        let store = SqliteStore::open(&path).await.unwrap();
        let market = Automarket::builder(store)
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
    let (one, two) = (open().await, open().await);
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
