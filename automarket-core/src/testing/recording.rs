use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use crate::{
    Context, Handle, Identity, Intent, Lookup, Metrics, Outcome, Platform, Post, Profile,
    Publisher, Receipt, Result, profile::ApiVersion, publisher::undeclared,
};

/// A publisher that writes down what it is asked and answers what it was told to; otherwise all is `Done`.
/// Clones share their memory. It sends nothing, yet a backend that publishes wants a transport: an empty
/// [`Sandbox`](super::Sandbox) will do.
#[derive(Clone, Debug)]
pub struct RecordingPublisher {
    profile: Profile,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    texts: Vec<String>,
    keys: Vec<String>,
    polls: usize,
    answers: VecDeque<Result<Outcome>>,
    polled: VecDeque<Result<Outcome>>,
    found: VecDeque<Result<Lookup>>,
    deleted: Vec<String>,
    delete_answers: VecDeque<Result<()>>,
    measured: VecDeque<Result<Metrics>>,
}

impl RecordingPublisher {
    /// One that can publish, schedule, keep drafts, look up and delete.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        let mut profile = Profile::new(
            platform,
            "Recording",
            ApiVersion::new("1", "https://recording.invalid/"),
        );
        profile.abilities.publish = true;
        profile.abilities.schedule = true;
        profile.abilities.draft = true;
        profile.abilities.first_comment = true;
        profile.abilities.find = true;
        profile.abilities.delete = true;
        Self {
            profile,
            state: Arc::default(),
        }
    }

    /// One that can measure, too; unless told otherwise it has no number to give.
    #[must_use]
    pub fn measuring(mut self) -> Self {
        self.profile.abilities.measure = true;
        self
    }

    /// What the next publish answers.
    pub fn answer(&self, answer: Result<Outcome>) {
        self.lock().answers.push_back(answer);
    }

    /// What the next poll answers.
    pub fn poll_answer(&self, answer: Result<Outcome>) {
        self.lock().polled.push_back(answer);
    }

    /// What the next look-up answers.
    pub fn find_answer(&self, answer: Result<Lookup>) {
        self.lock().found.push_back(answer);
    }

    /// What the next delete answers.
    pub fn delete_answer(&self, answer: Result<()>) {
        self.lock().delete_answers.push_back(answer);
    }

    /// What the next measuring answers.
    pub fn measure_answer(&self, answer: Result<Metrics>) {
        self.lock().measured.push_back(answer);
    }

    /// The ids that were to be deleted, in order.
    #[must_use]
    pub fn deleted(&self) -> Vec<String> {
        self.lock().deleted.clone()
    }

    /// The texts that were sent, in order.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.lock().texts.clone()
    }

    /// The idempotency keys that they were sent with.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.lock().keys.clone()
    }

    /// How often it was asked what became of something.
    #[must_use]
    pub fn polls(&self) -> usize {
        self.lock().polls
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> Result<Lookup> {
        self.lock()
            .found
            .pop_front()
            .unwrap_or_else(|| Ok(Lookup::CannotTell("nothing was told".into())))
    }
}

#[async_trait]
impl Publisher for RecordingPublisher {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    /// One account, `recorded`: so a login can connect it.
    async fn identify(&self, _cx: &Context) -> Result<Vec<Identity>> {
        let platform = self.profile.platform.clone();
        Ok(vec![Identity::new("recorded", platform, "Recorded")])
    }

    async fn publish(&self, cx: &Context, post: &Post) -> Result<Outcome> {
        let account = cx.account().map(|account| account.id);
        let content = post.content_for(&self.profile.platform, account);
        cx.intends("recording.publish", &content)?;
        let find = || async { self.look()?.into_once() };
        cx.once("recording.publish", find, || async {
            let text = content.final_text(&self.profile);
            let mut state = self.lock();
            state.keys.extend(cx.key().map(str::to_owned));
            state.texts.push(text);
            let id = format!("recorded-{}", state.texts.len());
            state
                .answers
                .pop_front()
                .unwrap_or_else(|| Ok(Outcome::Done(Receipt::new(id))))
        })
        .await
    }

    async fn poll(&self, _cx: &Context, handle: &Handle) -> Result<Outcome> {
        let mut state = self.lock();
        state.polls += 1;
        state
            .polled
            .pop_front()
            .unwrap_or_else(|| Ok(Outcome::Done(Receipt::new(handle.remote_id.clone()))))
    }

    async fn find(&self, _cx: &Context, _intent: &Intent) -> Result<Lookup> {
        self.look()
    }

    async fn measure(&self, _cx: &Context, _receipt: &Receipt) -> Result<Metrics> {
        if !self.profile.abilities.measure {
            return Err(undeclared(&self.profile, "measure"));
        }
        let told = self.lock().measured.pop_front();
        told.unwrap_or_else(|| Ok(Metrics::default()))
    }

    async fn delete(&self, _cx: &Context, receipt: &Receipt) -> Result<()> {
        let mut state = self.lock();
        state.deleted.push(receipt.remote_id.clone());
        state.delete_answers.pop_front().unwrap_or(Ok(()))
    }
}
