//! Assertions signed with an app's RSA key (RFC 7523, RS256).

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{rand::SystemRandom, rsa, signature::RSA_PKCS1_SHA256};
use serde_json::Value;

use super::{App, rule};
use crate::{Error, ErrorKind, Result, Secret};

/// A compact JWT of these claims. `x5t`, the key's thumbprint where the platform wants one (Entra), comes from
/// the app.
pub(super) fn sign(app: &App, claims: &Value) -> Result<Secret> {
    let wrong = |what: &str| Error::new(ErrorKind::Config, what).with_rule(rule::CLIENT);
    let pem = app
        .key
        .as_ref()
        .ok_or_else(|| wrong("the app has no key to sign with").with_remedy("set App::key"))?;
    let key = key(pem).ok_or_else(|| wrong("the app's key is no RSA key in PKCS#8 PEM"))?;
    let mut header = serde_json::json!({"alg": "RS256", "typ": "JWT"});
    for name in ["kid", "x5t", "x5t#S256"] {
        if let Some(value) = app.extra.get(name) {
            header[name] = value.clone();
        }
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", part(&header), part(claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        input.as_bytes(),
        &mut signature,
    )
    .map_err(|_| Error::new(ErrorKind::Internal, "the assertion could not be signed"))?;
    Ok(Secret::new(format!(
        "{input}.{}",
        URL_SAFE_NO_PAD.encode(signature)
    )))
}

fn key(pem: &Secret) -> Option<rsa::KeyPair> {
    let (start, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
    let body = pem.expose().split_once(start)?.1.split_once(end)?.0;
    let base64: String = body.split_whitespace().collect();
    rsa::KeyPair::from_pkcs8(&STANDARD.decode(base64).ok()?).ok()
}
