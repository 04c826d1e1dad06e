//! The test kit: scripted wire, sandbox, fault plans, manual clock, conformance suites. Outside the semver
//! promise.
//!
//! | to test | take |
//! | --- | --- |
//! | a backend against what platforms do | [`Sandbox`] with connectors' fakes ([`Fake`]), and [`FaultRule`]s |
//! | a backend alone | [`RecordingPublisher`], [`RecordingEmail`] |
//! | connecting accounts | [`WithLogin`]: a fake behind an [`AuthServer`] |
//! | what time does | [`TokioClock`] in a paused runtime, or [`ManualClock`]: one for store, sandbox and library |
//! | a connector | [`conformance`], [`Script`] for the wire |
//! | a store | [`store_cases`]; [`FaultStore`] for what is built on one |

mod attended;
mod clock;
pub mod conformance;
mod fault;
mod fault_points;
mod fault_store;
mod fault_transport;
mod form;
mod media_host;
mod oauth;
mod openapi;
mod outcome;
mod recorder;
mod recording;
mod recording_email;
mod sandbox;
mod script;
mod serve;
mod store_suite;
mod zones;

pub use attended::unattended;
pub use clock::{ManualClock, TokioClock};
pub use fault::{Fault, FaultPlan, FaultRule};
pub use fault_points::FAULT_POINT;
pub(crate) use fault_points::reach;
pub use fault_store::{FaultStore, StoreFault, StoreFaults, StoreRule};
pub use fault_transport::FaultTransport;
pub use form::{FormPart, form_parts};
pub use media_host::LocalMediaHost;
pub use oauth::{
    AuthRules, AuthServer, Issued, LoginUnderTest, TradeRule, UserSays, WithLogin, standard_error,
    standard_reply,
};
pub use openapi::{Description, described};
pub use outcome::{accepted, done};
pub use recorder::Recorder;
pub use recording::RecordingPublisher;
pub use recording_email::RecordingEmail;
pub use sandbox::{Fake, Sandbox, json_reply, text_reply};
pub use script::{Expectation, Script, ScriptedReply};
pub use serve::Server;
pub use store_suite::{StoreCase, StoreClock, StoreUnderTest, sample_publishing, store_cases};
pub use zones::ZONES;
