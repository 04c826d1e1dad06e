use crate::{Handle, Outcome, Receipt};

/// The receipt of what has to be done.
///
/// # Panics
/// When it is not done.
pub fn done(outcome: Outcome) -> Receipt {
    match outcome {
        Outcome::Done(receipt) => receipt,
        other => panic!("not done: {other:?}"),
    }
}

/// The handle of what has to be accepted.
///
/// # Panics
/// When it is not accepted.
pub fn accepted(outcome: Outcome) -> Handle {
    match outcome {
        Outcome::Accepted(handle) => handle,
        other => panic!("not accepted: {other:?}"),
    }
}
