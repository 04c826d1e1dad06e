//! What every `Generator` keeps.
