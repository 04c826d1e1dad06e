//! What every `CrmProvider` keeps.
