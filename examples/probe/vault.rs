use automarket::{Error, Keyring, Result, core::vault::Place};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Reply, bytes, input, reply};

/// The key, and the place that it seals for.
#[derive(Deserialize)]
struct Lock {
    key_b64: String,
    key_id: String,
    tenant: String,
    account: String,
    field: String,
}

impl Lock {
    fn keyring(&self) -> Result<Keyring> {
        // A keyring's text has them between its keys.
        let parts = [("key_id", &self.key_id), ("key_b64", &self.key_b64)];
        for (field, part) in parts {
            if part.contains([',', ':']) || part.contains(char::is_whitespace) {
                return Err(Error::invalid(field, "no comma, colon or space in one key"));
            }
        }
        Keyring::from_base64(&format!("{}:{}", self.key_id, self.key_b64))
    }

    fn place(&self) -> Place<'_> {
        Place {
            tenant: &self.tenant,
            account: &self.account,
            field: &self.field,
        }
    }
}

pub(crate) fn seal(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        plaintext_b64: String,
        #[serde(flatten)]
        lock: Lock,
    }
    let Input {
        plaintext_b64,
        lock,
    } = input(request)?;
    let sealed = lock
        .keyring()?
        .seal(lock.place(), &bytes(&plaintext_b64)?)?;
    reply(json!({"envelope_b64": STANDARD.encode(sealed)}))
}

pub(crate) fn open(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        envelope_b64: String,
        #[serde(flatten)]
        lock: Lock,
    }
    let Input { envelope_b64, lock } = input(request)?;
    let plain = lock.keyring()?.open(lock.place(), &bytes(&envelope_b64)?)?;
    reply(json!({"plaintext_b64": STANDARD.encode(&*plain)}))
}
