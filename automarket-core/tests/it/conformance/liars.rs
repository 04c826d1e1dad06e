//! A publisher that declares more than it does.

use std::sync::{Arc, Mutex, PoisonError};

use automarket_core::{
    Bytes, Context, Credential, Delivery, Handle, Identity, Intent, Lookup, Metrics, Outcome,
    Platform, Post, Profile, Publisher, Receipt, Result, async_trait,
    chrono::{DateTime, Utc},
    http::Call,
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

const PLATFORM: Platform = Platform::from_static("hall");

/// Declares everything, and sends what `forgets` leaves of a post.
struct Liar {
    profile: Profile,
    forgets: fn(&mut Post),
    /// Whether what is sent at once is only taken at first, as a scheduler does.
    slow: bool,
}

#[async_trait]
impl Publisher for Liar {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    async fn identify(&self, _: &Context) -> Result<Vec<Identity>> {
        Ok(Vec::new())
    }

    async fn publish(&self, cx: &Context, post: &Post) -> Result<Outcome> {
        let mut post = post.clone();
        (self.forgets)(&mut post);
        let call = Call::post("post", "https://hall.example/posts")?.json(&post)?;
        let posted: Value = cx.call(call).await?.json()?;
        let remote_id = posted["id"].as_str().unwrap_or_default().to_owned();
        let data = Value::Null;
        Ok(match post.delivery {
            Delivery::Now if !self.slow => Outcome::Done(Receipt::new(remote_id)),
            _ => Outcome::Accepted(Handle {
                remote_id,
                due: None,
                data,
            }),
        })
    }

    async fn poll(&self, cx: &Context, handle: &Handle) -> Result<Outcome> {
        let url = format!("https://hall.example/posts/{}", handle.remote_id);
        let posted: Post = cx.call(Call::get("posts", &url)?).await?.json()?;
        Ok(match posted.delivery {
            Delivery::Now => Outcome::Done(Receipt::new(&*handle.remote_id)),
            _ => Outcome::Accepted(handle.clone()),
        })
    }

    async fn find(&self, _: &Context, _: &Intent) -> Result<Lookup> {
        Err(undeclared(&self.profile, "find"))
    }

    async fn measure(&self, _: &Context, _: &Receipt) -> Result<Metrics> {
        Err(undeclared(&self.profile, "measure"))
    }

    async fn delete(&self, _: &Context, _: &Receipt) -> Result<()> {
        Err(undeclared(&self.profile, "delete"))
    }
}

#[derive(Default)]
struct Hall(Mutex<Vec<Value>>);

impl Fake for Hall {
    fn platform(&self) -> Platform {
        PLATFORM
    }

    fn hosts(&self) -> Vec<String> {
        vec!["hall.example".to_owned()]
    }

    fn handle(&self, request: &Request<Bytes>, _: DateTime<Utc>) -> Response<Bytes> {
        let mut posts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if request.method() == Method::GET {
            return json_reply(200, posts.last().unwrap_or(&Value::Null));
        }
        posts.push(serde_json::from_slice(request.body()).unwrap_or_default());
        json_reply(201, &json!({"id": posts.len().to_string()}))
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

fn fresh(forgets: fn(&mut Post), slow: bool) -> PublisherUnderTest {
    let api = ApiVersion::new("1", "https://hall.example/");
    let mut profile = Profile::new(PLATFORM, "Hall", api);
    let able = &mut profile.abilities;
    (able.publish, able.schedule, able.draft, able.queue) = (true, true, true, true);
    (able.thread, able.first_comment, able.idempotency_key) = (true, true, true);
    let clock = ManualClock::parse("2026-11-20T18:00:00Z");
    let sandbox = Sandbox::new()
        .with(Arc::<Hall>::default())
        .with_clock(Arc::new(clock.clone()));
    PublisherUnderTest {
        publisher: Arc::new(Liar {
            profile,
            forgets,
            slow,
        }),
        context: Context::new(sandbox.clone()).with_clock(Arc::new(clock.clone())),
        sandbox,
        clock,
        other: None,
        bad_credential: Credential::token("wrong"),
        secrets: Vec::new(),
        post: Post::text("Hello"),
        write: (Method::POST, "/posts"),
    }
}

async fn judged(forgets: fn(&mut Post), slow: bool) {
    let fresh = || fresh(forgets, slow);
    publisher::declared_deliveries_work_and_others_are_unsupported(&fresh).await;
}

fn at_once(post: &mut Post, this: fn(Delivery) -> bool) {
    if this(post.delivery) {
        post.delivery = Delivery::Now;
    }
}

#[tokio::test]
async fn who_does_what_is_declared_passes() {
    judged(|_| (), false).await;
    judged(|_| (), true).await;
}

#[tokio::test]
#[should_panic(expected = "publish with the same key, the platform has")]
async fn a_key_that_holds_off_no_repeat_fails() {
    publisher::the_same_key_publishes_once(&fresh(|_| (), false)).await;
}

#[tokio::test]
#[should_panic(expected = "the thread is not in")]
async fn a_dropped_thread_fails() {
    judged(|post| post.base.thread = None, false).await;
}

#[tokio::test]
#[should_panic(expected = "the first comment is not in")]
async fn a_dropped_first_comment_fails() {
    judged(|post| post.base.first_comment = None, false).await;
}

#[tokio::test]
#[should_panic(expected = "the schedule is public at once")]
async fn a_scheduled_post_that_goes_out_at_once_fails() {
    let forgets = |post: &mut Post| at_once(post, |way| matches!(way, Delivery::At(_)));
    judged(forgets, false).await;
}

#[tokio::test]
#[should_panic(expected = "the queue is public at once")]
async fn a_queued_post_that_goes_out_at_once_fails() {
    judged(|post| at_once(post, |way| way == Delivery::Queue), false).await;
}

#[tokio::test]
#[should_panic(expected = "the draft is public at once")]
async fn a_draft_that_goes_out_at_once_fails() {
    judged(|post| at_once(post, |way| way == Delivery::Draft), false).await;
}

#[tokio::test]
#[should_panic(expected = "the draft became public")]
async fn a_draft_that_goes_out_later_fails() {
    judged(|post| at_once(post, |way| way == Delivery::Draft), true).await;
}
