//! Every connector with marked secrets, at each of its calls every sort of failure, and answers that repeat what
//! they were asked with.

use std::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
};

use automarket::{
    Media, Notice, Publisher as _,
    connectors::{
        claude::{self, Claude, ClaudeConfig},
        facebook::{self, Facebook, FacebookConfig},
        firecrawl::{self, Firecrawl},
        instagram::{self, Instagram, InstagramConfig, Login},
        linkedin::{self, LinkedIn, LinkedInConfig},
        mixpost::{self, Mixpost, MixpostConfig},
        slack::{self, Slack},
        twenty::{self, Twenty, TwentyConfig},
        x::{self, X, XConfig},
    },
    core::{
        Bytes, CrmProvider as _, Notifier as _, PageSource as _,
        ai::{LanguageModel as _, ModelRequest},
        async_trait,
        crm::Contact,
        http_types::{HeaderValue, Request, Response, StatusCode, Uri},
    },
    http::{Body, TransportError},
    testing::{Fake, Fault, FaultRule, LocalMediaHost, Sandbox},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;

const JPEG: &[u8] = b"\xFF\xD8\xFF\xE0\0\x10JFIF";
/// So many calls of one piece of work are failed, one after the other.
const CALLS: usize = 6;

/// What else than publishing a connector does with an account.
type Work = fn(Context) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connector with its fake, whose own secrets are marked ones on this side.
struct Subject {
    platform: Platform,
    remote_id: &'static str,
    /// The first is the account's.
    secrets: &'static [&'static str],
    fake: fn(&LocalMediaHost) -> Arc<dyn Fake>,
    register: fn(Builder) -> Builder,
    publishes: bool,
    work: Work,
}

const NOTHING: Work = |_| Box::pin(async {});

fn subjects() -> Vec<Subject> {
    let base = Subject {
        platform: x::PLATFORM,
        remote_id: x::testing::USER,
        secrets: &[x::testing::TOKEN],
        fake: |_| Arc::new(x::testing::FakeX::new()),
        register: |market| market.publisher(X::new(XConfig::default())),
        publishes: true,
        work: |cx| {
            Box::pin(async move {
                shown(X::new(XConfig::default()).identify(&cx).await);
            })
        },
    };
    vec![
        Subject {
            platform: linkedin::PLATFORM,
            remote_id: linkedin::testing::ORGANIZATION,
            secrets: &[linkedin::testing::TOKEN],
            fake: |_| Arc::new(linkedin::testing::FakeLinkedIn::new()),
            register: |market| market.publisher(LinkedIn::new(LinkedInConfig::default())),
            publishes: true,
            work: |cx| {
                Box::pin(async move {
                    shown(LinkedIn::new(LinkedInConfig::default()).identify(&cx).await);
                })
            },
        },
        // A page, and the user whose login lists pages with their tokens.
        Subject {
            platform: facebook::PLATFORM,
            remote_id: facebook::testing::PAGE,
            secrets: &[facebook::testing::TOKEN],
            fake: |_| Arc::new(facebook::testing::FakeFacebook::new()),
            register: |market| market.publisher(pages()),
            publishes: true,
            work: NOTHING,
        },
        Subject {
            platform: facebook::PLATFORM,
            remote_id: facebook::testing::PAGE,
            secrets: &[
                facebook::testing::USER_TOKEN,
                facebook::testing::TOKEN,
                facebook::testing::OTHER_TOKEN,
            ],
            fake: |_| Arc::new(facebook::testing::FakeFacebook::new()),
            register: |market| market.publisher(pages()),
            publishes: false,
            work: |cx| {
                Box::pin(async move {
                    shown(pages().identify(&cx).await);
                })
            },
        },
        Subject {
            platform: instagram::PLATFORM,
            remote_id: instagram::testing::ACCOUNT,
            secrets: &[instagram::testing::TOKEN],
            fake: |host| {
                let fake = instagram::testing::FakeInstagram::new(Login::Instagram);
                Arc::new(fake.fetching(host.clone()))
            },
            register: |market| {
                market.publisher(Instagram::new(InstagramConfig::of(Login::Instagram)))
            },
            publishes: true,
            work: |cx| {
                Box::pin(async move {
                    let instagram = Instagram::new(InstagramConfig::of(Login::Instagram));
                    shown(instagram.identify(&cx).await);
                })
            },
        },
        Subject {
            platform: mixpost::PLATFORM,
            remote_id: "1",
            secrets: &[mixpost::testing::TOKEN],
            fake: |_| Arc::new(mixpost::testing::FakeMixpost::new()),
            register: |market| market.publisher(scheduler()),
            publishes: true,
            work: |cx| {
                Box::pin(async move {
                    shown(scheduler().identify(&cx).await);
                })
            },
        },
        Subject {
            platform: slack::PLATFORM,
            remote_id: slack::testing::CHANNEL,
            secrets: &[slack::testing::TOKEN],
            fake: |_| Arc::new(slack::testing::FakeSlack::new()),
            register: |market| market.notifier(Slack::new()),
            publishes: false,
            work: |cx| {
                Box::pin(async move {
                    shown(Slack::new().identify(&cx).await);
                    let mut notice = Notice::new("Title", "Text");
                    notice.files.push(Media::image(JPEG, "image/jpeg"));
                    shown(Slack::new().notify(&cx, &notice).await);
                })
            },
        },
        Subject {
            platform: twenty::PLATFORM,
            remote_id: twenty::testing::FakeTwenty::WORKSPACE,
            secrets: &[twenty::testing::FakeTwenty::TOKEN],
            fake: |_| Arc::new(twenty::testing::FakeTwenty::new()),
            register: |market| market.crm(crm()),
            publishes: false,
            work: |cx| {
                Box::pin(async move {
                    shown(crm().identify(&cx).await);
                    let ann = Contact {
                        email: "ann@acme.dev".into(),
                        ..Contact::default()
                    };
                    shown(crm().upsert_contacts(&cx, &[ann]).await);
                })
            },
        },
        Subject {
            platform: claude::PLATFORM,
            remote_id: "1",
            secrets: &[claude::testing::FakeClaude::KEY],
            fake: |_| Arc::new(claude::testing::FakeClaude::new()),
            register: |market| market,
            publishes: false,
            work: |cx| {
                Box::pin(async move {
                    let claude = Claude::new(ClaudeConfig::default());
                    shown(claude.identify(&cx).await);
                    let request = ModelRequest {
                        turns: vec!["hello".into()],
                        max_tokens: Some(100),
                        ..ModelRequest::default()
                    };
                    shown(claude.complete(&cx, &request).await);
                })
            },
        },
        Subject {
            platform: firecrawl::PLATFORM,
            remote_id: "1",
            secrets: &[firecrawl::testing::KEY],
            fake: |_| Arc::new(firecrawl::testing::FakeFirecrawl::new()),
            register: |market| market,
            publishes: false,
            work: |cx| {
                Box::pin(async move {
                    shown(Firecrawl::new().read(&cx, "https://acme.dev/").await);
                })
            },
        },
        base,
    ]
}

fn pages() -> Facebook {
    Facebook::new(FacebookConfig::default()).with_app_secret(Secret::new(marked("proof")))
}

fn scheduler() -> Mixpost {
    let (base, workspace) = (mixpost::testing::BASE_URL, mixpost::testing::WORKSPACE);
    Mixpost::new(MixpostConfig::new(base, workspace)).unwrap()
}

fn crm() -> Twenty {
    Twenty::new(TwentyConfig::at(twenty::testing::FakeTwenty::BASE_URL).unwrap())
}

/// Something that is done to one call of a piece of work.
#[derive(Clone, Debug)]
enum Ill {
    None,
    Fault(Fault),
    /// This status, and what was asked with.
    Quote(u16, Quote),
}

/// How an answer repeats what was asked with.
#[derive(Clone, Copy, Debug)]
enum Quote {
    /// All of it, in several spellings.
    Whole,
    /// The header with the secret, in all places where platforms have their codes and data.
    Fields,
    /// The same, and nothing else.
    Bare,
}

impl Quote {
    fn of(self, request: &Request<Bytes>, secrets: &[(&str, String)]) -> serde_json::Value {
        let body = String::from_utf8_lossy(request.body());
        let whole = format!("{} {:?} {body}", request.uri(), request.headers());
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let values: Vec<String> = request.headers().values().map(text).collect();
        let secret = |value: &&String| secrets.iter().any(|(_, marked)| value.contains(marked));
        let header = values.iter().find(secret);
        match (self, header) {
            (Self::Bare, Some(header)) => header.as_str().into(),
            (Self::Fields, Some(header)) => serde_json::json!({
                "error": header, "type": header, "code": header, "data": header, "needed": header,
                "response_metadata": {"messages": [header]},
                "errors": [{"message": header, "type": header, "extensions": {"code": header}}],
                "success": false,
                "ok": false,
            }),
            _ => {
                let spelled = values.iter().flat_map(|value| {
                    let half = value[..value.len() / 2].to_owned();
                    [half, STANDARD.encode(value), value.clone()]
                });
                let spelled: Vec<String> = spelled.collect();
                serde_json::json!({"error": whole, "message": spelled, "ok": false})
            }
        }
    }
}

fn ills() -> Vec<Ill> {
    let faults = [
        Fault::NotSent,
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::StatusAfter(502),
        Fault::RateLimited(Some("1")),
        Fault::HalfAfter,
        Fault::GarbageAfter,
        Fault::Unauthorized,
    ];
    let quotes = [200, 400, 401, 403, 500].into_iter().flat_map(|status| {
        let quotes = [Quote::Whole, Quote::Fields, Quote::Bare];
        quotes.map(|quote| Ill::Quote(status, quote))
    });
    let faults = faults.into_iter().map(Ill::Fault);
    [Ill::None]
        .into_iter()
        .chain(faults)
        .chain(quotes)
        .collect()
}

/// The way to the fake: marked secrets become its own, and in its answers its own become marked ones.
struct Parrot {
    world: Sandbox,
    /// The fake's own, and the marked one.
    secrets: Vec<(&'static str, String)>,
    /// Which call is answered with what came, with which status, and how.
    quote: Option<(usize, u16, Quote)>,
    calls: AtomicUsize,
}

impl Parrot {
    /// The fake's own in place of the marked ones, as they are written in headers, queries and JSON.
    fn meant(&self, text: &str) -> String {
        self.secrets
            .iter()
            .fold(text.to_owned(), |text, (own, marked)| {
                spelled(marked)
                    .iter()
                    .fold(text, |text, marked| text.replace(marked, own))
            })
    }

    fn repeated(&self, text: &str) -> String {
        self.secrets
            .iter()
            .fold(text.to_owned(), |text, (own, marked)| {
                text.replace(own, &spelled(marked)[1])
            })
    }
}

/// As it is, in JSON, in a form.
fn spelled(secret: &str) -> [String; 3] {
    let json = serde_json::to_string(secret).unwrap();
    let form = automarket::core::Url::parse_with_params("https://a.example", [("q", secret)]);
    let form = form.unwrap().query().unwrap()["q=".len()..].to_owned();
    [secret.to_owned(), json[1..json.len() - 1].to_owned(), form]
}

#[async_trait]
impl Transport for Parrot {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let n = self.calls.fetch_add(1, Ordering::Relaxed);
        if let Some((at, status, quote)) = self.quote
            && at == n
        {
            let quoted = quote.of(&request, &self.secrets);
            let mut response = Response::new(Body::Full(quoted.to_string().into()));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            return Ok(response);
        }
        let (mut parts, body) = request.into_parts();
        parts.uri = self.meant(&parts.uri.to_string()).parse::<Uri>().unwrap();
        for value in parts.headers.values_mut() {
            let text = self.meant(&String::from_utf8_lossy(value.as_bytes()));
            *value = HeaderValue::from_str(&text).unwrap();
        }
        let body = match std::str::from_utf8(&body) {
            Ok(text) => Bytes::from(self.meant(text)),
            Err(_) => body,
        };
        let reply = self.world.send(Request::from_parts(parts, body)).await?;
        let marked = |bytes: Bytes| match std::str::from_utf8(&bytes) {
            Ok(text) => Bytes::from(self.repeated(text)),
            Err(_) => bytes,
        };
        Ok(reply.map(|body| match body {
            Body::Full(bytes) => Body::Full(marked(bytes)),
            body => body,
        }))
    }
}

#[tokio::test(start_paused = true)]
async fn no_connector_says_its_secrets_whatever_fails() {
    listen();
    let (mut worked, mut failed) = (0, 0);
    for subject in subjects() {
        for ill in ills() {
            for call in 0..CALLS {
                let done = run(&subject, &ill, call).await;
                worked += usize::from(done);
                failed += usize::from(!done);
                if matches!(ill, Ill::None) {
                    assert!(
                        done || !subject.publishes,
                        "{} does not publish",
                        subject.platform
                    );
                    break;
                }
            }
        }
    }
    no_secret_in("what was said", heard().as_bytes());
    assert!(
        worked > 50 && failed > 50,
        "{worked} worked, {failed} failed"
    );
}

/// One piece of work, one call of which goes ill; whether it published.
async fn run(subject: &Subject, ill: &Ill, call: usize) -> bool {
    let host = LocalMediaHost::new();
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let world = Sandbox::new()
        .with((subject.fake)(&host))
        .with(Arc::new(host.clone()))
        .with_clock(Arc::new(clock.clone()));
    if let Ill::Fault(fault) = ill {
        let skip = u32::try_from(call).unwrap();
        world
            .faults()
            .add(FaultRule::on("", fault.clone()).after(skip));
    }
    let own = subject.secrets.iter().enumerate();
    let secrets: Vec<_> = own
        .map(|(n, own)| (*own, marked(&format!("secret{n}"))))
        .collect();
    let credential = Credential::token(&*secrets[0].1);
    let parrot = Parrot {
        world,
        secrets,
        quote: match ill {
            Ill::Quote(status, quote) => Some((call, *status, *quote)),
            _ => None,
        },
        calls: AtomicUsize::new(0),
    };
    let store = MemoryStore::with_clock(Arc::new(clock.clone()));
    let market = Automarket::builder(store)
        .transport(parrot)
        .clock(Arc::new(clock.clone()))
        .keyring(keyring(OLD))
        .media_host(host);
    let market = (subject.register)(market).build().unwrap();
    let tenant = market.tenant("acme").unwrap();
    let account = Account::new(
        tenant.id().clone(),
        subject.platform.clone(),
        subject.remote_id,
    );
    let account = tenant.add_account(account, credential).await.unwrap();
    let cx = shown(tenant.context(account.id).await).unwrap();
    (subject.work)(cx.with_key("key")).await;
    let mut published = false;
    if subject.publishes {
        let post = Post::text("We shipped!").media(Media::image(JPEG, "image/jpeg").alt("A crab"));
        published = publish_one(&tenant, account.id, post, &clock).await;
    }
    for event in tenant.events(0, 10_000).await.unwrap() {
        said(&serde_json::to_string(&event).unwrap());
    }
    show(&tenant.disconnect(account.id).await);
    published
}

async fn publish_one(
    tenant: &Tenant,
    account: automarket::AccountId,
    post: Post,
    clock: &ManualClock,
) -> bool {
    let id = shown(tenant.publish(post, [account], When::Now).await).unwrap();
    let only = async || tenant.publications(id).await.unwrap().remove(0);
    for _ in 0..4 {
        show(&tenant.work_on(only().await.job, LEASE).await);
        clock.advance(chrono::Duration::minutes(10));
    }
    let publication = only().await;
    said(&serde_json::to_string(&publication).unwrap());
    show(&tenant.measure_now(publication.id).await);
    let why = shown(tenant.why(publication.id).await).unwrap();
    said(&format!("{why} {}", serde_json::to_string(&why).unwrap()));
    show(&tenant.delete(publication.id).await);
    publication.state == automarket::store::PublicationState::Published
}
