//! What a sealed secret looks like, and what it is bound to.
//!
//! `format (1 byte) | length of the key id (1 byte) | key id | nonce (12 bytes) | ciphertext | tag (16 bytes)`

use std::ops::Range;

use crate::{Error, ErrorKind, Result};

/// The version of the layout, its first byte.
const FORMAT: u8 = 1;
/// Length of the nonce in bytes.
pub(super) const NONCE: usize = 12;
/// Length of the tag in bytes.
pub(super) const TAG: usize = 16;

/// Where a secret stands. It opens nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Whose it is.
    pub tenant: &'a str,
    /// For which account.
    pub account: &'a str,
    /// Which of its fields.
    pub field: &'a str,
}

impl Place<'_> {
    /// The associated data: the header of the envelope and the parts of the place, each behind its length, so
    /// that no two places read the same.
    pub(super) fn bound_to(self, header: &[u8]) -> Vec<u8> {
        let parts = [
            header,
            self.tenant.as_bytes(),
            self.account.as_bytes(),
            self.field.as_bytes(),
        ];
        let mut data = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
        for part in parts {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part);
        }
        data
    }
}

/// The parts of an envelope.
pub(super) struct Parts<'a> {
    /// Format and key id, as they stand.
    pub(super) header: &'a [u8],
    pub(super) key_id: &'a str,
    pub(super) nonce: &'a [u8; NONCE],
    /// Ciphertext and tag.
    pub(super) sealed: &'a [u8],
}

pub(super) fn header(key_id: &str) -> Vec<u8> {
    // A key id is at most 64 bytes long; see `Key::new`.
    let mut header = vec![FORMAT, u8::try_from(key_id.len()).unwrap_or(u8::MAX)];
    header.extend_from_slice(key_id.as_bytes());
    header
}

/// Takes an envelope apart.
pub(super) fn parse(envelope: &[u8]) -> Result<Parts<'_>> {
    let part = |range: Range<usize>| {
        let found = envelope.get(range);
        found.ok_or_else(|| damaged("it is cut short"))
    };
    match envelope.first() {
        Some(&FORMAT) => {}
        Some(other) => return Err(damaged(&format!("its format {other} is not known"))),
        None => return Err(damaged("it is empty")),
    }
    let id_end = 2 + usize::from(part(1..2)?[0]);
    let nonce_end = id_end + NONCE;
    let header = part(0..id_end)?;
    let key_id = std::str::from_utf8(&header[2..]).map_err(|_| damaged("its key id is no text"))?;
    let nonce = part(id_end..nonce_end)?.first_chunk();
    let sealed = part(nonce_end..envelope.len())?;
    match nonce {
        Some(nonce) if sealed.len() >= TAG => Ok(Parts {
            header,
            key_id,
            nonce,
            sealed,
        }),
        _ => Err(damaged("it is cut short")),
    }
}

/// The id of the key that an envelope names. It is not vouched for until the envelope opens.
///
/// # Errors
/// `Internal` (rule `vault.damaged`) when it is no envelope.
pub fn key_id_of(envelope: &[u8]) -> Result<&str> {
    parse(envelope).map(|parts| parts.key_id)
}

pub(super) fn damaged(why: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("a sealed secret cannot be opened: {why}"),
    )
    .with_rule("vault.damaged")
}
