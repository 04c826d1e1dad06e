//! Publishers that look for a lost post in the wrong stretch of time.

use std::sync::{Arc, Mutex, PoisonError};

use automarket_core::{
    Bytes, Context, Credential, Error, ErrorKind, Handle, Identity, Intent, Lookup, Metrics,
    Outcome, Platform, Post, Profile, Publisher, Receipt, Result, async_trait,
    chrono::{DateTime, TimeDelta, Utc},
    http::{Call, classify},
    http_types::{Method, Request, Response},
    profile::ApiVersion,
    publisher::undeclared,
    testing::{
        Fake, ManualClock, Sandbox,
        conformance::publisher::{self, PublisherUnderTest},
        json_reply,
    },
};
use serde_json::{Value, json};

/// Since when a post may be the lost one.
#[derive(Clone, Copy)]
enum Since {
    TheSending,
    AnHourAgo,
    Ever,
}

struct Toy {
    profile: Profile,
    since: Since,
}

impl Toy {
    async fn ask(&self, cx: &Context, call: Call) -> Result<Value> {
        let reply = cx.call(call.bearer(cx.token()?)).await?;
        match reply.ok() {
            true => reply.json(),
            false => Err(classify(&reply, cx.now())),
        }
    }

    async fn look(&self, cx: &Context, post: &Post, begun: DateTime<Utc>) -> Result<Lookup> {
        let listed = self.ask(cx, Call::get("list", "https://toy.example/posts")?);
        let listed = listed.await?;
        let since = match self.since {
            Since::TheSending => begun,
            Since::AnHourAgo => cx.now() - TimeDelta::hours(1),
            Since::Ever => DateTime::UNIX_EPOCH,
        };
        let fits = |listed: &&Value| {
            let at = listed["at"].as_str().and_then(|at| at.parse().ok());
            listed["text"].as_str() == post.base.text.as_deref() && at >= Some(since)
        };
        Ok(match listed.as_array().into_iter().flatten().find(fits) {
            Some(found) => Lookup::Found(done(found)?),
            None => Lookup::Absent,
        })
    }
}

fn done(post: &Value) -> Result<Outcome> {
    let id = post["id"].as_str();
    let id = id.ok_or_else(|| Error::new(ErrorKind::UnexpectedReply, "no id"))?;
    Ok(Outcome::Done(Receipt::new(id)))
}

#[async_trait]
impl Publisher for Toy {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    async fn identify(&self, _: &Context) -> Result<Vec<Identity>> {
        Ok(Vec::new())
    }

    async fn publish(&self, cx: &Context, post: &Post) -> Result<Outcome> {
        let begun = cx.step("toy.begun", || async { Ok(cx.now()) }).await?;
        let find = || async { self.look(cx, post, begun).await?.into_once() };
        let send = || async {
            let call = Call::post("post", "https://toy.example/posts")?;
            done(&self.ask(cx, call.json(&post.base.text)?).await?)
        };
        cx.once("toy.post", find, send).await
    }

    async fn poll(&self, _: &Context, _: &Handle) -> Result<Outcome> {
        Err(undeclared(&self.profile, "poll"))
    }

    async fn find(&self, cx: &Context, intent: &Intent) -> Result<Lookup> {
        self.look(cx, &intent.post, intent.at).await
    }

    async fn measure(&self, _: &Context, _: &Receipt) -> Result<Metrics> {
        Err(undeclared(&self.profile, "measure"))
    }

    async fn delete(&self, _: &Context, _: &Receipt) -> Result<()> {
        Err(undeclared(&self.profile, "delete"))
    }
}

#[derive(Default)]
struct FakeToy(Mutex<Vec<Value>>);

impl Fake for FakeToy {
    fn platform(&self) -> Platform {
        platform()
    }

    fn hosts(&self) -> Vec<String> {
        vec!["toy.example".to_owned()]
    }

    fn handle(&self, request: &Request<Bytes>, now: DateTime<Utc>) -> Response<Bytes> {
        let mut posts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if request.method() == Method::GET {
            return json_reply(200, &json!(*posts));
        }
        let text: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let post = json!({"id": posts.len().to_string(), "text": text, "at": now});
        posts.push(post.clone());
        json_reply(201, &post)
    }

    fn effects(&self) -> Vec<Value> {
        let posts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        posts.clone()
    }

    fn save(&self) -> Value {
        json!(self.effects())
    }

    fn load(&self, _: Value) -> Result<()> {
        Ok(())
    }
}

fn platform() -> Platform {
    Platform::from_static("toy")
}

fn fresh(since: Since) -> PublisherUnderTest {
    let api = ApiVersion::new("1", "https://toy.example/");
    let mut profile = Profile::new(platform(), "Toy", api);
    profile.abilities.publish = true;
    profile.abilities.find = true;
    let clock = ManualClock::parse("2026-11-20T18:00:00Z");
    let sandbox = Sandbox::new()
        .with(Arc::<FakeToy>::default())
        .with_clock(Arc::new(clock.clone()));
    PublisherUnderTest {
        publisher: Arc::new(Toy { profile, since }),
        context: Context::new(sandbox.clone())
            .with_clock(Arc::new(clock.clone()))
            .with_credential(Credential::token("token")),
        sandbox,
        clock,
        other: None,
        bad_credential: Credential::token("wrong"),
        secrets: Vec::new(),
        post: Post::text("Hello"),
        write: (Method::POST, "/posts"),
    }
}

async fn find(since: Since) {
    publisher::find_picks_the_right_one(&fresh(since)).await;
}

async fn go_on(since: Since) {
    publisher::a_lost_answer_is_settled_a_day_later(&|| fresh(since)).await;
}

#[tokio::test]
async fn what_is_looked_for_since_the_sending_is_found() {
    find(Since::TheSending).await;
    go_on(Since::TheSending).await;
}

#[tokio::test]
#[should_panic(expected = "key-1 was published as 0, but a day later find says Absent")]
async fn a_find_that_forgets_after_an_hour_fails() {
    find(Since::AnHourAgo).await;
}

#[tokio::test]
#[should_panic(expected = "key-6 never left, though the same words once did")]
async fn a_find_that_takes_an_older_post_fails() {
    find(Since::Ever).await;
}

#[tokio::test]
#[should_panic(expected = "CutAfter, gone on with a day later, the platform has")]
async fn a_publish_that_forgets_after_an_hour_fails() {
    go_on(Since::AnHourAgo).await;
}

#[tokio::test]
#[should_panic(expected = "CutBefore was answered with an older post")]
async fn a_publish_that_takes_an_older_post_fails() {
    go_on(Since::Ever).await;
}
