//! Read, make, write: made anew when what was read changed meanwhile.

use automarket_core::{
    Error, ErrorKind, Result, Retry,
    store::{REVISION, SLOT},
};

use super::slots::holding;

/// How often something is made anew.
const TRIES: usize = 64;

/// Does what reads, makes and writes, again when its write says that a publication changed meanwhile or that a
/// posting slot was taken. The slots that a try has chosen are passed over by the others of this process until it ends.
///
/// # Errors
/// `Conflict` when that goes on; all others of `act`.
pub(super) async fn anew<T, F>(act: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    for _ in 0..TRIES {
        match holding(act()).await {
            Err(error) if matches!(error.rule(), Some(REVISION | SLOT)) => {}
            end => return end,
        }
    }
    Err(restless())
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
