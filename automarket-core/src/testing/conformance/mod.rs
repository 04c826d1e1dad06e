//! One suite per trait, run by every implementor: plain functions over `&dyn Trait`.

pub mod crm;
pub mod email;
pub mod generator;
pub mod notifier;
pub mod publisher;
pub mod source;
