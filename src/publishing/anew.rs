//! Read, make, write: made anew when what was read changed meanwhile.

use automarket_core::{
    Error, ErrorKind, Result, Retry,
    store::{REVISION, SLOT},
};

use super::slots;

/// How often something is made anew.
const TRIES: usize = 64;

/// Does what reads, makes and writes, again when its write says that a publication changed meanwhile or that a
/// posting slot was taken.
///
/// # Errors
/// `Conflict` when that goes on; all others of `act`.
pub(super) async fn anew<T, F>(act: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut slot = false;
    for _ in 0..TRIES {
        match act().await {
            Err(error) if error.rule() == Some(REVISION) => slot = false,
            Err(error) if error.rule() == Some(SLOT) => slot = true,
            end => return end,
        }
    }
    Err(if slot { slots::none_free() } else { restless() })
}

fn restless() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the publications went on changing under the change; nothing was changed",
    )
    .with_rule(REVISION)
    .with_remedy("read them again, and call again")
    .with_retry(Retry::After(None))
}
