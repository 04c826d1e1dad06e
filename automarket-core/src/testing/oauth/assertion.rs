use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::{DateTime, Utc};
use ring::{rsa, signature};
use serde_json::Value;

use super::AuthRules;

/// The subject of an assertion that the app's key signed, for this server, in time.
pub(super) fn subject(rules: &AuthRules, jwt: &str, now: DateTime<Utc>) -> Option<String> {
    let pem: String = rules
        .key?
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let pair = rsa::KeyPair::from_pkcs8(&STANDARD.decode(pem).ok()?).ok()?;
    let public = rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
    let (input, signature) = jwt.rsplit_once('.')?;
    let scheme = &signature::RSA_PKCS1_2048_8192_SHA256;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    public.verify(scheme, input.as_bytes(), &signature).ok()?;
    let claims = URL_SAFE_NO_PAD.decode(input.split_once('.')?.1).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let left = claims["exp"].as_i64()? - now.timestamp();
    let right = claims["iss"] == *rules.client_id && claims["aud"] == rules.audience;
    let subject = claims["sub"].as_str()?.to_owned();
    (right && (1..=600).contains(&left)).then_some(subject)
}
