use std::fmt::Debug;

use crate::{Error, Handle, Outcome, Receipt, Result};

/// What has to go well.
pub(super) fn ok<T>(result: Result<T>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{what}: {error:?}"),
    }
}

/// The error of what has to fail.
pub(super) fn err<T: Debug>(result: Result<T>, what: &str) -> Error {
    match result {
        Err(error) => error,
        Ok(value) => panic!("{what} should have failed, and gave {value:?}"),
    }
}

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
