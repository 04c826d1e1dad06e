//! What every `EmailProvider` keeps.
