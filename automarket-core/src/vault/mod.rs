//! Sealing: secrets at rest under a keyring of versioned 256-bit keys, with AES-256-GCM.
//!
//! ```
//! use automarket_core::vault::{Keyring, Place};
//! let keyring = Keyring::random();
//! let place = Place { tenant: "acme", account: "12", field: "credential" };
//! let sealed = keyring.seal(place, b"the token")?;
//! assert_eq!(*keyring.open(place, &sealed)?, b"the token");
//! // Copied into another tenant's row it does not open.
//! assert!(keyring.open(Place { tenant: "other", ..place }, &sealed).is_err());
//! # Ok::<(), automarket_core::Error>(())
//! ```

mod contents;
mod envelope;
mod key;
mod keyring;

pub use contents::{credential_from_bytes, credential_to_bytes};
pub use envelope::{Place, key_id_of};
pub use keyring::{KeyProvider, Keyring};
pub use secrecy::zeroize::Zeroizing;
