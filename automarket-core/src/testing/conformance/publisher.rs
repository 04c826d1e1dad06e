//! What every `Publisher` keeps.
