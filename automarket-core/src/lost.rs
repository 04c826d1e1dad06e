//! What is looked for after a lost answer, and which of what a platform lists it is: platforms have no keys, and two
//! posts may say the same.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Context, Error, ErrorKind, Intent, Result};

/// How far our clock and the platform's may differ.
pub const SKEW: TimeDelta = TimeDelta::minutes(5);
/// How far back is looked where it is known what else the account published: our clock may have been set back since.
pub const REACH: TimeDelta = TimeDelta::days(1);

/// Who knows which of an account's posts are other publications'. The engine gives one to each sending
/// ([`Context::with_taken`]); a list of ids is one, too.
#[async_trait]
pub trait Taken: Send + Sync {
    /// Those of these ids that another publication of the account holds.
    ///
    /// # Errors
    /// `CannotTell` when one of the rest may be another publication's, of which nobody knows what became; retryable when
    /// that is about to be known.
    async fn taken(&self, ids: &[String]) -> Result<Vec<String>>;
}

#[async_trait]
impl Taken for Vec<String> {
    async fn taken(&self, ids: &[String]) -> Result<Vec<String>> {
        let held = ids.iter().filter(|id| self.contains(id));
        Ok(held.cloned().collect())
    }
}

/// A listed post that may be the one that was lost: it says the same, and nothing that is shown beside it contradicts.
#[derive(Clone, Debug)]
pub struct Alike {
    id: String,
    made: Option<DateTime<Utc>>,
    fit: Fit,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fit {
    Certain,
    Possible,
    Doubtful,
}

impl Alike {
    /// One with this id, made at this instant by the platform's clock.
    #[must_use]
    pub fn new(id: impl Into<String>, made: Option<DateTime<Utc>>) -> Self {
        Self {
            id: id.into(),
            made,
            fit: Fit::Possible,
        }
    }

    /// It shows what only ours can: files that were uploaded for this sending.
    #[must_use]
    pub fn certain(mut self) -> Self {
        self.fit = Fit::Certain;
        self
    }

    /// It shows another link or other media than was sent, which the platform may have made of it.
    #[must_use]
    pub fn doubtful(mut self) -> Self {
        self.fit = Fit::Doubtful;
        self
    }
}

/// What the step keeps that is the beginning of a sending.
#[derive(Deserialize)]
#[serde(untagged)]
enum Begun<T> {
    Saying(DateTime<Utc>, T),
    /// As versions before kept it.
    At(DateTime<Utc>),
}

impl Context {
    /// Begins a sending, before anything of it is public: the step of this name keeps when that is, and what is said.
    /// Whoever goes on with the same steps is told what was kept. So what is looked for is what was sent, even after an
    /// update that makes other words of the same post, and nothing is sent twice.
    ///
    /// `said` is what a look compares: the words as they are sent, a link. Later versions read it, so a field that is added
    /// to it needs a default. It is also the answer where only the instant was kept, as by versions before.
    ///
    /// In the `publish` of a platform that has no key:
    ///
    /// ```
    /// # use automarket_core::{Alike, Context, Result, chrono::{DateTime, Utc}};
    /// # struct Pin { id: String, text: String, made: DateTime<Utc> }
    /// # async fn list(_: &Context, _: DateTime<Utc>) -> Result<Vec<Pin>> { Ok(Vec::new()) }
    /// # async fn create(_: &Context, _: &str) -> Result<String> { Ok("1".into()) }
    /// # async fn publish(cx: &Context, text: String) -> Result<String> {
    /// let (begun, text) = cx.begin("pinwall.begun", text).await?;
    /// let look = || async {
    ///     let listed = list(cx, cx.since(begun)).await?;
    ///     let same = listed.into_iter().filter(|pin| pin.text == text);
    ///     let alike = same.map(|pin| Alike::new(pin.id, Some(pin.made)));
    ///     cx.ours(begun, alike.collect()).await
    /// };
    /// // Looks only where an earlier attempt may have sent it.
    /// cx.once("pinwall.pin", || cx.look_late(look), || create(cx, &text)).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the steps.
    pub async fn begin<T>(&self, step: &str, said: T) -> Result<(DateTime<Utc>, T)>
    where
        T: Serialize + DeserializeOwned,
    {
        match self.ended(step).await? {
            Some(Begun::Saying(at, said)) => Ok((at, said)),
            Some(Begun::At(at)) => Ok((at, said)),
            None => self.step(step, || async { Ok((self.now(), said)) }).await,
        }
    }

    /// What [`begin`](Self::begin) kept of this intent, for [`Publisher::find`](crate::Publisher::find); `said` where the
    /// context has no steps of it.
    ///
    /// # Errors
    /// Those of the steps.
    pub async fn begun<T>(&self, step: &str, intent: &Intent, said: T) -> Result<T>
    where
        T: DeserializeOwned,
    {
        if self.key() != Some(&*intent.key) {
            return Ok(said);
        }
        Ok(match self.ended(step).await? {
            Some(Begun::Saying(_, kept)) => kept,
            Some(Begun::<T>::At(_)) | None => said,
        })
    }

    /// Sets who knows which posts are other publications', so that none is taken for a lost one.
    #[must_use]
    pub fn with_taken(mut self, taken: Arc<dyn Taken>) -> Self {
        self.taken = Some(taken);
        self
    }

    /// Since when a platform is to be searched for what was begun at this instant, as [`begin`](Self::begin) said:
    /// [`SKEW`] before, or [`REACH`] where it is known which posts are other publications'.
    #[must_use]
    pub fn since(&self, begun: DateTime<Utc>) -> DateTime<Utc> {
        match self.taken {
            Some(_) => self.began(begun) - REACH,
            None => self.since_near(begun),
        }
    }

    /// As [`Context::since`], never further back than [`SKEW`]: for what shows a key of its own, or costs by the post that
    /// is listed.
    #[must_use]
    pub fn since_near(&self, begun: DateTime<Utc>) -> DateTime<Utc> {
        self.began(begun) - SKEW
    }

    /// What began in the future did so before our clock was set back.
    fn began(&self, begun: DateTime<Utc>) -> DateTime<Utc> {
        begun.min(self.now())
    }

    /// The one of these that is what was begun at this instant and lost; `None` when all are other publications'. For the
    /// end of a look.
    ///
    /// It is the only one, and made since: where it is not known what other publications hold, since the beginning, else
    /// as far as clocks may differ.
    ///
    /// # Errors
    /// `CannotTell` when several match, or the only one may be older than the sending, or is doubtful; those of
    /// [`Taken::taken`].
    pub async fn ours(
        &self,
        begun: DateTime<Utc>,
        mut alike: Vec<Alike>,
    ) -> Result<Option<String>> {
        if let Some(ours) = alike.iter().find(|one| one.fit == Fit::Certain) {
            return Ok(Some(ours.id.clone()));
        }
        let mut since = self.began(begun);
        if let Some(taken) = self.taken.as_ref().filter(|_| !alike.is_empty()) {
            let ids: Vec<String> = alike.iter().map(|one| one.id.clone()).collect();
            let held = taken.taken(&ids).await?;
            alike.retain(|one| !held.contains(&one.id));
            since -= SKEW;
        }
        // Platforms tell times in whole seconds.
        let since = since.duration_trunc(TimeDelta::seconds(1)).unwrap_or(since);
        let sure =
            |one: &Alike| one.fit == Fit::Possible && one.made.is_some_and(|made| made >= since);
        match &alike[..] {
            [] => Ok(None),
            [one] if sure(one) => Ok(Some(one.id.clone())),
            _ => Err(Error::new(
                ErrorKind::CannotTell,
                "the account has what may be this post, or another one that says the same",
            )
            .with_remedy("look there, then send it again or leave it")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Post,
        steps::{MemorySteps, Steps as _},
        testing::{ManualClock, Script},
    };

    #[tokio::test]
    async fn what_a_sending_says_is_what_it_said_when_it_began() {
        let cx = Context::new(Script::new()).with_key("key");
        let words = |n: u8| vec![format!("Hello ({n})")];
        let kept = async |cx: &Context, key: &str| {
            let intent = Intent {
                key: key.to_owned(),
                post: Post::text("Hello"),
                at: at(0),
            };
            cx.begun("x.begun", &intent, words(2)).await.unwrap()
        };
        assert_eq!(kept(&cx, "key").await, words(2));
        let began = cx.begin("x.begun", words(1)).await.unwrap();
        assert_eq!(began.1, words(1));
        assert_eq!(cx.begin("x.begun", words(2)).await.unwrap(), began);
        assert_eq!(kept(&cx, "key").await, words(1));
        assert_eq!(kept(&cx, "another").await, words(2));

        // As it stands in rows of before.
        let steps = MemorySteps::default();
        let row = serde_json::json!({ "kept": at(0) });
        steps.put("x.begun", &row).await.unwrap();
        let cx = cx.with_steps(Arc::new(steps));
        let began = cx.begin("x.begun", words(2)).await.unwrap();
        assert_eq!(began, (at(0), words(2)));
        assert_eq!(kept(&cx, "key").await, words(2));
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    async fn picked(taken: Option<&[&str]>, alike: &[Alike]) -> Option<Option<String>> {
        let clock = ManualClock::at(at(60));
        let mut cx = Context::new(Script::new()).with_clock(Arc::new(clock));
        if let Some(ids) = taken {
            let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
            cx = cx.with_taken(Arc::new(ids));
        }
        let begun = at(0) + TimeDelta::milliseconds(900);
        match cx.ours(begun, alike.to_vec()).await {
            Ok(found) => Some(found),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::CannotTell);
                None
            }
        }
    }

    #[tokio::test]
    async fn only_what_can_be_nobody_elses_is_ours() {
        let one = |id: &str, second| Alike::new(id, Some(at(second)));
        let found = |id: &str| Some(Some(id.to_owned()));
        for (taken, alike, picks) in [
            (None, vec![], Some(None)),
            // Of the second in which it was begun.
            (None, vec![one("a", 0)], found("a")),
            (None, vec![one("a", -10)], None),
            (None, vec![Alike::new("a", None)], None),
            (None, vec![one("a", 1).doubtful()], None),
            (None, vec![one("a", 1), one("b", 1)], None),
            (None, vec![one("a", -10), one("b", 1)], None),
            (
                None,
                vec![one("a", -10), one("b", -10).certain()],
                found("b"),
            ),
            (Some(&["a"][..]), vec![one("a", 1)], Some(None)),
            (Some(&["a"]), vec![one("a", 1), one("b", 1)], found("b")),
            // Clocks differ.
            (Some(&["a"]), vec![one("b", -10)], found("b")),
            (Some(&["a"]), vec![one("b", -1000)], None),
            (Some(&["a"]), vec![one("b", -10), one("c", 1)], None),
            (Some(&["a"]), vec![one("a", 1).doubtful()], Some(None)),
        ] {
            assert_eq!(picked(taken, &alike).await, picks, "{taken:?}: {alike:?}");
        }
    }
}
