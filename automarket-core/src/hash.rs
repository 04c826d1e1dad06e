//! SHA-256, and bytes as lower-case hex.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The lower-case hex of these bytes.
///
/// ```
/// assert_eq!(automarket_core::hash::hex([0, 0x1f, 0xff]), "001fff");
/// ```
#[must_use]
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// The SHA-256 of these bytes, as [`hex`].
///
/// ```
/// use automarket_core::hash::sha256;
/// let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// assert_eq!(sha256("abc"), abc);
/// ```
#[must_use]
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex(Sha256::digest(bytes))
}
