use std::{collections::HashMap, time::Duration};

use automarket_core::{
    Context, CrmProvider, Error, Identity, Result, Retry, async_trait,
    crm::{
        Activity, CampaignRecord, CampaignRecorded, Changes, Company, Contact, CrmProfile, Field,
        Lead, Record, Upserted,
    },
    http::Call,
    http_types::Method,
    profile::ApiVersion,
};
use serde_json::{Value, json};

use crate::{
    PLATFORM, TwentyConfig,
    api::{MAX_BATCH, Site},
    batch::{self, Results, Row, upserted},
    changes::{self, Cursor},
    error, raw,
    rows::{self, Distinct, invalid},
    schema::{self, Wanted},
    wire,
};

/// When to ask again for an object that the schema has and the API does not serve yet.
const SCHEMA_DELAY: Duration = Duration::from_secs(5);

/// Twenty as a CRM.
#[derive(Clone, Debug)]
pub struct Twenty {
    config: TwentyConfig,
    profile: CrmProfile,
}

impl Twenty {
    /// A connector to the workspaces of this instance. The API key comes with the context.
    #[must_use]
    pub fn new(config: TwentyConfig) -> Self {
        let api = ApiVersion::new("unversioned", "https://docs.twenty.com/developers");
        let mut profile = CrmProfile::new(PLATFORM, "Twenty", api);
        profile.max_batch = MAX_BATCH;
        profile.idempotent = true;
        profile.campaigns = true;
        profile.provisioning = true;
        profile.changes = true;
        Self { config, profile }
    }

    fn site(&self, cx: &Context) -> Result<Site> {
        Site::of(cx, &self.config)
    }
}

#[async_trait]
impl CrmProvider for Twenty {
    fn profile(&self) -> &CrmProfile {
        &self.profile
    }

    /// Reads one person; API keys have no "who am I".
    async fn identify(&self, cx: &Context) -> Result<Vec<Identity>> {
        let site = self.site(cx)?;
        let reply = site
            .send(cx, site.list("people", &[("limit", "1")])?)
            .await?;
        wire::page(&reply)?;
        let config = self.config.of(cx)?;
        Ok(vec![Identity {
            settings: json!({"base_url": site.base}),
            ..Identity::new(site.workspace(), PLATFORM, config.host())
        }])
    }

    async fn find_contact(&self, cx: &Context, email: &str) -> Result<Option<Record>> {
        let email = rows::email(email)?;
        let site = self.site(cx)?;
        let spellings = rows::email_spellings(&email);
        let primary = |email: &String| format!("emails.primaryEmail[eq]:\"{email}\"");
        let further = |email: &String| format!("emails.additionalEmails[like]:\"%{email}%\"");
        let first = spellings.iter().map(primary).collect();
        let found = match people_where(cx, &site, first).await? {
            people if people.is_empty() => {
                let second = spellings.iter().map(further).collect();
                or_nobody(people_where(cx, &site, second).await)?
            }
            people => people,
        };
        // What is `like` it is compared exactly here.
        let mut found = found.into_iter();
        let person = found.find(|person| rows::emails_of(person).contains(&email));
        person.map(changes::record).transpose()
    }

    /// Per 60 contacts: one GraphQL query for those that are there, a second for those whom it does not find, one batch
    /// for all. Contacts with the same address are one record; what the later says lays over the earlier.
    async fn upsert_contacts(
        &self,
        cx: &Context,
        contacts: &[Contact],
    ) -> Result<Vec<Result<Upserted>>> {
        let site = self.site(cx)?;
        let mut results = Results::new(contacts.len());
        let mut people = Distinct::new();
        for (at, contact) in contacts.iter().enumerate() {
            match rows::email(&contact.email) {
                Ok(email) => people.add(email, at, contact.clone(), rows::lay_contact),
                Err(error) => results.set(&[at], Err(error)),
            }
        }
        for chunk in people.items().chunks(MAX_BATCH) {
            let written = async {
                let emails: Vec<_> = chunk.iter().map(|(email, ..)| &**email).collect();
                let written = rows::composites(chunk.iter().map(|(_, contact, _)| contact));
                let known = people_there(cx, &site, &emails, &written).await?;
                let there = |email: &str, _: &Contact| known.get(email);
                let held = |contact: &Contact| rows::held("emails", &contact.fields);
                let people = batch_of(chunk, there, rows::person, held, &mut results);
                batch::write(cx, &site, "people", &people, rows::email_of, &mut results).await
            };
            if let Err(error) = written.await {
                return results.finish(Some(error));
            }
        }
        results.finish(None)
    }

    /// A lead is a person with an opportunity, whose id follows from the lead's key.
    async fn upsert_leads(&self, cx: &Context, leads: &[Lead]) -> Result<Vec<Result<Upserted>>> {
        let site = self.site(cx)?;
        let contacts: Vec<_> = leads.iter().map(|lead| lead.contact.clone()).collect();
        let people = self.upsert_contacts(cx, &contacts).await?;
        let mut results = Results::new(leads.len());
        let mut sales = Vec::new();
        for (at, (lead, person)) in leads.iter().zip(people).enumerate() {
            let sale = person.and_then(|person| sale(at, lead, &person.id));
            match sale {
                Ok(row) => sales.push(row),
                Err(error) => results.set(&[at], Err(error)),
            }
        }
        let sales = batch::merged(sales);
        let key = |_: &Value| None;
        let written = batch::write(cx, &site, "opportunities", &sales, key, &mut results).await;
        results.finish(written.err())
    }

    async fn upsert_companies(
        &self,
        cx: &Context,
        companies: &[Company],
    ) -> Result<Vec<Result<Upserted>>> {
        let site = self.site(cx)?;
        let mut results = Results::new(companies.len());
        let mut distinct = Distinct::new();
        for (at, company) in companies.iter().enumerate() {
            match rows::domain(&company.domain) {
                Ok(domain) => {
                    let key = rows::bare(&domain).to_owned();
                    let mut company = company.clone();
                    company.domain = domain;
                    distinct.add(key, at, company, rows::lay_company);
                }
                Err(error) => results.set(&[at], Err(error)),
            }
        }
        for chunk in distinct.items().chunks(MAX_BATCH) {
            let written = async {
                let urls: Vec<_> = chunk
                    .iter()
                    .flat_map(|(_, company, _)| rows::domain_urls(&company.domain))
                    .collect();
                let find = |after: Option<&str>| site.companies_by_domain(&urls, after);
                let keys = |company: &Value| rows::domain_of(company).into_iter().collect();
                let known = lookup(cx, &site, find, keys).await?;
                let there = |_: &str, company: &Company| {
                    let twin = || known.get(&rows::twin(&company.domain));
                    known.get(&company.domain).or_else(twin)
                };
                let body = |_: &str, company: &Company, known: Option<&Value>| {
                    rows::company(company, known)
                };
                let held = |company: &Company| rows::held("domainName", &company.fields);
                let companies = batch_of(chunk, there, body, held, &mut results);
                let key = rows::bare_of;
                batch::write(cx, &site, "companies", &companies, key, &mut results).await
            };
            if let Err(error) = written.await {
                return results.finish(Some(error));
            }
        }
        results.finish(None)
    }

    /// A note on the record; both its parts have ids that follow from the activity's key.
    async fn record_activity(&self, cx: &Context, activity: &Activity) -> Result<Upserted> {
        let site = self.site(cx)?;
        let note = |plain| site.upsert("notes", &rows::note(activity, plain));
        let note = new_or_old(cx, &site, "bodyV2", note).await?;
        let note = upserted(&note, false)?;
        let target = capitalised(&activity.object);
        let target_field = format!("target{target}Id");
        let tie = |old| {
            let old_field = format!("{}Id", activity.object);
            let field = if old { &old_field } else { &target_field };
            site.upsert("noteTargets", &rows::note_target(activity, &note.id, field))
        };
        new_or_old(cx, &site, &target_field, tie).await?;
        Ok(note)
    }

    /// Creates the objects `campaign`, `campaignPost` and `utmRecord` where they are missing (remembered as
    /// a step), then the records, under ids that follow from their keys.
    async fn record_campaign(
        &self,
        cx: &Context,
        campaign: &CampaignRecord,
    ) -> Result<CampaignRecorded> {
        let site = self.site(cx)?;
        let step = format!("twenty.schema.{}", site.workspace());
        let _: Vec<String> = cx
            .step(&step, || async {
                let objects = schema::campaign_objects();
                let wanted = objects
                    .each_ref()
                    .map(|(object, fields)| Wanted { object, fields });
                schema::ensure(cx, &site, &wanted).await
            })
            .await?;
        record_campaign(cx, &site, campaign).await.map_err(|error| {
            // The schema has the object, whoever made it: the API will serve it in a moment.
            if error::unknown_object(&error) {
                error.with_retry(Retry::After(Some(SCHEMA_DELAY)))
            } else {
                error
            }
        })
    }

    async fn fields(&self, cx: &Context, object: &str) -> Result<Vec<Field>> {
        let site = self.site(cx)?;
        let objects = schema::read(cx, &site).await?;
        let object = schema::object(&objects, object)?;
        Ok(object.fields.iter().map(schema::field_of).collect())
    }

    async fn ensure_fields(
        &self,
        cx: &Context,
        object: &str,
        fields: &[Field],
    ) -> Result<Vec<String>> {
        let site = self.site(cx)?;
        let created = schema::ensure(cx, &site, &[Wanted { object, fields }]).await?;
        let short = |name: String| name.rsplit('.').next().unwrap_or_default().to_owned();
        Ok(created.into_iter().map(short).collect())
    }

    async fn changes_since(
        &self,
        cx: &Context,
        object: &str,
        cursor: Option<&str>,
    ) -> Result<Changes> {
        let cursor = Cursor::parse(cursor)?;
        let site = self.site(cx)?;
        let reply = site
            .send(cx, cursor.call(&site, &schema::plural(object))?)
            .await?;
        cursor.take(cx, &reply)
    }

    async fn archive(&self, cx: &Context, object: &str, id: &str) -> Result<()> {
        let site = self.site(cx)?;
        let call = site.archive(&schema::plural(object), id)?;
        match site.send(cx, call).await {
            Err(error) if error::no_such_record(&error) => Ok(()),
            archived => archived.map(drop),
        }
    }

    async fn raw(
        &self,
        cx: &Context,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let site = self.site(cx)?;
        let reply = site.send(cx, raw::call(&site, method, path, body)?).await?;
        raw::decode(&reply)
    }
}

/// The people for whom one of these filters holds.
async fn people_where(cx: &Context, site: &Site, ways: Vec<String>) -> Result<Vec<Value>> {
    let filter = match &ways[..] {
        [way] => way.clone(),
        ways => format!("or({})", ways.join(",")),
    };
    let call = site.list("people", &[("filter", &filter), ("limit", "60")])?;
    Ok(wire::page(&site.send(cx, call).await?)?.records)
}

/// The people who are there already, by address: by their primary one, and only whom that does not find alive by a further
/// one, since this makes Twenty read all people.
async fn people_there(
    cx: &Context,
    site: &Site,
    emails: &[&str],
    written: &[&str],
) -> Result<HashMap<String, Value>> {
    let spelled = |emails: &[&str]| -> Vec<String> {
        let spellings = emails.iter().map(|email| rows::email_spellings(email));
        spellings.flatten().collect()
    };
    let asked = spelled(emails);
    let find = |after: Option<&str>| site.people_by_email(&asked, written, after);
    let key = |person: &Value| rows::email_of(person).into_iter().collect();
    let mut known = lookup(cx, site, find, key).await?;
    let alive = |email: &&str| {
        known
            .get(*email)
            .is_some_and(|one| one["deletedAt"].is_null())
    };
    let open: Vec<&str> = emails
        .iter()
        .copied()
        .filter(|email| !alive(email))
        .collect();
    if open.is_empty() {
        return Ok(known);
    }
    let asked = spelled(&open);
    let find = |after: Option<&str>| site.people_by_further_email(&asked, written, after);
    let mut further = or_nobody(lookup(cx, site, find, rows::emails_of).await)?;
    let found = |email: &str| Some((email.to_owned(), further.remove(email)?));
    known.extend(open.into_iter().filter_map(found));
    Ok(known)
}

/// Of the question for further addresses: older servers do not understand it.
fn or_nobody<T: Default>(people: Result<T>) -> Result<T> {
    match people {
        Err(error) if error::not_understood(&error) => Ok(T::default()),
        people => people,
    }
}

/// The records that are there already, by each of their natural keys. Of several with one key it is one whose first key that
/// is, then one with a further one, then a deleted one, which is known by its first key alone.
async fn lookup(
    cx: &Context,
    site: &Site,
    call: impl Fn(Option<&str>) -> Result<Call>,
    keys_of: impl Fn(&Value) -> Vec<String>,
) -> Result<HashMap<String, Value>> {
    let mut known: HashMap<String, (u8, Value)> = HashMap::new();
    let mut after: Option<String> = None;
    for _ in 0..wire::PAGES {
        let reply = site.send(cx, call(after.as_deref())?).await?;
        if let Some(error) = error::graphql(&reply, &wire::json(&reply)?) {
            return Err(error);
        }
        let page = wire::page(&reply)?;
        for record in page.records {
            for (at, key) in keys_of(&record).into_iter().enumerate() {
                let rank = match (record["deletedAt"].is_null(), at) {
                    (true, 0) => 0,
                    (true, _) => 1,
                    (false, 0) => 2,
                    (false, _) => continue,
                };
                let there = known.entry(key).or_insert_with(|| (rank, record.clone()));
                if rank < there.0 {
                    *there = (rank, record.clone());
                }
            }
        }
        if page.next.is_none() || page.next == after {
            let records = known.into_iter().map(|(key, (_, record))| (key, record));
            return Ok(records.collect());
        }
        after = page.next;
    }
    Err(wire::endless())
}

/// The rows of a chunk; what cannot be one gets its error.
fn batch_of<'a, T>(
    chunk: &[(String, T, Vec<usize>)],
    there: impl Fn(&str, &T) -> Option<&'a Value>,
    body: impl Fn(&str, &T, Option<&Value>) -> Result<serde_json::Map<String, Value>>,
    held: impl Fn(&T) -> Option<&'static str>,
    results: &mut Results,
) -> Vec<Row> {
    let mut rows = Vec::with_capacity(chunk.len());
    for (key, value, at) in chunk {
        let there = there(key, value);
        match body(key, value, there) {
            Ok(body) => rows.push(Row {
                at: at.clone(),
                key: key.clone(),
                id: there.and_then(|record| record["id"].as_str().map(str::to_owned)),
                known: there.is_some(),
                held: there
                    .and_then(|_| held(value))
                    .filter(|name| body.contains_key(*name)),
                body,
            }),
            Err(error) => results.set(at, Err(error)),
        }
    }
    rows
}

fn sale(at: usize, lead: &Lead, person_id: &str) -> Result<Row> {
    if lead.key.is_empty() {
        return Err(invalid("key", "a lead needs a key"));
    }
    Ok(Row {
        at: vec![at],
        key: lead.key.clone(),
        id: Some(rows::derived("opportunity", &lead.key)),
        known: false,
        body: rows::opportunity(lead, person_id)?,
        held: None,
    })
}

/// Writes as current servers take it, and as older ones do when the answer says that `field` is unknown.
async fn new_or_old(
    cx: &Context,
    site: &Site,
    field: &str,
    call: impl Fn(bool) -> Result<Call>,
) -> Result<Value> {
    let reply = match site.send_upsert(cx, call(false)?).await {
        Err(error) if names(&error, field) => site.send_upsert(cx, call(true)?).await?,
        other => other?,
    };
    wire::record(&reply)
}

fn names(error: &Error, field: &str) -> bool {
    error.status() == Some(400) && error.body().is_some_and(|body| body.contains(field))
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

async fn record_campaign(
    cx: &Context,
    site: &Site,
    campaign: &CampaignRecord,
) -> Result<CampaignRecorded> {
    let call = site.upsert("campaigns", &rows::campaign(campaign))?;
    let id = wire::id(&wire::record(&site.send_upsert(cx, call).await?)?)?;
    let posts = campaign.posts.iter().enumerate();
    let posts = posts
        .map(|(at, post)| rows::campaign_post(at, post, &id))
        .collect();
    let utms = campaign.utms.iter().enumerate();
    let utms = utms
        .map(|(at, utm)| rows::utm_record(at, utm, &id))
        .collect();
    Ok(CampaignRecorded {
        posts: write_all(cx, site, "campaignPosts", posts).await?,
        utms: write_all(cx, site, "utmRecords", utms).await?,
        campaign: id,
    })
}

/// Writes rows that belong together: the first refusal is the answer.
async fn write_all(cx: &Context, site: &Site, plural: &str, rows: Vec<Row>) -> Result<Vec<String>> {
    let mut results = Results::new(rows.len());
    let rows = batch::merged(rows);
    let written = batch::write(cx, site, plural, &rows, |_| None, &mut results).await;
    let ids = |result: Result<Upserted>| result.map(|upserted| upserted.id);
    results
        .finish(written.err())?
        .into_iter()
        .map(ids)
        .collect()
}
