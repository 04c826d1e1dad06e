use std::{fmt, sync::Arc};

use aes_gcm::{
    Aes256Gcm,
    aead::{AeadInOut as _, Generate as _, Nonce},
};
use async_trait::async_trait;
use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use secrecy::zeroize::Zeroizing;

use super::{
    envelope::{self, NONCE, Place, TAG, damaged},
    key::Key,
};
use crate::{Error, ErrorKind, Result};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The keys: the current one seals, all of them open. Cheap to clone; wiped with the last clone.
///
/// ```
/// use automarket_core::vault::Keyring;
/// // What the host's environment holds; the first is the current one.
/// let keyring = Keyring::from_base64(
///     "k2:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=, k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
/// )?;
/// assert_eq!(keyring.current_id(), "k2");
/// assert_eq!(format!("{keyring:?}"), r#"Keyring(["k2", "k1"])"#);
/// # Ok::<(), automarket_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Keyring {
    /// The current one first; never empty.
    keys: Arc<[Key]>,
}

impl Keyring {
    /// Keys in base64, parted by commas or white space, the current one first. A key is `id:base64`; without
    /// an id it gets one that follows from it, so that a wrong key is seen to be another one.
    ///
    /// # Errors
    /// `Config` (rule `vault.key`) when there is none, when one is not 32 bytes in base64, or when two have
    /// one id. The message holds nothing of a key.
    pub fn from_base64(text: &str) -> Result<Self> {
        let words = text.split(|c: char| c == ',' || c.is_whitespace());
        let mut keys: Vec<Key> = Vec::new();
        for word in words.filter(|word| !word.is_empty()) {
            let (id, base64) = match word.split_once(':') {
                Some((id, base64)) => (Some(id), base64),
                None => (None, word),
            };
            let bytes = BASE64.decode(base64).map_err(|_| {
                Error::new(ErrorKind::Config, "an encryption key is not base64")
                    .with_rule("vault.key")
                    .with_remedy("a key is 32 random bytes in base64: openssl rand -base64 32")
            })?;
            keys.push(Key::new(id, &Zeroizing::new(bytes))?);
        }
        Self::of(keys)
    }

    /// A keyring with one new key. What it seals opens as long as it lives: for tests, and for making a key.
    ///
    /// # Panics
    /// When the system has no randomness.
    #[must_use]
    pub fn random() -> Self {
        let bytes = Zeroizing::new(<[u8; 32]>::generate());
        #[expect(clippy::expect_used, reason = "32 bytes are a key")]
        let key = Key::new(None, &Zeroizing::new(bytes.to_vec())).expect("a key");
        Self { keys: [key].into() }
    }

    fn of(keys: Vec<Key>) -> Result<Self> {
        let wrong = |message: String| {
            Error::new(ErrorKind::Config, message)
                .with_rule("vault.key")
                .with_remedy("a key is 32 random bytes in base64: openssl rand -base64 32")
        };
        if keys.is_empty() {
            return Err(wrong("there is no encryption key".to_owned()));
        }
        for (n, key) in keys.iter().enumerate() {
            if keys[..n].iter().any(|other| other.id == key.id) {
                return Err(wrong(format!("two encryption keys have the id {}", key.id)));
            }
        }
        Ok(Self { keys: keys.into() })
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn current_id(&self) -> &str {
        &self.current().id
    }

    /// The ids of all keys, the current one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// How often the current key has sealed, as far as it is known here.
    #[must_use]
    pub fn seals(&self) -> u64 {
        self.current().seals()
    }

    /// Counts on from what is known of a key's use elsewhere.
    pub fn count_from(&self, key_id: &str, seals: u64) {
        if let Some(key) = self.key(key_id) {
            key.count_from(seals);
        }
    }

    /// Seals bytes for a place under the current key. The same bytes twice give two envelopes.
    ///
    /// # Errors
    /// `Internal` when the system has no randomness.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>> {
        let key = self.current();
        let failed = |what| Error::new(ErrorKind::Internal, what).with_rule("vault.seal");
        let nonce = <[u8; NONCE]>::try_generate()
            .map_err(|error| failed("the system has no randomness").with_source(error))?;
        let header = envelope::header(&key.id);
        let bound = place.bound_to(&header);
        let mut sealed = Vec::with_capacity(header.len() + NONCE + plain.len() + TAG);
        sealed.extend_from_slice(&header);
        sealed.extend_from_slice(&nonce);
        let start = sealed.len();
        sealed.extend_from_slice(plain);
        let tag = key
            .cipher
            .encrypt_inout_detached(
                &Nonce::<Aes256Gcm>::from(nonce),
                &bound,
                (&mut sealed[start..]).into(),
            )
            .map_err(|_| failed("the secret is too long to be sealed"))?;
        sealed.extend_from_slice(&tag);
        key.count();
        Ok(sealed)
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// `Config` (rule `vault.missing_key`, naming its id) when the key is not on the ring; `Internal` (rule
    /// `vault.damaged`) for everything else that does not open: another place, another key under this id, a
    /// changed or cut envelope.
    pub fn open(&self, place: Place<'_>, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let parts = envelope::parse(envelope)?;
        let key = self.key(parts.key_id).ok_or_else(|| {
            // Of a damaged envelope the id is anything at all.
            let id = parts.key_id.escape_debug();
            Error::new(
                ErrorKind::Config,
                format!("the encryption key {id} is not on the keyring"),
            )
            .with_rule("vault.missing_key")
            .with_remedy("put the key back on the keyring until rotate() has re-sealed its rows")
        })?;
        let bound = place.bound_to(parts.header);
        let (sealed, tag) = parts.sealed.split_at(parts.sealed.len() - TAG);
        let refused = || damaged("it was changed, or sealed for another place or with another key");
        let mut plain = Zeroizing::new(sealed.to_vec());
        key.cipher
            .decrypt_inout_detached(
                &Nonce::<Aes256Gcm>::from(*parts.nonce),
                &bound,
                plain.as_mut_slice().into(),
                tag.try_into().map_err(|_| refused())?,
            )
            .map_err(|_| refused())?;
        Ok(plain)
    }

    fn current(&self) -> &Key {
        &self.keys[0]
    }

    fn key(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.ids().collect();
        f.debug_tuple("Keyring").field(&ids).finish()
    }
}

/// Where the keyring comes from: a KMS, say, that unwraps data keys. Asked at the start, when a row names a
/// key that is not on the ring, before a rotation, and before something is sealed, at most once a minute.
#[async_trait]
pub trait KeyProvider: Send + Sync {
    /// The keys as they are now. It is dropped when it takes longer than five seconds: what takes longer is done
    /// beforehand, or in a task of its own, and remembered.
    ///
    /// # Errors
    /// Of any kind: it is never taken for a platform's word. Who asked is told `Config` with the rule `vault.keys` and this
    /// as its cause; what needs a key that is not known yet waits, and the rest goes on with the keys that are. The
    /// retry tells one thing: a worker does not start on `Never`, and starts on all others.
    async fn keyring(&self) -> Result<Keyring>;
}

#[async_trait]
impl KeyProvider for Keyring {
    async fn keyring(&self) -> Result<Keyring> {
        Ok(self.clone())
    }
}
