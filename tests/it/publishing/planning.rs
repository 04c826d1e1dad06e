//! What a plan says beside the checks, without asking anybody.

use automarket::{
    Secret,
    oauth::{App, Provider, TokenSet},
    publishing::{Looked, PlanOptions},
    store::{Budget, Gate, Signal, Slots},
};

use super::*;

#[tokio::test]
async fn a_plan_says_when_with_which_scopes_and_what_is_left() {
    for world in worlds().await {
        let provider = Provider {
            scopes: &["read", "write"],
            ..Provider::new(
                Platform::X,
                "https://x.example/authorize",
                "https://x.example/token",
            )
        };
        let market = Automarket::shared(world.market().store().clone())
            .clock(Arc::new(world.clock.clone()))
            .transport(Script::new())
            .keyring(keyring())
            .oauth(provider, App::new("id", "secret"))
            .publisher(world.publisher.clone());
        let tenant = market.build().unwrap().tenant("acme").unwrap();
        let mut tokens = TokenSet::new(Secret::new("t-secret"));
        tokens.scopes = Some(vec!["read".into()]);
        let credential = Credential::oauth(tokens);
        let account = tenant.add_account(world.account.clone(), credential);
        let account = account.await.unwrap();
        let slots = vec![Slots::new("0 18 * * *", "Europe/Berlin").unwrap()];
        tenant.set_slots(account.id, slots).await.unwrap();
        let store = tenant.market().store();
        let left = Budget {
            limit: Some(50),
            remaining: Some(3),
            resets_in: Some(Duration::from_secs(900)),
        };
        let posts = Gate::rate(Some("posts"));
        for (gate, signal) in [
            ("rate", Signal::Answered(Some(left))),
            (&posts, Signal::Limited(Duration::from_secs(60))),
        ] {
            let told = store.tell_gate(tenant.id(), account.id, gate, signal);
            told.await.unwrap();
        }
        // Another's limits are not shown.
        let other = world.another_account("2").await.id;
        let limited = Signal::Limited(Duration::from_secs(60));
        let told = store.tell_gate(tenant.id(), other, "rate", limited);
        told.await.unwrap();
        let mut post = Post::text("One");
        post.base.thread = Some(vec!["Two, longer".into()]);
        let options = PlanOptions::new().when(When::Queue);
        let plan = tenant.plan_with(&post, [account.id], &options);
        let plan = plan.await.unwrap();
        let target = &plan.targets[0];
        let due = target.due.as_ref().unwrap();
        assert_eq!(due.local, "2027-01-11 18:00 CET");
        let scopes = target.scopes.as_ref().unwrap();
        assert_eq!(scopes.missing, ["write"]);
        let lengths: Vec<usize> = target.parts.iter().map(|part| part.length).collect();
        assert_eq!(lengths, [3, 11]);
        let budgets = target.budgets.iter();
        let budgets: Vec<_> = budgets
            .map(|b| (b.name.as_str(), b.remaining, b.closed_until.is_some()))
            .collect();
        assert_eq!(
            budgets,
            [("rate", Some(3), false), ("rate:posts", None, true)]
        );
        assert_eq!((&target.looked, target.needs_reauth), (&None, false));
        let printed = format!("{plan} {}", serde_json::to_string(&plan).unwrap());
        assert!(printed.contains("scope not granted: write"), "{printed}");
        assert!(!printed.contains("t-secret"), "{printed}");
        // The window is over: what was left says nothing.
        world.clock.advance(chrono::Duration::minutes(16));
        let zoned = PlanOptions::new().when(When::Now).zone("Asia/Tokyo");
        let zoned = zoned.unwrap().look();
        let plan = tenant.plan_with(&post, [account.id], &zoned);
        let target = plan.await.unwrap().targets.remove(0);
        assert_eq!(target.due.unwrap().local, "2027-01-11 18:16 JST");
        assert_eq!(target.budgets[0].remaining, None);
        let closed = target.budgets.iter().find(|b| b.closed_until.is_some());
        assert_eq!(closed, None, "that time is over, too");
        assert_eq!(target.looked, Some(Looked::OtherAccount), "it was asked");
    }
}
