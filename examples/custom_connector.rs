//! A connector of a host's own, from nothing to published: `cargo run --example custom_connector`.
//!
//! The platform is a bulletin board with three endpoints. Its connector is wire facts and nothing else: a
//! profile, one function per endpoint, and what the answers mean. Its fake is the board in a box, so that
//! everything runs offline; live, the sandbox makes way for a `ReqwestTransport`. The test at the end holds it to
//! what every publisher promises: `cargo test --example custom_connector`.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use automarket::{
    Automarket, Context, Credential, Error, Identity, Keyring, Platform, Post, Profile, Publisher,
    Result, When,
    core::{
        Bytes, Handle, Intent, Lookup, Metrics, Outcome, Receipt, async_trait, chrono,
        http_types::{Method, Request, Response},
    },
    http::{Call, classify, segment},
    profile::{ApiVersion, TextUnit},
    publisher::{require, undeclared},
    store::{Account, MemoryStore},
    testing::{Fake, Fault, FaultRule, Sandbox, json_reply},
};
use serde_json::{Value, json};

const PLATFORM: Platform = Platform::from_static("bulletin");
const BOARD: &str = "board-1";
const TOKEN: &str = "bulletin-token";

// ---- the connector -------------------------------------------------------------------------------------

struct Bulletin {
    profile: Profile,
}

impl Bulletin {
    fn new() -> Self {
        let api = ApiVersion::new("v1", "https://bulletin.example/docs");
        let mut profile = Profile::new(PLATFORM, "Bulletin", api);
        profile.text.unit = TextUnit::Graphemes;
        profile.text.limit = Some(200);
        profile.abilities.publish = true;
        profile.abilities.find = true;
        Self { profile }
    }

    async fn note(&self, cx: &Context, key: &str) -> Result<Lookup> {
        let url = format!("https://bulletin.example/v1/notes/{}", segment(key)?);
        let reply = cx
            .call(Call::get("notes.get", &url)?.bearer(cx.token()?))
            .await?;
        match reply.status.as_u16() {
            200 => Ok(Lookup::Found(Outcome::Done(receipt(&reply.json()?)))),
            404 => Ok(Lookup::Absent),
            _ => Err(classify(&reply, cx.now()).with_platform(&PLATFORM)),
        }
    }
}

fn receipt(note: &Value) -> Receipt {
    Receipt::new(note["id"].as_str().unwrap_or_default())
}

#[async_trait]
impl Publisher for Bulletin {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    async fn identify(&self, cx: &Context) -> Result<Vec<Identity>> {
        let call = Call::get("me", "https://bulletin.example/v1/me")?;
        let reply = cx.call(call.bearer(cx.token()?)).await?;
        if !reply.ok() {
            return Err(classify(&reply, cx.now()).with_platform(&PLATFORM));
        }
        let me: Value = reply.json()?;
        let text = |name: &str| me[name].as_str().unwrap_or_default().to_owned();
        Ok(vec![Identity::new(text("id"), PLATFORM, text("name"))])
    }

    async fn publish(&self, cx: &Context, post: &Post) -> Result<Outcome> {
        // What the profile does not declare and what the checks block is refused here, before any request.
        let content = require(self, cx, post)?;
        let text = content.final_text(&self.profile);
        let key = cx
            .key()
            .ok_or_else(|| Error::invalid("key", "the board needs a key for each note"))?;
        // Another post by the same context is refused: it would be answered with this one's note.
        cx.intends("bulletin", &content)?;
        // The one write stands in `once`: after a lost answer the board is asked before anything is sent.
        cx.once(
            "bulletin.note",
            || async { self.note(cx, key).await?.into_once() },
            || async {
                let call = Call::post("notes.create", "https://bulletin.example/v1/notes")?
                    .bearer(cx.token()?)
                    .json(&json!({"key": key, "text": text}))?;
                let reply = cx.call(call).await?;
                if !reply.ok() {
                    return Err(classify(&reply, cx.now()).with_platform(&PLATFORM));
                }
                Ok(Outcome::Done(receipt(&reply.json()?)))
            },
        )
        .await
    }

    async fn poll(&self, _cx: &Context, _handle: &Handle) -> Result<Outcome> {
        Err(undeclared(&self.profile, "poll"))
    }

    async fn find(&self, cx: &Context, intent: &Intent) -> Result<Lookup> {
        self.note(cx, &intent.key).await
    }

    async fn measure(&self, _cx: &Context, _receipt: &Receipt) -> Result<Metrics> {
        Err(undeclared(&self.profile, "measure"))
    }

    async fn delete(&self, _cx: &Context, _receipt: &Receipt) -> Result<()> {
        Err(undeclared(&self.profile, "delete"))
    }
}

// ---- the board in a box --------------------------------------------------------------------------------

#[derive(Default)]
struct FakeBoard {
    notes: Mutex<Vec<Value>>,
}

impl FakeBoard {
    fn notes(&self) -> std::sync::MutexGuard<'_, Vec<Value>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fake for FakeBoard {
    fn platform(&self) -> Platform {
        PLATFORM
    }

    fn hosts(&self) -> Vec<String> {
        vec!["bulletin.example".into()]
    }

    fn handle(
        &self,
        request: &Request<Bytes>,
        _now: chrono::DateTime<chrono::Utc>,
    ) -> Response<Bytes> {
        let bearer = request
            .headers()
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        if bearer != Some(&format!("Bearer {TOKEN}")) {
            return json_reply(401, &json!({"message": "bad token"}));
        }
        let mut notes = self.notes();
        if request.uri().path() == "/v1/me" {
            return json_reply(200, &json!({"id": BOARD, "name": "Acme's board"}));
        }
        if request.method() == Method::GET {
            let key = request.uri().path().rsplit('/').next().unwrap_or_default();
            return match notes.iter().find(|note| note["key"] == key) {
                Some(note) => json_reply(200, note),
                None => json_reply(404, &json!({"message": "no such note"})),
            };
        }
        let mut note: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        note["id"] = json!(format!("note-{}", notes.len() + 1));
        notes.push(note.clone());
        json_reply(201, &note)
    }

    fn effects(&self) -> Vec<Value> {
        self.notes().clone()
    }

    fn save(&self) -> Value {
        json!(*self.notes())
    }

    fn load(&self, state: Value) -> Result<()> {
        *self.notes() = state.as_array().cloned().unwrap_or_default();
        Ok(())
    }
}

// ---- the host ------------------------------------------------------------------------------------------

#[tokio::main]
async fn main() -> Result<()> {
    let sandbox = Sandbox::new().with(Arc::new(FakeBoard::default()));
    // The worst case: the board takes the note, and its answer is lost on the way.
    sandbox
        .faults()
        .add(FaultRule::on("/v1/notes", Fault::CutAfter));

    let market = Automarket::builder(MemoryStore::new())
        .transport(sandbox.clone())
        .publisher(Bulletin::new())
        .keyring(Keyring::random())
        // This board shows what it took at once. A real platform may still be at work on it: a minute is the rule.
        .look_after(Duration::from_secs(1))
        .build()?;
    let tenant = market.tenant("acme")?;
    let account = Account::new(tenant.id().clone(), PLATFORM, BOARD);
    let account = tenant
        .add_account(account, Credential::token(TOKEN))
        .await?;

    let post = Post::text("We shipped!").link("https://acme.example/blog/1")?;
    let id = tenant.publish(post, [account.id], When::Now).await?;

    // A worker runs until the post has come to its end.
    let done = async {
        loop {
            match tenant.publications(id).await {
                Ok(all)
                    if all
                        .iter()
                        .all(|publication| publication.state.is_terminal()) =>
                {
                    return;
                }
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    market.worker().run_until(done).await?;

    for publication in tenant.publications(id).await? {
        println!(
            "{}: {}",
            publication.target.network,
            publication.state.as_str()
        );
    }
    let notes = sandbox.effects(&PLATFORM);
    println!("the board holds {} note: {}", notes.len(), notes[0]["text"]);
    assert_eq!(
        notes.len(),
        1,
        "a lost answer is looked up, never sent twice"
    );
    Ok(())
}

// ---- what it promises ----------------------------------------------------------------------------------

#[cfg(test)]
mod tests {
    use automarket::{
        TenantId,
        testing::{
            ManualClock,
            conformance::publisher::{self, PublisherUnderTest},
        },
    };

    use super::*;

    /// A world of its own for each case.
    fn fresh() -> PublisherUnderTest {
        let clock = ManualClock::parse("2027-01-11T09:00:00Z");
        let sandbox = Sandbox::new()
            .with(Arc::new(FakeBoard::default()))
            .with_clock(Arc::new(clock.clone()));
        let tenant = TenantId::new("acme").expect("a name");
        let context = Context::new(sandbox.clone())
            .with_clock(Arc::new(clock.clone()))
            .with_account(Account::new(tenant, PLATFORM, BOARD))
            .with_credential(Credential::token(TOKEN));
        PublisherUnderTest {
            publisher: Arc::new(Bulletin::new()),
            sandbox,
            clock,
            context,
            other: None,
            bad_credential: Credential::token("wrong-token"),
            secrets: vec![TOKEN.to_owned(), "wrong-token".to_owned()],
            post: Post::text("Hello"),
            write: (Method::POST, "/v1/notes"),
        }
    }

    // Paused: a hanging answer costs no time.
    #[tokio::test(start_paused = true)]
    async fn it_keeps_the_publisher_contract() {
        publisher::all(fresh).await;
    }
}
