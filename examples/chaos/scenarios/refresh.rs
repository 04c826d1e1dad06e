//! F1: many processes, one credential whose token dies every few seconds and whose refresh token is good
//! once: one renewal per death, whoever asks.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use automarket::{
    Automarket, Credential, Platform, Retry, Secret, Tenant,
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
    wait::persist,
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
    least: |size| (size.seconds / 4).min(3),
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: Some(|config| Box::pin(main(config))),
};

const PLATFORM: Platform = Platform::from_static("issuer");
/// How long a token lives, in seconds, and how long before its end it is renewed: a reply that comes late makes its
/// token look younger than it is.
const LIFE: i64 = 6;
const SKEW: u64 = 4;

#[derive(Serialize, Deserialize)]
enum Config {
    Issuer {
        log: PathBuf,
    },
    Users {
        place: Place,
        base: String,
        users: usize,
        /// Milliseconds between two calls of one.
        pause: u64,
        seconds: u64,
        lease: u64,
    },
}

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    if world.size.jobs == 0 || world.size.seconds == 0 {
        findings.void("nobody is to post");
        return Ok(());
    }
    let log = world.path("issuer.jsonl");
    let mut issuer = world.process("issuer", &Config::Issuer { log: log.clone() })?;
    let base = issuer.line()?;
    // Who renews is to have the time to: a lease that runs out meanwhile is another's question.
    world.size.lease = world.size.lease.max(10);
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
        // However many they are, about a thousand calls a second.
        pause: (size.jobs as u64).max(200),
        seconds: size.seconds,
        lease: size.lease,
    };
    let mut processes = (0..size.workers)
        .map(|n| world.process(&format!("users{n}"), &users))
        .collect::<Result<Vec<_>>>()?;
    for process in &mut processes {
        let limit = Duration::from_secs(2 * size.seconds + 120);
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
    findings.must(findings.effects > 0, "nobody could post");
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
            pause,
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
                        let asked = Utc::now().timestamp_millis();
                        let cx = persist(|| tenant.context(account)).await?;
                        let post = Call::post("posts", &format!("{base}/{asked}"))?;
                        match cx.call(post.bearer(cx.token()?)).await {
                            Err(error) if error.retry() == Retry::Never => return Err(error),
                            _ => {}
                        }
                        tokio::time::sleep(Duration::from_millis(pause)).await;
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
        // The first one is dead from the beginning.
        issued: Mutex::new(vec![0]),
    };
    let server = Server::start(Arc::new(issuer), "issuer.example").await?;
    println!("{}", server.base_url());
    std::future::pending().await
}

/// The n-th pair is `access-n` and `refresh-n`; only the newest refresh token is good.
struct Issuer {
    log: Log,
    /// When each pair was handed out, in milliseconds since 1970.
    issued: Mutex<Vec<i64>>,
}

#[async_trait]
impl Transport for Issuer {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let path = request.uri().path();
        let mut issued = self.issued.lock().await;
        let (status, body) = if path == "/token" {
            let given = given(request.body());
            if given == Some(issued.len() - 1) {
                let n = issued.len();
                self.log.write("refresh", &n.to_string(), "token").await;
                issued.push(Utc::now().timestamp_millis());
                let body = serde_json::json!({
                    "access_token": format!("access-{n}"), "refresh_token": format!("refresh-{n}"),
                    "expires_in": LIFE,
                });
                (200, body.to_string())
            } else {
                self.log
                    .write("reuse", &format!("{given:?}"), "token")
                    .await;
                (400, "{\"error\":\"invalid_grant\"}".to_owned())
            }
        } else {
            // A call may be long on its way: what counts is when its token was asked for.
            let asked: Option<i64> = path.trim_matches('/').parse().ok();
            let header = request.headers().get("authorization");
            let token = header.and_then(|h| h.to_str().ok()?.strip_prefix("Bearer access-"));
            let n: Option<usize> = token.and_then(|n| n.parse().ok());
            let since = n.and_then(|n| issued.get(n).copied());
            let good = since
                .zip(asked)
                .is_some_and(|(since, asked)| asked < since + LIFE * 1000);
            drop(issued);
            let list = if good { "posts" } else { "refused" };
            self.log.write(list, &format!("{n:?}"), "post").await;
            (if good { 200 } else { 401 }, "{}".to_owned())
        };
        Ok(text_reply(status, body).map(Body::Full))
    }
}

fn given(form: &Bytes) -> Option<usize> {
    let url = Url::parse(&format!("x:?{}", String::from_utf8_lossy(form))).ok()?;
    let (_, token) = url
        .query_pairs()
        .find(|(name, _)| name == "refresh_token")?;
    token.strip_prefix("refresh-")?.parse().ok()
}
