use automarket_core::{
    Context, Delivery, ErrorKind, Post, Profile, Publisher, Result,
    check::{Finding, Report, Severity, check},
    content::Voice,
    networks,
    store::Account,
};
use serde::Serialize;

/// What a post would become on each account.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// One per account, in the order asked for.
    pub targets: Vec<TargetPlan>,
}

/// What a post would become on one account.
#[derive(Clone, Debug, Serialize)]
pub struct TargetPlan {
    /// The account.
    pub account: Account,
    /// The text as sent, its counted length, the findings.
    pub report: Report,
}

impl TargetPlan {
    /// `cx` opens the media that is not at an address; nothing is asked of the network.
    pub(crate) async fn of(
        post: &Post,
        account: &Account,
        publisher: &dyn Publisher,
        voice: &Voice,
        cx: &Context,
    ) -> Result<Self> {
        let rules = rules_for(account, publisher);
        let mut content = post.content_for(&account.network, Some(account.id));
        let unreadable = match content.inspect_local(cx).await {
            Ok(()) => None,
            Err(error) if error.kind() == ErrorKind::InvalidInput => Some(error),
            Err(error) => return Err(error),
        };
        let mut report = check(&content, &rules, voice);
        if let Some(error) = unreadable {
            report.findings.insert(
                0,
                Finding::blocker("media.unreadable", error.message(), "Bring the file again"),
            );
        }
        report.findings.extend(publisher.check(&content));
        report.findings.sort_by_key(|finding| finding.severity);
        let publisher = publisher.profile();
        let able = match post.delivery {
            Delivery::Now => publisher.abilities.publish,
            Delivery::At(_) => publisher.abilities.schedule,
            Delivery::Draft => publisher.abilities.draft,
            Delivery::Queue => publisher.abilities.queue,
        };
        if !able {
            report
                .findings
                .insert(0, undeliverable(post.delivery, publisher));
        }
        Ok(Self {
            account: account.clone(),
            report,
        })
    }
}

/// The rules a post has to keep on an account: those of the network it speaks on, with what its connector
/// can do.
#[must_use]
pub fn rules_for(account: &Account, publisher: &dyn Publisher) -> Profile {
    let publisher = publisher.profile_for(account);
    if account.network == publisher.platform {
        return publisher;
    }
    match networks::profile(&account.network) {
        Some(mut network) => {
            network.abilities = publisher.abilities;
            network
        }
        None => publisher,
    }
}

fn undeliverable(delivery: Delivery, publisher: &Profile) -> Finding {
    let wanted = match delivery {
        Delivery::Now => "publish",
        Delivery::At(_) => "schedule posts itself",
        Delivery::Draft => "keep drafts",
        Delivery::Queue => "queue posts",
    };
    Finding {
        severity: Severity::Blocker,
        rule: "delivery.unsupported".into(),
        message: format!("{} cannot {wanted}", publisher.name),
        remedy: "use Delivery::Now, and let automarket schedule it (When::At)".into(),
    }
}
