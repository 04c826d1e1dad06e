//! Text as platforms see it: counting, finding entities, fitting, splitting into threads, dialects.
//!
//! Counting and finding give the answers of X's own reference, npm `twitter-text` 3.1.0
//! (`cargo bench --bench text` holds them against each other).

mod class;
mod count;
mod cut;
mod dialect;
mod emoji;
mod entities;
mod fit;
mod letters;
mod punycode;
mod sentence;
mod split;
mod tags;
mod tld;
mod tlds;
mod url;
mod weighted;
mod words;

pub use count::{count, length, valid};
pub(crate) use dialect::said;
pub use dialect::{escape, render};
pub use entities::{Entities, Entity, entities};
pub use fit::{Fitted, fit};
pub use split::{Part, split};
pub(crate) use words::Words;
pub use words::normal;
