//! What the steps of a context are for.

use std::{
    collections::BTreeMap,
    io,
    sync::{Mutex, PoisonError},
};

use serde::Serialize;
use sha2::{Digest as _, Sha256, digest::Output};

use crate::{Error, ErrorKind, Result};

/// By the name that the steps of a call begin with, a hash of what it does for whom.
#[derive(Default)]
pub(crate) struct Purposes(Mutex<BTreeMap<String, Output<Sha256>>>);

impl Purposes {
    /// Whether nothing else was done under this name before.
    pub(crate) fn is(&self, name: &str, purpose: &impl Serialize) -> Result<bool> {
        let mut hash = Hash(Sha256::new());
        serde_json::to_writer(&mut hash, purpose).map_err(|error| {
            let message = format!("what {name} is asked for cannot be written as JSON");
            Error::new(ErrorKind::Internal, message).with_source(error)
        })?;
        let hash = hash.0.finalize();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(*known.entry(name.to_owned()).or_insert(hash) == hash)
    }
}

struct Hash(Sha256);

impl io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
