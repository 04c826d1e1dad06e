//! What core promises, from the outside.

mod store;
