//! One post with a picture, on every network at once: planned, published, measured.
//!
//! Without arguments the networks are in-process fakes. `--live` takes those whose tokens are in the environment
//! (`X_TOKEN` and `X_ACCOUNT`, and so on for LINKEDIN, FACEBOOK, INSTAGRAM) and really publishes.

mod networks;
mod progress;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use automarket::{
    Automarket, Credential, Error, ErrorKind, Keyring, Media, Post, PostId, Result, Tenant, When,
    content::MediaKind,
    http::{Guard, ReqwestTransport},
    publishing::{PlanOptions, PostState},
    store::{Account, MemoryStore},
    testing::{LocalMediaHost, Sandbox},
};
use networks::{ALL, Network};
use progress::Shown;

const HELP: &str = "publish_everywhere [--live] [--text TEXT] [--image FILE or ADDRESS] [--allow-network CIDR]
Without --live the networks are fakes in this process. Live, each network takes part whose <NAME>_TOKEN and
<NAME>_ACCOUNT are in the environment: X, LINKEDIN, FACEBOOK, INSTAGRAM (which wants the image as an ADDRESS).
<NAME>_URL is another address of its API. --allow-network lets --live reach a private network, over http too.";

#[tokio::main]
async fn main() {
    if let Err(error) = run().await {
        eprintln!("{}", error.report());
        if let Some(remedy) = error.remedy() {
            eprintln!("{remedy}");
        }
        std::process::exit(1);
    }
}

struct Arguments {
    live: bool,
    text: String,
    image: Option<String>,
    allow_network: Option<String>,
}

fn arguments() -> Result<Arguments> {
    let mut found = Arguments {
        live: false,
        text: "We shipped! One post, every network.".to_owned(),
        image: None,
        allow_network: None,
    };
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        let mut value = || {
            given
                .next()
                .ok_or_else(|| Error::invalid("arguments", HELP))
        };
        match argument.as_str() {
            "--live" => found.live = true,
            "--text" => found.text = value()?,
            "--image" => found.image = Some(value()?),
            "--allow-network" => found.allow_network = Some(value()?),
            "--help" => {
                println!("{HELP}");
                std::process::exit(0);
            }
            _ => return Err(Error::invalid("arguments", HELP)),
        }
    }
    Ok(found)
}

async fn run() -> Result<()> {
    let arguments = arguments()?;
    let host = LocalMediaHost::new();
    let mut builder = Automarket::builder(MemoryStore::new()).keyring(Keyring::random());
    let mut chosen: Vec<(&Network, String, String)> = Vec::new();
    if arguments.live {
        builder = builder.transport(Shown(transport(arguments.allow_network.as_deref())?));
        for network in ALL {
            let variable = |what: &str| std::env::var(format!("{}_{what}", network.name)).ok();
            if let (Some(account), Some(token)) = (variable("ACCOUNT"), variable("TOKEN")) {
                chosen.push((network, account, token));
            }
        }
    } else {
        let mut sandbox = Sandbox::new();
        for network in ALL {
            sandbox = sandbox.with((network.fake)(&host));
            let (account, token) = network.sandbox;
            chosen.push((network, account.to_owned(), token.to_owned()));
        }
        builder = builder.transport(Shown(sandbox)).media_host(host);
    }
    if chosen.is_empty() {
        return Err(Error::invalid("environment", "no network has a token").with_remedy(HELP));
    }
    for network in ALL {
        let url = std::env::var(format!("{}_URL", network.name)).ok();
        builder = (network.register)(builder, url.filter(|_| arguments.live));
    }
    let market = builder.build()?;
    let tenant = market.tenant("acme")?;
    let mut accounts = Vec::new();
    for (network, account, token) in chosen {
        let account = Account::new(tenant.id().clone(), network.platform.clone(), account);
        let account = tenant.add_account(account, Credential::token(token));
        accounts.push(account.await?.id);
    }

    let post = Post::text(arguments.text).media(picture(arguments.image.as_deref())?);
    let options = PlanOptions::new().when(When::Now).look();
    let plan = tenant.plan_with(&post, accounts.clone(), &options).await?;
    print!("{plan}");

    let post = tenant.publish(post, accounts, When::Now).await?;
    let work = market.worker().poll(Duration::from_millis(200));
    work.run_until(settled(&tenant, post)).await?;
    for publication in tenant.publications(post).await? {
        let receipt = publication.receipt.as_ref();
        let place = receipt.and_then(|receipt| receipt.url.as_deref());
        let state = publication.state.as_str();
        println!(
            "{} {state} {}",
            publication.target.network,
            place.unwrap_or_default()
        );
        if let Some(error) = &publication.error {
            println!("  {}", error.message);
        }
        if receipt.is_some() {
            match tenant.measure_now(publication.id).await {
                Ok(measurement) => println!("  {:?}", measurement.metrics),
                Err(error) => println!("  not measured: {error}"),
            }
        }
    }
    let sum = tenant.post_metrics(post).await?.sum;
    println!("together: {sum:?}");
    let all = tenant.post_state(post).await?;
    println!("the post is {all:?}");
    match all {
        PostState::Published => Ok(()),
        _ => Err(Error::new(ErrorKind::Conflict, "it is not out everywhere")),
    }
}

fn transport(allowed: Option<&str>) -> Result<ReqwestTransport> {
    let mut guard = Guard::default();
    if let Some(network) = allowed {
        let network = network.parse().map_err(|error| {
            Error::invalid("allow-network", "no network such as 10.0.0.0/8").with_source(error)
        })?;
        guard = guard.allow(network).allow_http(true);
    }
    ReqwestTransport::builder().guard(guard).build()
}

/// Until all have ended, two minutes at the most.
async fn settled(tenant: &Tenant, post: PostId) {
    let until = Instant::now() + Duration::from_secs(120);
    while Instant::now() < until {
        let publications = tenant.publications(post).await.unwrap_or_default();
        if publications.iter().all(|p| p.state.is_terminal()) && !publications.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A file, so that it streams: 1080 by 1080, with 300 KB of padding.
fn grey_square() -> Result<PathBuf> {
    let mut jpeg = vec![
        0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 4, 56, 4, 56, 1, 1, 0x11, 0,
    ];
    jpeg.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 0x3f, 0]);
    jpeg.resize(300_000, 0);
    jpeg.extend([0xff, 0xd9]);
    let path = std::env::temp_dir().join("automarket-grey.jpg");
    std::fs::write(&path, jpeg).map_err(|error| {
        Error::new(ErrorKind::Storage, "the picture cannot be written").with_source(error)
    })?;
    Ok(path)
}

/// The picture: an address, a file, or one that is made here.
fn picture(image: Option<&str>) -> Result<Media> {
    let media = match image {
        Some(address) if address.starts_with("http") => {
            let url = address
                .parse()
                .map_err(|error| Error::invalid("image", "not an address").with_source(error))?;
            Media::address(MediaKind::Image, url)
        }
        Some(file) => Media::file(MediaKind::Image, file),
        None => Media::file(MediaKind::Image, grey_square()?),
    };
    Ok(media.alt("A grey square: we shipped"))
}
