//! H1: two tenants with the same names, ids and keys. No call of one finds or touches what is the other's.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc, time::Duration};

use automarket::{
    AccountId, Automarket, CampaignId, Credential, ErrorKind, Keyring, Platform, Post, PostId,
    Result, Store, Tenant, When,
    core::{JobId, Timetable, chrono},
    oauth::{App, Provider},
    pipeline::Run,
    pipelines::campaign::{CampaignRequest, CampaignTarget, Route, Tool},
    publishing::{PlanOptions, PublishOptions},
    store::{Account, MemoryStore, Publication, sqlite::SqliteStore},
    testing::{RecordingPublisher, Script},
};

const LEASE: Duration = Duration::from_secs(10);

/// What one tenant has.
struct Side {
    tenant: Tenant,
    account: Account,
    post: PostId,
    publication: Publication,
    job: JobId,
}

fn market(store: Arc<dyn Store>) -> Automarket {
    let provider = Provider::new(Platform::X, "https://x.example/a", "https://x.example/t");
    Automarket::shared(store)
        .transport(Script::new())
        .keyring(Keyring::random())
        .publisher(RecordingPublisher::new(Platform::X))
        .provider(provider)
        .job("greet", |name: String, _: Run| async move { Ok(name) })
        .build()
        .unwrap()
}

/// The same account id for both: only the tenant tells them apart.
fn twin() -> AccountId {
    AccountId::derived("twin")
}

async fn side(market: &Automarket, name: &str) -> Side {
    let tenant = market.tenant(name).unwrap();
    let account = Account::new(tenant.id().clone(), Platform::X, "1");
    let twin = Account {
        id: twin(),
        ..Account::new(tenant.id().clone(), Platform::X, "2")
    };
    let account = tenant.add_account(account, Credential::token(name));
    let account = account.await.unwrap();
    let token = Credential::token(format!("{name}'s"));
    tenant.add_account(twin, token).await.unwrap();
    let app = App::new("id", "secret").named("ours");
    tenant.put_app(&Platform::X, &app).await.unwrap();
    let post = tenant.publish(Post::text("We shipped!"), [account.id], When::Now);
    let post = post.await.unwrap();
    let publication = tenant.publications(post).await.unwrap().remove(0);
    let job = tenant.new_job("greet", &"Ada").unwrap().unique("one");
    let job = tenant.enqueue(job).await.unwrap().id();
    let daily = Timetable::parse("@daily", "UTC").unwrap();
    let greet = tenant.new_job("greet", &"Ada").unwrap();
    tenant.schedule("daily", daily, greet).await.unwrap();
    Side {
        tenant,
        account,
        post,
        publication,
        job,
    }
}

/// All that a tenant can see.
async fn sight(side: &Side) -> String {
    let tenant = &side.tenant;
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        tenant.accounts().await.unwrap(),
        tenant.credentials().await.unwrap(),
        tenant.apps().await.unwrap(),
        tenant.publications(side.post).await.unwrap(),
        tenant.schedules().await.unwrap(),
        tenant.events(0, 1000).await.unwrap(),
        tenant.audit(0, 1000).await.unwrap(),
        tenant
            .market()
            .store()
            .job(tenant.id(), side.job)
            .await
            .unwrap(),
    )
}

/// The methods that were walked.
#[derive(Default)]
struct Walk(BTreeSet<String>);

impl Walk {
    fn refused<T>(&mut self, method: &str, end: Result<T>) {
        match end {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => panic!("{method}: {error:?}"),
            Ok(_) => panic!("{method} was allowed"),
        }
        self.0.insert(method.to_owned());
    }

    /// Names are each tenant's own; where there is nothing, nothing is found.
    fn nothing(&mut self, method: &str, found: bool) {
        assert!(!found, "{method} found something");
        self.0.insert(method.to_owned());
    }

    /// What belongs to another tenant is not taken in.
    fn invalid<T>(&mut self, method: &str, end: Result<T>) {
        let error = end.err().expect("a refusal");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{method}: {error}");
        self.0.insert(method.to_owned());
    }
}

async fn walk(store: Arc<dyn Store>) -> BTreeSet<String> {
    let market = market(store);
    let (mine, theirs) = (side(&market, "acme").await, side(&market, "rival").await);
    let before = (sight(&mine).await, sight(&theirs).await);
    let a = &mine.tenant;
    let (account, post, publication) = (theirs.account.id, theirs.post, theirs.publication.id);
    let text = || Post::text("Stolen");
    let mut walk = Walk::default();

    walk.refused("context", a.context(account).await);
    walk.refused(
        "reveal_credential",
        a.reveal_credential(account, "why").await,
    );
    walk.refused(
        "export_credential",
        a.export_credential(account, "why").await,
    );
    walk.refused("disconnect", a.disconnect(account).await);
    walk.nothing("remove_account", a.remove_account(account).await.unwrap());
    walk.nothing("erase_account", a.erase_account(account).await.unwrap());
    let again = a.connect(Platform::X).own_app("ours").again(account);
    walk.refused("connect", again.begin("https://acme.dev/", "session").await);
    let foreign = Account::new(theirs.tenant.id().clone(), Platform::X, "9");
    let put = a.add_account(foreign, Credential::token("t")).await;
    walk.invalid("add_account", put);

    walk.refused("rules", a.rules(account).await);
    walk.refused("plan", a.plan(&text(), [account]).await);
    let plan = a.plan_with(&text(), [account], &PlanOptions::new()).await;
    walk.refused("plan_with", plan);
    walk.refused("publish", a.publish(text(), [account], When::Now).await);
    let options = PublishOptions::new();
    let published = a.publish_with(text(), [account], When::Now, options);
    walk.refused("publish_with", published.await);
    walk.refused("prepare", a.prepare(text(), [account], When::Now).await);
    let prepared = a.prepare_with(text(), [account], When::Now, options).await;
    walk.refused("prepare_with", prepared);
    walk.refused("save_draft", a.save_draft(text(), [account]).await);
    walk.refused("post", a.post(post).await);
    walk.refused("publication", a.publication(publication).await);
    walk.refused("publications", a.publications(post).await);
    walk.refused("post_state", a.post_state(post).await);
    walk.refused("why", a.why(publication).await);
    walk.refused("cancel", a.cancel(post).await);
    walk.refused("cancel", a.cancel(publication).await);
    walk.refused("reschedule", a.reschedule(post, When::Now).await);
    walk.refused("approve", a.approve(publication, "ada", None).await);
    walk.refused(
        "reject_approval",
        a.reject_approval(post, "ada", None).await,
    );
    let draft = a.publish_draft(post, When::Now, PublishOptions::new());
    walk.refused("publish_draft", draft.await);
    walk.refused("edit", a.edit(post, text()).await);
    walk.refused("retry", a.retry(publication).await);
    walk.refused("resend_unknown", a.resend_unknown(publication, "why").await);
    walk.refused("delete", a.delete(publication).await);
    let series = a.measurements(publication).await.unwrap();
    walk.nothing("measurements", !series.is_empty());
    walk.refused("measure_now", a.measure_now(publication).await);
    walk.refused("post_metrics", a.post_metrics(post).await);
    walk.refused("routing", a.routing(account).await);
    walk.refused("set_slots", a.set_slots(account, Vec::new()).await);
    let own = mine.account.id;
    walk.refused("set_fallback", a.set_fallback(own, Some(account)).await);
    walk.refused("set_fallback", a.set_fallback(account, Some(own)).await);

    walk.refused("work_on", a.work_on(theirs.job, LEASE).await);
    walk.nothing("redrive", a.redrive(theirs.job).await.unwrap());
    walk.refused("job", a.job(theirs.job).await);
    walk.refused("cancel_job", a.cancel_job(theirs.job).await);
    let campaign = a.stored_campaign(CampaignId::derived("theirs")).await;
    walk.refused("stored_campaign", campaign);
    walk.refused("campaign_report", a.campaign_report(theirs.job).await);
    let foreign = theirs.tenant.new_job("greet", &"Ada").unwrap();
    walk.invalid("new_job", a.enqueue(foreign.clone()).await);
    walk.invalid("enqueue", a.enqueue(foreign.clone()).await);
    let daily = Timetable::parse("@daily", "UTC").unwrap();
    walk.invalid("schedule", a.schedule("daily", daily, foreign).await);

    assert_eq!(sight(&mine).await, before.0, "nothing of that left a trace");
    let target = CampaignTarget {
        network: Platform::X,
        route: Route::Account(account),
    };
    let tool = Tool::of(Platform::from_static("pages"));
    let request = CampaignRequest::new("https://acme.example", tool, vec![target]);
    walk.0.insert("start_campaign".to_owned());
    walk.refused("campaign", a.campaign(&request, LEASE).await);

    // A tenant that has nothing finds nothing under the same names.
    let nobody = market.tenant("nobody").unwrap();
    walk.nothing("accounts", !nobody.accounts().await.unwrap().is_empty());
    walk.nothing(
        "credentials",
        !nobody.credentials().await.unwrap().is_empty(),
    );
    walk.nothing("apps", !nobody.apps().await.unwrap().is_empty());
    walk.nothing("events", !nobody.events(0, 9).await.unwrap().is_empty());
    walk.nothing("last_event", nobody.last_event().await.unwrap() > 0);
    walk.nothing("audit", !nobody.audit(0, 9).await.unwrap().is_empty());
    let epoch = chrono::DateTime::UNIX_EPOCH;
    let measured = nobody.measurements_since(epoch, 9).await.unwrap();
    walk.nothing("measurements_since", !measured.is_empty());
    walk.nothing("schedules", !nobody.schedules().await.unwrap().is_empty());
    walk.nothing("dead_jobs", !nobody.dead_jobs(9).await.unwrap().is_empty());
    walk.nothing(
        "redrive_dead",
        nobody.redrive_dead(None, 9).await.unwrap() > 0,
    );
    walk.nothing(
        "remove_dead",
        nobody.remove_dead(None, 9).await.unwrap() > 0,
    );
    walk.nothing(
        "remove_app",
        nobody.remove_app(&Platform::X, "ours").await.unwrap(),
    );
    walk.nothing(
        "remove_schedule",
        nobody.remove_schedule("daily").await.unwrap(),
    );
    let paused = nobody.pause_schedule("daily", true).await.unwrap();
    walk.nothing("pause_schedule", paused);
    walk.refused("context", nobody.context(twin()).await);

    // What has one id is still each one's own, to use and to throw away.
    for side in [&mine, &theirs] {
        let cx = side.tenant.context(twin()).await.unwrap();
        let token = cx.token().unwrap().expose().to_owned();
        assert_eq!(token, format!("{}'s", side.tenant.id()));
    }
    let before = sight(&theirs).await;
    a.disconnect(twin()).await.unwrap();
    assert!(a.erase_account(twin()).await.unwrap());
    assert!(a.remove_app(&Platform::X, "ours").await.unwrap());
    assert!(a.remove_schedule("daily").await.unwrap());
    a.cancel(mine.post).await.unwrap();
    assert_eq!(sight(&theirs).await, before);
    walk.0
}

#[tokio::test]
async fn no_call_of_one_tenant_finds_or_touches_what_is_anothers() {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteStore::open(folder.path().join("tenants.db"));
    let mut walked = walk(Arc::new(file.await.unwrap())).await;
    assert_eq!(walk(Arc::new(MemoryStore::new())).await, walked);
    if let Some(cluster) = crate::cluster().await {
        let test = cluster.store().await.unwrap();
        assert_eq!(walk(Arc::new(test.store.clone())).await, walked);
        test.remove().await.unwrap();
    }
    // These name the tenant itself; what is put in goes to it.
    walked.extend(["id", "market", "by", "put_app"].map(str::to_owned));
    assert_eq!(
        methods(Path::new("src")),
        walked,
        "left: there are; right: walked"
    );
}

/// The names of all public methods of `Tenant`.
fn methods(folder: &Path) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.extend(methods(path.strip_prefix(root).unwrap()));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for block in text.split("\nimpl Tenant {").skip(1) {
            let block = block.split("\n}").next().unwrap();
            for line in block.lines() {
                let line = line.strip_prefix("    pub ").unwrap_or_default();
                let line = line.strip_prefix("async ").unwrap_or(line);
                if let Some(name) = line.strip_prefix("fn ") {
                    let end = name.find(['(', '<']).unwrap();
                    names.insert(name[..end].to_owned());
                }
            }
        }
    }
    names
}
