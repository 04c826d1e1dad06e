//! What a plan says beside the checks, without asking anybody.

use automarket::{
    Secret,
    oauth::{App, Provider, TokenSet},
    publishing::{Looked, PlanOptions},
    store::{Budget, Gate, Signal, Slots},
    testing::{FaultStore, StoreFault, StoreRule},
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
            let told = store.tell_gate(tenant.id(), account.id, gate, signal, false);
            told.await.unwrap();
        }
        // Another's limits are not shown.
        let other = world.another_account("2").await.id;
        let limited = Signal::Limited(Duration::from_secs(60));
        let told = store.tell_gate(tenant.id(), other, "rate", limited, false);
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

#[tokio::test]
async fn an_account_that_cannot_be_used_is_named() {
    for world in worlds().await {
        let tenant = &world.tenant;
        let post = Post::text("We shipped!");
        let unknown = automarket::AccountId::new();
        let missing = tenant.plan(&post, [world.account.id, unknown]).await;
        let missing = missing.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert_eq!(missing.field(), Some("accounts"));
        let gone = Account::new(tenant.id().clone(), Platform::from_static("gone"), "7");
        let gone = tenant.add_account(gone, Credential::token("t")).await;
        let gone = gone.unwrap();
        let unregistered = tenant.plan(&post, [world.account.id, gone.id]).await;
        let unregistered = unregistered.unwrap_err();
        assert_eq!(unregistered.kind(), ErrorKind::Config);
        assert_eq!(unregistered.field(), Some("accounts"));
        assert!(
            unregistered.message().starts_with(&gone.name),
            "{unregistered}"
        );
    }
}

#[tokio::test]
async fn a_time_that_is_past_stands_against_it() {
    for world in worlds().await {
        let post = Post::text("We shipped!");
        for (when, passes, told) in [
            ("2020-01-11T09:00:00Z", false, true),
            ("2027-01-11T08:30:00Z", true, true),
            ("2027-01-11T08:59:30Z", true, false),
            ("2027-01-11T10:00:00Z", true, false),
        ] {
            let options = PlanOptions::new().when(at(when));
            let plan = world.tenant.plan_with(&post, [world.account.id], &options);
            let report = plan.await.unwrap().targets.remove(0).report;
            let rules = report.findings.iter().map(|finding| &*finding.rule);
            let is_told = rules.into_iter().any(|rule| rule == "when.past");
            assert_eq!((report.passes(), is_told), (passes, told), "{when}");
        }
    }
}

#[tokio::test]
async fn a_credential_that_does_not_open_is_told_of_and_holds_up_no_plan() {
    for world in worlds().await {
        let store = world.market().store();
        let on = |store: Arc<dyn Store>| {
            Automarket::shared(store)
                .clock(Arc::new(world.clock.clone()))
                .transport(Script::new())
                .publisher(world.publisher.clone())
        };
        let ours = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
        let lost = format!("lost:BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=,{ours}");
        let theirs = on(store.clone()).keyring(Keyring::from_base64(&lost).unwrap());
        let theirs = theirs.build().unwrap().tenant("acme").unwrap();
        let other = Account::new(world.tenant.id().clone(), Platform::X, "2");
        let other = theirs.add_account(other, Credential::token("t-secret"));
        let accounts = [world.account.id, other.await.unwrap().id];
        let post = Post::text("We shipped!");
        let rules = |plan: &automarket::publishing::Plan| -> Vec<Vec<String>> {
            let targets = plan.targets.iter();
            let vault = targets.map(|target| {
                let rules = target.report.findings.iter().map(|f| f.rule.clone());
                rules.filter(|rule| rule.starts_with("vault.")).collect()
            });
            vault.collect()
        };

        let plan = world.tenant.plan(&post, accounts).await.unwrap();
        assert_eq!(rules(&plan), [vec![], vec!["vault.missing_key".to_owned()]]);
        let target = &plan.targets[1];
        assert_eq!((&target.scopes, target.needs_reauth), (&None, false));
        assert!(target.report.passes(), "it may open elsewhere");
        // As with `publish`, which goes to both.
        world
            .tenant
            .publish(post.clone(), accounts, When::Now)
            .await
            .unwrap();

        let keyless = on(store.clone()).build().unwrap().tenant("acme").unwrap();
        let plan = keyless.plan(&post, accounts).await.unwrap();
        assert_eq!(rules(&plan), [["vault.no_key"], ["vault.no_key"]]);

        // Trouble of the store is no trouble of a credential.
        for call in ["credential", "key_uses", "credentials_under"] {
            let faulty = FaultStore::new(store.clone());
            faulty
                .faults()
                .add(StoreRule::on(call, StoreFault::FailBefore));
            let market = on(Arc::new(faulty)).keyring(keyring()).build().unwrap();
            let tenant = market.tenant("acme").unwrap();
            let failed = tenant.plan(&post, accounts).await.unwrap_err();
            assert_eq!(failed.kind(), ErrorKind::Storage, "{call}");
        }
    }
}
