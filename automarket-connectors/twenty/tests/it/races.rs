//! What others write between our look and our write, and what Twenty makes of values that it is sent.

use std::sync::{Arc, Mutex};

use automarket_connector_twenty::testing::FakeTwenty;
use automarket_core::{
    Bytes, Context, Credential, CrmProvider as _, ErrorKind, async_trait,
    crm::{Company, Contact, Upserted},
    http::{Body, Transport, TransportError},
    http_types::{Request, Response},
    testing::Fake as _,
};
use serde_json::{Value, json};

use crate::{World, contact};

type Event = Box<dyn FnOnce(&FakeTwenty) + Send>;

/// A line on which something happens just before the first batch arrives, and which remembers what was written.
#[derive(Clone)]
struct Line {
    world: Arc<World>,
    event: Arc<Mutex<Option<Event>>>,
    written: Arc<Mutex<Vec<Value>>>,
}

impl Line {
    fn quiet(world: World) -> Self {
        Self {
            world: Arc::new(world),
            event: Arc::default(),
            written: Arc::default(),
        }
    }

    fn before_the_write(&self, event: impl FnOnce(&FakeTwenty) + Send + 'static) {
        *self.event.lock().unwrap() = Some(Box::new(event));
    }

    /// The only record of the last batch.
    fn written(&self) -> Value {
        self.written.lock().unwrap().last().unwrap()[0].clone()
    }

    fn cx(&self) -> Context {
        Context::new(self.clone())
            .with_clock(Arc::new(self.world.clock.clone()))
            .with_credential(Credential::token(FakeTwenty::TOKEN))
    }

    async fn upsert(&self, contact: Contact) -> Upserted {
        let (cx, contacts) = (self.cx(), [contact]);
        let results = self.world.twenty.upsert_contacts(&cx, &contacts).await;
        results.unwrap().remove(0).unwrap()
    }

    /// What the workspace holds of these objects.
    fn held(&self, object: &str) -> Vec<Value> {
        let platform = automarket_connector_twenty::PLATFORM;
        let effects = self.world.sandbox.effects(&platform);
        let of_it = |effect: &Value| effect["object"] == object;
        effects.into_iter().filter(of_it).collect()
    }
}

#[async_trait]
impl Transport for Line {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        if request.uri().path().starts_with("/rest/batch/") {
            if let Some(event) = self.event.lock().unwrap().take() {
                event(&self.world.fake);
            }
            let body = serde_json::from_slice(request.body()).unwrap();
            self.written.lock().unwrap().push(body);
        }
        self.world.sandbox.send(request).await
    }
}

/// Twenty parses a number, and keeps a code that it is sent, an empty one too.
#[tokio::test]
async fn a_number_keeps_its_country_and_is_written_once() {
    let line = Line::quiet(World::new());
    for (number, spoken, kept) in [
        (
            "+4915123456789",
            "+49 151 23456789",
            ["+49", "DE", "15123456789"],
        ),
        (
            "+442079460958",
            "+44 (20) 7946-0958",
            ["+44", "GB", "2079460958"],
        ),
    ] {
        let ann = |phone: &str| Contact {
            phone: Some(phone.to_owned()),
            ..contact("ann@example.com")
        };
        line.upsert(ann(number)).await;
        let phones = line.held("person").remove(0)["phones"].clone();
        let parts = ["CallingCode", "CountryCode", "Number"];
        let parts = parts.map(|part| phones[format!("primaryPhone{part}")].clone());
        assert_eq!(json!(parts), json!(kept));
        // What is there is not written again, however it is spelled.
        line.upsert(ann(spoken)).await;
        assert!(line.written().get("phones").is_none(), "{}", line.written());
    }
}

/// A person whom others make in between is met by the address: what they wrote and the contact does not speak of stays.
#[tokio::test]
async fn somebody_who_appears_before_the_write_loses_nothing() {
    let line = Line::quiet(World::new());
    let emails =
        json!({"primaryEmail": "ann@example.com", "additionalEmails": ["ann@home.example"]});
    let lee = json!({"name": {"firstName": "A.", "lastName": "Lee"}, "emails": emails});
    let at = line.cx().now();
    line.before_the_write(move |fake| fake.import("person", vec![lee], at));
    let ann = Contact {
        last_name: None,
        ..contact("ann@example.com")
    };
    line.upsert(ann).await;
    let [held] = &line.held("person")[..] else {
        panic!("there is one Ann")
    };
    assert_eq!(held["emails"], emails);
    assert_eq!(held["name"], json!({"firstName": "Ann", "lastName": "Lee"}));
}

/// Destroys them, as somebody may who has the right.
fn destroy(fake: &FakeTwenty, objects: &str, id: &str, line: &Line) {
    let request = Request::delete(format!("{}/rest/{objects}/{id}", FakeTwenty::BASE_URL))
        .header("authorization", format!("Bearer {}", FakeTwenty::TOKEN))
        .body(Bytes::new());
    let reply = fake.handle(&request.unwrap(), line.cx().now());
    assert_eq!(reply.status(), 200);
}

/// An upsert by an id that is gone makes the record anew: whole, so that it is met again.
#[tokio::test]
async fn what_is_destroyed_before_the_write_is_made_whole() {
    let line = Line::quiet(World::new());
    let (twenty, acme) = (line.world.twenty.clone(), acme("acme.dev"));
    let ann = contact("ann@example.com");
    let id = line.upsert(ann.clone()).await.id;
    let at = line.clone();
    line.before_the_write(move |fake| destroy(fake, "people", &id, &at));
    for _ in 0..2 {
        line.upsert(ann.clone()).await;
    }
    let people = line.held("person");
    assert_eq!(people.len(), 1, "{people:?}");
    assert_eq!(people[0]["emails"]["primaryEmail"], "ann@example.com");
    // A company's further links are read along, since Twenty drops those that are left out.
    let links = json!({"primaryLinkUrl": "https://acme.dev", "primaryLinkLabel": "Acme", "secondaryLinks": r#"[{"url":"https://acme.io","label":"more"}]"#});
    let now = line.cx().now();
    let company = json!({"name": "Acme", "domainName": links});
    line.world.fake.import("company", vec![company], now);
    let before = line.held("company").remove(0);
    let companies = [acme];
    twenty
        .upsert_companies(&line.cx(), &companies)
        .await
        .unwrap();
    assert_eq!(line.held("company"), std::slice::from_ref(&before));
    let (at, id) = (line.clone(), before["id"].as_str().unwrap().to_owned());
    line.before_the_write(move |fake| destroy(fake, "companies", &id, &at));
    for _ in 0..2 {
        twenty
            .upsert_companies(&line.cx(), &companies)
            .await
            .unwrap();
    }
    let [held] = &line.held("company")[..] else {
        panic!("there is one Acme")
    };
    assert_eq!(held["domainName"], before["domainName"]);
}

/// An older server kept both spellings of an address, of which a current one makes one: the id says who is meant.
#[tokio::test]
async fn a_known_record_whose_address_became_anothers_is_written_by_its_id() {
    let world = World::with(FakeTwenty::old());
    let email = |email: &str| json!({"emails": {"primaryEmail": email}});
    let twins = ["ann@xn--mller-kva.de", "ann@müller.de"].map(email);
    world.fake.import("person", twins.to_vec(), world.cx.now());
    let mut saved = world.fake.save();
    saved["old"] = json!(false);
    world.fake.load(saved).unwrap();
    let line = Line::quiet(world);
    let ann = contact("ann@müller.de");
    let known = line.upsert(ann.clone()).await;
    assert_eq!(known.created, Some(false));
    assert_eq!(line.written()["id"], known.id.as_str());
    let people = line.held("person");
    let named: Vec<_> = people
        .iter()
        .filter(|person| person["id"] == known.id.as_str())
        .collect();
    assert_eq!(
        (people.len(), &named[0]["name"]["firstName"]),
        (2, &json!("Ann"))
    );
    // What the host itself wants to write is not left out: this is for people to decide.
    let fields = email("ann@xn--mller-kva.de");
    let fields = [("emails".to_owned(), fields["emails"].clone())].into();
    let (cx, own) = (line.cx(), [Contact { fields, ..ann }]);
    let results = line.world.twenty.upsert_contacts(&cx, &own).await.unwrap();
    assert_eq!(results[0].as_ref().unwrap_err().kind(), ErrorKind::Conflict);
}

fn acme(domain: &str) -> Company {
    Company {
        domain: domain.into(),
        name: "Acme".into(),
        ..Company::default()
    }
}
