//! The flow against local authorization servers, one per platform, each with its platform's oddities.

mod callback;
mod flow;
mod platforms;
mod register;
mod reply;
