//! What every `PageSource` keeps.
