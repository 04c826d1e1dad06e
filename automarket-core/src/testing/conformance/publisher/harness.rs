//! A publisher in its world, and what the cases do with it.

use std::{fmt::Debug, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use http::Method;

use crate::{
    Context, Credential, Delivery, Error, Intent, Outcome, Post, Profile, Publisher, Receipt,
    publisher::rules_for,
    testing::{ManualClock, Sandbox, outcome::ok},
};

/// A publisher in its world. Each case wants a fresh one.
pub struct PublisherUnderTest {
    /// The publisher.
    pub publisher: Arc<dyn Publisher>,
    /// The world, with the platform's fake in it; what the fake's `effects` list is what is counted.
    pub sandbox: Sandbox,
    /// The clock of the sandbox and of the context.
    pub clock: ManualClock,
    /// A context on the sandbox with a connected account and a good credential. The suite sets steps and
    /// key itself.
    pub context: Context,
    /// The same for another account of the same platform, where there is one.
    pub other: Option<Context>,
    /// A credential that the platform refuses.
    pub bad_credential: Credential,
    /// Texts that no error may show: the secrets of both credentials.
    pub secrets: Vec<String>,
    /// A minimal good post with a text.
    pub post: Post,
    /// The request whose effect is the post: its method and a part of its path.
    pub write: (Method, &'static str),
}

impl PublisherUnderTest {
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.context.now()
    }

    /// What its account has to keep to.
    pub(super) fn own_rules(&self) -> Profile {
        match self.context.account() {
            Some(account) => rules_for(account, &*self.publisher),
            None => self.publisher.profile().clone(),
        }
    }

    /// A context for a new intent: fresh steps and this key.
    pub(super) fn attempt(&self, key: &str) -> Context {
        self.context.fresh().with_key(key)
    }

    pub(super) fn intent(&self, key: &str, post: &Post) -> Intent {
        Intent {
            key: key.to_owned(),
            post: post.clone(),
            at: self.now(),
        }
    }

    /// The post with a text of its own, since platforms refuse exact repeats.
    pub(super) fn similar(&self, n: usize) -> Post {
        let mut post = self.post.clone();
        let text = post.base.text.unwrap_or_default();
        post.base.text = Some(format!("{text} ({n})"));
        post
    }

    /// The post in a way that is not public at once, where the platform has one.
    pub(super) fn waiting_post(&self) -> Post {
        if self.publisher.profile().abilities.schedule {
            let due = self.now() + TimeDelta::hours(1);
            self.post.clone().delivery(Delivery::At(due))
        } else {
            self.post.clone()
        }
    }

    pub(super) fn effects(&self) -> Vec<serde_json::Value> {
        self.sandbox.effects(&self.publisher.profile().platform)
    }

    pub(super) fn expect_effects(&self, count: usize, when: &str) {
        let effects = self.effects();
        assert_eq!(effects.len(), count, "{when}, the platform has {effects:?}");
    }

    pub(super) fn expect_no_secret(&self, error: &Error) {
        let shown = format!("{error} {error:?} {} {:?}", error.report(), error.body());
        for secret in &self.secrets {
            assert!(!shown.contains(secret), "an error shows a secret");
        }
    }

    /// Polls something accepted to its end, from its time on.
    pub(super) async fn wait_for(&self, cx: &Context, outcome: Outcome) -> Receipt {
        let mut outcome = outcome;
        for _ in 0..20 {
            match outcome {
                Outcome::Done(receipt) => return receipt,
                Outcome::Accepted(handle) => {
                    let until_due = handle.due.map(|due| due - self.now());
                    let minute = TimeDelta::minutes(1);
                    self.clock.advance(until_due.unwrap_or(minute).max(minute));
                    outcome = ok(self.publisher.poll(cx, &handle).await, "poll");
                }
            }
        }
        panic!("never public: {outcome:?}")
    }
}

impl Debug for PublisherUnderTest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublisherUnderTest")
            .field("profile", &self.publisher.profile().name)
            .finish_non_exhaustive()
    }
}
