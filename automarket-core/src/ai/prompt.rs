use super::{Brief, ModelRequest};
/// x
#[must_use]
pub fn prompt(_b: &Brief) -> ModelRequest {
    ModelRequest::default()
}
