//! A customer connects an account: `cargo run --example connect_account`.
//!
//! Three axum routes are all that a backend needs: one sends the browser to the platform, one takes it back,
//! one takes the accounts that the customer picks. The platform is a local authorization server, so that
//! everything runs offline. A small browser in this program clicks through; with `--serve` you click yourself.
//!
//! `PUBLISHING_ENCRYPTION_KEY` is the key (32 bytes in base64); without it one is made up for this run.

mod browser;
mod platform;
mod routes;

use automarket::{
    Automarket, Keyring, Result,
    http::{Guard, ReqwestTransport},
    oauth::App,
    store::MemoryStore,
};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    let callback = format!("{base}/callback");

    let platform = platform::start(&callback).await?;
    let app = App::new("acme-app", "acme-app-secret").redirect_uri(&callback);
    let market = Automarket::builder(MemoryStore::new())
        .transport(transport()?)
        .keyring(keyring()?)
        .notifier(platform::Pages::new(&platform.base_url()))
        .oauth(platform::provider(&platform.base_url()), app)
        .build()?;

    let server = axum::serve(listener, routes::router(market.clone(), callback));
    if std::env::args().any(|argument| argument == "--serve") {
        println!("open {base}/connect");
        return Ok(server.await?);
    }
    tokio::spawn(server.into_future());
    browser::click_through(&base, transport()?).await?;

    let tenant = market.tenant("acme")?;
    for account in tenant.accounts().await? {
        let cx = tenant.context(account.id).await?;
        println!(
            "connected: {} ({}), {:?}",
            account.name,
            account.remote_id,
            cx.credential()
        );
    }
    Ok(())
}

/// Loopback over http is for this example; leave the guard as it is in production.
fn transport() -> Result<ReqwestTransport> {
    let loopback = "127.0.0.1/32".parse();
    let loopback = loopback.map_err(|_| automarket::Error::invalid("network", "not a network"))?;
    let guard = Guard::default().allow(loopback).allow_http(true);
    ReqwestTransport::builder().guard(guard).build()
}

fn keyring() -> Result<Keyring> {
    match std::env::var("PUBLISHING_ENCRYPTION_KEY") {
        Ok(key) => Keyring::from_base64(&key),
        Err(_) => Ok(Keyring::random()),
    }
}
