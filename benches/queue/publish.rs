//! What publishing costs beside the wire: the publisher answers at once, in process.

use std::time::{Duration, Instant};

use automarket::{
    Automarket, Credential, Keyring, Platform, Post, When,
    store::{Account, PublicationState},
    testing::{RecordingPublisher, Script},
};
use serde_json::json;

use crate::{
    Result,
    args::Args,
    place::Place,
    process,
    report::{Case, round},
};

pub(crate) async fn publish(place: &Place, args: &Args) -> Result<()> {
    let posts = (args.jobs / 10).max(100);
    for round_number in 1..=args.rounds {
        let fresh = place.store(16).await?;
        let publisher = RecordingPublisher::new(Platform::X);
        let market = Automarket::shared(fresh.store.clone())
            .transport(Script::new())
            .keyring(Keyring::random())
            .publisher(publisher.clone())
            .build()?;
        let tenant = market.tenant("acme")?;
        let account = Account::new(tenant.id().clone(), Platform::X, "1");
        let account = tenant.add_account(account, Credential::token("t")).await?;
        let start = Instant::now();
        let before = (process::cpu(), place.server_cpu().await?);
        let mut calls = Vec::new();
        for producer in 0..8 {
            let (tenant, account) = (tenant.clone(), account.id);
            calls.push(tokio::spawn(async move {
                let mut ids = Vec::new();
                for number in (producer..posts).step_by(8) {
                    let post = Post::text(format!("We shipped version {number}!"));
                    ids.push(tenant.publish(post, [account], When::Now).await?);
                }
                Result::Ok(ids)
            }));
        }
        let mut ids = Vec::new();
        for call in calls {
            ids.extend(call.await??);
        }
        let accepted = (start.elapsed(), process::cpu(), place.server_cpu().await?);
        let all_sent = async {
            while publisher.texts().len() < posts {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        market.worker().concurrency(100).run_until(all_sent).await?;
        let sent = (
            start.elapsed() - accepted.0,
            process::cpu(),
            place.server_cpu().await?,
        );
        for id in ids.iter().step_by(97) {
            let found = tenant.publications(*id).await?;
            if found.iter().any(|p| p.state != PublicationState::Published) {
                return Err("a post was not published".into());
            }
        }
        let each_ms = |seconds: f64| round(seconds * 1e3 / posts as f64);
        Case::new("publish", "post to receipt, one account", place.kind().name()).line(json!({
            "round": round_number, "publications": posts,
            "cpu_ms_per_publication": each_ms(sent.1 - before.0),
            "cpu_ms": {"plan_and_put": each_ms(accepted.1 - before.0), "send": each_ms(sent.1 - accepted.1)},
            "server_cpu_ms_per_publication": each_ms(sent.2 - before.1),
            "per_second": {"put": (posts as f64 / accepted.0.as_secs_f64()).round(),
                "sent": (posts as f64 / sent.0.as_secs_f64()).round()},
        }));
        fresh.remove().await?;
    }
    Ok(())
}
