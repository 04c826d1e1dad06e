//! Reading foreign HTML.

mod hostile;
mod markdown;
mod pages;
mod sanitize;
