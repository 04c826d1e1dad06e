//! Random values, what is derived from them, and how they are compared.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};

use super::{Pkce, rule};
use crate::{Error, ErrorKind, Result, Secret, hash::hex};

/// 256 random bits in 43 characters that need no escaping: a state, a code verifier, a handle.
///
/// # Errors
/// `Internal` when the system gives no randomness.
pub fn random() -> Result<Secret> {
    let mut bytes = [0_u8; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::new(ErrorKind::Internal, "the system gives no randomness"))?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

/// The S256 challenge of a code verifier (RFC 7636).
///
/// ```
/// let challenge = automarket_core::oauth::challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")?;
/// assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
/// # Ok::<(), automarket_core::Error>(())
/// ```
///
/// # Errors
/// `InvalidInput` (`verifier`, [`rule::VERIFIER`]) unless it is 43 to 128 of `A-Z a-z 0-9 - . _ ~`.
pub fn challenge(verifier: &str) -> Result<String> {
    challenge_of(Pkce::S256, verifier).map(Option::unwrap_or_default)
}

/// The challenge in this way; `None` where there is none.
pub(super) fn challenge_of(pkce: Pkce, verifier: &str) -> Result<Option<String>> {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return Err(Error::invalid(
            "verifier",
            "a code verifier is 43 to 128 of A-Z, a-z, 0-9, '-', '.', '_' and '~'",
        )
        .with_rule(rule::VERIFIER));
    }
    let digest = Sha256::digest(verifier);
    Ok(match pkce {
        Pkce::None => None,
        Pkce::S256 => Some(URL_SAFE_NO_PAD.encode(digest)),
        Pkce::S256Hex => Some(hex(digest)),
    })
}

/// Whether two values are the same, in a time that says nothing of where they differ.
#[must_use]
pub fn same(a: &str, b: &str) -> bool {
    // Digests have one length, whatever the values have.
    let (a, b) = (Sha256::digest(a), Sha256::digest(b));
    let differing = a.iter().zip(b.iter()).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifiers_have_their_length_and_alphabet() {
        for wrong in [
            "",
            &"a".repeat(42),
            &"a".repeat(129),
            &"a ".repeat(30),
            &"é".repeat(30),
        ] {
            assert_eq!(challenge(wrong).unwrap_err().rule(), Some(rule::VERIFIER));
        }
        for right in ["a".repeat(43), "~._-".repeat(32)] {
            assert_eq!(challenge(&right).unwrap().len(), 43);
        }
    }

    #[test]
    fn tiktok_wants_hex() {
        let hex = challenge_of(Pkce::S256Hex, &"a".repeat(43))
            .unwrap()
            .unwrap();
        assert_eq!(hex.len(), 64);
        assert!(hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
    }

    #[test]
    fn random_values_are_long_and_differ() {
        let (a, b) = (random().unwrap(), random().unwrap());
        assert_eq!(a.expose().len(), 43);
        assert!(!same(a.expose(), b.expose()));
        assert!(same(a.expose(), a.clone().expose()));
        assert!(!same("a", "a "));
    }
}
