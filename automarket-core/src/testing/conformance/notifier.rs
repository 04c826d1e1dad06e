//! What every `Notifier` keeps.
