//! What would be sent where: the checks, and all that is known beside them without asking anybody.

use std::fmt;

use automarket_core::{
    AccountId, Context, Credential, Delivery, ErrorKind, ErrorRecord, Identity, Post, Profile,
    Publisher, Result, When, Zone,
    check::{Finding, Report, Severity},
    chrono::{DateTime, TimeDelta, Utc},
    content::{Content, Voice},
    publisher::{judge, rules_for},
    store::{Account, Gate, Lateness, Publication, RATE},
    text,
};
use serde::Serialize;

use super::slots;
use crate::{Tenant, accounts::RENEWALS, market::Engine, worker::Owner};

/// What a post would become on each account.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// One per account, in the order asked for.
    pub targets: Vec<TargetPlan>,
}

/// What a post would become on one account.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TargetPlan {
    /// The account.
    pub account: Account,
    /// The text as sent, its counted length, the findings.
    pub report: Report,
    /// All parts of a thread as they are sent, the first among them.
    pub parts: Vec<Part>,
    /// Who makes it public when.
    pub delivery: Delivery,
    /// When it goes out; `None` when that was not said.
    pub due: Option<Due>,
    /// What the account's credential may do; `None` when there is none, it does not open, or it is no matter of scopes.
    pub scopes: Option<Scopes>,
    /// Whether the account has to be connected before anything can be sent.
    pub needs_reauth: bool,
    /// What platform and breakers leave of the calls.
    pub budgets: Vec<BudgetLeft>,
    /// What the platform said, if it was asked ([`PlanOptions::look`]).
    pub looked: Option<Looked>,
}

/// One part of a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its text as sent.
    pub text: String,
    /// Its length as the platform counts it.
    pub length: usize,
}

/// When something goes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Due {
    /// The instant.
    pub at: DateTime<Utc>,
    /// On the clocks of the zone: `2027-01-11 10:00 CET`.
    pub local: String,
    /// The zone: the one asked for, else that of the account's posting slots, else UTC.
    pub zone: Zone,
}

/// What a credential may do, and what its platform's connector asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Scopes {
    /// What was granted.
    pub held: Vec<String>,
    /// What the connector asks for and was not granted.
    pub missing: Vec<String>,
}

/// What is left of one limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BudgetLeft {
    /// Which one: `rate`, `rate:` and a bucket, or `host:` and a host.
    pub name: String,
    /// Whether it is the app's, for all accounts that use it.
    pub of_app: bool,
    /// Calls in a window.
    pub limit: Option<u64>,
    /// Calls that were left when the platform last said so; `None` once its window is over.
    pub remaining: Option<u64>,
    /// Until when nothing is sent; of `rate:oauth.token`, until when its token is not renewed.
    pub closed_until: Option<DateTime<Utc>>,
}

/// What the platform said of the credential.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Looked {
    /// It speaks for this account.
    Account(Identity),
    /// It works, and does not speak for this account.
    OtherAccount,
    /// It could not be asked, or refused.
    Failed(ErrorRecord),
}

/// How a plan is made, beside for what.
///
/// ```
/// use automarket::{When, publishing::PlanOptions};
/// let options = PlanOptions::new().when(When::Now).zone("Europe/Berlin")?;
/// # Ok::<(), automarket::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PlanOptions {
    /// The voice of the brand.
    pub voice: Voice,
    /// When it is to go out.
    pub when: Option<When>,
    /// On which clocks times are told.
    pub zone: Option<Zone>,
    /// Whether the platforms may be asked whose the credentials are. Nothing is written there.
    pub look: bool,
}

impl PlanOptions {
    /// No brand, no time, nobody asked.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Held to a brand's voice.
    #[must_use]
    pub fn voice(mut self, voice: Voice) -> Self {
        self.voice = voice;
        self
    }

    /// Going out then.
    #[must_use]
    pub fn when(mut self, when: When) -> Self {
        self.when = Some(when);
        self
    }

    /// Times on the clocks of this IANA zone.
    ///
    /// # Errors
    /// `InvalidInput` (`zone`).
    pub fn zone(mut self, zone: &str) -> Result<Self> {
        self.zone = Some(zone.parse()?);
        Ok(self)
    }

    /// Asks each platform whose the credential is.
    #[must_use]
    pub fn look(mut self) -> Self {
        self.look = true;
        self
    }
}

impl Tenant {
    /// Adds what is known beside the checks.
    pub(super) async fn complete(&self, plan: &mut Plan, options: &PlanOptions) -> Result<()> {
        let now = self.engine().store.now().await?;
        for target in &mut plan.targets {
            let id = target.account.id;
            if let Some(when) = options.when {
                let (at, ..) = self.due(id, when, now, false).await?;
                target.report.add(late(at, target.delivery, now));
                let zone = match (options.zone, when) {
                    (Some(zone), _) => zone,
                    (None, When::Local(local)) => local.zone,
                    (None, _) => self.zone_of(id).await?,
                };
                let local = zone.show(at);
                target.due = Some(Due { at, local, zone });
            }
            let credential = match self.engine().peek(&target.account).await {
                Ok(credential) => {
                    target.needs_reauth = credential.is_none();
                    credential.unwrap_or(Credential::None)
                }
                Err(error) => {
                    // It may open elsewhere. Trouble of the store is no credential's.
                    let Some(rule) = error.rule().filter(|rule| rule.starts_with("vault.")) else {
                        return Err(error);
                    };
                    let remedy = error.remedy().unwrap_or("connect the account again");
                    let advice = Finding::advice(rule, error.message(), remedy);
                    target.report.add([advice]);
                    Credential::None
                }
            };
            target.scopes = self.engine().scopes(&target.account, &credential);
            let budgets = self.engine().budgets(&target.account, &credential, now);
            target.budgets = budgets.await?;
            if options.look {
                target.looked = Some(self.engine().look(&target.account).await);
            }
        }
        Ok(())
    }

    async fn zone_of(&self, account: AccountId) -> Result<Zone> {
        let routing = self.routing(account).await?;
        let slots = routing.slots.first();
        slots.map_or(Ok(Zone::UTC), |slots| slots.zone.parse())
    }
}

impl Engine {
    /// The account's credential as it is stored; `None` when it has to be connected first.
    async fn peek(&self, account: &Account) -> Result<Option<Credential>> {
        let row = self.store.credential(&account.tenant, account.id).await?;
        match row {
            Some(row) if !row.needs_reauth => Ok(Some(self.accounts.peek(&row).await?)),
            _ => Ok(None),
        }
    }

    fn scopes(&self, account: &Account, credential: &Credential) -> Option<Scopes> {
        let Credential::OAuth(tokens) = credential else {
            return None;
        };
        let held = tokens.scopes.clone()?;
        let provider = self.accounts.provider(&account.platform, &tokens.app);
        let wanted = provider.map_or(&[][..], |provider| provider.scopes);
        let missing = wanted
            .iter()
            .filter(|scope| !held.iter().any(|h| h == *scope));
        let missing = missing.map(|scope| (*scope).to_owned()).collect();
        Some(Scopes { held, missing })
    }

    /// Those of the account, and of the app that this credential is of.
    async fn budgets(
        &self,
        account: &Account,
        credential: &Credential,
        now: DateTime<Utc>,
    ) -> Result<Vec<BudgetLeft>> {
        let own = (Owner::account(account), false);
        let app = Owner::app(account, credential)?.map(|app| (app, true));
        let mut budgets = Vec::new();
        for (owner, of_app) in [own].into_iter().chain(app) {
            let gates = self.store.gates(&owner.tenant).await?;
            let gates = gates
                .into_iter()
                .filter(|gate| gate.account == owner.account);
            budgets.extend(gates.map(|gate| left(gate, of_app, now)));
        }
        Ok(budgets)
    }

    /// The gates that keep a publication from being sent at this instant: not those of other buckets of calls.
    pub(super) async fn closed_gates(
        &self,
        publication: &Publication,
        at: DateTime<Utc>,
    ) -> Result<Vec<BudgetLeft>> {
        let (tenant, id) = (&publication.tenant, publication.route().account);
        let Some(account) = self.store.account(tenant, id).await? else {
            return Ok(Vec::new());
        };
        let publisher = self.publisher(&account.platform).ok();
        let bucket = publisher.and_then(|publisher| publisher.profile().bucket);
        let rates = [None, bucket, Some(RENEWALS)].map(Gate::rate);
        // Which app's they are too only an open credential says.
        let credential = self.peek(&account).await.ok().flatten();
        let credential = credential.unwrap_or(Credential::None);
        let mut gates = self.budgets(&account, &credential, at).await?;
        gates.retain(|gate| {
            let of_host = !gate.name.starts_with(RATE);
            gate.closed_until.is_some() && (of_host || rates.contains(&gate.name))
        });
        Ok(gates)
    }

    async fn look(&self, account: &Account) -> Looked {
        let asked = async {
            let publisher = self.publisher(&account.platform)?.clone();
            let (context, passed) = self.passing(account.clone()).await?;
            let publisher = &*publisher;
            let call = |cx: Context| async move { publisher.identify(&cx).await };
            passed.call(self, context, call).await
        };
        match asked.await {
            Ok(identities) => {
                let is_it = |who: &Identity| {
                    who.remote_id == account.remote_id && who.network == account.network
                };
                let found = identities.into_iter().find(is_it);
                found.map_or(Looked::OtherAccount, Looked::Account)
            }
            Err(error) => Looked::Failed(ErrorRecord::from(&error)),
        }
    }
}

/// A time that is past: what would be missed is a blocker, as in [`Tenant::publish`]; what would go at once may be a slip.
fn late(at: DateTime<Utc>, delivery: Delivery, now: DateTime<Utc>) -> Option<Finding> {
    let public_at = delivery.at().filter(|public_at| *public_at > at);
    let last = public_at.or_else(|| Lateness::default().last(at));
    if last.is_some_and(|last| last < now) {
        return Some(Finding::blocker(
            slots::PAST,
            slots::past(at),
            slots::NOT_PAST,
        ));
    }
    // Who says `now` as an instant says it a little earlier.
    (now - at > TimeDelta::minutes(1)).then(|| {
        let message = format!("{at} is past, and it would go out at once");
        Finding::advice(slots::PAST, message, slots::NOT_PAST)
    })
}

fn left(gate: Gate, of_app: bool, now: DateTime<Utc>) -> BudgetLeft {
    let budget = gate.budget.unwrap_or_default();
    let over = budget.resets_in.is_some_and(|wait| {
        (now - gate.updated_at)
            .to_std()
            .is_ok_and(|since| since >= wait)
    });
    BudgetLeft {
        name: gate.name,
        of_app,
        limit: budget.limit,
        remaining: budget.remaining.filter(|_| !over),
        closed_until: gate.closed_until.filter(|until| *until > now),
    }
}

/// The parts of a thread as they are sent.
fn parts(content: &Content, report: &Report, rules: &Profile) -> Vec<Part> {
    let first = Part {
        text: report.text.clone(),
        length: report.length,
    };
    let others = content.thread.iter().map(|text| Part {
        text: text.clone(),
        length: text::length(text, &rules.text),
    });
    std::iter::once(first).chain(others).collect()
}

impl TargetPlan {
    /// What was found of its media.
    pub fn media(&self) -> impl Iterator<Item = &Finding> {
        self.about("media.")
    }

    /// What it costs, where the platform bills each post.
    pub fn costs(&self) -> impl Iterator<Item = &Finding> {
        self.about("cost.")
    }

    fn about(&self, prefix: &'static str) -> impl Iterator<Item = &Finding> {
        let all = self.report.findings.iter();
        all.filter(move |finding| finding.rule.starts_with(prefix))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.targets.iter().try_for_each(|target| target.fmt(f))
    }
}

/// A few lines for people.
impl fmt::Display for TargetPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            account, report, ..
        } = self;
        write!(
            f,
            "{} on {}: {}",
            account.name, account.network, report.length
        )?;
        match report.limit {
            Some(limit) => write!(f, " of {limit}")?,
            None => write!(f, " characters")?,
        }
        if self.parts.len() > 1 {
            write!(f, ", {} parts", self.parts.len())?;
        }
        if let Some(due) = &self.due {
            write!(f, ", {} ({})", due.local, due.zone)?;
        }
        writeln!(f)?;
        if self.needs_reauth {
            writeln!(f, "  blocker: the account has to be connected first")?;
        }
        for scope in self.scopes.iter().flat_map(|scopes| &scopes.missing) {
            writeln!(f, "  scope not granted: {scope}")?;
        }
        for budget in &self.budgets {
            if let Some(until) = budget.closed_until {
                writeln!(f, "  {} is closed until {until}", budget.name)?;
            } else if let Some(remaining) = budget.remaining {
                writeln!(f, "  {}: {remaining} calls left", budget.name)?;
            }
        }
        for finding in &report.findings {
            let severity = match finding.severity {
                Severity::Blocker => "blocker",
                Severity::Advice => "advice",
            };
            writeln!(f, "  {severity}: {} [{}]", finding.message, finding.rule)?;
        }
        match &self.looked {
            Some(Looked::Failed(error)) => writeln!(f, "  asked: {}", error.message),
            Some(Looked::OtherAccount) => writeln!(f, "  asked: not this account's credential"),
            Some(Looked::Account(who)) => writeln!(f, "  asked: {}", who.name),
            None => Ok(()),
        }
    }
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
            // A host's place for media speaks of it in other words too, and names it.
            Err(error)
                if error.kind() == ErrorKind::InvalidInput || error.field() == Some("media") =>
            {
                Some(error)
            }
            Err(error) => return Err(error),
        };
        let mut report = judge(
            &content,
            post.delivery,
            &rules,
            voice,
            Some(publisher),
            Some(account),
        );
        report.add(unreadable.map(|error| {
            Finding::blocker("media.unreadable", error.message(), "Bring the file again")
        }));
        let publisher = publisher.profile_for(account);
        let able = match post.delivery {
            Delivery::Now => publisher.abilities.publish,
            Delivery::At(_) => publisher.abilities.schedule,
            Delivery::Draft => publisher.abilities.draft,
            Delivery::Queue => publisher.abilities.queue,
        };
        if !able {
            report.add([undeliverable(post.delivery, &publisher)]);
        }
        Ok(Self {
            account: account.clone(),
            parts: parts(&content, &report, &rules),
            report,
            delivery: post.delivery,
            due: None,
            scopes: None,
            needs_reauth: false,
            budgets: Vec::new(),
            looked: None,
        })
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
