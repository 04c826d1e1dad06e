//! Sealing and opening against the bare cipher, and what a context costs, as JSON lines: `cargo bench --bench vault`.
//!
//! Each figure is the best of five rounds of at least 200 ms, one thread.

use std::{
    error::Error,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{AeadInOut as _, Generate as _, Nonce},
};
use automarket::{
    Automarket, Credential, Keyring, Platform, Secret,
    core::vault::Place,
    oauth::TokenSet,
    store::{Account, MemoryStore},
    testing::{FaultStore, Script},
};
use serde_json::json;

const AT_LEAST: Duration = Duration::from_millis(200);
const ROUNDS: usize = 5;

/// Calls per second.
fn measure(mut call: impl FnMut()) -> f64 {
    let round = |call: &mut dyn FnMut()| {
        let (begun, mut calls) = (Instant::now(), 0_u32);
        while begun.elapsed() < AT_LEAST {
            for _ in 0..100 {
                call();
            }
            calls += 100;
        }
        f64::from(calls) / begun.elapsed().as_secs_f64()
    };
    (0..ROUNDS)
        .map(|_| round(&mut call))
        .fold(0.0_f64, f64::max)
}

fn main() -> Result<(), Box<dyn Error>> {
    let place = Place {
        tenant: "acme",
        account: "0197f3c2-7a1e-7cc0-8f7e-2f8f7f0e5b11",
        field: "credential",
    };
    let ring = Keyring::random();
    let bare = Aes256Gcm::new(&aes_gcm::Key::<Aes256Gcm>::generate());
    for size in [64, 512, 4096] {
        let plain = vec![7_u8; size];
        let sealed = ring.seal(place, &plain)?;
        let seal = measure(|| {
            black_box(ring.seal(place, black_box(&plain)).ok());
        });
        // What sealing cannot do without: a random nonce, a copy, the cipher.
        let bare_seal = measure(|| {
            let nonce = Nonce::<Aes256Gcm>::generate();
            let mut copy = plain.clone();
            let tag = bare.encrypt_inout_detached(&nonce, b"", copy.as_mut_slice().into());
            black_box((copy, tag.ok()));
        });
        let open = measure(|| {
            black_box(ring.open(place, black_box(&sealed)).ok());
        });
        let nonce = Nonce::<Aes256Gcm>::generate();
        let mut cipher = plain.clone();
        let tag = bare
            .encrypt_inout_detached(&nonce, b"", cipher.as_mut_slice().into())
            .map_err(|_| "too long")?;
        let bare_open = measure(|| {
            let mut copy = cipher.clone();
            let done = bare.decrypt_inout_detached(&nonce, b"", copy.as_mut_slice().into(), &tag);
            black_box((copy, done.ok()));
        });
        rates(format!("seal {size} bytes"), seal, bare_seal);
        rates(format!("open {size} bytes"), open, bare_open);
    }
    context()
}

/// A context with a credential that is held open; the calls of the store are counted, there should be none.
fn context() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let store = FaultStore::new(Arc::new(MemoryStore::new()));
    let (tenant, account) = runtime.block_on(async {
        let market = Automarket::builder(store.clone())
            .transport(Script::new())
            .keyring(Keyring::random())
            .build()?;
        let tenant = market.tenant("acme")?;
        let account = Account::new(tenant.id().clone(), Platform::X, "1");
        let mut tokens = TokenSet::new(Secret::new("t".repeat(200)));
        tokens.refresh_token = Some(Secret::new("r".repeat(200)));
        let account = tenant.add_account(account, Credential::oauth(tokens));
        let account = account.await?;
        tenant.context(account.id).await?;
        Ok::<_, automarket::Error>((tenant, account.id))
    })?;
    let before = store.faults().calls();
    let per_second = measure(|| {
        black_box(runtime.block_on(tenant.context(account)).ok());
    });
    let line = json!({
        "what": "vault", "case": "context, its credential held open",
        "us": (1e8 / per_second).round() / 100.0, "store_calls": store.faults().calls() - before,
    });
    println!("{line}");
    Ok(())
}

fn rates(case: String, ours: f64, cipher: f64) {
    let line = json!({
        "what": "vault", "case": case, "summary": true,
        "per_second": {"ours": {"median": ours.round()}, "cipher": {"median": cipher.round()}},
        "ours_to": {"cipher": {"median": (ours / cipher * 1e3).round() / 1e3}},
    });
    println!("{line}");
}
