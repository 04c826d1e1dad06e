use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{
    Context, EmailProvider, Error, Identity, Outcome, Platform, Receipt, Result,
    email::{EmailEvent, EmailMessage, EmailProfile, Mailing, Member},
    profile::{ApiVersion, Status},
};

/// An e-mail provider that writes down what it is to send and answers what it was told to; otherwise all
/// is `Done`. It keeps no audiences. Clones share their memory.
#[derive(Clone, Debug)]
pub struct RecordingEmail {
    profile: EmailProfile,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    sent: Vec<EmailMessage>,
    answers: VecDeque<Result<Outcome>>,
}

impl RecordingEmail {
    /// One that takes a hundred messages at a time.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        let mut profile =
            EmailProfile::new(platform, ApiVersion::new("1", "https://recording.invalid/"));
        profile.max_batch = 100;
        Self {
            profile,
            state: Arc::default(),
        }
    }

    /// One that takes no new accounts, for this reason.
    #[must_use]
    pub fn closed(mut self, why: &'static str) -> Self {
        self.profile.status = Status::Closed(why);
        self
    }

    /// What the next message ends in.
    pub fn answer(&self, answer: Result<Outcome>) {
        self.lock().answers.push_back(answer);
    }

    /// The messages that were sent, in order.
    #[must_use]
    pub fn sent(&self) -> Vec<EmailMessage> {
        self.lock().sent.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn no_mailings<T>(&self) -> Result<T> {
        Err(Error::unsupported("audiences and mailings are not kept")
            .with_platform(&self.profile.platform))
    }
}

#[async_trait]
impl EmailProvider for RecordingEmail {
    fn profile(&self) -> &EmailProfile {
        &self.profile
    }

    async fn identify(&self, _cx: &Context) -> Result<Vec<Identity>> {
        Ok(Vec::new())
    }

    async fn send(&self, _cx: &Context, messages: &[EmailMessage]) -> Result<Vec<Result<Outcome>>> {
        let mut state = self.lock();
        let mut results = Vec::new();
        for message in messages {
            results.push(match message.check() {
                Err(error) => Err(error),
                Ok(()) => {
                    state.sent.push(message.clone());
                    let id = format!("mail-{}", state.sent.len());
                    state
                        .answers
                        .pop_front()
                        .unwrap_or_else(|| Ok(Outcome::Done(Receipt::new(id))))
                }
            });
        }
        Ok(results)
    }

    async fn templates(&self, _cx: &Context) -> Result<Vec<Identity>> {
        self.no_mailings()
    }

    async fn upsert_members(
        &self,
        _cx: &Context,
        _audience: &str,
        _members: &[Member],
    ) -> Result<Vec<Result<()>>> {
        self.no_mailings()
    }

    async fn suppressed(
        &self,
        _cx: &Context,
        _cursor: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>)> {
        self.no_mailings()
    }

    async fn create_mailing(&self, _cx: &Context, _mailing: &Mailing) -> Result<Outcome> {
        self.no_mailings()
    }

    async fn send_mailing(
        &self,
        _cx: &Context,
        _id: &str,
        _at: Option<DateTime<Utc>>,
    ) -> Result<Outcome> {
        self.no_mailings()
    }

    async fn cancel_mailing(&self, _cx: &Context, _id: &str) -> Result<()> {
        self.no_mailings()
    }

    async fn report(&self, _cx: &Context, _id: &str) -> Result<BTreeMap<String, Value>> {
        self.no_mailings()
    }

    fn decode_events(&self, body: &Bytes) -> Result<Vec<EmailEvent>> {
        serde_json::from_slice(body)
            .map_err(|error| Error::invalid("body", "not a list of events").with_source(error))
    }
}
