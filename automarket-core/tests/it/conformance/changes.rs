//! CRMs that page through changes by the last time told, and so lose what shares it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use automarket_core::{
    Context, CrmProvider, Error, ErrorKind, Identity, Platform, Result, async_trait,
    chrono::{DateTime, TimeDelta, Utc},
    crm::{
        Activity, CampaignRecord, CampaignRecorded, Changes, Company, Contact, CrmProfile, Field,
        Lead, Record, Upserted,
    },
    http_types::Method,
    profile::ApiVersion,
    testing::{
        ManualClock, Sandbox,
        conformance::crm::{self, CrmUnderTest},
    },
};
use serde_json::{Value, json};

/// Where the next page begins.
#[derive(Clone, Copy)]
enum Page {
    /// After the last row told: its time and id.
    AfterTheRow,
    /// After the last time told.
    AfterTheTime,
}

/// A CRM and its connector in one: a batch is a transaction, and each has a time of its own.
struct Toy {
    profile: CrmProfile,
    page: Page,
    size: usize,
    people: Mutex<Vec<Person>>,
}

#[derive(Clone)]
struct Person {
    email: String,
    at: DateTime<Utc>,
    deleted: bool,
}

impl Toy {
    fn lock(&self) -> MutexGuard<'_, Vec<Person>> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time of the next transaction.
fn stamp(people: &[Person], cx: &Context) -> DateTime<Utc> {
    let last = people.iter().map(|person| person.at).max();
    last.map_or(cx.now(), |at| cx.now().max(at + TimeDelta::milliseconds(1)))
}

fn none<T>() -> Result<T> {
    Err(Error::unsupported("the toy does not do this"))
}

#[async_trait]
impl CrmProvider for Toy {
    fn profile(&self) -> &CrmProfile {
        &self.profile
    }

    async fn upsert_contacts(
        &self,
        cx: &Context,
        contacts: &[Contact],
    ) -> Result<Vec<Result<Upserted>>> {
        let mut people = self.lock();
        let mut results = Vec::new();
        for batch in contacts.chunks(self.profile.max_batch) {
            let at = stamp(&people, cx);
            for contact in batch {
                let known = people.iter().position(|one| one.email == contact.email);
                let id = known.unwrap_or(people.len());
                let person = Person {
                    email: contact.email.clone(),
                    at,
                    deleted: false,
                };
                match known {
                    Some(id) => people[id] = person,
                    None => people.push(person),
                }
                results.push(Ok(Upserted {
                    id: format!("{id:04}"),
                    created: None,
                }));
            }
        }
        Ok(results)
    }

    async fn changes_since(&self, _: &Context, _: &str, cursor: Option<&str>) -> Result<Changes> {
        let wrong = |_| Error::invalid("cursor", "not a cursor of the toy");
        let cursor: Option<(DateTime<Utc>, String)> = cursor
            .map(serde_json::from_str)
            .transpose()
            .map_err(wrong)?;
        let people = self.lock().clone();
        let mut rows: Vec<_> = people
            .into_iter()
            .enumerate()
            .map(|(id, person)| (person.at, format!("{id:04}"), person.deleted))
            .filter(|(at, id, _)| match (&cursor, self.page) {
                (None, _) => true,
                (Some(last), Page::AfterTheRow) => (at, id) > (&last.0, &last.1),
                (Some(last), Page::AfterTheTime) => *at > last.0,
            })
            .collect();
        rows.sort();
        let mut changes = Changes {
            more: rows.len() > self.size,
            ..Changes::default()
        };
        rows.truncate(self.size);
        let last = rows.last().map(|(at, id, _)| (*at, id.clone()));
        changes.cursor = Some(json!(last.or(cursor)).to_string());
        for (at, id, deleted) in rows {
            match deleted {
                true => changes.deleted.push(id),
                false => changes.records.push(Record {
                    id,
                    fields: Value::Null,
                    updated_at: Some(at),
                }),
            }
        }
        Ok(changes)
    }

    async fn archive(&self, cx: &Context, _: &str, id: &str) -> Result<()> {
        let mut people = self.lock();
        let at = stamp(&people, cx);
        let number = id.parse().ok();
        let person = number.and_then(|number: usize| people.get_mut(number));
        let person = person.ok_or_else(|| Error::new(ErrorKind::NotFound, "nobody"))?;
        (person.at, person.deleted) = (at, true);
        Ok(())
    }

    async fn identify(&self, _: &Context) -> Result<Vec<Identity>> {
        none()
    }

    async fn find_contact(&self, _: &Context, _: &str) -> Result<Option<Record>> {
        none()
    }

    async fn upsert_leads(&self, _: &Context, _: &[Lead]) -> Result<Vec<Result<Upserted>>> {
        none()
    }

    async fn upsert_companies(&self, _: &Context, _: &[Company]) -> Result<Vec<Result<Upserted>>> {
        none()
    }

    async fn record_activity(&self, _: &Context, _: &Activity) -> Result<Upserted> {
        none()
    }

    async fn record_campaign(&self, _: &Context, _: &CampaignRecord) -> Result<CampaignRecorded> {
        none()
    }

    async fn fields(&self, _: &Context, _: &str) -> Result<Vec<Field>> {
        none()
    }

    async fn ensure_fields(&self, _: &Context, _: &str, _: &[Field]) -> Result<Vec<String>> {
        none()
    }

    async fn raw(&self, _: &Context, _: Method, _: &str, _: Option<&Value>) -> Result<Value> {
        none()
    }
}

async fn read_changes(page: Page, size: usize) {
    let platform = Platform::from_static("toy");
    let api = ApiVersion::new("1", "https://toy.example/");
    let mut profile = CrmProfile::new(platform, "Toy", api);
    profile.changes = true;
    profile.max_batch = size;
    let clock = ManualClock::parse("2026-11-20T09:00:00Z");
    let sandbox = Sandbox::new().with_clock(Arc::new(clock.clone()));
    let test = CrmUnderTest {
        crm: Arc::new(Toy {
            profile,
            page,
            size,
            people: Mutex::default(),
        }),
        context: Context::new(sandbox.clone()).with_clock(Arc::new(clock.clone())),
        sandbox,
        clock,
        poison: |_| (),
        contacts: "person",
        custom: "touchpoint",
        write: (Method::POST, "/people"),
        raw: "people",
    };
    crm::changes_miss_nothing(&test).await;
}

#[tokio::test]
async fn a_reader_that_goes_on_after_the_row_misses_nothing() {
    for size in [1, 25, 50, 60, 100, 200, 1_000] {
        read_changes(Page::AfterTheRow, size).await;
    }
}

/// Batches are as large as pages, as Twenty's (60) and HubSpot's (100).
#[tokio::test]
#[should_panic(expected = "creations were missed")]
async fn a_reader_that_goes_on_after_the_time_fails_on_pages_of_60() {
    read_changes(Page::AfterTheTime, 60).await;
}

#[tokio::test]
#[should_panic(expected = "creations were missed")]
async fn a_reader_that_goes_on_after_the_time_fails_on_pages_of_100() {
    read_changes(Page::AfterTheTime, 100).await;
}

#[tokio::test]
#[should_panic(expected = "creations were missed")]
async fn a_reader_that_goes_on_after_the_time_fails_on_pages_of_200() {
    read_changes(Page::AfterTheTime, 200).await;
}
