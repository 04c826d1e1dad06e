//! One key.

use std::sync::atomic::{AtomicU64, Ordering};

use aes_gcm::{Aes256Gcm, KeyInit as _};
use secrecy::zeroize::Zeroizing;
use sha2::{Digest as _, Sha256};

use crate::{Error, ErrorKind, Result, hash::hex};

/// With random nonces a key may seal 2^32 times (NIST SP 800-38D, 8.3).
const SEALS_LIMIT: u64 = 1 << 32;
/// From here on every 2^20th sealing warns that the key wants to be replaced.
const SEALS_WARNING: u64 = 1 << 31;

/// A 256-bit key under its id. Wiped when it is dropped.
pub(super) struct Key {
    pub(super) id: String,
    pub(super) cipher: Aes256Gcm,
    seals: AtomicU64,
}

impl Key {
    /// Without an id it gets one that follows from the key.
    pub(super) fn new(id: Option<&str>, bytes: &Zeroizing<Vec<u8>>) -> Result<Self> {
        let wrong = |message: &str| {
            Error::new(ErrorKind::Config, message)
                .with_rule("vault.key")
                .with_remedy("a key is 32 random bytes in base64: openssl rand -base64 32")
        };
        let cipher = Aes256Gcm::new_from_slice(bytes)
            .map_err(|_| wrong("an encryption key is not 32 bytes long"))?;
        let id = match id {
            Some(id) => id.to_owned(),
            None => {
                let digest = Sha256::new()
                    .chain_update(b"automarket key id\0")
                    .chain_update(bytes.as_slice())
                    .finalize();
                hex(&digest[..4])
            }
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if id.is_empty() || id.len() > 64 || !id.bytes().all(plain) {
            return Err(wrong(
                "the id of an encryption key is 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'",
            ));
        }
        Ok(Self {
            id,
            cipher,
            seals: AtomicU64::new(0),
        })
    }

    /// How often it has sealed, as far as it is known here.
    pub(super) fn seals(&self) -> u64 {
        self.seals.load(Ordering::Relaxed)
    }

    /// Counts on from what others have counted.
    pub(super) fn count_from(&self, seals: u64) {
        self.seals.fetch_max(seals, Ordering::Relaxed);
    }

    pub(super) fn count(&self) {
        let seals = self.seals.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if seals >= SEALS_WARNING && seals.is_multiple_of(1 << 20) {
            tracing::warn!(
                key = %self.id, seals, limit = SEALS_LIMIT,
                "this encryption key has sealed so often that it must be replaced"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tracing::{Event, Metadata, Subscriber, span};

    use super::*;

    /// Counts warnings.
    #[derive(Clone, Default)]
    struct Ear(Arc<AtomicUsize>);

    impl Subscriber for Ear {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() == tracing::Level::WARN
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, _: &Event<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn a_key_warns_at_half_of_what_it_may_seal_and_again_and_again() {
        let key = Key::new(None, &Zeroizing::new(vec![7; 32])).unwrap();
        let ear = Ear::default();
        let heard = || ear.0.load(Ordering::Relaxed);
        tracing::subscriber::with_default(ear.clone(), || {
            key.count();
            key.count_from((1 << 31) - 2);
            key.count();
            assert_eq!(heard(), 0);
            key.count();
            assert_eq!(heard(), 1);
            key.count();
            assert_eq!(heard(), 1, "not at each sealing");
            key.count_from((1 << 31) + (1 << 20) - 1);
            key.count();
            assert_eq!(heard(), 2);
        });
    }
}
