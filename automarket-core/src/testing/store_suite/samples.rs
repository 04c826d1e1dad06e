//! Records with every field set to something that is easily lost, and short cuts to common moves.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::StoreUnderTest;
use crate::{
    AccountId, CampaignId, Error, ErrorKind, ErrorRecord, Handle, JobId, Platform, PublicationId,
    Receipt, Retry, TenantId,
    content::{Brand, Campaign, CampaignStatus, Delivery, Media, MediaKind, Post, Utm, Variant},
    http::Exchange,
    store::{
        Account, Approval, Attempt, AttemptOutcome, Claim, Decision, Job, Lateness, Lease,
        LeaseToken, NewEvent, NewJob, NewPublishing, Operation, Publication, PublicationState,
        Settled, Target, Verdict,
    },
};

/// Text that careless code breaks: quotes, a new line, wide and joined characters, right to left.
pub(super) const TEXT: &str = "O'Brien said \"ça\";\n-- 🏳️‍🌈 日本 שלום %_\\ e\u{301}";

pub(super) fn tenant(name: &str) -> TenantId {
    TenantId::new(name).expect("a tenant id")
}

pub(super) fn json_of_all_sorts() -> Value {
    json!({
        "text": TEXT,
        "id": 9_007_199_254_740_993_u64,
        "largest": u64::MAX,
        "smallest": i64::MIN,
        "null": null,
        "list": [true, [], {}],
        "big": "x".repeat(300_000),
    })
}

pub(super) fn job(tenant_name: &str) -> NewJob {
    NewJob::new(tenant(tenant_name), "work", json!({}))
}

pub(super) fn error(message: &str) -> ErrorRecord {
    ErrorRecord::from(
        &Error::new(ErrorKind::Unavailable, message)
            .with_rule("remote.down")
            .with_remedy(TEXT)
            .with_body("<html>")
            .with_retry(Retry::Reconcile),
    )
}

pub(super) fn retry(at: DateTime<Utc>) -> Verdict {
    let error = error("no answer");
    Verdict::Retry { at, error }
}

pub(super) fn account(tenant_name: &str, remote_id: &str) -> Account {
    Account {
        name: TEXT.to_owned(),
        ..Account::new(tenant(tenant_name), Platform::SLACK, remote_id)
    }
    .on_network(Platform::X)
    .with_settings(json_of_all_sorts())
}

pub(super) fn post(delivery: Delivery) -> Post {
    let variant = Variant {
        text: Some(TEXT.to_owned()),
        thread: Some(vec![TEXT.to_owned(), String::new()]),
        link: Some("https://acme.dev/?q=%C3%A7#x".parse().expect("an address")),
        media: Some(vec![
            Media::image(vec![0_u8, 255, 10], "image/png").alt(TEXT),
            Media::address(
                MediaKind::Video,
                "https://acme.dev/v".parse().expect("an address"),
            ),
        ]),
        first_comment: Some(TEXT.to_owned()),
        options: [(Platform::X, json_of_all_sorts())].into(),
    };
    let mut post = Post::text(TEXT)
        .variant(Platform::X, variant.clone())
        .account_variant(AccountId::derived("account"), variant)
        .delivery(delivery);
    post.campaign = Some(CampaignId::derived("campaign"));
    post
}

pub(super) fn campaign(name: &str, at: DateTime<Utc>) -> Campaign {
    let brand = Brand {
        title: TEXT.to_owned(),
        ..Brand::default()
    };
    Campaign {
        id: CampaignId::new(),
        name: name.to_owned(),
        description: TEXT.to_owned(),
        source: Some("https://acme.dev/page".parse().expect("an address")),
        brand,
        post: post(Delivery::At(at)),
        utm: Utm::campaign(TEXT).with_source("x"),
        status: CampaignStatus::Scheduled,
        created_at: at,
    }
}

/// One post on one account, with its job and its event.
#[must_use]
pub fn publishing(tenant_name: &str, at: DateTime<Utc>) -> NewPublishing {
    let tenant = tenant(tenant_name);
    let post = post(Delivery::Now);
    let publication = Publication {
        id: PublicationId::new(),
        tenant: tenant.clone(),
        post: post.id,
        target: Target {
            account: AccountId::derived(tenant_name),
            platform: Platform::SLACK,
            network: Platform::X,
        },
        state: PublicationState::Scheduled,
        key: TEXT.to_owned(),
        content_hash: "ab".repeat(32),
        due: at + TimeDelta::microseconds(1),
        lateness: Lateness::PublishIfWithin(Duration::from_micros(7)),
        public_at: Some(at),
        approval: Approval::Given(TEXT.to_owned()),
        slot: None,
        job: JobId::new(),
        via: Some(Target {
            account: AccountId::derived("via"),
            platform: Platform::X,
            network: Platform::X,
        }),
        sent_at: Some(at),
        receipt: Some(Receipt {
            url: Some("https://x.com/1".to_owned()),
            at: Some(at),
            data: json_of_all_sorts(),
            ..Receipt::new("9007199254740993")
        }),
        handle: Some(Handle {
            remote_id: TEXT.to_owned(),
            due: Some(at),
            data: json!([1]),
        }),
        error: Some(error(TEXT)),
        revision: 1,
        created_at: at,
        updated_at: at,
    };
    NewPublishing {
        jobs: vec![
            NewJob::new(tenant.clone(), "publish", json!({})).unique(publication.id.to_string()),
        ],
        events: vec![event(
            tenant_name,
            "publication.scheduled",
            &publication.id.to_string(),
        )],
        publications: vec![publication],
        tenant,
        post,
    }
}

/// An attempt at a publication, made at an instant and over after so many milliseconds.
pub(super) fn attempt(publication: &Publication, at: DateTime<Utc>, millis: i64) -> Attempt {
    Attempt {
        tenant: publication.tenant.clone(),
        publication: publication.id,
        revision: publication.revision + 1,
        job: publication.job,
        number: 2,
        route: publication.route().clone(),
        operation: Operation::Publish,
        began: at,
        ended: at + TimeDelta::milliseconds(millis),
        outcome: AttemptOutcome::Rejected,
        error: Some(error(TEXT)),
        remote_id: Some(TEXT.to_owned()),
        decision: Decision {
            rule: "retry.backoff".to_owned(),
            until: Some(at),
        },
        exchanges: vec![Exchange {
            operation: "posts.create".to_owned(),
            method: "POST".to_owned(),
            url: "https://api.example.com/posts".to_owned(),
            sent: TEXT.to_owned(),
            status: Some(503),
            received: TEXT.to_owned(),
        }],
        left_out: 7,
    }
}

pub(super) fn event(tenant_name: &str, kind: &str, subject: &str) -> NewEvent {
    NewEvent {
        tenant: tenant(tenant_name),
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        data: json_of_all_sorts(),
    }
}

pub(super) const LEASE: Duration = Duration::from_secs(30);

impl StoreUnderTest {
    pub(super) async fn now(&self) -> DateTime<Utc> {
        self.store.now().await.expect("the time")
    }

    /// The store's time, this many seconds from now.
    pub(super) async fn in_seconds(&self, seconds: i64) -> DateTime<Utc> {
        self.now().await + TimeDelta::seconds(seconds)
    }

    pub(super) async fn wait(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds)).await;
    }

    /// Puts one job in and says its id.
    pub(super) async fn put(&self, job: NewJob) -> JobId {
        self.store.enqueue(&[job]).await.expect("enqueued")[0].id()
    }

    pub(super) async fn claim(&self, limit: usize) -> Vec<Lease> {
        let claim = Claim::new("worker", limit).lease(LEASE);
        self.store.claim(&claim).await.expect("claimed")
    }

    pub(super) async fn claim_one(&self) -> Lease {
        let mut leases = self.claim(1).await;
        leases.pop().expect("a ready job")
    }

    pub(super) async fn claimed_ids(&self, limit: usize) -> Vec<JobId> {
        let leases = self.claim(limit).await;
        leases.iter().map(|lease| lease.job.id).collect()
    }

    pub(super) async fn settle(&self, token: LeaseToken, verdict: Verdict) -> Settled {
        let settled = self.store.settle(&[(token, verdict)]).await;
        let settled = settled.expect("settled");
        assert_eq!(settled.len(), 1);
        settled[0]
    }

    /// The job of tenant `a`.
    pub(super) async fn job(&self, id: JobId) -> Job {
        let job = self.store.job(&tenant("a"), id).await.expect("read");
        job.expect("the job is there")
    }
}
