//! The connector against the scripted wire, the API's description and the fake.

mod conformance;
mod contract;
mod faults;
mod stream;
mod wire;
