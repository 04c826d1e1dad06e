//! What publishing costs beside the wire: X's connector, answered at once, in process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use automarket::{
    Automarket, Credential, Keyring, Platform, Post, When,
    connectors::x::{X, XConfig},
    core::{
        Bytes, async_trait,
        http::{Body, Transport, TransportError},
        http_types::{HeaderValue, Request, Response},
    },
    store::{Account, PublicationState},
    testing::json_reply,
};
use serde_json::json;

use crate::{
    Result,
    args::Args,
    place::Place,
    process,
    report::{Case, round},
};

/// Takes every post, as X does, with its rate limits.
#[derive(Clone, Default)]
struct Taking(Arc<AtomicUsize>);

#[async_trait]
impl Transport for Taking {
    async fn send(&self, _: Request<Bytes>) -> std::result::Result<Response<Body>, TransportError> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        let post = json!({"data": {"id": number.to_string(), "text": "as it was sent"}});
        let mut reply = json_reply(201, &post);
        for (name, value) in [
            ("x-rate-limit-limit", "1000000"),
            ("x-rate-limit-remaining", "900000"),
            ("x-rate-limit-reset", "4102444800"),
        ] {
            let value = HeaderValue::from_static(value);
            reply.headers_mut().insert(name, value);
        }
        Ok(reply.map(Body::Full))
    }
}

pub(crate) async fn publish(place: &Place, args: &Args) -> Result<()> {
    let posts = (args.jobs / 10).max(100);
    for round_number in 1..=args.rounds {
        let fresh = place.store(16).await?;
        let taking = Taking::default();
        let market = Automarket::shared(fresh.store.clone())
            .transport(taking.clone())
            .keyring(Keyring::random())
            .publisher(X::new(XConfig::default()))
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
            while taking.0.load(Ordering::Relaxed) < posts {
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
