//! F1: many processes, one credential whose token dies every few seconds and whose refresh token is good
//! once: one renewal per death, whoever asks.

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use automarket::{
    Automarket, Credential, Platform, Secret, Tenant,
    accounts::RefreshPolicy,
    core::{
        Bytes, Url, async_trait,
        chrono::Utc,
        http_types::{Request, Response},
    },
    http::{Body, Call, Guard, ReqwestTransport, Transport, TransportError},
    oauth::{App, Provider, Refresh, TokenSet},
    store::Account,
    testing::{Server, text_reply},
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::Scenario;
use crate::{
    Result,
    arguments::Size,
    findings::Findings,
    log::{Log, Reader},
    place::Place,
    rows,
    worker::{TENANT, keyring},
    world::World,
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "refresh",
    about: "--jobs users in --workers processes share a token that dies all the time: one renewal per death",
    size: Size {
        jobs: 200,
        workers: 4,
        seconds: 12,
        lease: 10,
        ..Size::USUAL
    },
    least: |_| 3,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: Some(|config| Box::pin(main(config))),
};

const PLATFORM: Platform = Platform::from_static("issuer");
/// How long a token lives, in seconds, and how long before its end it is renewed.
const LIFE: i64 = 3;
const SKEW: u64 = 1;

#[derive(Serialize, Deserialize)]
enum Config {
    Issuer {
        log: PathBuf,
    },
    Users {
        place: Place,
        base: String,
        users: usize,
        seconds: u64,
        lease: u64,
    },
}

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let log = world.path("issuer.jsonl");
    let mut issuer = world.process("issuer", &Config::Issuer { log: log.clone() })?;
    let base = issuer.line()?;
    let size = world.size;
    let tenant = tenant(&world.place, &base, size.lease).await?;
    let account = Account::new(tenant.id().clone(), PLATFORM, "1");
    let mut tokens = TokenSet::new(Secret::new("access-0"));
    tokens.refresh_token = Some(Secret::new("refresh-0"));
    tokens.expires_at = Some(Utc::now());
    tenant
        .add_account(account, Credential::oauth(tokens))
        .await?;

    let users = Config::Users {
        place: world.place.clone(),
        base,
        users: size.jobs.div_ceil(size.workers),
        seconds: size.seconds,
        lease: size.lease,
    };
    let mut processes = (0..size.workers)
        .map(|n| world.process(&format!("users{n}"), &users))
        .collect::<Result<Vec<_>>>()?;
    for process in &mut processes {
        let limit = Duration::from_secs(size.seconds + 60);
        let ended = process.ended(limit).await?;
        findings.must(
            ended.is_some_and(|status| status.success()),
            "a process of users failed; see its log",
        );
    }
    let mut log = Reader::new(log);
    let entries = log.entries().to_vec();
    let of = |list: &str| {
        entries
            .iter()
            .filter(|e| e.list == list)
            .collect::<Vec<_>>()
    };
    let renewals = of("refresh");
    findings.hits = renewals.len() as u64;
    findings.effects = of("posts").len();
    findings.acknowledged = findings.effects;
    findings.terminal = findings.effects;
    let reused = of("reuse").len();
    findings.must(
        reused == 0,
        format!("{reused} used refresh tokens came back"),
    );
    let refused = of("refused").len();
    findings.must(refused == 0, format!("{refused} calls had a dead token"));
    // A renewal before the token it replaces was dying is one too many.
    let dying = (LIFE - SKEW as i64) * 1000 - 100;
    for pair in renewals.windows(2) {
        let lived = pair[1].at - pair[0].at;
        findings.must(
            lived >= dying,
            format!("{} was renewed after {lived} ms", pair[0].id),
        );
    }
    let told = rows::events(&world.place, "account.needs_reauth").await?;
    findings.must(told == 0, format!("{told} accounts were declared lost"));
    findings.note(format!("{} renewals", renewals.len()));
    Ok(())
}

async fn tenant(place: &Place, base: &str, lease: u64) -> Result<Tenant> {
    let guard = Guard::default()
        .allow("127.0.0.0/8".parse()?)
        .allow_http(true);
    let provider = Provider {
        refresh: Refresh::Token { rotates: true },
        ..Provider::new(
            PLATFORM,
            format!("{base}/authorize"),
            format!("{base}/token"),
        )
    };
    let market = Automarket::shared(place.open().await?)
        .transport(ReqwestTransport::builder().guard(guard).build()?)
        .clock(place.clock())
        .oauth(provider, App::public("client"))
        .keyring(keyring())
        .refresh(RefreshPolicy {
            skew: Duration::from_secs(SKEW),
            lease: Duration::from_secs(lease),
        })
        .build()?;
    Ok(market.tenant(TENANT)?)
}

async fn main(config: String) -> Result<()> {
    match serde_json::from_str(&config)? {
        Config::Issuer { log } => issue(&log).await,
        Config::Users {
            place,
            base,
            users,
            seconds,
            lease,
        } => {
            let tenant = tenant(&place, &base, lease).await?;
            let account = tenant.accounts().await?.first().ok_or("no account")?.id;
            let end = Instant::now() + Duration::from_secs(seconds);
            let users = (0..users).map(|_| {
                let (tenant, base) = (tenant.clone(), base.clone());
                tokio::spawn(async move {
                    while Instant::now() < end {
                        let cx = tenant.context(account).await?;
                        let post = Call::post("posts", &format!("{base}/posts"))?;
                        cx.call(post.bearer(cx.token()?)).await?;
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                    Ok::<_, automarket::Error>(())
                })
            });
            for user in users.collect::<Vec<_>>() {
                user.await??;
            }
            Ok(())
        }
    }
}

async fn issue(log: &std::path::Path) -> Result<()> {
    let issuer = Issuer {
        log: Log::create(log)?,
        state: Mutex::new(State {
            refresh: 0,
            lost: HashSet::new(),
        }),
    };
    let server = Server::start(Arc::new(issuer), "issuer.example").await?;
    println!("{}", server.base_url());
    std::future::pending().await
}

/// The n-th pair is `access-n` and `refresh-n`. A used refresh token revokes them all.
struct Issuer {
    log: Log,
    state: Mutex<State>,
}

struct State {
    refresh: u64,
    lost: HashSet<u64>,
}

#[async_trait]
impl Transport for Issuer {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let mut state = self.state.lock().await;
        let path = request.uri().path();
        let (status, body) = if path == "/token" {
            let given = given(request.body());
            if given == Some(state.refresh) && !state.lost.contains(&state.refresh) {
                state.refresh += 1;
                let n = state.refresh;
                self.log.write("refresh", &n.to_string(), "token").await;
                let body = serde_json::json!({
                    "access_token": format!("access-{n}"), "refresh_token": format!("refresh-{n}"),
                    "expires_in": LIFE,
                });
                (200, body.to_string())
            } else {
                let current = state.refresh;
                state.lost.insert(current);
                self.log
                    .write("reuse", &format!("{given:?}"), "token")
                    .await;
                (400, "{\"error\":\"invalid_grant\"}".to_owned())
            }
        } else {
            let header = request.headers().get("authorization");
            let n = header.and_then(|h| {
                h.to_str()
                    .ok()?
                    .strip_prefix("Bearer access-")?
                    .parse()
                    .ok()
            });
            // A call on its way may still have the token before.
            let good = n.is_some_and(|n: u64| n + 1 >= state.refresh.max(1));
            let list = if good { "posts" } else { "refused" };
            self.log.write(list, &format!("{n:?}"), "post").await;
            (if good { 200 } else { 401 }, "{}".to_owned())
        };
        Ok(text_reply(status, body).map(Body::Full))
    }
}

fn given(form: &Bytes) -> Option<u64> {
    let url = Url::parse(&format!("x:?{}", String::from_utf8_lossy(form))).ok()?;
    let (_, token) = url
        .query_pairs()
        .find(|(name, _)| name == "refresh_token")?;
    token.strip_prefix("refresh-")?.parse().ok()
}
