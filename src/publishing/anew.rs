//! Read, make, write: made anew when what was read changed meanwhile.

use automarket_core::{
    Error, ErrorKind, Result, Retry,
    store::{REVISION, SLOT},
};

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
    for _ in 0..TRIES {
        match act().await {
            Err(error) if matches!(error.rule(), Some(REVISION | SLOT)) => {}
            end => return end,
        }
    }
    Err(restless())
}

fn restless() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "publications or posting slots went on changing under the change; nothing was changed",
    )
    .with_rule(REVISION)
    .with_remedy("read them again, and call again")
    .with_retry(Retry::After(None))
}
